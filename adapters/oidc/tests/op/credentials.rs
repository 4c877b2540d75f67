//! Client credentials: an app for itself, and never for a person.

use std::sync::atomic::Ordering;

use crate::support::{API, SECRET, basic, claims_of, world};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");

#[tokio::test]
async fn an_app_gets_a_token_without_the_store() {
    let world = world();
    let answer = world.token("machine", &[GRANT]).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.text("scope"), "api:read api:write");
    assert!(answer.json.get("id_token").is_none() && answer.json.get("refresh_token").is_none());
    let claims = claims_of(&answer.text("access_token"));
    assert_eq!(claims["sub"], "machine");
    assert_eq!(claims["client_id"], "machine");
    assert!(claims.get("auth_time").is_none());
    assert_eq!(world.grants.calls.load(Ordering::Relaxed), 0);
    let other = world.token("machine", &[GRANT]).await;
    assert_ne!(claims_of(&other.text("access_token"))["jti"], claims["jti"]);
    assert_eq!(*world.counts.issued.lock().unwrap(), ["client_credentials", "client_credentials"]);
}

#[tokio::test]
async fn scopes_of_people_are_out_of_reach() {
    let world = world();
    let answer = world.token("machine", &[GRANT, ("scope", "api:read")]).await;
    assert_eq!(claims_of(&answer.text("access_token"))["scope"], "api:read");
    for scope in ["openid", "api:read profile", "offline_access", "admin", "api:read api:delete"] {
        assert_eq!(world.token("machine", &[GRANT, ("scope", scope)]).await.error(), "invalid_scope", "{scope}");
    }
}

#[tokio::test]
async fn the_token_says_nothing_at_userinfo() {
    let world = world();
    for client in ["machine", "opaque"] {
        let token = world.token(client, &[GRANT]).await.text("access_token");
        let answer = world.userinfo(&token).await;
        assert_eq!((answer.status, answer.error()), (403, "insufficient_scope"), "{client}");
    }
}

#[tokio::test]
async fn the_grant_type_must_be_registered() {
    let world = world();
    assert_eq!(world.token("online", &[GRANT]).await.error(), "unauthorized_client");
    assert_eq!(world.token("paired", &[GRANT]).await.error(), "unauthorized_client");
}

#[tokio::test]
async fn opaque_tokens_of_apps_work_and_can_be_revoked() {
    let world = world();
    for (client, reader) in [("opaque", "api"), ("machine", "machine")] {
        let token = world.token(client, &[GRANT]).await.text("access_token");
        let introspect = async || world.post("introspect", Some(&basic(reader, SECRET)), &[("token", &token)]).await;
        let seen = introspect().await;
        assert_eq!(seen.json["active"], true, "{client}");
        assert_eq!(seen.text("sub"), client);
        assert_eq!(seen.text("scope"), "api:read api:write");
        assert_eq!(seen.text("aud"), if client == "opaque" { API } else { "https://bridge.example/t/acme" });
        let revoked = world.post("revoke", Some(&basic(client, SECRET)), &[("token", &token)]).await;
        assert_eq!(revoked.status, 200);
        assert_eq!(introspect().await.json, serde_json::json!({"active": false}));
    }
}

#[tokio::test]
async fn a_disabled_app_gets_nothing() {
    let world = world();
    let token = world.token("machine", &[GRANT]).await.text("access_token");
    let machine = world.acme.apps.iter().find(|app| app.name == "machine").unwrap().id;
    world.gate.apps.lock().unwrap().insert(machine);
    assert_eq!(world.token("machine", &[GRANT]).await.error(), "invalid_client");
    assert_eq!(world.last_cause(), "the app is disabled or gone");
    assert_eq!(world.userinfo(&token).await.error(), "invalid_token");
}
