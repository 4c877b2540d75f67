//! Takes logout messages in: who signed, then what it says.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::identity::OneTimeKey;
use fedbridge_contract::keys::{Decrypter, KeyRing};
use fedbridge_contract::logout::Told;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use openssl::sha::Sha256;

use super::{Carried, How, LogoutIn, Opened, VerifiedLogoutRequest, VerifiedLogoutResponse};
use crate::binding::Parameter;
use crate::grammar::{
    Children, GrammarError, id, issuer, only_attributes, only_foreign, required_attribute, unexpected, value,
};
use crate::instant::parse_instant;
use crate::name_id::{NameId, OwnedNameId};
use crate::names;
use crate::seam::{Cbc, DecryptPolicy, Element, VerifiedElement, decrypt};
use crate::trust::{Distrust, Trust};

/// How long a request without NotOnOrAfter is good for, besides the skew of the clocks.
const LIFETIME: Duration = Duration::from_secs(300);

/// A request is good for no longer than this after it was made, whatever it says: so long its ID is kept.
const LONGEST: Duration = Duration::from_secs(3600);

/// The longest name and session index, in octets, and the most indexes of one request.
const MAX_TEXT: usize = 1024;
const MAX_INDEXES: usize = 64;

const ASYNC_SLO: &str = "urn:oasis:names:tc:SAML:2.0:protocol:ext:async-slo";

/// Who is on the other side, and where we are: both roles fill this.
pub struct LogoutParties<'a> {
    /// The names that the other side may go by; some have one of their own for logout.
    pub them: &'a [&'a str],
    pub trust: &'a Trust,
    /// Our own address that the message came to.
    pub address: &'a str,
    pub skew: Duration,
    /// For a name that is encrypted to us.
    pub decrypters: &'a KeyRing,
    pub cbc: Cbc,
}

