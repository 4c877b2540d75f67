//! Records that upstreams push: what is kept, what each guard refuses, and whom a record is about.

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::{PersonId, RecordId, TraceId};
use fedbridge_contract::push::{Origin, Origins, PushPlace, RecordKind, Related};
use fedbridge_hub::ports::{
    Command, GuardFailed, LoginStore as _, NewRecord, PeopleStore as _, PushError, PushGuard, PushUnit, Pushed,
    PushedStore as _, PushedWork as _, RecordHash, RecordWrite, Seen,
};
use fedbridge_keys::OpensslRng;
use serde_json::json;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::sealing::{dump, holds};
use crate::support::{Database, World, at, hash};

const USER: RecordKind = RecordKind::User;

/// Of a record whose groups have never changed.
const fn seen(version: i64) -> Seen {
    Seen { version, regrouped: None }
}

pub async fn a_record_is_kept_found_and_deleted(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let (store, place) = (&world.store, place(&world));
    let new = NewRecord { keys: vec![hash("mail"), hash("other")], ..user("ada") };
    let id = new.id;
    assert_eq!(push(&world, vec![insert(&new)]).await.unwrap().versions, [(id, 1)]);
    let found = store.record(place, id).await.unwrap().unwrap();
    assert_eq!((found.record.version, found.record.created, found.record.modified), (1, at(1), at(1)));
    assert_eq!((&found.record.document, &found.attributes), (&new.document, &new.attributes));
    assert_eq!(found.origins, new.origins);
    assert_eq!((found.display.as_str(), found.active, found.restate), ("ada", true, false));
    assert!(!found.record.grouped);
    let by = async |by| store.look_up(place, USER, by, 5).await.unwrap().len();
    let all = async || {
        let keys = (by(RecordHash::Key(hash("mail"))).await, by(RecordHash::Key(hash("other"))).await);
        (by(RecordHash::Unique(hash("ada"))).await, by(RecordHash::External(hash("ext ada"))).await, keys)
    };
    assert_eq!(all().await, (1, 1, (1, 1)));
    assert_eq!(store.look_up(place, RecordKind::Group, RecordHash::Unique(hash("ada")), 5).await.unwrap(), []);
    assert_eq!(store.matching(place, &hash("match ada")).await.unwrap(), [found]);

    let changed = NewRecord { keys: vec![hash("other")], document: json!({"n": 2}), external: None, ..new.clone() };
    let update = |version| RecordWrite::Update { seen: seen(version), new: Box::new(changed.clone()) };
    assert_eq!(push(&world, vec![update(1)]).await.unwrap().versions, [(id, 2)]);
    refused(push(&world, vec![update(1)]).await, PushGuard::Stale);
    assert_eq!(all().await, (1, 0, (0, 1)));
    let found = store.record(place, id).await.unwrap().unwrap();
    assert_eq!((found.record.version, &found.record.document), (2, &json!({"n": 2})));

    let delete = |version| RecordWrite::Delete { id, version };
    refused(push(&world, vec![delete(Some(1))]).await, PushGuard::Stale);
    push(&world, vec![delete(Some(2))]).await.unwrap();
    refused(push(&world, vec![delete(None)]).await, PushGuard::Stale);
    refused(push(&world, vec![RecordWrite::Touch { id }]).await, PushGuard::Stale);
    assert_eq!(all().await, (0, 0, (0, 0)));
    for table in ["pushed_records", "pushed_keys"] {
        assert_eq!(database.count(table).await, 0, "{table}");
    }
}

