//! The authorization code: once, soon, and only for whom it was meant.

use fedbridge_contract::grant::CodeState;
use fedbridge_contract::services::Grants as _;

use crate::support::{CALLBACK, SECRET, VERIFIER, World, basic, claims_of, header_of, world};

#[tokio::test]
async fn a_code_becomes_tokens() {
    let world = world();
    let (answer, id) = world.tokens("portal", "openid email offline_access").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.text("token_type"), "Bearer");
    assert_eq!(answer.json["expires_in"], 600);
    assert_eq!(answer.text("scope"), "openid email offline_access");
    let id_token = answer.text("id_token");
    let claims = claims_of(&id_token);
    let now = world.now.seconds();
    assert_eq!(header_of(&id_token), serde_json::json!({"typ": "JWT", "alg": "ES256", "kid": "es"}));
    assert_eq!(claims["iss"], "https://bridge.example/t/acme");
    assert_eq!(claims["aud"], "portal");
    assert_eq!(claims["sub"], "c0ffee");
    assert_eq!(claims["nonce"], "n-1");
    assert_eq!(claims["iat"], now);
    assert!(claims["exp"].as_i64().unwrap() > now);
    assert_eq!(claims["auth_time"], now - 30);
    assert_eq!(claims["acr"], "urn:acr:silver");
    assert_eq!(claims["amr"], serde_json::json!(["pwd"]));
    assert_eq!(claims["idp"], "okta");
    assert_eq!(claims["sid"], world.grant(id).record.session.to_string());
    assert_eq!(claims["email"], "ada@acme.example");
    assert_eq!(claims["tier"], "gold");
    let access = answer.text("access_token");
    let digest = openssl::sha::sha256(access.as_bytes());
    use base64::Engine as _;
    let half = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..16]);
    assert_eq!(claims["at_hash"], half);
    let claims = claims_of(&access);
    assert_eq!(header_of(&access)["typ"], "at+jwt");
    assert_eq!(claims["aud"], "https://bridge.example/t/acme");
    assert_eq!(claims["client_id"], "portal");
    assert_eq!(claims["exp"], now + 600);
    assert_eq!(claims["scope"], "openid email offline_access");
    assert!(claims.get("email").is_none(), "an access token holds no personal claims");
    assert_eq!(*world.counts.issued.lock().unwrap(), ["authorization_code"]);
}

#[tokio::test]
async fn every_algorithm_signs_id_tokens_that_verify() {
    let world = world();
    for (client, kid) in [("portal", "es"), ("relaxed", "rs"), ("opaque", "ed")] {
        let (answer, _) = world.tokens(client, "openid").await;
        let token = answer.text("id_token");
        assert_eq!(header_of(&token)["kid"], kid);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        use base64::Engine as _;
        let signature = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert!(world.acme.keys.oidc_key(kid).unwrap().signer.verify(signed.as_bytes(), &signature));
    }
}

#[tokio::test]
async fn an_oauth_request_gets_no_id_token() {
    let world = world();
    let (answer, _) = world.tokens("portal", "api:read").await;
    assert!(answer.json.get("id_token").is_none());
    assert!(answer.json.get("refresh_token").is_none());
    assert_eq!(world.userinfo(&answer.text("access_token")).await.error(), "insufficient_scope");
}

#[tokio::test]
async fn a_refresh_token_needs_offline_access_and_the_grant_type() {
    let world = world();
    let (answer, id) = world.tokens("portal", "openid").await;
    assert!(answer.json.get("refresh_token").is_none());
    assert!(world.grant(id).refresh.is_none());
    let (answer, id) = world.tokens("online", "openid offline_access").await;
    assert_eq!(answer.text("scope"), "openid");
    assert!(answer.json.get("refresh_token").is_none() && world.grant(id).refresh.is_none());
}

#[tokio::test]
async fn a_second_use_revokes_what_the_first_got() {
    let world = world();
    let (code, id) = world.code("portal", "openid offline_access").await;
    let first = world.redeem("portal", &code).await;
    assert_eq!(world.userinfo(&first.text("access_token")).await.status, 200);
    let second = world.redeem("portal", &code).await;
    assert_eq!((second.status, second.error()), (400, "invalid_grant"));
    assert!(second.json["error_description"].is_string());
    assert_eq!(second.text("trace_id").len(), 32);
    assert!(
        world.last_cause().starts_with("the code was already redeemed at 2027-01-15T08:00:00Z"),
        "{}",
        world.last_cause()
    );
    assert!(world.grant(id).standing.revoked);
    assert_eq!(world.userinfo(&first.text("access_token")).await.error(), "invalid_token");
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", &first.text("refresh_token"))];
    assert_eq!(world.token("portal", &refresh).await.error(), "invalid_grant");
}

