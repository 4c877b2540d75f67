//! Introspection: for whom a token is meant, and nobody else.

use serde_json::json;

use crate::support::{API, Answer, SECRET, World, basic, world};

async fn introspect(world: &World, reader: &str, token: &str) -> Answer {
    world.post("introspect", Some(&basic(reader, SECRET)), &[("token", token)]).await
}

#[tokio::test]
async fn the_holder_and_the_audience_see_a_token() {
    let world = world();
    for client in ["relaxed", "opaque"] {
        let (tokens, id) = world.tokens(client, "openid api:read").await;
        let token = tokens.text("access_token");
        for reader in [client, "api"] {
            let seen = introspect(&world, reader, &token).await;
            assert_eq!(seen.status, 200);
            let record = world.grant(id).record;
            assert_eq!(seen.json["active"], true, "{client} by {reader}");
            assert_eq!(seen.text("client_id"), client);
            assert_eq!(seen.text("sub"), record.sub);
            assert_eq!(seen.text("aud"), API);
            assert_eq!(seen.text("iss"), world.acme.issuer);
            assert_eq!(seen.text("scope"), "openid api:read");
            assert_eq!(seen.text("token_type"), "Bearer");
            assert_eq!(seen.text("acr"), "urn:acr:silver");
            assert_eq!(seen.json["auth_time"], record.auth_time.seconds());
            assert_eq!(seen.json["iat"], world.now.seconds());
        }
        for stranger in ["portal", "machine", "basic"] {
            let seen = introspect(&world, stranger, &token).await;
            assert_eq!((seen.status, seen.json), (200, json!({"active": false})), "{stranger}");
        }
    }
}

#[tokio::test]
async fn whatever_is_not_good_now_is_just_inactive() {
    let mut world = world();
    let (tokens, id) = world.tokens("relaxed", "openid").await;
    let token = tokens.text("access_token");
    for junk in ["junk", "a.b.c", &tokens.text("id_token"), "fba_AAAA", "fbr_AAAA"] {
        assert_eq!(introspect(&world, "relaxed", junk).await.json, json!({"active": false}), "{junk}");
    }
    world.grants.change(world.acme.id, id, |grant| grant.standing.session_ended = true);
    assert_eq!(introspect(&world, "api", &token).await.json, json!({"active": false}));
    world.grants.change(world.acme.id, id, |grant| grant.standing.session_ended = false);
    assert_eq!(introspect(&world, "api", &token).await.json["active"], true);
    let person = world.grant(id).record.person;
    world.gate.people.lock().unwrap().insert(person);
    assert_eq!(introspect(&world, "api", &token).await.json, json!({"active": false}));
    world.gate.people.lock().unwrap().clear();
    world.later(300);
    assert_eq!(introspect(&world, "api", &token).await.json, json!({"active": false}));
}

#[tokio::test]
async fn only_confidential_clients_may_ask() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let token = tokens.text("access_token");
    for params in [vec![("token", token.as_str())], vec![("token", token.as_str()), ("client_id", "native")]] {
        let answer = world.post("introspect", None, &params).await;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"));
    }
    let bearer = world.post("introspect", Some(&format!("Bearer {token}")), &[("token", &token)]).await;
    assert_eq!(bearer.error(), "invalid_client");
    assert_eq!(world.post("introspect", Some(&basic("portal", SECRET)), &[]).await.error(), "invalid_request");
}

#[tokio::test]
async fn a_refresh_token_is_its_clients_business_alone() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid offline_access").await;
    let token = tokens.text("refresh_token");
    let seen = introspect(&world, "portal", &token).await;
    assert_eq!(seen.json["active"], true);
    assert_eq!(seen.text("client_id"), "portal");
    assert!(seen.json.get("token_type").is_none(), "it is no bearer token");
    assert_eq!(introspect(&world, "api", &token).await.json, json!({"active": false}));
    world.token("portal", &[("grant_type", "refresh_token"), ("refresh_token", &token)]).await;
    assert_eq!(introspect(&world, "portal", &token).await.json, json!({"active": false}), "it was rotated");
}

#[tokio::test]
async fn a_store_that_is_away_is_no_inactive_token() {
    let world = world();
    let (tokens, _) = world.tokens("relaxed", "openid").await;
    *world.grants.broken.lock().unwrap() = true;
    assert_eq!(introspect(&world, "relaxed", &tokens.text("access_token")).await.status, 503);
}
