//! From octets to the one assertion that a trusted key vouches for (SAML profiles 4.1.4.3,
//! SAML core 5 and 6).
//!
//! Everything here runs on a blocking thread: libxml2's documents can't move
//! between threads, and xmlsec is slow for an event loop.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::identity::{Attributes, AuthnFacts, OneTimeKey, Onward, UpstreamSession, UpstreamSubject};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use openssl::sha::Sha256;

use super::artifact::{self, Resolved};
use super::assertion::Assertion;
use super::checks::{Checked, Clocks, Stop, grammar, instant, require, require_equal};
use super::decryption::{Decryption, opened};
use super::encrypted::Opened;
use super::policy::{self, Signed};
use super::response::{self, Payload, ResponseShell};
use super::state::RequestState;
use super::subject::Parties;
use super::{ServiceProvider, assertion, attributes, authn, conditions, confirmation, subject, unsolicited};
use fedbridge_saml_core::name_id::NameId;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{DecryptError, Element, Limits, UnverifiedDocument, VerifiedElement};
use fedbridge_saml_core::trust::Distrust;

/// All that a check needs, owned.
pub(super) struct Work {
    pub sp: Arc<ServiceProvider>,
    pub keys: Arc<KeyRing>,
    pub message: Message,
    /// `None` in a login that the provider started.
    pub asked: Option<Asked>,
    pub now: Timestamp,
}

/// The answer as it came.
pub(super) enum Message {
    Posted(Vec<u8>),
    Resolved(Resolved),
}

/// The request that the answer must be for.
pub(super) struct Asked {
    pub state: RequestState,
    pub max_age: Option<Duration>,
    /// Authentication contexts that the app requires and that were asked for.
    pub contexts: Vec<String>,
    pub started: Timestamp,
}

impl Work {
    /// The address at which the answer came in, and which it must name.
    fn address(&self) -> &str {
        match self.message {
            Message::Posted(_) => &self.sp.acs,
            Message::Resolved(_) => &self.sp.artifact,
        }
    }

    fn request(&self) -> Option<&str> {
        self.asked.as_ref().map(|asked| asked.state.request.as_str())
    }
}

/// What a verified assertion says of one login, before the caller mints the proof: not the hub's
/// `Login`, which is a transaction of the browser.
#[derive(Debug)]
pub(super) struct Login {
    pub subject: UpstreamSubject,
    pub attributes: Attributes,
    pub authn: AuthnFacts,
    pub session: UpstreamSession,
    pub onward: Onward,
    pub once: Vec<OneTimeKey>,
    /// The decryption key that something in the answer was encrypted to.
    pub encrypted_to: Option<String>,
}

/// An assertion that is under a verified signature. Only [`consumed`] makes one, and the
/// assertion's reader takes nothing else.
pub(super) struct VerifiedAssertion(VerifiedElement);

impl VerifiedAssertion {
    pub fn element(&self) -> &Element {
        self.0.element()
    }

    pub fn verified(&self) -> &VerifiedElement {
        &self.0
    }
}

/// Checks an answer, in the order of the checklist. Each check leaves a step.
pub(super) fn login(work: &Work, trace: &mut TraceLog) -> Checked<Login> {
    match &work.message {
        Message::Posted(octets) => {
            let document = parse(octets, trace)?;
            let root = document.unverified_root();
            answer(&Received { document: &document, root, vouched: None }, work, trace)
        }
        Message::Resolved(resolved) => {
            let (soap, vouched) = artifact::open(resolved, work, trace)?;
            let response = soap.unverified_message().elements().find(|element| response::is_response(element));
            let Some(root) = response else { return Err(Stop::Rejected) };
            let received = Received { document: soap.document(), root, vouched };
            let mut login = answer(&received, work, trace)?;
            login.once.push(resolved.once.clone());
            Ok(login)
        }
    }
}

/// The answer where it stands.
struct Received<'a> {
    document: &'a UnverifiedDocument,
    /// The answer itself, unverified.
    root: &'a Element,
    /// The answer under the signature of a message around it.
    vouched: Option<VerifiedElement>,
}

