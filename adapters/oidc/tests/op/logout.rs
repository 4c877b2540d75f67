//! Logout that an app starts.

use fedbridge_contract::downstream::{Accepted, LOGOUT_CONFIRMATION, LogoutRequest};
use fedbridge_contract::http::Method;

use crate::support::{World, form, input, page_status, world};

const BYE: &str = "https://portal.example/bye";

async fn send(world: &World, params: &[(&str, &str)]) -> Accepted {
    world.get("logout", &form(params)).await
}

async fn accepted(world: &World, params: &[(&str, &str)]) -> LogoutRequest {
    match send(world, params).await {
        Accepted::Logout(request) => request,
        _ => panic!("not a logout"),
    }
}

#[tokio::test]
async fn a_hint_names_app_person_and_session() {
    let mut world = world();
    let (tokens, id) = world.tokens("portal", "openid").await;
    world.later(1_000_000);
    let hint = tokens.text("id_token");
    let params = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", BYE), ("state", "a b&c")];
    let request = accepted(&world, &params).await;
    let found = request.hint.clone().unwrap();
    assert_eq!(found.app, world.app("portal"));
    assert_eq!(found.sub, "c0ffee");
    assert_eq!(found.session, Some(world.grant(id).record.session));
    assert_eq!(request.return_to.as_deref(), Some("https://portal.example/bye?state=a+b%26c"));
    assert_eq!(request.app.as_deref(), Some("The portal"));
    assert_eq!(request.action, "https://bridge.example/t/acme/logout");
    assert_eq!(request.confirmation, None);
    let named = [params[0], params[1], ("client_id", "portal")];
    assert_eq!(accepted(&world, &named).await.return_to.as_deref(), Some(BYE));
    let mut post = input("logout", Method::Post);
    post.content_type = Some("application/x-www-form-urlencoded".into());
    post.body = form(&params).into();
    let Accepted::Logout(by_post) = world.send(&world.acme, post).await else { panic!("not a logout") };
    assert_eq!(by_post, request);
}

#[tokio::test]
async fn without_a_genuine_hint_there_is_none() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let mut tampered = tokens.text("id_token");
    tampered.replace_range(tampered.len() - 10..tampered.len() - 9, if tampered.ends_with('A') { "B" } else { "_" });
    for hint in ["junk", &tampered, &tokens.text("access_token")] {
        let request = accepted(&world, &[("id_token_hint", hint), ("post_logout_redirect_uri", BYE)]).await;
        assert_eq!((request.hint, request.return_to), (None, None), "nothing unchecked is used");
    }
    let request = accepted(&world, &[]).await;
    assert_eq!((request.hint, request.return_to, request.app), (None, None, None));
    assert_eq!(accepted(&world, &[("post_logout_redirect_uri", "https://evil.example/")]).await.return_to, None);
    let by_name = [("client_id", "portal"), ("post_logout_redirect_uri", BYE), ("state", "s"), ("other", "x")];
    let request = accepted(&world, &by_name).await;
    assert_eq!(request.hint, None);
    assert_eq!(request.return_to.as_deref(), Some("https://portal.example/bye?state=s"));
    let carried: Vec<_> = request.fields.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(carried, ["client_id", "post_logout_redirect_uri", "state"]);
}

#[tokio::test]
async fn a_wrong_address_or_app_is_a_page() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let hint = ("id_token_hint", &*tokens.text("id_token"));
    for uri in [
        "https://portal.example/bye/",
        "https://portal.example/bye?x=1",
        "https://portal.example/callback",
        "https://evil.example/bye",
        "https://portal.example@evil.example/bye",
        "//portal.example/bye",
        "/\\portal.example/bye",
        "javascript:alert(1)",
        "https://portal.example/bye\t",
    ] {
        for who in [hint, ("client_id", "portal")] {
            assert_eq!(page_status(send(&world, &[who, ("post_logout_redirect_uri", uri)]).await), 400, "{uri}");
        }
    }
    assert_eq!(page_status(send(&world, &[hint, ("client_id", "relaxed")]).await), 400);
    assert_eq!(page_status(send(&world, &[("client_id", "nobody")]).await), 400);
    assert_eq!(page_status(send(&world, &[hint, hint]).await), 400);
    assert_eq!(world.counts.refused.lock().unwrap().last(), Some(&("logout", "invalid_request")));
}

#[tokio::test]
async fn only_a_posted_form_confirms() {
    let world = world();
    assert_eq!(accepted(&world, &[(LOGOUT_CONFIRMATION, "token")]).await.confirmation, None);
    let mut post = input("logout", Method::Post);
    post.content_type = Some("application/x-www-form-urlencoded".into());
    post.body = form(&[(LOGOUT_CONFIRMATION, "token"), ("client_id", "portal")]).into();
    let Accepted::Logout(request) = world.send(&world.acme, post).await else { panic!("not a logout") };
    assert_eq!(request.confirmation.as_deref(), Some("token"));
    assert!(request.fields.iter().all(|(name, _)| name != LOGOUT_CONFIRMATION));
}
