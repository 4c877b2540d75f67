//! The ports of administrators and API keys.

use std::collections::BTreeSet;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::random_text;
use fedbridge_hub::admin::{
    Administrator, AdministratorId, ApiKey, ApiKeyId, Reach, Role, Scope, Setup, SetupCode, key_text, parse_key,
};
use fedbridge_hub::ports::{AdminStore as _, AdminStoreError, ApiKeyStore as _, ConfigStore as _, Rotation};
use fedbridge_hub::spec::ConfigChange;
use fedbridge_keys::OpensslRng;

use crate::contention::{MANY, race};
use crate::sealing::{dump, holds};
use crate::support::{Database, World, at, hash};

pub async fn administrators_are_made_once(database: Database) {
    let store = database.open().await;
    let (acme, system) = (World::new(&store, "acme").await, store.system());
    let ada = administrator("ada", Role::Owner, Reach::Installation);
    let bob = administrator("bob", Role::TenantAdmin, Reach::Tenant(acme.tenant));
    let carl = Administrator { setup: Setup::Done, ..administrator("carl", Role::HelpDesk, Reach::Installation) };
    for new in [&bob, &carl, &ada] {
        system.create_administrator(new).await.unwrap();
    }
    let all = [ada.clone(), bob, carl];
    assert_eq!(system.administrators().await.unwrap(), all);

    // A name is taken in the whole installation, and the loser changes nothing.
    for reach in [Reach::Installation, Reach::Tenant(acme.tenant)] {
        let again = system.create_administrator(&administrator("ada", Role::Auditor, reach)).await;
        assert!(matches!(again, Err(AdminStoreError::NameTaken)), "{again:?}");
    }
    let nowhere = Reach::Tenant(TenantId::random(&OpensslRng));
    let lost = system.create_administrator(&administrator("dora", Role::Auditor, nowhere)).await;
    assert!(matches!(lost, Err(AdminStoreError::Store(_))), "{lost:?}");
    assert_eq!(system.administrators().await.unwrap(), all);

    store.close().await.unwrap();
    assert_eq!(database.open().await.system().administrators().await.unwrap(), all, "they are durable");
}

pub async fn a_setup_code_is_good_once(database: Database) {
    let store = database.open().await;
    let system = store.system();
    system.create_administrator(&administrator("ada", Role::Owner, Reach::Installation)).await.unwrap();
    system.create_administrator(&administrator("bob", Role::Operator, Reach::Installation)).await.unwrap();
    let first = hash("code of ada");
    assert!(!system.use_setup("ada", &hash("another"), at(1)).await.unwrap());
    assert!(!system.use_setup("bob", &first, at(1)).await.unwrap(), "a code is one person's");
    assert!(!system.use_setup("ada", &first, at(100)).await.unwrap(), "the expiry itself is too late");

    let second = SetupCode { hash: hash("second"), expires: at(200) };
    system.renew_setup("ada", second).await.unwrap();
    assert!(!system.use_setup("ada", &first, at(1)).await.unwrap(), "the one before is void");
    assert!(system.use_setup("ada", &second.hash, at(199)).await.unwrap());
    assert!(!system.use_setup("ada", &second.hash, at(199)).await.unwrap(), "once");
    assert_eq!(system.administrators().await.unwrap()[0].setup, Setup::Done);

    let gone = system.renew_setup("eve", second).await;
    assert!(matches!(gone, Err(AdminStoreError::Gone)), "{gone:?}");
    assert!(matches!(system.administrators().await.unwrap()[1].setup, Setup::Pending(_)), "bob's is as it was");
}

