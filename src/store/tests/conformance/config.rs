//! The port of the configuration.

use std::collections::HashSet;
use std::time::Duration;

use fedbridge_contract::config::{Locale, Look};
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_contract::services::Grants as _;
use fedbridge_hub::ports::{ApplyError, Changed, ConfigStore as _, LoginStore as _};
use fedbridge_hub::spec::{
    ConfigChange, Create, PeopleSpec, SameEmail, SecretOwner, SecretValue, StoredKey, StoredSecret, Switches,
    TenantExtras,
};
use fedbridge_keys::{OpensslRng, TenantName, generate_key};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{Database, World, at, sealer};

pub async fn what_is_put_is_loaded(database: Database) {
    let store = database.open().await;
    let system = store.system();
    assert_eq!((system.version().await.unwrap(), system.load().await.unwrap().tenants.len()), (0, 0));
    let world = World::new(&store, "acme").await;
    let name = TenantName { id: world.tenant, slug: "acme" };
    let key = |purpose, algorithm| generate_key(name, purpose, algorithm, KeyState::Next, at(3), &*sealer()).unwrap();
    let (oidc, saml) =
        (key(KeyPurpose::Oidc, SignatureAlgorithm::EdDSA), key(KeyPurpose::SamlSigning, SignatureAlgorithm::RS256));
    let ours =
        StoredKey { connection: Some(world.connection), ..key(KeyPurpose::OidcClient, SignatureAlgorithm::ES256) };
    let secret = StoredSecret {
        tenant: world.tenant,
        owner: SecretOwner::Connection(world.connection),
        name: "client_secret".into(),
        value: SecretValue::Clear(b"s3cr3t".to_vec()),
    };
    let mut connection = world.connection_named("idp");
    connection.spec.people = PeopleSpec {
        create: Create::Listed,
        domains: vec!["example.org".into()],
        groups: vec!["staff".into()],
        same_email: SameEmail::Ask,
        linking: true,
    };
    let mut tenant = world.tenant_named("acme", &["b.example", "a.example"]);
    tenant.spec.enabled = false;
    tenant.spec.parent = Some(TenantId::random(&OpensslRng));
    tenant.spec.extras = TenantExtras {
        look: Some(Look { accent: Some("#00529b".into()), ..Look::default() }),
        locales: vec![Locale::De, Locale::En],
        egress_hosts: Some(vec!["*.example.org".into()]),
        ..TenantExtras::default()
    };
    let changes = [
        ConfigChange::PutSecret(secret.clone()),
        ConfigChange::PutKey(oidc.clone()),
        ConfigChange::PutKey(saml.clone()),
        ConfigChange::PutKey(ours.clone()),
        ConfigChange::PutConnection(connection.clone()),
        ConfigChange::PutTenant(tenant.clone()),
    ];
    assert_eq!(system.apply(1, &changes).await.unwrap(), 2);

    let loaded = system.load().await.unwrap();
    assert_eq!((loaded.version, loaded.tenants.len()), (2, 1));
    let found = &loaded.tenants[&world.tenant];
    assert_eq!((found.version, &found.tenant), (2, &tenant), "domains keep their order");
    assert_eq!(found.connections, [connection]);
    assert_eq!(found.apps, [world.app_named("portal")]);
    assert!(found.secrets == [secret]);
    assert!(found.keys.len() == 3 && [&oidc, &saml, &ours].into_iter().all(|key| found.keys.contains(key)));

    let mut app = world.app_named("renamed");
    app.spec.enabled = false;
    let moved = fedbridge_keys::advance(&oidc, KeyState::Active, at(9)).unwrap();
    let gone = ConfigChange::DeleteSecret {
        tenant: world.tenant,
        owner: SecretOwner::Connection(world.connection),
        name: "client_secret".into(),
    };
    tenant.spec.extras = TenantExtras::default();
    let plain = ConfigChange::PutTenant(tenant.clone());
    let changes = [ConfigChange::PutApp(app.clone()), ConfigChange::PutKey(moved.clone()), gone, plain];
    system.apply(2, &changes).await.unwrap();
    let found = system.load().await.unwrap().tenants.remove(&world.tenant).unwrap();
    assert_eq!(found.tenant, tenant);
    assert_eq!(found.apps, [app]);
    assert!(found.secrets.is_empty() && found.keys.contains(&moved) && !found.keys.contains(&oidc));
}

