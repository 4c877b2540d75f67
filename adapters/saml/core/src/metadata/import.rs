//! Reads an identity provider's metadata into a plain description.
//!
//! Trust comes from here alone: a signature counts only under one of these
//! keys (MetaIOP). Chains and expiry of certificates carry no meaning.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::nid::Nid;
use openssl::x509::X509;
use samael::metadata::{Endpoint, EntityDescriptor, EntityDescriptorType, IdpSsoDescriptor};
use url::{Host, Url};

use super::reduce::reduced;
use crate::names;
use crate::seam::{Limits, UnverifiedDocument, VerifyKey};
use crate::trust::TrustedKey;

const PATH: &str = "idp_metadata";

/// What a service provider needs to know about an identity provider.
pub struct IdpDescription {
    pub entity_id: String,
    /// Never empty: a provider without a usable key is refused.
    pub signing: Vec<TrustedKey>,
    /// Never empty; in the order of the metadata.
    pub sso: Vec<SsoEndpoint>,
    pub want_authn_requests_signed: bool,
    /// The earliest `validUntil` that applies. After it nothing here may be trusted.
    pub valid_until: Option<Timestamp>,
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
    let entities = read(xml).map_err(one)?;
    let all = candidates(&entities);
    let picked = pick(&all, entity_id).map_err(one)?;
    describe(picked, now)
}

fn read(xml: &[u8]) -> Result<EntityDescriptorType, String> {
    let document = UnverifiedDocument::parse(xml, Limits::metadata())
        .map_err(|refusal| format!("the metadata can't be read: {refusal}"))?;
    let small =
        reduced(document.unverified_root()).map_err(|error| format!("the metadata can't be used: {}", error.0))?;
    small.parse().map_err(|_| "the metadata has a value of the wrong form, for example a date without its Z".into())
}

/// An entity that has an identity provider role for SAML 2.0.
struct Candidate<'a> {
    entity: &'a EntityDescriptor,
    role: &'a IdpSsoDescriptor,
    /// Milliseconds; the earliest of the document, the entity and the role.
    valid_until: Option<i64>,
}

fn candidates(root: &EntityDescriptorType) -> Vec<Candidate<'_>> {
    let mut found = Vec::new();
    let mut queue = vec![(root, None)];
    while let Some((next, inherited)) = queue.pop() {
        match next {
            EntityDescriptorType::EntitiesDescriptor(group) => {
                let until = earliest(inherited, group.valid_until.map(|until| until.timestamp_millis()));
                queue.extend(group.descriptors.iter().rev().map(|descriptor| (descriptor, until)));
            }
            EntityDescriptorType::EntityDescriptor(entity) => {
                let until = earliest(inherited, entity.valid_until.map(|until| until.timestamp_millis()));
                let roles = entity.idp_sso_descriptors.iter().flatten();
                // The first role for SAML 2.0; a provider has no reason for a second.
                if let Some(role) = roles.into_iter().find(|role| speaks_saml2(role)) {
                    let until = earliest(until, role.valid_until.map(|until| until.timestamp_millis()));
                    found.push(Candidate { entity, role, valid_until: until });
                }
            }
        }
    }
    found
}

fn speaks_saml2(role: &IdpSsoDescriptor) -> bool {
    let protocols = role.protocol_support_enumeration.as_deref().unwrap_or_default();
    protocols.split_ascii_whitespace().any(|protocol| protocol == names::PROTOCOL)
}

fn earliest(a: Option<i64>, b: Option<i64>) -> Option<i64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

fn pick<'a, 'b>(all: &'b [Candidate<'a>], wanted: Option<&str>) -> Result<&'b Candidate<'a>, String> {
    let id = |candidate: &Candidate<'_>| candidate.entity.entity_id.clone().unwrap_or_default();
    let listed = || {
        let mut names: Vec<_> = all.iter().take(5).map(&id).collect();
        if all.len() > names.len() {
            names.push("…".into());
        }
        names.join(", ")
    };
    let matching: Vec<_> = match wanted {
        Some(wanted) => all.iter().filter(|candidate| id(candidate) == wanted).collect(),
        None => all.iter().collect(),
    };
    match (matching.as_slice(), wanted) {
        ([one], _) => Ok(one),
        ([], _) if all.is_empty() => Err("the metadata describes no SAML 2.0 identity provider".into()),
        ([], _) => Err(format!("the metadata has no identity provider of that entity_id; it has {}", listed())),
        (_, Some(wanted)) => Err(format!("the metadata describes {wanted} more than once")),
        (_, None) => {
            Err(format!("the metadata describes several identity providers; set entity_id to one of {}", listed()))
        }
    }
}