pub async fn a_name_is_one_records(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let (ada, bob) = (user("ada"), user("bob"));
    push(&world, vec![insert(&ada), insert(&bob)]).await.unwrap();
    refused(push(&world, vec![insert(&user("ada"))]).await, PushGuard::Taken);
    let renamed = NewRecord { unique: ada.unique, ..bob.clone() };
    refused(push(&world, vec![RecordWrite::Update { seen: seen(1), new: Box::new(renamed) }]).await, PushGuard::Taken);
    push(&world, vec![insert(&group("ada"))]).await.unwrap();
    let mut tries = JoinSet::new();
    for _ in 0..20 {
        let (store, place) = (world.store.clone(), place(&world));
        tries.spawn(async move { store.push(unit(place, vec![insert(&user("carol"))])).await });
    }
    let done = tries.join_all().await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    assert!(done.iter().all(|done| matches!(done, Ok(_) | Err(PushError::Record(PushGuard::Taken)))), "{done:?}");
    // Renames that meet: each is there with its version, and only one gets the name.
    let mut tries = JoinSet::new();
    for one in [&ada, &bob] {
        let new = Box::new(NewRecord { unique: Some(hash("dora")), ..one.clone() });
        let (store, place) = (world.store.clone(), place(&world));
        tries.spawn(async move { store.push(unit(place, vec![RecordWrite::Update { seen: seen(1), new }])).await });
    }
    let done = tries.join_all().await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1, "{done:?}");
    assert!(done.iter().all(|done| matches!(done, Ok(_) | Err(PushError::Record(PushGuard::Taken)))), "{done:?}");
}

pub async fn no_update_is_lost(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let ada = user("ada");
    push(&world, vec![insert(&ada)]).await.unwrap();
    let mut tries = JoinSet::new();
    for _ in 0..10 {
        let (store, place, new) = (world.store.clone(), place(&world), Box::new(ada.clone()));
        tries.spawn(async move { store.push(unit(place, vec![RecordWrite::Update { seen: seen(1), new }])).await });
    }
    let done = tries.join_all().await;
    assert_eq!(done.iter().filter(|done| done.is_ok()).count(), 1);
    assert!(done.iter().all(|done| matches!(done, Ok(_) | Err(PushError::Record(PushGuard::Stale)))), "{done:?}");
}

pub async fn members_come_and_go(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let (store, place, staff) = (&world.store, place(&world), group("staff"));
    let people: Vec<_> = (0..2300).map(|number| user(&format!("u{number}"))).collect();
    let mut writes: Vec<_> = people.iter().map(insert).collect();
    writes.push(insert(&staff));
    push(&world, writes).await.unwrap();
    let ids: Vec<_> = people.iter().map(|one| one.id).collect();
    let (group, members) = (staff.id, |ids: &[RecordId]| ids.to_vec());
    let now = async || {
        let found = store.members(place, group, None, 5000).await.unwrap();
        found.into_iter().map(|one| one.id).collect::<Vec<_>>()
    };
    let sorted = |ids: &[RecordId]| {
        let mut ids = ids.to_vec();
        ids.sort_unstable();
        ids
    };
    let add = |ids: &[RecordId]| RecordWrite::AddMembers { group, members: members(ids) };
    let replace = |ids: &[RecordId]| RecordWrite::ReplaceMembers { group, members: members(ids) };
    let done = push(&world, vec![add(&ids[..1000]), RecordWrite::Touch { id: group }]).await.unwrap();
    assert_eq!(done.versions, [(group, 2)]);
    push(&world, vec![add(&ids[990..1001])]).await.unwrap();
    assert_eq!(now().await, sorted(&ids[..1001]));
    push(&world, vec![RecordWrite::RemoveMembers { group, members: members(&ids[..3]) }]).await.unwrap();
    assert_eq!(now().await, sorted(&ids[3..1001]));
    // More than one part, and each of them loses and gains.
    let every_second: Vec<_> = ids.iter().copied().step_by(2).chain(ids[1..400].to_vec()).collect();
    push(&world, vec![replace(&every_second)]).await.unwrap();
    let mut wanted = sorted(&every_second);
    wanted.dedup();
    assert!(wanted.len() > 1000);
    assert_eq!(now().await, wanted);
    let page = store.members(place, group, Some(wanted[9]), 2).await.unwrap();
    assert_eq!(page.iter().map(|one| one.id).collect::<Vec<_>>(), wanted[10..12]);
    assert_eq!(store.has_members(place, group, &[ids[0], ids[2299], ids[2]]).await.unwrap(), sorted(&[ids[0], ids[2]]));

    let nobody = RecordId::random(&OpensslRng);
    refused(push(&world, vec![add(&[ids[2299], nobody])]).await, PushGuard::NoSuchMember);
    refused(push(&world, vec![replace(&[nobody])]).await, PushGuard::NoSuchMember);
    refused(
        push(&world, vec![RecordWrite::AddMembers { group: nobody, members: vec![ids[0]] }]).await,
        PushGuard::Stale,
    );
    assert_eq!(now().await, wanted, "a unit that fails leaves nothing");
    let related = Related { id: group, kind: RecordKind::Group, display: "staff".into(), direct: true };
    let of = store.groups_of(place, &[ids[0], ids[2299]]).await.unwrap();
    assert_eq!(of, [(ids[0], related)]);
    push(&world, vec![RecordWrite::Delete { id: ids[0], version: None }]).await.unwrap();
    assert_eq!(store.has_members(place, group, &ids[..1]).await.unwrap(), []);
    push(&world, vec![replace(&[])]).await.unwrap();
    assert_eq!((now().await.len(), database.count("pushed_members").await), (0, 0));
}

