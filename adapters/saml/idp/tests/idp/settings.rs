//! Settings of a service provider.

use std::time::Duration;

use fedbridge_contract::downstream::{Accepted, ConsentWish, Downstream as _};
use fedbridge_contract::trace::Step;
use fedbridge_contract::upstream::Level;
use fedbridge_saml_idp::settings::{AttributeSource, LogoutChannel, NameIdSource, Sign, SpSettings, released_claims};
use serde_json::{Value, json};

use crate::support::{Ask, MFA, NOW, PASSWORD, SP, Sp, World};

fn with(settings: Value) -> Value {
    let mut settings = settings;
    settings["sp_metadata"] = json!({ "xml": Sp::default().metadata() });
    settings
}

fn complaints(settings: Value) -> Vec<String> {
    let all = SpSettings::parse(&settings, NOW).err().unwrap_or_default();
    all.iter().map(ToString::to_string).collect()
}

#[test]
fn defaults_are_the_safe_ones() {
    let settings = SpSettings::parse(&with(json!({})), NOW).unwrap_or_else(|all| panic!("{all:?}"));
    assert_eq!(settings.sp.entity_id, SP);
    assert_eq!(settings.sign, Sign::Both);
    assert_eq!(settings.name_id.source, NameIdSource::Persistent);
    assert!(settings.attributes.is_empty() && settings.encryption.is_none() && settings.unsolicited.is_none());
    assert_eq!(settings.assertion_lifetime, Duration::from_secs(300));
    assert_eq!(settings.logout, LogoutChannel::Auto);
    assert_eq!(settings.consent, ConsentWish::NotNeeded);
    assert!(!settings.require_signed_requests);
}

#[test]
fn everything_can_be_set() {
    let settings = with(json!({
        "entity_id": SP,
        "name_id": { "format": "persistent", "affiliation": "urn:club" },
        "attributes": {
            "mail": "email",
            "urn:oid:2.5.4.42": "given_name",
            "role": { "value": "member", "name_format": "unspecified", "friendly_name": "Role" },
            "dept": { "claim": "department", "name_format": "urn:x" },
        },
        "sign": "assertion", "encrypt": true, "encryption": { "content": "aes128-gcm", "key": "rsa-oaep-sha256" },
        "require_signed_requests": true, "allow_sha1_until": "2027-03-31", "audiences": ["urn:a"],
        "assertion_lifetime": "2m", "session_lifetime": "8h", "unsolicited": { "targets": ["urn:t"] },
        "default_relay_state": "home", "authn_contexts": [PASSWORD, MFA], "minimum_acr": PASSWORD, "logout": "soap",
        "consent": "remember",
    }));
    assert_eq!(complaints(settings.clone()), Vec::<String>::new());
    let read = SpSettings::parse(&settings, NOW).unwrap_or_else(|all| panic!("{all:?}"));
    let format = |name: &str| &read.attributes.iter().find(|rule| rule.name == name).unwrap().format;
    assert!(format("mail").ends_with(":basic") && format("urn:oid:2.5.4.42").ends_with(":uri"));
    assert!(format("role").ends_with(":unspecified") && format("dept") == "urn:x");
    let role = read.attributes.iter().find(|rule| rule.name == "role").unwrap();
    assert_eq!(role.source, AttributeSource::Constant("member".into()));
    assert_eq!(read.trust.as_ref().unwrap().sha1_until.unwrap().rfc3339(), "2027-04-01T00:00:00Z");
    assert_eq!(read.consent, ConsentWish::Remembered);
    assert_eq!(released_claims(&settings), ["department", "email", "given_name"]);
    let email = json!({ "name_id": { "format": "email", "unverified": "allow" } });
    assert_eq!(released_claims(&email), ["email", "email_verified"]);
    assert_eq!(released_claims(&json!({ "name_id": { "claim": "nick" }, "attributes": { "a": "nick" } })), ["nick"]);
    assert!(released_claims(&json!({})).is_empty());
}

#[test]
fn every_complaint_comes_at_once() {
    let found = complaints(with(json!({
        "colour": "red", "sign": "all", "encrypt": "yes", "name_id": { "format": "weird", "claim": 1 },
        "attributes": { "a": 1, "b": {}, "c": { "claim": "x", "value": "y" }, "d": { "claim": "x", "name_format": "odd" } },
        "encryption": { "content": "des" }, "allow_sha1_until": "soon", "distrusted_keys": ["ab"],
        "assertion_lifetime": "6m", "session_lifetime": "0s", "unsolicited": "yes", "minimum_acr": "urn:x", "logout": "never",
    })));
    for path in [
        "colour:",
        "sign:",
        "encrypt:",
        "name_id.claim:",
        "name_id.format:",
        "attributes.a:",
        "attributes.b:",
        "attributes.c:",
        "attributes.d.name_format:",
        "encryption.content:",
        "allow_sha1_until:",
        "distrusted_keys[0]:",
        "assertion_lifetime:",
        "session_lifetime:",
        "unsolicited:",
        "minimum_acr:",
        "logout:",
    ] {
        assert_eq!(found.iter().filter(|text| text.starts_with(path)).count(), 1, "{path}\n{found:#?}");
    }
}

