//! HTTP-Redirect (SAML bindings 3.4): the message packed into the query, signed beside itself.

use std::cell::RefCell;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::KeyRing;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::{BindingError, Parameter, base64_octets, form_octets, form_text, message_octets, pairs};
use crate::signing::{QuerySigner, SignError};

/// The largest message after inflating, in octets. Requests and logout messages come this way, and no
/// assertion does (SAML profiles 4.1.2): real ones have some 5 KB.
pub const MAX_INFLATED: usize = 64 * 1024;

/// The one encoding that there is, which is also the default (SAML bindings 3.4.4.1).
const DEFLATE: &[u8] = b"urn:oasis:names:tc:SAML:2.0:bindings:URL-Encoding:DEFLATE";

/// Gives the address that carries a message. With `keys` it is signed: the signature covers exactly
/// these octets, in this order (SAML bindings 3.4.4.1).
///
/// # Errors
/// There is no key to sign with, or it failed.
pub fn send(
    target: &Url,
    parameter: Parameter,
    xml: &str,
    relay_state: Option<&str>,
    keys: Option<&KeyRing>,
) -> Result<String, SignError> {
    let mut query = format!("{}=", parameter.name());
    push_encoded(&mut query, &deflated(xml)?);
    if let Some(relay_state) = relay_state.filter(|relay_state| !relay_state.is_empty()) {
        query.push_str("&RelayState=");
        push_encoded(&mut query, relay_state);
    }
    if let Some(keys) = keys {
        let signer = QuerySigner::new(keys)?;
        query.push_str("&SigAlg=");
        push_encoded(&mut query, signer.algorithm());
        let signature = signer.sign(&query)?;
        query.push_str("&Signature=");
        push_encoded(&mut query, &signature);
    }
    let separator = if target.query().is_some_and(|query| !query.is_empty()) { "&" } else { "?" };
    let target = target.as_str().trim_end_matches('?');
    Ok(format!("{target}{separator}{query}"))
}

thread_local! {
    /// A compressor has some 300 KB of tables. One for each request cost 150,000 instructions more than
    /// one that is reset, and the page faults of fresh memory.
    static PACKER: RefCell<Compress> = RefCell::new(Compress::new(Compression::default(), false));
}

fn deflated(xml: &str) -> Result<String, SignError> {
    // Text that does not shrink is stored with 5 octets for each 64 KB (RFC 1951 section 3.2.4).
    let mut octets = Vec::with_capacity(xml.len() + xml.len() / 1024 + 64);
    let packed = PACKER.with_borrow_mut(|packer| {
        packer.reset();
        packer.compress_vec(xml.as_bytes(), &mut octets, FlushCompress::Finish)
    });
    match packed {
        Ok(Status::StreamEnd) => Ok(STANDARD.encode(octets)),
        Ok(_) => Err(SignError::Packing("it does not shrink".into())),
        Err(error) => Err(SignError::Packing(error.to_string())),
    }
}

fn push_encoded(query: &mut String, value: &str) {
    query.extend(byte_serialize(value.as_bytes()));
}

/// A message out of a query. Whether its signature holds is for [`crate::trust::Trust`] to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedirectMessage {
    pub parameter: Parameter,
    pub xml: Vec<u8>,
    pub relay_state: Option<String>,
    pub signature: Option<SignedQuery>,
}

/// The octets that a signature covers, as they came, with the signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedQuery {
    pub octets: String,
    /// The URI of the method, as the sender names it.
    pub algorithm: String,
    pub signature: Vec<u8>,
}

impl RedirectMessage {
    /// Reads the raw query. A parameter that comes twice, both kinds of message at once, and SAML's
    /// names in another spelling are refused: two readers could take different ones.
    ///
    /// # Errors
    /// The query carries no message, or one of a form that is not accepted.
    pub fn read(query: &str) -> Result<Self, BindingError> {
        let raw = Raw::read(query)?;
        let (parameter, encoded) = match (raw.request, raw.response) {
            (Some(request), None) => (Parameter::SamlRequest, request),
            (None, Some(response)) => (Parameter::SamlResponse, response),
            (None, None) => return Err(BindingError::NoMessage),
            (Some(_), Some(_)) => return Err(BindingError::TwoMessages),
        };
        if encoded.is_empty() {
            return Err(BindingError::NoMessage);
        }
        if raw.encoding.is_some_and(|encoding| form_octets(encoding.as_bytes()) != DEFLATE) {
            return Err(BindingError::Encoding);
        }
        let signature = match (raw.algorithm, raw.signature) {
            (Some(algorithm), Some(signature)) => {
                Some(signed(parameter, encoded, raw.relay_state, algorithm, signature)?)
            }
            (None, None) => None,
            _ => return Err(BindingError::HalfSigned),
        };
        Ok(Self {
            parameter,
            xml: inflated(&message_octets(encoded.as_bytes())?)?,
            relay_state: raw.relay_state.and_then(|value| form_text(value.as_bytes())),
            signature,
        })
    }
}