pub async fn no_member_is_lost(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let staff = group("staff");
    let people: Vec<_> = (0..20).map(|number| user(&format!("u{number}"))).collect();
    push(&world, people.iter().chain([&staff]).map(insert).collect()).await.unwrap();
    let mut tries = JoinSet::new();
    for one in people {
        let (store, place, group) = (world.store.clone(), place(&world), staff.id);
        let add = RecordWrite::AddMembers { group, members: vec![one.id] };
        tries.spawn(async move { store.push(unit(place, vec![add, RecordWrite::Touch { id: group }])).await });
    }
    assert!(tries.join_all().await.iter().all(Result::is_ok));
    assert_eq!(world.store.members(place(&world), staff.id, None, 50).await.unwrap().len(), 20);
    let found = world.store.record(place(&world), staff.id).await.unwrap().unwrap();
    assert_eq!(found.record.version, 21);
}

pub async fn records_are_read_page_by_page(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let (store, place) = (&world.store, place(&world));
    let mut people: Vec<_> = (0..7).map(|number| user(&format!("u{number}"))).collect();
    push(&world, people.iter().chain([&group("g")]).map(insert).collect()).await.unwrap();
    people.sort_by_key(|one| one.id);
    let ids = |found: Vec<fedbridge_hub::ports::StoredRecord>| found.iter().map(|it| it.record.id).collect::<Vec<_>>();
    let wanted: Vec<_> = people.iter().map(|one| one.id).collect();
    assert_eq!(ids(store.page(place, USER, None, 3).await.unwrap()), wanted[..3]);
    assert_eq!(ids(store.page(place, USER, Some(wanted[2]), 9).await.unwrap()), wanted[3..]);
    assert_eq!(ids(store.page_at(place, USER, 5, 9).await.unwrap()), wanted[5..]);
    assert_eq!(store.count(place, USER).await.unwrap(), 7);
    assert_eq!(store.count(place, RecordKind::Group).await.unwrap(), 1);
}

pub async fn who_is_switched_off_is_counted_and_ended(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let (store, place) = (&world.store, place(&world));
    let login = world.login("ada", &["openid"]).await;
    let (ada, bob, carol) = (NewRecord { person: Some(login.person), ..user("ada") }, user("bob"), user("carol"));
    let off = NewRecord { active: false, ..user("off") };
    push(&world, [&ada, &bob, &carol, &off].map(insert).to_vec()).await.unwrap();
    let shut = NewRecord { active: false, ..ada.clone() };
    let writes = vec![RecordWrite::Update { seen: seen(1), new: Box::new(shut) }];
    let stranger = PersonId::random(&OpensslRng);
    let done = store.push(PushUnit { ends: vec![login.person, stranger], ..unit(place, writes) }).await.unwrap();
    assert_eq!(done.ended.iter().map(|(person, _)| *person).collect::<Vec<_>>(), [login.person]);
    let linked = store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap();
    assert!(linked.epoch > Epoch(0) && linked.epoch == done.ended[0].1);
    let count = async |since| store.shut_since(place, at(since)).await.unwrap();
    assert_eq!(count(1).await, 1);
    assert_eq!(count(2).await, 0);
    // One who was off already does not count, nor does a unit that fails.
    let delete = |id| RecordWrite::Delete { id, version: None };
    push(&world, vec![delete(off.id)]).await.unwrap();
    refused(push(&world, vec![RecordWrite::Delete { id: carol.id, version: Some(9) }]).await, PushGuard::Stale);
    assert_eq!(count(1).await, 1);
    push(&world, vec![delete(bob.id)]).await.unwrap();
    assert_eq!(count(1).await, 2);
    // An administrator's word is the connection's own.
    let other = PushPlace { connection: world.another_connection("second").await, ..place };
    store.open_guard(place, at(9)).await.unwrap();
    store.open_guard(place, at(7)).await.unwrap();
    assert_eq!(store.guard_open_until(place).await.unwrap(), Some(at(7)));
    assert_eq!(store.guard_open_until(other).await.unwrap(), None);
}

