//! Reads our own authentication requests, as an identity provider would.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::ScriptError;
use super::carry::{inflated, parameter, unescaped};
use crate::names;
use crate::seam::{Element, Limits, UnverifiedDocument};

/// An AuthnRequest as it came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReceivedRequest {
    pub id: String,
    pub issuer: String,
    /// The address to answer to; `None` where the request names an index.
    pub acs: Option<String>,
    pub destination: Option<String>,
    pub force_authn: bool,
    pub is_passive: bool,
    pub relay_state: Option<String>,
    /// For redirect: the octets that a signature covers, the algorithm and the signature.
    pub query_signature: Option<QuerySignature>,
    pub xml: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuerySignature {
    pub octets: String,
    pub algorithm: String,
    pub signature: Vec<u8>,
}

impl ReceivedRequest {
    /// From the address that the browser was sent to.
    pub fn from_redirect(location: &str) -> Result<Self, ScriptError> {
        let url = Url::parse(location).map_err(ScriptError::of)?;
        let query = url.query().unwrap_or_default();
        let packed = parameter(query, "SAMLRequest").ok_or_else(|| ScriptError("no SAMLRequest".into()))?;
        let packed = STANDARD.decode(unescaped(packed)).map_err(ScriptError::of)?;
        let mut request = Self::read(inflated(&packed)?)?;
        request.relay_state = parameter(query, "RelayState").map(unescaped);
        request.query_signature = query_signature(query)?;
        Ok(request)
    }

    /// From the fields of the page that posts itself.
    pub fn from_post(fields: &[(String, String)]) -> Result<Self, ScriptError> {
        let field = |name| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let packed = field("SAMLRequest").ok_or_else(|| ScriptError("no SAMLRequest".into()))?;
        let xml = STANDARD.decode(packed).map_err(ScriptError::of)?;
        let mut request = Self::read(String::from_utf8(xml).map_err(ScriptError::of)?)?;
        request.relay_state = field("RelayState");
        Ok(request)
    }

    fn read(xml: String) -> Result<Self, ScriptError> {
        let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).map_err(ScriptError::of)?;
        let root = document.unverified_root();
        if !root.is(names::PROTOCOL, "AuthnRequest") {
            return Err(ScriptError(format!("{} is no AuthnRequest", root.name())));
        }
        let text = |name| root.attribute(name).map(str::to_owned);
        let flag = |name| root.attribute(name) == Some("true");
        let issuer = root.child(names::ASSERTION, "Issuer").and_then(|issuer: &Element| issuer.only_text().ok());
        Ok(Self {
            id: text("ID").ok_or_else(|| ScriptError("the request has no ID".into()))?,
            issuer: issuer.unwrap_or_default().to_owned(),
            acs: text("AssertionConsumerServiceURL"),
            destination: text("Destination"),
            force_authn: flag("ForceAuthn"),
            is_passive: flag("IsPassive"),
            relay_state: None,
            query_signature: None,
            xml: xml.clone(),
        })
    }
}

fn query_signature(query: &str) -> Result<Option<QuerySignature>, ScriptError> {
    let (Some(algorithm), Some(signature)) = (parameter(query, "SigAlg"), parameter(query, "Signature")) else {
        return Ok(None);
    };
    let present = |name: &str| parameter(query, name).map(|value| format!("{name}={value}"));
    let covered: Vec<_> = ["SAMLRequest", "RelayState", "SigAlg"].into_iter().filter_map(present).collect();
    Ok(Some(QuerySignature {
        octets: covered.join("&"),
        algorithm: unescaped(algorithm),
        signature: STANDARD.decode(unescaped(signature)).map_err(ScriptError::of)?,
    }))
}
