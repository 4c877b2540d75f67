//! What the metadata of both our roles has in common (SAML metadata 2.4).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::{KeyRing, KeyState};

use crate::names;
use crate::writer::XmlWriter;

/// A document is good for this long. A partner that was configured from a file by hand stops
/// trusting an old key with it, so it is longer than any fetch interval.
pub const VALIDITY: Duration = Duration::from_secs(30 * 86_400);

/// How long a consumer may keep the document before it fetches again. Keys are published as
/// `next` for longer than this before they sign.
pub const CACHE_DURATION: &str = "PT6H";

/// What we can decrypt, best first (XML Encryption 1.1, sections 5.2 and 5.5).
pub const ENCRYPTION_METHODS: &[(&str, Option<&str>)] = &[
    ("http://www.w3.org/2009/xmlenc11#aes256-gcm", None),
    ("http://www.w3.org/2009/xmlenc11#aes128-gcm", None),
    ("http://www.w3.org/2009/xmlenc11#rsa-oaep", Some("http://www.w3.org/2001/04/xmlenc#sha256")),
    ("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", None),
];

/// The key in use first, then the one that comes next. Between a rollover's switch and its end there is no
/// next one, and the one that signed before takes its place: a message of it may still be under way. So there
/// are never more than two, which is what some partners hold.
pub fn signing_certificates(keys: &KeyRing) -> impl Iterator<Item = &[u8]> {
    let next = keys.saml_signing.iter().any(|key| key.state == KeyState::Next);
    let other = if next { KeyState::Next } else { KeyState::Retiring };
    [KeyState::Active, other].into_iter().flat_map(|state| {
        keys.saml_signing.iter().filter(move |key| key.state == state).filter_map(|key| key.certificate.as_deref())
    })
}

/// One key, so that a partner that picks any certificate picks the right one: the next one while a
/// rollover is announced, else the one in use. Older keys still decrypt (a partner may still have our old
/// metadata), and so does the next one.
pub fn decryption_certificates(keys: &KeyRing) -> impl Iterator<Item = &[u8]> {
    keys.saml_encryption_certificates().map(|(_, certificate)| certificate).take(1)
}

/// One `md:KeyDescriptor`; `usage` is `signing` or `encryption`.
pub fn key(xml: &mut XmlWriter, usage: &'static str, certificate: &[u8], methods: &[(&str, Option<&str>)]) {
    xml.open("md:KeyDescriptor").attr("use", usage);
    xml.open("ds:KeyInfo").attr("xmlns:ds", names::DSIG);
    xml.open("ds:X509Data").leaf("ds:X509Certificate", &STANDARD.encode(certificate)).close().close();
    for (algorithm, digest) in methods {
        xml.open("md:EncryptionMethod").attr("Algorithm", algorithm);
        if let Some(digest) = digest {
            xml.open("ds:DigestMethod").attr("xmlns:ds", names::DSIG).attr("Algorithm", digest).close();
        }
        xml.close();
    }
    xml.close();
}

/// `xs:boolean`.
pub fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// The single logout services of one address: by redirect, post and SOAP. Answers come to the same one.
pub fn logout_services(xml: &mut XmlWriter, address: &str) {
    for binding in [names::BINDING_SOAP, names::BINDING_REDIRECT, names::BINDING_POST] {
        xml.open("md:SingleLogoutService").attr("Binding", binding).attr("Location", address).close();
    }
}
