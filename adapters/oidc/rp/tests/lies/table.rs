//! Every lie of the table, told to a connection of its own.

use std::collections::{BTreeMap, BTreeSet};

use fedbridge_contract::documents::PartnerDocuments as _;
use fedbridge_contract::upstream::LoginOutcome;
use fedbridge_oidc_core::testkit::{Endpoint, LIES, Lie, METADATA, ScriptedOp, Verdict, all_lies};
use fedbridge_oidc_rp::OidcFactory;
use serde_json::Value;

use crate::world::{Hands, ISSUER, NOW, World, complete, failed_check, wish};

#[tokio::test]
async fn every_lie_is_found_by_its_check() {
    every_lie_is_found(METADATA.iter().chain(of_a_login()), |_, settings| settings).await;
}

/// An administrator who types all addresses in is protected no less.
#[tokio::test]
async fn every_lie_is_found_without_discovery_too() {
    every_lie_is_found(of_a_login(), |op, mut settings| {
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

fn of_a_login() -> impl Iterator<Item = &'static Lie> {
    LIES.iter().copied().flatten()
}

async fn every_lie_is_found(lies: impl Iterator<Item = &'static Lie>, settings: impl Fn(&ScriptedOp, Value) -> Value) {
    let mut wrong = Vec::new();
    let mut told = 0;
    for lie in lies {
        told += 1;
        if let Err(why) = try_lie(lie, &settings).await {
            wrong.push(format!("[{}] {}: {why}", lie.item, lie.name));
        }
    }
    assert!(wrong.is_empty(), "{} of {told}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn lies_have_names_of_their_own() {
    let mut names = BTreeSet::new();
    for lie in all_lies() {
        assert!(names.insert((lie.item, lie.name)), "[{}] {} is there twice", lie.item, lie.name);
        assert_eq!(lie.check.is_empty(), lie.verdict == Verdict::Accepted, "{}", lie.name);
    }
}

/// Each check that can refuse what a provider says, by the number of its requirement, and how many lies try it.
/// Of an oddity that has to be taken, the check is "". What no answer of a provider can break has tests of its own.
const TRIED: &[(u8, &str, usize)] = &[
    (1, "issuer of the metadata", 4),
    (2, "", 1),
    (2, "authorization_endpoint of the metadata", 1),
    (2, "jwks_uri of the metadata", 2),
    (2, "token_endpoint", 1),
    (2, "token_endpoint of the metadata", 3),
    (13, "", 1),
    (13, "acr", 3),
    (17, "", 1),
    (17, "each parameter once", 5),
    (17, "exactly one of code and error", 2),
    (17, "the code's form", 2),
    (18, "", 2),
    (18, "iss of the answer", 6),
    (23, "", 2),
    (23, "token endpoint", 15),
    (25, "an ID token came", 5),
    (26, "", 6),
    (26, "alg of the ID token", 9),
    (26, "critical header", 3),
    (26, "form of the ID token", 5),
    (26, "key named in the header", 6),
    (26, "kind of token", 3),
    (26, "signature of the ID token", 7),
    (27, "", 2),
    (27, "aud", 7),
    (27, "azp", 3),
    (27, "iss", 7),
    (28, "", 9),
    (28, "at_hash", 4),
    (28, "auth_time", 5),
    (28, "exp", 6),
    (28, "iat", 4),
    (28, "nbf", 2),
    (28, "nonce", 6),
    (29, "sub", 9),
    (30, "", 1),
    (30, "form of the ID token", 2),
    (30, "strict JSON", 13),
    (30, "the metadata is", 3),
    (32, "key of the ID token", 1),
    (33, "", 1),
    (33, "key of the ID token", 1),
    (34, "", 2),
    (34, "key of the ID token", 1),
    (34, "the key set", 15),
    (37, "", 1),
    (37, "sub at userinfo", 4),
    (37, "userinfo", 5),
    (38, "", 1),
    (38, "sub at userinfo", 1),
    (38, "userinfo", 6),
    (63, "", 3),
    (63, "renewed aud", 1),
    (63, "renewed auth_time", 1),
    (63, "renewed iat", 1),
    (63, "renewed iss", 1),
    (63, "renewed nonce", 1),
    (63, "renewed signature", 1),
    (63, "renewed sub", 1),
    (67, "state of the logout", 3),
    (68, "", 6),
    (68, "key named in the header", 1),
    (68, "kind of token", 2),
    (68, "logout token: alg", 3),
    (68, "logout token: aud", 2),
    (68, "logout token: events", 4),
    (68, "logout token: exp", 2),
    (68, "logout token: iat", 3),
    (68, "logout token: iss", 2),
    (68, "logout token: jti", 3),
    (68, "logout token: nonce", 2),
    (68, "logout token: sid", 2),
    (68, "logout token: signature", 1),
    (68, "logout token: sub", 1),
    (68, "logout token: who is meant", 1),
    (70, "", 1),
    (70, "iss of the frame", 2),
    (70, "sid of the frame", 2),
];

#[test]
fn no_lie_is_lost() {
    let mut told = BTreeMap::new();
    for lie in all_lies() {
        *told.entry((lie.item, lie.check)).or_insert(0) += 1;
    }
    let due: BTreeMap<_, usize> = TRIED.iter().map(|&(item, check, lies)| ((item, check), lies)).collect();
    let lost: Vec<_> = due.iter().filter(|(what, lies)| told.get(what).is_none_or(|told| told < *lies)).collect();
    assert!(lost.is_empty(), "fewer lies than there were: {lost:?}");
    let unguarded: Vec<_> = told.iter().filter(|(what, lies)| due.get(what) != Some(lies)).collect();
    assert!(unguarded.is_empty(), "write these into the table, so that they are not lost: {unguarded:?}");
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
