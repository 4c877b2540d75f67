//! What a client loses in its settings, it loses for logins that are already there.

use fedbridge_contract::downstream::{Downstream as _, Finish, RefusalKind};
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::page::Page;
use fedbridge_contract::proof::Permit;
use serde_json::json;

use crate::support::services::CountingRng;
use crate::support::{Answer, SECRET, World, basic, claims_of, front_params, world};

const SCOPE: &str = "openid profile email groups offline_access";

fn take_scopes(world: &mut World, client: &str, gone: &[&str]) {
    world.change_client(client, |settings| {
        settings["scopes"].as_array_mut().unwrap().retain(|scope| !gone.contains(&scope.as_str().unwrap()));
    });
}

async fn refresh(world: &World, client: &str, token: &str) -> Answer {
    world.token(client, &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

#[tokio::test]
async fn a_scope_that_was_taken_away_is_gone_at_once() {
    for client in ["portal", "opaque"] {
        let mut world = world();
        let (tokens, _) = world.tokens(client, SCOPE).await;
        let access = tokens.text("access_token");
        assert_eq!(world.userinfo(&access).await.json["email"], "ada@acme.example");
        take_scopes(&mut world, client, &["email", "groups"]);

        let userinfo = world.userinfo(&access).await.json;
        for gone in ["email", "email_verified", "groups"] {
            assert!(userinfo.get(gone).is_none(), "{gone} in {userinfo}");
        }
        assert_eq!((&userinfo["name"], &userinfo["tier"]), (&json!("Ada"), &json!("gold")));
        let auth = basic(client, SECRET);
        let seen = world.post("introspect", Some(&auth), &[("token", &access)]).await;
        assert_eq!(seen.text("scope"), "openid profile offline_access");
        let token = tokens.text("refresh_token");
        let seen = world.post("introspect", Some(&auth), &[("token", &token)]).await;
        assert_eq!(seen.text("scope"), "openid profile offline_access");

        let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", "openid email")];
        assert_eq!(world.token(client, &params).await.error(), "invalid_scope");
        let next = refresh(&world, client, &token).await;
        assert_eq!(next.text("scope"), "openid profile offline_access");
        let id_token = claims_of(&next.text("id_token"));
        assert!(id_token.get("email").is_none() && id_token.get("groups").is_none(), "{id_token}");
        assert_eq!(id_token["name"], "Ada");
    }
}

#[tokio::test]
async fn a_code_under_way_gives_what_is_left() {
    let mut world = world();
    let (code, id) = world.code("portal", SCOPE).await;
    take_scopes(&mut world, "portal", &["email", "offline_access"]);
    let answer = world.redeem("portal", &code).await;
    assert_eq!(answer.text("scope"), "openid profile groups");
    assert!(claims_of(&answer.text("id_token")).get("email").is_none());
    assert!(answer.json.get("refresh_token").is_none() && world.grant(id).refresh.is_none());
    let (code, _) = world.code("portal", "api:read").await;
    take_scopes(&mut world, "portal", &["api:read"]);
    assert_eq!(world.redeem("portal", &code).await.error(), "invalid_scope");
}

#[tokio::test]
async fn without_openid_there_is_no_userinfo() {
    let mut world = world();
    let (tokens, _) = world.tokens("portal", SCOPE).await;
    take_scopes(&mut world, "portal", &["openid"]);
    assert_eq!(world.userinfo(&tokens.text("access_token")).await.error(), "insufficient_scope");
    let next = refresh(&world, "portal", &tokens.text("refresh_token")).await;
    assert!(next.json.get("id_token").is_none());
}

#[tokio::test]
async fn without_offline_access_a_family_ends() {
    let mut world = world();
    let (tokens, _) = world.tokens("portal", SCOPE).await;
    let token = tokens.text("refresh_token");
    take_scopes(&mut world, "portal", &["offline_access"]);
    assert_eq!(refresh(&world, "portal", &token).await.error(), "invalid_grant");
    assert!(world.last_cause().contains("offline_access"), "{}", world.last_cause());
    let seen = world.post("introspect", Some(&basic("portal", SECRET)), &[("token", &token)]).await;
    assert_eq!(seen.json, json!({"active": false}));
}

/// A claim by name needs its scope at the client too, so it goes with it.
#[tokio::test]
async fn a_claim_asked_for_by_name_goes_with_the_clients_scope() {
    let mut world = world();
    let mut request = world.request("portal", "openid");
    request.push(("claims", r#"{"userinfo":{"email":null}}"#.into()));
    let login = world.accepted(&request).await;
    let identity = world.identity(&world.acme, login.scope.clone());
    let (reply, _) = world.finish(&world.acme, &login, &identity).await;
    let tokens = world.redeem("portal", &front_params(&reply).1["code"]).await;
    let access = tokens.text("access_token");
    assert_eq!(world.userinfo(&access).await.json["email"], "ada@acme.example");
    take_scopes(&mut world, "portal", &["email"]);
    let userinfo = world.userinfo(&access).await.json;
    assert_eq!(userinfo.get("email"), None);
    assert_eq!(userinfo["groups"], json!(["staff"]), "a claim that no scope and no name brought stays");
}

/// An address that was taken out while the person logged in gets neither a code nor an error.
#[tokio::test]
async fn an_address_that_was_taken_away_gets_no_answer() {
    let mut world = world();
    let login = world.accepted(&world.request("portal", "openid")).await;
    let identity = world.identity(&world.acme, login.scope.clone());
    world.change_client("portal", |settings| settings["redirect_uris"] = json!(["https://portal.example/new"]));
    let app = world.acme.app_by_id(login.app).unwrap();
    let rng = CountingRng::default();
    let (tenant, continuation, now) = (&world.acme, login.continuation.as_slice(), world.now);
    let finish = Finish { tenant, app, continuation, identity: &identity, now, rng: &rng };
    let refusal = world.provider.finish(finish, &Permit::assertion_of_the_gate()).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::ServerError);
    let reply = world.provider.refuse(&world.acme, continuation, &refusal, TraceId::random(&rng)).await;
    let Reply { kind: ReplyKind::Page(Page::Error(page)), .. } = reply else { panic!("not a page: {reply:?}") };
    assert_eq!(page.status, 400);
    assert!(page.sentence.contains("taken out of its registration"), "{}", page.sentence);
}
