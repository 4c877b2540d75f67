//! Reads an identity provider's metadata into a plain description.
//!
//! Trust comes from here alone: a signature counts only under one of these
//! keys (MetaIOP). Chains and expiry of certificates carry no meaning.

use std::collections::BTreeSet;
use std::time::Duration;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::deceives;
use fedbridge_contract::upstream::Finding;
use samael::metadata::{Endpoint, IdpSsoDescriptor, IndexedEndpoint};
use url::Url;

use super::bounds::Bounded;
use super::entities::{Candidate, candidates, pick, read};
use super::parts::{EncryptionKey, LogoutEndpoint, address, encryption_keys, logout_endpoints, signing_keys, warning};
use crate::names;
use crate::trust::TrustedKey;

const PATH: &str = "idp_metadata";

/// What a service provider needs to know about an identity provider.
pub struct IdpDescription {
    pub entity_id: String,
    /// Never empty: a provider without a usable key is refused.
    pub signing: Vec<TrustedKey>,
    /// For names in requests; often none.
    pub encryption: Vec<EncryptionKey>,
    /// Never empty; in the order of the metadata.
    pub sso: Vec<SsoEndpoint>,
    pub slo: Vec<LogoutEndpoint>,
    /// By index (SAML metadata 2.2.3).
    pub artifact_resolution: Vec<(u16, Url)>,
    pub want_authn_requests_signed: bool,
    /// The earliest `validUntil` that applies. After it nothing here may be trusted.
    pub valid_until: Option<Timestamp>,
    /// The shortest `cacheDuration` that applies.
    pub cache: Option<Duration>,
    pub name_id_formats: Vec<String>,
    /// What an admin should know and that is no reason to refuse.
    pub findings: Vec<Finding>,
}

/// How a request goes out (SAML bindings 3.4 and 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestBinding {
    Redirect,
    Post,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoEndpoint {
    pub binding: RequestBinding,
    pub location: Url,
}

impl IdpDescription {
    pub fn endpoint(&self, binding: RequestBinding) -> Option<&SsoEndpoint> {
        self.sso.iter().find(|endpoint| endpoint.binding == binding)
    }

    pub fn expired(&self, now: Timestamp) -> bool {
        self.valid_until.is_some_and(|until| now >= until)
    }
}

/// Reads metadata. `entity_id` names the provider where the document describes several.
///
/// # Errors
/// Every complaint about the provider that was picked.
pub fn import(xml: &[u8], entity_id: Option<&str>, now: Timestamp) -> Result<IdpDescription, Vec<Complaint>> {
    let entities = read::<IdpSsoDescriptor>(xml).map_err(one)?;
    let all = candidates(&entities);
    let picked = pick(&all, entity_id).map_err(one)?;
    describe(picked, now)
}

fn describe(picked: &Candidate<'_, IdpSsoDescriptor>, now: Timestamp) -> Result<IdpDescription, Vec<Complaint>> {
    let (role, mut complaints, mut findings) = (picked.role, Vec::new(), Vec::new());
    let entity_id = picked.entity.entity_id.clone().unwrap_or_default();
    complaints.extend(wrong_entity_id(&entity_id));
    let valid_until = picked.valid_until.map(Timestamp::from_millis);
    complaints.extend(over(valid_until, now));
    let too_much = role.too_much();
    if !too_much.is_empty() {
        return Err(refused(PATH, too_much));
    }
    let (signing, unusable) = signing_keys(&role.key_descriptors, now, &mut findings);
    match (signing.is_empty(), unusable.is_empty()) {
        (true, true) => {
            complaints.push("the metadata has no signing certificate, so no answer could ever be trusted".into());
        }
        (true, false) => complaints.extend(unusable),
        (false, _) => findings.extend(unusable.into_iter().map(warning)),
    }
    let sso = endpoints(&role.single_sign_on_services, &mut complaints, &mut findings);
    let encryption = encryption_keys(&role.key_descriptors, &mut findings);
    let slo = logout_endpoints(&role.single_logout_services, &mut findings);
    let artifact_resolution = resolvers(&role.artifact_resolution_service, &mut findings);
    if !complaints.is_empty() {
        return Err(refused(PATH, complaints));
    }
    Ok(IdpDescription {
        entity_id,
        signing,
        encryption,
        sso,
        slo,
        artifact_resolution,
        want_authn_requests_signed: role.want_authn_requests_signed.unwrap_or(false),
        valid_until,
        cache: picked.cache,
        name_id_formats: role.name_id_formats.clone(),
        findings,
    })
}

pub(super) fn refused(path: &str, sentences: Vec<String>) -> Vec<Complaint> {
    sentences.into_iter().map(|message| Complaint::new(path, message)).collect()
}

/// The limit is of SAML core 8.3.6.
pub(super) fn wrong_entity_id(entity_id: &str) -> Option<String> {
    if entity_id.is_empty() || entity_id.len() > 1024 {
        return Some("the metadata's entityID is missing or longer than 1024 characters".to_owned());
    }
    let strange = entity_id.chars().any(deceives);
    strange.then(|| "the metadata's entityID has a character that can't be shown".to_owned())
}

pub(super) fn over(valid_until: Option<Timestamp>, now: Timestamp) -> Option<String> {
    let until = valid_until.filter(|&until| now >= until)?;
    Some(format!("the metadata expired on {}; fetch it again", until.rfc3339()))
}

fn endpoints(services: &[Endpoint], complaints: &mut Vec<String>, findings: &mut Vec<Finding>) -> Vec<SsoEndpoint> {
    let mut found = Vec::new();
    let mut bad = Vec::new();
    for service in services {
        let binding = match service.binding.as_str() {
            names::BINDING_REDIRECT => RequestBinding::Redirect,
            names::BINDING_POST => RequestBinding::Post,
            _ => continue, // SOAP, artifact and others have no part in this.
        };
        match address(&service.location) {
            Ok(location) => found.push(SsoEndpoint { binding, location }),
            Err(why) => bad.push(format!("the single sign-on address {} {why}", service.location)),
        }
    }
    if found.is_empty() && bad.is_empty() {
        complaints.push("the metadata has no single sign-on address for redirect or post".into());
    } else if found.is_empty() {
        complaints.extend(bad);
    } else {
        findings.extend(bad.into_iter().map(warning));
    }
    found
}

/// Where artifacts are resolved, by SOAP. A bad one is a warning: most providers have none.
fn resolvers(services: &[IndexedEndpoint], findings: &mut Vec<Finding>) -> Vec<(u16, Url)> {
    let mut found: Vec<(u16, Url)> = Vec::new();
    let mut taken = BTreeSet::new();
    for service in services.iter().filter(|service| service.binding == names::BINDING_SOAP) {
        let place = &service.location;
        match (u16::try_from(service.index), address(place)) {
            (Ok(index), _) if taken.contains(&index) => {
                findings.push(warning(format!("the artifact address {place} repeats the index {index}")));
            }
            (Ok(index), Ok(location)) => {
                taken.insert(index);
                found.push((index, location));
            }
            (Err(_), _) => findings.push(warning(format!("the artifact address {place} has no index"))),
            (_, Err(why)) => findings.push(warning(format!("the artifact address {place} {why}"))),
        }
    }
    found
}

fn one(message: String) -> Vec<Complaint> {
    vec![Complaint::new(PATH, message)]
}
