//! The identity provider's own metadata (SAML metadata 2.4.3).

use fedbridge_contract::config::{AppKind, Tenant};
use fedbridge_contract::http::Reply;
use fedbridge_contract::keys::KeyState;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::metadata::publish::{
    CACHE_DURATION, ENCRYPTION_METHODS, VALIDITY, decryption_certificates, key, logout_services, signing_certificates,
};
use fedbridge_saml_core::names;
use fedbridge_saml_core::random::message_id;
use fedbridge_saml_core::writer::XmlWriter;

use crate::artifact::ENDPOINT_INDEX;
use crate::logout::slo_address;
use crate::page::Exchange;
use crate::provider::{artifact_address, entity_id, sso_address};

/// The document is the same for everybody. Who asks with `?sp=SLUG` is noted as having seen its keys.
pub(crate) fn reply(exchange: &Exchange<'_>) -> Reply {
    let params = exchange.input.query_params();
    if let Some((_, slug)) = params.iter().find(|(name, _)| name == "sp") {
        note(exchange, slug);
    }
    let id = message_id(exchange.services.rng.as_ref());
    let xml = document(exchange.tenant, &id, exchange.now);
    Reply::body(200, names::METADATA_TYPE, xml).with_header("cache-control", "public, max-age=300")
}

fn note(exchange: &Exchange<'_>, slug: &str) {
    let Some(app) = exchange.tenant.app(AppKind::SamlSp, slug) else { return };
    let keys = &exchange.tenant.keys;
    let signing = keys
        .saml_signing
        .iter()
        .filter(|key| matches!(key.state, KeyState::Active | KeyState::Next))
        .map(|key| key.signer.kid());
    // As the document has it: one.
    let encryption = keys.saml_encryption_certificates().map(|(kid, _)| kid).take(1);
    for kid in signing.chain(encryption) {
        let party = Party::App(app.id);
        exchange.services.sightings.seen(exchange.tenant.id, party, kid, Sighting::Published, exchange.now);
    }
}

pub(crate) fn document(tenant: &Tenant, id: &str, now: Timestamp) -> String {
    let mut xml = XmlWriter::new();
    xml.open("md:EntityDescriptor")
        .attr("xmlns:md", names::METADATA)
        .attr("ID", id)
        .attr("entityID", &entity_id(tenant))
        .attr("validUntil", &(now + VALIDITY).rfc3339_seconds())
        .attr("cacheDuration", CACHE_DURATION);
    xml.open("md:IDPSSODescriptor").attr("protocolSupportEnumeration", names::PROTOCOL);
    algorithms(&mut xml);
    for certificate in signing_certificates(&tenant.keys) {
        key(&mut xml, "signing", certificate, &[]);
    }
    // For names that an app encrypts in a logout request.
    for certificate in decryption_certificates(&tenant.keys) {
        key(&mut xml, "encryption", certificate, ENCRYPTION_METHODS);
    }
    xml.open("md:ArtifactResolutionService")
        .attr("Binding", names::BINDING_SOAP)
        .attr("Location", &artifact_address(tenant))
        .attr("index", &ENDPOINT_INDEX.to_string())
        .attr("isDefault", "true")
        .close();
    logout_services(&mut xml, &slo_address(tenant));
    for format in [names::FORMAT_PERSISTENT, names::FORMAT_TRANSIENT, names::FORMAT_EMAIL, names::FORMAT_UNSPECIFIED] {
        xml.leaf("md:NameIDFormat", format);
    }
    let sso = sso_address(tenant);
    for binding in [names::BINDING_REDIRECT, names::BINDING_POST] {
        xml.open("md:SingleSignOnService").attr("Binding", binding).attr("Location", &sso).close();
    }
    xml.finish()
}

/// What a signature may be made with (SAML metadata profile for algorithm support 2.2), the most wanted first.
/// Without it OpenSAML signs with SHA-1 what it sends by SOAP.
fn algorithms(xml: &mut XmlWriter) {
    const SUPPORT: &str = "urn:oasis:names:tc:SAML:metadata:algsupport";
    const MORE: &str = "http://www.w3.org/2001/04/xmldsig-more#";
    xml.open("md:Extensions").attr("xmlns:alg", SUPPORT);
    for digest in ["http://www.w3.org/2001/04/xmlenc#sha256", "http://www.w3.org/2001/04/xmlenc#sha512"] {
        xml.open("alg:DigestMethod").attr("Algorithm", digest).close();
    }
    for method in ["rsa-sha256", "rsa-sha512", "ecdsa-sha256", "ecdsa-sha512"] {
        xml.open("alg:SigningMethod").attr("Algorithm", &format!("{MORE}{method}")).close();
    }
    xml.close();
}
