//! A scripted service provider: asks the bridge for logins and logouts, rightly or
//! wrongly as it is told, and reads what comes back.
//!
//! ```text
//! let sp = ScriptedSp::new("https://wiki.example", "https://wiki.example/acs");
//! sp.metadata();                                   // for the service provider's `metadata`
//! let mut plan = sp.request("https://bridge.example/t/acme/saml/sso", now);
//! plan.acs = Some("https://evil.example".into());  // any field can be made wrong
//! let query = plan.query(&sp, Some("relay"))?;
//! let answer = sp.receive(&fields, &[bridge_key])?;
//! ```

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::time::Timestamp;

use super::carry::{Way, post_fields, redirect_query, sign_message};
use super::logout::{LogoutRequestPlan, LogoutResponsePlan};
use super::{NameIdPlan, ScriptError, TestKey, random_id};
use crate::names;
use crate::writer::XmlWriter;

/// A service provider that does what it is told. Cheap to clone.
#[derive(Clone)]
pub struct ScriptedSp {
    pub entity_id: String,
    pub acs: String,
    /// Further addresses for answers, from index 1.
    pub more_acs: Vec<String>,
    /// Where logout messages go, by binding; none: it takes part in no logout.
    pub slo: Vec<(&'static str, String)>,
    pub key: Arc<TestKey>,
    /// Assertions to it can be encrypted.
    pub encryption: Option<Arc<TestKey>>,
    /// What its metadata says; `None` leaves the attribute out.
    pub authn_requests_signed: Option<bool>,
    pub want_assertions_signed: Option<bool>,
    pub name_id_formats: Vec<String>,
}

impl ScriptedSp {
    /// With the RSA key that all of them in this process share.
    pub fn new(entity_id: impl Into<String>, acs: impl Into<String>) -> Self {
        Self {
            entity_id: entity_id.into(),
            acs: acs.into(),
            more_acs: Vec::new(),
            slo: Vec::new(),
            key: TestKey::shared(),
            encryption: None,
            authn_requests_signed: None,
            want_assertions_signed: None,
            name_id_formats: Vec::new(),
        }
    }

    /// Takes part in logouts at this address by redirect and post.
    #[must_use]
    pub fn with_slo(mut self, location: &str) -> Self {
        self.slo = vec![(names::BINDING_REDIRECT, location.into()), (names::BINDING_POST, location.into())];
        self
    }

    /// Metadata with the one signing key.
    pub fn metadata(&self) -> String {
        self.metadata_with(&[&self.key])
    }

    /// Metadata with these signing keys, in order; none is legal for a service provider.
    pub fn metadata_with(&self, signing: &[&TestKey]) -> String {
        let mut xml = XmlWriter::new();
        xml.open("md:EntityDescriptor").attr("xmlns:md", names::METADATA).attr("entityID", &self.entity_id);
        xml.open("md:SPSSODescriptor").attr("protocolSupportEnumeration", names::PROTOCOL);
        let flag = |value: Option<bool>| value.map(|value| if value { "true" } else { "false" });
        xml.attr_if("AuthnRequestsSigned", flag(self.authn_requests_signed));
        xml.attr_if("WantAssertionsSigned", flag(self.want_assertions_signed));
        let encryption = self.encryption.as_deref().map(|key| ("encryption", key));
        for (usage, key) in signing.iter().map(|key| ("signing", *key)).chain(encryption) {
            xml.open("md:KeyDescriptor").attr("use", usage);
            xml.open("ds:KeyInfo").attr("xmlns:ds", names::DSIG).open("ds:X509Data");
            xml.leaf("ds:X509Certificate", &STANDARD.encode(&key.certificate)).close().close().close();
        }
        for (binding, location) in &self.slo {
            xml.open("md:SingleLogoutService").attr("Binding", binding).attr("Location", location).close();
        }
        for format in &self.name_id_formats {
            xml.leaf("md:NameIDFormat", format);
        }
        for (index, location) in std::iter::once(&self.acs).chain(&self.more_acs).enumerate() {
            xml.open("md:AssertionConsumerService")
                .attr("Binding", names::BINDING_POST)
                .attr("Location", location)
                .attr("index", &index.to_string())
                .close();
        }
        xml.finish()
    }

    /// A right request to the single sign-on address of an identity provider.
    pub fn request(&self, sso: &str, now: Timestamp) -> AuthnRequestPlan {
        AuthnRequestPlan {
            id: random_id(),
            version: "2.0".into(),
            issue_instant: now.rfc3339_seconds(),
            destination: Some(sso.into()),
            issuer: Some(self.entity_id.clone()),
            acs: Some(self.acs.clone()),
            binding: Some(names::BINDING_POST.into()),
            ..AuthnRequestPlan::default()
        }
    }

    /// A right request for logout of the session that an answer opened.
    pub fn logout(&self, slo: &str, name_id: NameIdPlan, index: Option<&str>, now: Timestamp) -> LogoutRequestPlan {
        let plan = LogoutRequestPlan::new(&self.entity_id, slo, name_id, now);
        match index {
            Some(index) => plan.with_index(index),
            None => plan,
        }
    }

