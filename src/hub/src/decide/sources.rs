//! What a login says of a person, and what a directory says that pushes them: whose word counts for each claim.

use fedbridge_contract::claims::Claims;
use fedbridge_contract::push::{ClaimSource, Precedence};
use fedbridge_contract::trace::{RuleResult, TraceLog};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::map::step;

/// What a directory says of somebody whom it pushes. Plain data: a trace keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PushedFacts {
    /// The slug of the directory's connection.
    pub connection: String,
    /// Mail domains whose e-mail counts as verified there.
    pub domains: Vec<String>,
    /// What its mapping has made.
    pub claims: Claims,
    /// Whether it pushes groups at all: somebody who is in none of them is in none then.
    pub groups: bool,
    pub precedence: Precedence,
}

/// Puts what was pushed beside what the login says. True: the e-mail address is the directory's.
pub(super) fn merge(claims: &mut Claims, pushed: &PushedFacts, trace: &mut TraceLog) -> bool {
    let mut is_theirs = false;
    for (claim, value) in pushed.claims.iter().filter(|(claim, _)| claim.as_str() != "email_verified") {
        let by_login = claims.get(claim).is_some() && pushed.precedence.of(claim) == ClaimSource::Login;
        let result = if by_login {
            RuleResult::Overridden { by: "login".to_owned() }
        } else {
            claims.set(claim.as_str(), value.clone());
            is_theirs |= claim == "email";
            RuleResult::Made { value: value.clone(), from: Some(pushed.connection.clone()) }
        };
        trace.push(step("pushed", claim, &rule(pushed), result));
    }
    if is_theirs {
        claims.set("email_verified", pushed.claims.get("email_verified").cloned().unwrap_or(Value::Null));
    }
    if pushed.groups && pushed.claims.get("groups").is_none() && pushed.precedence.of("groups") == ClaimSource::Push {
        claims.set("groups", Value::Null);
        trace.push(step("pushed", "groups", &rule(pushed), RuleResult::Nothing));
    }
    is_theirs
}

fn rule(pushed: &PushedFacts) -> String {
    format!("pushed by {}", pushed.connection)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(of: Value) -> Claims {
        let mut claims = Claims::default();
        for (name, value) in of.as_object().into_iter().flatten() {
            claims.set(name.as_str(), value.clone());
        }
        claims
    }

    fn merged(login: Value, pushed: Value, groups: bool, by_login: &[&str]) -> (Claims, bool) {
        let mut all = claims(login);
        let words = by_login.iter().map(|claim| ((*claim).to_owned(), ClaimSource::Login)).collect();
        let pushed = PushedFacts {
            connection: "hr".into(),
            domains: Vec::new(),
            claims: claims(pushed),
            groups,
            precedence: Precedence { otherwise: ClaimSource::Push, claims: words },
        };
        let theirs = merge(&mut all, &pushed, &mut TraceLog::new());
        (all, theirs)
    }

    #[test]
    fn each_claim_is_of_the_source_whose_word_counts() {
        let login = json!({ "name": "Ada L", "email": "a@login", "email_verified": true, "groups": ["it"] });
        let pushed = json!({ "name": "Ada", "email": "a@hr", "email_verified": false, "title": "Dr" });
        let (all, theirs) = merged(login.clone(), pushed.clone(), false, &[]);
        let wanted = json!({
            "name": "Ada", "email": "a@hr", "email_verified": false, "groups": ["it"], "title": "Dr",
        });
        assert_eq!((all, theirs), (claims(wanted), true));
        let (all, theirs) = merged(login, pushed, false, &["email", "name", "title"]);
        let wanted = json!({
            "name": "Ada L", "email": "a@login", "email_verified": true, "groups": ["it"], "title": "Dr",
        });
        assert_eq!((all, theirs), (claims(wanted), false), "what a login does not say is the directory's");
    }

    #[test]
    fn who_is_in_no_pushed_group_is_in_none() {
        let login = json!({ "groups": ["it"] });
        assert_eq!(merged(login.clone(), json!({}), true, &[]).0, claims(json!({})));
        assert_eq!(merged(login.clone(), json!({}), false, &[]).0, claims(login.clone()));
        assert_eq!(merged(login.clone(), json!({}), true, &["groups"]).0, claims(login.clone()));
        assert_eq!(merged(login, json!({ "groups": ["hr"] }), true, &[]).0, claims(json!({ "groups": ["hr"] })));
    }

    #[test]
    fn the_word_about_an_address_goes_with_the_address() {
        let (all, _) =
            merged(json!({ "email": "a@login", "email_verified": true }), json!({ "email": "a@hr" }), false, &[]);
        assert_eq!(all, claims(json!({ "email": "a@hr" })), "nobody has said that this one is verified");
    }
}
