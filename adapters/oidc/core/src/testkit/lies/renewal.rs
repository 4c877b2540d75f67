//! The answer to a refresh (OpenID Connect Core 12.2).

use std::sync::Arc;

use serde_json::json;

use crate::testkit::jwt::Signature;
use crate::testkit::lie::Change::{Refreshed, Renewed};
use crate::testkit::lie::Lie;

const STRANGER: &str = "renewed signature";

pub const RENEWAL: &[Lie] = &[
    Lie::told(
        63,
        "iss of somebody else",
        "renewed iss",
        &[Renewed(|plan| plan.set("iss", json!("https://evil.example")))],
    ),
    Lie::told(63, "sub of somebody else", "renewed sub", &[Renewed(|plan| plan.set("sub", json!("victim")))]),
    Lie::told(63, "aud of somebody else", "renewed aud", &[Renewed(|plan| plan.set("aud", json!("somebody")))]),
    Lie::told(
        63,
        "iat older than before",
        "renewed iat",
        &[Renewed(|plan| {
            let before = plan.scene.login.as_ref().map_or(0, |login| login.auth_time);
            plan.set("iat", json!(before - 1));
        })],
    ),
    Lie::told(63, "auth_time changed", "renewed auth_time", &[Renewed(|plan| plan.set_time("auth_time", -7))]),
    Lie::told(63, "another nonce", "renewed nonce", &[Renewed(|plan| plan.set("nonce", json!("another")))]),
    Lie::told(
        63,
        "a stranger's key",
        STRANGER,
        &[Renewed(|plan| {
            plan.signature = Signature::By(Arc::clone(&plan.scene.keys.stranger));
        })],
    ),
    Lie::odd(63, "no ID token", &[Refreshed(|plan| plan.cut("id_token"))]),
    Lie::odd(63, "no nonce", &[Renewed(|plan| plan.cut("nonce"))]),
    Lie::odd(
        63,
        "iat as before",
        &[Renewed(|plan| {
            let before = plan.scene.login.as_ref().map_or(0, |login| login.auth_time);
            plan.set("iat", json!(before));
        })],
    ),
];
