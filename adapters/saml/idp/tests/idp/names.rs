//! How people are named.

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::ids::{PersonId, SessionId};
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::Element;
use serde_json::{Value, json};

use crate::logins::{assertion, find};
use crate::support::{Ask, IDP, SP, Sp, World, posted_response};

const OTHER: &str = "https://other.example/sp";

fn policy(attributes: &str) -> Ask {
    Ask::having(&format!("<samlp:NameIDPolicy{attributes}/>"))
}

fn format(uri: &str) -> Ask {
    policy(&format!(" Format=\"{uri}\" AllowCreate=\"true\""))
}

fn name_of(world: &World, ask: &Ask) -> Element {
    let login = world.login(&ask.by_redirect());
    find(&assertion(&posted_response(&world.finish(&login).reply).1), "NameID").clone()
}

fn named(setting: Value) -> World {
    World::with(json!({ "name_id": setting }))
}

fn value(name: &Element) -> String {
    name.only_text().unwrap().to_owned()
}

#[test]
fn a_persistent_name_is_random_pairwise_and_stays() {
    let world = World::new();
    let first = name_of(&world, &Ask::new());
    assert_eq!(first.attribute("Format"), Some(names::FORMAT_PERSISTENT));
    assert_eq!((first.attribute("NameQualifier"), first.attribute("SPNameQualifier")), (Some(IDP), Some(SP)));
    let text = value(&first);
    assert!(text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()), "{text}");
    assert!(!text.contains(&world.person.to_string()));
    // The same in another session, and after the registration was made anew.
    let mut later =
        World::kept(world.doubles.clone(), &Sp::default(), json!({ "name_id": { "format": "persistent" } }));
    later.session = SessionId::from_uuid(uuid::Uuid::from_u128(32));
    assert_eq!(value(&name_of(&later, &Ask::new())), text);
    // Another person, and another app, have another.
    later.person = PersonId::from_uuid(uuid::Uuid::from_u128(22));
    assert_ne!(value(&name_of(&later, &Ask::new())), text);
    let other = Sp { entity_id: OTHER.into(), ..Sp::default() };
    let other = World::kept(world.doubles.clone(), &other, json!({}));
    assert_ne!(value(&name_of(&other, &Ask::new().replaced(SP, OTHER))), text);
    assert_eq!(world.doubles.names.lock().unwrap().len(), 3);
}

#[test]
fn members_of_an_affiliation_share_a_name() {
    let settings = json!({ "name_id": { "format": "persistent", "affiliation": "urn:club" } });
    let world = World::with(settings.clone());
    let first = name_of(&world, &policy(" SPNameQualifier=\"urn:club\" AllowCreate=\"1\""));
    assert_eq!(first.attribute("SPNameQualifier"), Some("urn:club"));
    let other = World::kept(world.doubles.clone(), &Sp { entity_id: OTHER.into(), ..Sp::default() }, settings);
    assert_eq!(value(&name_of(&other, &Ask::new().replaced(SP, OTHER))), value(&first));
}

#[test]
fn without_leave_nothing_is_created() {
    let world = World::new();
    for ask in
        [policy(" AllowCreate=\"false\""), policy(""), policy(&format!(" Format=\"{}\"", names::FORMAT_PERSISTENT))]
    {
        let login = world.login(&ask.by_redirect());
        let refusal = world.finish_as(&login, &world.identity()).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::SubjectUnavailable);
    }
    assert!(world.doubles.names.lock().unwrap().is_empty());
    let made = value(&name_of(&world, &Ask::new()));
    assert_eq!(value(&name_of(&world, &policy(" AllowCreate=\"false\""))), made, "one that is there is given");
    // A transient name is never there before (SAML core 8.3.8).
    name_of(&World::new(), &policy(&format!(" Format=\"{}\" AllowCreate=\"0\"", names::FORMAT_TRANSIENT)));
}

#[test]
fn a_transient_name_is_of_one_session_at_one_app() {
    let mut world = named(json!({ "format": "transient" }));
    let first = name_of(&world, &Ask::new());
    assert_eq!(first.attribute("Format"), Some(names::FORMAT_TRANSIENT));
    assert_eq!(value(&name_of(&world, &Ask::new())), value(&first));
    world.session = SessionId::from_uuid(uuid::Uuid::from_u128(32));
    assert_ne!(value(&name_of(&world, &Ask::new())), value(&first));
    assert!(world.doubles.names.lock().unwrap().is_empty(), "nothing is kept");
}

