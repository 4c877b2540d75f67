//! What upstreams say of people, who has changed, groups, and numbers that nobody gets twice.

use fedbridge_contract::claims::Claims;
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::ids::{GroupId, PersonId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    Command, EpochStore as _, KeptOut, LastSaid, LoginStore as _, NewProfile, PeopleStore as _, PosixOwner, Profile,
    ProfileBy, ProfileNews as _, ProfileSource, ProfileStore as _, Sweep, SweepCount, TombstoneReason, Unit,
};
use fedbridge_keys::OpensslRng;
use fedbridge_store::Store;
use futures_util::future::join_all;
use serde_json::json;

use crate::contention::two;
use crate::support::{Database, World, at, hash};

const RANGE: (u32, u32) = (100_000, 100_009);

pub async fn what_is_said_last_is_kept(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let ada = person(&world, "ada").await;
    assert_eq!(store.profiles_of(world.tenant, ada).await.unwrap(), []);
    let known = async || store.known(world.tenant, world.connection, "ada").await.unwrap().unwrap();
    assert_eq!((known().await.person, known().await.last), (ada, None));

    keep(&world, said(&world, ada, "ada", "one", ProfileBy::Login { synced: true }), 1).await;
    let only = || async {
        let mut all = store.profiles_of(world.tenant, ada).await.unwrap();
        assert_eq!(all.len(), 1);
        all.remove(0)
    };
    let first = only().await;
    assert_eq!(
        (first.subject_key.as_str(), first.connection, first.source),
        ("ada", world.connection, ProfileSource::Login)
    );
    assert_eq!((claim(&first.profile), first.created, first.changed), ("one".to_owned(), at(1), at(1)));
    assert_eq!(first.profile.place.as_deref(), Some("uid=ada,dc=example"));
    assert_eq!(first.profile.attributes.get("UID"), ["one"], "names of a directory match in any case");

    // The same again is nothing new.
    keep(&world, said(&world, ada, "ada", "one", ProfileBy::Login { synced: true }), 2).await;
    assert_eq!(only().await.changed, at(1));
    keep(&world, said(&world, ada, "ada", "two", ProfileBy::Login { synced: true }), 3).await;
    assert_eq!(
        (claim(&only().await.profile), only().await.created, only().await.changed),
        ("two".into(), at(1), at(3))
    );

    // A sync goes before a login, and stays.
    keep(&world, said(&world, ada, "ada", "synced", ProfileBy::Sync { sweep: 4 }), 4).await;
    keep(&world, said(&world, ada, "ada", "login", ProfileBy::Login { synced: true }), 5).await;
    assert_eq!((claim(&only().await.profile), only().await.source), ("synced".into(), ProfileSource::Sync));
    keep(&world, said(&world, ada, "ada", "synced", ProfileBy::Sync { sweep: 5 }), 6).await;
    assert_eq!(only().await.changed, at(4), "seen again, and nothing new");
    let last = LastSaid { digest: hash("synced"), source: ProfileSource::Sync, disabled: None };
    assert_eq!(known().await.last, Some(last));

    // Where nobody synchronises any more, logins count again.
    keep(&world, said(&world, ada, "ada", "login", ProfileBy::Login { synced: false }), 7).await;
    assert_eq!((claim(&only().await.profile), only().await.source), ("login".into(), ProfileSource::Login));
    keep(&world, said(&world, ada, "ada", "pushed", ProfileBy::Push), 8).await;
    assert_eq!((claim(&only().await.profile), only().await.source), ("pushed".into(), ProfileSource::Push));
}

