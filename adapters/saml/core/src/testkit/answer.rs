//! Reads the bridge's own responses, as a service provider would: signatures by the seam, and the
//! rest as plainly as possible, for tests to look at.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::Decrypter;

use super::{NameIdPlan, ScriptError, ScriptedSp, Sign, TestDecrypter};
use crate::names;
use crate::seam::{
    Cbc, DecryptPolicy, Element, Fingerprint, Limits, UnverifiedDocument, VerifyKey, VerifyPolicy, decrypt,
};

/// A response that was verified, where it was signed.
#[derive(Debug, Clone)]
pub struct ReceivedAnswer {
    pub id: String,
    pub issuer: Option<String>,
    pub destination: Option<String>,
    pub in_response_to: Option<String>,
    /// Top-level and second-level code.
    pub status: (String, Option<String>),
    /// What carried a good signature.
    pub signed: Sign,
    /// The keys of these signatures, the response's before the assertion's.
    pub signed_by: Vec<Fingerprint>,
    pub encrypted: bool,
    pub assertion: Option<ReceivedAssertion>,
    pub relay_state: Option<String>,
    pub xml: String,
}

#[derive(Debug, Clone)]
pub struct ReceivedAssertion {
    pub id: String,
    pub issuer: String,
    pub name_id: Option<NameIdPlan>,
    pub recipient: Option<String>,
    pub in_response_to: Option<String>,
    /// Of the SubjectConfirmationData.
    pub not_on_or_after: Option<String>,
    pub audiences: Vec<String>,
    pub authn_instant: Option<String>,
    pub session_index: Option<String>,
    pub session_not_on_or_after: Option<String>,
    pub class: Option<String>,
    pub authorities: Vec<String>,
    /// Name, NameFormat and values.
    pub attributes: Vec<(String, Option<String>, Vec<String>)>,
}

impl ReceivedAssertion {
    /// The values of the attributes of this name.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let named = self.attributes.iter().filter(|(attribute, ..)| attribute == name);
        named.flat_map(|(_, _, values)| values.iter().map(String::as_str)).collect()
    }
}

impl ScriptedSp {
    /// Takes the fields of the page that posts itself to the assertion consumer service. A signature
    /// that is there must be of one of `keys`.
    pub fn receive(&self, fields: &[(String, String)], keys: &[VerifyKey]) -> Result<ReceivedAnswer, ScriptError> {
        let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let packed = field("SAMLResponse").ok_or_else(|| ScriptError("the form has no SAMLResponse".into()))?;
        let xml = String::from_utf8(STANDARD.decode(packed).map_err(ScriptError::of)?).map_err(ScriptError::of)?;
        let mut answer = self.read(&xml, keys)?;
        answer.relay_state = field("RelayState");
        Ok(answer)
    }

