//! Bad requests get the protocol's own error, and a bad client or redirect_uri a page.

use crate::support::browser::Browser;
use crate::support::scripted::{App, CHALLENGE, LOGGED_OUT, REDIRECT, alice, claims, idp, now, server, server_with};

#[tokio::test]
async fn an_unregistered_client_or_redirect_uri_gets_a_page() {
    let idp = idp();
    let (_scratch, _setup, bridge) = server(&idp).await;
    let app = App::of(&bridge);
    for query in [
        "client_id=nobody&redirect_uri=http://127.0.0.1:9/callback",
        "client_id=app&redirect_uri=https://evil.example/callback",
        "client_id=app&redirect_uri=http://127.0.0.1:9/callback/",
        "client_id=app&redirect_uri=http://127.0.0.1:9/callback%23x",
        "client_id=app",
        "redirect_uri=http://127.0.0.1:9/callback",
        "client_id=app&client_id=app&redirect_uri=http://127.0.0.1:9/callback",
    ] {
        let answer = Browser::new().get(&format!("{}/authorize?response_type=code&{query}", app.at)).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.location, None, "{query}");
        assert!(answer.headers["content-type"].to_str().unwrap().starts_with("text/html"), "{query}");
    }
}

#[tokio::test]
async fn a_bad_request_of_a_known_client_is_told_to_it() {
    let idp = idp();
    let (_scratch, _setup, bridge) = server(&idp).await;
    let app = App::of(&bridge);
    let base = format!("{}/authorize?client_id=app&redirect_uri={REDIRECT}&state=s", app.at);
    let pkce = format!("code_challenge={CHALLENGE}&code_challenge_method=S256");
    for (query, error) in [
        (format!("response_type=token&scope=openid&{pkce}"), "unsupported_response_type"),
        (format!("response_type=code&scope=unknown&{pkce}"), "invalid_scope"),
        ("response_type=code&scope=openid".to_owned(), "invalid_request"),
        (
            format!("response_type=code&scope=openid&code_challenge={CHALLENGE}&code_challenge_method=plain"),
            "invalid_request",
        ),
        (format!("response_type=code&scope=openid&prompt=none%20login&{pkce}"), "invalid_request"),
        (format!("response_type=code&scope=openid&request=e30&{pkce}"), "request_not_supported"),
        (format!("response_type=code&scope=openid&request_uri=https://x.example&{pkce}"), "request_uri_not_supported"),
    ] {
        let answer = Browser::new().get(&format!("{base}&{query}")).await;
        assert_eq!(answer.status, 303, "{query}: {}", answer.body);
        let params = answer.redirect_params();
        assert_eq!(params["error"], error, "{query}");
        assert_eq!(params["state"], "s", "{query}");
        assert_eq!(params["iss"], app.at, "{query}");
    }
}

