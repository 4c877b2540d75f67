//! Second factors: each answer is good once.

use std::sync::Arc;

use fedbridge_contract::ids::PersonId;
use fedbridge_hub::ports::{Command, FactorKind, FactorStore as _, FactorUse, LoginStore as _, NewFactor, Unit};
use fedbridge_keys::OpensslRng;
use sea_orm::ConnectionTrait as _;

use crate::contention::{MANY, race, two};
use crate::profiles::person;
use crate::support::made::factor;
use crate::support::{Database, World, at};

pub async fn an_answer_is_good_once(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "other").await);
    let ada = person(&world, "ada").await;
    let [totp, key, code] =
        [FactorKind::Totp, FactorKind::Passkey, FactorKind::Recovery].map(|kind| factor(kind, b"secret"));
    for (factor, when) in [(&key, 2), (&totp, 1), (&code, 3)] {
        keep(&world, ada, factor.clone(), when).await;
    }
    let found = store.factors(world.tenant, ada).await.unwrap();
    let told: Vec<_> = found.iter().map(|it| (it.id, it.kind, it.label.as_str(), it.last_step, it.created)).collect();
    let expected = [
        (totp.id, FactorKind::Totp, "Totp", 0, at(1)),
        (key.id, FactorKind::Passkey, "Passkey", 0, at(2)),
        (code.id, FactorKind::Recovery, "Recovery", 0, at(3)),
    ];
    assert_eq!(told, expected, "the oldest first");
    assert!(found.iter().all(|it| it.secret == b"secret"));

    let uses = async |id, used| store.use_factor(world.tenant, id, used, at(9)).await.unwrap();
    let counts = async |id, uses_of_it: &[(FactorUse, bool)]| {
        for (used, good) in uses_of_it {
            assert_eq!(uses(id, *used).await, *good, "{used:?}");
        }
    };
    let (step, counter) = (FactorUse::Step, FactorUse::Counter);
    counts(totp.id, &[(step(10), true), (step(10), false), (step(9), false), (step(11), true)]).await;
    // Authenticators that don't count say zero each time; once one has counted it goes on.
    counts(key.id, &[(counter(0), true), (counter(0), true), (counter(5), true)]).await;
    counts(key.id, &[(counter(5), false), (counter(4), false), (counter(0), false), (counter(6), true)]).await;
    counts(code.id, &[(FactorUse::Up, true), (FactorUse::Up, false)]).await;
    assert!(!store.use_factor(other.tenant, totp.id, step(99), at(9)).await.unwrap());
    let steps: Vec<_> = store.factors(world.tenant, ada).await.unwrap().iter().map(|it| it.last_step).collect();
    assert_eq!(steps, [11, 6], "and the code that was used up is gone");
}

pub async fn a_factor_is_its_persons(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (ada, eve) = (person(&world, "ada").await, person(&world, "eve").await);
    let (hers, another) = (factor(FactorKind::Totp, b"hers"), factor(FactorKind::Totp, b"eve's"));
    keep(&world, ada, hers.clone(), 1).await;
    keep(&world, eve, another.clone(), 1).await;
    let ids = async |who| store.factors(world.tenant, who).await.unwrap().iter().map(|it| it.id).collect::<Vec<_>>();
    assert_eq!((ids(ada).await, ids(eve).await), (vec![hers.id], vec![another.id]));
    world.commit(vec![Command::DropFactor { person: eve, id: hers.id }]).await.unwrap();
    assert_eq!(ids(ada).await, [hers.id], "somebody else's is not taken away");
    let nobody = PersonId::random(&OpensslRng);
    let kept = Command::KeepFactor { person: nobody, factor: Box::new(factor(FactorKind::Totp, b"x")) };
    assert!(world.commit(vec![kept]).await.is_err(), "a factor is of somebody who is there");

    // A secret is sealed for its own row: nobody who can write to the table puts a known one in another's place.
    let db = database.raw().await;
    let sql = "UPDATE factors SET sealed = (SELECT sealed FROM factors WHERE person_id = $1) WHERE person_id = $2";
    let args = [eve.uuid().into(), ada.uuid().into()];
    let statement = sea_orm::Statement::from_sql_and_values(db.get_database_backend(), sql, args);
    db.execute_raw(statement).await.unwrap();
    db.close().await.unwrap();
    assert!(store.factors(world.tenant, ada).await.is_err());

    world.commit(vec![Command::DropFactor { person: ada, id: hers.id }]).await.unwrap();
    assert_eq!(ids(ada).await, []);
    world.commit(vec![Command::DropFactor { person: ada, id: hers.id }]).await.unwrap();
}

/// One code in many browsers at once, at two nodes.
pub async fn one_of_many_uses_of_a_code_wins(database: Database) {
    let (world, stores) = two(&database).await;
    let ada = person(&world, "ada").await;
    for (kind, used) in [
        (FactorKind::Totp, FactorUse::Step(7)),
        (FactorKind::Passkey, FactorUse::Counter(7)),
        (FactorKind::Recovery, FactorUse::Up),
    ] {
        let new = factor(kind, b"secret");
        let id = new.id;
        keep(&world, ada, new, 1).await;
        let all = race(&stores, {
            let world = Arc::clone(&world);
            move |store| {
                let world = Arc::clone(&world);
                async move { store.use_factor(world.tenant, id, used, at(2)).await.unwrap() }
            }
        })
        .await;
        assert_eq!(all.iter().filter(|good| **good).count(), 1, "{kind:?} of {MANY}");
    }
}

async fn keep(world: &World, person: PersonId, factor: NewFactor, when: i64) {
    let commands = vec![Command::KeepFactor { person, factor: Box::new(factor) }];
    world.store.commit(world.tenant, Unit { commands, now: at(when) }).await.unwrap();
}
