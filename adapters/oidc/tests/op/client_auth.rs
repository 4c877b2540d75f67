//! How clients prove who they are.

use std::sync::atomic::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::SignatureAlgorithm;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use serde_json::{Value, json};

use crate::support::keys::TestKey;
use crate::support::{Answer, NEXT_SECRET, SECRET, World, basic, world};

const GRANT: (&str, &str) = ("grant_type", "client_credentials");
const ISSUER: &str = "https://bridge.example/t/acme";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[tokio::test]
async fn secrets_by_header_or_body_as_registered() {
    let world = world();
    for (client, by_basic, by_post) in [("machine", true, true), ("basic", true, false), ("post", false, true)] {
        let answer = world.token(client, &[GRANT]).await;
        assert_eq!(answer.status == 200, by_basic, "{client} by header");
        let answer = world.post("token", None, &[GRANT, ("client_id", client), ("client_secret", SECRET)]).await;
        assert_eq!(answer.status == 200, by_post, "{client} by body");
    }
    assert!(
        world.last_cause().contains("registered for client_secret_post and used client_secret_basic"),
        "{}",
        world.last_cause()
    );
}

#[tokio::test]
async fn both_active_secrets_work() {
    let world = world();
    for secret in [SECRET, NEXT_SECRET] {
        assert_eq!(world.post("token", Some(&basic("portal", secret)), &[GRANT]).await.status, 200);
    }
    // A client that leaves the form-encoding out.
    let plain = format!("Basic {}", STANDARD.encode(format!("portal:{SECRET}")));
    assert_eq!(world.post("token", Some(&plain), &[GRANT]).await.status, 200);
}

#[tokio::test]
async fn every_failure_looks_the_same() {
    let world = world();
    let mut answers = Vec::new();
    for (authorization, params) in [
        (Some(basic("portal", "wrong")), vec![GRANT]),
        (Some(basic("portal", "")), vec![GRANT]),
        (Some(basic("nobody", SECRET)), vec![GRANT]),
        (Some(basic("native", "")), vec![GRANT]),
        (Some("Basic !!!".to_owned()), vec![GRANT]),
        (Some("Bearer abc".to_owned()), vec![GRANT]),
        (None, vec![GRANT]),
        (None, vec![GRANT, ("client_id", "portal")]),
        (None, vec![GRANT, ("client_id", "nobody")]),
        (None, vec![GRANT, ("client_id", "portal"), ("client_secret", "wrong")]),
        (None, vec![GRANT, ("client_id", "portal"), ("client_secret", "")]),
        (None, vec![GRANT, ("client_secret", SECRET)]),
        (None, vec![GRANT, ("client_id", "native"), ("client_secret", SECRET)]),
        (None, vec![GRANT, ("client_id", "robot")]),
    ] {
        let mut answer = world.post("token", authorization.as_deref(), &params).await;
        assert_eq!((answer.status, answer.error()), (401, "invalid_client"), "{params:?}");
        assert_eq!(answer.headers["www-authenticate"], format!("Basic realm=\"{ISSUER}\""));
        answer.json["trace_id"] = Value::Null;
        answers.push(answer.json);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
    assert!(world.counts.refused.lock().unwrap().iter().all(|refused| *refused == ("token", "invalid_client")));
}

#[tokio::test]
async fn two_methods_at_once_are_refused() {
    let world = world();
    let header = basic("portal", SECRET);
    for params in [
        vec![GRANT, ("client_id", "portal"), ("client_secret", SECRET)],
        vec![GRANT, ("client_secret", "")],
        vec![GRANT, ("client_assertion", "a.b.c"), ("client_assertion_type", TYPE)],
        vec![GRANT, ("client_id", "relaxed")],
    ] {
        let answer = world.post("token", Some(&header), &params).await;
        assert_eq!((answer.status, answer.error()), (400, "invalid_request"), "{params:?}");
    }
    let same = [GRANT, ("client_id", "portal")];
    assert_eq!(world.post("token", Some(&header), &same).await.status, 200, "naming oneself again is no second method");
}

#[tokio::test]
async fn a_public_client_has_no_credentials_of_its_own() {
    let world = world();
    let answer = world.post("token", None, &[GRANT, ("client_id", "native")]).await;
    assert_eq!(answer.error(), "unauthorized_client");
}

// ---- private_key_jwt ----

fn claims(world: &World, client: &str, jti: &str) -> Value {
    let now = world.now.seconds();
    json!({"iss": client, "sub": client, "aud": ISSUER, "exp": now + 60, "iat": now, "jti": jti})
}

async fn with_assertion(world: &World, assertion: &str) -> Answer {
    world.post("token", None, &[GRANT, ("client_assertion_type", TYPE), ("client_assertion", assertion)]).await
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "robot-1", "typ": "client-authentication+jwt"})
}

