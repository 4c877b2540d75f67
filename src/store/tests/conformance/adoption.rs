//! Pushed records and the people who log in: whose a record becomes, and who stays out.

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::{ConnectionId, PersonId, RecordId};
use fedbridge_contract::push::PushPlace;
use fedbridge_contract::services::Grants as _;
use fedbridge_hub::ports::{
    Adopted, Command, GuardFailed, LoginStore as _, NewLink, NewProfile, NewRecord, PeopleStore as _, ProfileBy,
    ProfileStore as _, PushUnit, PushedStore as _, RecordWrite, ShutOut, UnitError,
};
use fedbridge_keys::OpensslRng;

use crate::profiles::said;
use crate::pushed::user;
use crate::support::{Database, World, at};

/// A directory that has pushed somebody: the record, and the person that it was made with.
struct Pushed {
    place: PushPlace,
    record: NewRecord,
    person: PersonId,
}

impl Pushed {
    async fn at(world: &World, connection: ConnectionId, name: &str, disabled: Option<&str>) -> Self {
        let person = PersonId::random(&OpensslRng);
        let record = NewRecord { person: Some(person), active: disabled.is_none(), ..user(name) };
        let place = PushPlace { tenant: world.tenant, connection };
        let key = record.id.to_string();
        let profile = NewProfile {
            connection,
            disabled: disabled.map(str::to_owned),
            ..said(world, person, &key, name, ProfileBy::Push)
        };
        let commands = vec![
            Command::CreatePerson(NewLink { connection, ..world.link(person, &key) }),
            Command::KeepProfile(Box::new(profile)),
        ];
        let writes = vec![RecordWrite::Insert(Box::new(record.clone()))];
        world.store.push(PushUnit { place, writes, commands, ends: vec![], txn: None, now: at(1) }).await.unwrap();
        Self { place, record, person }
    }

    fn id(&self) -> RecordId {
        self.record.id
    }

    fn adopted(&self, from: Option<PersonId>, person: PersonId) -> Vec<Command> {
        vec![Command::AdoptRecord(Adopted { connection: self.place.connection, record: self.id(), from, person })]
    }

    async fn is_of(&self, world: &World, person: PersonId) -> bool {
        let stored = world.store.record(self.place, self.id()).await.unwrap().unwrap();
        let key = self.id().to_string();
        let linked = world.store.linked_person(world.tenant, self.place.connection, &key).await.unwrap();
        let known = world.store.known(world.tenant, self.place.connection, &key).await.unwrap();
        assert_eq!(linked.as_ref().map(|linked| linked.person), stored.record.person);
        assert_eq!(known.map(|known| known.person), stored.record.person);
        stored.record.person == Some(person)
    }
}

pub async fn a_record_becomes_whose_login_shows_it(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let store = &world.store;
    let hr = world.another_connection("hr").await;
    let login = world.login("ada", &["openid"]).await;
    // One that is gone has left something.
    let gone = Pushed::at(&world, hr, "ada before", None).await;
    world.commit(gone.adopted(Some(gone.person), login.person)).await.unwrap();
    let off = NewProfile {
        connection: hr,
        disabled: Some("deleted".into()),
        ..said(&world, login.person, &gone.id().to_string(), "ada", ProfileBy::Push)
    };
    let out = ShutOut { person: login.person, connection: hr, out: true, said: None };
    let commands = vec![Command::KeepProfile(Box::new(off)), Command::ShutPerson(out)];
    let writes = vec![RecordWrite::Delete { id: gone.id(), version: None }];
    store.push(PushUnit { place: gone.place, writes, commands, ends: vec![], txn: None, now: at(2) }).await.unwrap();
    assert!(store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap().shut);

    let pushed = Pushed::at(&world, hr, "ada", None).await;
    assert!(pushed.is_of(&world, pushed.person).await);
    world.commit(pushed.adopted(Some(pushed.person), login.person)).await.unwrap();
    assert!(pushed.is_of(&world, login.person).await);
    let stored = store.record(pushed.place, pushed.id()).await.unwrap().unwrap();
    assert_eq!((stored.record.version, stored.record.modified, stored.restate), (2, at(1), true));
    assert_eq!(store.person_disabled(world.tenant, pushed.person).await.unwrap(), None, "nobody is left");
    assert_eq!(store.person_disabled(world.tenant, login.person).await.unwrap(), Some(false));
    let theirs = store.identities(world.tenant, login.person).await.unwrap();
    let mut theirs: Vec<_> = theirs.into_iter().map(|one| one.subject_key).collect();
    theirs.sort();
    let mut wanted = vec!["ada".to_owned(), pushed.id().to_string()];
    wanted.sort();
    assert_eq!(theirs, wanted, "without what is gone");
    let changed = store.changed(world.tenant, at(-1), Epoch(0)).await.unwrap();
    for person in [login.person, pushed.person] {
        assert!(changed.iter().any(|one| one.person == person), "who follows hears of both");
    }
}