fn answer(received: &Received<'_>, work: &Work, trace: &mut TraceLog) -> Checked<Login> {
    let Received { document, root, .. } = *received;
    let is_response = response::is_response(root);
    let what = format!("{{{}}}{}", root.namespace(), root.name());
    require(trace, "Root element", "SAML core 3.3.3", format!("{{{}}}Response", names::PROTOCOL), what, is_response)?;
    require_equal(trace, "Version", "SAML core 3.2.2", "2.0", root.attribute("Version"))?;
    let unverified = grammar(trace, "Form of the response", "SAML core 3.3.3", response::read(root))?;
    response_facts(&unverified, work.now, trace);
    for payload in &unverified.payload {
        if let Payload::Plain(element) = payload {
            // Refuses what would be refused below anyway, before the costly verification.
            let attributes = assertion::check_form(element);
            let attributes = grammar(trace, "Form of the assertion", "SAML core 2.3.3", attributes)?;
            grammar(trace, "Attributes", "SAML core 2.7.3", attributes::check_form(&attributes))?;
        }
    }

    // Where the response is signed, everything from here on is read from what was verified.
    let verified = match unverified.has_signature {
        true => Some(vouched(work, document, root, "Response signature", trace)?),
        false => received.vouched.clone(),
    };
    let shell = match &verified {
        Some(verified) => {
            let read = response::read(verified.element());
            grammar(trace, "Form of the verified response", "SAML core 3.3.3", read)?
        }
        None => unverified,
    };
    check_shell(&shell, verified.is_some(), work, trace)?;

    let number = shell.payload.len();
    require(trace, "Assertions", "", "one", number.to_string(), number == 1)?;
    let Some(&payload) = shell.payload.first() else { return Err(Stop::Rejected) };
    let decryption = Decryption::new(&work.keys, work.sp.settings.allow_cbc);
    let assertion = consumed(work, received, verified.as_ref(), payload, &decryption, trace)?;
    let read = grammar(trace, "Form of the assertion", "SAML core 2.3.3", assertion::read(&assertion))?;
    let opened = Opened::of(&assertion, &read, &decryption, trace)?;
    let login = check_assertion(&read, &opened, work, trace)?;
    Ok(Login { encrypted_to: decryption.used(), ..login })
}

fn parse(octets: &[u8], trace: &mut TraceLog) -> Checked<UnverifiedDocument> {
    UnverifiedDocument::parse(octets, Limits::message()).map_err(|refusal| {
        trace.check("XML", "SAML core 1.2", "plain UTF-8 XML without DTD and comments", refusal.to_string(), false);
        Stop::Rejected
    })
}

fn response_facts(shell: &ResponseShell<'_>, now: Timestamp, trace: &mut TraceLog) {
    let facts = vec![
        ("id", shell.id.to_owned()),
        ("issuer", shell.issuer.unwrap_or("none").to_owned()),
        ("destination", shell.destination.unwrap_or("none").to_owned()),
        ("in_response_to", shell.in_response_to.unwrap_or("none").to_owned()),
        ("status", shell.status.text()),
        ("signed", shell.has_signature.to_string()),
    ];
    trace.received(now, "Response", false, facts);
}

/// Verifies with the keys of the connection.
pub(super) fn vouched(
    work: &Work,
    document: &UnverifiedDocument,
    target: &Element,
    name: &str,
    trace: &mut TraceLog,
) -> Checked<VerifiedElement> {
    work.sp.trust.verify(document, target, name, work.now, trace).map_err(|distrust| match distrust {
        Distrust::KeyUnknown => Stop::KeyUnknown,
        Distrust::Refused => Stop::Rejected,
    })
}

