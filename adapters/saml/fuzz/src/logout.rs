//! Takes logout messages in: as they come, and newly signed.

use std::sync::LazyLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::http::HttpInput;
use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::logout::{Carried, LogoutIn, LogoutParties, verify};
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Cbc, Limits, UnverifiedDocument, VerifyKey};
use fedbridge_saml_core::testkit::{ReceivedLogout, Way, post_body, sign_message};
use fedbridge_saml_core::trust::{Trust, TrustedKey};

use crate::world::{IDP, NAME, NOW, SLO, WORLD, input, posted_to_slo};

static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let key = VerifyKey::from_certificate_der(&WORLD.idp.key.certificate).expect("a key");
    let trusted = TrustedKey { key, label: "idp".into(), not_before: None, not_after: None };
    Trust { keys: vec![trusted], sha1_until: None }
});

/// # Panics
/// A message was believed that no key vouched for.
pub fn check(octets: &[u8]) {
    let Some(message) = octets.get(1..) else { return };
    // The first octet says how the rest comes.
    match octets.first() {
        Some(b'<') => check_post(octets),
        Some(b'a') => {
            // Answers to our calls need no signature: any InResponseTo will do.
            let _ = take(&Carried::answer(message));
        }
        _ => {
            if let Ok(carried) = Carried::read(&input("text/xml", message.to_vec())) {
                believed(&carried);
            }
        }
    }
}

fn check_post(octets: &[u8]) {
    for way in [Way::Request, Way::Answer] {
        if let Ok(carried) = Carried::read(&posted(way, octets)) {
            believed(&carried);
        }
    }
    // Behind a good signature: the grammar and all the checks.
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let Some(id) = unsigned_id(octets) else { return };
    let Ok(signed) = sign_message(text, &id, &WORLD.idp.key) else { return };
    let way = ReceivedLogout::read(&signed).map_or(Way::Request, |read| read.way);
    if let Ok(carried) = Carried::read(&posted(way, signed.as_bytes())) {
        let _ = take(&carried);
    }
}

/// Takes what nobody signed anew: every request that is believed is one that a seed's signature covers.
pub fn believed(carried: &Carried) {
    let _ = carried.unverified_issuer();
    match take(carried) {
        Some(LogoutIn::Request(request)) => assert_eq!(request.name_id.value, NAME, "somebody else is logged out"),
        Some(LogoutIn::Response(response)) => assert_eq!(response.in_response_to, seeds_request(), "another answer"),
        None => {}
    }
}

/// The request that the seeds answer.
pub fn seeds_request() -> &'static str {
    "_request-of-ours"
}

fn take(carried: &Carried) -> Option<LogoutIn> {
    let parties = LogoutParties {
        them: &[IDP],
        trust: &TRUST,
        address: SLO,
        skew: Duration::from_secs(180),
        decrypters: &WORLD.tenant.keys,
        cbc: Cbc::Refused,
    };
    let mut trace = TraceLog::new();
    match verify(carried, &parties, NOW, &mut trace) {
        Ok(message) => {
            assert!(trace.cause().is_none(), "believed with a failed check");
            Some(message)
        }
        Err(_) => {
            assert!(trace.cause().is_some(), "refused, and the trace does not say why");
            None
        }
    }
}

fn posted(way: Way, octets: &[u8]) -> HttpInput {
    posted_to_slo(post_body(&[(way.parameter().to_owned(), STANDARD.encode(octets))]))
}

fn unsigned_id(octets: &[u8]) -> Option<String> {
    let document = UnverifiedDocument::parse(octets, Limits::message()).ok()?;
    let root = document.unverified_root();
    let signed = root.descendants().any(|element| element.is(names::DSIG, "Signature"));
    if signed { None } else { root.attribute("ID").map(str::to_owned) }
}
