//! Discovery and the key set.

use fedbridge_contract::config::Locale;
use fedbridge_contract::downstream::{Accepted, Downstream as _};
use fedbridge_contract::http::Method;
use serde_json::{Value, json};

use crate::support::{Answer, World, body_of, input, world};

async fn get(world: &World, route: &'static str) -> Answer {
    match world.get(route, "").await {
        Accepted::Reply(reply) => body_of(reply),
        _ => panic!("not a reply"),
    }
}

#[tokio::test]
async fn the_document_tells_the_truth() {
    let world = world();
    let document = get(&world, ".well-known/openid-configuration").await;
    assert_eq!(document.json, get(&world, ".well-known/oauth-authorization-server").await.json);
    let document = document.json;
    let issuer = world.acme.issuer.as_str();
    assert_eq!(document["issuer"], issuer);
    let routes: Vec<_> = world.provider.routes().iter().map(|route| route.path).collect();
    for (name, value) in document.as_object().unwrap() {
        if name.ends_with("_endpoint") || name == "jwks_uri" {
            let path = value.as_str().unwrap().strip_prefix(&format!("{issuer}/")).unwrap();
            assert!(routes.contains(&path), "{name} is at {path}, which is no route");
        }
        assert!(!value.is_null() && *value != json!([]), "{name} says nothing");
    }
    assert_eq!(document["response_types_supported"], json!(["code"]));
    assert_eq!(document["code_challenge_methods_supported"], json!(["S256"]));
    assert_eq!(document["id_token_signing_alg_values_supported"], json!(["ES256", "RS256", "PS256", "EdDSA"]));
    assert_eq!(document["authorization_response_iss_parameter_supported"], true);
    assert_eq!(document["request_uri_parameter_supported"], false);
    assert_eq!(document["backchannel_logout_supported"], true);
    assert_eq!(document["backchannel_logout_session_supported"], true);
    assert_eq!(document["frontchannel_logout_supported"], true);
    assert_eq!(document["frontchannel_logout_session_supported"], true);
    assert_eq!(document["ui_locales_supported"], json!(["en", "de"]));
    for absent in [
        "registration_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
        "dpop_signing_alg_values_supported",
    ] {
        assert!(document.get(absent).is_none(), "{absent} is not built yet");
    }
}

#[tokio::test]
async fn every_advertised_prompt_scope_and_mode_is_accepted() {
    let world = world();
    let document = get(&world, ".well-known/openid-configuration").await.json;
    let words = |name: &str| {
        document[name].as_array().unwrap().iter().map(|word| word.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    for (name, parameter) in [("prompt_values_supported", "prompt"), ("response_modes_supported", "response_mode")] {
        for word in words(name) {
            let mut request = world.request("portal", "openid");
            request.push((parameter, word));
            world.accepted(&request).await;
        }
    }
    for grant_type in words("grant_types_supported") {
        let answer = world.token("portal", &[("grant_type", &grant_type)]).await;
        assert_ne!(answer.error(), "unsupported_grant_type", "{grant_type}");
    }
}

#[tokio::test]
async fn the_key_set_has_public_token_keys_only() {
    let world = world();
    let answer = get(&world, "jwks").await;
    assert!(answer.headers["cache-control"].contains("max-age="));
    let keys = answer.json["keys"].as_array().unwrap();
    let kids: Vec<_> = keys.iter().map(|key| key["kid"].as_str().unwrap()).collect();
    assert_eq!(kids, ["es", "es-next", "es-old", "rs", "ps", "ed"]);
    for key in keys {
        assert_eq!(key["use"], "sig");
        assert!(key["alg"].is_string());
        for private in ["d", "p", "q", "dp", "dq", "qi", "k"] {
            assert!(key.get(private).is_none());
        }
    }
    assert!(!String::from_utf8(answer.body).unwrap().contains("saml-key"));
}

#[tokio::test]
async fn documents_are_revalidated_by_their_tag() {
    let world = world();
    for route in ["jwks", ".well-known/openid-configuration"] {
        let first = get(&world, route).await;
        let mut again = input(route, Method::Get);
        again.if_none_match = Some(first.headers["etag"].clone());
        let Accepted::Reply(reply) = world.send(&world.acme, again).await else { panic!("not a reply") };
        let second = body_of(reply);
        assert_eq!((second.status, second.body.len()), (304, 0));
        assert_eq!(second.headers["etag"], first.headers["etag"]);
    }
    let mut other = input("jwks", Method::Get);
    other.if_none_match = Some("\"old\"".into());
    let Accepted::Reply(reply) = world.send(&world.acme, other).await else { panic!("not a reply") };
    let answer = body_of(reply);
    assert_eq!(answer.status, 200);
    assert_ne!(answer.json, Value::Null);
}

#[tokio::test]
async fn documents_follow_the_snapshot() {
    let mut world = world();
    let kids = |document: Value| {
        let keys = document["keys"].as_array().unwrap().clone();
        keys.into_iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let first = get(&world, "jwks").await;
    assert!(kids(first.json).contains(&"rs".to_owned()));
    world.drop_key("rs");
    let second = get(&world, "jwks").await;
    assert!(!kids(second.json).contains(&"rs".to_owned()));
    assert_ne!(first.headers["etag"], second.headers["etag"]);
    world.speak(&[Locale::De]);
    let document = get(&world, ".well-known/openid-configuration").await.json;
    assert_eq!(document["ui_locales_supported"], json!(["de"]));
}

#[test]
fn scripts_of_other_origins_reach_token_userinfo_and_documents_only() {
    for route in world().provider.routes() {
        let closed = matches!(route.path, "authorize" | "logout" | "introspect" | "revoke");
        assert_eq!(route.cors, !closed, "{}", route.path);
    }
}