/// The parameters of the binding, each at most once and still encoded.
#[derive(Default)]
struct Raw<'a> {
    request: Option<&'a str>,
    response: Option<&'a str>,
    relay_state: Option<&'a str>,
    encoding: Option<&'a str>,
    algorithm: Option<&'a str>,
    signature: Option<&'a str>,
}

impl<'a> Raw<'a> {
    fn read(query: &'a str) -> Result<Self, BindingError> {
        let mut raw = Self::default();
        for (name, value) in pairs(query.as_bytes()) {
            let plain = form_octets(name);
            let (known, place) = match plain.as_slice() {
                b"SAMLRequest" => ("SAMLRequest", &mut raw.request),
                b"SAMLResponse" => ("SAMLResponse", &mut raw.response),
                b"RelayState" => ("RelayState", &mut raw.relay_state),
                b"SAMLEncoding" => ("SAMLEncoding", &mut raw.encoding),
                b"SigAlg" => ("SigAlg", &mut raw.algorithm),
                b"Signature" => ("Signature", &mut raw.signature),
                b"SAMLart" => return Err(BindingError::Misplaced("SAMLart")),
                _ => continue,
            };
            if plain != name {
                return Err(BindingError::EncodedName(known));
            }
            // Cut at ASCII octets of a text: it stays a text.
            let value = std::str::from_utf8(value).map_err(|_| BindingError::NoMessage)?;
            if place.replace(value).is_some() {
                return Err(BindingError::Repeated(known));
            }
        }
        Ok(raw)
    }
}

/// The values stay as they came: another spelling of the same value is another text to sign
/// (SAML bindings 3.4.4.1). Their order is the standard's, whatever order they came in.
fn signed(
    parameter: Parameter,
    message: &str,
    relay_state: Option<&str>,
    algorithm: &str,
    signature: &str,
) -> Result<SignedQuery, BindingError> {
    let mut octets = format!("{}={message}", parameter.name());
    if let Some(relay_state) = relay_state {
        octets.push_str("&RelayState=");
        octets.push_str(relay_state);
    }
    octets.push_str("&SigAlg=");
    octets.push_str(algorithm);
    let algorithm = form_text(algorithm.as_bytes()).ok_or(BindingError::HalfSigned)?;
    let signature = base64_octets(&form_octets(signature.as_bytes()))
        .filter(|signature| !signature.is_empty())
        .ok_or(BindingError::NotBase64("the Signature"))?;
    Ok(SignedQuery { octets, algorithm, signature })
}

/// Inflates until the stream ends, and never further than [`MAX_INFLATED`].
fn inflated(packed: &[u8]) -> Result<Vec<u8>, BindingError> {
    let mut unpacker = Decompress::new(false);
    let mut octets = Vec::with_capacity(packed.len().saturating_mul(4).clamp(1024, MAX_INFLATED + 1));
    loop {
        let taken = usize::try_from(unpacker.total_in()).map_err(|_| BindingError::NotDeflate)?;
        let before = (taken, octets.len());
        let rest = packed.get(taken..).unwrap_or_default();
        // Not `Finish`: that demands room for all of it at the first call, and fails for good otherwise.
        let status = unpacker.decompress_vec(rest, &mut octets, FlushDecompress::None);
        let taken = usize::try_from(unpacker.total_in()).map_err(|_| BindingError::NotDeflate)?;
        if octets.len() > MAX_INFLATED {
            return Err(BindingError::InflatesTooFar);
        }
        match status {
            Ok(Status::StreamEnd) if taken == packed.len() => return Ok(octets),
            // More room is all that can help.
            Ok(Status::Ok | Status::BufError) if octets.len() == octets.capacity() => {
                let more = octets.len().min(MAX_INFLATED + 1 - octets.len()).max(1);
                octets.reserve_exact(more);
            }
            Ok(Status::Ok) if (taken, octets.len()) != before => {}
            _ => return Err(BindingError::NotDeflate),
        }
    }
}
