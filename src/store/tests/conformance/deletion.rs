//! What is deleted leaves nothing: its id stands nowhere any more, and neighbours lose nothing.

use fedbridge_contract::ids::PersonId;
use fedbridge_contract::services::Grants as _;
use fedbridge_hub::ports::{
    Command, ConfigStore as _, LoginStore as _, NewLink, PeopleStore as _, Tombstone, TombstoneReason,
};
use fedbridge_hub::spec::ConfigChange;
use fedbridge_keys::OpensslRng;

use crate::support::{Database, Full, World, at};

pub async fn a_deleted_person_leaves_tombstones(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (full, bob) = (Full::new(&world).await, world.login("bob", &["openid"]).await);
    let person = full.login.person;
    assert!(database.mentions(person.uuid()).await.len() > 7, "the search itself works");
    assert!(store.delete(world.tenant, person, at(5)).await.unwrap());
    assert!(!store.delete(world.tenant, person, at(5)).await.unwrap(), "there is nobody any more");

    assert_eq!(database.mentions(person.uuid()).await, ["posix_numbers.owner_id", "tombstones.person_id"]);
    assert_eq!(database.mentions(full.login.session.uuid()).await, Vec::<String>::new());
    for (connection, subject) in [(world.connection, "ada"), (full.second, "ada@second")] {
        assert_eq!(store.linked_person(world.tenant, connection, subject).await.unwrap(), None);
        let left = Tombstone { person, reason: TombstoneReason::Deleted, at: at(5) };
        assert_eq!(store.tombstone(world.tenant, connection, subject).await.unwrap(), Some(left));
    }
    let before = store.tombstone(world.tenant, full.second, "left").await.unwrap().unwrap();
    assert_eq!(before.reason, TombstoneReason::Unlinked, "what was no longer theirs stays as it was");
    assert_eq!(store.by_email(world.tenant, &Full::EMAIL).await.unwrap(), []);
    let grant = store.find(world.tenant, bob.grant, None, at(5)).await.unwrap().unwrap();
    assert!(!grant.standing.person_disabled && !grant.standing.session_ended);

    // The subject comes again, as somebody else.
    let again = world.login("ada", &["openid"]).await;
    assert_ne!(again.person, person);
}

pub async fn what_is_deleted_is_named_nowhere(database: Database) {
    let store = database.open().await;
    let (world, kept) = (World::new(&store, "acme").await, World::new(&store, "kept").await);
    let (full, neighbour) = (Full::new(&world).await, Full::new(&kept).await);
    let (tenant, nowhere) = (world.tenant, Vec::<String>::new());
    let before = database.mentions(kept.tenant.uuid()).await;
    assert!(before.len() > 15, "{before:?}");
    let delete = async |change| {
        let system = store.system();
        system.apply(system.version().await.unwrap(), &[change]).await.unwrap();
    };
    delete(ConfigChange::DeleteApp { tenant, id: world.app }).await;
    assert_eq!(database.mentions(world.app.uuid()).await, nowhere);

    delete(ConfigChange::DeleteConnection { tenant, id: full.second, with_people: true }).await;
    assert_eq!(database.mentions(full.second.uuid()).await, nowhere);
    assert_eq!(store.identities(tenant, full.login.person).await.unwrap().len(), 1, "the other login stays");

    delete(ConfigChange::DeleteConnection { tenant, id: world.connection, with_people: true }).await;
    for gone in [world.connection.uuid(), full.login.session.uuid()] {
        assert_eq!(database.mentions(gone).await, nowhere);
    }
    // Nobody else is ever given the number.
    assert_eq!(database.mentions(full.login.person.uuid()).await, ["posix_numbers.owner_id"]);
    delete(ConfigChange::DeleteTenant { id: tenant, with_people: false }).await;
    assert_eq!(database.mentions(tenant.uuid()).await, nowhere);
    let (login, group) = (&full.login, full.group.uuid());
    for gone in
        [full.logout.uuid(), full.logged_out.uuid(), full.proof.uuid(), login.grant.uuid(), login.person.uuid(), group]
    {
        assert_eq!(database.mentions(gone).await, nowhere);
    }

    assert_eq!(database.mentions(kept.tenant.uuid()).await, before, "the neighbour has lost nothing");
    assert!(store.link_proof(kept.tenant, neighbour.proof, &Full::SECRET, at(1)).await.unwrap().is_some());
    delete(ConfigChange::DeleteTenant { id: kept.tenant, with_people: true }).await;
    assert_eq!(database.mentions(kept.tenant.uuid()).await, nowhere);
}

/// A connection goes with the people who came by it alone.
pub async fn the_other_logins_of_a_person_stay(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let full = Full::new(&world).await;
    let only_here = NewLink { connection: full.second, ..world.link(PersonId::random(&OpensslRng), "only here") };
    world.commit(vec![Command::CreatePerson(only_here.clone())]).await.unwrap();
    let system = store.system();
    let change = ConfigChange::DeleteConnection { tenant: world.tenant, id: full.second, with_people: true };
    system.apply(system.version().await.unwrap(), &[change]).await.unwrap();
    assert_eq!(database.mentions(only_here.person.uuid()).await, Vec::<String>::new());
    let linked = store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap();
    assert_eq!(linked.person, full.login.person);
    let session = store.session(world.tenant, full.login.session, &full.login.cookie, at(1)).await.unwrap();
    assert!(session.is_some(), "it came by the other connection");
    let grant = store.find(world.tenant, full.login.grant, None, at(1)).await.unwrap().unwrap();
    assert!(!grant.standing.session_ended && !grant.standing.revoked);
    assert!(store.consent(world.tenant, full.login.person, world.app).await.unwrap().is_some());
}
