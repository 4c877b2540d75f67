//! What receivers of signals are told of, from what happens to the row that waits for them.

use std::time::Duration;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::ids::AppId;
use fedbridge_contract::services::Clock as _;
use fedbridge_contract::signals::{Signal, SignalQueue as _};
use fedbridge_hub::ports::{LoginStore as _, SignalOutbox as _};
use fedbridge_hub::spec::{ConfigChange, SubjectType};
use serde_json::{Value, json};

use super::push::{tenant, world_with};
use super::{BASE, World, alice, app, connection, id, param};

/// A receiver that is pushed to, at an address that is never called here.
fn receiver(number: u8, settings: Value) -> ConfigChange {
    let mut whole = json!({ "push_url": "http://127.0.0.1:9/events" });
    whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let ConfigChange::PutApp(mut stored) = app(number, &format!("r{number}"), whole) else { unreachable!() };
    stored.spec.kind = AppKind::SignalReceiver;
    ConfigChange::PutApp(stored)
}

impl World {
    async fn told(&self, receiver: u8) -> Vec<Signal> {
        let store = &self.foundation.store;
        let all = store.waiting(tenant(), id::<AppId>(receiver), 100, self.now()).await.unwrap();
        let ids: Vec<_> = all.iter().map(|one| one.id).collect();
        store.settle(tenant(), id::<AppId>(receiver), &ids).await.unwrap();
        all
    }

