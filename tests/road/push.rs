//! What a directory pushes, from the request to what becomes of people.

use std::sync::atomic::Ordering;
use std::time::Duration;

use fedbridge_contract::http::{HttpInput, Method, ReplyKind};
use fedbridge_contract::ids::{ConnectionId, PersonId, TenantId};
use fedbridge_contract::push::PushPlace;
use fedbridge_hub::ports::{Command, LoginStore as _, NewLink, PeopleStore as _, ProfileStore as _, ShutOut, Unit};
use fedbridge_hub::ports::{PushedStore as _, TraceFilter, TraceStore as _};
use fedbridge_hub::spec::{ConfigChange, SecretOwner, SecretValue, StoredSecret, SubjectType};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::{HERE, World, alice, connection, id, param};

const TOKEN: &str = "a-token-of-32-characters-or-more-0123";

pub fn tenant() -> TenantId {
    id(1)
}

pub fn hr() -> ConnectionId {
    id(3)
}

pub fn place() -> PushPlace {
    PushPlace { tenant: tenant(), connection: hr() }
}

pub async fn world(settings: Value) -> World {
    world_with(settings, vec![connection(2, "one", alice(), json!({}))]).await
}

/// With the connections by which people log in, and apps.
pub async fn world_with(settings: Value, others: Vec<ConfigChange>) -> World {
    world_ruled((settings, json!({})), others).await
}

/// With rules of the directory.
async fn world_ruled((settings, rules): (Value, Value), others: Vec<ConfigChange>) -> World {
    let ConfigChange::PutConnection(mut stored) = connection(3, "hr", settings, rules) else { unreachable!() };
    stored.spec.protocol = "scim".into();
    let secret = StoredSecret {
        tenant: tenant(),
        owner: SecretOwner::Connection(hr()),
        name: "bearer_token/0".into(),
        value: SecretValue::Clear(TOKEN.into()),
    };
    let mut changes = others;
    changes.extend([ConfigChange::PutConnection(stored), ConfigChange::PutSecret(secret)]);
    let world = World::new(changes, SubjectType::Public).await;
    world.push_desk.serve(&world.hub);
    world
}

impl World {
    pub async fn push(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        self.clock.0.fetch_add(1, Ordering::Relaxed);
        let resolved = self.hub.connection_route("acme", "hr", &format!("scim/v2/{path}")).unwrap();
        let input = HttpInput {
            method,
            route: resolved.route.path,
            rest: resolved.rest,
            query: String::new(),
            body: body.to_string().into(),
            content_type: Some("application/scim+json".into()),
            authorization: Some(format!("Bearer {TOKEN}")),
            origin: None,
            accept_language: None,
            if_match: None,
            if_none_match: None,
            prefer: None,
            cookies: Vec::new(),
            peer: HERE,
        };
        let ReplyKind::Body(body) = self.hub.handle(resolved.target, input).await.kind else { panic!("no body") };
        (body.status, serde_json::from_slice(&body.bytes).unwrap_or_default())
    }

    pub async fn patch(&self, path: &str, operation: Value) -> (u16, Value) {
        self.push(Method::Patch, path, json!({ "Operations": [operation] })).await
    }

    /// The id of a pushed user, and who that is.
    pub async fn pushed(&self, name: &str) -> (String, PersonId) {
        let (status, user) = self.push(Method::Post, "Users", json!({ "userName": name })).await;
        assert_eq!(status, 201, "{user}");
        let id = user["id"].as_str().unwrap().to_owned();
        let known = self.foundation.store.known(tenant(), hr(), &id).await.unwrap().unwrap();
        (id, known.person)
    }

    async fn groups_said(&self, person: PersonId) -> Vec<String> {
        let said = self.foundation.store.profiles_of(tenant(), person).await.unwrap();
        let groups = said[0].profile.claims.get("groups").cloned().unwrap_or_default();
        groups.as_array().into_iter().flatten().map(|group| group.as_str().unwrap().to_owned()).collect()
    }

    /// Logins of this subject are of this person.
    pub async fn links(&self, person: PersonId, connection: ConnectionId, subject: &str) {
        let link = NewLink {
            person,
            connection,
            subject_key: subject.into(),
            display: subject.into(),
            email: None,
            scope: None,
        };
        let unit = Unit { commands: vec![Command::LinkIdentity(link)], now: self.now() };
        self.foundation.store.commit(tenant(), unit).await.unwrap();
    }
}

