//! plan, apply, export: one engine on a real store.

use fedbridge_saml::testkit::{ScriptedSp, TestKey};
use serde_json::{Value, json};

use super::Desk;
use crate::support::scripted;

#[test]
fn plan_apply_export_and_apply_again() {
    let desk = Desk::new("round-trip");
    let added = "+ tenant acme\n+ connection acme/idp\n+ client acme/app\n";
    let plan = desk.run(&["plan", "--exit-code"], &desk.good);
    assert_eq!((plan.code, plan.out.as_str()), (3, added), "{plan:?}");
    assert_eq!(desk.plain(&["export"]).out, "version: 1\ntenants: []\n");
    let applied = desk.run(&["apply"], &desk.good);
    assert_eq!((applied.code, applied.out.as_str()), (0, added), "{applied:?}");
    for command in [&["plan", "--exit-code"][..], &["apply"], &["plan"]] {
        let again = desk.run(command, &desk.good);
        assert_eq!((again.code, again.out.as_str()), (0, "nothing to change\n"), "{again:?}");
    }

    let exported = desk.plain(&["export"]).out;
    assert!(!exported.contains("scripted-secret"), "{exported}");
    assert!(exported.contains("client_secret: { stored: clients/app/client_secret/0 }"), "{exported}");
    let again = desk.run(&["plan", "--exit-code"], &exported);
    assert_eq!((again.code, again.out.as_str()), (0, "nothing to change\n"), "{again:?}\n{exported}");
}

#[test]
fn an_app_with_a_scim_server_goes_round_too() {
    let desk = Desk::new("scim-app");
    let app = |rest: &str| {
        let head = "version: 1\ntenants:\n  - slug: acme\n    scim_apps:\n      - slug: wiki\n        ";
        format!("{head}base_url: https://wiki.example/scim\n        attributes: {{ title: job }}\n{rest}")
    };
    let secret = "the-app-s-own-token";
    let first = app(&format!("        bearer_token: {{ value: {secret} }}\n        groups: [staff]\n"));
    let got = desk.run(&["apply"], &first);
    assert_eq!((got.code, got.out.as_str()), (0, "+ tenant acme\n+ scim_app acme/wiki\n"), "{got:?}");
    let exported = desk.plain(&["export"]).out;
    assert!(exported.contains("bearer_token: { stored: scim_apps/wiki/bearer_token }"), "{exported}");
    assert!(!exported.contains(secret), "{exported}");
    let again = desk.run(&["plan", "--exit-code"], &exported);
    assert_eq!((again.code, again.out.as_str()), (0, "nothing to change\n"), "{again:?}\n{exported}");

    let grant = "        was: wiki\n        token_endpoint: https://as.example/token\n        client_id: bridge\n        client_secret: { value: s }\n";
    let got = desk.run(&["apply"], &app(grant).replace("slug: wiki", "slug: wiki2"));
    let want = "~ scim_app acme/wiki2: slug (was wiki), name, token_endpoint, client_id, groups, bearer_token, client_secret\n";
    assert_eq!((got.code, got.out.as_str()), (0, want), "{got:?}");
    let got = desk.run(&["apply"], "version: 1\ntenants:\n  - slug: acme\n");
    assert_eq!((got.code, got.out.as_str()), (0, "- scim_app acme/wiki2\n"), "{got:?}");
}

#[test]
fn changes_renames_and_deletions_are_named() {
    let desk = Desk::new("renames");
    desk.run(&["apply"], &desk.good);
    let renamed = desk
        .good
        .replace("slug: idp", "slug: idp2\n        was: idp")
        .replace("client_id: app", "client_id: app2\n        was: app")
        .replace("http://127.0.0.1:9/callback", "http://127.0.0.1:9/cb");
    let got = desk.run(&["apply"], &renamed);
    let want = "~ connection acme/idp2: slug (was idp)\n~ client acme/app2: client_id (was app), redirect_uris\n";
    assert_eq!((got.code, got.out.as_str()), (0, want), "{got:?}");
    assert_eq!(desk.run(&["apply"], &renamed).out, "nothing to change\n");

    let got = desk.run(&["apply"], "version: 1\ntenants: []\n");
    assert_eq!((got.code, got.out.as_str()), (0, "- tenant acme\n"), "{got:?}");
    assert_eq!(desk.plain(&["export"]).out, "version: 1\ntenants: []\n");
}

