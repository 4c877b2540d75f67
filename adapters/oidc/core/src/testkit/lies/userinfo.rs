//! The answer of the userinfo endpoint (OpenID Connect Core 5.3).

use std::sync::Arc;

use serde_json::json;

use crate::testkit::http::Manner;
use crate::testkit::jwt::Signature;
use crate::testkit::lie::Change::{SignedUserinfo, Userinfo};
use crate::testkit::lie::Lie;
use crate::testkit::op::Traits;

const SUB: &str = "sub at userinfo";
const INFO: &str = "userinfo";

const ASKED: &str = r#"{"userinfo":"always"}"#;
const SIGNED_ASKED: &str = r#"{"userinfo":"always","userinfo_signed":true}"#;

fn signs(traits: &mut Traits) {
    traits.signed_userinfo = true;
}

pub const USERINFO: &[Lie] = &[
    Lie::told(37, "sub of somebody else", SUB, &[Userinfo(|plan| plan.json["sub"] = json!("victim"))]).settings(ASKED),
    Lie::told(37, "sub in other case", SUB, &[Userinfo(|plan| plan.json["sub"] = json!("ALICE"))]).settings(ASKED),
    Lie::told(37, "sub absent", SUB, &[Userinfo(|plan| plan.cut("sub"))]).settings(ASKED),
    Lie::told(37, "sub a list", SUB, &[Userinfo(|plan| plan.json["sub"] = json!(["alice"]))]).settings(ASKED),
    Lie::told(37, "status 401", INFO, &[Userinfo(|plan| plan.status = 401)]).settings(ASKED),
    Lie::told(37, "HTML", INFO, &[Userinfo(|plan| plan.content_type = Some("text/html".into()))]).settings(ASKED),
    Lie::told(37, "a gigabyte", INFO, &[Userinfo(|plan| plan.manner = Manner::Endless)]).settings(ASKED),
    Lie::told(
        37,
        "a redirect",
        INFO,
        &[Userinfo(|plan| {
            plan.status = 302;
            plan.headers.push(("location".into(), "https://evil.example".into()));
        })],
    )
    .settings(ASKED),
    Lie::told(
        37,
        "sub twice",
        INFO,
        &[Userinfo(|plan| {
            plan.octets = Some(|text| format!("{{\"sub\":\"victim\",{}", &text[1..]).into_bytes());
        })],
    )
    .settings(ASKED),
    Lie::told(38, "unsigned though it must be", INFO, &[]).settings(SIGNED_ASKED),
    Lie::odd(37, "userinfo that agrees", &[]).settings(ASKED),
];

pub const SIGNED: &[Lie] = &[
    Lie::told(38, "aud of somebody else", INFO, &[SignedUserinfo(|plan| plan.set("aud", json!("somebody")))])
        .settings(SIGNED_ASKED)
        .provider(signs),
    Lie::told(38, "aud absent", INFO, &[SignedUserinfo(|plan| plan.cut("aud"))]).settings(SIGNED_ASKED).provider(signs),
    Lie::told(
        38,
        "iss of somebody else",
        INFO,
        &[SignedUserinfo(|plan| plan.set("iss", json!("https://evil.example")))],
    )
    .settings(SIGNED_ASKED)
    .provider(signs),
    Lie::told(
        38,
        "alg none",
        INFO,
        &[SignedUserinfo(|plan| {
            plan.header.insert("alg".into(), json!("none"));
            plan.signature = Signature::Empty;
        })],
    )
    .settings(SIGNED_ASKED)
    .provider(signs),
    Lie::told(
        38,
        "a stranger's key",
        INFO,
        &[SignedUserinfo(|plan| {
            plan.signature = Signature::By(Arc::clone(&plan.scene.keys.stranger));
        })],
    )
    .settings(SIGNED_ASKED)
    .provider(signs),
    Lie::told(38, "sub of somebody else, signed", SUB, &[SignedUserinfo(|plan| plan.set("sub", json!("victim")))])
        .settings(SIGNED_ASKED)
        .provider(signs),
    Lie::odd(38, "signed userinfo", &[]).settings(SIGNED_ASKED).provider(signs),
];
