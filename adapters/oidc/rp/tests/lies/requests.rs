//! What goes out: the authorization request in all its forms, and how we authenticate.

use std::collections::BTreeMap;
use std::sync::Arc;

use fedbridge_contract::keys::{KeyError, KeyRing, KeyState, SignatureAlgorithm, Signer, SigningKey};
use fedbridge_contract::testkit::upstream_login;
use fedbridge_contract::trace::Step;
use fedbridge_contract::upstream::{Challenge, LoginOutcome, LoginWish};
use fedbridge_oidc_core::jwk::registered_set;
use fedbridge_oidc_core::jws::{Accept, UnverifiedJws};
use fedbridge_oidc_core::testkit::{Endpoint, KeyKind, LIES, Lie, OpKey, Verdict, basic, parameter};
use serde_json::{Value, json};
use url::Url;

use crate::world::{ADDRESS, HANDLE, ISSUER, World, accepted, failed_check, tenant_with};

/// The parameters of the request that a browser carries.
async fn asked(world: &World, wish: LoginWish) -> BTreeMap<String, String> {
    let pending = world.begin_with(wish).await.unwrap();
    let url = Url::parse(&pending.location).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let count = pairs.len();
    let map: BTreeMap<_, _> = pairs.into_iter().collect();
    assert_eq!(map.len(), count, "no parameter comes twice: {url}");
    map
}

fn get<'a>(asked: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    asked.get(name).map(String::as_str)
}

#[tokio::test]
async fn the_adapter_keeps_to_the_contract() {
    let world = World::new();
    let login = world.adapter.login.as_deref().unwrap();
    let answer = |challenge: &Challenge| {
        let Challenge::Redirect(location) = challenge else { panic!("{challenge:?}") };
        world.op.answer(location)
    };
    upstream_login(login, &world.tenant, world.connection, world.now(), answer).await;
}

#[tokio::test]
async fn what_an_app_wants_goes_on() {
    let wish = LoginWish {
        force_authn: true,
        acr_values: vec!["gold".into(), "silver".into()],
        login_hint: Some("alice@acme.example".into()),
        domain_hint: Some("acme.example".into()),
        ui_locales: Some("de-AT en".into()),
        ..LoginWish::default()
    };
    let sent = asked(&World::new(), wish.clone()).await;
    let expected = [
        ("prompt", "login"),
        ("max_age", "0"),
        ("acr_values", "gold silver"),
        ("login_hint", "alice@acme.example"),
        ("domain_hint", "acme.example"),
        ("ui_locales", "de-AT en"),
        ("response_type", "code"),
        ("scope", "openid profile email"),
        ("redirect_uri", "https://bridge.example/t/acme/connections/op/oidc/callback"),
    ];
    for (name, value) in expected {
        assert_eq!(get(&sent, name), Some(value), "{name}");
    }
    let silent = asked(&World::with(json!({ "pass_on": [] })), wish).await;
    for name in ["prompt", "max_age", "acr_values", "login_hint", "domain_hint", "ui_locales", "claims"] {
        assert_eq!(get(&silent, name), None, "{name}");
    }
    let passive = LoginWish { passive: true, max_age: Some(60), ..LoginWish::default() };
    let sent =
        asked(&World::with(json!({ "pass_on": ["max_age"], "scopes": ["openid", "offline_access"] })), passive).await;
    assert_eq!((get(&sent, "prompt"), get(&sent, "max_age")), (Some("none"), Some("60")), "none stands alone");
    let gold = LoginWish { acr_values: vec!["gold".into()], acr_required: true, ..LoginWish::default() };
    let sent = asked(&World::new(), gold).await;
    let claims: Value = serde_json::from_str(get(&sent, "claims").unwrap()).unwrap();
    assert_eq!(claims, json!({ "id_token": { "acr": { "essential": true, "values": ["gold"] } } }));
}

#[tokio::test]
async fn offline_access_is_asked_for_in_each_products_way() {
    let scopes = json!(["openid", "offline_access"]);
    let sent = asked(&World::with(json!({ "scopes": scopes })), LoginWish::default()).await;
    assert_eq!((get(&sent, "prompt"), get(&sent, "scope")), (Some("consent"), Some("openid offline_access")));
    let forced = LoginWish { force_authn: true, ..LoginWish::default() };
    assert_eq!(get(&asked(&World::with(json!({ "scopes": scopes })), forced).await, "prompt"), Some("login consent"));
    let sent = asked(&World::with(json!({ "scopes": scopes, "offline_prompt": "none" })), LoginWish::default()).await;
    assert_eq!(get(&sent, "prompt"), None);
    let google = json!({ "profile": "google", "hosted_domains": ["acme.example", "b.example"], "scopes": scopes });
    let sent = asked(&World::with(google.clone()), LoginWish::default()).await;
    assert_eq!((get(&sent, "scope"), get(&sent, "access_type")), (Some("openid"), Some("offline")));
    assert_eq!((get(&sent, "prompt"), get(&sent, "hd")), (Some("consent"), Some("*")));
    let hint = |domain: &str| LoginWish { domain_hint: Some(domain.into()), ..LoginWish::default() };
    assert_eq!(get(&asked(&World::with(google.clone()), hint("b.example")).await, "hd"), Some("b.example"));
    assert_eq!(get(&asked(&World::with(google), hint("evil.example")).await, "hd"), Some("*"));
}