#[test]
fn keys_that_others_read_are_suggested_too() {
    for (written, meant) in
        [("conections", "connections"), ("enabeld", "enabled"), ("grups", "groups"), ("sgin", "sign")]
    {
        let found = complaints(with(json!({ written: true })));
        assert_eq!(found, [format!("{written}: unknown key; the nearest known one is `{meant}`")]);
    }
    let found = complaints(with(json!({ "session_lifetime": 5 })));
    assert_eq!(found, ["session_lifetime: expected a duration such as 10m, found a number"]);
}

#[test]
fn what_is_not_verified_can_be_allowed_for_addresses_alone() {
    let rule = |name: Value| complaints(with(json!({ "name_id": name })));
    for good in [
        json!({ "format": "email", "unverified": "allow" }),
        json!({ "claim": "email", "unverified": "refuse" }),
        json!({ "format": "email", "unverified": null }),
    ] {
        assert_eq!(rule(good.clone()), Vec::<String>::new(), "{good}");
    }
    for (bad, what) in [(json!(true), "true or false"), (json!("yes"), "`yes`"), (json!(1), "a number")] {
        let found = rule(json!({ "format": "email", "unverified": bad }));
        assert_eq!(found, [format!("name_id.unverified: expected allow or refuse, found {what}")]);
    }
    for other in [json!({ "format": "persistent" }), json!({ "claim": "nick" }), json!({})] {
        let mut name = other;
        name["unverified"] = json!("allow");
        assert_eq!(rule(name), ["name_id.unverified: has a meaning for names from the claim `email` alone"]);
    }
}

#[test]
fn check_warns_of_names_that_several_connections_may_say() {
    let warned = |name: Value| {
        let world = World::with(json!({ "name_id": name }));
        let findings = world.provider.check(&world.tenant, &world.app, NOW);
        findings.iter().any(|finding| finding.text.contains("each of the connections okta, partner"))
    };
    assert!(warned(json!({ "claim": "nick" })) && warned(json!({ "format": "email", "unverified": "allow" })));
    assert!(!warned(json!({ "format": "email" })) && !warned(json!({})) && !warned(json!({ "format": "transient" })));
}

#[test]
fn metadata_must_be_there_and_usable() {
    assert_eq!(complaints(json!({})), ["sp_metadata: is missing; give { file: … }, { url: … } or { xml: … }"]);
    assert_eq!(
        complaints(json!({ "sp_metadata": { "url": "https://wiki.example/m" } })),
        ["sp_metadata: has no document yet"]
    );
    assert_eq!(complaints(json!("x")).len(), 2);
    for xml in ["", "<x/>", "<!DOCTYPE x><x/>"] {
        assert!(!complaints(json!({ "sp_metadata": { "xml": xml } })).is_empty(), "{xml}");
    }
    let over = Sp { valid_until: Some(NOW), ..Sp::default() };
    assert!(complaints(json!({ "sp_metadata": { "xml": over.metadata() } }))[0].contains("expired"));
    let artifacts = Sp { endpoints: Sp::default().endpoints.replace("HTTP-POST", "HTTP-Artifact"), ..Sp::default() };
    assert!(complaints(json!({ "sp_metadata": { "xml": artifacts.metadata() } })).is_empty());
    let unable = Sp { signing: Vec::new(), ..artifacts };
    let found = complaints(json!({ "sp_metadata": { "xml": unable.metadata() } }));
    assert!(found[0].contains("only addresses for answers by artifact"), "{found:?}");
    let keyless = Sp { signing: Vec::new(), ..Sp::default() };
    let found = complaints(json!({ "sp_metadata": { "xml": keyless.metadata() }, "require_signed_requests": true }));
    assert!(found[0].starts_with("require_signed_requests: can't be met"), "{found:?}");
    let all =
        openssl::sha::sha256(&crate::support::app_signing().certificate).map(|byte| format!("{byte:02x}")).concat();
    assert!(complaints(with(json!({ "distrusted_keys": [all] })))[0].contains("every signing key"));
}

