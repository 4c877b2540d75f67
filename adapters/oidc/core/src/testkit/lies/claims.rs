//! Claims of the ID token (OpenID Connect Core 2 and 3.1.3.7).

use serde_json::{Value, json};

use crate::testkit::endpoints::half_hash;
use crate::testkit::jwt::JwtPlan;
use crate::testkit::lie::Change::IdToken;
use crate::testkit::lie::{Lie, Wish};

const ISS: &str = "iss";
const AUD: &str = "aud";
const AZP: &str = "azp";
const EXP: &str = "exp";
const IAT: &str = "iat";
const NBF: &str = "nbf";
const NONCE: &str = "nonce";
const AUTH_TIME: &str = "auth_time";
const ACR: &str = "acr";
const AT_HASH: &str = "at_hash";
const SUB: &str = "sub";
const STRICT: &str = "strict JSON";

/// The clock skew that the connection allows unless it says otherwise, in seconds.
const SKEW: i64 = 60;
/// The oldest ID token that is taken, in seconds.
const MAX_AGE: i64 = 600;

/// Puts a claim's raw JSON in the place of its value.
macro_rules! raw {
    ($claim:literal, $json:expr) => {
        |plan: &mut JwtPlan| {
            plan.set($claim, json!("@here@"));
            plan.claims_text = Some(|text| text.replacen("\"@here@\"", $json, 1).into_bytes());
        }
    };
}

macro_rules! set {
    ($claim:literal, $($value:tt)+) => {
        IdToken(|plan| plan.set($claim, json!($($value)+)))
    };
}

macro_rules! cut {
    ($claim:literal) => {
        IdToken(|plan| plan.cut($claim))
    };
}

macro_rules! time {
    ($claim:literal, $from_now:expr) => {
        IdToken(|plan| plan.set_time($claim, $from_now))
    };
}

fn audience(plan: &mut JwtPlan, more: &[&str]) {
    let all: Vec<&str> = std::iter::once(plan.scene.client_id.as_str()).chain(more.iter().copied()).collect();
    let all = json!(all);
    plan.set("aud", all);
}

fn issuer(plan: &mut JwtPlan, change: impl Fn(&str) -> Value) {
    let changed = change(&plan.scene.issuer);
    plan.set("iss", changed);
}

