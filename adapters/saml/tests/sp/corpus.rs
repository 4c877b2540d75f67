//! The whole hostile corpus at the assertion consumer service and at the import of metadata, and
//! the valid one beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::upstream::LoginOutcome;
use fedbridge_saml::testkit::hostile::{Good, Hostile, MessageKind, corpus, metadata, valid, valid_metadata};
use fedbridge_saml::testkit::{ScriptedIdp, Sign};
use fedbridge_saml_core::metadata::import::import;

use crate::support::{IDP, NOW, Pending, World, failed_check, posted};

/// A right response whose root is to be signed, and an assertion that somebody captured.
pub fn good<'a>(world: &'a World, pending: &Pending) -> Good<'a> {
    let mut plan = world.plan(pending);
    plan.sign = Sign::Nothing;
    let captured = world.plan(pending).build(&world.idp).unwrap();
    let captured = &captured[captured.find("<saml:Assertion").unwrap()..captured.find("</samlp:Response>").unwrap()];
    Good {
        kind: MessageKind::Response,
        xml: plan.build(&world.idp).unwrap(),
        id: plan.id.clone(),
        key: &world.idp.key,
        victim: "alice",
        captured: captured.to_owned(),
    }
}

#[test]
fn every_hostile_response_is_refused_for_its_own_reason() {
    let world = World::new();
    let pending = world.begin();
    let all = corpus(&good(&world, &pending)).unwrap();
    assert!(all.len() > 100, "{}", all.len());
    let mut wrong = Vec::new();
    for hostile in &all {
        let Hostile { name, octets, reason } = hostile;
        let (outcome, trace) = world.complete_input(&pending, &posted(&STANDARD.encode(octets)), NOW);
        match outcome {
            LoginOutcome::Rejected(_) | LoginOutcome::KeyUnknown(_) => {
                failed_check(&trace);
                let cause = trace.cause().unwrap();
                if !hostile.is_explained_by(&cause) {
                    wrong.push(format!("{name}: not «{reason}» but {cause}"));
                }
            }
            other => wrong.push(format!("{name}: {other:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn every_valid_response_is_accepted() {
    let world = World::new();
    let pending = world.begin();
    for (name, octets) in valid(&good(&world, &pending)).unwrap() {
        match world.complete_input(&pending, &posted(&STANDARD.encode(octets)), NOW) {
            (LoginOutcome::Authenticated(identity), _) => assert_eq!(identity.subject.display, "alice", "{name}"),
            (_, trace) => panic!("{name}: {:?}", trace.cause()),
        }
    }
}

#[test]
fn all_hostile_metadata_is_refused_for_its_own_reason() {
    let idp = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let mut wrong = Vec::new();
    for hostile in metadata(&idp.metadata()) {
        let Hostile { name, octets, reason } = &hostile;
        match import(octets, None, NOW) {
            Ok(_) => wrong.push(format!("{name}: accepted")),
            Err(complaints) if complaints.iter().any(|complaint| hostile.is_explained_by(&complaint.message)) => {}
            Err(complaints) => wrong.push(format!("{name}: not «{reason}» but {complaints:?}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_valid_metadata_is_accepted() {
    let idp = ScriptedIdp::new(IDP, "https://idp.example/sso");
    for (name, octets) in valid_metadata(&idp.metadata()) {
        let read = import(&octets, None, NOW);
        assert!(read.is_ok_and(|idp| idp.entity_id == IDP && idp.signing.len() == 1), "{name}");
    }
}