/// Verifies a message. Blocking: to be called in a turn. Each check leaves a step.
///
/// # Errors
/// The message can't be believed; `KeyUnknown` where new metadata may help.
pub fn verify(
    carried: &Carried,
    parties: &LogoutParties<'_>,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Result<LogoutIn, Distrust> {
    let opened = Opened::of(carried).map_err(|error| {
        trace.check("Message", "SAML bindings 3", "plain XML of the binding", error.to_string(), false);
        Distrust::Refused
    })?;
    let message = opened.unverified_message();
    let kind = kind(message, carried, trace)?;
    received(message, carried, now, trace);
    // What can never be accepted is refused before a signature costs anything.
    let unverified = grammar(trace, shell(message))?;
    match kind {
        Kind::Request => drop(grammar(trace, asked(&unverified))?),
        Kind::Response => drop(grammar(trace, answer(message, &unverified))?),
    }
    let verified = vouched(&opened, kind, carried, parties, now, trace)?;
    // From here on everything is read from what was signed.
    let element = verified.as_ref().map_or(message, VerifiedElement::element);
    let shell = grammar(trace, shell(element))?;
    let check = |trace: &mut TraceLog, name: &str, source: &str, expected: &str, actual: &str, passed: bool| {
        if trace.check(name, source, expected, actual, passed) { Ok(()) } else { Err(Distrust::Refused) }
    };
    check(trace, "Version", "SAML core 3.2", "2.0", shell.version, shell.version == "2.0")?;
    let known = parties.them.contains(&shell.issuer);
    check(trace, "Issuer", "SAML profiles 4.4.4", &parties.them.join(" or "), shell.issuer, known)?;
    let to_us = match shell.destination {
        // An answer came back on a connection of ours, whatever it says.
        Some(destination) => destination == parties.address || matches!(carried.how, How::Answer),
        // The address of a SOAP call says it already (SAML bindings 3.4.5.2 and 3.5.5.2 are for browsers).
        None => carried.is_soap(),
    };
    let destination = shell.destination.unwrap_or("none");
    check(trace, "Destination", "SAML bindings 3.5.5.2", parties.address, destination, to_us)?;
    let issued = instant(trace, "IssueInstant", shell.issue_instant)?;
    let latest = (now + parties.skew).rfc3339();
    let past = issued <= now + parties.skew;
    check(trace, "IssueInstant", "SAML core 3.2", &format!("not after {latest}"), &issued.rfc3339(), past)?;
    match kind {
        Kind::Response => {
            let answer = grammar(trace, answer(element, &shell))?;
            trace.check("Status", "SAML core 3.2.2.2", "an answer", &answer.1, true);
            Ok(LogoutIn::Response(VerifiedLogoutResponse { in_response_to: answer.0.to_owned(), told: answer.2 }))
        }
        Kind::Request => {
            let asked = grammar(trace, asked(&shell))?;
            let end = match element.attribute("NotOnOrAfter") {
                Some(text) => instant(trace, "NotOnOrAfter", text)?,
                None => issued + LIFETIME,
            };
            let end = end.min(issued + LONGEST);
            let earliest = now - parties.skew;
            let expected = format!("after {}", earliest.rfc3339());
            check(trace, "NotOnOrAfter", "SAML core 3.7.1", &expected, &end.rfc3339(), end > earliest)?;
            let name_id = name_id(&asked, verified.as_ref(), parties, trace)?;
            let length = name_id.value.len();
            let fits = (1..=MAX_TEXT).contains(&length) && asked.indexes.iter().all(|index| index.len() <= MAX_TEXT);
            check(trace, "NameID", "SAML core 2.2.3", "1 to 1024 octets", &length.to_string(), fits)?;
            let number = asked.indexes.len();
            check(trace, "SessionIndex", "", "at most 64", &number.to_string(), number <= MAX_INDEXES)?;
            Ok(LogoutIn::Request(VerifiedLogoutRequest {
                id: shell.id.to_owned(),
                name_id,
                indexes: asked.indexes.into_iter().map(str::to_owned).collect(),
                once: once(&shell, end + parties.skew),
                asynchronous: asked.asynchronous,
            }))
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Request,
    Response,
}

/// What the message is, which the binding's parameter must say too.
fn kind(message: &Element, carried: &Carried, trace: &mut TraceLog) -> Result<Kind, Distrust> {
    let kind = match message.name() {
        _ if message.namespace() != names::PROTOCOL => None,
        "LogoutRequest" => Some(Kind::Request),
        "LogoutResponse" => Some(Kind::Response),
        _ => None,
    };
    let expected = match carried.how {
        How::Redirect(parameter, _) | How::Post(parameter) => match parameter {
            Parameter::SamlRequest => "LogoutRequest",
            Parameter::SamlResponse => "LogoutResponse",
        },
        How::Soap => "LogoutRequest",
        How::Answer => "LogoutResponse",
    };
    let actual = format!("{{{}}}{}", message.namespace(), message.name());
    let fits = kind.is_some() && message.name() == expected;
    trace.check("Root element", "SAML core 3.7", format!("{{{}}}{expected}", names::PROTOCOL), actual, fits);
    kind.filter(|_| fits).ok_or(Distrust::Refused)
}

fn received(message: &Element, carried: &Carried, now: Timestamp, trace: &mut TraceLog) {
    let attribute = |name| message.attribute(name).unwrap_or("none").to_owned();
    let issuer = message.child(names::ASSERTION, "Issuer").and_then(|issuer| issuer.only_text().ok());
    let signed = match &carried.how {
        How::Redirect(_, signature) => signature.is_some(),
        _ => message.child(names::DSIG, "Signature").is_some(),
    };
    let facts = vec![
        ("id", attribute("ID")),
        ("issuer", issuer.unwrap_or("none").to_owned()),
        ("destination", attribute("Destination")),
        ("in_response_to", attribute("InResponseTo")),
        ("binding", carried.binding().to_owned()),
        ("signed", signed.to_string()),
    ];
    trace.received(now, message.name(), false, facts);
}

/// A signature over the query, or one inside; a redirect that has both must have both right. `None`
/// says that the query's signature covers the message.
fn vouched(
    opened: &Opened,
    kind: Kind,
    carried: &Carried,
    parties: &LogoutParties<'_>,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Result<Option<VerifiedElement>, Distrust> {
    let message = opened.unverified_message();
    let name = if kind == Kind::Request { "LogoutRequest signature" } else { "LogoutResponse signature" };
    let inside = message.child(names::DSIG, "Signature").is_some();
    match &carried.how {
        How::Redirect(_, Some(signed)) => parties.trust.verify_query(signed, now, trace)?,
        How::Redirect(_, None) => {
            trace.check("Query signature", "SAML profiles 4.4.3", "a signature over the query", "none", false);
            return Err(Distrust::Refused);
        }
        // It came back on a connection that we opened to the address in the metadata, and all that it
        // can do is to settle the very notice that was sent there.
        How::Answer if !inside => {
            trace.check(name, "SAML profiles 4.4.4.2", "the connection that we opened, or more", "that", true);
            return Ok(None);
        }
        How::Post(_) | How::Soap | How::Answer => {}
    }
    match (inside, &carried.how) {
        (false, How::Redirect(..)) => Ok(None),
        _ => parties.trust.verify(opened.document(), message, name, now, trace).map(Some),
    }
}

/// What requests and answers have in common (SAML core 3.2.1 and 3.2.2).
struct Shell<'a> {
    id: &'a str,
    version: &'a str,
    issue_instant: &'a str,
    destination: Option<&'a str>,
    issuer: &'a str,
    extensions: Option<&'a Element>,
    rest: Vec<&'a Element>,
    element: &'a Element,
}

fn shell(element: &Element) -> Result<Shell<'_>, GrammarError> {
    let own: &[&str] = match element.name() {
        "LogoutRequest" => &["ID", "Version", "IssueInstant", "Destination", "Consent", "Reason", "NotOnOrAfter"],
        _ => &["ID", "Version", "IssueInstant", "Destination", "Consent", "InResponseTo"],
    };
    only_attributes(element, own)?;
    let mut children = Children::of(element)?;
    let issuer = issuer(children.required(names::ASSERTION, "Issuer")?)?;
    children.optional(names::DSIG, "Signature");
    let extensions = children.optional(names::PROTOCOL, "Extensions");
    if let Some(extensions) = extensions {
        only_foreign(extensions)?;
    }
    Ok(Shell {
        id: id(element)?,
        version: required_attribute(element, "Version")?,
        issue_instant: required_attribute(element, "IssueInstant")?,
        destination: element.attribute("Destination"),
        issuer,
        extensions,
        rest: std::iter::from_fn(|| children.any()).collect(),
        element,
    })
}

