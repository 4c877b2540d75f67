//! Answers by reference: the browser brings an artifact, and the answer itself is fetched from the
//! provider (SAML bindings 3.6, SAML core 3.5).

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::http::HttpInput;
use fedbridge_contract::identity::OneTimeKey;
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::EgressLimits;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Correlation;
use fedbridge_saml_core::binding::artifact::{Artifact, ArtifactMessage, read_response, resolve_request};
use fedbridge_saml_core::binding::soap::{self, SoapMessage};
use fedbridge_saml_core::names;
use fedbridge_saml_core::random::message_id;
use fedbridge_saml_core::seam::VerifiedElement;
use fedbridge_saml_core::signing::sign_message;
use fedbridge_saml_core::turns::in_turn;
use openssl::sha::sha256;
use url::Url;

use super::ServiceProvider;
use super::checks::{Checked, Stop, grammar, require, require_equal};
use super::complete::{correlation, not_run};
use super::verify::{Work, vouched};

const SOURCE: &str = "SAML bindings 3.6.5";

/// The provider answers within this time, or not at all; its answer is bounded like one that is posted.
const LIMITS: EgressLimits = EgressLimits { max_body: 1 << 20, timeout: Duration::from_secs(5) };

/// An artifact counts once. A transaction is over long before, and so is the artifact at its provider.
const REMEMBERED: Duration = Duration::from_secs(3600);

/// What the provider answered to our ArtifactResolve, unverified.
pub(super) struct Resolved {
    envelope: Vec<u8>,
    /// The ID of our ArtifactResolve.
    request: String,
    pub once: OneTimeKey,
}

/// Which transaction an artifact is for. Nothing is verified here.
pub(super) fn correlate(input: &HttpInput) -> Correlation {
    match ArtifactMessage::read(input) {
        Ok(message) => correlation(message.relay_state),
        Err(why) => Correlation::Malformed(why.to_string()),
    }
}

/// Sends the artifact to the provider that it must be of, and gives what came back. What an earlier try
/// fetched is taken again: the provider gives it out once.
pub(super) async fn resolve(
    sp: &Arc<ServiceProvider>,
    tenant: &Tenant,
    input: &HttpInput,
    fetched: &OnceLock<Vec<u8>>,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Checked<Resolved> {
    let artifact = ArtifactMessage::read(input).map(|message| message.artifact).map_err(|why| {
        trace.check("Artifact", "SAML bindings 3.6.3", "one artifact of type 4", why.to_string(), false);
        Stop::Rejected
    })?;
    let address = address(sp, &artifact, trace)?;
    let text = artifact.text();
    let key = URL_SAFE_NO_PAD.encode(sha256(text.as_bytes()));
    let once = OneTimeKey { purpose: "saml.artifact", key, expires: now + REMEMBERED };
    if let Some((request, envelope)) = fetched.get().and_then(|octets| unpacked(octets)) {
        trace.decide("Artifact resolution", "what came before is checked again", true);
        return Ok(Resolved { envelope: envelope.to_vec(), request: request.to_owned(), once });
    }
    let id = message_id(&*sp.services.rng);
    let xml = resolve_request(&id, &sp.entity_id, address.as_str(), &text, now);
    let (keys, signed_id) = (Arc::clone(&tenant.keys), id.clone());
    let signed = in_turn(Arc::clone(&sp.turns), move || sign_message(&xml, &signed_id, &keys)).await;
    let signed = signed.map_err(|why| not_run(why, trace))?;
    let signed = signed
        .map_err(|error| error.to_string())
        .and_then(|octets| String::from_utf8(octets).map_err(|_| "the signed message is not UTF-8".to_owned()));
    let signed = signed.map_err(|why| {
        trace.check("ArtifactResolve", SOURCE, "signed with the tenant's key", why, false);
        Stop::Rejected
    })?;
    trace.sent(now, "ArtifactResolve", vec![("id", id.clone()), ("destination", address.to_string())]);
    let egress = sp.services.egress_to(tenant, Party::Connection(sp.connection));
    let came = egress.post(&soap::send(address.as_str(), &signed), LIMITS).await;
    let came = came.map_err(|error| {
        trace.check("Artifact resolution", SOURCE, "an answer within 5 s", error.to_string(), false);
        Stop::Rejected
    })?;
    let status = came.status;
    // A fault comes with 500 and says why (SOAP 1.1 section 6.2).
    let usable = matches!(status, 200 | 500);
    require(trace, "Artifact resolution", SOURCE, "status 200", format!("status {status}"), usable)?;
    let _ = fetched.set([id.as_bytes(), b"\n", &came.body].concat());
    Ok(Resolved { envelope: came.body.to_vec(), request: id, once })
}

/// The ID of our request, which holds no line feed, and the envelope behind it.
fn unpacked(fetched: &[u8]) -> Option<(&str, &[u8])> {
    let end = fetched.iter().position(|&octet| octet == b'\n')?;
    let (request, envelope) = fetched.split_at(end);
    Some((std::str::from_utf8(request).ok()?, envelope.get(1..)?))
}

/// Where the artifact is resolved: its source must be the provider of this connection, and its index
/// one of the provider's resolution services.
fn address<'a>(sp: &'a ServiceProvider, artifact: &Artifact, trace: &mut TraceLog) -> Checked<&'a Url> {
    let ours = artifact.source_id == Artifact::source_of(&sp.idp.entity_id);
    let actual = if ours { "it" } else { "another provider" };
    require(trace, "Artifact source", "SAML bindings 3.6.4", "the provider of this connection", actual, ours)?;
    let services = &sp.idp.artifact_resolution;
    let found = services.iter().find(|(index, _)| *index == artifact.endpoint_index).map(|(_, location)| location);
    let known: Vec<String> = services.iter().map(|(index, _)| index.to_string()).collect();
    let expected =
        format!("an index of the metadata: {}", if known.is_empty() { "none".into() } else { known.join(", ") });
    let actual = artifact.endpoint_index.to_string();
    require(trace, "Artifact endpoint", "SAML bindings 3.6.4", expected, actual, found.is_some())?;
    found.ok_or(Stop::Rejected)
}