    /// A right answer to a request for logout.
    pub fn logged_out(&self, slo: &str, in_response_to: &str, now: Timestamp) -> LogoutResponsePlan {
        LogoutResponsePlan::new(&self.entity_id, slo, in_response_to, now)
    }
}

/// An AuthnRequest as it shall be (SAML core 3.4.1).
#[derive(Debug, Clone, Default)]
pub struct AuthnRequestPlan {
    pub id: String,
    pub version: String,
    pub issue_instant: String,
    pub destination: Option<String>,
    pub issuer: Option<String>,
    /// `AssertionConsumerServiceURL`.
    pub acs: Option<String>,
    pub acs_index: Option<String>,
    /// `ProtocolBinding`.
    pub binding: Option<String>,
    pub force_authn: Option<String>,
    pub is_passive: Option<String>,
    pub name_id_policy: Option<NameIdPolicyPlan>,
    pub context: Option<ContextPlan>,
    /// `ProxyCount` of a Scoping.
    pub proxy_count: Option<String>,
    /// Markup for `samlp:Extensions`.
    pub raw_extensions: Option<String>,
    /// Further attributes of the root, name and value.
    pub attributes: Vec<(&'static str, String)>,
    /// Markup at the end.
    pub raw: String,
}

#[derive(Debug, Clone, Default)]
pub struct NameIdPolicyPlan {
    pub format: Option<String>,
    pub sp_name_qualifier: Option<String>,
    pub allow_create: Option<String>,
}

/// A RequestedAuthnContext.
#[derive(Debug, Clone, Default)]
pub struct ContextPlan {
    pub comparison: Option<String>,
    pub classes: Vec<String>,
}

impl AuthnRequestPlan {
    /// The document, unsigned.
    pub fn xml(&self) -> String {
        let mut xml = XmlWriter::new();
        xml.open("samlp:AuthnRequest")
            .attr("xmlns:samlp", names::PROTOCOL)
            .attr("ID", &self.id)
            .attr("Version", &self.version)
            .attr("IssueInstant", &self.issue_instant)
            .attr_if("Destination", self.destination.as_deref())
            .attr_if("ForceAuthn", self.force_authn.as_deref())
            .attr_if("IsPassive", self.is_passive.as_deref())
            .attr_if("ProtocolBinding", self.binding.as_deref())
            .attr_if("AssertionConsumerServiceURL", self.acs.as_deref())
            .attr_if("AssertionConsumerServiceIndex", self.acs_index.as_deref());
        for (name, value) in &self.attributes {
            xml.attr(name, value);
        }
        if let Some(issuer) = &self.issuer {
            xml.open("saml:Issuer").attr("xmlns:saml", names::ASSERTION).text(issuer).close();
        }
        if let Some(extensions) = &self.raw_extensions {
            xml.open("samlp:Extensions").raw(extensions).close();
        }
        if let Some(policy) = &self.name_id_policy {
            xml.open("samlp:NameIDPolicy")
                .attr_if("Format", policy.format.as_deref())
                .attr_if("SPNameQualifier", policy.sp_name_qualifier.as_deref())
                .attr_if("AllowCreate", policy.allow_create.as_deref())
                .close();
        }
        if let Some(context) = &self.context {
            xml.open("samlp:RequestedAuthnContext").attr_if("Comparison", context.comparison.as_deref());
            for class in &context.classes {
                xml.open("saml:AuthnContextClassRef").attr("xmlns:saml", names::ASSERTION).text(class).close();
            }
            xml.close();
        }
        if let Some(count) = &self.proxy_count {
            xml.open("samlp:Scoping").attr("ProxyCount", count).close();
        }
        xml.raw(&self.raw);
        xml.finish()
    }

    /// With an enveloped signature, for post.
    pub fn signed(&self, sp: &ScriptedSp) -> Result<String, ScriptError> {
        sign_message(&self.xml(), &self.id, &sp.key)
    }

    /// The query of a redirect, signed.
    pub fn query(&self, sp: &ScriptedSp, relay_state: Option<&str>) -> Result<String, ScriptError> {
        redirect_query(Way::Request, &self.xml(), relay_state, Some(&sp.key))
    }

    /// The query of a redirect, without a signature.
    pub fn unsigned_query(&self, relay_state: Option<&str>) -> Result<String, ScriptError> {
        redirect_query(Way::Request, &self.xml(), relay_state, None)
    }

    /// The fields of a form, signed.
    pub fn form(&self, sp: &ScriptedSp, relay_state: Option<&str>) -> Result<Vec<(String, String)>, ScriptError> {
        Ok(post_fields(Way::Request, &self.signed(sp)?, relay_state))
    }

    /// The fields of a form, without a signature.
    pub fn unsigned_form(&self, relay_state: Option<&str>) -> Vec<(String, String)> {
        post_fields(Way::Request, &self.xml(), relay_state)
    }
}