pub async fn a_change_is_whole_or_not_at_all(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let system = store.system();
    let before = system.load().await.unwrap();
    let other = World {
        tenant: TenantId::random(&OpensslRng),
        connection: world.connection,
        app: world.app,
        store: store.clone(),
    };
    let twice = ConnectionId::random(&OpensslRng);
    let mut same_slug = world.connection_named("idp");
    same_slug.id = twice;
    let mut same_name = world.app_named("portal");
    same_name.id = AppId::random(&OpensslRng);
    let secret = |tenant| StoredSecret {
        tenant,
        owner: SecretOwner::App(AppId::random(&OpensslRng)),
        name: "client_secret/0".into(),
        value: SecretValue::Hashed([1; 32]),
    };
    let refused = [
        (ConfigChange::PutTenant(other.tenant_named("acme", &[])), "another tenant has this slug"),
        (ConfigChange::PutConnection(same_slug), "another connection of the tenant has this slug"),
        (ConfigChange::PutApp(same_name), "another client of the tenant has this name"),
        (ConfigChange::PutTenant(other.tenant_named("other", &["d.example", "d.example"])), "named twice"),
        (ConfigChange::PutSecret(secret(world.tenant)), "is gone"),
    ];
    for (change, why) in refused {
        let good = ConfigChange::PutTenant(world.tenant_named("acme", &["new.example"]));
        let done = system.apply(1, &[good, change]).await;
        assert!(matches!(&done, Err(ApplyError::Store(cause)) if cause.0.contains(why)), "{why}: {done:?}");
        assert_eq!(system.load().await.unwrap(), before);
    }
}

pub async fn a_stale_version_conflicts(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let system = store.system();
    let change = [ConfigChange::PutTenant(world.tenant_named("renamed", &[]))];
    for version in [0, 2, -1] {
        assert!(matches!(system.apply(version, &change).await, Err(ApplyError::Conflict)));
        assert!(matches!(system.apply(version, &[]).await, Err(ApplyError::Conflict)));
    }
    assert_eq!(system.apply(1, &[]).await.unwrap(), 1, "nothing to change is no new version");
    assert_eq!(system.apply(1, &change).await.unwrap(), 2);
}

pub async fn people_hold_their_tenant_and_connection(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let system = store.system();
    world.login("ada", &["openid"]).await;
    world.login("grace", &["openid"]).await;
    assert_eq!(system.people(world.tenant, None).await.unwrap(), 2);
    assert_eq!(system.people(world.tenant, Some(world.connection)).await.unwrap(), 2);
    let refused = [
        (ConfigChange::DeleteTenant { id: world.tenant, with_people: false }, "tenant acme"),
        (delete_connection(&world, false), "connection idp"),
    ];
    for (change, who) in refused {
        let done = system.apply(1, &[change]).await;
        assert!(matches!(&done, Err(ApplyError::HasPeople { what, people: 2 }) if what == who), "{done:?}");
    }
    assert_eq!(system.version().await.unwrap(), 1);
}