pub async fn a_push_is_whole_or_not_at_all(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let (store, place) = (&world.store, place(&world));
    let login = world.login("ada", &[]).await;
    let person = PersonId::random(&OpensslRng);
    let linked = Command::CreatePerson(world.link(person, "ada"));
    let bob = NewRecord { person: Some(person), ..user("bob") };
    let ends = vec![login.person];
    let pushed = store.push(PushUnit { commands: vec![linked], ends, ..unit(place, vec![insert(&bob)]) }).await;
    assert!(matches!(pushed, Err(PushError::People(GuardFailed::LinkExists))), "{pushed:?}");
    assert_eq!(store.record(place, bob.id).await.unwrap(), None);
    assert_eq!(store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap().epoch, Epoch(0));
    let linked = Command::CreatePerson(world.link(person, "bob"));
    store.push(PushUnit { commands: vec![linked], ..unit(place, vec![insert(&bob)]) }).await.unwrap();
    let of = store.of_person(world.tenant, person).await.unwrap();
    assert_eq!(of.iter().map(|(at, one)| (*at, one.record.id)).collect::<Vec<_>>(), [(place, bob.id)]);
    // Whoever is deleted is nobody's record, and nobody writes them back.
    assert!(store.delete(world.tenant, person, at(5)).await.unwrap());
    assert_eq!(store.of_person(world.tenant, person).await.unwrap(), []);
    assert_eq!(store.record(place, bob.id).await.unwrap().unwrap().record.person, None);
    refused(push(&world, vec![RecordWrite::Update { seen: seen(1), new: Box::new(bob) }]).await, PushGuard::Stale);
}

pub async fn marks_wait_for_the_worker(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let (store, place) = (&world.store, place(&world));
    let (staff, inner, ada, bob) = (group("staff"), group("inner"), user("ada"), user("bob"));
    push(&world, [&staff, &inner, &ada, &bob].map(insert).to_vec()).await.unwrap();
    let add = RecordWrite::AddMembers { group: staff.id, members: vec![ada.id, inner.id] };
    push(&world, vec![add, RecordWrite::Restate { group: staff.id }]).await.unwrap();
    let waiting = async || {
        let mut found = store.system().to_restate(at(i64::from(u32::MAX)), 9).await.unwrap();
        found.sort_by_key(|(_, id)| *id);
        found
    };
    let mut both = [(place, ada.id), (place, inner.id)];
    both.sort_by_key(|(_, id)| *id);
    assert_eq!(waiting().await, both);
    assert_eq!(store.system().to_restate(at(i64::from(u32::MAX)), 1).await.unwrap().len(), 1);
    assert!(store.record(place, ada.id).await.unwrap().unwrap().restate);
    let stored = async || store.record(place, ada.id).await.unwrap().unwrap();
    let restated = |seen| RecordWrite::Restated { id: ada.id, seen };
    let was = stored().await.seen();
    let looked = |now| PushUnit { now: at(now), ..unit(place, vec![restated(was)]) };
    store.push(looked(0)).await.unwrap();
    assert_eq!(waiting().await, both, "it was looked at before it was marked");
    store.push(looked(2)).await.unwrap();
    assert_eq!(waiting().await, [(place, inner.id)]);
    push(&world, vec![RecordWrite::RestateThese { ids: vec![ada.id, ada.id] }]).await.unwrap();
    assert_eq!(waiting().await, both, "those who are named, and nobody else");
    // By which change their groups have changed; what becomes of one later is of the same.
    let regrouped = async |id| store.record(place, id).await.unwrap().unwrap().regrouped;
    assert_eq!(regrouped(ada.id).await, Some((at(1), txn(1))));
    assert_eq!(regrouped(bob.id).await, None);
    let add = RecordWrite::AddMembers { group: inner.id, members: vec![bob.id] };
    push(&world, vec![add]).await.unwrap();
    let later = |write| PushUnit { txn: None, now: at(3), ..unit(place, vec![write]) };
    // Groups in a circle: users below are marked, at any depth, and groups are not.
    push(&world, vec![RecordWrite::AddMembers { group: inner.id, members: vec![staff.id] }]).await.unwrap();
    let inner_seen = store.record(place, inner.id).await.unwrap().unwrap().seen();
    for (id, seen) in [(ada.id, stored().await.seen()), (inner.id, inner_seen)] {
        store.push(later(RecordWrite::Restated { id, seen })).await.unwrap();
    }
    assert_eq!(waiting().await, []);
    store.push(later(RecordWrite::RestateBelow { group: inner.id })).await.unwrap();
    let mut users = [(place, ada.id), (place, bob.id)];
    users.sort_by_key(|(_, id)| *id);
    assert_eq!(waiting().await, users);
    assert_eq!(regrouped(bob.id).await, Some((at(1), txn(1))));
    store.push(later(RecordWrite::RestateThese { ids: vec![ada.id] })).await.unwrap();
    assert_eq!(regrouped(ada.id).await, Some((at(1), txn(1))));
    let again = PushUnit { txn: Some(txn(2)), now: at(4), ..later(RecordWrite::Restate { group: staff.id }) };
    store.push(again).await.unwrap();
    assert_eq!(regrouped(ada.id).await, Some((at(4), txn(2))));
    // What was made of it before that is of other groups, and what was made before an update is of another record.
    let update = |seen| RecordWrite::Update { seen, new: Box::new(ada.clone()) };
    refused(push(&world, vec![update(was)]).await, PushGuard::Stale);
    refused(push(&world, vec![restated(was)]).await, PushGuard::Stale);
    let now = stored().await.seen();
    push(&world, vec![update(now)]).await.unwrap();
    refused(push(&world, vec![restated(now)]).await, PushGuard::Stale);
    assert!(stored().await.restate, "it waits still");
    push(&world, vec![restated(stored().await.seen())]).await.unwrap();
}