#[test]
fn tenants_stand_under_each_other_and_domains_move() {
    let desk = Desk::new("moves");
    let file = |tenants: &str| format!("version: 1\ntenants:\n{tenants}");
    let first =
        file("  - { slug: leaf, parent: top, domains: [x.example] }\n  - { slug: top, domains: [y.example] }\n");
    assert_eq!(desk.run(&["apply"], &first).code, 0);
    assert_eq!(desk.run(&["apply"], &first).out, "nothing to change\n");
    let second = file("  - { slug: top, domains: [x.example] }\n  - { slug: leaf, domains: [y.example] }\n");
    let got = desk.run(&["apply"], &second);
    assert_eq!((got.code, got.out.as_str()), (0, "~ tenant top: domains\n~ tenant leaf: domains, parent\n"), "{got:?}");
    assert_eq!(desk.run(&["apply"], &second).out, "nothing to change\n");
}

#[test]
fn check_says_a_line_for_each_finding() {
    let desk = Desk::new("check");
    let file = desk.run(&["check"], &desk.good);
    assert_eq!(file.code, 0, "{file:?}");
    assert!(file.out.lines().any(|line| line.starts_with("✓ acme/idp: ")), "{}", file.out);
    assert_eq!(desk.plain(&["export"]).out, "version: 1\ntenants: []\n", "check changes nothing");
    desk.run(&["apply"], &desk.good);
    let store = desk.plain(&["check"]);
    assert_eq!(store.code, 0, "{store:?}");
    assert!(store.out.starts_with("✓ clock: "), "{}", store.out);
    assert!(store.out.lines().any(|line| line.starts_with("✓ acme/idp: ")), "{}", store.out);
    assert!(!store.out.contains('\u{1b}'), "no colours off a terminal");
}

/// The other database may keep documents in another order, and must not call that a change.
#[test]
fn the_same_on_postgresql() {
    let mut desk = Desk::new("round-trip-postgres");
    let postgres = crate::support::peers::Peer::postgres(desk.scratch.path());
    desk.setup = crate::support::bridge::Setup::postgres(desk.scratch.path(), &postgres.url);
    let rich = desk.good.replace(
        "        scopes: [openid",
        "        id_token_signed_response_alg: EdDSA\n        access_token: { lifetime: 10m, format: jwt, audience: \"https://api.example\" }\n        claims: { tier: { cel: \"'gold'\" }, b: { value: x }, a: { value: y } }\n        scopes: [openid",
    );
    assert_eq!(desk.run(&["apply"], &rich).out, "+ tenant acme\n+ connection acme/idp\n+ client acme/app\n");
    assert!(desk.plain(&["keys", "list"]).out.contains("EdDSA"));
    assert_eq!(desk.run(&["apply"], &rich).out, "nothing to change\n");
    let exported = desk.plain(&["export"]).out;
    let again = desk.run(&["plan", "--exit-code"], &exported);
    assert_eq!((again.code, again.out.as_str()), (0, "nothing to change\n"), "{again:?}\n{exported}");
    let changed = rich.replace("lifetime: 10m", "lifetime: 5m");
    assert_eq!(desk.run(&["apply"], &changed).out, "~ client acme/app: access_token\n");
    assert_eq!(desk.run(&["check"], &changed).code, 0);
}

