//! The decision about one login: attributes in, released claims out. Pure:
//! the live login, the preview and the replay of a recorded one call the same
//! [`decide`], so they can't disagree.
//!
//! The order is fixed: [`map`] (`from` and `value`, [`sources`] where a directory pushes the person, the connection's
//! `cel`, `deny_when`), then the app's `groups`, then [`release`] (the app's `cel`, and what it may see).

mod email;
mod facts;
mod map;
mod pairwise;
mod release;
mod replay;
mod sources;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::trace::TraceLog;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::mapping::{AppRules, Mapping};

pub(crate) use email::owns;
pub use facts::{ClientFacts, ConnectionFacts, Facts, RequestFacts};
pub use map::{MapOutcome, map};
pub use pairwise::pairwise_sub;
pub use release::{ReleaseOutcome, release};
pub use replay::{CompiledReplay, ReplayInput};
pub use sources::PushedFacts;

/// What a decision is made from.
#[derive(Debug, Clone, Copy)]
pub struct DecideInput<'a> {
    pub facts: &'a Facts,
    pub mapping: &'a Mapping,
    pub app: &'a AppRules,
}

/// The person, in words that no protocol owns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NormalizedIdentity {
    /// Finds the person again inside one connection.
    pub subject: String,
    /// What an admin reads for it.
    pub display: String,
    /// False when the upstream will send another subject next time.
    pub stable: bool,
    /// All claims that the mapping made; an app sees a part of them.
    pub claims: Claims,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    pub identity: NormalizedIdentity,
    pub verdict: Verdict,
    /// One step for each rule, policy and release decision, in order.
    pub trace: TraceLog,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The app gets these claims and no other.
    Allowed {
        released: Claims,
    },
    Denied(Denial),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    pub kind: DenialKind,
    /// For the trace: the admin's own reason, or the rule's failure.
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DenialKind {
    /// A `deny_when` rule fired.
    Policy,
    /// The person is in none of the app's groups.
    Membership,
    /// A rule could not be evaluated, so nobody knows what it would have said.
    RuleFailed,
}

/// Decides one login: mapping, login policy, release.
pub fn decide(input: &DecideInput<'_>) -> Decision {
    let MapOutcome { identity, denial, mut trace } = map(input.facts, input.mapping);
    if let Some(denial) = denial {
        return Decision { identity, verdict: Verdict::Denied(denial), trace };
    }
    if let Some(denial) = outside(&identity.claims, &input.app.groups, &mut trace) {
        return Decision { identity, verdict: Verdict::Denied(denial), trace };
    }
    let outcome = release(input.facts, &identity.claims, input.app);
    trace.extend(outcome.trace);
    let verdict = match outcome.denial {
        Some(denial) => Verdict::Denied(denial),
        None => Verdict::Allowed { released: outcome.released },
    };
    Decision { identity, verdict, trace }
}

/// Why somebody who is in none of the app's groups is not let in.
pub(crate) fn outside(claims: &Claims, groups: &[String], trace: &mut TraceLog) -> Option<Denial> {
    if groups.is_empty() {
        return None;
    }
    let theirs = match claims.get("groups") {
        Some(Value::Array(values)) => values.iter().filter_map(Value::as_str).collect(),
        Some(Value::String(one)) => vec![one.as_str()],
        _ => Vec::new(),
    };
    let shared = theirs.iter().find(|theirs| groups.iter().any(|group| group == *theirs));
    let outcome = match shared {
        Some(group) => format!("a member of {group}"),
        None => format!("a member of none of {}", groups.join(", ")),
    };
    trace.decide("the app's groups", outcome.clone(), shared.is_some());
    shared.is_none().then_some(Denial { kind: DenialKind::Membership, reason: outcome })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn only_members_of_the_apps_groups_come_in() {
        let wanted = ["staff".to_owned(), "admins".to_owned()];
        for (groups, inside) in [
            (json!(["guests", "staff"]), true),
            (json!("admins"), true),
            (json!(["Staff"]), false),
            (json!([]), false),
            (json!(null), false),
            (json!(7), false),
        ] {
            let mut claims = Claims::default();
            claims.set("groups", groups.clone());
            let denial = outside(&claims, &wanted, &mut TraceLog::new());
            assert_eq!(denial.is_none(), inside, "{groups}");
            assert_eq!(outside(&claims, &[], &mut TraceLog::new()), None);
        }
        let denial = outside(&Claims::default(), &wanted, &mut TraceLog::new()).unwrap();
        assert_eq!(denial.kind, DenialKind::Membership);
    }
}