#[tokio::test]
async fn who_is_switched_off_is_out_before_it_is_answered() {
    let mut world = world(json!({})).await;
    let (user, person) = world.pushed("alice").await;
    world.links(person, id(2), "alice").await;
    assert!(param(&world.authorize("").await, "code").is_some());
    assert_eq!(world.foundation.store.sessions(tenant(), person, world.now()).await.unwrap().len(), 1);

    let path = format!("Users/{user}");
    let (status, off) = world.patch(&path, json!({ "op": "Replace", "path": "active", "value": "False" })).await;
    assert_eq!((status, &off["active"]), (200, &json!(false)), "{off}");
    assert!(world.foundation.store.sessions(tenant(), person, world.now()).await.unwrap().is_empty());
    assert_eq!(param(&world.authorize("&prompt=none").await, "error").as_deref(), Some("access_denied"));
    let known = world.foundation.store.known(tenant(), hr(), &user).await.unwrap().unwrap();
    assert_eq!(known.last.unwrap().disabled.as_deref(), Some("switched off by the upstream"));

    let (_, on) = world.patch(&path, json!({ "op": "replace", "value": { "active": true } })).await;
    assert_eq!(on["active"], true);
    assert!(
        world.foundation.store.sessions(tenant(), person, world.now()).await.unwrap().is_empty(),
        "nothing comes back"
    );
    let known = world.foundation.store.known(tenant(), hr(), &user).await.unwrap().unwrap();
    assert_eq!(known.last.unwrap().disabled, None);

    assert!(param(&world.authorize("").await, "code").is_some());
    assert_eq!(world.push(Method::Delete, &path, Value::Null).await.0, 204);
    assert!(world.foundation.store.sessions(tenant(), person, world.now()).await.unwrap().is_empty());
    assert_eq!(world.push(Method::Get, &path, Value::Null).await.0, 404);
}

#[tokio::test]
async fn whom_somebody_else_keeps_out_no_news_of_a_directory_lets_in() {
    let world = world(json!({})).await;
    let (user, person) = world.pushed("alice").await;
    // As by a signal of an identity provider.
    let shut = Command::ShutPerson(ShutOut { person, connection: id(2), out: true, said: None });
    let unit = Unit { commands: vec![shut], now: world.now() };
    world.foundation.store.commit(tenant(), unit).await.unwrap();
    let title = json!({ "op": "replace", "path": "title", "value": "Dr" });
    assert_eq!(world.patch(&format!("Users/{user}"), title).await.0, 200);
    assert_eq!(world.foundation.store.person_disabled(tenant(), person).await.unwrap(), Some(true));
    world.active(&user, false).await;
    world.active(&user, true).await;
    assert_eq!(world.foundation.store.person_disabled(tenant(), person).await.unwrap(), Some(true), "off and on again");
}

/// A change of somebody and a change of their groups each map what is said of them anew: of what the other one has left.
#[tokio::test]
async fn who_changes_while_their_groups_do_loses_neither() {
    let world = world(json!({})).await;
    let (ann, person) = world.pushed("ann").await;
    let (_, group) = world.push(Method::Post, "Groups", json!({ "displayName": "Staff" })).await;
    let (user, group) = (format!("Users/{ann}"), format!("Groups/{}", group["id"].as_str().unwrap()));
    for round in 0..40 {
        let name = format!("Ann {round}");
        let renamed = world.patch(&user, json!({ "op": "replace", "path": "displayName", "value": name }));
        let (there, regroup) = match round % 2 {
            0 => (vec!["Staff".to_owned()], json!({ "op": "add", "path": "members", "value": [{ "value": ann }] })),
            _ => (vec![], json!({ "op": "remove", "path": format!("members[value eq \"{ann}\"]") })),
        };
        let regrouped = world.patch(&group, regroup);
        let ((one, said), (other, also)) = match round % 4 < 2 {
            true => futures_util::future::join(renamed, regrouped).await,
            false => {
                let (regrouped, renamed) = futures_util::future::join(regrouped, renamed).await;
                (renamed, regrouped)
            }
        };
        assert_eq!((one, other), (200, 200), "{said} {also}");
        world.clock.0.fetch_add(10, Ordering::Relaxed);
        world.hub.restate_pushed(100).await.unwrap();
        assert_eq!(world.groups_said(person).await, there, "round {round}");
        let said = world.foundation.store.profiles_of(tenant(), person).await.unwrap();
        assert_eq!(said[0].profile.claims.get("name"), Some(&json!(name)), "round {round}");
    }
}

