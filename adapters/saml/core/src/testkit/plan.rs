//! A response as it shall be; every part can be made wrong.

use super::carry::{Way, post_fields, sign_message};
use super::encrypt::{Encryption, encrypted_assertion, encrypted_id};
use super::{ScriptError, ScriptedIdp};
use crate::names;
use crate::seam::Element;
use crate::writer::XmlWriter;

/// What gets a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    Nothing,
    Assertion,
    Response,
    Both,
}

#[derive(Clone)]
pub struct ResponsePlan {
    pub id: String,
    pub issue_instant: String,
    pub destination: Option<String>,
    pub in_response_to: Option<String>,
    pub issuer: Option<String>,
    /// Top-level and second-level code.
    pub status: (String, Option<String>),
    pub assertion: AssertionPlan,
    pub with_assertion: bool,
    pub sign: Sign,
    /// Encrypts the assertion, after it was signed.
    pub encryption: Option<Encryption>,
    /// Markup for `samlp:Extensions`.
    pub raw_extensions: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct AssertionPlan {
    pub id: String,
    pub issue_instant: String,
    pub issuer: String,
    pub name_id: Option<NameIdPlan>,
    pub confirmations: Vec<ConfirmationPlan>,
    pub conditions: Option<ConditionsPlan>,
    pub authn: Vec<AuthnPlan>,
    pub attributes: Vec<AttributePlan>,
    /// Sends the NameID encrypted, as an EncryptedID.
    pub name_id_encryption: Option<Encryption>,
    /// Markup instead of the text of the NameID.
    pub raw_name_id: Option<String>,
    /// Markup behind the statements.
    pub raw_statements: String,
    /// Markup for `saml:Advice`.
    pub raw_advice: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameIdPlan {
    pub value: String,
    pub format: Option<String>,
    pub name_qualifier: Option<String>,
    pub sp_name_qualifier: Option<String>,
}

impl NameIdPlan {
    pub fn new(value: &str, format: &str) -> Self {
        Self { value: value.into(), format: Some(format.into()), ..Self::default() }
    }

    /// What a NameID says, unverified.
    pub fn read(element: &Element) -> Self {
        let text = |name: &str| element.attribute(name).map(str::to_owned);
        Self {
            value: element.only_text().unwrap_or_default().to_owned(),
            format: text("Format"),
            name_qualifier: text("NameQualifier"),
            sp_name_qualifier: text("SPNameQualifier"),
        }
    }

    /// A `NameID` that stands on its own.
    pub fn xml(&self) -> String {
        self.xml_around(None)
    }

    fn xml_around(&self, markup: Option<&str>) -> String {
        let mut xml = XmlWriter::new();
        xml.open("saml:NameID")
            .attr("xmlns:saml", names::ASSERTION)
            .attr_if("Format", self.format.as_deref())
            .attr_if("NameQualifier", self.name_qualifier.as_deref())
            .attr_if("SPNameQualifier", self.sp_name_qualifier.as_deref());
        match markup {
            Some(markup) => xml.raw(markup),
            None => xml.text(&self.value),
        };
        xml.finish()
    }
}

#[derive(Debug, Clone, Default)]
pub struct ConfirmationPlan {
    pub method: String,
    pub recipient: Option<String>,
    pub not_before: Option<String>,
    pub not_on_or_after: Option<String>,
    pub in_response_to: Option<String>,
}

#[derive(Debug, Clone, Default)]
pub struct ConditionsPlan {
    pub not_before: Option<String>,
    pub not_on_or_after: Option<String>,
    /// One restriction each.
    pub audiences: Vec<Vec<String>>,
    /// Markup behind the restrictions.
    pub raw: String,
}

#[derive(Debug, Clone, Default)]
pub struct AuthnPlan {
    pub instant: String,
    pub session_index: Option<String>,
    pub session_not_on_or_after: Option<String>,
    pub class: Option<String>,
    pub authorities: Vec<String>,
}

#[derive(Debug, Clone, Default)]
pub struct AttributePlan {
    pub name: String,
    pub name_format: Option<String>,
    pub friendly_name: Option<String>,
    pub values: Vec<String>,
    /// Markup behind the values.
    pub raw: String,
}

impl AttributePlan {
    pub fn new<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        Self { name: name.into(), values: values.into_iter().map(str::to_owned).collect(), ..Self::default() }
    }
}

impl ResponsePlan {
    /// The finished document.
    pub fn build(&self, idp: &ScriptedIdp) -> Result<String, ScriptError> {
        let assertion = if self.with_assertion { self.assertion_xml(idp)? } else { String::new() };
        let xml = self.response_xml(&assertion);
        if matches!(self.sign, Sign::Response | Sign::Both) { sign_message(&xml, &self.id, &idp.key) } else { Ok(xml) }
    }

    /// The fields of the form that the browser posts.
    pub fn form(&self, idp: &ScriptedIdp, relay_state: Option<&str>) -> Result<Vec<(String, String)>, ScriptError> {
        Ok(post_fields(Way::Answer, &self.build(idp)?, relay_state))
    }

