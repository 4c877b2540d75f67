//! Names and attributes that stand encrypted inside an assertion, and what a forger can learn from
//! refusals.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::trace::Step;
use fedbridge_contract::upstream::LoginOutcome;
use fedbridge_saml::names;
use fedbridge_saml::testkit::{Encryption, ResponsePlan, Sign, encrypted_assertion};
use serde_json::json;

use crate::support::{NOW, Pending, SP_KEYS, World, posted};

fn to_active() -> Encryption {
    Encryption::to(&SP_KEYS[1].certificate)
}

/// Any markup in the wrapper of that name.
fn wrapped(wrapper: &str, plaintext: &str, how: &Encryption) -> String {
    encrypted_assertion(plaintext, how).unwrap().replace("EncryptedAssertion", wrapper)
}

fn attribute(name: &str, value: &str) -> String {
    let namespace = names::ASSERTION;
    format!(
        "<saml:Attribute xmlns:saml=\"{namespace}\" Name=\"{name}\">\
         <saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>"
    )
}

fn statement(content: &str) -> String {
    format!("<saml:AttributeStatement>{content}</saml:AttributeStatement>")
}

/// A login whose plan was changed.
fn login(change: impl Fn(&mut ResponsePlan)) -> (World, Box<AuthenticatedIdentity>) {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    change(&mut plan);
    let identity = world.accept(&pending, &plan);
    (world, identity)
}

fn refused(settings: serde_json::Value, change: impl Fn(&mut ResponsePlan)) -> String {
    let world = World::with(settings);
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    change(&mut plan);
    world.refuse(&pending, &plan)
}

/// SAML core 2.2.4: the same person, with the same name at logout, however the name travels.
#[test]
fn an_encrypted_name_is_the_name() {
    let (_, plain) = login(|plan| plan.assertion.authn[0].session_index = Some("_s".into()));
    for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
        for around in [None, Some(to_active())] {
            let (_, identity) = login(|plan| {
                plan.assertion.authn[0].session_index = Some("_s".into());
                plan.assertion.name_id_encryption = Some(to_active());
                plan.sign = sign;
                plan.encryption = around.clone();
            });
            assert_eq!(identity.subject, plain.subject, "{sign:?}");
            assert_eq!(identity.session.logout_state, plain.session.logout_state);
        }
    }
}

#[test]
fn encrypted_parts_are_held_to_the_rules_of_assertions() {
    let name = |encryption: Encryption| {
        move |plan: &mut ResponsePlan| plan.assertion.name_id_encryption = Some(encryption.clone())
    };
    // Both keys of a rollover open it, and nobody else's.
    for key in [1, 2] {
        login(name(Encryption::to(&SP_KEYS[key].certificate)));
    }
    assert_eq!(refused(json!({}), name(Encryption::to(&SP_KEYS[0].certificate))), "Decryption");
    // CBC by setting alone, RSA 1.5 never.
    let cbc = Encryption { cipher: Encryption::AES_256_CBC, ..to_active() };
    assert_eq!(refused(json!({}), name(cbc.clone())), "Decryption");
    let world = World::with(json!({ "allow_cbc": true }));
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    name(cbc)(&mut plan);
    assert_eq!(world.accept(&pending, &plan).subject.display, "alice");
    let old = Encryption { transport: Encryption::RSA_1_5, ..to_active() };
    assert_eq!(refused(json!({ "allow_cbc": true }), name(old)), "Decryption");
}

#[test]
fn encrypted_attributes_stand_where_they_stood() {
    let (_, identity) = login(|plan| {
        plan.assertion.attributes.clear();
        let content = [
            attribute("groups", "first"),
            wrapped("EncryptedAttribute", &attribute("groups", "second"), &to_active()),
            attribute("groups", "third"),
            wrapped("EncryptedAttribute", &attribute("mail", "a@acme.example"), &to_active()),
        ];
        plan.assertion.raw_statements = statement(&content.concat());
    });
    assert_eq!(identity.attributes.get("groups"), ["first", "second", "third"]);
    assert_eq!(identity.attributes.get("mail"), ["a@acme.example"]);
}

#[test]
fn nothing_else_is_taken_out_of_an_encrypted_part() {
    let inside = |content: String| {
        refused(json!({}), move |plan| {
            plan.assertion.attributes.clear();
            plan.assertion.raw_statements = statement(&wrapped("EncryptedAttribute", &content, &to_active()));
        })
    };
    let good = attribute("mail", "a@acme.example");
    let name = format!("<saml:NameID xmlns:saml=\"{}\">mallory</saml:NameID>", names::ASSERTION);
    assert_eq!(inside(name), "Decrypted element");
    assert_eq!(inside(format!("<x>{good}</x>")), "Decrypted element");
    assert_eq!(inside(format!("{good}{good}")), "Decryption");
    assert_eq!(inside(format!("<!DOCTYPE a>{good}")), "Decryption");
    assert_eq!(inside(good.replace("acme", "ac<!-- -->me")), "Decryption");
    assert_eq!(inside(good.replace("Name=", "Nam=")), "Attributes");
    let many = |number: usize| {
        move |plan: &mut ResponsePlan| {
            let one = wrapped("EncryptedAttribute", &attribute("groups", "g"), &to_active());
            plan.assertion.raw_statements = statement(&one.repeat(number));
        }
    };
    login(many(16));
    assert_eq!(refused(json!({}), many(17)), "Encrypted attributes");
}

