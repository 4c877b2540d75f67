//! Logout messages as they shall be (SAML core 3.7); every part can be made wrong. Both sides of a
//! federation speak them alike.

use std::time::Duration;

use fedbridge_contract::time::Timestamp;

use super::carry::{Way, inflated, parameter, post_fields, redirect_query, sign_message, soap, unescaped};
use super::encrypt::{Encryption, encrypted_id};
use super::{NameIdPlan, ScriptError, TestKey, random_id};
use crate::names;
use crate::seam::{Element, Limits, UnverifiedDocument};
use crate::writer::XmlWriter;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A LogoutRequest. [`LogoutRequestPlan::new`] is right in everything.
#[derive(Clone)]
pub struct LogoutRequestPlan {
    pub id: String,
    pub version: String,
    pub issue_instant: String,
    pub destination: Option<String>,
    pub not_on_or_after: Option<String>,
    pub issuer: Option<String>,
    pub name_id: Option<NameIdPlan>,
    /// Sends the name encrypted.
    pub encryption: Option<Encryption>,
    pub indexes: Vec<String>,
    /// `aslo:Asynchronous`: the asker wants no answer.
    pub asynchronous: bool,
    /// Markup for `samlp:Extensions`.
    pub raw_extensions: Option<String>,
    /// Markup at the end.
    pub raw: String,
}

impl LogoutRequestPlan {
    /// Valid for five minutes.
    pub fn new(issuer: &str, destination: &str, name_id: NameIdPlan, now: Timestamp) -> Self {
        Self {
            id: random_id(),
            version: "2.0".into(),
            issue_instant: now.rfc3339_seconds(),
            destination: Some(destination.into()),
            not_on_or_after: Some((now + Duration::from_secs(300)).rfc3339_seconds()),
            issuer: Some(issuer.into()),
            name_id: Some(name_id),
            encryption: None,
            indexes: Vec::new(),
            asynchronous: false,
            raw_extensions: None,
            raw: String::new(),
        }
    }

    #[must_use]
    pub fn with_index(mut self, index: &str) -> Self {
        self.indexes.push(index.into());
        self
    }

    /// The document, unsigned.
    pub fn xml(&self) -> Result<String, ScriptError> {
        let mut xml = XmlWriter::new();
        xml.open("samlp:LogoutRequest")
            .attr("xmlns:samlp", names::PROTOCOL)
            .attr("ID", &self.id)
            .attr("Version", &self.version)
            .attr("IssueInstant", &self.issue_instant)
            .attr_if("Destination", self.destination.as_deref())
            .attr_if("NotOnOrAfter", self.not_on_or_after.as_deref());
        issuer(&mut xml, self.issuer.as_deref());
        if self.asynchronous || self.raw_extensions.is_some() {
            xml.open("samlp:Extensions").raw(self.raw_extensions.as_deref().unwrap_or_default());
            if self.asynchronous {
                xml.open("aslo:Asynchronous")
                    .attr("xmlns:aslo", "urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo")
                    .close();
            }
            xml.close();
        }
        if let Some(name_id) = &self.name_id {
            let text = name_id.xml();
            match &self.encryption {
                Some(encryption) => xml.raw(&encrypted_id(&text, encryption)?),
                None => xml.raw(&text),
            };
        }
        for index in &self.indexes {
            xml.leaf("samlp:SessionIndex", index);
        }
        xml.raw(&self.raw);
        Ok(xml.finish())
    }

    /// With an enveloped signature, for post and SOAP.
    pub fn signed(&self, key: &TestKey) -> Result<String, ScriptError> {
        sign_message(&self.xml()?, &self.id, key)
    }

    /// The query of a redirect, signed.
    pub fn query(&self, relay_state: Option<&str>, key: &TestKey) -> Result<String, ScriptError> {
        redirect_query(Way::Request, &self.xml()?, relay_state, Some(key))
    }

    /// The fields of a form, signed.
    pub fn form(&self, relay_state: Option<&str>, key: &TestKey) -> Result<Vec<(String, String)>, ScriptError> {
        Ok(post_fields(Way::Request, &self.signed(key)?, relay_state))
    }

    /// A SOAP envelope, the message in it signed.
    pub fn soap(&self, key: &TestKey) -> Result<String, ScriptError> {
        Ok(soap(&self.signed(key)?))
    }
}

/// A LogoutResponse. [`LogoutResponsePlan::new`] says yes.
#[derive(Debug, Clone)]
pub struct LogoutResponsePlan {
    pub id: String,
    pub version: String,
    pub issue_instant: String,
    pub destination: Option<String>,
    pub in_response_to: Option<String>,
    pub issuer: Option<String>,
    /// Top-level and second-level code.
    pub status: (String, Option<String>),
    /// Markup at the end.
    pub raw: String,
}

impl LogoutResponsePlan {
    pub fn new(issuer: &str, destination: &str, in_response_to: &str, now: Timestamp) -> Self {
        Self {
            id: random_id(),
            version: "2.0".into(),
            issue_instant: now.rfc3339_seconds(),
            destination: Some(destination.into()),
            in_response_to: Some(in_response_to.into()),
            issuer: Some(issuer.into()),
            status: (names::STATUS_SUCCESS.into(), None),
            raw: String::new(),
        }
    }

