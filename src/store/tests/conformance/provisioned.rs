//! Whom apps with a SCIM server have, and whose turn it is to tell them.

use std::sync::Arc;

use fedbridge_contract::ids::{AppId, GroupId};
use fedbridge_hub::ports::{
    ConfigStore as _, ProvisionedCount, ProvisionedKind, ProvisionedLink, ProvisionedStore as _, ProvisioningReport,
    ProvisioningState, Which,
};
use fedbridge_hub::spec::ConfigChange;
use fedbridge_keys::OpensslRng;
use uuid::Uuid;

use crate::contention::{race, two};
use crate::support::{Database, World, at, hash};

use ProvisionedKind::{Group, User};

fn link(number: u128, remote: &str) -> ProvisionedLink {
    ProvisionedLink {
        subject: Uuid::from_u128(number),
        remote: remote.to_owned(),
        on: true,
        digest: Some(hash(remote)),
        groups: vec![GroupId::random(&OpensslRng)],
        changed: at(7),
    }
}

pub async fn whom_an_app_has_is_kept(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "other").await);
    let (tenant, app) = (world.tenant, world.app);
    let all = async |kind| store.provisioned(tenant, app, kind, Which::All).await.unwrap();
    let (ada, bob, staff) = (link(1, "r1"), link(2, "r2"), link(1, "r1"));
    store.keep_provisioned(tenant, app, User, &[bob.clone(), ada.clone()]).await.unwrap();
    store.keep_provisioned(tenant, app, Group, std::slice::from_ref(&staff)).await.unwrap();
    assert_eq!((all(User).await, all(Group).await), (vec![ada.clone(), bob.clone()], vec![staff.clone()]));

    let off = ProvisionedLink { on: false, digest: None, groups: vec![], changed: at(9), ..bob };
    store.keep_provisioned(tenant, app, User, std::slice::from_ref(&off)).await.unwrap();
    let subjects = [off.subject, Uuid::from_u128(9)];
    assert_eq!(
        store.provisioned(tenant, app, User, Which::Subjects(&subjects)).await.unwrap(),
        std::slice::from_ref(&off)
    );
    let remotes = ["r1".to_owned(), "r9".to_owned()];
    assert_eq!(
        store.provisioned(tenant, app, User, Which::Remotes(&remotes)).await.unwrap(),
        std::slice::from_ref(&ada)
    );
    assert_eq!(store.provisioned(tenant, app, User, Which::Subjects(&[])).await.unwrap(), []);
    for (since, off_lately) in [(8, 1), (9, 0)] {
        let count = store.count_provisioned(tenant, app, at(since)).await.unwrap();
        assert_eq!(count, ProvisionedCount { on: 1, off_lately });
    }

    // What the app calls one of them is nobody else there: nothing of that is kept.
    let doubled = [link(3, "r3"), link(4, "r1")];
    assert!(store.keep_provisioned(tenant, app, User, &doubled).await.is_err());
    assert_eq!(all(User).await, [ada.clone(), off.clone()]);

    // Neither another tenant nor another app has any of them, whatever ids it asks with.
    for (tenant, app) in [(other.tenant, app), (tenant, other.app), (other.tenant, other.app)] {
        assert_eq!(store.provisioned(tenant, app, User, Which::All).await.unwrap(), []);
        assert_eq!(store.count_provisioned(tenant, app, at(0)).await.unwrap(), ProvisionedCount::default());
        store.forget_provisioned(tenant, app, User, ada.subject).await.unwrap();
    }
    store.keep_provisioned(other.tenant, app, User, &[link(1, "theirs")]).await.unwrap();
    store.keep_provisioned(tenant, AppId::random(&OpensslRng), User, &[link(1, "gone")]).await.unwrap();
    assert_eq!(database.count("provisioned").await, 3);
    store.forget_provisioned(tenant, app, User, ada.subject).await.unwrap();
    assert_eq!((all(User).await, all(Group).await), (vec![off], vec![staff]));

    let system = store.system();
    let delete = ConfigChange::DeleteApp { tenant, id: app };
    system.apply(system.version().await.unwrap(), &[delete]).await.unwrap();
    assert_eq!(database.count("provisioned").await, 0);
}

pub async fn many_are_read_page_by_page(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let everybody: Vec<_> = (1..=2_001).map(|number| link(number, &format!("r{number}"))).collect();
    store.keep_provisioned(world.tenant, world.app, User, &everybody).await.unwrap();
    assert_eq!(store.provisioned(world.tenant, world.app, User, Which::All).await.unwrap(), everybody);
    let some: Vec<_> = everybody.iter().map(|link| link.subject).take(150).collect();
    let found = store.provisioned(world.tenant, world.app, User, Which::Subjects(&some)).await.unwrap();
    assert_eq!(found, everybody[..150]);
}

pub async fn one_node_tells_an_app(database: Database) {
    let (world, stores) = two(&database).await;
    let (store, tenant, app) = (&stores[0], world.tenant, world.app);
    assert_eq!(store.provisioning_state(tenant, app).await.unwrap(), ProvisioningState::default());
    let all = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let world = Arc::clone(&world);
            async move { store.take_provisioning_turn(world.tenant, world.app, at(0), at(50)).await.unwrap() }
        }
    })
    .await;
    assert_eq!(all.into_iter().flatten().count(), 1);
    assert!(store.extend_provisioning_turn(tenant, app, at(50), at(90)).await.unwrap());
    assert!(!store.extend_provisioning_turn(tenant, app, at(50), at(99)).await.unwrap());
    let last = ProvisioningReport { at: at(1), counts: vec![("create".into(), 2)], ..ProvisioningReport::default() };
    let state = ProvisioningState { full_at: Some(at(1)), last: Some(last) };
    assert!(!store.end_provisioning_turn(tenant, app, at(50), &state).await.unwrap(), "not this turn");
    assert!(store.end_provisioning_turn(tenant, app, at(90), &state).await.unwrap());
    assert_eq!(store.take_provisioning_turn(tenant, app, at(2), at(60)).await.unwrap(), Some(state.clone()));
    // Its node dies, and what it says later counts no more.
    assert_eq!(store.take_provisioning_turn(tenant, app, at(60), at(120)).await.unwrap(), Some(state));
    assert!(!store.end_provisioning_turn(tenant, app, at(60), &ProvisioningState::default()).await.unwrap());
}