pub async fn who_marks_many_holds_up_no_other_connection(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let (big, small) =
        (place(&world), PushPlace { tenant: world.tenant, connection: world.another_connection("small").await });
    let mark = async |place, users: Vec<NewRecord>, when| {
        let ids = users.iter().map(|user| user.id).collect();
        let writes = users.iter().map(insert).chain([RecordWrite::RestateThese { ids }]).collect();
        world.store.push(PushUnit { now: at(when), ..unit(place, writes) }).await.unwrap();
    };
    mark(big, (0..20).map(|number| user(&format!("big{number}"))).collect(), 1).await;
    mark(small, vec![user("ada"), user("bob")], 2).await;
    let places = async |most| {
        let found = world.store.system().to_restate(at(9), most).await.unwrap();
        let of_small = found.iter().filter(|(place, _)| *place == small).count();
        (found.len(), of_small)
    };
    assert_eq!(places(4).await, (4, 2), "half of them each");
    assert_eq!(places(3).await, (3, 1), "and the longest waiting first");
    assert_eq!(places(40).await, (22, 2));
}

pub async fn connections_never_see_each_others_records(database: Database) {
    let store = database.open().await;
    let (world, stranger) = (World::new(&store, "acme").await, World::new(&store, "globex").await);
    let second = PushPlace { tenant: world.tenant, connection: world.another_connection("second").await };
    let mixed = PushPlace { tenant: stranger.tenant, connection: world.connection };
    let own = place(&world);
    let (ada, staff) = (NewRecord { keys: vec![hash("k")], ..user("ada") }, group("staff"));
    let add = RecordWrite::AddMembers { group: staff.id, members: vec![ada.id] };
    push(&world, vec![insert(&ada), insert(&staff), add]).await.unwrap();
    assert!(store.record(own, ada.id).await.unwrap().unwrap().record.grouped);
    for other in [second, place(&stranger), mixed] {
        assert_eq!(store.record(other, ada.id).await.unwrap(), None);
        for by in [RecordHash::Unique(hash("ada")), RecordHash::External(hash("ext ada")), RecordHash::Key(hash("k"))] {
            assert_eq!(store.look_up(own, USER, by, 5).await.unwrap().len(), 1);
            assert_eq!(store.look_up(other, USER, by, 5).await.unwrap(), []);
        }
        assert_eq!(store.page(other, USER, None, 5).await.unwrap(), []);
        assert_eq!(store.page_at(other, USER, 0, 5).await.unwrap(), []);
        assert_eq!(store.count(other, USER).await.unwrap(), 0);
        assert_eq!(store.members(other, staff.id, None, 5).await.unwrap(), []);
        assert_eq!(store.has_members(other, staff.id, &[ada.id]).await.unwrap(), []);
        assert_eq!(store.groups_of(other, &[ada.id]).await.unwrap(), []);
        assert_eq!(store.matching(other, &hash("match ada")).await.unwrap(), []);
        let group = staff.id;
        for write in [
            RecordWrite::Update { seen: seen(1), new: Box::new(ada.clone()) },
            RecordWrite::Touch { id: ada.id },
            RecordWrite::Delete { id: ada.id, version: None },
            RecordWrite::AddMembers { group, members: vec![ada.id] },
            RecordWrite::ReplaceMembers { group, members: vec![] },
        ] {
            refused(store.push(unit(other, vec![write])).await, PushGuard::Stale);
        }
        let remove = RecordWrite::RemoveMembers { group, members: vec![ada.id] };
        let these = RecordWrite::RestateThese { ids: vec![ada.id] };
        store.push(unit(other, vec![remove, RecordWrite::Restate { group }, these])).await.unwrap();
        assert_eq!(store.shut_since(other, at(0)).await.unwrap(), 0);
    }
    assert_eq!(store.members(own, staff.id, None, 5).await.unwrap().len(), 1);
    assert_eq!(store.system().to_restate(at(i64::from(u32::MAX)), 5).await.unwrap(), []);
    let theirs = user("ada");
    store.push(unit(second, vec![insert(&theirs)])).await.unwrap();
    let add = RecordWrite::AddMembers { group: staff.id, members: vec![theirs.id] };
    refused(push(&world, vec![add]).await, PushGuard::NoSuchMember);
}