#[tokio::test]
async fn groups_are_what_is_said_of_their_members() {
    let world = world(json!({})).await;
    let (ann, person) = world.pushed("ann").await;
    let members = json!([{ "value": ann }]);
    let (_, inner) = world.push(Method::Post, "Groups", json!({ "displayName": "Inner", "members": members })).await;
    assert_eq!(world.groups_said(person).await, ["Inner"]);
    let inner = inner["id"].as_str().unwrap();
    let members = json!([{ "value": inner }]);
    let (_, outer) = world.push(Method::Post, "Groups", json!({ "displayName": "Outer", "members": members })).await;
    // Members of members are behind a mark; a worker takes them up.
    for _ in 0..3 {
        world.clock.0.fetch_add(10, Ordering::Relaxed);
        world.hub.restate_pushed(100).await.unwrap();
    }
    assert_eq!(world.groups_said(person).await, ["Inner", "Outer"]);
    assert_eq!(world.hub.restate_pushed(100).await.unwrap(), 0, "nobody waits any more");

    let path = format!("Groups/{inner}");
    let remove = json!({ "op": "remove", "path": format!("members[value eq \"{ann}\"]") });
    let (status, group) = world.patch(&path, remove.clone()).await;
    assert_eq!((status, group.get("members"), &group["meta"]["version"]), (200, None, &json!("W/\"2\"")), "{group}");
    assert_eq!(world.groups_said(person).await, Vec::<String>::new());
    let (_, again) = world.patch(&path, remove).await;
    assert_eq!(again["meta"]["version"], "W/\"2\"", "who is no member stays none");

    let outer = format!("Groups/{}", outer["id"].as_str().unwrap());
    let circle = json!({ "op": "add", "path": "members", "value": [{ "value": outer.split_once('/').unwrap().1 }, { "value": ann }] });
    let (status, group) = world.patch(&outer, circle).await;
    assert_eq!((status, group["members"].as_array().map(Vec::len)), (200, Some(3)), "{group}");
    assert_eq!(world.groups_said(person).await, ["Outer"], "a group that is in itself is there once");
    for round in 0..3 {
        world.clock.0.fetch_add(1, Ordering::Relaxed);
        let done = world.hub.restate_pushed(100).await.unwrap();
        assert!(round < 2 || done == 0, "nobody goes round in circles");
    }
    assert_eq!(world.push(Method::Delete, &outer, Value::Null).await.0, 204);
    assert_eq!(world.groups_said(person).await, Vec::<String>::new());
}

#[tokio::test]
async fn not_too_many_are_switched_off_at_once() {
    let world = world(json!({ "guard": { "percent": 10, "minutes": 60 } })).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(world.pushed(&format!("user{number}")).await);
    }
    let off = json!({ "op": "replace", "path": "active", "value": false });
    for (id, _) in &ids[..5] {
        assert_eq!(world.patch(&format!("Users/{id}"), off.clone()).await.0, 200);
    }
    let (status, refused) = world.patch(&format!("Users/{}", ids[5].0), off.clone()).await;
    assert_eq!(status, 403, "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("guard"), "{refused}");
    assert!(refused["detail"].as_str().unwrap().contains("allow-removals"), "{refused}");
    assert_eq!(world.push(Method::Delete, &format!("Users/{}", ids[6].0), Value::Null).await.0, 403);
    // An administrator's word, for a while.
    let store = &world.foundation.store;
    store.open_guard(place(), world.now() + Duration::from_secs(60)).await.unwrap();
    assert_eq!(world.push(Method::Delete, &format!("Users/{}", ids[6].0), Value::Null).await.0, 204);
    world.clock.0.fetch_add(61 * 1_000, Ordering::Relaxed);
    assert_eq!(world.push(Method::Delete, &format!("Users/{}", ids[7].0), Value::Null).await.0, 403);
    world.clock.0.fetch_add(61 * 60 * 1_000, Ordering::Relaxed);
    assert_eq!(world.patch(&format!("Users/{}", ids[5].0), off).await.0, 200);
}

/// Also where they come all at once.
#[tokio::test]
async fn the_guard_counts_those_who_come_together() {
    let world = world(json!({ "guard": { "percent": 10, "minutes": 60 } })).await;
    let mut ids = Vec::new();
    for number in 0..20 {
        ids.push(world.pushed(&format!("user{number}")).await.0);
    }
    let off = || json!({ "op": "replace", "path": "active", "value": false });
    let paths: Vec<_> = ids.iter().map(|id| format!("Users/{id}")).collect();
    let answers = join_all(paths.iter().map(|path| world.patch(path, off()))).await;
    let gone = answers.iter().filter(|(status, _)| *status == 200).count();
    assert_eq!((gone, answers.iter().filter(|(status, _)| *status == 403).count()), (5, 15));
}