#[tokio::test]
async fn further_parameters_are_only_further_ones() {
    let settings = json!({ "extra_parameters": { "resource": "urn:x", "ui_locales": "fr" } });
    let wish = LoginWish { ui_locales: Some("de".into()), ..LoginWish::default() };
    let sent = asked(&World::with(settings.clone()), wish).await;
    assert_eq!((get(&sent, "resource"), get(&sent, "ui_locales")), (Some("urn:x"), Some("de")));
    let sent = asked(&World::with(settings), LoginWish::default()).await;
    assert_eq!(get(&sent, "ui_locales"), Some("fr"));
    // An endpoint's own query stays, and can't set what is ours.
    let endpoint = format!("{ISSUER}/authorize?realm=a&redirect_uri=https%3A%2F%2Fevil.example");
    let sent =
        asked(&World::with(json!({ "metadata": { "authorization_endpoint": endpoint } })), LoginWish::default()).await;
    assert_eq!(get(&sent, "realm"), Some("a"));
    assert_eq!(get(&sent, "redirect_uri"), Some(format!("{ADDRESS}/oidc/callback").as_str()));
}

#[tokio::test]
async fn answers_come_by_form_too() {
    let world = World::with(json!({ "response_mode": "form_post" }));
    assert_eq!(get(&asked(&world, LoginWish::default()).await, "response_mode"), Some("form_post"));
    world.enter().await;
}

#[tokio::test]
async fn a_request_is_pushed_where_the_provider_offers_it() {
    let mut world = World::new();
    world.op.traits(|traits| traits.pushed_requests = true);
    world.reopen(json!({})).unwrap();
    let pending = world.begin().await;
    let url = Url::parse(&pending.location).unwrap();
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["client_id", "request_uri"], "nothing else goes through the browser");
    let pushed = world.op.seen().of(Endpoint::PushedRequest).next().unwrap().asked.clone();
    let form = pushed.parameters();
    assert_eq!(basic(pushed.header("authorization")), Some(world.op.client()));
    assert_eq!(form.iter().filter(|(name, _)| name == "client_id").count(), 1);
    assert_eq!(parameter(&form, "state"), Some(HANDLE));
    let answer = world.op.answer(&pending.location);
    accepted(world.complete(&pending, &answer).await);

    world.reopen(json!({ "pushed_requests": "off" })).unwrap();
    assert!(asked(&world, LoginWish::default()).await.contains_key("state"));
    world.reopen(json!({ "pushed_requests": "required", "client_id": "nobody" })).unwrap();
    let error = world.begin_with(LoginWish::default()).await.map(drop).unwrap_err();
    assert!(error.cause.starts_with("pushed request: error: "), "{}", error.cause);
    world.op.traits(|traits| traits.pushed_requests = false);
    world.reopen(json!({ "pushed_requests": "required" })).unwrap();
    assert!(world.begin_with(LoginWish::default()).await.is_err());
}

/// Signs with a key of the kit.
struct TestSigner(OpKey);

impl Signer for TestSigner {
    fn kid(&self) -> &str {
        &self.0.kid
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::from_name(self.0.alg).unwrap()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.0.sign(message))
    }

    fn verify(&self, _: &[u8], _: &[u8]) -> bool {
        false
    }
}

/// Gives the connection a key of its own, which the provider knows.
pub fn with_key(world: &mut World) -> Value {
    let key = OpKey::make(KeyKind::Ec, "ours").unwrap();
    let jwk = key.jwk();
    let signing =
        SigningKey { state: KeyState::Active, signer: Arc::new(TestSigner(key)), jwk: jwk.clone(), certificate: None };
    let ring = KeyRing { oidc_client: vec![(world.connection, signing)], ..KeyRing::default() };
    world.tenant = Arc::new(tenant_with(ring));
    world.op.trust_client_keys(json!({ "keys": [jwk] }));
    json!({ "keys": [jwk] })
}

