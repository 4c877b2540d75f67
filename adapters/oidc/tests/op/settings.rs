//! Client settings: every complaint at once, each with its place and what to do.

use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_oidc::op::settings::{ClientSettings, FIELDS};
use serde_json::{Value, json};

use crate::support::keys::TestKey;

fn complaints(settings: Value, secrets: usize) -> Vec<String> {
    let found = ClientSettings::parse("app", &settings, secrets).err().unwrap_or_default();
    found.iter().map(ToString::to_string).collect()
}

/// The only complaint starts so.
fn complains(settings: Value, secrets: usize, start: &str) {
    let found = complaints(settings.clone(), secrets);
    assert!(found.len() == 1 && found[0].starts_with(start), "{settings}: {found:?}");
}

fn with(name: &str, value: Value) -> Value {
    let mut settings = json!({"redirect_uris": ["https://app.example/cb"]});
    settings[name] = value;
    settings
}

#[test]
fn the_interfaces_example_is_good() {
    let example = json!({
        "token_endpoint_auth_method": "client_secret_basic",
        "redirect_uris": ["https://portal.example/callback"],
        "post_logout_redirect_uris": ["https://portal.example/"],
        "backchannel_logout_uri": "https://portal.example/backchannel",
        "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://portal.example/frontchannel?x=1",
        "frontchannel_logout_session_required": true,
        "consent": "remember",
        "initiate_login_uri": "https://portal.example/login",
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": ["openid", "profile", "email", "groups", "offline_access"],
        "pkce": "required",
        "id_token_signed_response_alg": "ES256",
        "access_token": {"format": "jwt", "lifetime": "10m", "audience": "https://api.acme.example"},
        "refresh_token": {"rotation": true, "grace": "10s", "idle": "30d", "absolute": "90d"},
        "resources": [],
        "subject_type": "public"
    });
    assert_eq!(complaints(example, 1), Vec::<String>::new());
    assert_eq!(complaints(json!({"public": true, "redirect_uris": ["http://127.0.0.1/cb"]}), 0), Vec::<String>::new());
    assert_eq!(complaints(json!({"redirect_uris": ["https://a.example/"], "public": null}), 2), Vec::<String>::new());
}

#[test]
fn all_complaints_come_at_once() {
    let found = complaints(
        json!({
            "redirect_uri": ["https://app.example/cb"],
            "redirect_uris": ["https://app.example/cb", "http://app.example/cb", 7],
            "access_token": {"lifetime": "10 minutes", "lifetim": "10m"},
            "refresh_token": {"rotation": false},
            "pkce": "maybe",
            "relase": [],
        }),
        1,
    );
    let expected = [
        "redirect_uris[2]: expected text, found a number",
        "redirect_uris[1]: Use https; plain http is for loopback addresses only.",
        "pkce: expected required or optional, found `maybe`",
        "access_token.lifetime: `10 minutes` is not a duration: write an integer and one of ms, s, m, h, d, for example 30d",
        "access_token.lifetim: unknown key; the nearest known one is `lifetime`",
        "refresh_token.rotation: Only clients with sender-constrained tokens may go without rotation, and this version \
         has none yet; leave it true.",
        "redirect_uri: unknown key; the nearest known one is `redirect_uris`",
        "relase: unknown key; the nearest known one is `release`",
    ];
    assert_eq!(found, expected);
}

#[test]
fn every_setting_that_is_read_is_in_the_reference() {
    let found = complaints(with("zzzzzzzzzzzzzzzzzzzz", json!(1)), 1);
    let mut read: Vec<&str> = found[0].split_once("known are ").unwrap().1.split(", ").collect();
    let mut known: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    read.sort_unstable();
    known.sort_unstable();
    assert_eq!(read, known);
}

