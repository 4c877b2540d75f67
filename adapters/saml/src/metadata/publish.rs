//! The service provider's own metadata (SAML metadata 2.4).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{Method, Reply, Route};
use fedbridge_contract::keys::{KeyRing, KeyState};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::PublishedMetadata;

use crate::names;
use crate::random::message_id;
use crate::settings::RequireSigned;
use crate::signing::sign_metadata;
use crate::sp::{ServiceProvider, SharedProvider};
use crate::writer::XmlWriter;

/// A document is good for this long. A provider that was configured from a file by hand stops
/// trusting an old key with it, so it is longer than any fetch interval.
pub const VALIDITY: Duration = Duration::from_secs(30 * 86_400);

/// How long a consumer may keep the document before it fetches again. Keys are published as
/// `next` for longer than this before they sign.
const CACHE_DURATION: &str = "PT6H";

/// What we can decrypt, best first (XML Encryption 1.1, sections 5.2 and 5.5).
const ENCRYPTION_METHODS: &[(&str, Option<&str>)] = &[
    ("http://www.w3.org/2009/xmlenc11#aes256-gcm", None),
    ("http://www.w3.org/2009/xmlenc11#aes128-gcm", None),
    ("http://www.w3.org/2009/xmlenc11#rsa-oaep", Some("http://www.w3.org/2001/04/xmlenc#sha256")),
    ("http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p", None),
];

impl PublishedMetadata for SharedProvider {
    fn route(&self) -> Route {
        Route { path: names::METADATA_ROUTE, methods: &[Method::Get], cors: false }
    }

    fn document(&self, tenant: &Tenant, now: Timestamp) -> Result<Reply, ProtocolError> {
        let sp = &*self.0;
        let id = message_id(&*sp.services.rng);
        let xml = document(sp, &tenant.keys, &id, now);
        let xml = match sp.settings.sign_metadata {
            true => sign_metadata(&xml, &id, &tenant.keys).map_err(|error| {
                ProtocolError::new("server_error", "The metadata can't be signed at the moment.", error.to_string())
            })?,
            false => xml.into_bytes(),
        };
        Ok(Reply::body(200, names::METADATA_TYPE, xml).with_header("cache-control", "public, max-age=300"))
    }
}

fn document(sp: &ServiceProvider, keys: &KeyRing, id: &str, now: Timestamp) -> String {
    let mut xml = XmlWriter::new();
    xml.open("md:EntityDescriptor")
        .attr("xmlns:md", names::METADATA)
        .attr("ID", id)
        .attr("entityID", &sp.entity_id)
        .attr("validUntil", &(now + VALIDITY).rfc3339_seconds())
        .attr("cacheDuration", CACHE_DURATION);
    let signs_requests = sp.signs_requests();
    // "false" makes some providers sign nothing at all, so it is never said.
    let wants_assertions_signed = (sp.settings.require_signed != RequireSigned::Response).then_some("true");
    xml.open("md:SPSSODescriptor")
        .attr("AuthnRequestsSigned", truth(signs_requests))
        .attr_if("WantAssertionsSigned", wants_assertions_signed)
        .attr("protocolSupportEnumeration", names::PROTOCOL);
    for certificate in signing_certificates(keys) {
        key(&mut xml, "signing", certificate, &[]);
    }
    for certificate in decryption_certificates(keys) {
        key(&mut xml, "encryption", certificate, ENCRYPTION_METHODS);
    }
    let policy = sp.settings.name_id_policy.as_ref();
    if let Some(format) = policy.and_then(|policy| policy.format.as_deref()) {
        xml.leaf("md:NameIDFormat", format);
    }
    xml.open("md:AssertionConsumerService")
        .attr("Binding", names::BINDING_POST)
        .attr("Location", &sp.acs)
        .attr("index", "0")
        .attr("isDefault", "true")
        .close();
    xml.finish()
}

/// The key in use first, then the one that comes next. A retiring key signs nothing
/// any more.
fn signing_certificates(keys: &KeyRing) -> impl Iterator<Item = &[u8]> {
    [KeyState::Active, KeyState::Next].into_iter().flat_map(|state| {
        keys.saml_signing.iter().filter(move |key| key.state == state).filter_map(|key| key.certificate.as_deref())
    })
}

/// Only the key in use, so that a provider that picks any certificate picks one that works now.
/// Older keys still decrypt (a provider may still have our old metadata).
fn decryption_certificates(keys: &KeyRing) -> impl Iterator<Item = &[u8]> {
    keys.saml_decryption.iter().filter(|key| key.state == KeyState::Active).map(|key| key.certificate.as_slice())
}

fn key(xml: &mut XmlWriter, usage: &'static str, certificate: &[u8], methods: &[(&str, Option<&str>)]) {
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

fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
