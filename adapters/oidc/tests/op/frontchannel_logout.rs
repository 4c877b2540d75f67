//! Telling apps of a logout by a frame in the browser.

use fedbridge_contract::config::AppKind;
use fedbridge_contract::downstream::{Downstream as _, Finish, IssuedIdentity};
use fedbridge_contract::ids::LogoutId;
use fedbridge_contract::logout::{LogoutCall, Notice, NoticeId, Participant, Party};
use fedbridge_contract::proof::Permit;
use serde_json::{Value, json};

use crate::support::services::CountingRng;
use crate::support::{World, claims_of, world};

const FRONT: &str = "https://portal.example/out?tenant=a%26b";
const ISS: &str = "https%3A%2F%2Fbridge.example%2Ft%2Facme";

fn world_with(front: Value, back: Value) -> World {
    let mut world = world();
    world.change_client("portal", |settings| {
        settings["frontchannel_logout_uri"] = front;
        settings["backchannel_logout_uri"] = back;
    });
    world
}

async fn joined(world: &World) -> (Option<Participant>, IssuedIdentity) {
    let login = world.accepted(&world.request("portal", "openid")).await;
    let identity = world.identity(&world.acme, login.scope.clone());
    let (tenant, rng) = (&world.acme, CountingRng::default());
    let app = tenant.app_by_id(login.app).unwrap();
    let finish =
        Finish { tenant, app, continuation: &login.continuation, identity: &identity, now: world.now, rng: &rng };
    let finished = world.provider.finish(finish, &Permit::assertion_of_the_gate()).await.unwrap();
    (finished.participant, identity)
}

async fn notice(world: &World, participant: &Participant, session: fedbridge_contract::ids::SessionId) -> Notice {
    let rng = CountingRng::default();
    let app = world.acme.app(AppKind::OidcClient, "portal").unwrap();
    let id = NoticeId { logout: LogoutId::random(&rng), party: Party::App(app.id) };
    let call = LogoutCall { tenant: &world.acme, app, participant, session, id, now: world.now, rng: &rng };
    world.provider.logout().unwrap().notice(call).await.unwrap()
}

fn origin(world: &World) -> Option<String> {
    let app = world.acme.app(AppKind::OidcClient, "portal").unwrap();
    world.provider.logout().unwrap().frame_origin(app)
}

#[tokio::test]
async fn a_frame_names_issuer_and_session_as_the_id_token_does() {
    let world = world_with(json!(FRONT), Value::Null);
    let (participant, identity) = joined(&world).await;
    let participant = participant.unwrap();
    let Notice::Frame(address) = notice(&world, &participant, identity.session).await else { panic!("not a frame") };
    assert_eq!(address, format!("{FRONT}&iss={ISS}&sid={}", identity.session));
    let (tokens, id) = world.tokens("portal", "openid").await;
    let session = world.grant(id).record.session;
    let Notice::Frame(address) = notice(&world, &participant, session).await else { panic!("not a frame") };
    let claims = claims_of(&tokens.text("id_token"));
    let query: std::collections::HashMap<String, String> =
        form_urlencoded::parse(address.split_once('?').unwrap().1.as_bytes()).into_owned().collect();
    assert_eq!(query["sid"], claims["sid"].as_str().unwrap());
    assert_eq!(query["iss"], claims["iss"].as_str().unwrap());
    assert_eq!(query["tenant"], "a&b", "its own query stays");
    assert_eq!(origin(&world).as_deref(), Some("https://portal.example"));
}

#[tokio::test]
async fn the_back_channel_wins() {
    let world = world_with(json!(FRONT), json!("https://portal.example/backchannel"));
    let (participant, identity) = joined(&world).await;
    let told = notice(&world, &participant.unwrap(), identity.session).await;
    assert!(matches!(told, Notice::Back(_)), "{told:?}");
    assert_eq!(origin(&world), None, "no frame is opened for it");
}

#[tokio::test]
async fn an_address_that_is_gone_is_not_opened() {
    let mut world = world_with(json!(FRONT), Value::Null);
    let (participant, identity) = joined(&world).await;
    world.change_client("portal", |settings| settings["frontchannel_logout_uri"] = Value::Null);
    assert!(matches!(notice(&world, &participant.unwrap(), identity.session).await, Notice::Nothing));
    assert_eq!(origin(&world), None);
    assert_eq!(joined(&world).await.0, None);
}