/// Between reading the grant and redeeming it another request was faster: the loser gets no token.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_parallel_redemptions_one_succeeds() {
    let world = std::sync::Arc::new(world());
    let (code, id) = world.code("portal", "openid").await;
    let mut tasks = Vec::new();
    for _ in 0..50 {
        let (world, code) = (std::sync::Arc::clone(&world), code.clone());
        tasks.push(tokio::spawn(async move { world.redeem("portal", &code).await.status }));
    }
    let mut good = 0;
    for task in tasks {
        good += usize::from(task.await.unwrap() == 200);
    }
    assert_eq!(good, 1);
    assert!(world.grant(id).standing.revoked);
}

/// A store in which the code is redeemed by somebody else right after it was read.
#[tokio::test]
async fn losing_the_race_revokes_the_grant() {
    let world = world();
    let (code, id) = world.code("portal", "openid").await;
    world.grants.redeem(world.acme.id, id, None, world.now).await.unwrap();
    // The read still sees an unredeemed code.
    world.grants.race(world.acme.id, id);
    let answer = world.redeem("portal", &code).await;
    assert_eq!(answer.error(), "invalid_grant");
    assert!(world.last_cause().contains("at the same time"), "{}", world.last_cause());
    assert!(world.grant(id).standing.revoked);
}

#[tokio::test]
async fn a_code_lives_for_a_minute() {
    let mut world = world();
    let (young, _) = world.code("portal", "openid").await;
    let (old, _) = world.code("portal", "openid").await;
    world.later(59);
    assert_eq!(world.redeem("portal", &young).await.status, 200);
    world.later(1);
    assert_eq!(world.redeem("portal", &old).await.error(), "invalid_grant");
    assert!(world.last_cause().starts_with("the code expired at"), "{}", world.last_cause());
}

#[tokio::test]
async fn a_code_is_bound_to_client_address_and_verifier() {
    let world = world();
    let (code, id) = world.code("portal", "openid").await;
    let good = [
        ("grant_type", "authorization_code"),
        ("code", &code),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    let with = |name: &str, value: Option<&'static str>| {
        let mut params: Vec<(&str, &str)> = good.iter().copied().filter(|(key, _)| *key != name).collect();
        if let Some(value) = value {
            params.push((Box::leak(name.to_owned().into_boxed_str()), value));
        }
        params
    };
    assert_eq!(world.token("relaxed", &good).await.error(), "invalid_grant");
    assert!(world.last_cause().contains("another client"));
    for (name, value, error) in [
        ("redirect_uri", Some("https://portal.example/callback/"), "invalid_grant"),
        ("redirect_uri", Some("https://portal.example/other?x=1"), "invalid_grant"),
        ("redirect_uri", None, "invalid_request"),
        ("code_verifier", Some("another-verifier-of-more-than-forty-three-characters"), "invalid_grant"),
        ("code_verifier", Some("short"), "invalid_grant"),
        ("code_verifier", None, "invalid_grant"),
        ("code", Some("0000000000000000000000000000000000000000000"), "invalid_grant"),
        ("code", None, "invalid_request"),
    ] {
        let answer = world.token("portal", &with(name, value)).await;
        assert_eq!((answer.status, answer.error()), (400, error), "{name} {value:?}");
    }
    assert!(matches!(world.grant(id).code, CodeState::Issued { .. }), "a wrong try does not use the code up");
    assert_eq!(world.token("portal", &good).await.status, 200);
}

#[tokio::test]
async fn a_verifier_without_challenge_is_refused() {
    let world = world();
    let mut request = world.request("relaxed", "openid");
    request.retain(|(name, _)| !name.starts_with("code_challenge"));
    let login = world.accepted(&request).await;
    let identity = world.identity(&world.acme, login.scope.clone());
    let code = async |world: &World| {
        let (reply, _) = world.finish(&world.acme, &login, &identity).await;
        crate::support::front_params(&reply).1["code"].clone()
    };
    assert_eq!(world.redeem("relaxed", &code(&world).await).await.error(), "invalid_grant");
    let one = code(&world).await;
    let plain = [("grant_type", "authorization_code"), ("code", one.as_str()), ("redirect_uri", CALLBACK)];
    assert_eq!(world.token("relaxed", &plain).await.status, 200);
}

