//! The browser's answer (RFC 6749 section 4.1.2, RFC 9207).

use crate::testkit::lie::Change::Callback;
use crate::testkit::lie::{Lie, ParameterPlan};

const ONE: &str = "exactly one of code and error";
const ONCE: &str = "each parameter once";
const FORM: &str = "the code's form";
const ISS: &str = "iss of the answer";

fn twice(plan: &mut ParameterPlan, name: &str) {
    let same = plan.parameters.iter().find(|(key, _)| key == name).cloned();
    plan.parameters.extend(same);
}

pub const ANSWER: &[Lie] = &[
    Lie::told(17, "code and error", ONE, &[Callback(|plan| plan.add("error", "access_denied"))]),
    Lie::told(17, "neither code nor error", ONE, &[Callback(|plan| plan.cut("code"))]),
    Lie::told(17, "code twice", ONCE, &[Callback(|plan| twice(plan, "code"))]),
    Lie::told(17, "a second code", ONCE, &[Callback(|plan| plan.add("code", "another"))]),
    Lie::told(17, "iss twice", ONCE, &[Callback(|plan| twice(plan, "iss"))]),
    Lie::told(17, "empty code", FORM, &[Callback(|plan| plan.set("code", ""))]),
    Lie::told(17, "code of 5 KB", FORM, &[Callback(|plan| plan.set("code", "c".repeat(5000)))]),
    Lie::odd(
        17,
        "parameters of other specifications",
        &[Callback(|plan| {
            plan.add("session_state", "a.b");
            plan.add("scope", "openid");
            plan.add("something", "else");
        })],
    ),
    Lie::told(18, "iss absent though advertised", ISS, &[Callback(|plan| plan.cut("iss"))]),
    Lie::told(18, "iss of somebody else", ISS, &[Callback(|plan| plan.set("iss", "https://evil.example"))]),
    Lie::told(18, "iss with a slash", ISS, &[Callback(|plan| plan.set("iss", format!("{}/", plan.scene.issuer)))]),
    Lie::told(18, "iss in capitals", ISS, &[Callback(|plan| plan.set("iss", plan.scene.issuer.to_uppercase()))]),
    Lie::told(18, "iss empty", ISS, &[Callback(|plan| plan.set("iss", ""))]),
    Lie::told(18, "iss wrong though not advertised", ISS, &[Callback(|plan| plan.set("iss", "https://evil.example"))])
        .provider(|traits| traits.answers_name_issuer = false),
    Lie::odd(18, "iss right though not advertised", &[Callback(|plan| plan.set("iss", plan.scene.issuer.clone()))])
        .provider(|traits| traits.answers_name_issuer = false),
    Lie::odd(18, "no iss, and none advertised", &[]).provider(|traits| traits.answers_name_issuer = false),
];