pub async fn who_is_kept_out_is_killed_once(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["offline_access"]).await;
    let (tenant, connection, system) = (world.tenant, world.connection, store.system());
    keep(&world, said(&world, login.person, "ada", "one", ProfileBy::Sync { sweep: 1 }), 1).await;
    let out = |reason| KeptOut { tenant, connection, subject_key: "ada", reason };
    let kept_out = async || {
        let known = store.known(tenant, connection, "ada").await.unwrap().unwrap();
        known.last.and_then(|last| last.disabled)
    };
    assert_eq!(kept_out().await, None);
    let killed = system.keep_out(&out("userAccountControl 2"), at(5)).await.unwrap();
    assert_eq!(killed, Some((login.person, Epoch(1))));
    assert_eq!(kept_out().await.as_deref(), Some("userAccountControl 2"));
    let linked = store.linked_person(tenant, connection, "ada").await.unwrap().unwrap();
    assert_eq!((linked.epoch, linked.disabled), (Epoch(1), false), "other logins of the person still open the door");
    assert_eq!(store.unrevoked(tenant, login.person, at(5)).await.unwrap(), [], "offline access too");
    assert_eq!(system.keep_out(&out("gone"), at(6)).await.unwrap(), None, "once");
    assert_eq!(system.versions().await.unwrap().epoch, Epoch(1), "a second kill would end what came after the first");
    assert_eq!(system.keep_out(&KeptOut { subject_key: "nobody", ..out("gone") }, at(6)).await.unwrap(), None);

    // The same words as before open the door again, from the sync and at a login.
    keep(&world, said(&world, login.person, "ada", "one", ProfileBy::Sync { sweep: 2 }), 7).await;
    assert_eq!(kept_out().await, None);
    assert_eq!(store.profiles_of(tenant, login.person).await.unwrap()[0].changed, at(7));
    system.keep_out(&out("gone"), at(8)).await.unwrap().unwrap();
    keep(&world, said(&world, login.person, "ada", "login", ProfileBy::Login { synced: true }), 9).await;
    assert_eq!(kept_out().await, None);
    let back = store.profiles_of(tenant, login.person).await.unwrap().remove(0);
    assert_eq!((claim(&back.profile), back.changed), ("one".into(), at(9)), "the sync's words stay");

    // Somebody of whom nothing was said yet.
    let bob = person(&world, "bob").await;
    let killed = system.keep_out(&KeptOut { subject_key: "bob", ..out("not there") }, at(8)).await.unwrap();
    assert_eq!(killed, Some((bob, Epoch(3))));
    assert_eq!(store.profiles_of(tenant, bob).await.unwrap()[0].disabled.as_deref(), Some("not there"));
}

pub async fn a_sweep_finds_who_was_not_seen(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (tenant, connection) = (world.tenant, world.connection);
    for name in ["seen", "same", "missing", "unsaid", "out"] {
        let id = person(&world, name).await;
        if name != "unsaid" {
            keep(&world, said(&world, id, name, name, ProfileBy::Sync { sweep: 1 }), 1).await;
        }
        if name == "seen" {
            keep(&world, said(&world, id, name, "new", ProfileBy::Sync { sweep: 2 }), 1).await;
        }
    }
    let second = world.another_connection("second").await;
    let elsewhere =
        fedbridge_hub::ports::NewLink { connection: second, ..world.link(world.plan().person, "elsewhere") };
    world.commit(vec![Command::CreatePerson(elsewhere)]).await.unwrap();
    let out = KeptOut { tenant, connection, subject_key: "out", reason: "locked" };
    store.system().keep_out(&out, at(1)).await.unwrap().unwrap();
    let see = Command::SeeProfile { connection, subject_key: "same".into(), sweep: 2 };
    store.provision(tenant, Unit { commands: vec![see], now: at(2) }).await.unwrap();
    let sweep = Sweep { number: 2, began: at(1) };
    assert_eq!(store.count(tenant, connection, sweep).await.unwrap(), SweepCount { all: 4, unseen: 2 });
    let mut found = Vec::new();
    let mut after = None;
    while let Some(one) = store.not_seen(tenant, connection, sweep, after, 1).await.unwrap().pop() {
        after = Some(one.hash);
        found.push(one.subject_key);
    }
    found.sort();
    assert_eq!(found, ["missing", "unsaid"]);
    // Whoever appears while the sweep runs was too late to be seen.
    let early = Sweep { number: 2, began: at(0) };
    assert_eq!(store.count(tenant, connection, early).await.unwrap(), SweepCount { all: 4, unseen: 1 });
    let found = store.not_seen(tenant, connection, early, None, 9).await.unwrap();
    assert_eq!(
        found.iter().map(|it| it.subject_key.as_str()).collect::<Vec<_>>(),
        ["missing"],
        "an earlier one saw it"
    );
}

