//! Reads a service provider's metadata into a plain description.

use std::collections::BTreeSet;
use std::time::Duration;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::Finding;
use samael::metadata::{IndexedEndpoint, SpSsoDescriptor};
use serde::{Deserialize, Serialize};
use url::Url;

use super::bounds::Bounded;
use super::entities::{Candidate, candidates, pick, read};
use super::import::{over, refused, wrong_entity_id};
use super::parts::{EncryptionKey, LogoutEndpoint, address, encryption_keys, logout_endpoints, signing_keys, warning};
use super::requested::{AttributeService, RequestedAttribute, services};
use crate::names;
use crate::trust::TrustedKey;

const PATH: &str = "sp_metadata";

/// What an identity provider needs to know about a service provider.
pub struct SpDescription {
    pub entity_id: String,
    /// May be empty: a provider need not sign. A signature of such a one can't be believed.
    pub signing: Vec<TrustedKey>,
    pub encryption: Vec<EncryptionKey>,
    /// Never empty; in the order of the metadata. One of them is the default.
    pub acs: Vec<AcsEndpoint>,
    pub slo: Vec<LogoutEndpoint>,
    pub authn_requests_signed: bool,
    pub want_assertions_signed: bool,
    pub name_id_formats: Vec<String>,
    /// What it would like to learn; often none.
    pub requested_attributes: Vec<AttributeService>,
    /// The earliest `validUntil` that applies. After it nothing here may be used.
    pub valid_until: Option<Timestamp>,
    /// The shortest `cacheDuration` that applies.
    pub cache: Option<Duration>,
    /// What an admin should know and that is no reason to refuse.
    pub findings: Vec<Finding>,
}

/// How an answer goes out (SAML profiles 4.1.2: never by redirect).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AcsBinding {
    #[default]
    Post,
    Artifact,
}

impl AcsBinding {
    /// As SAML bindings names it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Post => "HTTP POST",
            Self::Artifact => "HTTP Artifact",
        }
    }
}

/// An assertion consumer service (SAML metadata 2.4.4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcsEndpoint {
    pub binding: AcsBinding,
    /// Exactly as the metadata has it: a request names it octet for octet.
    pub text: String,
    pub location: Url,
    pub index: u16,
    pub default: bool,
}

impl SpDescription {
    pub fn expired(&self, now: Timestamp) -> bool {
        self.valid_until.is_some_and(|until| now >= until)
    }

    /// Attributes that it says it can't do without, by default.
    pub fn required_attributes(&self) -> impl Iterator<Item = &RequestedAttribute> {
        let default = self.requested_attributes.iter().filter(|service| service.default);
        default.flat_map(|service| &service.attributes).filter(|attribute| attribute.required)
    }

    /// Where answers go that name no address.
    pub fn default_acs(&self) -> Option<&AcsEndpoint> {
        self.acs.iter().find(|endpoint| endpoint.default)
    }
}

/// Reads metadata. `entity_id` names the provider where the document describes several.
///
/// # Errors
/// Every complaint about the provider that was picked.
pub fn import_sp(xml: &[u8], entity_id: Option<&str>, now: Timestamp) -> Result<SpDescription, Vec<Complaint>> {
    let entities = read::<SpSsoDescriptor>(xml).map_err(one)?;
    let all = candidates(&entities);
    let picked = pick(&all, entity_id).map_err(one)?;
    describe(picked, now)
}

fn describe(picked: &Candidate<'_, SpSsoDescriptor>, now: Timestamp) -> Result<SpDescription, Vec<Complaint>> {
    let (role, mut complaints, mut findings) = (picked.role, Vec::new(), Vec::new());
    let entity_id = picked.entity.entity_id.clone().unwrap_or_default();
    complaints.extend(wrong_entity_id(&entity_id));
    let valid_until = picked.valid_until.map(Timestamp::from_millis);
    complaints.extend(over(valid_until, now));
    let too_much = role.too_much();
    if !too_much.is_empty() {
        return Err(refused(PATH, too_much));
    }
    let descriptors = role.key_descriptors.as_deref().unwrap_or_default();
    let (signing, unusable) = signing_keys(descriptors, now, &mut findings);
    let authn_requests_signed = role.authn_requests_signed.unwrap_or(false);
    if signing.is_empty() && authn_requests_signed {
        complaints.push("the metadata says that requests are signed, and has no signing certificate to use".into());
        complaints.extend(unusable);
    } else {
        findings.extend(unusable.into_iter().map(warning));
    }
    let acs = consumers(&role.assertion_consumer_services, &mut complaints, &mut findings);
    let encryption = encryption_keys(descriptors, &mut findings);
    let slo = logout_endpoints(role.single_logout_services.as_deref().unwrap_or_default(), &mut findings);
    if !complaints.is_empty() {
        return Err(refused(PATH, complaints));
    }
    Ok(SpDescription {
        entity_id,
        signing,
        encryption,
        acs,
        slo,
        authn_requests_signed,
        want_assertions_signed: role.want_assertions_signed.unwrap_or(false),
        name_id_formats: role.name_id_formats.clone().unwrap_or_default(),
        requested_attributes: services(role.attribute_consuming_services.as_deref().unwrap_or_default()),
        valid_until,
        cache: picked.cache,
        findings,
    })
}

fn consumers(
    services: &[IndexedEndpoint],
    complaints: &mut Vec<String>,
    findings: &mut Vec<Finding>,
) -> Vec<AcsEndpoint> {
    let mut found: Vec<(AcsEndpoint, Option<bool>)> = Vec::new();
    let mut taken = BTreeSet::new();
    let mut bad = Vec::new();
    for service in services {
        let binding = match service.binding.as_str() {
            names::BINDING_POST => AcsBinding::Post,
            names::BINDING_ARTIFACT => AcsBinding::Artifact,
            _ => continue, // PAOS and SAML 1.1 have no part in this.
        };
        let text = &service.location;
        match (u16::try_from(service.index), address(text)) {
            (Ok(index), _) if taken.contains(&index) => {
                bad.push(format!("the assertion consumer address {text} repeats the index {index}"));
            }
            (Ok(index), Ok(location)) => {
                let endpoint = AcsEndpoint { binding, text: text.clone(), location, index, default: false };
                taken.insert(index);
                found.push((endpoint, service.is_default));
            }
            (Err(_), _) => bad.push(format!("the assertion consumer address {text} has no index")),
            (_, Err(why)) => bad.push(format!("the assertion consumer address {text} {why}")),
        }
    }
    if found.is_empty() && bad.is_empty() {
        complaints.push("the metadata has no assertion consumer address for post or artifact".into());
    } else if found.is_empty() {
        complaints.extend(bad);
    } else {
        findings.extend(bad.into_iter().map(warning));
    }
    // The first that says so, else the first that does not say no, else the first (SAML metadata 2.2.3).
    let says = |wanted: Option<bool>| found.iter().position(|(_, said)| *said == wanted);
    let default = says(Some(true)).or_else(|| says(None)).unwrap_or(0);
    let endpoints = found.into_iter().enumerate();
    endpoints.map(|(at, (endpoint, _))| AcsEndpoint { default: at == default, ..endpoint }).collect()
}

fn one(message: String) -> Vec<Complaint> {
    vec![Complaint::new(PATH, message)]
}