pub async fn deleting_takes_everything_along(database: Database) {
    let store = database.open().await;
    let (kept, world) = (World::new(&store, "kept").await, World::new(&store, "acme").await);
    let system = store.system();
    let kept_login = kept.login("ada", &["openid"]).await;
    let login = world.login("ada", &["openid"]).await;
    store.revoke_token(world.tenant, "t", at(500)).await.unwrap();
    store.remember_once(world.tenant, "p", "k", at(500)).await.unwrap();

    system.apply(2, &[ConfigChange::DeleteApp { tenant: world.tenant, id: world.app }]).await.unwrap();
    assert_eq!(
        store.by_code(world.tenant, login.grant, &login.code, at(1)).await.unwrap(),
        None,
        "its grants go with an app"
    );
    system.apply(3, &[delete_connection(&world, true)]).await.unwrap();
    assert_eq!(store.linked_person(world.tenant, world.connection, "ada").await.unwrap(), None);
    assert_eq!(store.session(world.tenant, login.session, &login.cookie, at(1)).await.unwrap(), None);
    assert_eq!(system.people(world.tenant, None).await.unwrap(), 0);
    system.apply(4, &[ConfigChange::DeleteTenant { id: world.tenant, with_people: false }]).await.unwrap();
    for table in ["revoked_tokens", "one_time_keys"] {
        assert_eq!(database.count(table).await, 0, "{table}");
    }
    for table in ["tenants", "connections", "apps", "people", "identities", "sessions", "grants"] {
        assert_eq!(database.count(table).await, 1, "{table}");
    }
    assert!(store.by_code(kept.tenant, kept_login.grant, &kept_login.code, at(1)).await.unwrap().is_some());
    system.apply(5, &[ConfigChange::DeleteTenant { id: kept.tenant, with_people: true }]).await.unwrap();
    for table in ["tenants", "connections", "apps", "people", "identities", "sessions", "grants"] {
        assert_eq!(database.count(table).await, 0, "{table}");
    }
}

pub async fn a_domain_moves_between_tenants(database: Database) {
    let store = database.open().await;
    let (one, two) = (World::new(&store, "one").await, World::new(&store, "two").await);
    let system = store.system();
    let put = |world: &World, slug, domains: &[&str]| ConfigChange::PutTenant(world.tenant_named(slug, domains));
    system.apply(2, &[put(&one, "one", &["d.example"])]).await.unwrap();
    let taken = system.apply(3, &[put(&two, "two", &["d.example"])]).await;
    assert!(matches!(taken, Err(ApplyError::Store(_))), "a domain has one tenant");
    system.apply(3, &[put(&two, "two", &["d.example"]), put(&one, "one", &[])]).await.unwrap();
    let loaded = system.load().await.unwrap();
    assert!(loaded.tenants[&one.tenant].tenant.spec.domains.is_empty());
    assert_eq!(loaded.tenants[&two.tenant].tenant.spec.domains, ["d.example"]);
}

pub async fn another_process_sees_a_change(database: Database) {
    let (store, other) = (database.open().await, database.open().await);
    let (one, two) = (World::new(&store, "one").await, World::new(&store, "two").await);
    let three = World::new(&store, "three").await;
    let theirs = other.system();
    assert_eq!(theirs.version().await.unwrap(), 3);
    let Changed { version, tenants: changed, existing: all, .. } = theirs.load_since(2).await.unwrap();
    assert_eq!((version, all.len()), (3, 3));
    assert_eq!(changed.iter().map(|it| it.tenant.id).collect::<Vec<_>>(), [three.tenant]);
    assert_eq!(changed[0].connections.len(), 1, "with its parts");

    store.system().apply(3, &[ConfigChange::PutApp(two.app_named("renamed"))]).await.unwrap();
    let changed = theirs.load_since(3).await.unwrap().tenants;
    assert_eq!(changed.iter().map(|it| it.tenant.id).collect::<Vec<_>>(), [two.tenant]);
    store.system().apply(4, &[ConfigChange::DeleteTenant { id: one.tenant, with_people: false }]).await.unwrap();
    let Changed { version, tenants: changed, existing: all, .. } = theirs.load_since(4).await.unwrap();
    assert_eq!((version, changed.len(), all.contains(&one.tenant), all.len()), (5, 0, false, 2));
    // A writer of the other process works on the same database.
    let theirs_world = World { store: other.clone(), ..two };
    let login = theirs_world.login("ada", &["openid"]).await;
    assert!(store.by_code(theirs_world.tenant, login.grant, &login.code, at(1)).await.unwrap().is_some());
}

