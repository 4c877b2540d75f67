//! The response around an assertion or a status, signed and packed (SAML core 3.3.3).

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{EncryptedWrapper, encrypt};
use fedbridge_saml_core::signing::sign_message;
use fedbridge_saml_core::writer::XmlWriter;

use crate::assertion::AssertionParts;
use crate::settings::{Encryption, Sign, SpSettings};
use crate::status::Status;

/// The frame of a response.
pub(crate) struct ResponseParts {
    pub(crate) id: String,
    pub(crate) issuer: String,
    pub(crate) now: Timestamp,
    pub(crate) destination: String,
    pub(crate) in_response_to: Option<String>,
    pub(crate) relay_state: Option<String>,
}

/// What the response carries.
pub(crate) enum Content {
    Assertion(Box<AssertionParts>),
    Status(Status),
}

/// Builds, signs, encrypts and signs again: work for a blocking thread.
///
/// # Errors
/// What went wrong, for the trace. Nothing goes out then, least of all unsigned or in the clear.
pub(crate) fn build(
    frame: &ResponseParts,
    content: &Content,
    settings: &SpSettings,
    keys: &Arc<KeyRing>,
) -> Result<Vec<u8>, String> {
    let (inner, sign) = match content {
        Content::Assertion(parts) => {
            let assertion = assertion(parts, settings.sign, settings.encryption.as_ref(), keys)?;
            (Inner::Assertion(assertion), settings.sign != Sign::Assertion)
        }
        // A refusal is signed whatever the app wants of logins: nobody shall be able to make one up.
        Content::Status(status) => (Inner::Status(status), true),
    };
    let xml = frame.xml(&inner);
    if sign { sign_message(&xml, &frame.id, keys).map_err(|error| error.to_string()) } else { Ok(xml.into_bytes()) }
}

enum Inner<'a> {
    Assertion(String),
    Status(&'a Status),
}

fn assertion(
    parts: &AssertionParts,
    sign: Sign,
    encryption: Option<&Encryption>,
    keys: &KeyRing,
) -> Result<String, String> {
    let mut xml = parts.xml();
    if sign != Sign::Response {
        let signed = sign_message(&xml, &parts.id, keys).map_err(|error| error.to_string())?;
        xml = String::from_utf8(signed).map_err(|_| "the signed assertion is not UTF-8".to_owned())?;
    }
    match encryption {
        None => Ok(xml),
        Some(how) => encrypt(&xml, EncryptedWrapper::Assertion, &how.certificate, how.content, how.key)
            .map_err(|error| error.to_string()),
    }
}

impl ResponseParts {
    /// The prefix of assertions is declared where it is used, and not here: an assertion keeps its own
    /// declaration then, also in canonical form.
    fn xml(&self, inner: &Inner<'_>) -> String {
        let mut xml = XmlWriter::new();
        xml.open("samlp:Response")
            .attr("xmlns:samlp", names::PROTOCOL)
            .attr("ID", &self.id)
            .attr_if("InResponseTo", self.in_response_to.as_deref())
            .attr("Version", "2.0")
            .attr("IssueInstant", &self.now.rfc3339_seconds())
            .attr("Destination", &self.destination);
        xml.open("saml:Issuer").attr("xmlns:saml", names::ASSERTION).text(&self.issuer).close();
        match inner {
            Inner::Assertion(assertion) => {
                xml.open("samlp:Status").open("samlp:StatusCode").attr("Value", names::STATUS_SUCCESS).close().close();
                xml.raw(assertion);
            }
            Inner::Status(status) => status.write(&mut xml),
        }
        xml.finish()
    }

    /// The page that posts it (SAML bindings 3.5.4). The web layer escapes the fields.
    pub(crate) fn post(&self, xml: &[u8]) -> Reply {
        let mut fields = vec![("SAMLResponse".to_owned(), STANDARD.encode(xml))];
        if let Some(relay_state) = &self.relay_state {
            fields.push(("RelayState".to_owned(), relay_state.clone()));
        }
        ReplyKind::AutoPost { action: self.destination.clone(), fields }.into()
    }
}
