//! Telling apps of a logout on the back channel, and starting a login at an app.

use bytes::Bytes;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::downstream::{Downstream as _, Finish, IssuedIdentity};
use fedbridge_contract::ids::{LogoutId, SessionId};
use fedbridge_contract::logout::{LogoutCall, Notice, NoticeId, Participant, Party, Told};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{EgressPost, Fetched};
use serde_json::{Value, json};

use crate::support::services::CountingRng;
use crate::support::{World, claims_of, form, header_of, world};

const BACK: &str = "https://portal.example/backchannel?tenant=a";

/// The world with back-channel logout at a client.
fn world_with(client: &str) -> World {
    let mut world = world();
    world.change_client(client, |settings| settings["backchannel_logout_uri"] = json!(BACK));
    world
}

async fn joined(world: &World, client: &str) -> (Option<Participant>, IssuedIdentity) {
    let login = world.accepted(&world.request(client, "openid")).await;
    let identity = world.identity(&world.acme, login.scope.clone());
    let (tenant, rng) = (&world.acme, CountingRng::default());
    let app = tenant.app_by_id(login.app).unwrap();
    let (continuation, identity_ref, now) = (&login.continuation, &identity, world.now);
    let finish = Finish { tenant, app, continuation, identity: identity_ref, now, rng: &rng };
    let finished = world.provider.finish(finish, &Permit::assertion_of_the_gate()).await.unwrap();
    (finished.participant, identity)
}

/// What the provider sends for a participant.
async fn notice(world: &World, client: &str, participant: &Participant, session: SessionId) -> Notice {
    let rng = CountingRng::default();
    let app = world.acme.app(AppKind::OidcClient, client).unwrap();
    let id = NoticeId { logout: LogoutId::random(&rng), party: Party::App(app.id) };
    let call = LogoutCall { tenant: &world.acme, app, participant, session, id, now: world.now, rng: &rng };
    world.provider.logout().unwrap().notice(call).await.unwrap()
}

async fn post(world: &World, client: &str) -> (EgressPost, IssuedIdentity) {
    let (participant, identity) = joined(world, client).await;
    match notice(world, client, &participant.unwrap(), identity.session).await {
        Notice::Back(post) => (post, identity),
        other => panic!("not a post: {other:?}"),
    }
}

#[tokio::test]
async fn only_apps_that_want_to_hear_take_part() {
    let mut world = world_with("portal");
    let (participant, identity) = joined(&world, "portal").await;
    let participant = participant.unwrap();
    assert_eq!(participant.app, world.app("portal"));
    assert_eq!((participant.key.as_str(), participant.index), ("c0ffee", Some(identity.session.to_string())));
    assert_eq!(joined(&world, "relaxed").await.0, None, "an app without the address costs no row");

    // The address may be gone when the session ends.
    let (participant, identity) = joined(&world, "portal").await;
    world.change_client("portal", |settings| settings["backchannel_logout_uri"] = Value::Null);
    let late = notice(&world, "portal", &participant.unwrap(), identity.session).await;
    assert!(matches!(late, Notice::Nothing), "{late:?}");
}

#[tokio::test]
async fn a_logout_token_has_exactly_what_the_specification_asks_for() {
    for (client, kid, alg) in [("portal", "es", "ES256"), ("relaxed", "rs", "RS256"), ("opaque", "ed", "EdDSA")] {
        let world = world_with(client);
        let (post, identity) = post(&world, client).await;
        assert_eq!(post.url, BACK);
        assert_eq!(post.content_type, "application/x-www-form-urlencoded");
        let fields: Vec<_> = form_urlencoded::parse(post.body.as_bytes()).into_owned().collect();
        let [(name, token)] = fields.as_slice() else { panic!("not one field: {fields:?}") };
        assert_eq!(name, "logout_token");

        assert_eq!(header_of(token), json!({"typ": "logout+jwt", "alg": alg, "kid": kid}));
        let mut claims = claims_of(token);
        let jti = claims.as_object_mut().unwrap().remove("jti").unwrap();
        assert!(jti.as_str().unwrap().len() >= 22);
        let event = "http://schemas.openid.net/event/backchannel-logout";
        assert_eq!(
            claims,
            json!({
                "iss": world.acme.issuer, "aud": client, "sub": "c0ffee", "sid": identity.session.to_string(),
                "iat": world.now.seconds(), "exp": world.now.seconds() + 120, "events": {event: {}},
            }),
            "and no nonce"
        );
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let key = world.keys.iter().find(|key| key.kid == kid).unwrap();
        assert!(key.checks(signed, signature));
        assert!(!key.checks(&format!("{signed}A"), signature));
    }
}