/// Something in a row that this program can't read, as a newer one may write it.
pub async fn a_tenant_that_cannot_be_read_says_what_is_off(database: Database) {
    let store = database.open().await;
    let (one, two) = (World::new(&store, "one").await, World::new(&store, "two").await);
    let system = store.system();
    let mut off = one.app_named("portal");
    off.spec.enabled = false;
    let changes = [
        ConfigChange::PutApp(off),
        ConfigChange::PutConnection(one.connection_named("idp")),
        ConfigChange::PutTenant(two.tenant_named("two", &["two.example"])),
    ];
    assert_eq!(system.apply(2, &changes).await.unwrap(), 3);
    let db = database.raw().await;
    let unknown = "UPDATE connections SET spec = replace(spec, '\"protocol\"', '\"of_the_future\"') \
                   WHERE tenant_id IN (SELECT tenant_id FROM tenants WHERE slug = 'one')";
    db.execute_unprepared(unknown).await.unwrap();

    let changed = system.load_since(2).await.unwrap();
    let read: Vec<_> = changed.tenants.iter().map(|it| it.tenant.id).collect();
    assert_eq!((read, changed.existing.len()), (vec![two.tenant], 2), "the other one is read");
    let [(on, _)] = &changed.unreadable[..] else { panic!("{:?}", changed.unreadable) };
    let expected =
        Switches { tenant: one.tenant, enabled: true, connections: [one.connection].into(), apps: HashSet::new() };
    assert_eq!(*on, expected);
    assert!(system.load().await.is_err(), "nobody writes a configuration of which he can't read all");
    db.execute_unprepared("UPDATE connections SET spec = 'no JSON'").await.unwrap();
    db.execute_unprepared("UPDATE tenants SET enabled = false").await.unwrap();
    let changed = system.load_since(2).await.unwrap();
    assert_eq!(changed.unreadable.len(), 2);
    assert!(changed.unreadable.iter().all(|(on, _)| !on.enabled && on.connections.is_empty()));
    assert_eq!(changed.unreadable.iter().filter(|(on, _)| on.apps.contains(&two.app)).count(), 1);
}

pub async fn a_version_that_went_back_is_read_whole(database: Database) {
    let store = database.open().await;
    World::new(&store, "one").await;
    World::new(&store, "two").await;
    let changed = store.system().load_since(9).await.unwrap();
    assert_eq!((changed.version, changed.tenants.len()), (2, 2));
}

/// A pool that is used up must not keep what was switched off in force. SQLite reads the configuration on
/// connections of its own anyway.
pub async fn a_change_is_read_past_a_pool_that_is_used_up(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let locked = database.raw().await.begin().await.unwrap();
    if matches!(database, Database::Postgres(_)) {
        locked.execute_unprepared("LOCK TABLE people IN ACCESS EXCLUSIVE MODE").await.unwrap();
    }
    let mut stuck = JoinSet::new();
    for _ in 0..12 {
        let (system, tenant) = (store.system(), world.tenant);
        stuck.spawn(async move { system.people(tenant, None).await });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let system = store.system();
    let changed = timeout(Duration::from_secs(5), system.load_since(0)).await.expect("it waits for logins").unwrap();
    assert_eq!(changed.tenants.len(), 1);
    assert_eq!(stuck.try_join_next().is_none(), matches!(database, Database::Postgres(_)), "the pool is used up");
    locked.rollback().await.unwrap();
    stuck.join_all().await;
}

pub async fn one_of_many_parallel_changes_wins(database: Database) {
    let (store, other) = (database.open().await, database.open().await);
    let world = World::new(&store, "acme").await;
    let tasks: Vec<_> = (0..12)
        .map(|n| {
            let system = if n % 2 == 0 { store.system() } else { other.system() };
            let change = ConfigChange::PutTenant(world.tenant_named(&format!("slug-{n}"), &[]));
            tokio::spawn(async move { system.apply(1, &[change]).await })
        })
        .collect();
    let mut won = 0;
    for task in tasks {
        match task.await.unwrap() {
            Ok(version) => {
                assert_eq!(version, 2);
                won += 1;
            }
            Err(cause) => assert!(matches!(cause, ApplyError::Conflict), "{cause:?}"),
        }
    }
    assert_eq!(won, 1);
}

fn delete_connection(world: &World, with_people: bool) -> ConfigChange {
    ConfigChange::DeleteConnection { tenant: world.tenant, id: world.connection, with_people }
}