    /// The last parts of the types of events, sorted.
    async fn names(&self, receiver: u8) -> Vec<String> {
        let mut names: Vec<_> =
            self.told(receiver).await.iter().map(|one| one.event.rsplit('/').next().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn groups_and_addresses_are_told_to_who_may_hear_of_them() {
    let all = json!({ "events": ["token-claims-change", "identifier-changed", "account-disabled"] });
    let changes = vec![
        connection(2, "one", alice(), json!({})),
        receiver(30, all),
        receiver(31, json!({ "client": "app" })),
        receiver(32, json!({})),
    ];
    let settings = json!({});
    let world = world_with(settings, changes).await;
    let (user, _) = world.pushed("alice").await;
    assert_eq!(world.names(30).await, [""; 0], "somebody new");
    let group = json!({ "displayName": "staff", "members": [{ "value": user }] });
    assert_eq!(world.push(fedbridge_contract::http::Method::Post, "Groups", group).await.0, 201);
    for hears in [30, 31] {
        let told = world.told(hears).await;
        assert_eq!(told.len(), 1, "{hears}: {told:?}");
        assert!(told[0].event.ends_with("token-claims-change"));
        assert_eq!(told[0].claims["claims"], json!({ "groups": ["staff"] }));
    }
    assert_eq!(world.names(32).await, [""; 0], "without an app behind it");

    world.active(&user, false).await;
    assert_eq!(world.names(30).await, ["account-disabled"], "nothing else was asked for");
    assert_eq!(world.names(31).await, ["account-disabled", "session-revoked"]);
    world.active(&user, true).await;
    assert_eq!((world.names(30).await, world.names(31).await), (vec![], vec!["account-enabled".to_owned()]));
    // The same once more changes nothing, and nobody hears of it.
    world.active(&user, true).await;
    assert_eq!(world.names(31).await, [""; 0]);
}

/// The name of a person is that of the app behind the receiver, and nobody else's.
#[tokio::test]
async fn a_pairwise_app_hears_of_its_own_names() {
    let changes = vec![
        connection(2, "one", alice(), json!({})),
        receiver(30, json!({ "client": "app" })),
        receiver(31, json!({})),
    ];
    let mut world = World::new(changes, SubjectType::Pairwise).await;
    assert!(param(&world.authorize("").await, "code").is_some());
    let person = world.foundation.store.linked_person(tenant(), id(2), "alice").await.unwrap().unwrap().person;
    let snapshot = world.wired.snapshots.current();
    let killed =
        world.hub.kill_person(world.foundation.system.as_ref(), snapshot.tenant(tenant()).unwrap(), person).await;
    assert!(killed.unwrap().is_some());
    let (theirs, public) = (world.told(30).await, world.told(31).await);
    // The kill, and the session that it ended.
    assert_eq!((theirs.len(), public.len()), (2, 2));
    let sub = |signal: &Signal| {
        let person = signal.subject.get("user").unwrap_or(&signal.subject);
        person["sub"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(sub(&public[0]), person.to_string());
    assert_eq!(sub(&theirs[0]).len(), 43);
    assert!(!serde_json::to_string(&theirs).unwrap().contains(&person.to_string()), "{theirs:?}");
    assert!(
        theirs.iter().all(|one| one.event.ends_with("session-revoked") && one.claims["initiating_entity"] == "admin")
    );
    assert!(theirs.iter().any(|one| one.subject["format"] == "complex"), "{theirs:?}");
}

/// An upstream says that an account is disabled: whoever it is stays out, until it is enabled again.
#[tokio::test]
async fn who_an_upstream_has_disabled_stays_out() {
    let one = json!({ "subject": "alice", "logout": "back" });
    let changes = vec![connection(2, "one", one, json!({})), receiver(30, json!({}))];
    let mut world = World::new(changes, SubjectType::Public).await;
    assert!(param(&world.authorize("").await, "code").is_some());
    let says = async |world: &mut World, manner: &str, id: &str| {
        let at =
            format!("{BASE}t/acme/connections/one/fake/logout?person=alice&back=1&manner=everything,{manner}&id={id}");
        param(&world.step(&at).await, "end").unwrap()
    };
    assert_eq!(says(&mut world, "out", "first").await, "Complete");
    let told = world.names(30).await;
    assert!(told.contains(&"account-disabled".to_owned()) && told.contains(&"session-revoked".to_owned()), "{told:?}");
    world.cookies.clear();
    assert_eq!(param(&world.authorize("").await, "error").as_deref(), Some("access_denied"), "they log in again");
    assert_eq!(says(&mut world, "in", "second").await, "Complete");
    assert_eq!(world.names(30).await, ["account-enabled"]);
    world.cookies.clear();
    assert!(param(&world.authorize("").await, "code").is_some());

    // What was said before that comes late.
    let before = world.now().seconds() - 60;
    let at = format!(
        "{BASE}t/acme/connections/one/fake/logout?person=alice&back=1&manner=everything,out&id=third&said={before}"
    );
    assert_eq!(param(&world.step(&at).await, "end").unwrap(), "Complete");
    world.names(30).await;
    world.cookies.clear();
    assert!(param(&world.authorize("").await, "code").is_some(), "what was said later counts");

    // The first message again does nothing.
    assert_eq!(says(&mut world, "out", "first").await, "Refused");
    assert_eq!(world.names(30).await, [""; 0]);
    world.cookies.clear();
    assert!(param(&world.authorize("").await, "code").is_some());
}

/// An upstream says of a device that it complies no more: whoever it is logs in again, and receivers hear why.
#[tokio::test]
async fn what_an_upstream_says_of_a_device_is_handed_on() {
    let one = json!({ "subject": "alice", "logout": "back" });
    let changes = vec![connection(2, "one", one, json!({})), receiver(30, json!({}))];
    let mut world = World::new(changes, SubjectType::Public).await;
    assert!(param(&world.authorize("").await, "code").is_some());
    let says = async |world: &mut World, word: &str, id: &str| {
        let at = format!(
            "{BASE}t/acme/connections/one/fake/logout?person=alice&back=1&manner=everything,at_once,{word}&id={id}"
        );
        param(&world.step(&at).await, "end").unwrap()
    };
    assert_eq!(says(&mut world, "compliant", "first").await, "Complete");
    let told = world.told(30).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].event.ends_with("/caep/event-type/device-compliance-change"), "{told:?}");
    assert_eq!(told[0].claims["previous_status"], "not-compliant");
    assert_eq!(told[0].claims["current_status"], "compliant");
    assert_eq!(told[0].subject["device"], json!({ "format": "opaque", "id": "laptop" }));
    assert_eq!(told[0].subject["user"]["format"], "iss_sub");
    assert!(param(&world.authorize("&prompt=none").await, "code").is_some(), "good news ends nothing");

    assert_eq!(says(&mut world, "not-compliant", "second").await, "Complete");
    let names = world.names(30).await;
    assert!(names.contains(&"device-compliance-change".to_owned()), "{names:?}");
    assert!(names.contains(&"session-revoked".to_owned()), "{names:?}");
    assert!(param(&world.authorize("").await, "code").is_some(), "they may come in again");
}

/// The same person logs in once more, by other means: the session goes on, and receivers hear of its new level.
#[tokio::test]
async fn another_level_of_a_session_is_told() {
    let one = json!({ "subject": "alice", "acr": "urn:acme:silver", "amr": ["pwd"] });
    let two = json!({ "subject": "alice", "acr": "urn:acme:gold", "amr": ["pwd", "mfa"] });
    let changes = vec![connection(2, "one", one, json!({})), receiver(30, json!({}))];
    let mut world = World::new(changes, SubjectType::Public).await;
    assert!(param(&world.authorize("").await, "code").is_some());
    assert!(param(&world.authorize("&prompt=login").await, "code").is_some());
    assert_eq!(world.names(30).await, [""; 0], "as before");
    world.apply(&[connection(2, "one", two, json!({}))]).await;
    assert!(param(&world.authorize("&prompt=login").await, "code").is_some());
    let told = world.told(30).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].event.ends_with("/caep/event-type/assurance-level-change"), "{told:?}");
    let claims = &told[0].claims;
    assert_eq!(
        (&claims["previous_level"], &claims["current_level"]),
        (&json!("urn:acme:silver"), &json!("urn:acme:gold"))
    );
    assert_eq!((&claims["change_direction"], &claims["namespace"]), (&json!("increase"), &json!("acr")));
    assert_eq!(told[0].subject["session"]["format"], "opaque");
}

/// What nobody has taken for days is given up, and an administrator can see that.
#[tokio::test]
async fn what_nobody_takes_is_given_up_after_days() {
    let changes = vec![connection(2, "one", alice(), json!({})), receiver(30, json!({}))];
    let world = world_with(json!({}), changes).await;
    let (user, _) = world.pushed("alice").await;
    world.active(&user, false).await;
    let system = &world.foundation.system;
    let store = &world.foundation.store;
    // The address is refused: this installation may not call itself.
    assert_eq!(world.hub.send_signals(system.as_ref()).await.unwrap(), 0);
    let waiting = async |world: &World| store.waiting(tenant(), id(30), 9, world.now()).await.unwrap().len();
    assert_eq!(waiting(&world).await, 2);
    assert!(system.take(world.clock.now(), Duration::from_secs(1), 9).await.unwrap().is_empty(), "it rests");
    world.wait(Duration::from_secs(71 * 3600));
    assert_eq!((world.hub.send_signals(system.as_ref()).await.unwrap(), waiting(&world).await), (0, 2));
    world.wait(Duration::from_secs(2 * 3600));
    assert_eq!(world.hub.send_signals(system.as_ref()).await.unwrap(), 0);
    let left = fedbridge_contract::time::Timestamp::from_seconds(0);
    assert!(store.waiting(tenant(), id(30), 9, left).await.unwrap().is_empty());
}