#[tokio::test]
async fn the_sid_is_that_of_the_id_token() {
    let world = world_with("portal");
    let (tokens, id) = world.tokens("portal", "openid").await;
    let session = world.grant(id).record.session;
    assert_eq!(claims_of(&tokens.text("id_token"))["sid"], session.to_string());
    let (participant, _) = joined(&world, "portal").await;
    let Notice::Back(post) = notice(&world, "portal", &participant.unwrap(), session).await else { panic!("no post") };
    let token = post.body.strip_prefix("logout_token=").unwrap();
    assert_eq!(claims_of(token)["sid"], session.to_string());
}

#[tokio::test]
async fn a_logout_token_opens_nothing() {
    let world = world_with("portal");
    let (post, _) = post(&world, "portal").await;
    let token = post.body.strip_prefix("logout_token=").unwrap();
    assert_eq!(world.userinfo(token).await.status, 401);
    let hint = form(&[("id_token_hint", token)]);
    let fedbridge_contract::downstream::Accepted::Logout(request) = world.get("logout", &hint).await else {
        panic!("not a logout")
    };
    assert_eq!(request.hint, None, "it is no ID token either");
}

#[tokio::test]
async fn what_the_app_answers_is_understood() {
    let world = world_with("portal");
    let (participant, identity) = joined(&world, "portal").await;
    let (participant, rng) = (participant.unwrap(), CountingRng::default());
    let app = world.acme.app(AppKind::OidcClient, "portal").unwrap();
    let id = NoticeId { logout: LogoutId::random(&rng), party: Party::App(app.id) };
    for (status, told) in [
        (200, Told::Done),
        (204, Told::Done),
        (302, Told::Refused),
        (400, Told::Refused),
        (404, Told::Refused),
        (429, Told::Silent),
        (500, Told::Silent),
        (503, Told::Silent),
    ] {
        let session = identity.session;
        let call =
            LogoutCall { tenant: &world.acme, app, participant: &participant, session, id, now: world.now, rng: &rng };
        let answer = Fetched { status, content_type: None, etag: None, max_age: None, body: Bytes::new() };
        assert_eq!(world.provider.logout().unwrap().told(call, &answer).await, told, "{status}");
    }
}

#[test]
fn a_login_is_started_at_the_app_itself() {
    let mut world = world();
    let start = |world: &World, target: Option<&str>| {
        let app = world.acme.app(AppKind::OidcClient, "portal").unwrap();
        world.provider.initiate(&world.acme, app, target)
    };
    assert_eq!(start(&world, None), None, "without initiate_login_uri there is no way");
    world.change_client("portal", |settings| settings["initiate_login_uri"] = json!("https://portal.example/in?x=1"));
    let plain = "https://portal.example/in?x=1&iss=https%3A%2F%2Fbridge.example%2Ft%2Facme";
    assert_eq!(start(&world, None).as_deref(), Some(plain));
    let target = "https://portal.example/a?b=c&d";
    let with_target = format!("{plain}&target_link_uri=https%3A%2F%2Fportal.example%2Fa%3Fb%3Dc%26d");
    assert_eq!(start(&world, Some(target)), Some(with_target));
}
