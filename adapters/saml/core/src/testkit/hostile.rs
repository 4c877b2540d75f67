//! Messages that every entry point must refuse, made from a right one, each with what the refusal
//! must say; and messages that every entry point must accept.
//!
//! Made here and never copied from anywhere. The numbers are those of the attack list: XML
//! signature wrapping (101), parsers that disagree (102, 103, 110), odd signatures (104, 105, 107,
//! 109, 114), truncation (106), captured assertions (108), keys in messages (111), DTDs (113).

mod envelope;
mod metadata;
mod parse;
mod query;
mod shape;
mod signature;

use super::{NameIdPlan, ScriptError, TestKey, sign_message};

pub use envelope::{calls, valid_calls};
pub use metadata::{metadata, valid_metadata};
pub use query::{queries, valid_queries};

/// A message with a signature of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MessageKind {
    Response,
    AuthnRequest,
    LogoutRequest,
    LogoutResponse,
    ArtifactResolve,
}

impl MessageKind {
    /// The local name of the root.
    pub fn root(self) -> &'static str {
        match self {
            Self::Response => "Response",
            Self::AuthnRequest => "AuthnRequest",
            Self::LogoutRequest => "LogoutRequest",
            Self::LogoutResponse => "LogoutResponse",
            Self::ArtifactResolve => "ArtifactResolve",
        }
    }
}

/// A right message that is not signed yet, and what its entry point trusts.
pub struct Good<'a> {
    pub kind: MessageKind,
    pub xml: String,
    /// The ID of its root.
    pub id: String,
    /// The RSA key that the entry point trusts.
    pub key: &'a TestKey,
    /// A text in it that an attacker would change: a name, an address.
    pub victim: &'a str,
    /// A signed assertion of another message, as an attacker may have captured it.
    pub captured: String,
}

/// A message that must be refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hostile {
    pub name: String,
    pub octets: Vec<u8>,
    /// What the refusal's cause must contain; alternatives stand between bars, as some readers ask for
    /// the next element by name and others complain of what they find.
    pub reason: &'static str,
}

/// An element where another one must be, or nothing.
const OUT_OF_PLACE: &str = "must stand|may not hold|must hold one Status";

impl Hostile {
    fn new(name: impl Into<String>, reason: &'static str, octets: impl Into<Vec<u8>>) -> Self {
        Self { name: name.into(), octets: octets.into(), reason }
    }

    /// Whether a refusal says why.
    pub fn is_explained_by(&self, cause: &str) -> bool {
        self.reason.split('|').any(|reason| cause.contains(reason))
    }
}

/// Everything that an entry point for messages of this kind must refuse, where it demands a
/// signature over the message.
///
/// # Errors
/// A signature could not be made.
pub fn corpus(good: &Good<'_>) -> Result<Vec<Hostile>, ScriptError> {
    let signed = sign_message(&good.xml, &good.id, good.key)?;
    let mut all = parse::refused(&signed);
    all.extend(signature::refused(good, &signed)?);
    all.extend(shape::refused(good, &signed)?);
    Ok(all)
}

/// Right messages in forms that are rare and legal: all of them must be accepted.
///
/// # Errors
/// A signature could not be made.
pub fn valid(good: &Good<'_>) -> Result<Vec<(String, Vec<u8>)>, ScriptError> {
    let mut all = parse::accepted(&sign_message(&good.xml, &good.id, good.key)?);
    all.extend(signature::accepted(good)?);
    all.extend(shape::accepted(good)?);
    Ok(all)
}

/// A name for captured and forged assertions.
pub fn somebody(name: &str) -> NameIdPlan {
    NameIdPlan::new(name, crate::names::FORMAT_PERSISTENT)
}

/// Replaces what stands from `start` to the next `end`, both included; nothing, where they are not there.
fn between(text: &str, start: &str, end: &str, with: &str) -> String {
    let Some((before, rest)) = text.split_once(start) else { return text.to_owned() };
    match rest.split_once(end) {
        Some((_, after)) => format!("{before}{with}{after}"),
        None => text.to_owned(),
    }
}

/// Puts markup before the end tag of the root.
fn last(xml: &str, markup: &str) -> String {
    match xml.rfind("</") {
        Some(at) => format!("{}{markup}{}", &xml[..at], &xml[at..]),
        None => xml.to_owned(),
    }
}

/// Puts attributes into the root's start tag.
fn in_root(xml: &str, attributes: &str) -> String {
    xml.replacen(" ID=\"", &format!(" {attributes} ID=\""), 1)
}

/// Puts markup right behind the first Issuer.
fn after_issuer(xml: &str, markup: &str) -> String {
    xml.replacen("</saml:Issuer>", &format!("</saml:Issuer>{markup}"), 1)
}