#[test]
fn the_name_in_messages_is_the_entity_id() {
    let world = World::new();
    assert_eq!(world.app.protocol_name.as_deref(), Some(SP));
    assert_eq!(world.provider.protocol_name("wiki", &json!({})), None);
    assert!(world.provider.registered_scopes(&world.app).is_empty());
    let findings = world.provider.check(&world.tenant, &world.app, NOW);
    assert!(findings.iter().any(|finding| finding.text.contains(SP)));
    assert_eq!(findings.iter().filter(|finding| finding.ends.is_some()).count(), 2, "{findings:?}");
}

#[test]
fn a_new_document_is_looked_at_before_it_counts() {
    let world = World::new();
    let documents = world.provider.documents().unwrap();
    assert_eq!(documents.setting(), "sp_metadata");
    let settings = json!({ "sp_metadata": { "url": "https://wiki.example/m" }, "encrypt": true });
    let known = Sp::default().metadata();
    let examine = |settings: &Value, sp: &Sp| documents.examine(settings, Some(&known), &sp.metadata(), NOW);

    assert!(examine(&settings, &Sp::default()).unwrap().drift.is_empty());
    let second = vec![crate::support::app_signing().clone(), crate::support::stranger().clone()];
    let added = examine(&settings, &Sp { signing: second, ..Sp::default() }).unwrap();
    assert!(added.drift.len() == 1 && !added.needs_approval(), "{:?}", added.drift);
    let replaced = Sp { signing: vec![crate::support::stranger().clone()], ..Sp::default() };
    let elsewhere = Sp { endpoints: Sp::default().endpoints.replace("wiki.example", "evil.example"), ..Sp::default() };
    let renamed = Sp { entity_id: "https://evil.example/sp".into(), ..Sp::default() };
    for weaker in [replaced, elsewhere, renamed] {
        let examined = examine(&settings, &weaker).unwrap();
        assert!(examined.needs_approval(), "{:?}", examined.drift);
    }
    // What the settings can't do with is refused, and the last good document stays.
    assert!(examine(&settings, &Sp { encryption: None, ..Sp::default() }).is_err());
    assert!(examine(&settings, &Sp { valid_until: Some(NOW), ..Sp::default() }).is_err());
    assert!(documents.examine(&settings, None, "<html/>", NOW).is_err());
    let pinned = json!({ "sp_metadata": { "url": "https://wiki.example/m", "signed_by": "no PEM" } });
    assert!(examine(&pinned, &Sp::default()).is_err());
}

fn wanting(attributes: &str) -> Sp {
    let endpoints = format!("{}{attributes}", Sp::default().endpoints);
    Sp { endpoints, ..Sp::default() }
}

/// What an app wishes is shown to whoever configures it, and never applied.
#[test]
fn attributes_that_the_app_requires_are_advice() {
    let wanted =
        |name: &str, required: &str| format!("<md:RequestedAttribute Name=\"{name}\" isRequired=\"{required}\"/>");
    let list = |index: u8, rest: &str, inside: &str| {
        let name = "<md:ServiceName xml:lang=\"en\">Wiki</md:ServiceName>";
        format!("<md:AttributeConsumingService index=\"{index}\"{rest}>{name}{inside}</md:AttributeConsumingService>")
    };
    let one = [wanted("mail", "true"), wanted("urn:oid:2.5.4.42", "1"), wanted("nick", "false"), wanted("sn", "maybe")];
    let lists = list(7, "", &wanted("other", "true")) + &list(3, " isDefault=\"true\"", &one.concat());
    let world = World::of(&wanting(&lists), json!({}));
    let findings = world.provider.check(&world.tenant, &world.app, NOW);
    let advice: Vec<_> = findings.iter().filter(|finding| finding.level == Level::Advice).collect();
    assert_eq!(advice.len(), 1, "{findings:?}");
    assert!(advice[0].text.contains("urn:oid:2.5.4.42"), "{advice:?}");

    // A request may name a list; what goes out stays what the setting says.
    let asking = |index: &str| {
        let number = format!(" Version=\"2.0\" AttributeConsumingServiceIndex=\"{index}\"");
        Ask::new().replaced(" Version=\"2.0\"", &number)
    };
    let said = |index: &str| {
        let (accepted, trace) = world.accept(&asking(index).by_redirect());
        assert!(matches!(accepted, Accepted::Login(_)), "{:?}", trace.cause());
        trace.steps().iter().find_map(|step| match step {
            Step::Decision { what, outcome, .. } if what == "Attributes asked for" => Some(outcome.clone()),
            _ => None,
        })
    };
    assert_eq!(said("7").unwrap(), "list 7: other (not in `attributes`)");
    assert!(said("3").unwrap().starts_with("list 3: mail, urn:oid:2.5.4.42 (not in"));
    assert_eq!(said("1").unwrap(), "list 1, which the app's metadata does not have");
    for bad in ["", "x", "-1", "65536"] {
        world.refused_on_page(&asking(bad).by_redirect());
    }
}
