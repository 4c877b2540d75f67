//! Opens SAML connections from their settings.

use std::sync::Arc;

use fedbridge_contract::documents::PartnerDocuments;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{AdapterFactory, Field, Open};
use fedbridge_contract::upstream::Adapter;

use crate::settings::{FIELDS, ResponseBinding, Settings};
use crate::sp::{ServiceProvider, SharedProvider};
use fedbridge_saml_core::metadata::import::import;
use fedbridge_saml_core::metadata::{IdpDescription, RequestBinding};
use fedbridge_saml_core::names;
use fedbridge_saml_core::trust::{Trust, TrustedKey};
use fedbridge_saml_core::turns;

/// `protocol: saml`.
#[derive(Debug, Clone, Copy, Default)]
pub struct SamlFactory;

impl AdapterFactory for SamlFactory {
    fn kind(&self) -> &'static str {
        "saml"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        FIELDS
    }

    fn documents(&self) -> Option<&dyn PartnerDocuments> {
        Some(self)
    }

    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let sp = Arc::new(open(&input)?);
        let shared = || SharedProvider(Arc::clone(&sp));
        Ok(Adapter {
            login: Some(Box::new(shared())),
            logout: Some(Box::new(shared())),
            refresh: None,
            metadata: Some(Box::new(shared())),
            check: Some(Box::new(shared())),
            ..Adapter::default()
        })
    }
}

/// Opens the service provider of one connection.
///
/// # Errors
/// Every complaint about the settings; where they are fine, every one about the metadata.
pub fn open(input: &Open<'_>) -> Result<ServiceProvider, Vec<Complaint>> {
    let settings = Settings::parse(input.settings)?;
    let idp = import(settings.metadata_xml.as_bytes(), settings.entity_id.as_deref(), input.now)?;
    check_binding(&settings, &idp)?;
    if settings.response_binding == ResponseBinding::Artifact && idp.artifact_resolution.is_empty() {
        let message = "the identity provider has no artifact resolution service; leave this out";
        return Err(vec![Complaint::new("response_binding", message)]);
    }
    let own = |route: &str| format!("{}/{route}", input.address.trim_end_matches('/'));
    let entity_id = settings.sp_entity_id.clone().unwrap_or_else(|| own(names::METADATA_ROUTE));
    if entity_id == idp.entity_id {
        return Err(vec![Complaint::new("sp_entity_id", "is the entity ID of the identity provider itself")]);
    }
    let trust = Trust { keys: trusted(&settings, &idp)?, sha1_until: settings.allow_sha1_until };
    Ok(ServiceProvider {
        connection: input.connection,
        entity_id,
        acs: own(names::ACS_ROUTE),
        artifact: own(names::ARTIFACT_ROUTE),
        slo: own(names::SLO_ROUTE),
        idp,
        settings,
        trust,
        services: input.services.clone(),
        turns: turns::of_a_partner(),
    })
}

/// The provider's keys without those that are distrusted.
fn trusted(settings: &Settings, idp: &IdpDescription) -> Result<Vec<TrustedKey>, Vec<Complaint>> {
    let keys: Vec<TrustedKey> = idp.signing.iter().filter(|key| !settings.distrusts(key)).cloned().collect();
    if keys.is_empty() {
        let message = "lists every signing certificate of the metadata, so no answer could ever be trusted";
        return Err(vec![Complaint::new("distrusted_keys", message)]);
    }
    Ok(keys)
}

fn check_binding(settings: &Settings, idp: &IdpDescription) -> Result<(), Vec<Complaint>> {
    let Some(wanted) = settings.request_binding.filter(|&binding| idp.endpoint(binding).is_none()) else {
        return Ok(());
    };
    let (name, other) = match wanted {
        RequestBinding::Redirect => ("redirect", "post"),
        RequestBinding::Post => ("post", "redirect"),
    };
    let message = format!("the identity provider does not offer the {name} binding; use {other} or leave this out");
    Err(vec![Complaint::new("request_binding", message)])
}
