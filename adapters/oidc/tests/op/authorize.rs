//! The authorization request: who may ask, for what, and where the answer goes.

use fedbridge_contract::config::Locale;
use fedbridge_contract::downstream::{Accepted, ConsentWish, Downstream as _, Finish, Refusal, RefusalKind};
use fedbridge_contract::http::{Method, Reply, ReplyKind};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::page::Page;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::ticket;
use serde_json::{Value, json};

use crate::support::{CALLBACK, World, form, front_params, input, page_status, world};

const ISSUER: &str = "https://bridge.example/t/acme";

/// A request with some parameters set anew or (with `None`) taken out.
fn changed<'a>(world: &World, changes: &[(&'a str, Option<&str>)]) -> Vec<(&'a str, String)> {
    let mut params = world.request("portal", "openid email");
    for (name, value) in changes {
        params.retain(|(there, _)| there != name);
        params.extend(value.map(|value| (*name, value.to_owned())));
    }
    params
}

#[tokio::test]
async fn a_good_request_becomes_a_login() {
    let world = world();
    let login = world
        .accepted(&changed(
            &world,
            &[
                ("scope", Some("openid email unknown offline_access")),
                ("login_hint", Some("ada@acme.example")),
                ("domain_hint", Some("acme.example")),
                ("idp_hint", Some("okta")),
                ("acr_values", Some("a b")),
                ("max_age", Some("300")),
                ("ui_locales", Some("de en")),
                ("display", Some("popup")),
                ("claims_locales", Some("de")),
                ("something_else", Some("ignored")),
            ],
        ))
        .await;
    assert_eq!(login.app, world.app("portal"));
    assert_eq!(login.scope, ["openid", "email", "offline_access"]);
    assert_eq!(login.hints.connection.as_deref(), Some("okta"));
    assert_eq!(login.hints.login_hint.as_deref(), Some("ada@acme.example"));
    assert_eq!(login.hints.domain_hint.as_deref(), Some("acme.example"));
    assert_eq!(login.wish.acr_values, ["a", "b"]);
    assert_eq!(login.wish.max_age, Some(300));
    assert_eq!(login.wish.ui_locales.as_deref(), Some("de en"));
    assert!(!login.wish.force_authn && !login.wish.passive && !login.choose);
    assert_eq!(login.expected_sub, None);
}

#[tokio::test]
async fn get_and_post_mean_the_same() {
    let world = world();
    let params = world.request("portal", "openid");
    let by_get = world.accepted(&params).await;
    let mut post = input("authorize", Method::Post);
    post.content_type = Some("application/x-www-form-urlencoded; charset=utf-8".into());
    post.body = form(&params.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>()).into();
    let Accepted::Login(by_post) = world.send(&world.acme, post).await else { panic!("not a login") };
    assert_eq!(*by_post, by_get);
}

#[tokio::test]
async fn an_unknown_app_or_address_gets_a_page_and_never_a_redirect() {
    let world = world();
    for changes in [
        vec![("client_id", None)],
        vec![("client_id", Some("nobody"))],
        vec![("client_id", Some("PORTAL"))],
        vec![("redirect_uri", None)],
        vec![("redirect_uri", Some("https://evil.example/callback"))],
        vec![("redirect_uri", Some("https://portal.example/callback?x=1"))],
    ] {
        let params = changed(&world, &changes);
        assert_eq!(page_status(world.authorize(&params).await), 400, "{changes:?}");
    }
    for twice in ["client_id", "redirect_uri"] {
        let mut params = world.request("portal", "openid");
        params.push((twice, if twice == "client_id" { "portal".into() } else { CALLBACK.into() }));
        assert_eq!(page_status(world.authorize(&params).await), 400, "{twice} twice");
    }
    assert!(world.traces.0.lock().unwrap().iter().all(|event| event.kind == "authorize"));
    world.gate.apps.lock().unwrap().insert(world.app("portal"));
    assert_eq!(page_status(world.authorize(&world.request("portal", "openid")).await), 403);
}