/// The content of a request (SAML core 3.7.1).
struct Asked<'a> {
    name: &'a Element,
    indexes: Vec<&'a str>,
    asynchronous: bool,
}

fn asked<'a>(shell: &Shell<'a>) -> Result<Asked<'a>, GrammarError> {
    let (name, rest) = shell.rest.split_first().ok_or_else(|| GrammarError("LogoutRequest names nobody".into()))?;
    if !name.is(names::ASSERTION, "NameID") && !name.is(names::ASSERTION, "EncryptedID") {
        return Err(GrammarError(format!("LogoutRequest has {} where NameID or EncryptedID must stand", name.name())));
    }
    let mut indexes = Vec::with_capacity(rest.len());
    for part in rest {
        if !part.is(names::PROTOCOL, "SessionIndex") {
            return Err(unexpected(shell.element, part));
        }
        only_attributes(part, &[])?;
        indexes.push(value(part)?);
    }
    let asynchronous = shell.extensions.is_some_and(|extensions| extensions.child(ASYNC_SLO, "Asynchronous").is_some());
    Ok(Asked { name, indexes, asynchronous })
}

/// InResponseTo, the codes as a text, and what they mean.
fn answer<'a>(element: &'a Element, shell: &Shell<'a>) -> Result<(&'a str, String, Told), GrammarError> {
    let [status] = shell.rest.as_slice() else {
        return Err(GrammarError("LogoutResponse must hold one Status after its Issuer".into()));
    };
    if !status.is(names::PROTOCOL, "Status") {
        return Err(unexpected(element, status));
    }
    let mut children = Children::of(status)?;
    let code = children.required(names::PROTOCOL, "StatusCode")?;
    let first = required_attribute(code, "Value")?;
    let second = code.child(names::PROTOCOL, "StatusCode").and_then(|code| code.attribute("Value"));
    let told = match (first, second) {
        (_, Some(names::STATUS_PARTIAL_LOGOUT)) => Told::Partial,
        // It knows no such session, which is what was wanted.
        (names::STATUS_SUCCESS, _) | (_, Some(names::STATUS_UNKNOWN_PRINCIPAL)) => Told::Done,
        _ => Told::Refused,
    };
    let short = |uri: &str| uri.rsplit(':').next().unwrap_or(uri).to_owned();
    let text = second.map_or_else(|| short(first), |second| format!("{} / {}", short(first), short(second)));
    Ok((required_attribute(element, "InResponseTo")?, text, told))
}