#[tokio::test]
async fn token_requests_that_are_wrong_change_nothing() {
    let idp = idp();
    let (_scratch, _setup, bridge) = server(&idp).await;
    let app = App::of(&bridge);
    let code = app.login(&mut Browser::new(), &idp, &alice()).await;
    let wrong_verifier = app
        .token(&[
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", &"x".repeat(43)),
        ])
        .await;
    assert_eq!(wrong_verifier.json()["error"], "invalid_grant");
    assert!(wrong_verifier.json()["trace_id"].is_string());
    assert_eq!(app.token(&[("grant_type", "password")]).await.json()["error"], "unsupported_grant_type");
    assert_eq!(app.token(&[]).await.json()["error"], "invalid_request");
    let stranger = [("grant_type", "client_credentials"), ("client_id", "app"), ("client_secret", "wrong")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let refused = Browser::new().post(&format!("{}/token", app.at), &stranger).await;
    assert_eq!((refused.status, refused.json()["error"].as_str().unwrap()), (401, "invalid_client"));
    // The code is still good for its owner.
    assert_eq!(app.redeem(&code).await.status, 200);
}

#[tokio::test]
async fn a_session_serves_the_next_login_and_logout_ends_it() {
    let idp = idp();
    let (_scratch, _setup, bridge) = server(&idp).await;
    let app = App::of(&bridge);
    let mut browser = Browser::new();
    let code = app.login(&mut browser, &idp, &alice()).await;
    let first = app.redeem(&code).await.json();
    let again = browser.get(&app.authorize_url("&prompt=none")).await;
    let second = app.redeem(&again.redirect_param("code")).await.json();
    let (one, two) = (claims(&first["id_token"]), claims(&second["id_token"]));
    for claim in ["sub", "sid", "auth_time", "email", "idp"] {
        assert_eq!(one[claim], two[claim], "{claim}");
    }
    assert_eq!(again.redirect_param("state"), "st ate");
    let logout = format!(
        "{}/logout?id_token_hint={}&post_logout_redirect_uri={LOGGED_OUT}&state=bye",
        app.at,
        first["id_token"].as_str().unwrap()
    );
    let out = browser.get(&logout).await;
    assert_eq!(out.location.as_deref(), Some(format!("{LOGGED_OUT}?state=bye").as_str()), "{}", out.body);
    let none = browser.get(&app.authorize_url("&prompt=none")).await;
    // Without a session the upstream is asked passively; this one has a page to show, so it says no.
    let request = fedbridge_saml::testkit::ReceivedRequest::from_redirect(&none.location.unwrap()).unwrap();
    let refusal = idp.refusal(&request, "urn:oasis:names:tc:SAML:2.0:status:NoPassive", now());
    let form = refusal.form(&idp, request.relay_state.as_deref()).unwrap();
    assert_eq!(app.post_acs(&mut browser, &form).await.redirect_param("error"), "login_required");
    // Offline access outlives the session; the access token of the login goes with the grant.
    assert_eq!(app.refresh(first["refresh_token"].as_str().unwrap()).await.status, 200);
}

#[tokio::test]
async fn an_answer_from_another_browser_is_refused() {
    let idp = idp();
    let (_scratch, setup, bridge) = server(&idp).await;
    let app = App::of(&bridge);
    let request = app.to_idp(&mut Browser::new(), "").await;
    let form = idp.answer(&request, &alice(), now()).form(&idp, request.relay_state.as_deref()).unwrap();
    let refused = app.post_acs(&mut Browser::new(), &form).await;
    assert_eq!((refused.status, refused.location), (400, None));
    bridge.stop();
    let list = setup.ok(&["trace", "list", "--result", "refused"]);
    assert!(list.contains("browser"), "{list}");
}

#[tokio::test]
async fn what_is_switched_off_stops_at_once() {
    let idp = idp();
    for (connection, client) in [("        enabled: false", ""), ("", "        enabled: false")] {
        let (scratch, setup, bridge) = server(&idp).await;
        let app = App::of(&bridge);
        let tokens = app.tokens(&idp, &alice()).await;
        let mut browser = Browser::new();
        let request = app.to_idp(&mut browser, "").await;
        let form = idp.answer(&request, &alice(), now()).form(&idp, request.relay_state.as_deref()).unwrap();
        let code = app.login(&mut Browser::new(), &idp, &alice()).await;
        setup.apply(&scratch, &crate::support::scripted::bridge_file_with(&scratch, &idp, connection, client));
        let what = format!("{connection}{client}");
        // A second is promised; a busy machine gets more.
        let access_token = tokens["access_token"].as_str().unwrap();
        let mut tries = 0;
        while app.userinfo(access_token).await.status != 401 {
            tries += 1;
            assert!(tries < 100, "{what}: still on after 10 s");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let posted = app.post_acs(&mut browser, &form).await;
        assert!(posted.status < 500 && !posted.location.is_some_and(|to| to.contains("code=")), "{what}");
        for refused in [app.redeem(&code).await, app.refresh(tokens["refresh_token"].as_str().unwrap()).await] {
            assert!([400, 401].contains(&refused.status), "{what}: {}", refused.body);
        }
    }
}

#[tokio::test]
async fn two_connections_are_a_choice_and_a_hint_decides() {
    let idp = idp();
    let second = "      - slug: other
        protocol: saml
        idp_metadata: { file: idp.xml }";
    let (_scratch, _setup, bridge) = server_with(&idp, second, "").await;
    let app = App::of(&bridge);
    let mut browser = Browser::new();
    let page = browser.get(&app.authorize_url("")).await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("connection=idp") && page.body.contains("connection=other"), "{}", page.body);
    assert!(!page.body.contains("<script"), "the chooser needs no script");
    let hinted = app.to_idp(&mut browser, "&login_hint=alice@acme.example").await;
    assert!(hinted.acs.unwrap().contains("/connections/idp/"));
    let named = app.to_idp(&mut browser, "&connection=other").await;
    assert!(named.acs.unwrap().contains("/connections/other/"));
    let unknown = browser.get(&app.authorize_url("&connection=nothing")).await;
    assert_eq!((unknown.status, unknown.location), (400, None));
}