pub async fn changes_are_found_by_their_time(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "other").await);
    let (tenant, system) = (world.tenant, store.system());
    let changed = async |since: i64, epoch: i64| {
        let mut found: Vec<_> = store.changed(tenant, at(since), Epoch(epoch)).await.unwrap();
        found.sort_by_key(|it| it.person);
        found.into_iter().map(|it| it.person).collect::<Vec<_>>()
    };
    let news = async |since: i64, epoch: i64| {
        let mut found = system.news(at(since), Epoch(epoch)).await.unwrap();
        found.sort();
        found
    };
    assert_eq!(news(-9, 0).await, []);
    let (ada, bob, eve) = (person(&world, "ada").await, person(&world, "bob").await, person(&world, "eve").await);
    for (who, name, when) in [(ada, "ada", 10), (bob, "bob", 20), (eve, "eve", 1)] {
        keep(&world, said(&world, who, name, name, ProfileBy::Sync { sweep: 1 }), when).await;
    }
    assert_eq!(changed(10, 0).await, [bob]);
    assert_eq!(news(10, 0).await, [tenant]);
    assert_eq!((changed(20, 0).await, news(20, 0).await), (vec![], vec![]));

    // A kill has a number of its own, whatever the clock of its node said.
    system.kill(Killed::Person(tenant, ada), at(15)).await.unwrap().unwrap();
    assert_eq!(changed(20, 0).await, [ada]);
    assert_eq!((news(20, 0).await, news(20, 1).await), (vec![tenant], vec![]));
    assert_eq!(changed(20, 1).await, []);
    assert!(store.set_person_disabled(tenant, eve, true, at(30)).await.unwrap());
    assert_eq!(changed(20, 1).await, [eve]);
    let found = store.profiled(tenant, &[eve, ada, PersonId::random(&OpensslRng), eve]).await.unwrap();
    let mut expected = [(ada, false, Epoch(1)), (eve, true, Epoch(0))];
    expected.sort_by_key(|it| it.0);
    assert_eq!(found.iter().map(|it| (it.person, it.disabled, it.epoch)).collect::<Vec<_>>(), expected);

    // Who is gone has changed too, and is not there.
    assert!(store.delete(tenant, bob, at(40)).await.unwrap());
    assert_eq!(changed(30, 1).await, [bob]);
    assert_eq!(news(30, 1).await, [tenant]);
    assert_eq!(store.profiled(tenant, &[bob]).await.unwrap(), []);
    let group = Command::EnsureGroup { id: GroupId::random(&OpensslRng), name: "dev".into() };
    store.provision(other.tenant, Unit { commands: vec![group], now: at(50) }).await.unwrap();
    assert_eq!(news(40, 1).await, [other.tenant]);
    let groups_changed = async |tenant, since| store.groups_changed(tenant, at(since)).await.unwrap();
    assert_eq!(groups_changed(other.tenant, 49).await, Some(at(50)));
    assert_eq!((groups_changed(other.tenant, 50).await, groups_changed(tenant, 0).await), (None, None));
}

