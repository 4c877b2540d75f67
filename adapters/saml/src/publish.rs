//! The service provider's own metadata (SAML metadata 2.4).

use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{Method, Reply, Route};
use fedbridge_contract::keys::{KeyPurpose, KeyRing, KeyState};
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::PublishedMetadata;

use fedbridge_saml_core::metadata::publish::{
    CACHE_DURATION, ENCRYPTION_METHODS, VALIDITY, decryption_certificates, key, logout_services, signing_certificates,
    truth,
};
use fedbridge_saml_core::names;
use fedbridge_saml_core::random::message_id;
use fedbridge_saml_core::signing::sign_metadata;
use fedbridge_saml_core::writer::XmlWriter;

use crate::settings::{RequireSigned, ResponseBinding};
use crate::sp::{ServiceProvider, SharedProvider};

impl PublishedMetadata for SharedProvider {
    fn route(&self) -> Route {
        Route::new(names::METADATA_ROUTE, &[Method::Get])
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
        self.published(tenant, now);
        Ok(Reply::body(200, names::METADATA_TYPE, xml).with_header("cache-control", "public, max-age=300"))
    }

    /// A provider that gets nothing signed from us has no use for our signing key. Whether it encrypts is
    /// its own choice, which no document tells.
    fn uses_key(&self, purpose: KeyPurpose) -> bool {
        let sp = &*self.0;
        match purpose {
            KeyPurpose::Oidc | KeyPurpose::OidcClient | KeyPurpose::OidcDecryption => false,
            KeyPurpose::SamlDecryption => true,
            KeyPurpose::SamlSigning => {
                sp.signs_requests()
                    || sp.settings.sign_metadata
                    || sp.settings.response_binding == ResponseBinding::Artifact
                    || !sp.idp.slo.is_empty()
            }
        }
    }
}

impl SharedProvider {
    /// Notes for rollovers that somebody has fetched these keys: the address is the provider's own, but
    /// anybody may have come, so this shows less than a message does.
    fn published(&self, tenant: &Tenant, now: Timestamp) {
        let signing = tenant.keys.saml_signing.iter().filter(|key| key.certificate.is_some());
        let signing = signing.filter(|key| matches!(key.state, KeyState::Active | KeyState::Next));
        let encryption = tenant.keys.saml_encryption_certificates().map(|(kid, _)| kid).take(1);
        for kid in signing.map(|key| key.signer.kid()).chain(encryption) {
            let party = Party::Connection(self.0.connection);
            self.0.services.sightings.seen(tenant.id, party, kid, Sighting::Published, now);
        }
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
    logout_services(&mut xml, &sp.slo);
    let policy = sp.settings.name_id_policy.as_ref();
    if let Some(format) = policy.and_then(|policy| policy.format.as_deref()) {
        xml.leaf("md:NameIDFormat", format);
    }
    let artifact = sp.settings.response_binding == ResponseBinding::Artifact;
    let services = [(names::BINDING_POST, &sp.acs, !artifact), (names::BINDING_ARTIFACT, &sp.artifact, artifact)];
    // A provider that can't resolve artifacts has no use for the second.
    let number = if sp.idp.artifact_resolution.is_empty() { 1 } else { 2 };
    for (index, (binding, location, default)) in services.into_iter().enumerate().take(number) {
        xml.open("md:AssertionConsumerService")
            .attr("Binding", binding)
            .attr("Location", location)
            .attr("index", &index.to_string())
            .attr_if("isDefault", default.then_some("true"))
            .close();
    }
    xml.finish()
}
