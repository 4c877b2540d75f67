//! Keys and addresses, which both roles publish alike (SAML metadata 2.2 and 2.4.1.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::loopback::is_loopback_site;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{clip, deceives};
use fedbridge_contract::upstream::{Finding, Level};
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::nid::Nid;
use openssl::pkey::Id;
use openssl::x509::X509;
use samael::metadata::{Endpoint, KeyDescriptor};
use url::Url;

use crate::names;
use crate::seam::VerifyKey;
use crate::trust::{TrustedKey, beginning};

/// Characters of a certificate in base64. Those with an RSA key of 16384 bits need some 6,000.
const MAX_CERTIFICATE: usize = 65_536;

/// A key that the partner decrypts with: RSA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptionKey {
    /// DER of the certificate.
    pub certificate: Vec<u8>,
    /// URIs of the methods that the partner takes, in its order; empty where it says nothing.
    pub methods: Vec<String>,
    /// The certificate's common name, for people.
    pub label: String,
    pub not_after: Option<Timestamp>,
}

impl EncryptionKey {
    /// As [`TrustedKey::name`].
    pub fn name(&self) -> String {
        format!("{} {}", self.label, beginning(&openssl::sha::sha256(&self.certificate)))
    }
}

/// How a message of logout goes out (SAML bindings 3.2, 3.4 and 3.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogoutBinding {
    Redirect,
    Post,
    Soap,
}

/// A single logout service (SAML metadata 2.4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutEndpoint {
    pub binding: LogoutBinding,
    pub location: Url,
    /// Where answers go, if that is another address (SAML metadata 2.2.2).
    pub response_location: Option<Url>,
}

impl LogoutEndpoint {
    /// Where answers go.
    pub fn answers(&self) -> &Url {
        self.response_location.as_ref().unwrap_or(&self.location)
    }
}

/// The endpoint of a binding.
pub fn logout_endpoint(all: &[LogoutEndpoint], binding: LogoutBinding) -> Option<&LogoutEndpoint> {
    all.iter().find(|endpoint| endpoint.binding == binding)
}

/// Texts of certificates for a use. Without `use` a key serves both uses (SAML metadata 2.4.1.1).
pub(super) fn certificates<'a>(
    keys: &'a [KeyDescriptor],
    usage: &'a str,
) -> impl Iterator<Item = (&'a KeyDescriptor, &'a String)> {
    keys.iter()
        .filter(move |key| key.key_use.as_deref().is_none_or(|named| named == usage))
        .filter_map(|key| Some((key, key.key_info.x509_data.as_ref()?)))
        .flat_map(|(key, data)| data.certificates.iter().map(move |certificate| (key, certificate)))
}