/// Issuer, Destination, status and the request that is answered (SAML core 3.2.2).
fn check_shell(shell: &ResponseShell<'_>, signed: bool, work: &Work, trace: &mut TraceLog) -> Checked<()> {
    let sp = &work.sp;
    let posted = matches!(work.message, Message::Posted(_));
    if let Some(issuer) = shell.issuer {
        require_equal(trace, "Response issuer", "SAML profiles 4.1.4.2", &sp.idp.entity_id, Some(issuer))?;
    }
    if (signed && posted) || shell.destination.is_some() {
        require_equal(trace, "Destination", "SAML bindings 3.5.5.2", work.address(), shell.destination)?;
    }
    let issued = instant(trace, "Response IssueInstant", shell.issue_instant)?;
    clocks(work).require_past(trace, "Response IssueInstant", "SAML core 3.2.2", issued)?;

    let success = shell.status.is_success();
    match work.request() {
        Some(request) if success || shell.in_response_to.is_some() => {
            // This routes and refuses; it never satisfies the check inside the assertion.
            require_equal(trace, "InResponseTo", "SAML core 3.2.2", request, shell.in_response_to)?;
        }
        Some(_) => {}
        None => unsolicited::check(shell.in_response_to, issued, clocks(work), trace)?,
    }
    if success {
        return require(trace, "Status", "SAML core 3.2.2.2", "Success", "Success", true);
    }
    let without = "no assertion beside a status other than Success";
    let number = shell.payload.len();
    require(trace, "Content of an error", "SAML core 3.2.2.2", without, number.to_string(), number == 0)?;
    trace.check("Status", "SAML core 3.2.2.2", "Success", shell.status.text(), false);
    Err(Stop::Refused(shell.status.refusal()))
}

/// Finds the assertion under a verified signature, decrypting it where it must.
fn consumed(
    work: &Work,
    received: &Received<'_>,
    response: Option<&VerifiedElement>,
    payload: Payload<'_>,
    decryption: &Decryption<'_>,
    trace: &mut TraceLog,
) -> Checked<VerifiedAssertion> {
    let (own, signed_by_response) = match payload {
        Payload::Plain(element) => plain(work, received, response, element, trace)?,
        Payload::Encrypted(element) => encrypted(work, response, element, decryption, trace)?,
    };
    let signed = Signed { response: response.is_some(), assertion: own.is_some() };
    let wanted = work.sp.settings.require_signed;
    let enough = policy::satisfies(wanted, signed);
    require(trace, "What is signed", "SAML profiles 4.1.4.5", policy::text(wanted), signed.text(), enough)?;
    match own.or(signed_by_response) {
        Some(element) => Ok(VerifiedAssertion(element)),
        None => Err(Stop::Rejected),
    }
}

/// The assertion under its own signature, and the same under the response's.
type Vouched = (Option<VerifiedElement>, Option<VerifiedElement>);

fn plain(
    work: &Work,
    received: &Received<'_>,
    response: Option<&VerifiedElement>,
    element: &Element,
    trace: &mut TraceLog,
) -> Checked<Vouched> {
    let inside = response.and_then(|response| response.child(names::ASSERTION, "Assertion"));
    if element.child(names::DSIG, "Signature").is_none() {
        return Ok((None, inside));
    }
    // In the document as it came: only there does the signature have the namespaces it was made with.
    let Some(target) = received.root.child(names::ASSERTION, "Assertion") else {
        return Err(Stop::Rejected);
    };
    let own = vouched(work, received.document, target, "Assertion signature", trace)?;
    Ok((Some(own), inside))
}

/// A signed response was verified before anything is decrypted, and then the ciphertext is the one
/// it vouches for. Encryption itself vouches for nothing: anybody has our public key.
fn encrypted(
    work: &Work,
    response: Option<&VerifiedElement>,
    element: &Element,
    decryption: &Decryption<'_>,
    trace: &mut TraceLog,
) -> Checked<Vouched> {
    let result = match response {
        Some(response) => decryption.inside(response, element).and_then(|inside| {
            let document = inside.reopen().map_err(|_| DecryptError::Failed)?;
            Ok((document, Some(inside)))
        }),
        None => decryption.unverified(element).map(|document| (document, None)),
    };
    let (inner, inside) = opened(trace, "an assertion", result)?;
    require(trace, "Decryption", "SAML core 6", "an assertion", "decrypted", true)?;
    let root = inner.unverified_root();
    let is_assertion = root.is(names::ASSERTION, "Assertion");
    require(trace, "Decrypted element", "SAML core 2.3.4", "Assertion", root.name(), is_assertion)?;
    if root.child(names::DSIG, "Signature").is_none() {
        return Ok((None, inside));
    }
    let own = vouched(work, &inner, root, "Assertion signature", trace)?;
    Ok((Some(own), inside))
}