pub async fn a_lost_login_takes_its_profile_along(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let ada = person(&world, "ada").await;
    let link = fedbridge_hub::ports::NewLink { connection: second, ..world.link(ada, "ada@second") };
    world.commit(vec![Command::LinkIdentity(link)]).await.unwrap();
    keep(&world, said(&world, ada, "ada", "one", ProfileBy::Sync { sweep: 1 }), 1).await;
    let other = NewProfile { connection: second, ..said(&world, ada, "ada@second", "two", ProfileBy::Push) };
    keep(&world, other, 2).await;
    let from =
        |found: Vec<fedbridge_hub::ports::StoredProfile>| found.iter().map(|it| it.connection).collect::<Vec<_>>();
    assert_eq!(from(store.profiles_of(world.tenant, ada).await.unwrap()), [world.connection, second]);
    let unlink = Command::UnlinkIdentity {
        person: ada,
        connection: second,
        subject_key: "ada@second".into(),
        reason: TombstoneReason::Unlinked,
    };
    store.commit(world.tenant, Unit { commands: vec![unlink], now: at(9) }).await.unwrap();
    assert_eq!(from(store.profiles_of(world.tenant, ada).await.unwrap()), [world.connection]);
    let changed = store.changed(world.tenant, at(8), Epoch(0)).await.unwrap();
    assert_eq!(changed.iter().map(|it| it.person).collect::<Vec<_>>(), [ada]);
    // A profile is of an identity that is there.
    let stray = said(&world, ada, "nobody's", "x", ProfileBy::Push);
    let refused =
        store.commit(world.tenant, Unit { commands: vec![Command::KeepProfile(Box::new(stray))], now: at(9) });
    assert!(refused.await.is_err());
}

pub async fn people_are_read_page_by_page(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let mut all = Vec::new();
    for n in 0..70 {
        let name = format!("person {n}");
        let id = person(&world, &name).await;
        keep(&world, said(&world, id, &name, &name, ProfileBy::Sync { sweep: 1 }), 1).await;
        if n % 3 == 0 {
            let link = fedbridge_hub::ports::NewLink { connection: second, ..world.link(id, &name) };
            world.commit(vec![Command::LinkIdentity(link)]).await.unwrap();
            let more = NewProfile { connection: second, ..said(&world, id, &name, &name, ProfileBy::Push) };
            keep(&world, more, 2).await;
        }
        all.push((id, if n % 3 == 0 { 2 } else { 1 }));
    }
    person(&world, "nobody knows").await;
    all.sort();
    for most in [2, 3, 10, 500] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = store.page(world.tenant, after, most).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.person);
            found.extend(page.iter().map(|it| (it.person, it.profiles.len())));
        }
        assert_eq!(found, all, "{most}");
    }
    let ids: Vec<_> = all.iter().map(|(id, _)| *id).collect();
    let people = store.profiled(world.tenant, &ids).await.unwrap();
    assert_eq!(people.iter().map(|it| (it.person, it.profiles.len())).collect::<Vec<_>>(), all);
}