#[tokio::test]
async fn an_assertion_works_once() {
    let world = world();
    for (at, header) in [
        header(),
        json!({"alg": "ES256"}),
        json!({"alg": "ES256", "typ": "JWT"}),
        json!({"alg": "ES256", "jku": "https://evil.example/jwks", "jwk": {"kty": "oct", "k": "AA"}}),
    ]
    .into_iter()
    .enumerate()
    {
        let assertion = world.robot.jws(&header, &claims(&world, "robot", &format!("j{at}")));
        assert_eq!(with_assertion(&world, &assertion).await.status, 200, "{header}");
        assert_eq!(with_assertion(&world, &assertion).await.error(), "invalid_client", "a jti works once");
    }
    assert_eq!(world.web.fetches.load(Ordering::Relaxed), 0, "jku is never fetched");
    let assertion = world.robot.jws(&header(), &claims(&world, "robot", "named"));
    let named =
        |id| [GRANT, ("client_id", id), ("client_assertion_type", TYPE), ("client_assertion", assertion.as_str())];
    assert_eq!(world.post("token", None, &named("machine")).await.error(), "invalid_client");
    assert_eq!(world.post("token", None, &named("robot")).await.status, 200);
}

#[tokio::test]
async fn bad_claims_are_refused() {
    let world = world();
    let now = world.now.seconds();
    for (at, (name, value)) in [
        ("aud", json!([ISSUER])),
        ("aud", json!([ISSUER, "https://other.example"])),
        ("aud", json!(format!("{ISSUER}/token"))),
        ("aud", json!("https://bridge.example/t/globex")),
        ("aud", json!(format!("{ISSUER}/"))),
        ("aud", Value::Null),
        ("iss", json!("machine")),
        ("sub", json!("machine")),
        ("iss", Value::Null),
        ("exp", json!(now - 300)),
        ("exp", json!(now - 15)),
        ("exp", json!(now + 400)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("nbf", json!(now + 61)),
        ("iat", json!(now + 61)),
        ("nbf", json!("now")),
        ("jti", json!("")),
        ("jti", json!(7)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut claims = claims(&world, "robot", &format!("bad{at}"));
        claims[name] = value.clone();
        let answer = with_assertion(&world, &world.robot.jws(&header(), &claims)).await;
        assert_eq!(answer.error(), "invalid_client", "{name}: {value}");
        let mut without = claims.clone();
        without.as_object_mut().unwrap().remove(name);
        if matches!(name, "aud" | "exp" | "jti" | "iss" | "sub") {
            let answer = with_assertion(&world, &world.robot.jws(&header(), &without)).await;
            assert_eq!(answer.error(), "invalid_client", "without {name}");
        }
    }
    let mut early = claims(&world, "robot", "early");
    early["nbf"] = json!(now + 8);
    assert_eq!(with_assertion(&world, &world.robot.jws(&header(), &early)).await.status, 200, "clocks differ a little");
}

#[tokio::test]
async fn bad_headers_keys_and_signatures_are_refused() {
    let world = world();
    let claims = |jti: &str| claims(&world, "robot", jti);
    for bad in [
        json!({"alg": "none"}),
        json!({"alg": "HS256", "kid": "robot-1"}),
        json!({"alg": "RS256", "kid": "robot-1"}),
        json!({"alg": "ES384", "kid": "robot-1"}),
        json!({"alg": "ES256", "kid": "robot-2"}),
        json!({"alg": "ES256", "kid": 1}),
        json!({"alg": "ES256", "kid": "robot-1", "crit": ["exp"], "exp": 1}),
        json!({"alg": "ES256", "b64": false, "crit": ["b64"]}),
        json!({"alg": "ES256", "typ": "at+jwt"}),
        json!({"alg": "ES256", "typ": "logout+jwt"}),
        json!({"alg": "ES256", "typ": "dpop+jwt"}),
        json!({"alg": "ES256", "typ": "oauth-id-jag+jwt"}),
        json!({"kid": "robot-1"}),
    ] {
        let answer = with_assertion(&world, &world.robot.jws(&bad, &claims("h"))).await;
        assert_eq!(answer.error(), "invalid_client", "{bad}");
    }
    let stranger = TestKey::make("robot-1", SignatureAlgorithm::ES256);
    assert_eq!(with_assertion(&world, &stranger.jws(&header(), &claims("s"))).await.error(), "invalid_client");
    // An HMAC keyed with the public key, as in algorithm confusion.
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let good = world.robot.jws(&json!({"alg": "HS256"}), &claims("m"));
    let signed = good.rsplit_once('.').unwrap().0;
    let pem = world.robot.key.public_key_to_pem().unwrap();
    let key = PKey::hmac(&pem).unwrap();
    let mac = openssl::sign::Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(signed.as_bytes());
    let confused = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.unwrap()));
    assert_eq!(with_assertion(&world, &confused).await.error(), "invalid_client");
    let twice = claims("t").to_string().replacen('{', "{\"sub\":\"machine\",", 1);
    let twice = world.robot.jws_text(&header().to_string(), &twice);
    assert_eq!(with_assertion(&world, &twice).await.error(), "invalid_client", "duplicate members");
    let good = world.robot.jws(&header(), &claims("g"));
    let stripped = good.rsplit_once('.').unwrap().0;
    for broken in [
        format!("{stripped}."),
        stripped.to_owned(),
        format!("{good}.x"),
        format!("{good}="),
        String::new(),
        "a.b.c".into(),
    ] {
        assert_eq!(with_assertion(&world, &broken).await.error(), "invalid_client", "{broken}");
    }
    let mistyped = [GRANT, ("client_assertion_type", "urn:x"), ("client_assertion", good.as_str())];
    assert_eq!(world.post("token", None, &mistyped).await.error(), "invalid_client");
    assert_eq!(with_assertion(&world, &good).await.status, 200, "the refused tries did not use the jti up");
}