/// Reads the envelope and checks everything about the ArtifactResponse but the answer inside. Where it
/// is signed, the signature vouches for that answer, and the answer under it is given.
pub(super) fn open(
    resolved: &Resolved,
    work: &Work,
    trace: &mut TraceLog,
) -> Checked<(SoapMessage, Option<VerifiedElement>)> {
    let soap = SoapMessage::read(&resolved.envelope).map_err(|why| {
        trace.check("SOAP", "SAML bindings 3.2", "an envelope with an ArtifactResponse", why.to_string(), false);
        Stop::Rejected
    })?;
    const FORM: &str = "Form of the ArtifactResponse";
    let unverified = soap.unverified_message();
    let signed = grammar(trace, FORM, "SAML core 3.5.2", read_response(unverified))?.has_signature;
    let verified = match signed {
        true => Some(vouched(work, soap.document(), unverified, "ArtifactResponse signature", trace)?),
        false => None,
    };
    let element = verified.as_ref().map_or(unverified, VerifiedElement::element);
    let shell = grammar(trace, FORM, "SAML core 3.5.2", read_response(element))?;
    require_equal(trace, "ArtifactResponse version", "SAML core 3.2.2", "2.0", Some(shell.version))?;
    let answered = "ArtifactResponse InResponseTo";
    require_equal(trace, answered, "SAML core 3.2.2", &resolved.request, shell.in_response_to)?;
    if shell.issuer.is_some() {
        require_equal(trace, "ArtifactResponse issuer", SOURCE, &work.sp.idp.entity_id, shell.issuer)?;
    }
    require_equal(trace, "ArtifactResponse status", "SAML core 3.5.2", names::STATUS_SUCCESS, Some(shell.status))?;
    let there = shell.message.is_some_and(super::response::is_response);
    let actual = shell.message.map_or("nothing", |message| message.name());
    // A provider that has given it out before, or to another, answers with nothing.
    require(trace, "Artifact content", "SAML core 3.5.3", "a Response", actual, there)?;
    let inside = verified.as_ref().and_then(|verified| verified.child(names::PROTOCOL, "Response"));
    Ok((soap, inside))
}
