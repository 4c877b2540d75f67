//! Logins that a portal of the provider starts (OpenID Connect Core 4).

use fedbridge_contract::config::AppKind;
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::upstream::{Correlation, LoginWish, UnsolicitedMode};
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

#[tokio::test]
async fn the_portals_login_hint_goes_on_to_the_provider() {
    let setting = json!({ "targets": [], "client": "portal" });
    let world = World::with(json!({ "initiate_login": setting }));
    let login = world.adapter.login.as_ref().unwrap();
    let asked = |query: &str| login.wish(&queried(query));
    let hinted = asked("iss=https%3A%2F%2Fop.example&login_hint=alice%40acme.example&prompt=none&max_age=0");
    assert_eq!(hinted, LoginWish { login_hint: Some("alice@acme.example".into()), ..LoginWish::default() });
    let sent = world.begin_with(hinted.clone()).await.unwrap().location;
    assert!(sent.contains("&login_hint=alice%40acme.example"), "{sent}");
    // As with an app's hint, the connection may say that none goes on.
    let silent = World::with(json!({ "initiate_login": setting, "pass_on": ["prompt"] }));
    let sent = silent.begin_with(hinted).await.unwrap().location;
    assert!(!sent.contains("login_hint"), "{sent}");
    for none in ["iss=x", "login_hint=", &format!("login_hint={}", "a".repeat(1025))] {
        assert_eq!(asked(none), LoginWish::default(), "{none}");
    }
    let elsewhere = HttpInput { query: "login_hint=alice".into(), ..input("oidc/callback", Method::Get) };
    assert_eq!(login.wish(&elsewhere), LoginWish::default());
}

/// A login that somebody else starts says whose provider it comes from, which the callback would not ask.
#[test]
fn an_answer_without_state_starts_nothing() {
    let world = World::with(json!({ "initiate_login": { "targets": [], "client": "portal" } }));
    let login = world.adapter.login.as_ref().unwrap();
    for query in ["", "code=a", "state=", "error=login_required", "iss=https%3A%2F%2Fevil.example&code=a"] {
        let answer = HttpInput { query: query.into(), ..input("oidc/callback", Method::Get) };
        let found = login.correlate(&answer);
        assert!(matches!(found, Correlation::Malformed(_)), "{query}: {found:?}");
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