pub async fn a_record_is_taken_by_one_and_from_nobody_else(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let store = &world.store;
    let hr = world.another_connection("hr").await;
    let login = world.login("ada", &[]).await;
    let refused = async |commands: Vec<Command>| {
        let done = world.commit(commands).await;
        assert!(matches!(done, Err(UnitError::Guard(GuardFailed::RecordTaken))), "{done:?}");
    };
    let off = Pushed::at(&world, hr, "off", Some("switched off")).await;
    refused(off.adopted(Some(off.person), login.person)).await;
    let pushed = Pushed::at(&world, hr, "ada", None).await;
    refused(pushed.adopted(None, login.person)).await;
    refused(pushed.adopted(Some(login.person), login.person)).await;
    // Somebody has come by another way to who was pushed; an administrator has disabled them.
    world.commit(vec![Command::LinkIdentity(world.link(pushed.person, "ada2"))]).await.unwrap();
    refused(pushed.adopted(Some(pushed.person), login.person)).await;
    let bob = Pushed::at(&world, hr, "bob", None).await;
    store.set_person_disabled(world.tenant, bob.person, true, at(2)).await.unwrap();
    refused(bob.adopted(Some(bob.person), login.person)).await;
    for one in [&off, &pushed, &bob] {
        assert!(one.is_of(&world, one.person).await, "nothing of it happened");
    }
    // An administrator has deleted them.
    assert!(store.delete(world.tenant, pushed.person, at(3)).await.unwrap());
    let again = NewLink { connection: hr, ..world.link(login.person, &pushed.id().to_string()) };
    let commands = [vec![Command::LinkIdentity(again)], pushed.adopted(None, login.person)].concat();
    world.commit(commands).await.unwrap();
    let stored = store.record(pushed.place, pushed.id()).await.unwrap().unwrap();
    assert_eq!((stored.record.person, stored.restate), (Some(login.person), true));

    let stranger = World::new(store, "globex").await;
    let carol = Pushed::at(&world, hr, "carol", None).await;
    let theirs = stranger.login("eve", &[]).await;
    let done = stranger.commit(carol.adopted(Some(carol.person), theirs.person)).await;
    assert!(matches!(done, Err(UnitError::Guard(GuardFailed::RecordTaken))), "{done:?}");
    assert!(carol.is_of(&world, carol.person).await);
}

pub async fn who_is_shut_out_is_out_everywhere(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let store = &world.store;
    let (hr, it) = (world.another_connection("hr").await, world.another_connection("it").await);
    let login = world.login("ada", &["openid"]).await;
    let is_out = async || {
        let linked = store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap();
        let session = store.session(world.tenant, login.session, &login.cookie, at(1)).await.unwrap().unwrap();
        let grant = store.find(world.tenant, login.grant, None, at(1)).await.unwrap().unwrap();
        let listed = store.person_disabled(world.tenant, login.person).await.unwrap().unwrap();
        assert!(!linked.disabled, "no administrator has said so");
        assert_eq!([session.person_disabled, grant.standing.person_disabled, listed], [linked.shut; 3]);
        linked.shut
    };
    let person = login.person;
    let shut = |connection, out, said| Command::ShutPerson(ShutOut { person, connection, out, said: Some(at(said)) });
    assert!(!is_out().await);
    world.commit(vec![shut(hr, true, 1)]).await.unwrap();
    world.commit(vec![shut(hr, true, 2)]).await.unwrap();
    assert!(is_out().await);
    world.commit(vec![shut(hr, false, 3)]).await.unwrap();
    assert!(!is_out().await);
    // What it has said before comes late.
    world.commit(vec![shut(hr, true, 2)]).await.unwrap();
    assert!(!is_out().await);
    // Another one keeps them out, whatever this one says.
    world.commit(vec![shut(it, true, 1)]).await.unwrap();
    world.commit(vec![shut(hr, false, 9)]).await.unwrap();
    assert!(is_out().await);
    assert_eq!(store.kept_out_by(world.tenant, person).await.unwrap(), [it]);
    world.commit(vec![shut(hr, true, 10)]).await.unwrap();
    world.commit(vec![shut(it, false, 10)]).await.unwrap();
    assert!(is_out().await);
    world.commit(vec![shut(hr, false, 10)]).await.unwrap();
    assert!(!is_out().await);
    assert_eq!(store.kept_out_by(world.tenant, person).await.unwrap(), []);
}

pub async fn who_is_switched_off_meanwhile_does_not_come_in(database: Database) {
    let world = World::new(&database.open().await, "acme").await;
    let hr = world.another_connection("hr").await;
    let ada = Pushed::at(&world, hr, "ada", None).await;
    let held = || Command::HoldActive(hr, ada.id());
    world.commit(vec![held()]).await.unwrap();
    let stored = world.store.record(ada.place, ada.id()).await.unwrap().unwrap();
    let off = NewRecord { active: false, ..ada.record.clone() };
    let writes = vec![RecordWrite::Update { seen: stored.seen(), new: Box::new(off) }];
    let unit = PushUnit { place: ada.place, writes, commands: vec![], ends: vec![], txn: None, now: at(2) };
    world.store.push(unit).await.unwrap();
    let refused = world.commit(vec![held()]).await;
    assert!(matches!(refused, Err(UnitError::Guard(GuardFailed::RecordTaken))), "{refused:?}");
    let elsewhere = Command::HoldActive(world.connection, ada.id());
    assert!(world.commit(vec![elsewhere]).await.is_err());
}
