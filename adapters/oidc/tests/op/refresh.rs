//! Refresh tokens: rotation, grace, reuse, lifetimes, scope.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{Answer, SECRET, World, basic, claims_of, world};

const SCOPE: &str = "openid profile email offline_access";

async fn refresh(world: &World, token: &str) -> Answer {
    world.token("portal", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

#[tokio::test]
async fn each_use_gives_the_next_token() {
    let mut world = world();
    let (first, id) = world.tokens("portal", SCOPE).await;
    let mut token = first.text("refresh_token");
    for generation in 2..6 {
        world.later(60);
        let next = refresh(&world, &token).await;
        assert_eq!(next.status, 200, "{}", next.json);
        assert_ne!(next.text("refresh_token"), token);
        assert_ne!(next.text("access_token"), first.text("access_token"));
        token = next.text("refresh_token");
        assert_eq!(world.grant(id).refresh.unwrap().generation, generation);
        let claims = claims_of(&next.text("id_token"));
        let old = claims_of(&first.text("id_token"));
        for name in ["iss", "sub", "aud", "auth_time", "sid"] {
            assert_eq!(claims[name], old[name], "{name} (OpenID Connect Core 12.2)");
        }
        assert!(claims.get("nonce").is_none());
        assert_eq!(claims["iat"], world.now.seconds());
    }
}

#[tokio::test]
async fn within_the_grace_a_retry_gets_the_same_successor() {
    let mut world = world();
    let (first, id) = world.tokens("portal", SCOPE).await;
    let old = first.text("refresh_token");
    let next = refresh(&world, &old).await.text("refresh_token");
    world.later(9);
    assert_eq!(refresh(&world, &old).await.text("refresh_token"), next);
    assert!(!world.grant(id).standing.revoked);
    world.later(1);
    assert_eq!(refresh(&world, &old).await.error(), "invalid_grant");
    assert!(world.last_cause().contains("family is revoked"), "{}", world.last_cause());
    assert_eq!(world.counts.reused.load(Ordering::Relaxed), 1);
    assert!(world.grant(id).standing.revoked);
    assert_eq!(refresh(&world, &next).await.error(), "invalid_grant", "the successor died with the family");
    assert_eq!(world.userinfo(&first.text("access_token")).await.error(), "invalid_token");
}

#[tokio::test]
async fn a_token_of_two_generations_ago_is_reuse_at_once() {
    let world = world();
    let (first, id) = world.tokens("portal", SCOPE).await;
    let old = first.text("refresh_token");
    let next = refresh(&world, &old).await.text("refresh_token");
    refresh(&world, &next).await.text("refresh_token");
    assert_eq!(refresh(&world, &old).await.error(), "invalid_grant");
    assert!(world.grant(id).standing.revoked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn parallel_uses_make_one_lineage() {
    let world = std::sync::Arc::new(world());
    let (first, id) = world.tokens("portal", SCOPE).await;
    let token = first.text("refresh_token");
    let mut tasks = Vec::new();
    for _ in 0..100 {
        let (world, token) = (std::sync::Arc::clone(&world), token.clone());
        tasks.push(tokio::spawn(async move { refresh(&world, &token).await.text("refresh_token") }));
    }
    let mut successors = std::collections::HashSet::new();
    for task in tasks {
        successors.insert(task.await.unwrap());
    }
    assert_eq!(successors.len(), 1);
    assert_eq!(world.grant(id).refresh.unwrap().generation, 2);
}

#[tokio::test]
async fn a_scope_may_narrow_and_never_widen() {
    let world = world();
    let (first, id) = world.tokens("portal", "openid email offline_access").await;
    let mut token = first.text("refresh_token");
    for wider in ["openid profile", "openid email api:write", "admin", "openid email offline_access groups", " "] {
        let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", wider)];
        assert_eq!(world.token("portal", &params).await.error(), "invalid_scope", "{wider:?}");
        assert_eq!(world.grant(id).refresh.unwrap().generation, 1, "a refused request does not rotate");
    }
    let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", "openid")];
    let narrow = world.token("portal", &params).await;
    assert_eq!(narrow.text("scope"), "openid");
    assert_eq!(claims_of(&narrow.text("access_token"))["scope"], "openid");
    assert!(claims_of(&narrow.text("id_token")).get("email").is_none());
    let userinfo = world.userinfo(&narrow.text("access_token")).await;
    assert!(userinfo.json.get("email").is_none() && userinfo.json.get("email_verified").is_none());
    assert_eq!(userinfo.json["tier"], "gold", "claims of no scope stay");
    token = narrow.text("refresh_token");
    let full = refresh(&world, &token).await;
    assert_eq!(full.text("scope"), "openid email offline_access", "the ceiling is the grant's, not the last request's");
}

#[tokio::test]
async fn a_token_is_bound_to_its_client() {
    let world = world();
    let (first, id) = world.tokens("portal", SCOPE).await;
    let params = [("grant_type", "refresh_token"), ("refresh_token", &first.text("refresh_token"))];
    for client in ["relaxed", "opaque"] {
        assert_eq!(world.token(client, &params).await.error(), "invalid_grant");
    }
    let native = [params[0], params[1], ("client_id", "native")];
    assert_eq!(world.post("token", None, &native).await.error(), "invalid_grant");
    assert_eq!(world.token("machine", &params).await.error(), "unauthorized_client");
    assert!(!world.grant(id).standing.revoked, "a stranger can't end the family");
    assert_eq!(world.token("portal", &params).await.status, 200);
}

#[tokio::test]
async fn forged_tokens_are_refused() {
    let world = world();
    let (first, id) = world.tokens("portal", SCOPE).await;
    let good = first.text("refresh_token");
    let mut forged: Vec<String> = Vec::new();
    for at in [5, 20, 30, 40, 60, good.len() - 2] {
        let mut text: Vec<u8> = good.clone().into_bytes();
        text[at] = if text[at] == b'A' { b'B' } else { b'A' };
        forged.push(String::from_utf8(text).unwrap());
    }
    forged.extend([
        good[4..].to_owned(),
        good[..good.len() - 4].to_owned(),
        format!("{good}AAAA"),
        "fbr_".to_owned(),
        format!("fbr_{}", "A".repeat(75)),
        first.text("access_token"),
        first.text("id_token"),
    ]);
    for token in forged {
        assert_eq!(refresh(&world, &token).await.error(), "invalid_grant", "{token}");
        assert_eq!(world.last_cause(), "it is no refresh token of this tenant", "{token}");
    }
    assert!(!world.grant(id).standing.revoked, "a forged token can't end a family");
    assert_eq!(refresh(&world, &good).await.status, 200);
    assert_eq!(world.token("portal", &[("grant_type", "refresh_token")]).await.error(), "invalid_request");
}

#[tokio::test]
async fn a_family_ends_when_idle_and_for_good() {
    let day = 86_400;
    let mut world = world();
    let (idle, _) = world.tokens("portal", SCOPE).await;
    let (used, _) = world.tokens("portal", SCOPE).await;
    let mut token = used.text("refresh_token");
    for _ in 0..3 {
        world.later(29 * day);
        token = refresh(&world, &token).await.text("refresh_token");
    }
    assert_eq!(refresh(&world, &idle.text("refresh_token")).await.error(), "invalid_grant");
    assert!(world.last_cause().contains("was not used until"));
    world.later(3 * day);
    assert_eq!(refresh(&world, &token).await.error(), "invalid_grant");
    assert!(world.last_cause().contains("ended at"));
}

#[tokio::test]
async fn the_upstreams_session_limits_the_family() {
    let mut world = world();
    let login = world.accepted(&world.request("portal", SCOPE)).await;
    let mut identity = world.identity(&world.acme, login.scope.clone());
    identity.upstream_limit = Some(world.now + Duration::from_secs(3600));
    let (reply, id) = world.finish(&world.acme, &login, &identity).await;
    let code = crate::support::front_params(&reply).1["code"].clone();
    let token = world.redeem("portal", &code).await.text("refresh_token");
    assert_eq!(world.grant(id).refresh.unwrap().absolute_expires, world.now + Duration::from_secs(3600));
    world.later(3600);
    assert_eq!(refresh(&world, &token).await.error(), "invalid_grant");
}

#[tokio::test]
async fn a_public_client_refreshes_too() {
    let world = world();
    let (code, _) = world.code("native", SCOPE).await;
    let params = [
        ("grant_type", "authorization_code"),
        ("client_id", "native"),
        ("code", &code),
        ("redirect_uri", "http://127.0.0.1:5000/cb"),
        ("code_verifier", crate::support::VERIFIER),
    ];
    let first = world.post("token", None, &params).await;
    let token = first.text("refresh_token");
    let params = [("grant_type", "refresh_token"), ("client_id", "native"), ("refresh_token", token.as_str())];
    assert_ne!(world.post("token", None, &params).await.text("refresh_token"), token);
}

#[tokio::test]
async fn revoking_a_refresh_token_ends_the_whole_grant() {
    let world = world();
    let (first, id) = world.tokens("portal", SCOPE).await;
    let (access, token) = (first.text("access_token"), first.text("refresh_token"));
    let foreign = world.post("revoke", Some(&basic("relaxed", SECRET)), &[("token", &token)]).await;
    assert_eq!((foreign.status, foreign.body.len()), (200, 0));
    assert!(!world.grant(id).standing.revoked, "another client's token stays untouched");
    let hint = [("token", token.as_str()), ("token_type_hint", "access_token")];
    assert_eq!(world.post("revoke", Some(&basic("portal", SECRET)), &hint).await.status, 200);
    assert_eq!(world.userinfo(&access).await.error(), "invalid_token");
    assert_eq!(refresh(&world, &token).await.error(), "invalid_grant");
}
