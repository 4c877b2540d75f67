//! A database that an earlier version of the program has filled.

use std::collections::{BTreeMap, BTreeSet};

use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_contract::services::{Grants, Handles as _, NameIds};
use fedbridge_hub::ports::{
    Command, ConfigStore as _, EpochStore as _, LoginStore as _, PosixOwner, ProfileBy, ProfileStore,
};
use fedbridge_hub::spec::{ConfigChange, SecretOwner, SecretValue, StoredSecret};
use fedbridge_keys::{TenantName, generate_key};
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend, Statement};

use crate::support::{Database, Full, World, at, sealer};

/// The last migration of the version before.
const BEFORE: &str = "m0007_chaining";

/// What [`BEFORE`] had not: a database goes back by this, as both databases write it.
const BACK: &[&str] = &[
    "DROP INDEX people_epoch",
    "ALTER TABLE people DROP COLUMN shut_at",
    "DROP INDEX identities_display",
    "DROP INDEX tombstones_at",
    "DROP TABLE profiles",
    "DROP TABLE directory_groups",
    "DROP TABLE posix_numbers",
    "DROP TABLE sync_states",
    "DROP TABLE factors",
    "DROP TABLE app_passwords",
    "DROP TABLE failures",
    "DROP TABLE known_devices",
    "DROP TABLE ldap_shapes",
    "DROP TABLE pushed_keys",
    "DROP TABLE pushed_members",
    "DROP TABLE pushed_shuts",
    "DROP TABLE pushed_records",
    "DROP TABLE open_guards",
    "DROP TABLE provisioned",
    "DROP TABLE provisioning_states",
    "DROP TABLE signals",
    "DROP TABLE signal_streams",
    "DROP TABLE signal_mutes",
    "DROP TABLE standings",
    "DELETE FROM seaql_migrations WHERE version > 'm0007_chaining'",
];

/// Tables of which [`Full`] has nothing.
const EMPTY: &[&str] =
    &["administrators", "api_keys", "documents", "domains", "rollovers", "sightings", "traces", "transactions"];

