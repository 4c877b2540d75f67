//! What lies in the database can't be read without the master key.

use std::sync::Arc;

use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_contract::services::Grants as _;
use fedbridge_hub::ports::ConfigStore as _;
use fedbridge_hub::spec::{ConfigChange, SecretOwner, SecretValue, StoredSecret};
use fedbridge_keys::{AesGcmSealer, MasterKey, TenantName, generate_key};
use fedbridge_store::{Store, StoreOptions};
use sea_orm::{ConnectionTrait as _, TransactionTrait as _};

use crate::support::{Database, Full, World, at, sealer};

const SECRET: &[u8] = b"canary-secret-0123456789abcdef";
const CLAIM: &[u8] = b"canary-claim@example.org";

pub async fn secrets_and_claims_are_unreadable(database: Database) {
    let (store, world) = filled(&database).await;
    let loaded = store.system().load().await.unwrap();
    assert!(loaded.tenants[&world.tenant].secrets.iter().any(|it| it.value == SecretValue::Clear(SECRET.to_vec())));
    let before = dump(&database).await;
    store.close().await.unwrap();

    for octets in [before, dump(&database).await] {
        assert!(holds(&octets, b"acme Ltd"), "the search itself works");
        assert!(holds(&octets, &[0x5a; 32]), "hashes of secrets are there as they are");
        assert!(!holds(&octets, SECRET), "an upstream secret lies there in clear");
        assert!(!holds(&octets, CLAIM), "a claim lies there in clear");
        assert!(!holds(&octets, b"canary-access-token"), "a token of an upstream lies there in clear");
        assert!(!holds(&octets, b"canary-factor"), "the secret of a second factor lies there in clear");
        assert!(!holds(&octets, b"canary-place"), "a DN lies there in clear");
        assert!(!holds(&octets, b"canary-cookie"), "how far a sync has got lies there in clear");
        // The prefix of every PKCS #8 P-256 key (RFC 5915 inside RFC 5208).
        let pkcs8 = b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x04";
        assert!(!holds(&octets, pkcs8), "a private key lies there in clear");
    }
}

pub async fn another_master_key_opens_nothing(database: Database) {
    let (store, world) = filled(&database).await;
    let login = world.login("grace", &["openid"]).await;
    store.close().await.unwrap();
    let other = Arc::new(AesGcmSealer::new(MasterKey::from_bytes([8; 32])).unwrap());
    let store = Store::open(&database.url(), other, StoreOptions::default()).await.unwrap();
    let refused = store.by_code(world.tenant, login.grant, &login.code, at(1)).await.unwrap_err().to_string();
    assert!(refused.contains("another master key"), "{refused}");
    assert!(store.system().load().await.unwrap_err().to_string().contains("another master key"));
}

async fn filled(database: &Database) -> (Store, World) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    Full::new(&world).await;
    let secret = |owner, name: &str, value| {
        ConfigChange::PutSecret(StoredSecret { tenant: world.tenant, owner, name: name.into(), value })
    };
    let name = TenantName { id: world.tenant, slug: "acme" };
    let key =
        generate_key(name, KeyPurpose::Oidc, SignatureAlgorithm::ES256, KeyState::Active, at(0), &*sealer()).unwrap();
    let changes = [
        secret(SecretOwner::Connection(world.connection), "client_secret", SecretValue::Clear(SECRET.to_vec())),
        secret(SecretOwner::App(world.app), "client_secret/0", SecretValue::Hashed([0x5a; 32])),
        ConfigChange::PutKey(key),
    ];
    let system = store.system();
    system.apply(system.version().await.unwrap(), &changes).await.unwrap();
    (store, world)
}

/// Everything that lies there: the files of SQLite, all tables of PostgreSQL with binary columns in hex.
pub async fn dump(database: &Database) -> Vec<u8> {
    match database {
        Database::Sqlite(folder) => std::fs::read_dir(folder.path().join("data"))
            .unwrap()
            .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect(),
        Database::Postgres(_) => {
            let db = database.raw().await;
            let sql = "SELECT schema_to_xml('public', true, false, '')::text";
            let statement = sea_orm::Statement::from_string(db.get_database_backend(), sql);
            let one = db.begin().await.unwrap();
            one.execute_unprepared("SET LOCAL xmlbinary = hex").await.unwrap();
            let text: String = one.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
            one.rollback().await.unwrap();
            db.close().await.unwrap();
            text.into_bytes()
        }
    }
}

pub fn holds(octets: &[u8], wanted: &[u8]) -> bool {
    let upper: String = wanted.iter().map(|octet| format!("{octet:02X}")).collect();
    let lower = upper.to_lowercase();
    let find = |needle: &[u8]| octets.windows(needle.len()).any(|window| window == needle);
    find(wanted) || find(upper.as_bytes()) || find(lower.as_bytes())
}
