//! What one app learns: the claims of its scopes, of its `release` list, and of
//! its own rules.

use fedbridge_contract::claims::Claims;
use fedbridge_contract::trace::{RuleResult, TraceLog, clip};
use serde_json::Value;

use super::map::{merge, run_cel, step};
use super::{Denial, Facts, email};
use crate::mapping::{AppRules, Make};

#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseOutcome {
    pub released: Claims,
    pub denial: Option<Denial>,
    pub trace: TraceLog,
}

/// The scope that releases a claim (OpenID Connect Core 5.4; `groups` by its own).
/// All other claims are released by name only.
pub(crate) fn scope_of(claim: &str) -> Option<&'static str> {
    Some(match claim {
        "name" | "given_name" | "family_name" | "middle_name" | "nickname" | "preferred_username" | "profile"
        | "picture" | "website" | "gender" | "birthdate" | "zoneinfo" | "locale" | "updated_at" => "profile",
        "email" | "email_verified" => "email",
        "address" => "address",
        "phone_number" | "phone_number_verified" => "phone",
        "groups" => "groups",
        _ => return None,
    })
}

/// Chooses what an app gets of a person's claims.
///
/// The app's own rules run first, over all claims of the person; what they make is
/// always released, and a `null` keeps the claim from this app. A claim asked for
/// by name (Core 5.5) is released only where its scope is one of the app's
/// registered ones: asking for more gets nothing more.
pub fn release(facts: &Facts, claims: &Claims, app: &AppRules) -> ReleaseOutcome {
    let mut trace = TraceLog::new();
    let mut failure = None;
    let mut own = Claims::default();
    let mut hidden: Vec<&str> = Vec::new();
    for rule in &app.plain {
        if let Make::Value(value) = &rule.make {
            own.set(rule.claim.as_str(), value.clone());
            let result = if value.is_null() {
                hidden.push(rule.claim.as_str());
                RuleResult::Nothing
            } else {
                RuleResult::Made { value: value.clone(), from: None }
            };
            trace.push(step(rule.stage, &rule.claim, &rule.shown, result));
        }
    }
    if !app.cel.is_empty() {
        let made = run_cel(facts, claims, &app.cel, &mut trace, &mut failure);
        hidden.extend(made.iter().filter(|(_, value)| value.is_none()).map(|(claim, _)| *claim));
        merge(&mut own, made);
    }
    if let Some(denial) = failure {
        trace.decide("release", denial.reason.clone(), false);
        return ReleaseOutcome { released: Claims::default(), denial: Some(denial), trace };
    }

    let mut released = Claims::default();
    for (claim, value) in claims.iter() {
        if own.get(claim).is_some() || hidden.contains(&claim.as_str()) {
            continue;
        }
        match reason_to_withhold(facts, app, claim) {
            None => released.set(claim.as_str(), value.clone()),
            Some(why) => trace.push(step("release", claim, why.rule, RuleResult::Withheld { why: clip(why.text) })),
        }
    }
    release_own(facts, claims, own, &mut released, &mut trace);
    let names: Vec<&str> = released.iter().map(|(name, _)| name.as_str()).collect();
    let outcome = if names.is_empty() { "no claims".to_owned() } else { names.join(", ") };
    trace.decide("release", outcome, true);
    ReleaseOutcome { released, denial: None, trace }
}

/// Puts the app's own claims in. Its rules can't make an address verified either:
/// another address is settled anew, and a word about the person's own only lowers.
fn release_own(facts: &Facts, claims: &Claims, mut own: Claims, released: &mut Claims, trace: &mut TraceLog) {
    let domains = &facts.connection.domains;
    if own.get("email").is_some() {
        let lowered = email::says_no(&own) || email::was_lowered(claims, domains);
        if let Some(why) = email::settle(&mut own, domains, lowered) {
            trace.decide("email_verified", why, true);
        }
    } else if own.get("email_verified").is_some() && claims.get("email_verified") != Some(&Value::Bool(true)) {
        own.set("email_verified", Value::Bool(false));
    }
    for (claim, value) in own.0 {
        released.set(claim, value);
    }
}

struct Withheld {
    rule: &'static str,
    text: String,
}

fn reason_to_withhold(facts: &Facts, app: &AppRules, claim: &str) -> Option<Withheld> {
    if app.release.contains(claim) {
        return None;
    }
    let request = &facts.request;
    let asked = request.claims.iter().any(|asked| asked == claim);
    let Some(scope) = scope_of(claim) else {
        let text = if asked {
            format!("the app asked for `{claim}`, which is not in its `release`")
        } else {
            format!("`{claim}` is not in the app's `release`")
        };
        return Some(Withheld { rule: "release", text });
    };
    if request.scopes.iter().any(|granted| granted == scope) {
        return None;
    }
    let registered = facts.client.as_ref().map_or(&[][..], |client| &client.scopes);
    // An app whose protocol knows no scopes gets what its settings name.
    if registered.is_empty() && request.scopes.is_empty() {
        let text = format!("nothing that the app gets is made of `{claim}`");
        return Some(Withheld { rule: "release", text });
    }
    if !asked {
        return Some(Withheld { rule: "scope", text: format!("the login was not granted the scope `{scope}`") });
    }
    (!registered.iter().any(|known| known == scope)).then(|| Withheld {
        rule: "scope",
        text: format!("the app asked for `{claim}`, but is not registered for the scope `{scope}`"),
    })
}