/// Somebody who was here before is pushed as switched off: that counts like any other.
#[tokio::test]
async fn the_guard_counts_those_who_are_pushed_as_switched_off() {
    let settings = json!({ "provisions": ["one"], "guard": { "percent": 10, "minutes": 60 } });
    let world = world(settings).await;
    let pushed_off = async |number: usize| {
        let name = format!("user{number}");
        let link = NewLink {
            person: PersonId::from_octets([number as u8 + 1; 16]),
            connection: id(2),
            subject_key: name.clone(),
            display: name.clone(),
            email: None,
            scope: None,
        };
        let unit = Unit { commands: vec![Command::CreatePerson(link)], now: world.now() };
        world.foundation.store.commit(tenant(), unit).await.unwrap();
        world.push(Method::Post, "Users", json!({ "userName": name, "active": false })).await.0
    };
    for number in 0..5 {
        assert_eq!(pushed_off(number).await, 201);
    }
    assert_eq!(pushed_off(5).await, 403);
}

/// A rule that fails keeps nobody in.
#[tokio::test]
async fn who_goes_goes_whatever_rules_say() {
    let rules = json!({ "deny_when": [{ "cel": "attr['groups'][0] == 'x'", "reason": "x" }] });
    let world = world_ruled((json!({}), rules), vec![connection(2, "one", alice(), json!({}))]).await;
    let group = json!({ "displayName": "staff" });
    assert_eq!(world.push(Method::Post, "Groups", group).await.0, 201);
    let (status, refused) = world.push(Method::Post, "Users", json!({ "userName": "ada" })).await;
    assert_eq!(status, 403, "{refused}");
    let (status, off) = world.push(Method::Post, "Users", json!({ "userName": "ada", "active": false })).await;
    assert_eq!(status, 201, "{off}");
    let path = format!("Users/{}", off["id"].as_str().unwrap());
    let on = json!({ "op": "replace", "path": "active", "value": true });
    assert_eq!(world.patch(&path, on).await.0, 403);
    assert_eq!(world.push(Method::Delete, &path, Value::Null).await.0, 204);
}

/// A group without which nobody may come in is emptied: the guard holds the rest up, until an administrator opens it.
#[tokio::test]
async fn the_guard_counts_those_whom_a_group_keeps_out() {
    let rules = json!({ "deny_when": [{ "cel": "!('staff' in attr['groups'])", "reason": "not in staff" }] });
    let guard = json!({ "guard": { "percent": 10, "minutes": 60 } });
    let world = world_ruled((guard, rules), vec![connection(2, "one", alice(), json!({}))]).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        ids.push(world.pushed(&format!("user{number}")).await.0);
    }
    let members: Vec<_> = ids.iter().map(|id| json!({ "value": id })).collect();
    let (status, staff) =
        world.push(Method::Post, "Groups", json!({ "displayName": "staff", "members": members })).await;
    assert_eq!(status, 201, "{staff}");
    let store = &world.foundation.store;
    let kept_out = async || {
        let mut out = 0;
        for id in &ids {
            let known = store.known(tenant(), hr(), id).await.unwrap().unwrap();
            out += u8::from(known.last.unwrap().disabled.is_some());
        }
        out
    };
    assert_eq!(kept_out().await, 0);
    let path = format!("Groups/{}", staff["id"].as_str().unwrap());
    assert_eq!(world.patch(&path, json!({ "op": "remove", "path": "members" })).await.0, 200);
    assert_eq!(kept_out().await, 5);
    // A mark of this very millisecond stays, and is looked at once more.
    world.clock.0.fetch_add(1, Ordering::Relaxed);
    world.hub.restate_pushed(100).await.unwrap();
    assert_eq!(kept_out().await, 5, "the others wait");
    store.open_guard(place(), world.now() + Duration::from_secs(600)).await.unwrap();
    assert_eq!(world.hub.restate_pushed(100).await.unwrap(), 0, "nobody asks all the time");
    world.clock.0.fetch_add(61 * 1_000, Ordering::Relaxed);
    assert_eq!((world.hub.restate_pushed(100).await.unwrap(), kept_out().await), (5, 10));
}

#[tokio::test]
async fn every_change_is_written_down_without_secrets() {
    let world = world(json!({ "passwords": true })).await;
    let (user, _) = world.pushed("ann").await;
    let path = format!("Users/{user}");
    world.patch(&path, json!({ "op": "add", "path": "title", "value": "Dr" })).await;
    world.patch(&path, json!({ "op": "replace", "value": { "password": "secret word" } })).await;
    world.recorder.flush().await;
    let filter = TraceFilter { limit: 10, ..TraceFilter::default() };
    let traces = world.foundation.system.list(&filter).await.unwrap();
    let pushes: Vec<_> = traces.iter().filter(|trace| trace.kind == "push").collect();
    assert_eq!(pushes.len(), 3);
    let stored = world.foundation.store.record(place(), user.parse().unwrap());
    let stored = stored.await.unwrap().unwrap();
    assert!(!format!("{stored:?}").contains("secret word"));
    for trace in pushes {
        let found = world.foundation.system.find(trace.id).await.unwrap().unwrap();
        assert!(!format!("{found:?}").contains("secret word"));
    }
}
