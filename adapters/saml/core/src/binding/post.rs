//! HTTP-POST (SAML bindings 3.5): the message in a form that the browser posts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::upstream::Challenge;
use url::Url;

use super::{BindingError, Parameter, form_octets, form_text, message_octets, pairs};

/// The page that carries a message. The web layer escapes the fields into it. A signature is inside
/// the message, so it comes signed or not.
pub fn send(action: &Url, parameter: Parameter, xml: &[u8], relay_state: Option<&str>) -> Challenge {
    let mut fields = vec![(parameter.name().to_owned(), STANDARD.encode(xml))];
    if let Some(relay_state) = relay_state.filter(|relay_state| !relay_state.is_empty()) {
        fields.push(("RelayState".to_owned(), relay_state.to_owned()));
    }
    Challenge::AutoPost { action: action.to_string(), fields }
}

/// A message out of a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostMessage {
    pub parameter: Parameter,
    pub xml: Vec<u8>,
    pub relay_state: Option<String>,
}

impl PostMessage {
    /// # Errors
    /// The form carries no message, or one of a form that is not accepted.
    pub fn read(input: &HttpInput) -> Result<Self, BindingError> {
        let form = PostForm::read(input)?;
        Ok(Self { parameter: form.parameter, xml: form.xml()?, relay_state: form.relay_state })
    }
}

/// The form with its message still encoded: routing reads it too, and has no use for the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostForm<'a> {
    pub parameter: Parameter,
    pub relay_state: Option<String>,
    encoded: &'a [u8],
}

impl<'a> PostForm<'a> {
    /// Exactly one message, at most one RelayState, and no other SAML parameter anywhere.
    ///
    /// # Errors
    /// The form is another.
    pub fn read(input: &'a HttpInput) -> Result<Self, BindingError> {
        let Fields { request, response, artifact, relay_state } = Fields::read(input)?;
        let (parameter, encoded) = match (request, response) {
            _ if artifact.is_some() => return Err(BindingError::Misplaced("SAMLart")),
            (Some(request), None) => (Parameter::SamlRequest, request),
            (None, Some(response)) => (Parameter::SamlResponse, response),
            (None, None) => return Err(BindingError::NoMessage),
            (Some(_), Some(_)) => return Err(BindingError::TwoMessages),
        };
        if encoded.is_empty() {
            return Err(BindingError::NoMessage);
        }
        Ok(Self { parameter, relay_state: relay_state.and_then(form_text), encoded })
    }

    /// The message itself.
    ///
    /// # Errors
    /// It is too large or not base64.
    pub fn xml(&self) -> Result<Vec<u8>, BindingError> {
        message_octets(self.encoded)
    }
}

/// SAML's parameters of a posted form, each at most once and still encoded.
#[derive(Default)]
pub(super) struct Fields<'a> {
    pub(super) request: Option<&'a [u8]>,
    pub(super) response: Option<&'a [u8]>,
    pub(super) artifact: Option<&'a [u8]>,
    pub(super) relay_state: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    pub(super) fn read(input: &'a HttpInput) -> Result<Self, BindingError> {
        if input.method != Method::Post || !input.is_form() {
            return Err(BindingError::NotAForm);
        }
        let ours = |name: &[u8]| {
            matches!(name, b"SAMLResponse" | b"SAMLRequest" | b"RelayState" | b"SAMLart" | b"SigAlg" | b"Signature")
        };
        if pairs(input.query.as_bytes()).any(|(name, _)| ours(&form_octets(name))) {
            return Err(BindingError::ParametersInQuery);
        }
        let mut fields = Self::default();
        for (name, value) in pairs(&input.body) {
            let (known, place) = match &*form_octets(name) {
                b"SAMLRequest" => ("SAMLRequest", &mut fields.request),
                b"SAMLResponse" => ("SAMLResponse", &mut fields.response),
                b"SAMLart" => ("SAMLart", &mut fields.artifact),
                b"RelayState" => ("RelayState", &mut fields.relay_state),
                _ => continue,
            };
            if place.replace(value).is_some() {
                return Err(BindingError::Repeated(known));
            }
        }
        Ok(fields)
    }
}