pub async fn a_filled_database_of_the_version_before_is_brought_up_to_date(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let full = Full::new(&world).await;
    let (tenant, login, system) = (world.tenant, &full.login, store.system());
    let name = TenantName { id: tenant, slug: "acme" };
    let key = generate_key(name, KeyPurpose::Oidc, SignatureAlgorithm::ES256, KeyState::Active, at(3), &*sealer());
    let secret = StoredSecret {
        tenant,
        owner: SecretOwner::Connection(world.connection),
        name: "client_secret".into(),
        value: SecretValue::Clear(b"s3cr3t".to_vec()),
    };
    let version = system.version().await.unwrap();
    let changes = [ConfigChange::PutKey(key.unwrap()), ConfigChange::PutSecret(secret)];
    system.apply(version, &changes).await.unwrap();
    system.kill(Killed::App(tenant, world.app), at(5)).await.unwrap();
    store.revoke_token(tenant, "t", at(500)).await.unwrap();
    store.remember_once(tenant, "p", "k", at(500)).await.unwrap();
    store.put(tenant, "saml.request", "h1", b"kept", at(600)).await.unwrap();
    let configuration = system.load().await.unwrap();
    store.close().await.unwrap();

    let db = database.raw().await;
    for sql in BACK {
        db.execute_unprepared(sql).await.unwrap();
    }
    if db.get_database_backend() == DbBackend::Sqlite {
        db.execute_unprepared("DELETE FROM sqlite_stat1").await.unwrap();
    }
    let other = match &database {
        Database::Sqlite(_) => Database::sqlite(),
        Database::Postgres(_) => Database::postgres().await,
    };
    assert_eq!(columns(&db).await, columns(&made_by(BEFORE, &other).await).await, "this is what that version had");
    let old = columns(&db).await;
    let before = rows(&db, &old).await;
    let empty: BTreeSet<_> = before.iter().filter(|(_, rows)| rows.is_empty()).map(|(table, _)| &table[..]).collect();
    assert_eq!(empty, EMPTY.iter().copied().collect(), "a table is not tested, or is by now");
    let statuses = fedbridge_migrations::status(&db).await.unwrap();
    let newer: Vec<_> = statuses.iter().skip_while(|(name, _)| name != BEFORE).skip(1).collect();
    assert!(!newer.is_empty() && newer.iter().all(|(_, applied)| !applied), "{statuses:?}");

    let store = database.open().await;
    assert!(fedbridge_migrations::status(&db).await.unwrap().iter().all(|(_, applied)| *applied));
    let kept = rows(&db, &old).await;
    for (table, rows) in &before {
        if table != "seaql_migrations" {
            assert_eq!(kept.get(table), Some(rows), "{table}");
        }
    }
    if db.get_database_backend() == DbBackend::Sqlite {
        assert!(database.count("sqlite_stat1").await > 20, "the planner is told of the tables");
    }

    // Read by the program of today.
    let system = store.system();
    assert_eq!(system.load().await.unwrap(), configuration);
    let linked = store.linked_person(tenant, world.connection, "ada").await.unwrap().unwrap();
    assert_eq!(linked.person, login.person);
    let session = store.session(tenant, login.session, &login.cookie, at(1)).await.unwrap().unwrap();
    assert_eq!((session.person, session.sealed.as_slice()), (login.person, &b"sealed session"[..]));
    let grant = Grants::find(&store, tenant, login.grant, None, at(2)).await.unwrap().unwrap();
    assert_eq!(grant.refresh.map(|refresh| refresh.generation), Some(1));
    assert_eq!(grant.record.claims, world.grant(login, &[]).record.claims);
    assert_eq!(system.epochs_since(Epoch(0)).await.unwrap(), [(Killed::App(tenant, world.app), Epoch(1))]);
    assert!(!store.remember_once(tenant, "p", "k", at(9)).await.unwrap());
    assert_eq!(store.take(tenant, "saml.request", "h1", at(1)).await.unwrap().as_deref(), Some(&b"kept"[..]));
    assert_eq!(NameIds::find(&store, tenant, "app", login.person).await.unwrap().as_deref(), Some("name-1"));
    // What is new works with what is old.
    let world = World { store: store.clone(), ..world };
    let number = Command::GiveNumber { owner: PosixOwner::Person(login.person), range: (1000, 1999) };
    let said = crate::profiles::said(&world, login.person, "ada", "new", ProfileBy::Push);
    world.commit(vec![Command::KeepProfile(Box::new(said)), number]).await.unwrap();
    let people = store.profiled(tenant, &[login.person]).await.unwrap();
    assert_eq!(people.iter().map(|it| it.number).collect::<Vec<_>>(), [Some(1000)]);
    for table in ["profiles", "posix_numbers"] {
        assert_eq!(database.count(table).await, 1, "{table}");
    }
}

/// A new database of an earlier version.
async fn made_by(last: &str, database: &Database) -> DatabaseConnection {
    if let Database::Sqlite(folder) = database {
        std::fs::create_dir_all(folder.path().join("data")).unwrap();
        std::fs::File::create(folder.path().join("data/test.db")).unwrap();
    }
    let db = database.raw().await;
    fedbridge_migrations::migrate_until(&db, last).await.unwrap();
    db
}

/// The columns of each table.
type Columns = BTreeMap<String, BTreeSet<String>>;

async fn columns(db: &DatabaseConnection) -> Columns {
    let sql = match db.get_database_backend() {
        DbBackend::Sqlite => {
            "SELECT m.name, c.name FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%'"
        }
        _ => "SELECT table_name::text, column_name::text FROM information_schema.columns WHERE table_schema = 'public'",
    };
    let mut found = Columns::new();
    for row in db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await.unwrap() {
        let (table, column) = (row.try_get_by_index::<String>(0).unwrap(), row.try_get_by_index(1).unwrap());
        found.entry(table).or_default().insert(column);
    }
    found
}

/// All rows as text, by table, in some order that depends on them alone.
async fn rows(db: &DatabaseConnection, columns: &Columns) -> BTreeMap<String, Vec<String>> {
    let backend = db.get_database_backend();
    let mut found = BTreeMap::new();
    for (table, columns) in columns {
        let text = |name: &String| match backend {
            DbBackend::Sqlite => format!("quote({name})"),
            _ => format!("coalesce({name}::text, 'NULL')"),
        };
        let whole = columns.iter().map(text).collect::<Vec<_>>().join(" || ' ' || ");
        let sql = format!("SELECT {whole} FROM {table} ORDER BY 1");
        let rows = db.query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
        found.insert(table.clone(), rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect());
    }
    found
}