    /// The document, unsigned.
    pub fn xml(&self) -> String {
        let mut xml = XmlWriter::new();
        xml.open("samlp:LogoutResponse")
            .attr("xmlns:samlp", names::PROTOCOL)
            .attr("ID", &self.id)
            .attr("Version", &self.version)
            .attr("IssueInstant", &self.issue_instant)
            .attr_if("Destination", self.destination.as_deref())
            .attr_if("InResponseTo", self.in_response_to.as_deref());
        issuer(&mut xml, self.issuer.as_deref());
        xml.open("samlp:Status").open("samlp:StatusCode").attr("Value", &self.status.0);
        if let Some(second) = &self.status.1 {
            xml.open("samlp:StatusCode").attr("Value", second).close();
        }
        xml.close().close().raw(&self.raw);
        xml.finish()
    }

    /// With an enveloped signature, for post and SOAP.
    pub fn signed(&self, key: &TestKey) -> Result<String, ScriptError> {
        sign_message(&self.xml(), &self.id, key)
    }

    /// The query of a redirect, signed.
    pub fn query(&self, relay_state: Option<&str>, key: &TestKey) -> Result<String, ScriptError> {
        redirect_query(Way::Answer, &self.xml(), relay_state, Some(key))
    }

    /// The fields of a form, signed.
    pub fn form(&self, relay_state: Option<&str>, key: &TestKey) -> Result<Vec<(String, String)>, ScriptError> {
        Ok(post_fields(Way::Answer, &self.signed(key)?, relay_state))
    }

    /// A SOAP envelope, the message in it signed.
    pub fn soap(&self, key: &TestKey) -> Result<String, ScriptError> {
        Ok(soap(&self.signed(key)?))
    }
}

/// A logout message as it came, its signature unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedLogout {
    pub way: Way,
    pub id: String,
    pub issuer: String,
    pub destination: Option<String>,
    /// Of a request.
    pub name_id: Option<NameIdPlan>,
    pub indexes: Vec<String>,
    /// Of an answer.
    pub in_response_to: Option<String>,
    pub status: Option<(String, Option<String>)>,
    pub relay_state: Option<String>,
    /// Whether a Signature stands in the message, or one came beside it in the query.
    pub signed: bool,
    pub xml: String,
}

impl ReceivedLogout {
    /// From the address that the browser was sent to.
    pub fn from_redirect(location: &str) -> Result<Self, ScriptError> {
        let query = location.split_once('?').map_or(location, |(_, query)| query);
        let packed = [Way::Request, Way::Answer].into_iter().find_map(|way| parameter(query, way.parameter()));
        let packed = packed.ok_or_else(|| ScriptError("the redirect carries no SAML message".into()))?;
        let xml = inflated(&STANDARD.decode(unescaped(packed)).map_err(ScriptError::of)?)?;
        let mut read = Self::read(&xml)?;
        read.relay_state = parameter(query, "RelayState").map(unescaped);
        read.signed |= parameter(query, "Signature").is_some();
        Ok(read)
    }

    /// From the fields of a page that posts itself.
    pub fn from_post(fields: &[(String, String)]) -> Result<Self, ScriptError> {
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let packed = field(Way::Request.parameter()).or_else(|| field(Way::Answer.parameter()));
        let packed = packed.ok_or_else(|| ScriptError("the form carries no SAML message".into()))?;
        let xml = String::from_utf8(STANDARD.decode(packed).map_err(ScriptError::of)?).map_err(ScriptError::of)?;
        Ok(Self { relay_state: field("RelayState"), ..Self::read(&xml)? })
    }

    /// From a message, or from a SOAP envelope around one.
    pub fn read(xml: &str) -> Result<Self, ScriptError> {
        let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).map_err(ScriptError::of)?;
        let mut all = document.unverified_root().descendants();
        let is = |element: &Element, name| element.is(names::PROTOCOL, name);
        let root = all.find(|element| is(element, "LogoutRequest") || is(element, "LogoutResponse"));
        let root = root.ok_or_else(|| ScriptError("there is no logout message".into()))?;
        let text = |name: &str| root.attribute(name).map(str::to_owned);
        let child = |namespace, name| root.child(namespace, name).and_then(|child| child.only_text().ok());
        let indexes = root.elements().filter(|element| is(element, "SessionIndex"));
        let code = root.child(names::PROTOCOL, "Status").and_then(|status| status.child(names::PROTOCOL, "StatusCode"));
        let value = |code: &Element| code.attribute("Value").unwrap_or_default().to_owned();
        Ok(Self {
            way: if is(root, "LogoutRequest") { Way::Request } else { Way::Answer },
            id: text("ID").ok_or_else(|| ScriptError("the message has no ID".into()))?,
            issuer: child(names::ASSERTION, "Issuer").unwrap_or_default().to_owned(),
            destination: text("Destination"),
            name_id: root.child(names::ASSERTION, "NameID").map(NameIdPlan::read),
            indexes: indexes.filter_map(|index| Some(index.only_text().ok()?.to_owned())).collect(),
            in_response_to: text("InResponseTo"),
            status: code.map(|code| (value(code), code.child(names::PROTOCOL, "StatusCode").map(value))),
            relay_state: None,
            signed: root.child(names::DSIG, "Signature").is_some(),
            xml: xml.to_owned(),
        })
    }
}

fn issuer(xml: &mut XmlWriter, issuer: Option<&str>) {
    if let Some(issuer) = issuer {
        xml.open("saml:Issuer").attr("xmlns:saml", names::ASSERTION).text(issuer).close();
    }
}
