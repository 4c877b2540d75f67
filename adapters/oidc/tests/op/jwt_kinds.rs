//! Every kind of token at every place that takes one, and tokens that almost are ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use serde_json::{Value, json};

use crate::support::{SECRET, World, basic, claims_of, header_of, world};

/// Which places take a token.
#[derive(Debug, PartialEq, Eq)]
struct Taken {
    userinfo: bool,
    introspect: bool,
    refresh: bool,
    id_token_hint: bool,
    client_assertion: bool,
    code: bool,
}

const NOWHERE: Taken = Taken {
    userinfo: false,
    introspect: false,
    refresh: false,
    id_token_hint: false,
    client_assertion: false,
    code: false,
};

async fn try_everywhere(world: &World, token: &str) -> Taken {
    let mut hint = world.request("portal", "openid");
    hint.push(("id_token_hint", token.to_owned()));
    let assertion = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", token),
    ];
    let refresh = [("grant_type", "refresh_token"), ("refresh_token", token)];
    let introspect = world.post("introspect", Some(&basic("portal", SECRET)), &[("token", token)]).await;
    Taken {
        userinfo: world.userinfo(token).await.status == 200,
        introspect: introspect.json["active"] == true,
        id_token_hint: matches!(world.authorize(&hint).await, fedbridge_contract::downstream::Accepted::Login(_)),
        client_assertion: world.post("token", None, &assertion).await.status == 200,
        code: world.redeem("portal", token).await.status == 200,
        refresh: world.token("portal", &refresh).await.status == 200,
    }
}

#[tokio::test]
async fn each_kind_is_taken_at_its_own_places_only() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid offline_access").await;
    let access = Taken { userinfo: true, introspect: true, ..NOWHERE };
    assert_eq!(try_everywhere(&world, &tokens.text("access_token")).await, access);
    assert_eq!(try_everywhere(&world, &tokens.text("id_token")).await, Taken { id_token_hint: true, ..NOWHERE });
    let refresh = Taken { introspect: true, refresh: true, ..NOWHERE };
    assert_eq!(try_everywhere(&world, &tokens.text("refresh_token")).await, refresh);
    let (code, _) = world.code("portal", "openid").await;
    assert_eq!(try_everywhere(&world, &code).await, Taken { code: true, ..NOWHERE });
    let now = world.now.seconds();
    let claims = json!({"iss": "robot", "sub": "robot", "aud": world.acme.issuer, "exp": now + 60, "jti": "x"});
    let assertion = world.robot.jws(&json!({"alg": "ES256", "typ": "client-authentication+jwt"}), &claims);
    assert_eq!(try_everywhere(&world, &assertion).await, Taken { client_assertion: true, ..NOWHERE });
}

#[tokio::test]
async fn kinds_of_other_protocols_are_taken_nowhere_even_with_our_signature() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let key = &world.keys[0];
    for claims in [claims_of(&tokens.text("access_token")), claims_of(&tokens.text("id_token"))] {
        for typ in [
            json!("logout+jwt"),
            json!("dpop+jwt"),
            json!("oauth-authz-req+jwt"),
            json!("secevent+jwt"),
            json!("token-introspection+jwt"),
            json!("oauth-id-jag+jwt"),
            json!("AT+JWT"),
            json!("application/at+jwt"),
            json!("jwt"),
            json!(""),
            Value::Null,
        ] {
            let token = key.jws(&json!({"typ": typ, "alg": "ES256", "kid": "es"}), &claims);
            assert_eq!(try_everywhere(&world, &token).await, NOWHERE, "{typ}");
        }
        let untyped = key.jws(&json!({"alg": "ES256", "kid": "es"}), &claims);
        assert_eq!(try_everywhere(&world, &untyped).await, NOWHERE);
    }
}