#[tokio::test]
async fn bad_requests_go_back_with_error_state_and_iss() {
    let world = world();
    for (name, value, error) in [
        ("response_type", None, "invalid_request"),
        ("response_type", Some("token"), "unsupported_response_type"),
        ("response_type", Some("id_token"), "unsupported_response_type"),
        ("response_type", Some("code id_token"), "unsupported_response_type"),
        ("response_type", Some("code token"), "unsupported_response_type"),
        ("response_type", Some("none"), "unsupported_response_type"),
        ("response_type", Some("Code"), "unsupported_response_type"),
        ("response_mode", Some("fragment"), "invalid_request"),
        ("response_mode", Some("query.jwt"), "invalid_request"),
        ("scope", None, "invalid_scope"),
        ("scope", Some("address phone"), "invalid_scope"),
        ("scope", Some("offline_access"), "invalid_scope"),
        ("code_challenge", None, "invalid_request"),
        ("code_challenge", Some("too-short"), "invalid_request"),
        ("code_challenge_method", None, "invalid_request"),
        ("code_challenge_method", Some("plain"), "invalid_request"),
        ("code_challenge_method", Some("s256"), "invalid_request"),
        ("prompt", Some("none login"), "invalid_request"),
        ("prompt", Some("none consent"), "invalid_request"),
        ("prompt", Some("none select_account"), "invalid_request"),
        ("prompt", Some("create"), "invalid_request"),
        ("max_age", Some("-1"), "invalid_request"),
        ("max_age", Some("+1"), "invalid_request"),
        ("max_age", Some("1.5"), "invalid_request"),
        ("max_age", Some("99999999999999999999"), "invalid_request"),
        ("claims", Some("{"), "invalid_request"),
        ("id_token_hint", Some("not-a-token"), "invalid_request"),
        ("request", Some("eyJhbGciOiJub25lIn0.e30."), "request_not_supported"),
        ("request_uri", Some("https://portal.example/request"), "request_uri_not_supported"),
    ] {
        let answer = world.refused(&changed(&world, &[(name, value)])).await;
        assert_eq!(answer["error"], error, "{name} {value:?}");
        assert_eq!(answer["state"], "st/a+te");
        assert_eq!(answer["iss"], ISSUER);
        assert_eq!(answer["trace_id"].len(), 32);
        assert!(!answer["error_description"].is_empty());
        assert!(!answer.contains_key("code"));
    }
    let mut both = changed(&world, &[("connection", Some("okta"))]);
    both.push(("idp_hint", "entra".into()));
    assert_eq!(world.refused(&both).await["error"], "invalid_request");
    let codeless = world.refused(&changed(&world, &[("client_id", Some("codeless"))])).await;
    assert_eq!(codeless["error"], "unauthorized_client");
}

/// A developer reads which setting to look at.
#[tokio::test]
async fn refusals_name_the_setting() {
    let world = world();
    for (changes, setting) in [
        ([("scope", Some("address"))], "scopes"),
        ([("scope", None)], "scope is missing"),
        ([("client_id", Some("codeless"))], "grant_types"),
    ] {
        let answer = world.refused(&changed(&world, &changes)).await;
        assert!(answer["error_description"].contains(setting), "{answer:?}");
    }
    for grant_type in ["authorization_code", "refresh_token"] {
        let answer = world.token("machine", &[("grant_type", grant_type)]).await;
        assert!(answer.text("error_description").contains(&format!("grant_types do not list {grant_type}")));
    }
    let answer = world.token("machine", &[("grant_type", "client_credentials"), ("scope", "openid")]).await;
    assert!(answer.text("error_description").contains("its scopes"), "{}", answer.json);
    let params = changed(&world, &[("client_id", Some("paired"))]);
    let Accepted::Reply(Reply { kind: ReplyKind::Page(Page::Error(page)), .. }) = world.authorize(&params).await else {
        panic!("not a page")
    };
    assert!(page.sentence.contains("sector_identifier_uri"), "{}", page.sentence);
}