#[test]
fn names_can_come_from_claims() {
    let mail = name_of(&named(json!({ "format": "email" })), &Ask::new());
    assert_eq!((value(&mail).as_str(), mail.attribute("Format")), ("alice@acme.example", Some(names::FORMAT_EMAIL)));
    assert_eq!(mail.attribute("NameQualifier"), None);
    let user = name_of(&named(json!({ "claim": "preferred_username" })), &Ask::new());
    assert_eq!((value(&user).as_str(), user.attribute("Format")), ("alice", Some(names::FORMAT_UNSPECIFIED)));
    for unspecified in [names::FORMAT_UNSPECIFIED, names::FORMAT_UNSPECIFIED_20, names::FORMAT_UNSPECIFIED_10] {
        assert_eq!(value(&name_of(&named(json!({ "format": "email" })), &format(unspecified))), value(&mail));
    }
    let own = named(json!({ "claim": "preferred_username", "format": "urn:acme:user" }));
    assert_eq!(name_of(&own, &format("urn:acme:user")).attribute("Format"), Some("urn:acme:user"));
    let opaque = name_of(&named(json!({ "format": "unspecified" })), &Ask::new());
    assert_eq!((value(&opaque).len(), opaque.attribute("Format")), (32, Some(names::FORMAT_UNSPECIFIED)));
}

/// Any upstream of a tenant can say any address.
#[test]
fn an_address_names_a_person_where_it_is_verified() {
    for setting in
        [json!({ "format": "email" }), json!({ "claim": "email" }), json!({ "claim": "email", "format": "email" })]
    {
        let world = named(setting.clone());
        let login = world.login(&Ask::new().by_redirect());
        for lowered in [json!(false), json!("true"), json!(null)] {
            let mut identity = world.identity();
            identity.claims.set("email_verified", lowered);
            let refusal = world.finish_as(&login, &identity).unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::SubjectUnavailable, "{setting}");
            assert!(refusal.cause.clone().unwrap().contains("none of the connection `okta`"), "{refusal:?}");
            // A random name tells the app nothing that could be wrong.
            let opaque = world.login(&format(names::FORMAT_PERSISTENT).by_redirect());
            assert!(world.finish_as(&opaque, &identity).is_ok());
        }
        let mut open = setting.clone();
        open["unverified"] = json!("allow");
        let world = named(open);
        let mut identity = world.identity();
        identity.claims.set("email_verified", json!(false));
        let finished = world.finish_as(&world.login(&Ask::new().by_redirect()), &identity).unwrap();
        assert!(posted_response(&finished.reply).1.contains(">alice@acme.example</saml:NameID>"));
    }
}

#[test]
fn a_claim_that_makes_no_name_logs_nobody_in() {
    let world = named(json!({ "claim": "preferred_username" }));
    let login = world.login(&Ask::new().by_redirect());
    let long = "x".repeat(257);
    for bad in [
        json!(null),
        json!(" "),
        json!(long),
        json!("a\u{1}"),
        json!("a\nb"),
        json!("a\u{fffd}"),
        json!(["a", "b"]),
        json!({}),
    ] {
        let mut identity = world.identity();
        identity.claims.set("preferred_username", bad.clone());
        let refusal = world.finish_as(&login, &identity).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::SubjectUnavailable, "{bad}");
    }
}

#[test]
fn the_request_may_choose_among_what_there_is() {
    let world = named(json!({ "format": "email" }));
    for (asked, given) in [
        (names::FORMAT_UNSPECIFIED, names::FORMAT_EMAIL),
        (names::FORMAT_UNSPECIFIED_20, names::FORMAT_EMAIL),
        (names::FORMAT_EMAIL, names::FORMAT_EMAIL),
        (names::FORMAT_TRANSIENT, names::FORMAT_TRANSIENT),
        (names::FORMAT_PERSISTENT, names::FORMAT_PERSISTENT),
    ] {
        assert_eq!(name_of(&world, &format(asked)).attribute("Format"), Some(given), "{asked}");
    }
    let opaque = World::new();
    for ask in [
        format(names::FORMAT_EMAIL),
        format(names::FORMAT_ENCRYPTED),
        format("urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"),
        policy(" SPNameQualifier=\"https://victim.example/sp\""),
    ] {
        let status = opaque.refused_with_status(&ask.by_redirect());
        assert!(status.contains(names::STATUS_INVALID_NAME_ID_POLICY), "{status}");
        assert!(!status.contains("<saml:Assertion"), "{status}");
    }
}

#[test]
fn the_request_may_name_the_person() {
    let world = named(json!({ "format": "email" }));
    let subject = |name: &str| Ask::having(&format!("<saml:Subject>{name}</saml:Subject>"));
    name_of(&world, &subject("<saml:NameID>alice@acme.example</saml:NameID>"));
    let other = world.login(&subject("<saml:NameID>bob@acme.example</saml:NameID>").by_redirect());
    assert_eq!(world.finish_as(&other, &world.identity()).unwrap_err().kind, RefusalKind::AccessDenied);
    for odd in [
        "<saml:EncryptedID/>",
        "<saml:NameID>alice@acme.example</saml:NameID><saml:SubjectConfirmation Method=\"urn:oasis:names:tc:SAML:2.0:cm:bearer\"/>",
    ] {
        let status = world.refused_with_status(&subject(odd).by_redirect());
        assert!(status.contains("RequestUnsupported"), "{status}");
    }
}

#[test]
fn a_store_that_is_down_gives_no_name() {
    let world = World::new();
    let login = world.login(&Ask::new().by_redirect());
    world.doubles.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.finish_as(&login, &world.identity()).unwrap_err().kind, RefusalKind::TemporarilyUnavailable);
}