    fn assertion_xml(&self, idp: &ScriptedIdp) -> Result<String, ScriptError> {
        let mut xml = self.assertion.xml_with_name(&self.assertion.name_markup()?);
        if matches!(self.sign, Sign::Assertion | Sign::Both) {
            xml = sign_message(&xml, &self.assertion.id, &idp.key)?;
        }
        match &self.encryption {
            Some(encryption) => encrypted_assertion(&xml, encryption),
            None => Ok(xml),
        }
    }

    fn response_xml(&self, assertion: &str) -> String {
        let mut xml = XmlWriter::new();
        xml.open("samlp:Response")
            .attr("xmlns:samlp", names::PROTOCOL)
            .attr("ID", &self.id)
            .attr("Version", "2.0")
            .attr("IssueInstant", &self.issue_instant)
            .attr_if("Destination", self.destination.as_deref())
            .attr_if("InResponseTo", self.in_response_to.as_deref());
        if let Some(issuer) = &self.issuer {
            xml.open("saml:Issuer").attr("xmlns:saml", names::ASSERTION).text(issuer).close();
        }
        if let Some(extensions) = &self.raw_extensions {
            xml.open("samlp:Extensions").raw(extensions).close();
        }
        xml.open("samlp:Status").open("samlp:StatusCode").attr("Value", &self.status.0);
        if let Some(second) = &self.status.1 {
            xml.open("samlp:StatusCode").attr("Value", second).close();
        }
        xml.close().close().raw(assertion);
        xml.finish()
    }
}

impl AssertionPlan {
    /// The assertion, unsigned, its name in the clear.
    pub fn xml(&self) -> String {
        self.xml_with_name(&self.plain_name())
    }

    fn plain_name(&self) -> String {
        self.name_id.as_ref().map(|name| name.xml_around(self.raw_name_id.as_deref())).unwrap_or_default()
    }

    fn name_markup(&self) -> Result<String, ScriptError> {
        match &self.name_id_encryption {
            Some(encryption) => encrypted_id(&self.plain_name(), encryption),
            None => Ok(self.plain_name()),
        }
    }

    fn xml_with_name(&self, name: &str) -> String {
        let mut xml = XmlWriter::new();
        xml.open("saml:Assertion")
            .attr("xmlns:saml", names::ASSERTION)
            .attr("ID", &self.id)
            .attr("Version", "2.0")
            .attr("IssueInstant", &self.issue_instant)
            .leaf("saml:Issuer", &self.issuer);
        self.subject(&mut xml, name);
        if let Some(conditions) = &self.conditions {
            conditions.write(&mut xml);
        }
        if let Some(advice) = &self.raw_advice {
            xml.open("saml:Advice").raw(advice).close();
        }
        for authn in &self.authn {
            authn.write(&mut xml);
        }
        if !self.attributes.is_empty() {
            xml.open("saml:AttributeStatement");
            for attribute in &self.attributes {
                attribute.write(&mut xml);
            }
            xml.close();
        }
        xml.raw(&self.raw_statements);
        xml.finish()
    }

    fn subject(&self, xml: &mut XmlWriter, name: &str) {
        xml.open("saml:Subject");
        xml.raw(name);
        for confirmation in &self.confirmations {
            xml.open("saml:SubjectConfirmation").attr("Method", &confirmation.method);
            xml.open("saml:SubjectConfirmationData")
                .attr_if("NotBefore", confirmation.not_before.as_deref())
                .attr_if("NotOnOrAfter", confirmation.not_on_or_after.as_deref())
                .attr_if("Recipient", confirmation.recipient.as_deref())
                .attr_if("InResponseTo", confirmation.in_response_to.as_deref())
                .close()
                .close();
        }
        xml.close();
    }
}

impl ConditionsPlan {
    fn write(&self, xml: &mut XmlWriter) {
        xml.open("saml:Conditions")
            .attr_if("NotBefore", self.not_before.as_deref())
            .attr_if("NotOnOrAfter", self.not_on_or_after.as_deref());
        for restriction in &self.audiences {
            xml.open("saml:AudienceRestriction");
            for audience in restriction {
                xml.leaf("saml:Audience", audience);
            }
            xml.close();
        }
        xml.raw(&self.raw).close();
    }
}

impl AuthnPlan {
    fn write(&self, xml: &mut XmlWriter) {
        xml.open("saml:AuthnStatement")
            .attr("AuthnInstant", &self.instant)
            .attr_if("SessionIndex", self.session_index.as_deref())
            .attr_if("SessionNotOnOrAfter", self.session_not_on_or_after.as_deref())
            .open("saml:AuthnContext");
        if let Some(class) = &self.class {
            xml.leaf("saml:AuthnContextClassRef", class);
        }
        for authority in &self.authorities {
            xml.leaf("saml:AuthenticatingAuthority", authority);
        }
        xml.close().close();
    }
}

impl AttributePlan {
    fn write(&self, xml: &mut XmlWriter) {
        xml.open("saml:Attribute")
            .attr("Name", &self.name)
            .attr_if("NameFormat", self.name_format.as_deref())
            .attr_if("FriendlyName", self.friendly_name.as_deref());
        for value in &self.values {
            xml.leaf("saml:AttributeValue", value);
        }
        xml.raw(&self.raw).close();
    }
}