#[test]
fn single_complaints_name_their_place() {
    complains(with("public", json!("yes")), 1, "public: expected true or false, found text");
    complains(json!({}), 1, "redirect_uris: List at least one");
    complains(with("scopes", json!(["openid", "a b"])), 1, "scopes[1]:");
    complains(with("scopes", json!(["openid", "openid"])), 1, "scopes[1]:");
    complains(
        with("grant_types", json!(["authorization_code", "password"])),
        1,
        "grant_types[1]: expected authorization_code, refresh_token or client_credentials, found `password`",
    );
    complains(with("grant_types", json!(["refresh_token"])), 1, "grant_types: refresh_token works together");
    complains(with("backchannel_logout_uri", json!("http://app.example/x")), 1, "backchannel_logout_uri: Use https");
    complains(
        with("backchannel_logout_session_required", json!(true)),
        1,
        "backchannel_logout_session_required: This is of use",
    );
    let needs_origin = "frontchannel_logout_uri: Use scheme, host and port of one of the redirect_uris.";
    for stranger in ["https://other.example/out", "https://app.example:8443/out", "http://localhost/out"] {
        complains(with("frontchannel_logout_uri", json!(stranger)), 1, needs_origin);
    }
    complains(with("frontchannel_logout_uri", json!("http://app.example/x")), 1, "frontchannel_logout_uri: Use https");
    complains(with("frontchannel_logout_uri", json!("https://app.example/#x")), 1, "frontchannel_logout_uri: Take the");
    for taken in ["iss", "sid"] {
        let address = json!(format!("https://app.example/out?a=b&{taken}=x"));
        let message = format!("frontchannel_logout_uri: Take the query parameter {taken} out");
        complains(with("frontchannel_logout_uri", address), 1, &message);
    }
    complains(
        with("frontchannel_logout_session_required", json!(true)),
        1,
        "frontchannel_logout_session_required: This is of use beside frontchannel_logout_uri only.",
    );
    complains(with("consent", json!(true)), 1, "consent: expected none, remember or always");
    complains(with("id_token_signed_response_alg", json!("none")), 1, "id_token_signed_response_alg: expected ES256");
    complains(with("id_token_signed_response_alg", json!("HS256")), 1, "id_token_signed_response_alg: expected ES256");
    complains(
        with("access_token", json!({"lifetime": "2d"})),
        1,
        "access_token.lifetime: expected a duration from 1s to 1d",
    );
    complains(
        with("access_token", json!({"lifetime": 600})),
        1,
        "access_token.lifetime: expected a duration such as 10m, found a number",
    );
    complains(with("access_token", json!({"format": "opaque", "alg": "ES256"})), 1, "access_token.alg:");
    complains(with("access_token", json!([])), 1, "access_token: expected a map, found a list");
    complains(
        with("refresh_token", json!({"grace": "1h"})),
        1,
        "refresh_token.grace: expected a duration from 0ms to 5m",
    );
    complains(with("subject_type", json!("secret")), 1, "subject_type: expected public or pairwise, found `secret`");
    complains(with("token_endpoint_auth_method", json!("none")), 1, "token_endpoint_auth_method: Only a public client");
    complains(
        with("token_endpoint_auth_method", json!("client_secret_jwt")),
        1,
        "token_endpoint_auth_method: expected",
    );
    complains(
        with("token_endpoint_auth_method", json!("private_key_jwt")),
        1,
        "token_endpoint_auth_method: private_key_jwt needs",
    );
    complains(with("scopes", json!("openid")), 1, "scopes: expected a list of texts, found text");
    complains(json!({"redirect_uris": ["https://a.example/cb"]}), 0, "client_secret: Give the client");
    complains(json!({"redirect_uris": ["https://a.example/cb"]}), 3, "client_secrets: Two secrets");
    assert!(complaints(json!("text"), 1)[0].starts_with("expected a map, found text"));
}

#[test]
fn public_clients_have_no_credentials_and_always_pkce() {
    let public = |name: &str, value: Value| {
        let mut settings = with(name, value);
        settings["public"] = json!(true);
        settings
    };
    complains(public("pkce", json!("optional")), 0, "pkce: A public client always");
    complains(
        public("token_endpoint_auth_method", json!("client_secret_basic")),
        0,
        "token_endpoint_auth_method: A public",
    );
    complains(
        public("grant_types", json!(["authorization_code", "client_credentials"])),
        0,
        "grant_types: client_credentials is",
    );
    complains(public("jwks_uri", json!("https://app.example/jwks")), 0, "public: A public client has neither");
    complains(public("pkce", json!("required")), 1, "public: A public client has neither");
}