pub async fn api_keys_are_made_and_revoked(database: Database) {
    let store = database.open().await;
    let (acme, other) = (World::new(&store, "acme").await, World::new(&store, "other").await);
    let system = store.system();
    let (ours, _) = key("ci", Reach::Installation);
    let (early, _) = key("a", Reach::Tenant(acme.tenant));
    let (theirs, _) = key("ci", Reach::Tenant(acme.tenant));
    let full = ApiKey {
        rotated: Some(at(5)),
        previous: Some((hash("before"), at(50))),
        revoked: Some(at(7)),
        scopes: Scope::ALL.into(),
        ..key("ci", Reach::Tenant(other.tenant)).0
    };
    for new in [&theirs, &full, &early, &ours] {
        system.create_api_key(new).await.unwrap();
    }
    let all = system.api_keys().await.unwrap();
    assert_eq!((&all[0], &all[1]), (&ours, &early), "the installation's first, then by name");
    assert!(all.len() == 4 && all.contains(&theirs) && all.contains(&full), "{all:#?}");
    assert_eq!(system.api_key(full.id).await.unwrap(), Some(full.clone()));
    assert_eq!(system.api_key(ApiKeyId::random(&OpensslRng)).await.unwrap(), None);

    assert!(system.revoke_api_key(ours.id, at(9)).await.unwrap());
    assert!(!system.revoke_api_key(ours.id, at(10)).await.unwrap(), "a second time changes nothing");
    assert!(!system.revoke_api_key(ApiKeyId::random(&OpensslRng), at(9)).await.unwrap());
    assert_eq!(system.api_key(ours.id).await.unwrap(), Some(ApiKey { revoked: Some(at(9)), ..ours }));
    assert_eq!(system.api_key(theirs.id).await.unwrap(), Some(theirs), "others stay");

    // Names are used once, a revoked key's too.
    for reach in [Reach::Installation, Reach::Tenant(acme.tenant)] {
        let again = system.create_api_key(&key("ci", reach).0).await;
        assert!(matches!(again, Err(AdminStoreError::NameTaken)), "{again:?}");
    }
    let lost = system.create_api_key(&key("x", Reach::Tenant(TenantId::random(&OpensslRng))).0).await;
    assert!(matches!(lost, Err(AdminStoreError::Store(_))), "{lost:?}");
    assert_eq!(system.api_keys().await.unwrap().len(), 4);
}

pub async fn a_rotation_keeps_the_text_before_for_a_while(database: Database) {
    let store = database.open().await;
    let system = store.system();
    let (first, text) = key("ci", Reach::Installation);
    system.create_api_key(&first).await.unwrap();
    let rotation =
        Rotation { id: first.id, expected: first.hash, hash: hash("second"), previous_until: at(20), now: at(10) };
    system.rotate_api_key(rotation).await.unwrap();
    let now = system.api_key(parse_key(&text).unwrap()).await.unwrap().unwrap();
    let want =
        ApiKey { hash: hash("second"), rotated: Some(at(10)), previous: Some((first.hash, at(20))), ..first.clone() };
    assert_eq!(now, want);
    assert!(now.accepts(&hash(&text), at(19)) && !now.accepts(&hash(&text), at(20)));

    let refused = async |rotation| {
        let done = system.rotate_api_key(rotation).await;
        assert!(matches!(done, Err(AdminStoreError::Gone)), "{done:?}");
        assert_eq!(system.api_key(first.id).await.unwrap().unwrap().hash, hash("second"));
    };
    refused(rotation).await;
    let next = Rotation { expected: hash("second"), hash: hash("third"), ..rotation };
    refused(Rotation { id: ApiKeyId::random(&OpensslRng), ..next }).await;
    refused(Rotation { now: first.expires, ..next }).await;
    system.revoke_api_key(first.id, at(11)).await.unwrap();
    refused(next).await;
}