pub async fn a_number_is_nobody_elses_ever(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (ada, bob) = (person(&world, "ada").await, person(&world, "bob").await);
    let give = async |owner, range| {
        let unit = Unit { commands: vec![Command::GiveNumber { owner, range }], now: at(7) };
        store.commit(world.tenant, unit).await.unwrap();
    };
    let number = async |who: PersonId, name: &str| {
        keep(&world, said(&world, who, name, name, ProfileBy::Push), 1).await;
        store.profiled(world.tenant, &[who]).await.unwrap()[0].number
    };
    assert_eq!(number(ada, "ada").await, None);
    give(PosixOwner::Person(ada), RANGE).await;
    assert_eq!(number(ada, "ada").await, Some(100_000));
    assert_eq!(store.profiles_of(world.tenant, ada).await.unwrap()[0].changed, at(7), "nodes hear of it");
    give(PosixOwner::Person(ada), RANGE).await;
    assert_eq!(number(ada, "ada").await, Some(100_000), "it stays");
    give(PosixOwner::Person(PersonId::random(&OpensslRng)), RANGE).await;
    let group = GroupId::random(&OpensslRng);
    let ensure = |id, name: &str| Command::EnsureGroup { id, name: name.into() };
    let both = vec![ensure(group, "Dev"), Command::GiveNumber { owner: PosixOwner::Group(group), range: RANGE }];
    store.provision(world.tenant, Unit { commands: both, now: at(8) }).await.unwrap();
    // Another node has another id for it: the first one stays, and no number goes to nobody.
    let late = GroupId::random(&OpensslRng);
    let both = vec![ensure(late, "dEV"), Command::GiveNumber { owner: PosixOwner::Group(late), range: RANGE }];
    store.provision(world.tenant, Unit { commands: both, now: at(8) }).await.unwrap();
    let groups = store.groups(world.tenant).await.unwrap();
    let groups: Vec<_> = groups.iter().map(|it| (it.id, it.name.as_str(), it.number)).collect();
    assert_eq!(groups, [(group, "Dev", Some(100_001))], "one row of numbers");
    give(PosixOwner::Person(bob), RANGE).await;
    assert_eq!(number(bob, "bob").await, Some(100_002));

    // Deleted, and here again.
    assert!(store.delete(world.tenant, bob, at(9)).await.unwrap());
    let again = person(&world, "bob").await;
    give(PosixOwner::Person(again), RANGE).await;
    assert_eq!(number(again, "bob").await, Some(100_003));
    // Another range, and back.
    let eve = person(&world, "eve").await;
    give(PosixOwner::Person(eve), (5000, 5001)).await;
    assert_eq!(number(eve, "eve").await, Some(5000));
    for n in 4..12 {
        let name = format!("person {n}");
        let id = person(&world, &name).await;
        give(PosixOwner::Person(id), RANGE).await;
        let expected = (n < 10).then_some(100_000 + n);
        assert_eq!(number(id, &name).await, expected, "a range has an end");
    }
}

/// Two nodes give numbers to many at once.
pub async fn no_number_is_given_twice(database: Database) {
    let (world, stores) = two(&database).await;
    let mut people = Vec::new();
    for n in 0..16 {
        let name = format!("person {n}");
        let id = person(&world, &name).await;
        keep(&world, said(&world, id, &name, &name, ProfileBy::Push), 1).await;
        people.push(id);
    }
    let give = |store: &Store, id: PersonId| {
        let (store, tenant) = (store.clone(), world.tenant);
        async move {
            let command = Command::GiveNumber { owner: PosixOwner::Person(id), range: (1000, 9999) };
            store.commit(tenant, Unit { commands: vec![command], now: at(1) }).await.unwrap();
        }
    };
    // Each of them twice, by both.
    let all = people.iter().flat_map(|id| stores.iter().map(|store| give(store, *id)).collect::<Vec<_>>());
    join_all(all).await;
    let mut numbers: Vec<_> =
        stores[0].profiled(world.tenant, &people).await.unwrap().iter().map(|it| it.number.unwrap()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1000..1016).collect::<Vec<_>>());
}

pub async fn person(world: &World, subject: &str) -> PersonId {
    let person = world.plan().person;
    world.commit(vec![Command::CreatePerson(world.link(person, subject))]).await.unwrap();
    person
}

/// `words` are all that counts of it.
pub fn said(world: &World, person: PersonId, subject: &str, words: &str, by: ProfileBy) -> NewProfile {
    let mut claims = Claims::default();
    claims.set("name", json!(words));
    let mut attributes = fedbridge_contract::identity::Attributes::ignoring_case();
    attributes.push("uid", words);
    NewProfile {
        person,
        connection: world.connection,
        subject_key: subject.into(),
        profile: Profile { claims, attributes, place: Some(format!("uid={subject},dc=example")) },
        digest: hash(words),
        disabled: None,
        by,
    }
}

async fn keep(world: &World, new: NewProfile, when: i64) {
    let now: Timestamp = at(when);
    let unit = Unit { commands: vec![Command::KeepProfile(Box::new(new))], now };
    world.store.commit(world.tenant, unit).await.unwrap();
}

fn claim(profile: &Profile) -> String {
    profile.claims.text("name").unwrap().to_owned()
}