#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let world = world();
    for name in ["scope", "state", "nonce", "response_type", "code_challenge", "prompt", "unknown"] {
        let mut params = changed(&world, &[(name, Some("a"))]);
        params.push((name, "b".into()));
        let answer = world.refused(&params).await;
        assert_eq!(answer["error"], "invalid_request", "{name}");
        assert_eq!(answer.contains_key("state"), name != "state");
    }
}

#[tokio::test]
async fn pkce_is_optional_only_where_it_was_set_so() {
    let world = world();
    let without = |client: &str| {
        let mut params = world.request("portal", "openid");
        params.retain(|(name, _)| !name.starts_with("code_challenge") && *name != "client_id");
        params.push(("client_id", client.to_owned()));
        params
    };
    assert_eq!(world.refused(&without("portal")).await["error"], "invalid_request");
    world.accepted(&without("relaxed")).await;
    let mut native = world.request("native", "openid");
    native.retain(|(name, _)| !name.starts_with("code_challenge"));
    assert_eq!(world.refused(&native).await["error"], "invalid_request");
}

#[tokio::test]
async fn prompts_become_wishes() {
    let world = world();
    for (prompt, passive, force, choose) in [
        ("none", true, false, false),
        ("login", false, true, false),
        ("consent", false, false, false),
        ("login consent", false, true, false),
        ("select_account", false, false, true),
        ("login select_account", false, true, true),
    ] {
        let login = world.accepted(&changed(&world, &[("prompt", Some(prompt))])).await;
        assert_eq!((login.wish.passive, login.wish.force_authn, login.choose), (passive, force, choose), "{prompt}");
    }
    let login = world.accepted(&changed(&world, &[("max_age", Some("0"))])).await;
    assert!(login.wish.force_authn);
}

#[tokio::test]
async fn who_is_asked_for_consent_is_the_clients_setting_and_prompts_say() {
    use ConsentWish::{Always, NotNeeded, Remembered};
    for (setting, unprompted) in [
        (Value::Null, NotNeeded),
        (json!("none"), NotNeeded),
        (json!("remember"), Remembered),
        (json!("always"), Always),
    ] {
        let mut world = world();
        world.change_client("portal", |settings| settings["consent"] = setting.clone());
        for (prompt, wish) in [
            (None, unprompted),
            (Some("login"), unprompted),
            (Some("none"), unprompted),
            (Some("consent"), Always),
            (Some("login consent"), Always),
        ] {
            let login = world.accepted(&changed(&world, &[("prompt", prompt)])).await;
            assert_eq!(login.consent, wish, "{setting} {prompt:?}");
        }
    }
}

/// RFC 8252 section 8.6: whatever runs on a device may use such an address, so a yes of before is no yes to it.
#[tokio::test]
async fn a_native_app_that_anybody_could_be_asks_each_time() {
    use ConsentWish::{Always, NotNeeded, Remembered};
    let mut world = world();
    for (client, address, setting, wish) in [
        ("native", "http://127.0.0.1:5000/cb", "remember", Always),
        ("native", "http://[::1]:9/cb?a=b", "remember", Always),
        ("native", "com.example.app:/cb", "remember", Always),
        ("native", "com.example.app:/cb", "always", Always),
        // The company's own word for its own app.
        ("native", "com.example.app:/cb", "none", NotNeeded),
        ("portal", "https://portal.example/other?x=1", "remember", Remembered),
    ] {
        world.change_client(client, |settings| settings["consent"] = json!(setting));
        let mut params = world.request(client, "openid");
        params[1].1 = address.to_owned();
        assert_eq!(world.accepted(&params).await.consent, wish, "{address} {setting}");
    }
    // One that proves who it is may have a loopback address, and one of the web needs no secret.
    world.change_client("native", |settings| {
        settings["consent"] = json!("remember");
        settings["redirect_uris"] = json!(["https://native.example/cb"]);
    });
    let mut params = world.request("native", "openid");
    params[1].1 = "https://native.example/cb".to_owned();
    assert_eq!(world.accepted(&params).await.consent, Remembered);
    world.change_client("portal", |settings| settings["redirect_uris"] = json!(["http://127.0.0.1:7/cb"]));
    let mut params = world.request("portal", "openid");
    params[1].1 = "http://127.0.0.1:7/cb".to_owned();
    assert_eq!(world.accepted(&params).await.consent, Remembered);
}