/// Every setting that a connection or a service provider has comes out of `export` as it went in. A new
/// one has to be added here.
#[test]
fn every_setting_survives_the_round_trip() {
    let mut desk = Desk::new("every-setting");
    let mut app =
        ScriptedSp::new("https://wiki.example/sp", "https://wiki.example/acs").with_slo("https://wiki.example/slo");
    app.encryption = Some(TestKey::shared());
    let metadata = desk.scratch.write("sp.xml", &app.metadata());
    let other = format!("sha256:{}", "ab".repeat(32));
    let connection: Vec<(&str, Value)> = vec![
        ("entity_id", json!("https://idp.example/metadata")),
        ("sp_entity_id", json!("urn:bridge")),
        ("subject", json!({ "from": ["mail", "NAME_ID"] })),
        ("require_signed", json!("assertion")),
        ("sign_requests", json!(false)),
        ("sign_metadata", json!(true)),
        ("allow_cbc", json!(true)),
        ("allow_sha1_until", json!("2099-03-31")),
        ("allow_idp_initiated", json!({ "client": "app", "mode": "accept", "targets": ["https://a.example/"] })),
        ("clock_skew", json!("2m")),
        ("request_binding", json!("redirect")),
        ("name_id_policy", json!({ "format": "persistent", "allow_create": true, "sp_name_qualifier": "urn:q" })),
        (
            "requested_authn_context",
            json!({ "classes": ["urn:a"], "comparison": "exact", "required": true, "accepted": ["urn:b"] }),
        ),
        ("force_authn", json!(true)),
        ("assertion_consumer_service_index", json!(0)),
        ("login_hint_parameter", json!("login_hint")),
        ("response_binding", json!("post")),
        ("logout", json!(false)),
        ("distrusted_keys", json!([other])),
        ("issuers", json!(["https://idp.example/other"])),
        ("scoping", json!(true)),
        ("pass_authn_context", json!(true)),
    ];
    let provider: Vec<(&str, Value)> = vec![
        ("sp_metadata", json!({ "file": metadata.to_str().unwrap() })),
        ("entity_id", json!("https://wiki.example/sp")),
        ("name_id", json!({ "format": "email", "unverified": "allow" })),
        (
            "attributes",
            json!({
                "mail": "email",
                "urn:oid:2.5.4.42": { "claim": "given_name", "friendly_name": "givenName", "name_format": "uri" },
                "tier": { "value": "gold" },
            }),
        ),
        ("sign", json!("assertion")),
        ("encrypt", json!(true)),
        ("encryption", json!({ "content": "aes128-gcm" })),
        ("require_signed_requests", json!(true)),
        ("allow_sha1_until", json!("2099-03-31")),
        ("distrusted_keys", json!([other])),
        ("audiences", json!(["urn:audience"])),
        ("assertion_lifetime", json!("2m")),
        ("session_lifetime", json!("8h")),
        ("unsolicited", json!({ "targets": ["https://wiki.example/start"] })),
        ("default_relay_state", json!("home")),
        ("authn_contexts", json!(["urn:a", "urn:b"])),
        ("minimum_acr", json!("urn:b")),
        ("consent", json!("remember")),
        ("logout", json!("frame")),
    ];
    let names = |settings: &[(&str, Value)], more: &[&str]| {
        let mut names: Vec<String> = settings.iter().map(|(name, _)| (*name).to_owned()).collect();
        names.extend(more.iter().map(|&name| name.to_owned()));
        names.sort();
        names
    };
    let sorted = |all: &[&str]| {
        let mut all: Vec<String> = all.iter().map(|&name| name.to_owned()).collect();
        all.sort();
        all
    };
    let fields: Vec<&str> = fedbridge_saml::settings::FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names(&connection, &["idp_metadata"]), sorted(&fields), "a setting of connections is missing here");
    let fields: Vec<&str> = fedbridge_saml_idp::settings::FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(names(&provider, &[]), sorted(&fields), "a setting of service providers is missing here");

    // JSON is YAML too.
    let lines = |settings: &[(&str, Value)]| {
        settings.iter().map(|(name, value)| format!("        {name}: {value}\n")).collect::<String>()
    };
    let good = scripted::bridge_file_with(&desk.scratch, &scripted::idp(), &lines(&connection), "");
    let common = "      - slug: wiki\n        name: Wiki\n        connections: [idp]\n        groups: [staff]\n        \
                  claims: { given_name: { cel: \"'Ada'\" } }\n";
    desk.good = format!("{good}    service_providers:\n{common}{}", lines(&provider));
    let applied = desk.run(&["apply"], &desk.good);
    assert_eq!(applied.code, 0, "{applied:?}\n{}", desk.good);
    assert_eq!(desk.run(&["plan"], &desk.good).out, "nothing to change\n");
    let exported = desk.plain(&["export"]).out;
    for (name, _) in connection.iter().chain(&provider) {
        assert!(exported.contains(&format!("{name}:")), "{name} is not in\n{exported}");
    }
    let again = desk.run(&["plan", "--exit-code"], &exported);
    assert_eq!((again.code, again.out.as_str()), (0, "nothing to change\n"), "{again:?}\n{exported}");
    // What the export writes can be looked up.
    for (object, names) in [("connection", names(&connection, &[])), ("service-providers", names(&provider, &[]))] {
        let reference = desk.plain(&["reference", object]);
        assert_eq!(reference.code, 0, "{reference:?}");
        for name in names {
            assert!(reference.out.lines().any(|line| line.split_whitespace().next() == Some(&name)), "{name}");
        }
    }
}
