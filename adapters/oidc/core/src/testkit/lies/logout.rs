//! Logout tokens, frames and the way back (Back-Channel Logout 1.0 section 2.6, Front-Channel Logout 1.0
//! section 3, RP-Initiated Logout 1.0 section 3).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::testkit::jwt::{JwtPlan, Signature};
use crate::testkit::lie::Change::{FrontChannel, LoggedOut, LogoutToken};
use crate::testkit::lie::Lie;
use crate::testkit::logout::LOGOUT_EVENT;

macro_rules! set {
    ($claim:literal, $($value:tt)+) => {
        LogoutToken(|plan| plan.set($claim, json!($($value)+)))
    };
}

macro_rules! cut {
    ($claim:literal) => {
        LogoutToken(|plan| plan.cut($claim))
    };
}

fn header(plan: &mut JwtPlan, name: &str, value: Value) {
    plan.header.insert(name.to_owned(), value);
}

const ALG: &str = "logout token: alg";
const KIND: &str = "kind of token";
const EVENTS: &str = "logout token: events";
const WHO: &str = "logout token: who is meant";
const JTI: &str = "logout token: jti";

pub const LOGOUT_TOKEN: &[Lie] = &[
    Lie::told(
        68,
        "alg none",
        ALG,
        &[LogoutToken(|plan| {
            header(plan, "alg", json!("none"));
            plan.signature = Signature::Empty;
        })],
    ),
    Lie::told(
        68,
        "alg PS384",
        ALG,
        &[LogoutToken(|plan| {
            plan.sign_with(Arc::new(plan.scene.keys.rsa.known_as("rsa", "PS384")));
        })],
    ),
    Lie::told(
        68,
        "HS256 with the client's secret, which nobody allowed",
        ALG,
        &[LogoutToken(|plan| {
            let secret = plan.scene.client_secret.clone();
            plan.sign_hs256(secret.as_bytes());
        })],
    ),
    Lie::told(
        68,
        "a key in the header",
        "key named in the header",
        &[LogoutToken(|plan| {
            let key = plan.scene.keys.stranger.jwk();
            header(plan, "jwk", key);
            plan.signature = Signature::By(Arc::clone(&plan.scene.keys.stranger));
        })],
    ),
    Lie::told(
        68,
        "a stranger's key",
        "logout token: signature",
        &[LogoutToken(|plan| {
            plan.signature = Signature::By(Arc::clone(&plan.scene.keys.stranger));
        })],
    ),
    Lie::told(68, "typ of an ID token", KIND, &[LogoutToken(|plan| header(plan, "typ", json!("JWT")))]),
    Lie::told(68, "typ of an access token", KIND, &[LogoutToken(|plan| header(plan, "typ", json!("at+jwt")))]),
    Lie::told(68, "iss of somebody else", "logout token: iss", &[set!("iss", "https://evil.example")]),
    Lie::told(68, "iss absent", "logout token: iss", &[cut!("iss")]),
    Lie::told(68, "aud of somebody else", "logout token: aud", &[set!("aud", "somebody")]),
    Lie::told(68, "aud absent", "logout token: aud", &[cut!("aud")]),
    Lie::told(
        68,
        "iat old",
        "logout token: iat",
        &[LogoutToken(|plan| {
            plan.set_time("iat", -661);
            plan.cut("exp");
        })],
    ),
    Lie::told(68, "iat absent", "logout token: iat", &[cut!("iat")]),
    Lie::told(68, "iat of tomorrow", "logout token: iat", &[LogoutToken(|plan| plan.set_time("iat", 61))]),
    Lie::told(68, "exp past", "logout token: exp", &[LogoutToken(|plan| plan.set_time("exp", -61))]),
    Lie::told(68, "exp a text", "logout token: exp", &[set!("exp", "soon")]),
    Lie::told(68, "jti absent", JTI, &[cut!("jti")]),
    Lie::told(68, "jti empty", JTI, &[set!("jti", "")]),
    Lie::told(68, "jti a number", JTI, &[set!("jti", 7)]),
    Lie::told(68, "events absent", EVENTS, &[cut!("events")]),
    Lie::told(68, "another event", EVENTS, &[set!("events", { "http://schemas.openid.net/event/other": {} })]),
    Lie::told(68, "events a list", EVENTS, &[set!("events", [LOGOUT_EVENT])]),
    Lie::told(68, "an event that is no object", EVENTS, &[set!("events", { LOGOUT_EVENT: true })]),
    Lie::told(68, "a nonce", "logout token: nonce", &[set!("nonce", "n")]),
    Lie::told(68, "an empty nonce", "logout token: nonce", &[set!("nonce", null)]),
    Lie::told(
        68,
        "neither sub nor sid",
        WHO,
        &[LogoutToken(|plan| {
            plan.cut("sub");
            plan.cut("sid");
        })],
    ),
    Lie::told(68, "sub a number", "logout token: sub", &[set!("sub", 7)]),
    Lie::told(68, "sid a list", "logout token: sid", &[set!("sid", ["a"])]),
    Lie::told(68, "sid empty", "logout token: sid", &[set!("sid", "")]),
    Lie::told(
        30,
        "sub twice in a logout token",
        "strict JSON",
        &[LogoutToken(|plan| {
            plan.claims_text = Some(|text| format!("{{\"sub\":\"victim\",{}", &text[1..]).into_bytes());
        })],
    ),
    Lie::odd(
        68,
        "no typ",
        &[LogoutToken(|plan| {
            plan.header.shift_remove("typ");
        })],
    ),
    Lie::odd(68, "typ in capitals", &[LogoutToken(|plan| header(plan, "typ", json!("LOGOUT+JWT")))]),
    Lie::odd(68, "no exp", &[cut!("exp")]),
    Lie::odd(68, "sid alone", &[cut!("sub")]),
    Lie::odd(68, "sub alone", &[cut!("sid")]),
    Lie::odd(
        68,
        "members beside the event",
        &[LogoutToken(|plan| {
            plan.set("events", json!({ LOGOUT_EVENT: { "more": 1 }, "https://op.example/event": {} }));
        })],
    ),
];