#[test]
fn keys_are_public_and_strong() {
    let key = TestKey::make("k", SignatureAlgorithm::ES256);
    let set = |jwk: Value| with("jwks", json!({"keys": [jwk]}));
    assert_eq!(complaints(set(key.jwk()), 0), Vec::<String>::new());
    let as_text = with("jwks", json!(json!({"keys": [key.jwk()]}).to_string()));
    assert_eq!(complaints(as_text, 0), Vec::<String>::new(), "a file arrives as text");
    let changed = |name: &str, value: Value| {
        let mut jwk = key.jwk();
        jwk[name] = value;
        set(jwk)
    };
    complains(changed("d", json!("AAAA")), 0, "jwks.keys[0]: Take the private member d out");
    complains(changed("use", json!("enc")), 0, "jwks.keys[0]: The key's use");
    complains(changed("alg", json!("RS256")), 0, "jwks.keys[0]: The key's alg does not fit");
    complains(changed("alg", json!("none")), 0, "jwks.keys[0]: Expected alg");
    complains(changed("crv", json!("P-521")), 0, "jwks.keys[0]: Expected an EC key on P-256");
    complains(changed("x", json!("AAAA")), 0, "jwks.keys[0]: The key's numbers");
    complains(changed("x", json!("!")), 0, "jwks.keys[0]: The key's member x");
    complains(set(json!({"kty": "oct", "k": "c2VjcmV0"})), 0, "jwks.keys[0]: Take the private member k");
    complains(set(json!({"kty": "RSA", "n": "AQAB", "e": "AQAB"})), 0, "jwks.keys[0]: Expected an RSA key of 2048");
    complains(with("jwks", json!({"keys": []})), 0, "jwks.keys: Expected 1 to 50 keys");
    complains(with("jwks", json!([])), 0, "jwks: Expected a JWK set");
    let mut both = set(key.jwk());
    both["jwks_uri"] = json!("https://app.example/jwks");
    complains(both, 0, "jwks: Give jwks or jwks_uri");
    complains(set(key.jwk()), 1, "token_endpoint_auth_method: Give the client either");
    complains(
        with("client_assertion_audience", json!("issuer")),
        1,
        "client_assertion_audience: This is for clients with jwks",
    );
}

#[test]
fn pairwise_needs_one_sector() {
    let settings = |uris: Value| json!({"redirect_uris": uris, "subject_type": "pairwise"});
    assert_eq!(complaints(settings(json!(["https://a.example/1", "https://a.example/2"])), 1), Vec::<String>::new());
    complains(
        settings(json!(["https://a.example/1", "https://b.example/2"])),
        1,
        "sector_identifier_uri: The redirect_uris",
    );
    complains(with("sector_identifier_uri", json!("https://a.example/s")), 1, "sector_identifier_uri: This is for");
}

#[test]
fn a_client_can_not_be_named_like_a_person() {
    let settings = json!({"redirect_uris": ["https://a.example/cb"]});
    for bad in ["", "a b", "ä", "0123456789abcdef0123456789ABCDEF", &"x".repeat(256)] {
        assert!(ClientSettings::parse(bad, &settings, 1).is_err(), "{bad}");
    }
    assert!(ClientSettings::parse("https://app.example/client", &settings, 1).is_ok());
}

#[test]
fn the_sector_is_the_host_of_the_document_or_of_the_addresses() {
    use fedbridge_contract::downstream::Downstream as _;
    let world = crate::support::world();
    for (client, sector) in [("paired", "paired.example"), ("portal", "portal.example"), ("machine", "machine")] {
        let app = world.acme.apps.iter().find(|app| app.name == client).unwrap();
        assert_eq!(world.provider.sector(app), sector);
    }
    let machine = world.acme.apps.iter().find(|app| app.name == "machine").unwrap();
    assert_eq!(world.provider.registered_scopes(machine), ["openid", "profile", "email", "api:read", "api:write"]);
}
