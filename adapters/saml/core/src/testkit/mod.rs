//! A scripted identity provider and a scripted service provider: they make their keys
//! at run time and speak with the bridge, rightly or wrongly as they are told. For
//! tests, the demo and the bench; never part of a released registry.
//!
//! ```text
//! let idp = ScriptedIdp::new("https://idp.example", "https://idp.example/sso");
//! idp.metadata();                                  // for the connection's idp_metadata
//! let request = ReceivedRequest::from_redirect(&location)?;
//! let mut plan = idp.answer(&request, &Person::new("alice"), now);
//! plan.assertion.name_id = None;                   // any field can be made wrong
//! let form = plan.form(&idp, request.relay_state.as_deref())?;
//! ```

mod answer;
mod carry;
mod encrypt;
mod forge;
pub mod hostile;
mod keys;
mod logout;
mod plan;
mod published;
mod request;
mod resolve;
mod sp;
mod wrapping;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;

pub use answer::{ReceivedAnswer, ReceivedAssertion};
pub use carry::{Way, deflated, inflated, post_body, post_fields, redirect_query, sign_message, soap};
pub use encrypt::{Encryption, KeyPlace, encrypted_assertion, encrypted_id};
pub use forge::{Forgery, forge};
pub use keys::{KeyKind, TestDecrypter, TestKey};
pub use logout::{LogoutRequestPlan, LogoutResponsePlan, ReceivedLogout};
pub use plan::{
    AssertionPlan, AttributePlan, AuthnPlan, ConditionsPlan, ConfirmationPlan, NameIdPlan, ResponsePlan, Sign,
};
pub use published::PublishedKeys;
pub use request::ReceivedRequest;
pub use resolve::ArtifactResolvePlan;
pub use sp::{AuthnRequestPlan, ContextPlan, NameIdPolicyPlan, ScriptedSp};
pub use wrapping::{Attack, wrapped_assertions, wrapped_messages, wrapped_responses};

use crate::names;
use crate::writer::XmlWriter;

/// What the testkit could not do, as one line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScriptError(pub String);

impl ScriptError {
    fn of(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

/// Somebody who can log in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    pub name_id: String,
    /// Name and values.
    pub attributes: Vec<(String, Vec<String>)>,
}

impl Person {
    pub fn new(name_id: impl Into<String>) -> Self {
        Self { name_id: name_id.into(), attributes: Vec::new() }
    }

    #[must_use]
    pub fn with(mut self, name: impl Into<String>, values: &[&str]) -> Self {
        self.attributes.push((name.into(), values.iter().map(|&value| value.to_owned()).collect()));
        self
    }
}

/// An identity provider that does what it is told. Cheap to clone.
#[derive(Clone)]
pub struct ScriptedIdp {
    pub entity_id: String,
    pub sso_redirect: String,
    pub sso_post: Option<String>,
    pub key: Arc<TestKey>,
    pub want_authn_requests_signed: bool,
    /// Where logout messages go, by binding; none: it takes part in no logout.
    pub slo: Vec<(&'static str, String)>,
}

impl ScriptedIdp {
    /// A provider with the RSA key that all of them in this process share: making one takes long.
    pub fn new(entity_id: impl Into<String>, sso: impl Into<String>) -> Self {
        Self::with_key(entity_id, sso, TestKey::shared())
    }