pub const PARTIES: &[Lie] = &[
    Lie::told(27, "iss absent", ISS, &[cut!("iss")]),
    Lie::told(27, "iss a list", ISS, &[IdToken(|plan| issuer(plan, |own| json!([own])))]),
    Lie::told(27, "iss of somebody else", ISS, &[set!("iss", "https://evil.example")]),
    Lie::told(27, "iss with a slash", ISS, &[IdToken(|plan| issuer(plan, |own| json!(format!("{own}/"))))]),
    Lie::told(27, "iss in capitals", ISS, &[IdToken(|plan| issuer(plan, |own| json!(own.to_uppercase())))]),
    Lie::told(27, "iss with a placeholder", ISS, &[set!("iss", "https://login.example/{tenantid}/v2.0")]),
    Lie::told(
        27,
        "iss with a letter that looks the same",
        ISS,
        &[IdToken(|plan| {
            issuer(plan, |own| json!(own.replacen('p', "\u{440}", 1)));
        })],
    ),
    Lie::told(27, "aud absent", AUD, &[cut!("aud")]),
    Lie::told(27, "aud of somebody else", AUD, &[set!("aud", "somebody")]),
    Lie::told(27, "aud empty", AUD, &[set!("aud", [])]),
    Lie::told(27, "aud a number", AUD, &[set!("aud", 7)]),
    Lie::told(
        27,
        "aud with a stranger",
        AUD,
        &[IdToken(|plan| {
            audience(plan, &["stranger"]);
            let own = json!(plan.scene.client_id);
            plan.set("azp", own);
        })],
    ),
    Lie::told(
        27,
        "aud with a blank before it",
        AUD,
        &[IdToken(|plan| {
            let blank = json!(format!(" {}", plan.scene.client_id));
            plan.set("aud", blank);
        })],
    ),
    Lie::told(
        27,
        "aud with numbers in its list",
        AUD,
        &[IdToken(|plan| {
            let list = json!([plan.scene.client_id, 7]);
            plan.set("aud", list);
        })],
    ),
    Lie::told(27, "azp absent with two audiences", AZP, &[IdToken(|plan| audience(plan, &["friend"]))])
        .settings(r#"{"audiences":["friend"]}"#),
    Lie::told(27, "azp of somebody else", AZP, &[set!("azp", "somebody")]),
    Lie::told(27, "azp a number", AZP, &[set!("azp", 7)]),
    Lie::odd(27, "aud a list of one", &[IdToken(|plan| audience(plan, &[]))]),
    Lie::odd(
        27,
        "aud with one that the connection lists, and azp",
        &[IdToken(|plan| {
            audience(plan, &["friend"]);
            let own = json!(plan.scene.client_id);
            plan.set("azp", own);
        })],
    )
    .settings(r#"{"audiences":["friend"]}"#),
];

pub const TIMES: &[Lie] = &[
    Lie::told(28, "exp absent", EXP, &[cut!("exp")]),
    Lie::told(
        28,
        "exp a text",
        EXP,
        &[IdToken(|plan| {
            let text = json!((plan.scene.now + 300).to_string());
            plan.set("exp", text);
        })],
    ),
    Lie::told(28, "exp past", EXP, &[time!("exp", -SKEW - 1)]),
    Lie::told(28, "exp negative", EXP, &[set!("exp", -1)]),
    Lie::told(
        28,
        "exp with a fraction",
        EXP,
        &[IdToken(|plan| {
            let half = json!(plan.scene.now as f64 + 300.5);
            plan.set("exp", half);
        })],
    ),
    Lie::told(28, "exp beyond all numbers of JSON's readers", EXP, &[IdToken(raw!("exp", "1e300"))]),
    Lie::told(28, "iat absent", IAT, &[cut!("iat")]),
    Lie::told(28, "iat a text", IAT, &[set!("iat", "now")]),
    Lie::told(28, "iat too old", IAT, &[time!("iat", -MAX_AGE - SKEW - 1)]),
    Lie::told(28, "iat of tomorrow", IAT, &[time!("iat", SKEW + 1)]),
    Lie::told(28, "nbf of tomorrow", NBF, &[time!("nbf", SKEW + 1)]),
    Lie::told(28, "nbf a list", NBF, &[set!("nbf", [1])]),
    Lie::odd(28, "exp just past", &[time!("exp", -SKEW + 1)]),
    Lie::odd(28, "iat just ahead", &[time!("iat", SKEW)]),
    Lie::odd(28, "nbf just ahead", &[time!("nbf", SKEW)]),
    Lie::odd(28, "exp far ahead", &[time!("exp", 400 * 86_400)]),
    Lie::odd(
        28,
        "times as whole numbers with a point",
        &[IdToken(|plan| {
            let (exp, iat) = (plan.scene.now as f64 + 300.0, plan.scene.now as f64);
            plan.set("exp", json!(exp));
            plan.set("iat", json!(iat));
        })],
    ),
];

pub const LOGIN: &[Lie] = &[
    Lie::told(28, "nonce absent", NONCE, &[cut!("nonce")]),
    Lie::told(28, "nonce of somebody else", NONCE, &[set!("nonce", "another-nonce-of-the-same-length-0123456789a")]),
    Lie::told(
        28,
        "nonce of another login",
        NONCE,
        &[IdToken(|plan| {
            let other = plan.scene.other.as_ref().and_then(|login| login.nonce.clone());
            plan.set("nonce", json!(other));
        })],
    ),
    Lie::told(28, "nonce empty", NONCE, &[set!("nonce", "")]),
    Lie::told(28, "nonce a number", NONCE, &[set!("nonce", 7)]),
    Lie::told(
        28,
        "nonce in other case",
        NONCE,
        &[IdToken(|plan| {
            let swapped = plan.scene.login.as_ref().and_then(|login| login.nonce.clone()).unwrap_or_default();
            let swap = |c: char| if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
            let swapped: String = swapped.chars().map(swap).collect();
            plan.set("nonce", json!(swapped));
        })],
    ),
    Lie::told(28, "auth_time absent though asked for", AUTH_TIME, &[cut!("auth_time")]).wish(Wish::Fresh),
    Lie::told(28, "auth_time too old", AUTH_TIME, &[time!("auth_time", -300 - SKEW - 1)]).wish(Wish::Fresh),
    Lie::told(28, "auth_time of tomorrow", AUTH_TIME, &[time!("auth_time", SKEW + 1)]).wish(Wish::Fresh),
    Lie::told(28, "auth_time a text", AUTH_TIME, &[set!("auth_time", "now")]).wish(Wish::Fresh),
    Lie::told(28, "auth_time of tomorrow though nobody asked", AUTH_TIME, &[time!("auth_time", SKEW + 1)]),
    Lie::odd(28, "auth_time absent where nobody asked", &[cut!("auth_time")]),
    Lie::odd(28, "auth_time old where nobody asked", &[time!("auth_time", -86_400)]),
    Lie::odd(28, "auth_time fresh", &[time!("auth_time", -299)]).wish(Wish::Fresh),
    Lie::told(13, "acr absent though demanded", ACR, &[cut!("acr")]).wish(Wish::Gold),
    Lie::told(13, "another acr than demanded", ACR, &[set!("acr", "bronze")]).wish(Wish::Gold),
    Lie::told(13, "acr a list", ACR, &[set!("acr", ["gold"])]).wish(Wish::Gold),
    Lie::odd(13, "the acr that was demanded", &[set!("acr", "gold")]).wish(Wish::Gold),
    Lie::told(28, "at_hash wrong", AT_HASH, &[set!("at_hash", "AAAAAAAAAAAAAAAAAAAAAA")]),
    Lie::told(
        28,
        "at_hash of another token",
        AT_HASH,
        &[IdToken(|plan| {
            plan.set("at_hash", json!(half_hash("another access token")));
        })],
    ),
    Lie::told(
        28,
        "at_hash whole",
        AT_HASH,
        &[IdToken(|plan| {
            use base64::Engine as _;
            let token = plan.scene.login.as_ref().map(|login| login.access_token.clone()).unwrap_or_default();
            let whole = crate::hash::sha256(token.as_bytes());
            plan.set("at_hash", json!(base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(whole)));
        })],
    ),
    Lie::told(28, "at_hash a number", AT_HASH, &[set!("at_hash", 7)]),
    Lie::odd(28, "no at_hash", &[cut!("at_hash")]),
];

pub const SUBJECT: &[Lie] = &[
    Lie::told(29, "sub absent", SUB, &[cut!("sub")]),
    Lie::told(29, "sub null", SUB, &[set!("sub", null)]),
    Lie::told(29, "sub empty", SUB, &[set!("sub", "")]),
    Lie::told(29, "sub of 256 octets", SUB, &[IdToken(|plan| plan.set("sub", json!("s".repeat(256))))]),
    Lie::told(29, "sub of 10 KB", SUB, &[IdToken(|plan| plan.set("sub", json!("s".repeat(10_240))))]),
    Lie::told(29, "sub a number", SUB, &[set!("sub", 12345)]),
    Lie::told(29, "sub true", SUB, &[set!("sub", true)]),
    Lie::told(29, "sub a list", SUB, &[set!("sub", ["alice"])]),
    Lie::told(29, "sub with NUL", SUB, &[set!("sub", "alice\u{0}admin")]),
];

pub const JSON: &[Lie] = &[
    Lie::told(
        30,
        "sub twice",
        STRICT,
        &[IdToken(|plan| {
            plan.claims_text = Some(|text| format!("{{\"sub\":\"victim\",{}", &text[1..]).into_bytes());
        })],
    ),
    Lie::told(
        30,
        "aud twice",
        STRICT,
        &[IdToken(|plan| {
            plan.claims_text = Some(|text| format!("{{\"aud\":\"somebody\",{}", &text[1..]).into_bytes());
        })],
    ),
    Lie::told(
        30,
        "sub twice, once with an escape",
        STRICT,
        &[IdToken(|plan| {
            plan.claims_text = Some(|text| format!("{{\"\\u0073ub\":\"victim\",{}", &text[1..]).into_bytes());
        })],
    ),
    Lie::told(
        30,
        "200 levels",
        STRICT,
        &[IdToken(|plan| {
            plan.claims_text =
                Some(|text| format!("{{\"deep\":{}{},{}", "[".repeat(200), "]".repeat(200), &text[1..]).into_bytes());
        })],
    ),
    Lie::told(30, "a number beyond all numbers", STRICT, &[IdToken(raw!("number", "1e400"))]),
    Lie::told(
        30,
        "a number of 400 digits",
        STRICT,
        &[IdToken(|plan| {
            plan.set("number", json!("@here@"));
            plan.claims_text = Some(|text| text.replacen("\"@here@\"", &"9".repeat(400), 1).into_bytes());
        })],
    ),
    Lie::told(
        30,
        "100 claims of 1 KB",
        "form of the ID token",
        &[IdToken(|plan| (0..100).for_each(|n| plan.set(&format!("claim{n}"), json!("x".repeat(1024)))))],
    ),
    Lie::told(
        30,
        "octets behind the claims",
        STRICT,
        &[IdToken(|plan| {
            plan.claims_text = Some(|text| format!("{text}{{}}").into_bytes());
        })],
    ),
    Lie::told(
        30,
        "a byte order mark",
        STRICT,
        &[IdToken(|plan| {
            plan.claims_text = Some(|text| format!("\u{feff}{text}").into_bytes());
        })],
    ),
    Lie::told(
        30,
        "invalid UTF-8",
        STRICT,
        &[IdToken(|plan| {
            plan.set("name", json!("@here@"));
            plan.claims_text = Some(|text| {
                let (before, after) = text.split_once("@here@").unwrap_or_default();
                [before.as_bytes(), b"\xff\xfe", after.as_bytes()].concat()
            });
        })],
    ),
    Lie::told(30, "half of a surrogate pair", STRICT, &[IdToken(raw!("name", "\"\\ud800\""))]),
    Lie::told(
        30,
        "claims that are a list",
        STRICT,
        &[IdToken(|plan| {
            plan.claims_text = Some(|text| format!("[{text}]").into_bytes());
        })],
    ),
    Lie::odd(30, "claims that nobody knows", &[set!("x", { "of": ["tomorrow", 1, null] })]),
];