/// Guard: the ciphertext is under the signature; another one in its place is not.
#[test]
fn an_encrypted_name_can_not_be_swapped() {
    let world = World::new();
    let pending = world.begin();
    for sign in [Sign::Assertion, Sign::Response] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        plan.assertion.name_id_encryption = Some(to_active());
        let signed = plan.build(&world.idp).unwrap();
        let name = format!("<saml:NameID xmlns:saml=\"{}\">mallory</saml:NameID>", names::ASSERTION);
        let evil = wrapped("EncryptedID", &name, &to_active());
        let (start, end) =
            (signed.find("<saml:EncryptedID").unwrap(), signed.find("</saml:EncryptedID>").unwrap() + 19);
        let swapped = format!("{}{evil}{}", &signed[..start], &signed[end..]);
        let expected = if sign == Sign::Assertion { "Assertion signature" } else { "Response signature" };
        assert_eq!(world.refuse_xml(&pending, &swapped), expected);
    }
}

/// A rollover sees who encrypts to which key, and who has seen requests of which key.
#[test]
fn keys_that_the_provider_knows_are_noted() {
    let (world, _) = login(|plan| plan.encryption = Some(to_active()));
    let party = Party::Connection(world.connection);
    let noted = |how| (party, "scripted".to_owned(), how);
    assert_eq!(*world.seen.0.lock().unwrap(), [noted(Sighting::Verified), noted(Sighting::EncryptedTo)]);
    let (world, _) = login(|_| {});
    assert_eq!(
        *world.seen.0.lock().unwrap(),
        [noted(Sighting::Verified)].map(|(_, kid, how)| { (Party::Connection(world.connection), kid, how) })
    );
    // Nothing is noted of an answer that is refused.
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.encryption = Some(to_active());
    plan.assertion.issuer = "https://other.example".into();
    world.refuse(&pending, &plan);
    assert!(world.seen.0.lock().unwrap().is_empty());
}

/// How many ciphertexts each of the two threads changes.
const MUTATIONS: usize = 5_000;

/// Guard: 10,000 changed ciphertexts, of key and content, are refused in one and the same way (XML
/// Encryption 1.1, section 6).
#[test]
fn changed_ciphertexts_are_all_refused_alike() {
    let threads: Vec<_> = [0, 1].map(|place| thread::spawn(move || classes(place))).into_iter().collect();
    let found: BTreeSet<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(found.len(), 1, "{found:#?}");
    let (name, cause, _) = found.first().unwrap();
    assert_eq!(name, "Decryption");
    assert!(cause.ends_with("got the content could not be decrypted"), "{cause}");
}

/// What a forger could tell apart: which check, which cause, and what the page says.
fn classes(place: usize) -> BTreeSet<(String, String, String)> {
    let mut world = World::new();
    // One key halves the work, and a forger has no more of them.
    let mut ring: KeyRing = (*world.tenant.keys).clone();
    ring.saml_decryption.truncate(1);
    world.tenant.keys = Arc::new(ring);
    let pending: Pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.encryption = Some(to_active());
    let xml = plan.build(&world.idp).unwrap();
    let (start, _) = xml.match_indices("<xenc:CipherValue>").nth(place).unwrap();
    let start = start + "<xenc:CipherValue>".len();
    let end = start + xml[start..].find('<').unwrap();
    let good = STANDARD.decode(&xml[start..end]).unwrap();
    let mut found = BTreeSet::new();
    for turn in 0..MUTATIONS {
        let mut octets = good.clone();
        match turn % 10 {
            // Shorter and longer ones besides changed ones.
            0 => octets.truncate(turn % good.len()),
            1 => octets.extend(std::iter::repeat_n(7, turn % 33 + 1)),
            _ => octets[turn * 31 % good.len()] ^= 1 << (turn / 7 % 8),
        }
        let changed = format!("{}{}{}", &xml[..start], STANDARD.encode(octets), &xml[end..]);
        let (outcome, trace) = world.complete_input(&pending, &posted(&STANDARD.encode(&changed)), NOW);
        let LoginOutcome::Rejected(error) = outcome else { panic!("{outcome:?}") };
        let failed = trace.steps().iter().find_map(|step| match step {
            Step::Check { name, passed: false, .. } => Some(name.clone()),
            _ => None,
        });
        found.insert((failed.unwrap(), error.cause, error.public));
    }
    found
}
