//! Nothing of one tenant is worth anything at another, although its clients have the same
//! names and secrets there.

use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::Method;
use serde_json::json;

use crate::support::{CALLBACK, SECRET, VERIFIER, basic, body_of, claims_of, form, input, world};

#[tokio::test]
async fn codes_and_tokens_stay_with_their_tenant() {
    let world = world();
    let auth = basic("portal", SECRET);
    let (code, id) = world.code("portal", "openid offline_access").await;
    let params = [
        ("grant_type", "authorization_code"),
        ("code", code.as_str()),
        ("redirect_uri", CALLBACK),
        ("code_verifier", VERIFIER),
    ];
    assert_eq!(world.post_at(&world.globex, "token", Some(&auth), &params).await.error(), "invalid_grant");
    let tokens = world.redeem("portal", &code).await;
    let (opaque, _) = world.tokens("opaque", "openid").await;
    let refresh = tokens.text("refresh_token");
    let params = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
    assert_eq!(world.post_at(&world.globex, "token", Some(&auth), &params).await.error(), "invalid_grant");
    for token in [tokens.text("access_token"), opaque.text("access_token"), refresh.clone()] {
        let mut userinfo = input("userinfo", Method::Get);
        userinfo.authorization = Some(format!("Bearer {token}"));
        let Accepted::Reply(reply) = world.send(&world.globex, userinfo).await else { panic!("not a reply") };
        assert_eq!(body_of(reply).error(), "invalid_token");
        for client in ["portal", "api", "opaque"] {
            let auth = basic(client, SECRET);
            let seen = world.post_at(&world.globex, "introspect", Some(&auth), &[("token", &token)]).await;
            assert_eq!(seen.json, json!({"active": false}));
            world.post_at(&world.globex, "revoke", Some(&auth), &[("token", &token)]).await;
        }
    }
    assert!(!world.grant(id).standing.revoked, "the other tenant can't revoke it either");
    assert_eq!(world.userinfo(&tokens.text("access_token")).await.status, 200);
    assert_eq!(world.userinfo(&opaque.text("access_token")).await.status, 200);
}

#[tokio::test]
async fn a_key_of_one_tenant_signs_nothing_for_another() {
    let world = world();
    let (tokens, _) = world.tokens("portal", "openid").await;
    let stolen = &world.globex.keys.oidc[0].signer;
    assert_eq!(stolen.kid(), "g-es");
    for kid in ["g-es", "es"] {
        let header = json!({"typ": "at+jwt", "alg": "ES256", "kid": kid}).to_string();
        use base64::Engine as _;
        let encode = |text: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let claims = claims_of(&tokens.text("access_token")).to_string();
        let signed = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
        let token = format!("{signed}.{}", encode(&stolen.sign(signed.as_bytes()).unwrap()));
        assert_eq!(world.userinfo(&token).await.error(), "invalid_token", "{kid}");
    }
}

#[tokio::test]
async fn assertions_and_hints_stay_with_their_tenant() {
    let world = world();
    let now = world.now.seconds();
    let claims = json!({"iss": "robot", "sub": "robot", "aud": world.acme.issuer, "exp": now + 60, "jti": "one"});
    let assertion = world.robot.jws(&json!({"alg": "ES256"}), &claims);
    let params = [
        ("grant_type", "client_credentials"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", assertion.as_str()),
    ];
    assert_eq!(world.post_at(&world.globex, "token", None, &params).await.error(), "invalid_client");
    assert_eq!(world.post("token", None, &params).await.status, 200);
    let (tokens, _) = world.tokens("portal", "openid").await;
    let mut request = world.request("portal", "openid");
    request.push(("id_token_hint", tokens.text("id_token")));
    let pairs: Vec<_> = request.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut authorize = input("authorize", Method::Get);
    authorize.query = form(&pairs);
    let Accepted::Reply(reply) = world.send(&world.globex, authorize).await else { panic!("not refused") };
    let answer = crate::support::front_params(&reply).1;
    assert_eq!(answer["error"], "invalid_request");
    assert_eq!(answer["iss"], "https://bridge.example/t/globex");
}