pub async fn one_of_many_uses_or_rotations_wins(database: Database) {
    let stores = [database.open().await, database.open().await];
    let system = stores[0].system();
    let made = race(&stores, |store| async move {
        store.system().create_administrator(&administrator("ada", Role::Owner, Reach::Installation)).await
    })
    .await;
    assert_eq!(made.iter().filter(|one| one.is_ok()).count(), 1);
    assert_eq!(made.iter().filter(|one| matches!(one, Err(AdminStoreError::NameTaken))).count(), MANY - 1);

    let code = hash("code of ada");
    let used = race(&stores, move |store| async move { store.system().use_setup("ada", &code, at(1)).await.unwrap() });
    let used = used.await;
    assert_eq!(used.iter().filter(|used| **used).count(), 1);

    let (key, _) = key("ci", Reach::Installation);
    system.create_api_key(&key).await.unwrap();
    let (id, expected) = (key.id, key.hash);
    let rotated = race(&stores, move |store| async move {
        let hash = hash(random_text::<32>(&OpensslRng));
        let rotation = Rotation { id, expected, hash, previous_until: at(9), now: at(1) };
        store.system().rotate_api_key(rotation).await.map(|()| hash)
    })
    .await;
    let won: Vec<_> = rotated.iter().filter_map(|one| one.as_ref().ok()).collect();
    let now = system.api_key(id).await.unwrap().unwrap();
    assert_eq!((won, now.previous), (vec![&now.hash], Some((expected, at(9)))));
}

pub async fn tenants_take_theirs_along(database: Database) {
    let store = database.open().await;
    let (acme, other) = (World::new(&store, "acme").await, World::new(&store, "other").await);
    let system = store.system();
    for (name, reach) in
        [("one", Reach::Installation), ("two", Reach::Tenant(acme.tenant)), ("three", Reach::Tenant(other.tenant))]
    {
        system.create_administrator(&administrator(name, Role::Auditor, reach)).await.unwrap();
        system.create_api_key(&key(name, reach).0).await.unwrap();
    }
    let version = system.version().await.unwrap();
    system.apply(version, &[ConfigChange::DeleteTenant { id: acme.tenant, with_people: true }]).await.unwrap();
    let names: Vec<_> = system.administrators().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["one", "three"]);
    let names: Vec<_> = system.api_keys().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, ["one", "three"]);
}

pub async fn nothing_in_the_store_lets_anybody_in(database: Database) {
    let store = database.open().await;
    let system = store.system();
    let code = random_text::<32>(&OpensslRng);
    let setup = Setup::Pending(SetupCode { hash: hash(&code), expires: at(100) });
    let ada = Administrator { setup, ..administrator("canary-ada", Role::Owner, Reach::Installation) };
    system.create_administrator(&ada).await.unwrap();
    let (first, text) = key("canary-ci", Reach::Installation);
    system.create_api_key(&first).await.unwrap();
    let second = key_text(first.id, &random_text::<32>(&OpensslRng));
    let (id, expected) = (first.id, first.hash);
    let rotation = Rotation { id, expected, hash: hash(&second), previous_until: at(9), now: at(1) };
    system.rotate_api_key(rotation).await.unwrap();
    let before = dump(&database).await;
    store.close().await.unwrap();

    let secret = |text: &str| text[text.len() - 43..].to_owned();
    for octets in [before, dump(&database).await] {
        assert!(holds(&octets, b"canary-ada") && holds(&octets, b"canary-ci"), "the search itself works");
        assert!(holds(&octets, &hash(&second)) && holds(&octets, &hash(&text)) && holds(&octets, &hash(&code)));
        for canary in [code.clone(), secret(&text), secret(&second)] {
            assert!(!holds(&octets, canary.as_bytes()), "a credential lies there in clear");
        }
    }
}

fn administrator(name: &str, role: Role, reach: Reach) -> Administrator {
    Administrator {
        id: AdministratorId::random(&OpensslRng),
        name: name.into(),
        role,
        reach,
        created: at(0),
        setup: Setup::Pending(SetupCode { hash: hash(format!("code of {name}")), expires: at(100) }),
    }
}

/// A key as it is kept, and its text.
fn key(name: &str, reach: Reach) -> (ApiKey, String) {
    let id = ApiKeyId::random(&OpensslRng);
    let text = key_text(id, &random_text::<32>(&OpensslRng));
    let key = ApiKey {
        id,
        name: name.into(),
        reach,
        scopes: BTreeSet::from([Scope::ConfigRead, Scope::KeysRotate]),
        created: at(0),
        expires: at(1000),
        hash: hash(&text),
        rotated: None,
        previous: None,
        revoked: None,
    };
    (key, text)
}