#[tokio::test]
async fn tokens_that_almost_are_ours_are_refused() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let good = tokens.text("access_token");
    let (header, claims) = (header_of(&good), claims_of(&good));
    let key = &world.keys[0];
    let mut bad: Vec<(&str, String)> = Vec::new();
    for (what, header) in [
        ("alg none", json!({"typ": "at+jwt", "alg": "none", "kid": "es"})),
        ("alg of another key", json!({"typ": "at+jwt", "alg": "RS256", "kid": "es"})),
        ("alg HS256", json!({"typ": "at+jwt", "alg": "HS256", "kid": "es"})),
        ("alg in lower case", json!({"typ": "at+jwt", "alg": "es256", "kid": "es"})),
        ("kid of another key", json!({"typ": "at+jwt", "alg": "ES256", "kid": "es-next"})),
        ("kid unknown", json!({"typ": "at+jwt", "alg": "ES256", "kid": "../es"})),
        ("kid of a SAML key", json!({"typ": "at+jwt", "alg": "RS256", "kid": "saml-key"})),
        ("no kid", json!({"typ": "at+jwt", "alg": "ES256"})),
        ("crit", json!({"typ": "at+jwt", "alg": "ES256", "kid": "es", "crit": ["exp"]})),
        ("b64", json!({"typ": "at+jwt", "alg": "ES256", "kid": "es", "b64": false})),
        ("own jwk", json!({"typ": "at+jwt", "alg": "ES256", "kid": "stranger", "jwk": key.jwk()})),
    ] {
        bad.push((what, key.jws(&header, &claims)));
    }
    for (name, value) in [
        ("iss", json!("https://bridge.example/t/globex")),
        ("iss", Value::Null),
        ("exp", json!(world.now.seconds())),
        ("exp", json!("later")),
        ("exp", Value::Null),
        ("jti", json!("AAAA")),
        ("jti", Value::Null),
        ("client_id", json!("relaxed")),
        ("client_id", json!("nobody")),
        ("aud", Value::Null),
        ("iat", Value::Null),
    ] {
        let mut changed = claims.clone();
        changed[name] = value;
        bad.push((name, key.jws(&header, &changed)));
    }
    let twice = claims.to_string().replacen('{', "{\"scope\":\"openid\",", 1);
    bad.push(("duplicate members", key.jws_text(&header.to_string(), &twice)));
    let twice = header.to_string().replacen('{', "{\"alg\":\"none\",", 1);
    bad.push(("duplicate header members", key.jws_text(&twice, &claims.to_string())));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    bad.push(("no signature", format!("{signed}.")));
    bad.push(("two parts", signed.to_owned()));
    bad.push(("four parts", format!("{good}.{signature}")));
    bad.push(("padding", format!("{good}=")));
    bad.push(("space", format!("{good} x")));
    let mac = PKey::hmac(&key.key.public_key_to_pem().unwrap()).unwrap();
    let hs = json!({"typ": "at+jwt", "alg": "HS256", "kid": "es"});
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(hs.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let mac = openssl::sign::Signer::new(MessageDigest::sha256(), &mac)
        .unwrap()
        .sign_oneshot_to_vec(text.as_bytes())
        .unwrap();
    bad.push(("HMAC with the public key", format!("{text}.{}", URL_SAFE_NO_PAD.encode(mac))));
    bad.push(("very long", format!("{}.{signed}", "A".repeat(100_000))));
    for (what, token) in bad {
        assert_eq!(world.userinfo(&token).await.error(), "invalid_token", "{what}");
        let seen = world.post("introspect", Some(&basic("portal", SECRET)), &[("token", &token)]).await;
        assert_eq!(seen.json, json!({"active": false}), "{what}");
    }
    assert_eq!(
        world.userinfo(&key.jws(&header, &claims)).await.status,
        200,
        "the corpus is refused for its faults alone"
    );
}

#[tokio::test]
async fn tokens_outlive_a_key_rotation() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let claims = claims_of(&tokens.text("access_token"));
    for (at, kid) in [(1, "es-next"), (2, "es-old")] {
        let token = world.keys[at].jws(&json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}), &claims);
        assert_eq!(world.userinfo(&token).await.status, 200, "{kid}");
    }
}

#[tokio::test]
async fn opaque_tokens_can_not_be_forged() {
    let world = world();
    let (tokens, _) = world.tokens("opaque", "openid").await;
    let good = tokens.text("access_token");
    assert_eq!(world.userinfo(&good).await.status, 200);
    let octets = URL_SAFE_NO_PAD.decode(&good[4..]).unwrap();
    for at in 0..octets.len() {
        let mut changed = octets.clone();
        changed[at] ^= 1;
        let token = format!("fba_{}", URL_SAFE_NO_PAD.encode(changed));
        assert_eq!(world.userinfo(&token).await.error(), "invalid_token", "octet {at}");
    }
    for length in 0..octets.len() {
        let token = format!("fba_{}", URL_SAFE_NO_PAD.encode(&octets[..length]));
        assert_eq!(world.userinfo(&token).await.error(), "invalid_token", "{length} octets");
    }
}
