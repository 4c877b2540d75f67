//! Userinfo and its bearer tokens.

use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::{HttpInput, Method};

use crate::support::{Answer, World, body_of, claims_of, form, input, world};

async fn send(world: &World, input: HttpInput) -> Answer {
    match world.send(&world.acme, input).await {
        Accepted::Reply(reply) => body_of(reply),
        _ => panic!("not a reply"),
    }
}

fn with_body(params: &[(&str, &str)]) -> HttpInput {
    let mut input = input("userinfo", Method::Post);
    input.content_type = Some("application/x-www-form-urlencoded".into());
    input.body = form(params).into();
    input
}

#[tokio::test]
async fn the_same_person_and_claims_as_in_the_id_token() {
    let world = world();
    for client in ["portal", "opaque"] {
        let (tokens, _) = world.tokens(client, "openid profile email groups").await;
        let access = tokens.text("access_token");
        let answer = world.userinfo(&access).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers["cache-control"], "no-store");
        let id_token = claims_of(&tokens.text("id_token"));
        for (name, value) in answer.json.as_object().unwrap() {
            assert_eq!(id_token[name], *value, "{name}");
        }
        assert_eq!(answer.json["sub"], "c0ffee");
        assert_eq!(answer.json["email_verified"], true);
        assert_eq!(answer.json["groups"], serde_json::json!(["staff"]));
        assert!(
            answer.json.get("iss").is_none() && answer.json.get("aud").is_none(),
            "no mapping makes protocol claims"
        );
        assert!(answer.json.as_object().unwrap().values().all(|value| !value.is_null()));
    }
}

#[tokio::test]
async fn header_or_body_and_never_the_address() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let token = tokens.text("access_token");
    let mut header = input("userinfo", Method::Post);
    header.authorization = Some(format!("bearer {token}"));
    assert_eq!(send(&world, header.clone()).await.status, 200);
    assert_eq!(send(&world, with_body(&[("access_token", &token)])).await.status, 200);
    let mut query = input("userinfo", Method::Get);
    query.query = form(&[("access_token", &token)]);
    assert_eq!(send(&world, query.clone()).await.status, 400);
    query.authorization = header.authorization.clone();
    assert_eq!(send(&world, query).await.error(), "invalid_request", "not even beside a good header");
    let mut two = with_body(&[("access_token", &token)]);
    two.authorization = header.authorization.clone();
    assert_eq!(send(&world, two).await.error(), "invalid_request");
    assert_eq!(
        send(&world, with_body(&[("access_token", &token), ("access_token", &token)])).await.error(),
        "invalid_request"
    );
    let mut get_body = with_body(&[("access_token", &token)]);
    get_body.method = Method::Get;
    assert_eq!(send(&world, get_body).await.status, 401, "a body counts with POST only");
}

#[tokio::test]
async fn challenges_follow_rfc_6750() {
    let world = world();
    for authorization in [None, Some("Bearer"), Some("Bearer "), Some("Basic abc"), Some("token abc")] {
        let mut none = input("userinfo", Method::Get);
        none.authorization = authorization.map(str::to_owned);
        let answer = send(&world, none).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.headers["www-authenticate"], "Bearer realm=\"https://bridge.example/t/acme\"");
    }
    let answer = world.userinfo("junk").await;
    assert_eq!((answer.status, answer.error()), (401, "invalid_token"));
    assert!(answer.headers["www-authenticate"].contains("error=\"invalid_token\""));
    let (tokens, _) = world.tokens("portal", "api:read").await;
    let answer = world.userinfo(&tokens.text("access_token")).await;
    assert_eq!(answer.status, 403);
    assert!(answer.headers["www-authenticate"].contains("error=\"insufficient_scope\""));
    assert!(answer.headers["www-authenticate"].contains("scope=\"openid\""));
}

#[tokio::test]
async fn tokens_expire_and_can_be_revoked_alone() {
    let mut world = world();
    for client in ["portal", "opaque"] {
        let (one, _) = world.tokens(client, "openid offline_access").await;
        let (two, _) = world.tokens(client, "openid offline_access").await;
        let (one, two) = (one.text("access_token"), two.text("access_token"));
        let auth = crate::support::basic(client, crate::support::SECRET);
        let foreign = crate::support::basic("machine", crate::support::SECRET);
        world.post("revoke", Some(&foreign), &[("token", &one)]).await;
        assert_eq!(world.userinfo(&one).await.status, 200, "another client's token stays untouched");
        let hint = [("token", one.as_str()), ("token_type_hint", "refresh_token")];
        assert_eq!(world.post("revoke", Some(&auth), &hint).await.status, 200);
        assert_eq!(world.userinfo(&one).await.error(), "invalid_token");
        assert_eq!(world.userinfo(&two).await.status, 200);
        world.later(599);
        assert_eq!(world.userinfo(&two).await.status, 200);
        world.later(1);
        assert_eq!(world.userinfo(&two).await.error(), "invalid_token");
        assert!(world.last_cause().contains("expired"));
    }
}

#[tokio::test]
async fn revoking_answers_the_same_for_the_unknown() {
    let world = world();
    let auth = crate::support::basic("portal", crate::support::SECRET);
    for token in ["junk", "a.b.c", "fbr_AAAA", "fba_AAAA"] {
        let answer = world.post("revoke", Some(&auth), &[("token", token)]).await;
        assert_eq!((answer.status, answer.body.len()), (200, 0));
    }
    assert_eq!(world.post("revoke", Some(&auth), &[]).await.error(), "invalid_request");
    assert_eq!(world.post("revoke", None, &[("token", "x")]).await.error(), "invalid_client");
    assert_eq!(world.post("revoke", None, &[("token", "x"), ("client_id", "native")]).await.status, 200);
    assert_eq!(world.post("revoke", None, &[("token", "x"), ("client_id", "portal")]).await.error(), "invalid_client");
}

/// The claims parameter asked for this claim by name: a narrower scope does not hide it.
#[tokio::test]
async fn a_claim_asked_for_by_name_outlives_its_scope() {
    let world = world();
    let mut request = world.request("portal", "openid email offline_access");
    request.push(("claims", r#"{"userinfo":{"email":null}}"#.into()));
    let login = world.accepted(&request).await;
    let identity = world.identity(&world.acme, login.scope.clone());
    let (reply, _) = world.finish(&world.acme, &login, &identity).await;
    let code = crate::support::front_params(&reply).1["code"].clone();
    let token = world.redeem("portal", &code).await.text("refresh_token");
    let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", "openid")];
    let narrow = world.token("portal", &params).await;
    let userinfo = world.userinfo(&narrow.text("access_token")).await;
    assert_eq!(userinfo.json["email"], "ada@acme.example");
    assert!(userinfo.json.get("email_verified").is_none());
}