#[tokio::test]
async fn a_client_can_prove_itself_with_a_key() {
    let mut world = World::with(json!({ "token_endpoint_auth_method": "private_key_jwt" }));
    let set = with_key(&mut world);
    world.enter().await;
    let form = world.op.seen().of(Endpoint::Token).next().unwrap().asked.parameters();
    assert_eq!(parameter(&form, "client_secret"), None);
    let accept = Accept { algorithms: &[SignatureAlgorithm::ES256], types: &["client-authentication+jwt"] };
    let assertion = parameter(&form, "client_assertion").unwrap();
    let verified = UnverifiedJws::read(assertion, &accept).unwrap().verify(&registered_set(&set).unwrap()).unwrap();
    // Not the token endpoint: whoever lies about that gets nothing that is good elsewhere.
    assert_eq!(verified.claims["aud"], ISSUER);
    let life = verified.claims["exp"].as_i64().unwrap() - verified.claims["iat"].as_i64().unwrap();
    assert!((1..=60).contains(&life), "{life}");

    let publish = world.adapter.metadata.as_deref().unwrap();
    assert_eq!(publish.route().path, "oidc/jwks");
    let reply = publish.document(&world.tenant, world.now()).unwrap();
    let fedbridge_contract::http::ReplyKind::Body(body) = reply.kind else { panic!("{reply:?}") };
    assert_eq!(serde_json::from_slice::<Value>(&body.bytes).unwrap(), set);

    // The key is the connection's own.
    let ring = KeyRing::default();
    world.tenant = Arc::new(tenant_with(ring));
    let (outcome, trace) = world.login(LoginWish::default()).await;
    assert!(matches!(outcome, LoginOutcome::Rejected(_)));
    assert_eq!(failed_check(&trace).as_deref(), Some("token endpoint: client"));
}

#[tokio::test]
async fn a_request_object_says_everything_and_nothing_is_left_outside() {
    let mut world = World::with(json!({ "request_object": "signed" }));
    let set = with_key(&mut world);
    let wish = LoginWish { max_age: Some(60), ..LoginWish::default() };
    let sent = asked(&world, wish).await;
    assert_eq!(sent.keys().collect::<Vec<_>>(), ["client_id", "request", "response_type", "scope"]);
    let accept = Accept { algorithms: &[SignatureAlgorithm::ES256], types: &["oauth-authz-req+jwt"] };
    let keys = registered_set(&set).unwrap();
    let claims = UnverifiedJws::read(&sent["request"], &accept).unwrap().verify(&keys).unwrap().claims;
    for (name, value) in [
        ("iss", json!("bridge")),
        ("aud", json!(ISSUER)),
        ("state", json!(HANDLE)),
        ("max_age", json!(60)),
        ("code_challenge_method", json!("S256")),
    ] {
        assert_eq!(claims[name], value, "{name}");
    }
    world.tenant = Arc::new(tenant_with(KeyRing::default()));
    assert!(world.begin_with(LoginWish::default()).await.is_err(), "unsigned is not what was set");
}