#[tokio::test]
async fn the_old_audience_needs_a_setting() {
    let world = world();
    for (at, aud) in
        [json!(ISSUER), json!(format!("{ISSUER}/token")), json!([format!("{ISSUER}/token")])].into_iter().enumerate()
    {
        let mut claims = claims(&world, "legacy", &format!("l{at}"));
        claims["aud"] = aud.clone();
        assert_eq!(with_assertion(&world, &world.robot.jws(&header(), &claims)).await.status, 200, "{aud}");
    }
    for (at, aud) in [json!([ISSUER, "x"]), json!(format!("{ISSUER}/introspect")), json!("https://evil.example/token")]
        .into_iter()
        .enumerate()
    {
        let mut claims = claims(&world, "legacy", &format!("m{at}"));
        claims["aud"] = aud.clone();
        let answer = with_assertion(&world, &world.robot.jws(&header(), &claims)).await;
        assert_eq!(answer.error(), "invalid_client", "{aud}");
    }
}

#[tokio::test]
async fn published_keys_are_fetched_kept_and_fetched_again_for_a_new_kid() {
    let mut world = world();
    let publish = |world: &World, keys: &[&TestKey]| {
        let set = json!({"keys": keys.iter().map(|key| key.jwk()).collect::<Vec<_>>()});
        world.web.documents.lock().unwrap().insert("https://remote.example/jwks".into(), set.to_string());
    };
    let make = |kid: &str, algorithm| TestKey::make(kid, algorithm);
    let (one, two) = (make("one", SignatureAlgorithm::RS256), make("two", SignatureAlgorithm::EdDSA));
    publish(&world, &[&one]);
    let count = std::sync::atomic::AtomicUsize::new(0);
    let assertion = |world: &World, key: &TestKey, alg: &str| {
        let jti = format!("r{}", count.fetch_add(1, Ordering::Relaxed));
        key.jws(&json!({"alg": alg, "kid": key.kid}), &claims(world, "remote", &jti))
    };
    let fetches = |world: &World| world.web.fetches.load(Ordering::Relaxed);
    for _ in 0..3 {
        assert_eq!(with_assertion(&world, &assertion(&world, &one, "RS256")).await.status, 200);
    }
    assert_eq!(fetches(&world), 1);
    // The key is for RS256: its header can't make it a PS256 key.
    let ps = TestKey { kid: "one".into(), algorithm: SignatureAlgorithm::PS256, key: one.key.clone() };
    assert_eq!(with_assertion(&world, &assertion(&world, &ps, "PS256")).await.error(), "invalid_client");
    publish(&world, &[&two]);
    world.later(20);
    assert_eq!(with_assertion(&world, &assertion(&world, &two, "EdDSA")).await.status, 200, "one early look");
    let before = fetches(&world);
    let unknown = make("three", SignatureAlgorithm::ES256);
    for _ in 0..20 {
        world.later(1);
        assert_eq!(with_assertion(&world, &assertion(&world, &unknown, "ES256")).await.error(), "invalid_client");
    }
    assert!(fetches(&world) - before <= 1, "an attacker can't make us fetch again and again");
    assert_eq!(with_assertion(&world, &assertion(&world, &two, "EdDSA")).await.status, 200);
    // Gone for a while: the old set serves on, for a day at most.
    world.web.documents.lock().unwrap().clear();
    world.later(2 * 3600);
    assert_eq!(with_assertion(&world, &assertion(&world, &two, "EdDSA")).await.status, 200);
    world.later(24 * 3600);
    assert_eq!(with_assertion(&world, &assertion(&world, &two, "EdDSA")).await.error(), "invalid_client");
    assert!(world.last_cause().contains("remote.example"), "{}", world.last_cause());
}

#[tokio::test]
async fn guessing_is_slowed_down_and_a_right_secret_never_is() {
    let world = world();
    world.patience.0.store(2, Ordering::Relaxed);
    let wrong = basic("machine", "a guess");
    let guess = || world.post("token", Some(&wrong), &[("grant_type", "client_credentials")]);
    for _ in 0..2 {
        assert_eq!(guess().await.status, 401);
    }
    let slowed = guess().await;
    assert_eq!((slowed.status, slowed.error(), slowed.headers["retry-after"].as_str()), (429, "invalid_client", "7"));
    assert_eq!(world.token("machine", &[("grant_type", "client_credentials")]).await.status, 200);
}