#[tokio::test]
async fn whatever_was_disabled_meanwhile_gets_nothing() {
    for what in ["person", "connection", "app", "tenant", "session"] {
        let world = world();
        let (code, id) = world.code("portal", "openid offline_access").await;
        let (tokens, other) = world.tokens("portal", "openid offline_access").await;
        for id in [id, other] {
            let record = world.grant(id).record;
            match what {
                "person" => drop(world.gate.people.lock().unwrap().insert(record.person)),
                "connection" => drop(world.gate.connections.lock().unwrap().insert(record.connection)),
                "app" => drop(world.gate.apps.lock().unwrap().insert(record.app)),
                "tenant" => drop(world.gate.tenants.lock().unwrap().insert(world.acme.id)),
                _ => world.grants.change(world.acme.id, id, |grant| grant.standing.session_ended = true),
            }
        }
        let expected = if matches!(what, "app" | "tenant") { "invalid_client" } else { "invalid_grant" };
        assert_eq!(world.redeem("portal", &code).await.error(), expected, "{what} at the code");
        let refresh = [("grant_type", "refresh_token"), ("refresh_token", &tokens.text("refresh_token"))];
        assert_eq!(world.token("portal", &refresh).await.error(), expected, "{what} at the refresh");
        let userinfo = world.userinfo(&tokens.text("access_token")).await;
        assert_eq!(userinfo.error(), "invalid_token", "{what} at userinfo");
    }
}

#[tokio::test]
async fn a_public_client_redeems_with_pkce_alone() {
    let world = world();
    let (code, _) = world.code("native", "openid").await;
    let params = [
        ("grant_type", "authorization_code"),
        ("client_id", "native"),
        ("code", &code),
        ("redirect_uri", "http://127.0.0.1:5000/cb"),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(world.post("token", None, &params).await.status, 200);
}

#[tokio::test]
async fn the_token_endpoint_takes_one_clean_form() {
    let world = world();
    let auth = basic("portal", SECRET);
    let twice = [("grant_type", "authorization_code"), ("code", "a"), ("code", "b")];
    assert_eq!(world.post("token", Some(&auth), &twice).await.error(), "invalid_request");
    for grant_type in ["password", "implicit", "urn:ietf:params:oauth:grant-type:device_code", "AUTHORIZATION_CODE"] {
        let answer = world.token("portal", &[("grant_type", grant_type)]).await;
        assert_eq!(answer.error(), "unsupported_grant_type");
    }
    assert_eq!(world.token("portal", &[]).await.error(), "invalid_request");
    assert_eq!(
        world.token("codeless", &[("grant_type", "authorization_code"), ("code", "x")]).await.error(),
        "unauthorized_client"
    );
    let mut input = crate::support::input("token", fedbridge_contract::http::Method::Post);
    input.authorization = Some(auth.clone());
    input.content_type = Some("application/x-www-form-urlencoded".into());
    input.body = "grant_type=client_credentials".into();
    input.query = "grant_type=client_credentials".into();
    for change in [0, 1] {
        let mut input = input.clone();
        if change == 1 {
            input.query = String::new();
            input.content_type = Some("application/json".into());
        }
        let fedbridge_contract::downstream::Accepted::Reply(reply) = world.send(&world.acme, input).await else {
            panic!("not a reply")
        };
        let answer = crate::support::body_of(reply);
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"));
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
}

#[tokio::test]
async fn a_broken_store_is_an_honest_error() {
    let world = world();
    let (code, id) = world.code("portal", "openid").await;
    *world.grants.broken.lock().unwrap() = true;
    let answer = world.redeem("portal", &code).await;
    assert_eq!((answer.status, answer.error()), (503, "temporarily_unavailable"));
    assert!(!answer.json.to_string().contains("disk"), "causes stay inside");
    assert!(matches!(world.grant(id).code, CodeState::Issued { .. }));
}

#[tokio::test]
async fn records_hold_no_code_token_or_secret() {
    let world = world();
    let (code, _) = world.code("portal", "openid offline_access").await;
    let tokens = world.redeem("portal", &code).await;
    world.redeem("portal", &code).await;
    world.token("portal", &[("grant_type", "refresh_token"), ("refresh_token", &tokens.text("refresh_token"))]).await;
    world.post("token", Some(&basic("portal", "wrong-secret")), &[("grant_type", "client_credentials")]).await;
    let records = format!("{:?}", world.traces.0.lock().unwrap());
    assert!(world.traces.0.lock().unwrap().len() >= 3);
    let secrets =
        [&code, VERIFIER, "wrong-secret", SECRET, &tokens.text("refresh_token"), &tokens.text("access_token")];
    for secret in secrets {
        assert!(!records.contains(secret), "{secret} is in a record");
    }
}