#[tokio::test]
async fn of_two_secrets_the_second_is_tried_once() {
    let mut world = World::new();
    let right = world.op.client().1;
    let open = |world: &mut World, first: &str, second: &str| {
        let secrets = BTreeMap::from([
            ("client_secret/0".to_owned(), first.as_bytes().to_vec()),
            ("client_secret/1".to_owned(), second.as_bytes().to_vec()),
        ]);
        world.reopen_with(json!({}), &secrets).unwrap();
        world.op.forget_seen();
    };
    let wrong = "0123456789abcdef0123456789abcdef";
    open(&mut world, wrong, &right);
    let (outcome, trace) = world.login(LoginWish::default()).await;
    accepted((outcome, trace.clone()));
    assert_eq!(world.op.seen().count(Endpoint::Token), 2);
    let told = trace.steps().iter().any(|step| matches!(step, Step::Decision { what, .. } if what == "client_secret"));
    assert!(told, "{:?}", trace.steps());
    open(&mut world, &right, wrong);
    world.enter().await;
    assert_eq!(world.op.seen().count(Endpoint::Token), 1);
    open(&mut world, wrong, wrong);
    let (_, trace) = world.login(LoginWish::default()).await;
    assert_eq!(failed_check(&trace).as_deref(), Some("token endpoint: error"));
    assert_eq!(world.op.seen().count(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_provider_can_be_described_by_hand() {
    let mut world = World::new();
    let at = |path: &str| format!("{ISSUER}{path}");
    let keys = json!({ "keys": world.op.keys().published() });
    let mut metadata = json!({
        "authorization_endpoint": at("/authorize"), "token_endpoint": at("/token"), "jwks": keys,
        "authorization_response_iss_parameter_supported": true,
    });
    world.reopen(json!({ "discovery": "off", "metadata": metadata })).unwrap();
    world.enter().await;
    assert_eq!(world.op.seen().count(Endpoint::Keys), 0);
    // The same checks hold.
    world.op.rotate_keys();
    let (outcome, _) = world.login(LoginWish::default()).await;
    assert!(matches!(outcome, LoginOutcome::KeyUnknown(_)), "{outcome:?}");
    metadata["authorization_endpoint"] = Value::Null;
    metadata.as_object_mut().unwrap().remove("authorization_endpoint");
    let complaints = world.reopen(json!({ "discovery": "off", "metadata": metadata })).unwrap_err();
    assert_eq!(complaints[0].path, "metadata.authorization_endpoint");
}

#[tokio::test]
async fn a_connection_waits_for_its_metadata() {
    let mut world = World::new();
    let url = format!("{ISSUER}/.well-known/openid-configuration");
    world.reopen(json!({ "discovery": { "url": url } })).unwrap();
    let error = world.begin_with(LoginWish::default()).await.map(drop).unwrap_err();
    assert_eq!(error.code, "temporarily_unavailable");
    let findings = world.adapter.check.as_deref().unwrap().run(&world.tenant, world.now()).await;
    assert!(findings.iter().any(|finding| finding.text.contains("was not read yet")), "{findings:?}");
}

/// All that an administrator has to enter at the provider, and no more than the connection uses.
#[tokio::test]
async fn check_says_which_addresses_to_register() {
    let addresses = async |settings: Value| {
        let world = World::with(settings);
        let findings = world.adapter.check.as_deref().unwrap().run(&world.tenant, world.now()).await;
        let registered = findings.into_iter().filter_map(|finding| {
            let address = finding.text.strip_prefix("register the ")?.split(ADDRESS).nth(1)?.to_owned();
            Some(address)
        });
        registered.collect::<Vec<_>>()
    };
    let usual = ["/oidc/callback", "/oidc/logged-out", "/oidc/backchannel-logout"];
    assert_eq!(addresses(json!({})).await, usual);
    let all = addresses(json!({
        "request_object": "signed",
        "initiate_login": { "targets": [], "client": "portal" },
        "global_token_revocation": { "issuer": "https://op.example", "jwks_uri": "https://op.example/keys" },
    }));
    let more = ["/oidc/jwks", "/oidc/initiate", "/global-token-revocation"];
    assert_eq!(all.await, [usual.as_slice(), more.as_slice()].concat());
}

#[tokio::test]
async fn a_second_look_at_an_answer_sends_no_code_again() {
    let world = World::new();
    let stale = world.op.keys().published();
    world.enter().await;
    world.op.forget_seen();
    // The signature is of a key that is published nowhere yet.
    world.op.rotate_keys();
    world.op.publish(Some(stale));
    let pending = world.begin().await;
    let answer = world.op.answer(&pending.location);
    let fetched = Default::default();
    let (outcome, _) = world.complete_with(&pending, &answer, &fetched).await;
    assert!(matches!(outcome, LoginOutcome::KeyUnknown(_)), "{outcome:?}");
    world.op.publish(None);
    world.clock.pass(std::time::Duration::from_secs(61));
    accepted(world.complete_with(&pending, &answer, &fetched).await);
    assert_eq!(world.op.seen().count(Endpoint::Token), 1);
}

#[tokio::test]
async fn a_distrusted_key_counts_for_nothing() {
    let mut world = World::new();
    let kid = world.op.keys().active.kid.clone();
    world.enter().await;
    world.reopen(json!({ "distrusted_keys": [kid] })).unwrap();
    let (outcome, trace) = world.login(LoginWish::default()).await;
    assert!(matches!(outcome, LoginOutcome::Rejected(_)), "no look at the metadata can help: {outcome:?}");
    assert_eq!(failed_check(&trace).as_deref(), Some("key of the ID token"));
    // Leaving its name out does not bring it back.
    world.op.tell(nameless());
    let (_, trace) = world.login(LoginWish::default()).await;
    assert_eq!(failed_check(&trace).as_deref(), Some("key of the ID token"));
    world.reopen(json!({})).unwrap();
    world.enter().await;
}

/// A token without a kid, where one key fits.
fn nameless() -> &'static Lie {
    let of = |lie: &&Lie| lie.item == 33 && lie.verdict == Verdict::Accepted;
    LIES.iter().copied().flatten().find(of).unwrap()
}

#[tokio::test]
async fn rotation_is_followed_without_names_too() {
    let world = World::new();
    world.op.tell(nameless());
    world.enter().await;
    // The old key fits as well as the new one; only the signature tells.
    world.op.rotate_keys();
    world.enter().await;
    assert_eq!(world.op.seen().count(Endpoint::Keys), 2);
}
