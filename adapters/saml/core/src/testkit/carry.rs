//! Carries messages by redirect, by post and by SOAP, written apart from the product's own
//! bindings: the two must understand each other.

use std::io::{Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::{SignatureAlgorithm, Signer as _};
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use url::form_urlencoded::byte_serialize;

use super::{ScriptError, TestKey};
use crate::names;
use crate::seam::{Limits, SignRequest, SignaturePlace, sign_enveloped};
use crate::writer::XmlWriter;

/// Whether a message asks or answers: its parameter in redirect and post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Request,
    Answer,
}

impl Way {
    pub fn parameter(self) -> &'static str {
        match self {
            Self::Request => "SAMLRequest",
            Self::Answer => "SAMLResponse",
        }
    }
}

/// Puts an enveloped signature right after the Issuer of the element with this ID, with the key's
/// certificate beside it.
pub fn sign_message(xml: &str, id: &str, key: &TestKey) -> Result<String, ScriptError> {
    let request = SignRequest {
        target_id: id,
        place: SignaturePlace::After(names::ASSERTION, "Issuer"),
        certificate: Some(&key.certificate),
        limits: Limits::message(),
    };
    let octets = sign_enveloped(xml.as_bytes(), &request, key).map_err(ScriptError::of)?;
    String::from_utf8(octets).map_err(ScriptError::of)
}

/// The query of a redirect (SAML bindings 3.4.4.1), signed where a key is given. What is signed is
/// what is sent, octet for octet.
pub fn redirect_query(
    way: Way,
    xml: &str,
    relay_state: Option<&str>,
    key: Option<&TestKey>,
) -> Result<String, ScriptError> {
    let mut query = format!("{}={}", way.parameter(), escaped(&STANDARD.encode(deflated(xml.as_bytes())?)));
    if let Some(relay_state) = relay_state {
        query.push_str(&format!("&RelayState={}", escaped(relay_state)));
    }
    let Some(key) = key else { return Ok(query) };
    query.push_str(&format!("&SigAlg={}", escaped(signature_method(key)?)));
    let signature = key.sign(query.as_bytes()).map_err(|error| ScriptError(error.cause))?;
    query.push_str(&format!("&Signature={}", escaped(&STANDARD.encode(signature))));
    Ok(query)
}

/// The fields of a form that posts itself (SAML bindings 3.5.4).
pub fn post_fields(way: Way, xml: &str, relay_state: Option<&str>) -> Vec<(String, String)> {
    let mut fields = vec![(way.parameter().to_owned(), STANDARD.encode(xml))];
    fields.extend(relay_state.map(|state| ("RelayState".to_owned(), state.to_owned())));
    fields
}

/// The body that a browser makes of such a form.
pub fn post_body(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A message in a SOAP 1.1 envelope (SAML bindings 3.2.3).
pub fn soap(message: &str) -> String {
    let mut xml = XmlWriter::new();
    xml.open("soap:Envelope").attr("xmlns:soap", "http://schemas.xmlsoap.org/soap/envelope/");
    xml.open("soap:Body").raw(message);
    xml.finish()
}

/// Raw DEFLATE, as SAML bindings 3.4.4.1 wants it.
pub fn deflated(octets: &[u8]) -> Result<Vec<u8>, ScriptError> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(octets).and_then(|()| encoder.finish()).map_err(ScriptError::of)
}

/// Undoes [`deflated`], up to 1 MiB.
pub fn inflated(octets: &[u8]) -> Result<String, ScriptError> {
    let mut text = String::new();
    DeflateDecoder::new(octets).take(1 << 20).read_to_string(&mut text).map_err(ScriptError::of)?;
    Ok(text)
}

/// The raw value of a parameter of a query, still encoded.
pub(super) fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query.split('&').find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name)).map(|(_, value)| value)
}

pub(super) fn unescaped(value: &str) -> String {
    let pair = format!("v={value}");
    url::form_urlencoded::parse(pair.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

fn signature_method(key: &TestKey) -> Result<&'static str, ScriptError> {
    match key.algorithm() {
        SignatureAlgorithm::RS256 => Ok("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"),
        SignatureAlgorithm::ES256 => Ok("http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        other => Err(ScriptError(format!("the testkit does not sign queries with {}", other.name()))),
    }
}
