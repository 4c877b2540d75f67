//! Every lie of the table, told to a connection of its own.

use fedbridge_contract::documents::PartnerDocuments as _;
use fedbridge_contract::upstream::LoginOutcome;
use fedbridge_oidc_core::testkit::{Endpoint, LIES, Lie, ScriptedOp, Verdict};
use fedbridge_oidc_rp::OidcFactory;
use serde_json::Value;

use crate::world::{Hands, ISSUER, NOW, World, complete, failed_check, wish};

#[tokio::test]
async fn every_lie_is_found_by_its_check() {
    every_lie_is_found(LIES, |_, settings| settings).await;
}

/// An administrator who types all addresses in is protected no less.
#[tokio::test]
async fn every_lie_is_found_without_discovery_too() {
    every_lie_is_found(&LIES[1..], |op, mut settings| {
        let published = op.right_metadata();
        let typed = [
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "userinfo_endpoint",
            "authorization_response_iss_parameter_supported",
            "claims_parameter_supported",
        ];
        settings["discovery"] = "off".into();
        for name in typed {
            settings["metadata"][name] = published[name].clone();
        }
        settings
    })
    .await;
}

async fn every_lie_is_found(table: &[&'static [Lie]], settings: impl Fn(&ScriptedOp, Value) -> Value) {
    let mut wrong = Vec::new();
    let mut told = 0;
    for lie in table.iter().copied().flatten() {
        told += 1;
        if let Err(why) = try_lie(lie, &settings).await {
            wrong.push(format!("[{}] {}: {why}", lie.item, lie.name));
        }
    }
    assert!(told > 150, "the table shrank: {told}");
    assert!(wrong.is_empty(), "{} of {told}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn lies_have_names_of_their_own() {
    let mut names: Vec<_> = LIES.iter().copied().flatten().map(|lie| (lie.item, lie.name)).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    for lie in LIES.iter().copied().flatten() {
        assert_eq!(lie.check.is_empty(), lie.verdict == Verdict::Accepted, "{}", lie.name);
    }
}

async fn try_lie(lie: &'static Lie, settings: impl Fn(&ScriptedOp, Value) -> Value) -> Result<(), String> {
    let clock = Hands::at(NOW);
    let op = ScriptedOp::new(ISSUER, clock.clone()).unwrap();
    if let Some(traits) = lie.when.traits {
        op.traits(traits);
    }
    let settings = settings(&op, serde_json::from_str(lie.when.settings).unwrap());
    if lie.verdict == Verdict::Down {
        return try_document(&op, lie, settings);
    }
    op.tell(lie);
    let world = match World::of(op, clock, settings) {
        Ok(world) => world,
        Err(complaints) => return Err(format!("the connection is down: {complaints:?}")),
    };
    // Somebody else is on the way to this provider too.
    let other = world.begin().await;
    world.op.answer(&other.location);
    let (outcome, trace) = world.login(wish(lie.when.wish)).await;
    let failed = failed_check(&trace);
    let codes = world.op.logins().iter().map(|login| login.uses).max().unwrap_or(0);
    let calls = world.op.seen().count(Endpoint::Token);
    if codes > 1 || calls > 1 {
        return Err(format!("the code was sent {calls} times"));
    }
    match (lie.verdict, &outcome) {
        (Verdict::Accepted, LoginOutcome::Authenticated(_)) => match trace.cause() {
            None => Ok(()),
            Some(cause) => Err(format!("accepted, with a failed check: {cause}")),
        },
        (Verdict::Refused, LoginOutcome::Rejected(error) | LoginOutcome::KeyUnknown(error)) => {
            // A name may go on behind a colon: `userinfo: status`.
            let named = |failed: &str| {
                failed.strip_prefix(lie.check).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
            };
            if !failed.as_deref().is_some_and(named) {
                return Err(format!("expected the check `{}`, failed: {:?}", lie.check, trace.cause()));
            }
            if error.public.contains("evil") || error.public.contains("victim") {
                return Err(format!("the sentence repeats what came: {}", error.public));
            }
            Ok(())
        }
        (verdict, outcome) => Err(format!("{verdict:?} was due: {} ({:?})", short(outcome), trace.cause())),
    }
}

/// A document that can't be put in force: by itself, or in the place of the right one.
fn try_document(op: &ScriptedOp, lie: &'static Lie, settings: Value) -> Result<(), String> {
    let settings = complete(op, settings);
    let right = op.metadata();
    op.tell(lie);
    let text = match OidcFactory::default().examine(&settings, Some(&right), &op.metadata(), NOW) {
        Err(complaints) => complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        Ok(examined) if examined.needs_approval() => {
            examined.drift.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
        Ok(examined) => return Err(format!("in force: {:?}", examined.drift)),
    };
    if text.contains(lie.check) { Ok(()) } else { Err(format!("expected `{}`: {text}", lie.check)) }
}

fn short(outcome: &LoginOutcome) -> String {
    match outcome {
        LoginOutcome::Authenticated(identity) => format!("authenticated {}", identity.subject.key),
        other => format!("{other:?}"),
    }
}
