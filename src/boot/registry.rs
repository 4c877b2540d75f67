//! The adapters of this build: the only file that names their crates.

use std::sync::Arc;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::factory::{Field, Registry};
use fedbridge_contract::services::Services;
use fedbridge_oidc::op::OpenIdProvider;
use fedbridge_oidc_rp::OidcFactory;
use fedbridge_saml::SamlFactory;
use fedbridge_saml_idp::SamlIdentityProvider;

/// Upstream adapters, by the word that `protocol:` takes.
pub fn upstreams() -> Registry {
    Registry::default().with(Arc::new(OidcFactory::default())).with(Arc::new(SamlFactory))
}

/// Downstream adapters. The first one that declares a route answers it.
pub fn downstreams(services: &Services) -> Vec<Arc<dyn Downstream>> {
    vec![Arc::new(OpenIdProvider::new(services.clone())), Arc::new(SamlIdentityProvider::new(services.clone()))]
}

/// The settings of one kind of app, with their help.
pub fn app_fields(kind: AppKind) -> &'static [Field] {
    match kind {
        AppKind::OidcClient => fedbridge_oidc::op::settings::FIELDS,
        AppKind::SamlSp => fedbridge_saml_idp::settings::FIELDS,
    }
}

/// What adapters need once per process, with the proof that it took.
///
/// # Errors
/// When the XML security library is not closed as it must be.
pub fn init() -> Result<(), String> {
    fedbridge_saml::init().map_err(|error| error.to_string())
}