pub async fn what_is_pushed_is_sealed(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let new = NewRecord { document: json!({"name": "canary-document"}), ..user("ada") };
    push(&world, vec![insert(&new)]).await.unwrap();
    world.store.close().await.unwrap();
    let octets = dump(&database).await;
    assert!(holds(&octets, b"acme Ltd"), "the search itself works");
    assert!(!holds(&octets, b"canary-document"), "a pushed document lies there in clear");
}

pub fn place(world: &World) -> PushPlace {
    PushPlace { tenant: world.tenant, connection: world.connection }
}

pub fn unit(place: PushPlace, writes: Vec<RecordWrite>) -> PushUnit {
    PushUnit { place, writes, commands: vec![], ends: vec![], txn: Some(txn(1)), now: at(1) }
}

async fn push(world: &World, writes: Vec<RecordWrite>) -> Result<Pushed, PushError> {
    world.store.push(unit(place(world), writes)).await
}

fn refused(done: Result<Pushed, PushError>, wanted: PushGuard) {
    assert!(matches!(&done, Err(PushError::Record(guard)) if *guard == wanted), "{done:?} and not {wanted:?}");
}

fn insert(new: &NewRecord) -> RecordWrite {
    RecordWrite::Insert(Box::new(new.clone()))
}

pub fn user(name: &str) -> NewRecord {
    NewRecord {
        id: RecordId::at(at(0), &OpensslRng),
        kind: USER,
        display: name.into(),
        unique: Some(hash(name)),
        external: Some(hash(format!("ext {name}"))),
        keys: vec![],
        matches: Some(hash(format!("match {name}"))),
        active: true,
        person: None,
        document: json!({"userName": name}),
        attributes: Default::default(),
        group_name: None,
        origins: Origins::from([(String::new(), origin(1))]),
    }
}

pub fn origin(number: u128) -> Origin {
    Origin { at: at(1), txn: txn(number), by: "token 1".into() }
}

fn txn(number: u128) -> TraceId {
    TraceId::from_uuid(Uuid::from_u128(number))
}

fn group(name: &str) -> NewRecord {
    NewRecord { kind: RecordKind::Group, group_name: Some(name.into()), ..user(name) }
}