#[tokio::test]
async fn a_person_is_told_where_the_answer_goes() {
    let world = world();
    for (client, address, host) in [
        ("portal", "https://portal.example/other?x=1", "portal.example"),
        ("native", "http://127.0.0.1:5000/cb", "127.0.0.1"),
        ("native", "http://[::1]:9/cb?a=b", "[::1]"),
        ("native", "com.example.app:/cb", "com.example.app:"),
    ] {
        let mut params = world.request(client, "openid");
        params[1].1 = address.to_owned();
        let login = world.accepted(&params).await;
        let app = world.acme.app_by_id(login.app).unwrap();
        assert_eq!(world.provider.host(app, &login.continuation).as_deref(), Some(host));
    }
    let app = world.acme.app_by_id(world.app("portal")).unwrap();
    assert_eq!(world.provider.host(app, b"not ours"), None);
}

#[tokio::test]
async fn pages_speak_the_language_that_the_app_asks_for() {
    let mut world = world();
    for (asked, locale) in [
        (None, None),
        (Some("de-AT en"), Some(Locale::De)),
        (Some("fr en-GB de"), Some(Locale::En)),
        (Some("fr"), None),
        (Some("<script>"), None),
    ] {
        let mut params = changed(&world, &[("redirect_uri", Some("https://evil.example/")), ("ui_locales", asked)]);
        let Accepted::Reply(page) = world.authorize(&params).await else { panic!("not a page") };
        assert_eq!(page.dress.locale, locale, "{asked:?}");
        params.retain(|(name, _)| *name == "ui_locales");
        params.push(("client_id", "nobody".to_owned()));
        let pairs: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let Accepted::Reply(page) = world.get("logout", &form(&pairs)).await else { panic!("not a page") };
        assert_eq!(page.dress.locale, locale, "{asked:?} at logout");
    }
    world.speak(&[Locale::De]);
    let params = [("client_id", "nobody".to_owned()), ("ui_locales", "en de".to_owned())];
    let Accepted::Reply(page) = world.authorize(&params).await else { panic!("not a page") };
    assert_eq!(page.dress.locale, Some(Locale::De), "English is not offered");
}

#[tokio::test]
async fn the_way_back_to_a_chooser_drops_the_choice() {
    let world = world();
    let params = changed(&world, &[("prompt", Some("login select_account")), ("connection", Some("okta"))]);
    let login = world.accepted(&params).await;
    let (target, query) = login.again.split_once('?').unwrap();
    assert_eq!(target, "https://bridge.example/t/acme/authorize");
    assert!(query.contains("prompt=login&") || query.ends_with("prompt=login"), "{query}");
    assert!(!query.contains("connection="));
    let Accepted::Login(again) = world.get("authorize", &format!("{query}&connection=okta")).await else {
        panic!("not a login")
    };
    assert_eq!(again.hints, login.hints);
    assert_eq!(again.continuation, login.continuation);
    assert!(!again.choose);
}