/// Of the frame that ends a session (Front-Channel Logout 1.0 section 3).
pub const FRAME: &[Lie] = &[
    Lie::told(
        70,
        "iss of somebody else",
        "iss of the frame",
        &[FrontChannel(|plan| {
            plan.set("iss", "https://evil.example");
        })],
    ),
    Lie::told(70, "iss absent", "iss of the frame", &[FrontChannel(|plan| plan.cut("iss"))]),
    Lie::told(70, "sid absent", "sid of the frame", &[FrontChannel(|plan| plan.cut("sid"))]),
    Lie::told(70, "sid empty", "sid of the frame", &[FrontChannel(|plan| plan.set("sid", ""))]),
    Lie::told(17, "sid twice", "each parameter once", &[FrontChannel(|plan| plan.add("sid", "another"))]),
    Lie::odd(70, "parameters that nobody knows", &[FrontChannel(|plan| plan.add("ui_locales", "de"))]),
];

/// Of the way back from the provider, when it has logged somebody out (RP-Initiated Logout 1.0 section 3).
pub const WAY_BACK: &[Lie] = &[
    Lie::told(67, "state absent", "state of the logout", &[LoggedOut(|plan| plan.cut("state"))]),
    Lie::told(67, "state of somebody else", "state of the logout", &[LoggedOut(|plan| plan.set("state", "another"))]),
    Lie::told(
        67,
        "state changed in its last letter",
        "state of the logout",
        &[LoggedOut(|plan| {
            let state = plan.parameters.iter().find(|(name, _)| name == "state").map(|(_, state)| state.clone());
            let mut state = state.unwrap_or_default();
            let last = if state.pop() == Some('A') { 'Q' } else { 'A' };
            state.push(last);
            plan.set("state", state);
        })],
    ),
    Lie::told(17, "state twice", "each parameter once", &[LoggedOut(|plan| plan.add("state", "another"))]),
];