fn describe(picked: &Candidate<'_>, now: Timestamp) -> Result<IdpDescription, Vec<Complaint>> {
    let mut complaints = Vec::new();
    let mut findings = Vec::new();
    let entity_id = picked.entity.entity_id.clone().unwrap_or_default();
    if entity_id.is_empty() || entity_id.len() > 1024 {
        complaints.push("the metadata's entityID is missing or longer than 1024 characters".to_owned());
    }
    let valid_until = picked.valid_until.map(Timestamp::from_millis);
    if let Some(until) = valid_until.filter(|&until| now >= until) {
        complaints.push(format!("the metadata expired on {}; fetch it again", until.rfc3339()));
    }
    let signing = signing_keys(picked.role, now, &mut complaints, &mut findings);
    let sso = endpoints(&picked.role.single_sign_on_services, &mut complaints, &mut findings);
    if complaints.is_empty() {
        Ok(IdpDescription {
            entity_id,
            signing,
            sso,
            want_authn_requests_signed: picked.role.want_authn_requests_signed.unwrap_or(false),
            valid_until,
            name_id_formats: picked.role.name_id_formats.clone(),
            findings,
        })
    } else {
        Err(complaints.into_iter().map(|message| Complaint::new(PATH, message)).collect())
    }
}

fn signing_keys(
    role: &IdpSsoDescriptor,
    now: Timestamp,
    complaints: &mut Vec<String>,
    findings: &mut Vec<Finding>,
) -> Vec<TrustedKey> {
    // Without `use` a key serves both uses (SAML metadata 2.4.1.1).
    let for_signing =
        role.key_descriptors.iter().filter(|key| matches!(key.key_use.as_deref(), None | Some("signing")));
    let certificates: Vec<_> =
        for_signing.filter_map(|key| key.key_info.x509_data.as_ref()).flat_map(|data| &data.certificates).collect();
    if certificates.is_empty() {
        complaints.push("the metadata has no signing certificate, so no answer could ever be trusted".into());
        return Vec::new();
    }
    let mut keys: Vec<TrustedKey> = Vec::new();
    let mut unusable = Vec::new();
    for (at, text) in certificates.into_iter().enumerate() {
        match trusted_key(text) {
            Ok(key) if keys.iter().any(|known| known.key.fingerprint() == key.key.fingerprint()) => {}
            Ok(key) => {
                if let Some(expired) = key.not_after.filter(|&end| now >= end) {
                    findings.push(warning(format!(
                        "signing certificate {} expired on {}; it is still used, as SAML metadata asks",
                        key.label,
                        expired.rfc3339()
                    )));
                }
                keys.push(key);
            }
            Err(why) => unusable.push(format!("signing certificate {} can't be used: {why}", at + 1)),
        }
    }
    if keys.is_empty() {
        complaints.extend(unusable);
    } else {
        findings.extend(unusable.into_iter().map(warning));
    }
    keys
}

fn trusted_key(base64_text: &str) -> Result<TrustedKey, String> {
    let compact: String = base64_text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let der = STANDARD.decode(compact).map_err(|_| "it is not base64".to_owned())?;
    let key = VerifyKey::from_certificate_der(&der).map_err(|error| error.to_string())?;
    let certificate = X509::from_der(&der).map_err(|_| "it is not an X.509 certificate".to_owned())?;
    let name = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next();
    let label = name.and_then(|entry| entry.data().to_string().ok());
    Ok(TrustedKey {
        key,
        label: label.filter(|label| !label.is_empty()).unwrap_or_else(|| "without a name".into()),
        not_before: moment(certificate.not_before()),
        not_after: moment(certificate.not_after()),
    })
}

fn moment(at: &Asn1TimeRef) -> Option<Timestamp> {
    let since = Asn1Time::from_unix(0).ok()?.diff(at).ok()?;
    Some(Timestamp::from_seconds(i64::from(since.days) * 86_400 + i64::from(since.secs)))
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
        match front_channel(&service.location) {
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

/// Where a browser is sent: https, or plain http on this very machine.
fn front_channel(location: &str) -> Result<Url, &'static str> {
    let url = Url::parse(location).map_err(|_| "is not an address")?;
    let loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    match url.scheme() {
        _ if url.host().is_none() => Err("names no host"),
        "https" => Ok(url),
        "http" if loopback => Ok(url),
        _ => Err("is not https"),
    }
    .and_then(|url| if url.fragment().is_some() { Err("has a fragment") } else { Ok(url) })
    .and_then(
        |url| if url.username().is_empty() && url.password().is_none() { Ok(url) } else { Err("has a user name") },
    )
}

fn warning(text: String) -> Finding {
    Finding::new(Level::Warning, text)
}

fn one(message: String) -> Vec<Complaint> {
    vec![Complaint::new(PATH, message)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_channel_addresses() {
        for good in ["https://idp.example/sso?a=b", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/x"] {
            assert!(front_channel(good).is_ok(), "{good}");
        }
        for bad in [
            "http://idp.example/",
            "http://127.0.0.1.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "//idp.example",
            "https://idp.example/#x",
            "https://u:p@idp.example/",
            "",
        ] {
            assert!(front_channel(bad).is_err(), "{bad}");
        }
    }
}