#[tokio::test]
async fn the_answer_carries_state_octet_by_octet_and_iss() {
    let world = world();
    for state in ["a b+c&d=e%20", "ü€😀", "\u{1}\u{7f}<script>", &"x".repeat(4000)] {
        for mode in [None, Some("query"), Some("form_post")] {
            let login = world.accepted(&changed(&world, &[("state", Some(state)), ("response_mode", mode)])).await;
            let identity = world.identity(&world.acme, login.scope.clone());
            let (reply, _) = world.finish(&world.acme, &login, &identity).await;
            assert_eq!(matches!(reply.kind, ReplyKind::AutoPost { .. }), mode == Some("form_post"));
            let (target, params) = front_params(&reply);
            assert_eq!(target, CALLBACK);
            assert_eq!(params["state"], state);
            assert_eq!(params["iss"], ISSUER);
            assert_eq!(params["code"].len(), ticket::LENGTH);
            assert_eq!(params.len(), 3);
        }
    }
}

#[tokio::test]
async fn an_address_with_a_query_keeps_it() {
    let world = world();
    let login = world.accepted(&changed(&world, &[("redirect_uri", Some("https://portal.example/other?x=1"))])).await;
    let identity = world.identity(&world.acme, login.scope.clone());
    let Reply { kind: ReplyKind::Redirect(location), .. } = world.finish(&world.acme, &login, &identity).await.0 else {
        panic!("not a redirect")
    };
    assert!(location.starts_with("https://portal.example/other?x=1&code="), "{location}");
}

#[tokio::test]
async fn refusals_of_the_hub_reach_the_app() {
    let world = world();
    let login = world.accepted(&world.request("portal", "openid")).await;
    let trace = TraceId::random(&crate::support::services::CountingRng::default());
    for (kind, code) in [
        (RefusalKind::LoginRequired, "login_required"),
        (RefusalKind::InteractionRequired, "interaction_required"),
        (RefusalKind::AccountSelectionRequired, "account_selection_required"),
        (RefusalKind::ConsentRequired, "consent_required"),
        (RefusalKind::AccessDenied, "access_denied"),
        (RefusalKind::UnmetAuthnContext, "unmet_authentication_requirements"),
        (RefusalKind::SubjectUnavailable, "server_error"),
        (RefusalKind::ServerError, "server_error"),
        (RefusalKind::TemporarilyUnavailable, "temporarily_unavailable"),
    ] {
        let refusal = Refusal::new(kind, "Not \"today\" \\ ü");
        let reply = world.provider.refuse(&world.acme, &login.continuation, &refusal, trace).await;
        let (target, params) = front_params(&reply);
        assert_eq!(target, CALLBACK);
        assert_eq!(params["error"], code);
        assert_eq!(params["error_description"], "Not ?today? ? ?");
        assert_eq!(params["state"], "st/a+te");
        assert_eq!(params["iss"], ISSUER);
        assert_eq!(params["trace_id"], trace.to_string());
    }
    let refusal = Refusal::new(RefusalKind::AccessDenied, "No.");
    assert!(matches!(world.provider.refuse(&world.acme, b"junk", &refusal, trace).await.kind, ReplyKind::Page(_)));
}

#[tokio::test]
async fn an_essential_acr_must_come_out() {
    let world = world();
    let claims = r#"{"id_token":{"acr":{"essential":true,"values":["urn:acr:gold"]}}}"#;
    let login = world.accepted(&changed(&world, &[("claims", Some(claims))])).await;
    assert_eq!(login.wish.acr_values, ["urn:acr:gold"]);
    let mut identity = world.identity(&world.acme, login.scope.clone());
    let rng = crate::support::services::CountingRng::default();
    let finish = async |identity: &_| {
        let app = world.acme.app_by_id(login.app).unwrap();
        let (continuation, now) = (&login.continuation, world.now);
        let finish = Finish { tenant: &world.acme, app, continuation, identity, now, rng: &rng };
        world.provider.finish(finish, &Permit::assertion_of_the_gate()).await
    };
    for acr in [Some("urn:acr:silver".to_owned()), None] {
        identity.acr = acr;
        assert_eq!(finish(&identity).await.unwrap_err().kind, RefusalKind::UnmetAuthnContext);
    }
    identity.acr = Some("urn:acr:gold".into());
    assert!(finish(&identity).await.is_ok());
    let voluntary = r#"{"id_token":{"acr":{"values":["urn:acr:gold"]},"email":null},"userinfo":{"phone_number":null}}"#;
    let login = world.accepted(&changed(&world, &[("claims", Some(voluntary))])).await;
    assert_eq!(login.requested_claims, ["phone_number", "email"]);
    assert_eq!(login.wish.acr_values, ["urn:acr:gold"]);
}