fn check_assertion(assertion: &Assertion<'_>, opened: &Opened, work: &Work, trace: &mut TraceLog) -> Checked<Login> {
    let sp = &*work.sp;
    let clocks = clocks(work);
    let name_id = opened.name_id(assertion, trace)?;
    verified_facts(assertion, name_id.as_ref(), work.now, trace);
    require_equal(trace, "Assertion version", "SAML core 2.3.3", "2.0", Some(assertion.version))?;
    require_equal(trace, "Assertion issuer", "SAML profiles 4.1.4.2", &sp.idp.entity_id, Some(assertion.issuer))?;
    let issued = instant(trace, "Assertion IssueInstant", assertion.issue_instant)?;
    clocks.require_past(trace, "Assertion IssueInstant", "SAML core 2.3.3", issued)?;
    let end = confirmation::check(&assertion.subject, work.address(), work.request(), clocks, trace)?;
    let onward = conditions::check(assertion.conditions.as_ref(), &sp.entity_id, clocks, trace)?;

    let elements = grammar(trace, "Attributes", "SAML core 2.7.3", opened.attributes(assertion))?;
    let read = attributes::read(&elements, trace);
    let attributes = grammar(trace, "Attributes", "SAML core 2.7.3", read)?;
    attributes::check_overage(&attributes, trace)?;
    let context = sp.settings.requested_authn_context.as_ref();
    let demands = match &work.asked {
        Some(asked) => authn::Demands {
            forced_since: asked.state.forced.then_some(asked.started),
            max_age: asked.max_age,
            context,
            contexts: &asked.contexts,
        },
        None => authn::Demands {
            forced_since: sp.settings.force_authn.then(|| work.now - unsolicited::WINDOW),
            max_age: None,
            context,
            contexts: &[],
        },
    };
    let (facts, session) = authn::check(&assertion.authn, &attributes, &demands, clocks, trace)?;
    let authn = AuthnFacts { authority: Some(sp.idp.entity_id.clone()), ..facts };
    let parties = Parties { idp: &sp.idp.entity_id, sp: &sp.entity_id };
    let subject = subject::find(&sp.settings.subject_from, name_id.as_ref(), &attributes, parties, trace)?;
    // Only a provider with a logout service ever asks for the end of a session.
    let logout_key = match &name_id {
        Some(name_id) if !sp.idp.slo.is_empty() => Some(name_id.to_owned().key(parties.idp, parties.sp)),
        _ => None,
    };
    let logout_state = name_id.as_ref().map(|name_id| logout_state(name_id, session.index.as_deref()));
    Ok(Login {
        subject,
        attributes,
        authn,
        session: UpstreamSession { logout_key, logout_state, ..session },
        onward,
        once: vec![one_time_key(assertion, end + clocks.skew)],
        encrypted_to: None, // The caller has the keys.
    })
}

fn verified_facts(assertion: &Assertion<'_>, name_id: Option<&NameId<'_>>, now: Timestamp, trace: &mut TraceLog) {
    let facts = vec![
        ("id", assertion.id.to_owned()),
        ("issuer", assertion.issuer.to_owned()),
        ("name_id", name_id.map_or("none", |name| name.value).to_owned()),
        ("name_id_format", name_id.and_then(|name| name.format).unwrap_or("none").to_owned()),
        ("attributes", assertion.attributes.len().to_string()),
    ];
    trace.received(now, "Assertion", true, facts);
}

fn clocks(work: &Work) -> Clocks {
    Clocks { now: work.now, skew: work.sp.settings.clock_skew }
}

/// The name exactly as it came, which a LogoutRequest must repeat (SAML profiles 4.4.4.1).
fn logout_state(name_id: &NameId<'_>, session_index: Option<&str>) -> String {
    let name = serde_json::to_value(name_id.to_owned()).unwrap_or_default();
    let mut state = serde_json::json!({ "session_index": session_index });
    if let (Some(state), serde_json::Value::Object(name)) = (state.as_object_mut(), name) {
        state.extend(name);
    }
    state.to_string()
}

/// Accepted once until nobody could accept it any more (SAML profiles 4.1.4.5). An ID holds no line
/// feed, so issuer and ID can't run into one another.
fn one_time_key(assertion: &Assertion<'_>, expires: Timestamp) -> OneTimeKey {
    let mut hash = Sha256::new();
    hash.update(assertion.id.as_bytes());
    hash.update(b"\n");
    hash.update(assertion.issuer.as_bytes());
    OneTimeKey { purpose: "saml.assertion", key: URL_SAFE_NO_PAD.encode(hash.finish()), expires }
}
