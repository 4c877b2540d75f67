//! Whose logins are whose, where a directory pushes the people of a connection.

use std::sync::atomic::Ordering;

use fedbridge_contract::http::Method;
use fedbridge_contract::ids::PersonId;
use fedbridge_hub::ports::{LoginStore as _, PeopleStore as _, ProfileSource, ProfileStore as _, PushedStore as _};
use fedbridge_hub::spec::ConfigChange;
use serde_json::{Value, json};

use super::push::{hr, place, tenant, world, world_with};
use super::{World, alice, connection, id, param};

/// The people of `one` are those of `hr`.
pub fn provisioned(more: Value) -> Value {
    let mut settings = json!({ "provisions": ["one"] });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

impl World {
    /// In a new browser: the code, or the error and its cause.
    async fn logs_in(&mut self, more: &str) -> Result<(), (String, String)> {
        self.cookies.clear();
        let reply = self.authorize(more).await;
        if param(&reply, "code").is_some() {
            return Ok(());
        }
        Err((param(&reply, "error").unwrap(), self.newest_cause().await.1))
    }

    async fn refused(&mut self) -> String {
        let (error, cause) = self.logs_in("").await.unwrap_err();
        assert_eq!(error, "access_denied", "{cause}");
        cause
    }

    /// Who `alice` of the connection `one` is.
    async fn alice(&self) -> Option<PersonId> {
        self.foundation.store.linked_person(tenant(), id(2), "alice").await.unwrap().map(|linked| linked.person)
    }

    /// A user with an address, and who that is.
    async fn pushed_as(&self, name: &str) -> (String, PersonId) {
        let emails = json!([{ "value": format!("{name}@acme.example") }]);
        let (status, user) = self.push(Method::Post, "Users", json!({ "userName": name, "emails": emails })).await;
        assert_eq!(status, 201, "{user}");
        let id = user["id"].as_str().unwrap().to_owned();
        let known = self.foundation.store.known(tenant(), hr(), &id).await.unwrap().unwrap();
        (id, known.person)
    }

    async fn sessions_of(&self, person: PersonId) -> usize {
        self.foundation.store.sessions(tenant(), person, self.now()).await.unwrap().len()
    }

    pub async fn active(&self, user: &str, active: bool) {
        let set = json!({ "op": "replace", "path": "active", "value": active });
        assert_eq!(self.patch(&format!("Users/{user}"), set).await.0, 200);
    }
}

#[tokio::test]
async fn who_logs_in_is_who_was_pushed() {
    let mut world = world(provisioned(json!({}))).await;
    assert_eq!(world.refused().await, "hr has pushed nobody who is alice (subject)");
    assert_eq!(world.alice().await, None, "nobody appeared");
    let (user, person) = world.pushed("Alice").await;
    world.logs_in("").await.unwrap();
    assert_eq!((world.alice().await, world.sessions_of(person).await), (Some(person), 1));
    world.logs_in("").await.unwrap();

    world.active(&user, false).await;
    assert_eq!(world.sessions_of(person).await, 0);
    assert_eq!(world.refused().await, "Alice is switched off by hr");
    world.active(&user, true).await;
    world.logs_in("").await.unwrap();

    // Whatever the login is called by now: the person is known.
    let renamed = json!({ "op": "replace", "path": "userName", "value": "alice.cooper" });
    assert_eq!(world.patch(&format!("Users/{user}"), renamed).await.0, 200);
    world.logs_in("").await.unwrap();
    assert_eq!(world.alice().await, Some(person));

    assert_eq!(world.push(Method::Delete, &format!("Users/{user}"), Value::Null).await.0, 204);
    assert_eq!(world.refused().await, "hr has pushed nobody who is alice (subject)");
}

#[tokio::test]
async fn a_login_that_nearly_matches_is_explained() {
    let mut world = world(provisioned(json!({ "match": { "scim": "userName", "login": "subject" } }))).await;
    let ada = json!({ "userName": "ada", "externalId": "alice", "emails": [{ "value": "a@acme.example" }] });
    assert_eq!(world.push(Method::Post, "Users", ada).await.0, 201);
    let near = "; but it is the externalId of ada: should `match` compare that?";
    assert_eq!(world.refused().await, format!("hr has pushed nobody who is alice (subject){near}"));

    for (login, wanted) in [
        (json!({ "scim": "externalId" }), Ok(())),
        (json!({ "scim": "emails", "login": "email" }), Err("alice@acme.example (verified e-mail address)")),
        (json!({ "scim": "userName", "login": "uid" }), Err("brings no attribute uid")),
    ] {
        let mut world = super::push::world(provisioned(json!({ "match": login }))).await;
        let ada = json!({ "userName": "ada", "externalId": "alice", "emails": [{ "value": "a@acme.example" }] });
        assert_eq!(world.push(Method::Post, "Users", ada).await.0, 201);
        match (world.logs_in("").await, wanted) {
            (Ok(()), Ok(())) => {}
            (Err((_, cause)), Err(part)) => assert!(cause.contains(part), "{cause}"),
            (other, _) => panic!("{login}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_record_of_two_users_is_nobodys_login() {
    let mut world = world(provisioned(json!({ "match": { "scim": "title" } }))).await;
    for name in ["ada", "bob"] {
        assert_eq!(world.push(Method::Post, "Users", json!({ "userName": name, "title": "alice" })).await.0, 201);
    }
    assert_eq!(world.refused().await, "hr has pushed more than one user who is alice (subject)");
}

/// At the push where the store can find them by what is compared, else at their next login.
#[tokio::test]
async fn who_logged_in_before_keeps_who_they_are() {
    for (login, at_once) in [("subject", true), ("email", true), ("uid", false)] {
        let scim = if login == "email" { "emails" } else { "userName" };
        let settings = json!({ "unmatched": "create", "match": { "scim": scim, "login": login } });
        let alice = json!({
            "subject": "alice", "attributes": { "email": ["alice@acme.example"], "uid": ["alice"] },
        });
        let mut world = world_with(provisioned(settings), vec![connection(2, "one", alice, json!({}))]).await;
        world.logs_in("").await.unwrap();
        let first = world.alice().await.unwrap();
        let (user, second) = world.pushed_as("alice").await;
        assert_eq!(first == second, at_once, "{login}");
        world.logs_in("").await.unwrap();
        assert_eq!(world.alice().await, Some(first), "a `sub` stays for ever");
        let stored = world.foundation.store.record(place(), user.parse().unwrap()).await.unwrap().unwrap();
        assert_eq!(stored.record.person, Some(first));
        let known = world.foundation.store.known(tenant(), hr(), &user).await.unwrap().unwrap();
        assert_eq!(known.person, first);
        if !at_once {
            assert_eq!(world.foundation.store.identities(tenant(), second).await.unwrap(), []);
            let left = world.foundation.store.person_disabled(tenant(), second).await.unwrap();
            assert_eq!(left, None, "nobody is left");
        }
        let path = format!("Users/{user}");
        let (_, shown) = world.push(Method::Get, &path, Value::Null).await;
        assert_eq!(shown["meta"]["version"], "W/\"2\"");

        world.active(&user, false).await;
        assert_eq!(
            (world.sessions_of(first).await, world.refused().await),
            (0, "alice is switched off by hr".to_owned())
        );
        world.active(&user, true).await;
        world.logs_in("").await.unwrap();

        // Gone: nobody comes back by logging in, also where strangers may. Pushed again, it is the same person.
        assert_eq!(world.push(Method::Delete, &path, Value::Null).await.0, 204);
        assert!(world.refused().await.contains("disabled"));
        let (again, _) = world.pushed_as("alice").await;
        world.logs_in("").await.unwrap();
        assert_eq!(world.alice().await, Some(first));
        let said = world.foundation.store.profiles_of(tenant(), first).await.unwrap();
        let said: Vec<_> = said.iter().filter(|one| one.source == ProfileSource::Push).collect();
        assert_eq!(said.iter().map(|one| one.subject_key.as_str()).collect::<Vec<_>>(), [again.as_str()], "{login}");
        assert_eq!(said[0].disabled, None);
    }
}

/// Somebody who is pushed as one who is out is out, whoever they were.
#[tokio::test]
async fn who_is_pushed_as_switched_off_is_ended() {
    let mut world = world(provisioned(json!({ "unmatched": "create" }))).await;
    world.logs_in("").await.unwrap();
    let first = world.alice().await.unwrap();
    assert_eq!(world.sessions_of(first).await, 1);
    let off = json!({ "userName": "alice", "active": false });
    assert_eq!(world.push(Method::Post, "Users", off).await.0, 201);
    assert_eq!((world.sessions_of(first).await, world.refused().await), (0, "alice is switched off by hr".to_owned()));
}

#[tokio::test]
async fn who_was_deleted_by_an_administrator_is_somebody_new() {
    let mut world = world(provisioned(json!({}))).await;
    let (user, person) = world.pushed("alice").await;
    assert!(world.foundation.store.delete(tenant(), person, world.now()).await.unwrap());
    world.logs_in("").await.unwrap();
    let new = world.alice().await.unwrap();
    assert_ne!(new, person);
    world.clock.0.fetch_add(10, Ordering::Relaxed);
    world.hub.restate_pushed(10).await.unwrap();
    let said = world.foundation.store.profiles_of(tenant(), new).await.unwrap();
    assert!(said.iter().any(|one| one.source == ProfileSource::Push && one.subject_key == user), "{said:?}");
    world.active(&user, false).await;
    assert_eq!(world.refused().await, "alice is switched off by hr");
}

#[tokio::test]
async fn somebody_elses_record_is_not_taken() {
    let by_attribute = json!({ "unmatched": "create", "match": { "login": "uid" } });
    let alice = json!({ "subject": "alice", "attributes": { "uid": ["alice"] } });
    let mut world = world_with(provisioned(by_attribute), vec![connection(2, "one", alice.clone(), json!({}))]).await;
    world.logs_in("").await.unwrap();
    let (_, bob) = world.pushed("alice").await;
    // Whoever was pushed has come by another login already.
    world.apply(&[connection(4, "two", alice, json!({}))]).await;
    world.links(bob, id(4), "bob").await;
    let (error, cause) = world.logs_in("&connection=one").await.unwrap_err();
    assert_eq!(error, "access_denied");
    assert!(cause.starts_with("a conflict: the pushed user has logged in by another connection"), "{cause}");
}

#[tokio::test]
async fn only_logins_of_the_provisioned_connections_end_where_that_is_wanted() {
    for (shut, left) in [("connection", 1), ("person", 0)] {
        let mut world = world(provisioned(json!({ "shut": shut }))).await;
        world.apply(&[connection(4, "two", alice(), json!({}))]).await;
        let (user, person) = world.pushed("alice").await;
        world.logs_in("&connection=one").await.unwrap();
        world.links(person, id(4), "alice").await;
        world.logs_in("&connection=two").await.unwrap();
        assert_eq!(world.sessions_of(person).await, 2);
        world.active(&user, false).await;
        assert_eq!(world.sessions_of(person).await, left, "{shut}");
        assert!(world.logs_in("&connection=one").await.is_err());
        assert_eq!(world.logs_in("&connection=two").await.is_ok(), left == 1, "{shut}");
        world.active(&user, true).await;
        world.logs_in("&connection=two").await.unwrap();
        world.logs_in("&connection=one").await.unwrap();
    }
}

/// Nobody knows whom it would let in.
#[tokio::test]
async fn nobody_comes_in_past_a_broken_directory() {
    let mut world = world(provisioned(json!({}))).await;
    world.pushed("alice").await;
    world.logs_in("").await.unwrap();
    let ConfigChange::PutConnection(mut broken) =
        connection(3, "hr", provisioned(json!({ "profile": "no such" })), json!({}))
    else {
        unreachable!()
    };
    broken.spec.protocol = "scim".into();
    world.apply(&[ConfigChange::PutConnection(broken)]).await;
    let (error, cause) = world.logs_in("").await.unwrap_err();
    assert_eq!(error, "server_error");
    assert!(cause.contains("pushes these people is broken"), "{cause}");
}