#[tokio::test]
async fn a_continuation_of_another_app_is_refused() {
    let world = world();
    let login = world.accepted(&world.request("portal", "openid")).await;
    let identity = world.identity(&world.acme, login.scope.clone());
    let rng = crate::support::services::CountingRng::default();
    let app = world.acme.apps.iter().find(|app| app.name == "relaxed").unwrap();
    let (continuation, now) = (&login.continuation, world.now);
    let finish = Finish { tenant: &world.acme, app, continuation, identity: &identity, now, rng: &rng };
    let refusal = world.provider.finish(finish, &Permit::assertion_of_the_gate()).await.unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::ServerError);
}

#[tokio::test]
async fn an_id_token_hint_names_the_expected_person() {
    let mut world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let hint = tokens.text("id_token");
    world.later(100_000);
    let login = world.accepted(&changed(&world, &[("id_token_hint", Some(&hint))])).await;
    assert_eq!(login.expected_sub.as_deref(), Some("c0ffee"));
    let (foreign, _) = world.tokens("relaxed", "openid").await;
    let mut tampered = hint.clone();
    tampered.insert(hint.find('.').unwrap() + 5, 'A');
    for bad in [foreign.text("id_token"), tokens.text("access_token"), tampered, format!("{hint}x")] {
        let answer = world.refused(&changed(&world, &[("id_token_hint", Some(&bad))])).await;
        assert_eq!(answer["error"], "invalid_request");
    }
    let other = r#"{"id_token":{"sub":{"value":"somebody-else"}}}"#;
    let params = changed(&world, &[("id_token_hint", Some(&hint)), ("claims", Some(other))]);
    assert_eq!(world.refused(&params).await["error"], "login_required");
    let login = world.accepted(&changed(&world, &[("claims", Some(other))])).await;
    assert_eq!(login.expected_sub.as_deref(), Some("somebody-else"));
}

#[tokio::test]
async fn a_sector_list_must_hold_every_address() {
    let mut world = world();
    let params = {
        let mut params = world.request("portal", "openid");
        params[0].1 = "paired".into();
        params
    };
    assert_eq!(page_status(world.authorize(&params).await), 400);
    let set = |world: &World, text: &str| {
        world.web.documents.lock().unwrap().insert("https://paired.example/sector".into(), text.into());
    };
    set(&world, r#"["https://portal.example/callback"]"#);
    world.later(600);
    assert_eq!(page_status(world.authorize(&params).await), 400);
    assert!(world.last_cause().contains("does not list every"));
    set(&world, r#"["https://portal.example/callback","https://paired.example/cb"]"#);
    world.later(600);
    world.accepted(&params).await;
    let fetches = world.web.fetches.load(std::sync::atomic::Ordering::Relaxed);
    world.accepted(&params).await;
    assert_eq!(world.web.fetches.load(std::sync::atomic::Ordering::Relaxed), fetches, "the list is kept");
}

#[tokio::test]
async fn a_missing_signing_key_is_told_before_the_login() {
    let mut world = world();
    let mut request = world.request("relaxed", "openid");
    world.accepted(&request).await;
    world.drop_key("rs");
    let answer = world.refused(&request).await;
    assert_eq!(answer["error"], "server_error");
    assert!(world.last_cause().contains("no active RS256 key"), "{}", world.last_cause());
    request.retain(|(name, _)| *name != "scope");
    request.push(("scope", "api:read".into()));
    world.accepted(&request).await;
}