/// Signing keys, and what is wrong with those that can't be used. Expired certificates stay in use,
/// as SAML metadata asks.
pub(super) fn signing_keys(
    descriptors: &[KeyDescriptor],
    now: Timestamp,
    findings: &mut Vec<Finding>,
) -> (Vec<TrustedKey>, Vec<String>) {
    let mut keys: Vec<TrustedKey> = Vec::new();
    let mut unusable = Vec::new();
    for (at, (_, text)) in certificates(descriptors, "signing").enumerate() {
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
    (keys, unusable)
}

fn trusted_key(base64_text: &str) -> Result<TrustedKey, String> {
    let der = octets(base64_text)?;
    let key = VerifyKey::from_certificate_der(&der).map_err(|error| error.to_string())?;
    let certificate = X509::from_der(&der).map_err(|_| "it is not an X.509 certificate".to_owned())?;
    Ok(TrustedKey {
        key,
        label: label(&certificate),
        not_before: moment(certificate.not_before()),
        not_after: moment(certificate.not_after()),
    })
}

/// Encryption keys. One that can't be used is a warning: nobody has to encrypt.
pub(super) fn encryption_keys(descriptors: &[KeyDescriptor], findings: &mut Vec<Finding>) -> Vec<EncryptionKey> {
    let mut keys: Vec<EncryptionKey> = Vec::new();
    for (at, (descriptor, text)) in certificates(descriptors, "encryption").enumerate() {
        let methods = descriptor.encryption_methods.iter().flatten().map(|method| method.algorithm.clone()).collect();
        match encryption_key(text, methods) {
            Ok(key) if keys.iter().any(|known| known.certificate == key.certificate) => {}
            Ok(key) => keys.push(key),
            // A key for both uses may well be one that only signs.
            Err(_) if descriptor.key_use.is_none() => {}
            Err(why) => {
                findings.push(warning(format!("encryption certificate {} can't be used: {why}", at + 1)));
            }
        }
    }
    keys
}

fn encryption_key(base64_text: &str, methods: Vec<String>) -> Result<EncryptionKey, String> {
    let der = octets(base64_text)?;
    let certificate = X509::from_der(&der).map_err(|_| "it is not an X.509 certificate".to_owned())?;
    let key = certificate.public_key().map_err(|_| "it has no public key".to_owned())?;
    match (key.id(), key.bits()) {
        (Id::RSA, 2048..=16384) => {}
        (Id::RSA, bits) => return Err(format!("the RSA key has {bits} bits; 2048 to 16384 are accepted")),
        _ => return Err("the key is not RSA".to_owned()),
    }
    let (label, not_after) = (label(&certificate), moment(certificate.not_after()));
    Ok(EncryptionKey { certificate: der, methods, label, not_after })
}

fn octets(base64_text: &str) -> Result<Vec<u8>, String> {
    if base64_text.len() > MAX_CERTIFICATE {
        return Err(format!("it is longer than {MAX_CERTIFICATE} characters"));
    }
    let compact: String = base64_text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(compact).map_err(|_| "it is not base64".to_owned())
}

fn label(certificate: &X509) -> String {
    let name = certificate.subject_name().entries_by_nid(Nid::COMMONNAME).next();
    let label = name.and_then(|entry| entry.data().to_string().ok());
    // Whoever made the certificate wrote it, and people read it.
    label.filter(|label| !label.is_empty()).map_or_else(|| "without a name".into(), clip)
}

fn moment(at: &Asn1TimeRef) -> Option<Timestamp> {
    let since = Asn1Time::from_unix(0).ok()?.diff(at).ok()?;
    Some(Timestamp::from_seconds(i64::from(since.days) * 86_400 + i64::from(since.secs)))
}

/// Logout services of the bindings that we speak. A bad address is a warning: a partner may have none.
pub(super) fn logout_endpoints(services: &[Endpoint], findings: &mut Vec<Finding>) -> Vec<LogoutEndpoint> {
    let mut found = Vec::new();
    for service in services {
        let binding = match service.binding.as_str() {
            names::BINDING_REDIRECT => LogoutBinding::Redirect,
            names::BINDING_POST => LogoutBinding::Post,
            names::BINDING_SOAP => LogoutBinding::Soap,
            _ => continue,
        };
        let answers = service.response_location.as_deref().filter(|location| !location.is_empty());
        match (address(&service.location), answers.map(address).transpose()) {
            (Ok(location), Ok(response_location)) => {
                found.push(LogoutEndpoint { binding, location, response_location });
            }
            (Err(why), _) => findings.push(warning(format!("the logout address {} {why}", service.location))),
            (_, Err(why)) => {
                let location = answers.unwrap_or_default();
                findings.push(warning(format!("the logout address {location} {why}")));
            }
        }
    }
    found
}

/// Where a browser or our own server is sent: https, or plain http on this very machine.
pub(super) fn address(location: &str) -> Result<Url, &'static str> {
    // The URL parser drops line breaks silently; what people and requests see would be another text.
    if location.chars().any(deceives) {
        return Err("has a character that can't be shown");
    }
    let url = Url::parse(location).map_err(|_| "is not an address")?;
    match url.scheme() {
        _ if url.host().is_none() => Err("names no host"),
        "https" => Ok(url),
        "http" if is_loopback_site(&url) => Ok(url),
        _ => Err("is not https"),
    }
    .and_then(|url| if url.fragment().is_some() { Err("has a fragment") } else { Ok(url) })
    .and_then(
        |url| if url.username().is_empty() && url.password().is_none() { Ok(url) } else { Err("has a user name") },
    )
}

pub(super) fn warning(text: String) -> Finding {
    Finding::new(Level::Warning, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        for good in ["https://idp.example/sso?a=b", "http://127.0.0.1:8080/", "http://[::1]/", "http://localhost/x"] {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in [
            "http://idp.example/",
            "http://127.0.0.1.example/",
            "javascript:alert(1)",
            "data:text/html,x",
            "//idp.example",
            "https://idp.example/#x",
            "https://u:p@idp.example/",
            "https://idp.example/a\nb",
            "https://idp.example/\u{9b}2J",
            "https://idp.example/\u{202e}moc",
            "",
        ] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }
}
