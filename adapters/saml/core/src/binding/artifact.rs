//! HTTP-Artifact (SAML bindings 3.6): a reference by way of the browser, and the message between
//! servers (SAML core 3.5).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::Challenge;
use openssl::sha::sha1;
use url::Url;
use url::form_urlencoded::byte_serialize;

use super::post::Fields;
use super::{BindingError, base64_octets, form_octets, form_text, pairs};
use crate::grammar::{Children, GrammarError, id, issuer, only_attributes, only_foreign, required_attribute, value};
use crate::names;
use crate::seam::Element;
use crate::writer::XmlWriter;

/// An artifact of the one type that there is, 4 (SAML bindings 3.6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Artifact {
    pub endpoint_index: u16,
    /// SHA-1 of the issuer's entity ID: a name that finds it, and no proof of anything.
    pub source_id: [u8; 20],
    pub handle: [u8; 20],
}

const TYPE: [u8; 2] = [0, 4];

impl Artifact {
    /// # Errors
    /// The text is no artifact of type 4.
    pub fn read(text: &str) -> Result<Self, BindingError> {
        let octets = base64_octets(text.as_bytes()).ok_or(BindingError::NotAnArtifact)?;
        let octets: [u8; 44] = octets.try_into().map_err(|_| BindingError::NotAnArtifact)?;
        let (head, rest) = octets.split_at(4);
        let (source, handle) = rest.split_at(20);
        let fixed = |part: &[u8]| <[u8; 20]>::try_from(part).map_err(|_| BindingError::NotAnArtifact);
        match *head {
            [high, low, index_high, index_low] if [high, low] == TYPE => Ok(Self {
                endpoint_index: u16::from_be_bytes([index_high, index_low]),
                source_id: fixed(source)?,
                handle: fixed(handle)?,
            }),
            _ => Err(BindingError::NotAnArtifact),
        }
    }

    pub fn text(&self) -> String {
        let index = self.endpoint_index.to_be_bytes();
        STANDARD.encode([&TYPE[..], &index, &self.source_id, &self.handle].concat())
    }

    /// What stands in an artifact for an entity (SAML bindings 3.6.4).
    pub fn source_of(entity_id: &str) -> [u8; 20] {
        sha1(entity_id.as_bytes())
    }
}

/// The longest RelayState, in octets, that goes into an address: some servers take no request line
/// above 8 KB, and each octet may need three.
const LONGEST_IN_ADDRESS: usize = 2048;

/// Carries an artifact by way of the browser: by redirect, and by a form where the RelayState is long
/// (SAML bindings 3.6.3).
pub fn send(target: &Url, artifact: &Artifact, relay_state: Option<&str>) -> Challenge {
    let relay_state = relay_state.filter(|relay_state| !relay_state.is_empty());
    if let Some(long) = relay_state.filter(|relay_state| relay_state.len() > LONGEST_IN_ADDRESS) {
        let fields = vec![("SAMLart".to_owned(), artifact.text()), ("RelayState".to_owned(), long.to_owned())];
        return Challenge::AutoPost { action: target.to_string(), fields };
    }
    let separator = if target.query().is_some_and(|query| !query.is_empty()) { "&" } else { "?" };
    let mut location = format!("{}{separator}SAMLart=", target.as_str().trim_end_matches('?'));
    location.extend(byte_serialize(artifact.text().as_bytes()));
    if let Some(relay_state) = relay_state {
        location.push_str("&RelayState=");
        location.extend(byte_serialize(relay_state.as_bytes()));
    }
    Challenge::Redirect(location)
}

/// An artifact as the browser brings it, with its RelayState.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArtifactMessage {
    pub artifact: Artifact,
    pub relay_state: Option<String>,
}

impl ArtifactMessage {
    /// By GET or by a posted form (SAML bindings 3.6.3).
    ///
    /// # Errors
    /// There is not exactly one artifact, or another message beside it.
    pub fn read(input: &HttpInput) -> Result<Self, BindingError> {
        let (artifact, relay_state) = match input.method {
            Method::Post => {
                let fields = Fields::read(input)?;
                if fields.request.is_some() || fields.response.is_some() {
                    return Err(BindingError::TwoMessages);
                }
                (fields.artifact, fields.relay_state)
            }
            _ => in_query(&input.query)?,
        };
        let text = artifact.and_then(form_text).ok_or(BindingError::NotAnArtifact)?;
        Ok(Self { artifact: Artifact::read(&text)?, relay_state: relay_state.and_then(form_text) })
    }
}

type Encoded<'a> = Option<&'a [u8]>;

fn in_query(query: &str) -> Result<(Encoded<'_>, Encoded<'_>), BindingError> {
    let (mut artifact, mut relay_state) = (None, None);
    for (name, value) in pairs(query.as_bytes()) {
        let (known, place) = match &*form_octets(name) {
            b"SAMLart" => ("SAMLart", &mut artifact),
            b"RelayState" => ("RelayState", &mut relay_state),
            b"SAMLRequest" | b"SAMLResponse" => return Err(BindingError::TwoMessages),
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err(BindingError::Repeated(known));
        }
    }
    Ok((artifact, relay_state))
}

