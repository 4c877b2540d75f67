//! Passwords for single apps.

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::{AppId, PersonId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    AppPasswordStore as _, Command, ConfigStore as _, LoginStore as _, NewAppPassword, ProfileBy, ProfileStore as _,
    StoredAppPassword, Unit,
};
use fedbridge_hub::spec::ConfigChange;
use fedbridge_keys::OpensslRng;

use crate::profiles::{person, said};
use crate::support::made::app_password;
use crate::support::{Database, World, at};

pub async fn each_is_of_one_person_and_one_app(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (ada, eve, mail) = (person(&world, "ada").await, person(&world, "eve").await, another_app(&world).await);
    let late = NewAppPassword { expires: Some(at(90)), ..app_password(ada, mail) };
    let (first, second, hers) = (app_password(ada, world.app), late, app_password(eve, world.app));
    for (new, when) in [(&second, 2), (&first, 1), (&hers, 1)] {
        keep(&world, new, at(when)).await;
    }
    let kept = |new: &NewAppPassword, when, used| StoredAppPassword {
        id: new.id,
        app: new.app,
        label: new.label.clone(),
        hash: new.hash.clone(),
        created: at(when),
        expires: new.expires,
        used,
    };
    let of = async |who, app| store.app_passwords(world.tenant, who, app).await.unwrap();
    assert_eq!(of(ada, None).await, [kept(&first, 1, None), kept(&second, 2, None)], "the oldest first");
    assert_eq!(of(ada, Some(world.app)).await, [kept(&first, 1, None)]);
    assert_eq!(of(ada, Some(mail)).await, [kept(&second, 2, None)]);
    assert_eq!(of(eve, Some(mail)).await, []);

    store.app_password_used(world.tenant, first.id, at(5)).await.unwrap();
    assert_eq!(of(ada, Some(world.app)).await, [kept(&first, 1, Some(at(5)))]);
    assert_eq!(of(eve, None).await, [kept(&hers, 1, None)]);

    for stray in [app_password(PersonId::random(&OpensslRng), mail), app_password(ada, AppId::random(&OpensslRng))] {
        let refused = world.commit(vec![Command::KeepAppPassword(Box::new(stray))]).await;
        assert!(refused.is_err(), "it is of somebody and of an app who are there");
    }
    // An app that goes takes them along.
    let system = store.system();
    let gone = [ConfigChange::DeleteApp { tenant: world.tenant, id: mail }];
    system.apply(system.version().await.unwrap(), &gone).await.unwrap();
    assert_eq!(of(ada, None).await, [kept(&first, 1, Some(at(5)))]);
}

pub async fn one_that_is_taken_back_is_heard_of(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (ada, eve) = (person(&world, "ada").await, person(&world, "eve").await);
    let told = said(&world, ada, "ada", "one", ProfileBy::Push);
    world.commit(vec![Command::KeepProfile(Box::new(told))]).await.unwrap();
    let new = app_password(ada, world.app);
    keep(&world, &new, at(1)).await;
    let drop_it = async |person, when| {
        let commands = vec![Command::DropAppPassword { person, id: new.id }];
        store.commit(world.tenant, Unit { commands, now: at(when) }).await.unwrap();
    };
    let left = async || store.app_passwords(world.tenant, ada, None).await.unwrap().len();
    drop_it(eve, 5).await;
    assert_eq!(left().await, 1, "somebody else's is not taken back");
    assert_eq!(store.changed(world.tenant, at(4), Epoch(0)).await.unwrap(), []);
    drop_it(ada, 6).await;
    assert_eq!(left().await, 0);
    let changed = store.changed(world.tenant, at(5), Epoch(0)).await.unwrap();
    let changed: Vec<_> = changed.iter().map(|it| (it.person, it.at)).collect();
    assert_eq!(changed, [(ada, at(6))], "nodes forget what it was good for");
}

pub async fn a_changed_password_is_heard_of(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let other = World::new(&store, "other").await;
    let (ada, eve) = (person(&world, "ada").await, person(&world, "eve").await);
    for (who, name) in [(ada, "ada"), (eve, "eve")] {
        let told = said(&world, who, name, "one", ProfileBy::Push);
        world.commit(vec![Command::KeepProfile(Box::new(told))]).await.unwrap();
    }
    let unit = |when| Unit { commands: vec![Command::PasswordChanged { person: ada }], now: at(when) };
    store.commit(other.tenant, unit(5)).await.unwrap();
    assert_eq!(store.changed(world.tenant, at(4), Epoch(0)).await.unwrap(), [], "another tenant knows no ada");
    store.commit(world.tenant, unit(6)).await.unwrap();
    let changed = store.changed(world.tenant, at(5), Epoch(0)).await.unwrap();
    let changed: Vec<_> = changed.iter().map(|it| (it.person, it.at)).collect();
    assert_eq!(changed, [(ada, at(6))], "nodes forget the one before, and eve's is as it was");
}

async fn keep(world: &World, new: &NewAppPassword, now: Timestamp) {
    let commands = vec![Command::KeepAppPassword(Box::new(new.clone()))];
    world.store.commit(world.tenant, Unit { commands, now }).await.unwrap();
}

async fn another_app(world: &World) -> AppId {
    let mut app = world.app_named("mail");
    app.id = AppId::random(&OpensslRng);
    let (system, id) = (world.store.system(), app.id);
    system.apply(system.version().await.unwrap(), &[ConfigChange::PutApp(app)]).await.unwrap();
    id
}
