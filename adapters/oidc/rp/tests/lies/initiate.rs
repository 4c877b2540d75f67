//! Logins that a portal of the provider starts (OpenID Connect Core 4).

use fedbridge_contract::config::AppKind;
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::upstream::{Correlation, UnsolicitedMode};
use serde_json::json;

use crate::world::{World, input};

fn queried(query: &str) -> HttpInput {
    HttpInput { query: query.into(), ..input("oidc/initiate", Method::Get) }
}

#[test]
fn a_portal_starts_a_login_of_our_own_and_nothing_else() {
    let target = "https://portal.example/start";
    let world = World::with(json!({ "initiate_login": { "targets": [target], "client": "portal" } }));
    let login = world.adapter.login.as_ref().unwrap();
    let policy = login.unsolicited().unwrap();
    assert_eq!((policy.mode, &policy.app), (UnsolicitedMode::Bounce, &(AppKind::OidcClient, "portal".to_owned())));
    assert_eq!(policy.targets, [target]);
    let right = login.correlate(&queried("iss=https%3A%2F%2Fop.example&login_hint=alice"));
    assert_eq!(right, Correlation::Unsolicited { target: None });
    let named = format!("iss=https%3A%2F%2Fop.example&target_link_uri={target}");
    assert_eq!(login.correlate(&queried(&named)), Correlation::Unsolicited { target: Some(target.into()) });
    let bad = [
        "",
        "login_hint=alice",
        "iss=",
        "iss=https%3A%2F%2Fevil.example",
        "iss=https%3A%2F%2Fop.example%2F",
        "iss=https%3A%2F%2Fop.example&iss=https%3A%2F%2Fop.example",
        "iss=https%3A%2F%2Fop.example&target_link_uri=a&target_link_uri=b",
    ];
    for query in bad {
        assert!(matches!(login.correlate(&queried(query)), Correlation::Malformed(_)), "{query}");
    }
}

#[test]
fn without_the_setting_nobody_starts_anything() {
    let world = World::new();
    let login = world.adapter.login.as_ref().unwrap();
    assert!(login.unsolicited().is_none());
    let right = login.correlate(&queried("iss=https%3A%2F%2Fop.example"));
    assert!(matches!(right, Correlation::Malformed(_)), "{right:?}");
}
