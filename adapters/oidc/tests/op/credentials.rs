//! Client credentials: an app for itself, and never for a person.

use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::services::TokenSecrets as _;

use crate::support::services::Secrets;
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

#[tokio::test]
async fn a_kill_ends_tokens_of_apps_and_spares_later_ones() {
    let world = world();
    for (client, reader) in [("opaque", "api"), ("machine", "machine")] {
        let introspect = async |token: &str| {
            let answer = world.post("introspect", Some(&basic(reader, SECRET)), &[("token", token)]).await;
            answer.json["active"] == true
        };
        let before = world.token(client, &[GRANT]).await.text("access_token");
        assert!(introspect(&before).await, "{client}");
        world.gate.kills.fetch_add(1, Ordering::Relaxed);
        let after = world.token(client, &[GRANT]).await.text("access_token");
        assert!(!introspect(&before).await && introspect(&after).await, "{client}");
        let revoked = world.post("revoke", Some(&basic(client, SECRET)), &[("token", &after)]).await;
        assert_eq!(revoked.status, 200);
        assert!(!introspect(&after).await, "{client}: the jti that it is asked for is that of the revocation");
    }
}

/// Given out by the version before, which knew no kills.
#[tokio::test]
async fn tokens_without_an_epoch_live_until_the_first_kill() {
    let world = world();
    let now = world.now.seconds();
    let opaque = world.acme.apps.iter().find(|app| app.name == "opaque").unwrap();
    let mut octets = vec![2];
    octets.extend_from_slice(opaque.id.uuid().as_bytes());
    octets.extend_from_slice(&now.to_be_bytes());
    octets.extend_from_slice(&(now + 60).to_be_bytes());
    octets.extend_from_slice(&[7; 12]);
    octets.extend_from_slice(b"api:read");
    let mac = Secrets.mac(world.acme.id, "oidc.access_token", &octets);
    octets.extend_from_slice(&mac);
    let opaque = format!("fba_{}", URL_SAFE_NO_PAD.encode(octets));
    let claims = serde_json::json!({"iss": "https://bridge.example/t/acme", "sub": "machine", "client_id": "machine",
        "aud": "https://bridge.example/t/acme", "iat": now, "exp": now + 60, "scope": "api:read",
        "jti": URL_SAFE_NO_PAD.encode([7; 12])});
    let key = &world.keys[0];
    let header = serde_json::json!({"typ": "at+jwt", "alg": "ES256", "kid": key.kid});
    let signed = key.jws(&header, &claims);
    for (token, reader) in [(opaque, "api"), (signed, "machine")] {
        let introspect = async || world.post("introspect", Some(&basic(reader, SECRET)), &[("token", &token)]).await;
        let seen = introspect().await;
        assert_eq!((seen.text("scope"), seen.text("jti")), ("api:read".into(), URL_SAFE_NO_PAD.encode([7; 12])));
        world.gate.kills.store(1, Ordering::Relaxed);
        assert_eq!(introspect().await.json["active"], false);
        world.gate.kills.store(0, Ordering::Relaxed);
    }
}

#[tokio::test]
async fn who_does_not_know_says_so_and_refuses_nothing_for_good() {
    let world = world();
    let (code, _) = world.code("portal", "openid offline_access").await;
    let tokens = world.redeem("portal", &code).await;
    let (access, refresh) = (tokens.text("access_token"), tokens.text("refresh_token"));
    let (fresh, _) = world.code("portal", "openid").await;
    world.gate.deaf.store(true, Ordering::Relaxed);
    let portal = basic("portal", SECRET);
    for answer in [
        world.token("machine", &[GRANT]).await,
        world.redeem("portal", &fresh).await,
        world.token("portal", &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await,
        world.userinfo(&access).await,
        world.post("introspect", Some(&portal), &[("token", &access)]).await,
        world.post("introspect", Some(&portal), &[("token", &refresh)]).await,
    ] {
        assert_eq!((answer.status, answer.error()), (503, "temporarily_unavailable"));
        assert!(answer.headers.contains_key("retry-after"));
    }
    world.gate.deaf.store(false, Ordering::Relaxed);
    assert_eq!(world.redeem("portal", &fresh).await.status, 200, "the code was not used up");
    let refreshed = world.token("portal", &[("grant_type", "refresh_token"), ("refresh_token", &refresh)]).await;
    assert_eq!(refreshed.status, 200, "nor the refresh token");
}
