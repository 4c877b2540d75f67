//! The adapters of this build: the only file that names their crates.

use std::sync::Arc;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{Field, Registry};
use fedbridge_contract::ldap_directory::LdapDirectory;
use fedbridge_contract::services::Services;
use fedbridge_ldap::LdapFactory;
use fedbridge_ldap_server::settings as ldap;
use fedbridge_oidc::op::OpenIdProvider;
use fedbridge_oidc_rp::OidcFactory;
use fedbridge_oidc_signals::Transmitter;
use fedbridge_saml::SamlFactory;
use fedbridge_saml_idp::SamlIdentityProvider;
use fedbridge_scim::ScimFactory;
use serde_json::{Map, Value};

/// Upstream adapters, by the word that `protocol:` takes.
pub fn upstreams() -> Registry {
    Registry::default()
        .with(Arc::new(LdapFactory))
        .with(Arc::new(OidcFactory::default()))
        .with(Arc::new(SamlFactory))
        .with(Arc::new(ScimFactory))
}

/// Downstream adapters. The first one that declares a route answers it.
pub fn downstreams(services: &Services) -> Vec<Arc<dyn Downstream>> {
    vec![
        Arc::new(OpenIdProvider::new(services.clone())),
        Arc::new(SamlIdentityProvider::new(services.clone())),
        Arc::new(Transmitter::new(services.clone())),
    ]
}

/// The settings of one kind of app, with their help.
pub fn app_fields(kind: AppKind) -> &'static [Field] {
    match kind {
        AppKind::OidcClient => fedbridge_oidc::op::settings::FIELDS,
        AppKind::SamlSp => fedbridge_saml_idp::settings::FIELDS,
        AppKind::LdapApp => ldap::FIELDS,
        AppKind::ScimApp => fedbridge_scim_client::settings::FIELDS,
        AppKind::SignalReceiver => fedbridge_oidc_signals::settings::FIELDS,
    }
}

/// The settings of a tenant's LDAP directory, with their help.
pub fn ldap_directory_fields() -> &'static [Field] {
    ldap::DIRECTORY_FIELDS
}

/// # Errors
/// Everything that is wrong with a directory, by its paths in the bridge file.
pub fn read_ldap_directory(settings: &Value, tenant: &str) -> Result<LdapDirectory, Vec<Complaint>> {
    ldap::read_directory(settings, tenant)
}

pub fn write_ldap_directory(directory: &LdapDirectory) -> Map<String, Value> {
    ldap::write_directory(directory)
}

/// Whether a DN could be of either directory.
pub fn ldap_bases_clash(one: &str, other: &str) -> bool {
    ldap::bases_clash(one, other)
}

/// The server of directories, which speaks on listeners of its own.
pub use fedbridge_ldap_server::{Held as LdapDirectories, LdapServer, Patience as LdapPatience, Rules as LdapRules};

/// The least that an LDAP app must be allowed, by what it was seen to ask.
pub use fedbridge_ldap_server::{Learnt as LearntLdapApp, learnt as ldap_learnt};

/// Everything that is wrong with the settings of an LDAP app.
pub fn check_ldap_app(settings: &Value) -> Vec<Complaint> {
    ldap::LdapAppSettings::parse(settings).err().unwrap_or_default()
}

/// Everything that is wrong with the settings of a SCIM app.
pub fn check_scim_app(settings: &Value) -> Vec<Complaint> {
    fedbridge_scim_client::ScimAppSettings::parse(settings).err().unwrap_or_default()
}

/// The claims that a SCIM app gets: what it is configured to get is what it may get.
pub fn scim_app_claims(settings: &Value) -> Vec<String> {
    fedbridge_scim_client::ScimAppSettings::parse(settings).map(|settings| settings.claims()).unwrap_or_default()
}

/// The client of apps that have a SCIM server.
pub use fedbridge_scim_client as scim_client;

/// What adapters need once per process, with the proof that it took.
///
/// # Errors
/// When the XML security library is not closed as it must be.
pub fn init() -> Result<(), String> {
    fedbridge_saml::init().map_err(|error| error.to_string())
}
