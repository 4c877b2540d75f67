//! The outer message: `samlp:Response` in its fixed grammar (SAML core 3.3.3).

use fedbridge_saml_core::grammar::{
    Children, GrammarError, id, issuer, only_attributes, only_foreign, required_attribute,
};
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::Element;

use super::status::Status;

/// A response as an element says it. Whether anybody vouches for the element is
/// known to the caller alone.
pub(super) struct ResponseShell<'a> {
    pub id: &'a str,
    pub issue_instant: &'a str,
    pub destination: Option<&'a str>,
    pub in_response_to: Option<&'a str>,
    pub issuer: Option<&'a str>,
    /// A Signature stands right after the Issuer.
    pub has_signature: bool,
    pub status: Status<'a>,
    pub payload: Vec<Payload<'a>>,
}

/// What may stand behind the status.
#[derive(Clone, Copy)]
pub(super) enum Payload<'a> {
    Plain(&'a Element),
    Encrypted(&'a Element),
}

pub(super) fn is_response(element: &Element) -> bool {
    element.is(names::PROTOCOL, "Response")
}

/// Reads the shell. The assertion itself is not looked into.
pub(super) fn read(root: &Element) -> Result<ResponseShell<'_>, GrammarError> {
    only_attributes(root, &["ID", "Version", "IssueInstant", "Destination", "Consent", "InResponseTo"])?;
    let mut children = Children::of(root)?;
    let issuer = children.optional(names::ASSERTION, "Issuer").map(issuer).transpose()?;
    let has_signature = children.optional(names::DSIG, "Signature").is_some();
    if let Some(extensions) = children.optional(names::PROTOCOL, "Extensions") {
        only_foreign(extensions)?; // And then dropped unread.
    }
    let status = Status::read(children.required(names::PROTOCOL, "Status")?)?;
    let mut payload = Vec::new();
    loop {
        if let Some(plain) = children.optional(names::ASSERTION, "Assertion") {
            payload.push(Payload::Plain(plain));
        } else if let Some(encrypted) = children.optional(names::ASSERTION, "EncryptedAssertion") {
            payload.push(Payload::Encrypted(encrypted));
        } else {
            break;
        }
    }
    children.end()?;
    Ok(ResponseShell {
        id: id(root)?,
        issue_instant: required_attribute(root, "IssueInstant")?,
        destination: root.attribute("Destination"),
        in_response_to: root.attribute("InResponseTo"),
        issuer,
        has_signature,
        status,
        payload,
    })
}