    /// The same from the document.
    pub fn read(&self, xml: &str, keys: &[VerifyKey]) -> Result<ReceivedAnswer, ScriptError> {
        let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).map_err(ScriptError::of)?;
        let root = document.unverified_root();
        if !root.is(names::PROTOCOL, "Response") {
            return Err(ScriptError(format!("{} is no Response", root.name())));
        }
        let of_response = verified(&document, root, keys)?;
        let (assertion, of_assertion, encrypted) = self.assertion(&document, root, keys)?;
        let code = root.child(names::PROTOCOL, "Status").and_then(|status| status.child(names::PROTOCOL, "StatusCode"));
        let code = code.ok_or_else(|| ScriptError("the response has no status".into()))?;
        let second = code.child(names::PROTOCOL, "StatusCode");
        let value = |code: &Element| code.attribute("Value").unwrap_or_default().to_owned();
        Ok(ReceivedAnswer {
            id: root.attribute("ID").unwrap_or_default().to_owned(),
            issuer: text(root, "Issuer"),
            destination: owned(root, "Destination"),
            in_response_to: owned(root, "InResponseTo"),
            status: (value(code), second.map(value)),
            signed_by: of_response.iter().chain(&of_assertion).copied().collect(),
            signed: match (of_response.is_some(), of_assertion.is_some()) {
                (true, true) => Sign::Both,
                (true, false) => Sign::Response,
                (false, true) => Sign::Assertion,
                (false, false) => Sign::Nothing,
            },
            encrypted,
            assertion,
            relay_state: None,
            xml: xml.to_owned(),
        })
    }

    /// The assertion, who signed it itself, and whether it was encrypted.
    fn assertion(
        &self,
        document: &UnverifiedDocument,
        root: &Element,
        keys: &[VerifyKey],
    ) -> Result<(Option<ReceivedAssertion>, Option<Fingerprint>, bool), ScriptError> {
        if let Some(plain) = root.child(names::ASSERTION, "Assertion") {
            let signed = verified(document, plain, keys)?;
            return Ok((Some(read_assertion(plain)), signed, false));
        }
        let Some(sealed) = root.child(names::ASSERTION, "EncryptedAssertion") else {
            return Ok((None, None, false));
        };
        let key = self.encryption.as_ref().ok_or_else(|| ScriptError("the sp has no key to decrypt with".into()))?;
        let decrypter = TestDecrypter(Arc::clone(key));
        let keys_of_sp: [&dyn Decrypter; 1] = [&decrypter];
        let policy = DecryptPolicy { cbc: Cbc::Accepted };
        let inner = decrypt(sealed, &keys_of_sp, &policy).map_err(ScriptError::of)?;
        let signed = verified(&inner, inner.unverified_root(), keys)?;
        Ok((Some(read_assertion(inner.unverified_root())), signed, true))
    }
}

/// Checks the element's own signature, where there is one, and gives its key.
fn verified(
    document: &UnverifiedDocument,
    element: &Element,
    keys: &[VerifyKey],
) -> Result<Option<Fingerprint>, ScriptError> {
    if element.child(names::DSIG, "Signature").is_none() {
        return Ok(None);
    }
    let verified = document.verify_enveloped(element, keys, &VerifyPolicy::default()).map_err(ScriptError::of)?;
    Ok(Some(*verified.signed_by()))
}

fn read_assertion(assertion: &Element) -> ReceivedAssertion {
    let all = |name: &'static str| assertion.descendants().filter(move |element| element.is(names::ASSERTION, name));
    let one = |name| all(name).next();
    let texts = |name| all(name).filter_map(|element| Some(element.only_text().ok()?.to_owned())).collect();
    let data = one("SubjectConfirmationData");
    let authn = one("AuthnStatement");
    let of = |element: Option<&Element>, name: &str| element.and_then(|element| owned(element, name));
    ReceivedAssertion {
        id: owned(assertion, "ID").unwrap_or_default(),
        issuer: text(assertion, "Issuer").unwrap_or_default(),
        name_id: one("Subject").and_then(|subject| subject.child(names::ASSERTION, "NameID")).map(NameIdPlan::read),
        recipient: of(data, "Recipient"),
        in_response_to: of(data, "InResponseTo"),
        not_on_or_after: of(data, "NotOnOrAfter"),
        audiences: texts("Audience"),
        authn_instant: of(authn, "AuthnInstant"),
        session_index: of(authn, "SessionIndex"),
        session_not_on_or_after: of(authn, "SessionNotOnOrAfter"),
        class: one("AuthnContextClassRef").and_then(|class| Some(class.only_text().ok()?.to_owned())),
        authorities: texts("AuthenticatingAuthority"),
        attributes: all("Attribute").map(read_attribute).collect(),
    }
}

fn read_attribute(attribute: &Element) -> (String, Option<String>, Vec<String>) {
    let values = attribute.elements().map(|value| value.only_text().unwrap_or_default().to_owned()).collect();
    (owned(attribute, "Name").unwrap_or_default(), owned(attribute, "NameFormat"), values)
}

fn owned(element: &Element, name: &str) -> Option<String> {
    element.attribute(name).map(str::to_owned)
}

fn text(element: &Element, name: &str) -> Option<String> {
    element.child(names::ASSERTION, name).and_then(|child| Some(child.only_text().ok()?.to_owned()))
}