/// Asks for the message behind an artifact (SAML core 3.5.1). The caller signs it.
pub fn resolve_request(id: &str, issuer: &str, destination: &str, artifact: &str, now: Timestamp) -> String {
    let mut xml = XmlWriter::new();
    xml.open("samlp:ArtifactResolve")
        .attr("xmlns:samlp", names::PROTOCOL)
        .attr("xmlns:saml", names::ASSERTION)
        .attr("ID", id)
        .attr("Version", "2.0")
        .attr("IssueInstant", &now.rfc3339_seconds())
        .attr("Destination", destination);
    xml.leaf("saml:Issuer", issuer).leaf("samlp:Artifact", artifact);
    xml.finish()
}

/// An ArtifactResolve as an element says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArtifactResolve<'a> {
    pub id: &'a str,
    pub version: &'a str,
    pub issue_instant: &'a str,
    pub destination: Option<&'a str>,
    pub issuer: &'a str,
    pub has_signature: bool,
    pub artifact: &'a str,
}

/// Reads an ArtifactResolve (SAML core 3.5.1).
///
/// # Errors
/// It has not the fixed form.
pub fn read_resolve(element: &Element) -> Result<ArtifactResolve<'_>, GrammarError> {
    if !element.is(names::PROTOCOL, "ArtifactResolve") {
        return Err(GrammarError(format!("the message is {}, not ArtifactResolve", element.name())));
    }
    only_attributes(element, &["ID", "Version", "IssueInstant", "Destination", "Consent"])?;
    let mut children = Children::of(element)?;
    let issuer = issuer(children.required(names::ASSERTION, "Issuer")?)?;
    let has_signature = children.optional(names::DSIG, "Signature").is_some();
    if let Some(extensions) = children.optional(names::PROTOCOL, "Extensions") {
        only_foreign(extensions)?;
    }
    let artifact = value(children.required(names::PROTOCOL, "Artifact")?)?;
    children.end()?;
    Ok(ArtifactResolve {
        id: id(element)?,
        version: required_attribute(element, "Version")?,
        issue_instant: required_attribute(element, "IssueInstant")?,
        destination: element.attribute("Destination"),
        issuer,
        has_signature,
        artifact,
    })
}

/// Answers an ArtifactResolve. Without a message the artifact was unknown, used up or another's,
/// which is still a success (SAML core 3.5.3). The caller signs it.
pub fn response(id: &str, in_response_to: &str, issuer: &str, message: Option<&str>, now: Timestamp) -> String {
    let mut xml = XmlWriter::new();
    xml.open("samlp:ArtifactResponse")
        .attr("xmlns:samlp", names::PROTOCOL)
        .attr("ID", id)
        .attr("InResponseTo", in_response_to)
        .attr("Version", "2.0")
        .attr("IssueInstant", &now.rfc3339_seconds());
    // Declared here and not above: an assertion in the message keeps its own declaration in canonical form.
    xml.open("saml:Issuer").attr("xmlns:saml", names::ASSERTION).text(issuer).close();
    xml.open("samlp:Status").open("samlp:StatusCode").attr("Value", names::STATUS_SUCCESS).close().close();
    if let Some(message) = message {
        xml.raw(message);
    }
    xml.finish()
}

/// An ArtifactResponse as an element says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ArtifactResponse<'a> {
    pub id: &'a str,
    pub version: &'a str,
    pub issue_instant: &'a str,
    pub destination: Option<&'a str>,
    pub in_response_to: Option<&'a str>,
    pub issuer: Option<&'a str>,
    pub has_signature: bool,
    /// The top-level status code.
    pub status: &'a str,
    /// The message that was asked for; its form is for its own reader.
    pub message: Option<&'a Element>,
}

/// Reads an ArtifactResponse (SAML core 3.5.2).
///
/// # Errors
/// It has not the fixed form.
pub fn read_response(element: &Element) -> Result<ArtifactResponse<'_>, GrammarError> {
    if !element.is(names::PROTOCOL, "ArtifactResponse") {
        return Err(GrammarError(format!("the message is {}, not ArtifactResponse", element.name())));
    }
    only_attributes(element, &["ID", "Version", "IssueInstant", "Destination", "Consent", "InResponseTo"])?;
    let mut children = Children::of(element)?;
    let issuer = children.optional(names::ASSERTION, "Issuer").map(issuer).transpose()?;
    let has_signature = children.optional(names::DSIG, "Signature").is_some();
    if let Some(extensions) = children.optional(names::PROTOCOL, "Extensions") {
        only_foreign(extensions)?;
    }
    let status = children.required(names::PROTOCOL, "Status")?;
    let code = Children::of(status)?.required(names::PROTOCOL, "StatusCode")?;
    let message = children.any();
    children.end()?;
    Ok(ArtifactResponse {
        id: id(element)?,
        version: required_attribute(element, "Version")?,
        issue_instant: required_attribute(element, "IssueInstant")?,
        destination: element.attribute("Destination"),
        in_response_to: element.attribute("InResponseTo"),
        issuer,
        has_signature,
        status: required_attribute(code, "Value")?,
        message,
    })
}