/// The name, decrypted where it must be. What is under an enveloped signature stays verified; a query's
/// signature covers the ciphertext as well.
fn name_id(
    asked: &Asked<'_>,
    verified: Option<&VerifiedElement>,
    parties: &LogoutParties<'_>,
    trace: &mut TraceLog,
) -> Result<OwnedNameId, Distrust> {
    if asked.name.is(names::ASSERTION, "NameID") {
        return grammar(trace, NameId::read(asked.name)).map(|name| name.to_owned());
    }
    let keys: Vec<&dyn Decrypter> = parties.decrypters.saml_decryption.iter().map(|key| &*key.decrypter).collect();
    let policy = DecryptPolicy { cbc: parties.cbc };
    let read = |element: &Element| match element.is(names::ASSERTION, "NameID") {
        true => NameId::read(element).map(|name| name.to_owned()),
        false => Err(GrammarError(format!("EncryptedID holds {}, not NameID", element.name()))),
    };
    let opened = match verified {
        Some(verified) => verified.decrypt_child(asked.name, &keys, &policy).map(|inside| read(inside.element())),
        None => decrypt(asked.name, &keys, &policy).map(|document| read(document.unverified_root())),
    };
    match opened {
        Ok(read) => grammar(trace, read),
        Err(error) => {
            // One text for every way in which the keys can fail (XML Encryption 1.1, section 6).
            trace.check("Decryption", "SAML core 2.2.4", "a name encrypted to us", error.to_string(), false);
            Err(Distrust::Refused)
        }
    }
}

fn once(shell: &Shell<'_>, expires: Timestamp) -> OneTimeKey {
    // An ID holds no line feed, so issuer and ID can't run into one another.
    let mut hash = Sha256::new();
    hash.update(shell.id.as_bytes());
    hash.update(b"\n");
    hash.update(shell.issuer.as_bytes());
    OneTimeKey { purpose: "saml.logout", key: URL_SAFE_NO_PAD.encode(hash.finish()), expires }
}

fn instant(trace: &mut TraceLog, name: &str, text: &str) -> Result<Timestamp, Distrust> {
    parse_instant(text).ok_or_else(|| {
        trace.check(name, "SAML core 1.3.3", "a UTC time such as 2026-01-31T12:00:00Z", text, false);
        Distrust::Refused
    })
}

fn grammar<T>(trace: &mut TraceLog, read: Result<T, GrammarError>) -> Result<T, Distrust> {
    read.map_err(|GrammarError(why)| {
        trace.check("Form of the message", "SAML core 3.7", "the fixed form", why, false);
        Distrust::Refused
    })
}