    pub fn with_key(entity_id: impl Into<String>, sso: impl Into<String>, key: Arc<TestKey>) -> Self {
        let sso = sso.into();
        Self {
            entity_id: entity_id.into(),
            sso_post: Some(sso.clone()),
            sso_redirect: sso,
            key,
            want_authn_requests_signed: false,
            slo: Vec::new(),
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

    /// Metadata with these signing keys, in order.
    pub fn metadata_with(&self, keys: &[&TestKey]) -> String {
        let mut xml = XmlWriter::new();
        xml.open("md:EntityDescriptor").attr("xmlns:md", names::METADATA).attr("entityID", &self.entity_id);
        xml.open("md:IDPSSODescriptor").attr("protocolSupportEnumeration", names::PROTOCOL);
        xml.attr("WantAuthnRequestsSigned", if self.want_authn_requests_signed { "true" } else { "false" });
        for key in keys {
            xml.open("md:KeyDescriptor").attr("use", "signing");
            xml.open("ds:KeyInfo").attr("xmlns:ds", names::DSIG).open("ds:X509Data");
            xml.leaf("ds:X509Certificate", &STANDARD.encode(&key.certificate)).close().close().close();
        }
        for (binding, location) in &self.slo {
            xml.open("md:SingleLogoutService").attr("Binding", binding).attr("Location", location).close();
        }
        let mut service = |binding, location: &str| {
            xml.open("md:SingleSignOnService").attr("Binding", binding).attr("Location", location).close();
        };
        service(names::BINDING_REDIRECT, &self.sso_redirect);
        if let Some(location) = &self.sso_post {
            service(names::BINDING_POST, location);
        }
        xml.finish()
    }

    /// A right answer to a request: signed assertion, five minutes, password over TLS.
    pub fn answer(&self, request: &ReceivedRequest, person: &Person, now: Timestamp) -> ResponsePlan {
        let acs = request.acs.clone().unwrap_or_default();
        let later = (now + Duration::from_secs(300)).rfc3339_seconds();
        let earlier = (now - Duration::from_secs(60)).rfc3339_seconds();
        let instant = now.rfc3339_seconds();
        let assertion = AssertionPlan {
            id: random_id(),
            issue_instant: instant.clone(),
            issuer: self.entity_id.clone(),
            name_id: Some(NameIdPlan::new(&person.name_id, names::FORMAT_PERSISTENT)),
            confirmations: vec![ConfirmationPlan {
                method: names::METHOD_BEARER.into(),
                recipient: Some(acs.clone()),
                not_before: None,
                not_on_or_after: Some(later.clone()),
                in_response_to: Some(request.id.clone()),
            }],
            conditions: Some(ConditionsPlan {
                not_before: Some(earlier),
                not_on_or_after: Some(later),
                audiences: vec![vec![request.issuer.clone()]],
                raw: String::new(),
            }),
            authn: vec![AuthnPlan {
                instant: instant.clone(),
                session_index: Some(random_id()),
                session_not_on_or_after: None,
                class: Some("urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport".into()),
                authorities: Vec::new(),
            }],
            attributes: person
                .attributes
                .iter()
                .map(|(name, values)| AttributePlan::new(name, values.iter().map(String::as_str)))
                .collect(),
            ..AssertionPlan::default()
        };
        ResponsePlan {
            id: random_id(),
            issue_instant: instant,
            destination: Some(acs),
            in_response_to: Some(request.id.clone()),
            issuer: Some(self.entity_id.clone()),
            status: (names::STATUS_SUCCESS.into(), None),
            assertion,
            with_assertion: true,
            sign: Sign::Assertion,
            encryption: None,
            raw_extensions: None,
        }
    }

    /// An answer that nobody asked for (SAML profiles 4.1.5), to this service provider.
    pub fn unsolicited(&self, sp: &str, acs: &str, person: &Person, now: Timestamp) -> ResponsePlan {
        let nobody = ReceivedRequest { issuer: sp.into(), acs: Some(acs.into()), ..ReceivedRequest::default() };
        let mut plan = self.answer(&nobody, person, now);
        plan.in_response_to = None;
        for confirmation in &mut plan.assertion.confirmations {
            confirmation.in_response_to = None;
        }
        plan
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

    /// An answer that says no, with the second-level code.
    pub fn refusal(&self, request: &ReceivedRequest, second: &str, now: Timestamp) -> ResponsePlan {
        let mut plan = self.answer(request, &Person::default(), now);
        plan.status = (names::STATUS_RESPONDER.into(), Some(second.into()));
        plan.with_assertion = false;
        plan.sign = Sign::Nothing;
        plan
    }
}

/// `_` and 128 random bits.
fn random_id() -> String {
    let mut bytes = [0; 16];
    // Without randomness the IDs repeat, and the replay check says so.
    let _ = openssl::rand::rand_bytes(&mut bytes);
    bytes.iter().fold("_".to_owned(), |id, byte| format!("{id}{byte:02x}"))
}
