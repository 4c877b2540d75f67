//! The janitor deletes what has expired, and nothing else.

use fedbridge_contract::ids::TransactionId;
use fedbridge_contract::services::{Grants as _, RefreshLifetimes};
use fedbridge_hub::ports::{Command, NewTransaction};
use fedbridge_keys::OpensslRng;
use fedbridge_store::Swept;
use sea_orm::ConnectionTrait as _;

use crate::support::{Database, Full, World, at, hash, seconds};

const DAY: i64 = 86_400;

pub async fn expired_rows_go_and_others_stay(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    for n in 0..3 {
        let open = NewTransaction {
            id: TransactionId::random(&OpensslRng),
            handle_hash: hash(n),
            expires: at(100 * (n + 1)),
            sealed: vec![],
        };
        let once = Command::Once { purpose: "p".into(), key: n.to_string(), expires: at(100 * (n + 1)) };
        world.commit(vec![Command::OpenTransaction(open), once]).await.unwrap();
        store.revoke_token(world.tenant, &n.to_string(), at(100 * (n + 1))).await.unwrap();
    }
    let never_redeemed = world.login("ada", &["openid"]).await;
    let refreshed = world.login("grace", &["openid", "offline_access"]).await;
    let refresh = RefreshLifetimes { idle: seconds(100), absolute_expires: at(30 * DAY) };
    store.redeem(world.tenant, refreshed.grant, Some(refresh), at(1)).await.unwrap();

    let system = store.system();
    let swept = system.janitor(at(201), at(0)).await.unwrap();
    assert_eq!(swept, Swept { transactions: 2, one_time_keys: 2, revoked_tokens: 2, ..Swept::default() });
    assert!(store.token_revoked(world.tenant, "2").await.unwrap());
    assert!(!store.remember_once(world.tenant, "p", "2", at(900)).await.unwrap());

    let swept = system.janitor(at(3601), at(0)).await.unwrap();
    assert_eq!((swept.sessions, swept.grants), (2, 0), "a used code is known for a day more");
    let swept = system.janitor(at(2 * DAY), at(0)).await.unwrap();
    assert_eq!((swept.grants, swept.more), (1, false));
    assert_eq!(store.find(world.tenant, never_redeemed.grant, None, at(1)).await.unwrap(), None);
    assert!(store.find(world.tenant, refreshed.grant, None, at(1)).await.unwrap().unwrap().standing.session_ended);
    let swept = system.janitor(at(32 * DAY), at(0)).await.unwrap();
    assert_eq!(swept.grants, 1);
    assert_eq!(database.count("people").await, 2, "people stay");

    // More rows than one statement deletes.
    for n in 0..1200 {
        let once = Command::Once { purpose: "many".into(), key: n.to_string(), expires: at(5) };
        world.commit(vec![once]).await.unwrap();
    }
    assert_eq!(system.janitor(at(6), at(0)).await.unwrap().one_time_keys, 1200);
}

pub async fn what_chaining_keeps_goes_when_it_expires(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    Full::new(&world).await;
    let system = store.system();
    let chained = |swept: Swept| (swept.link_proofs, swept.session_upstreams, swept.upstream_tokens);
    assert_eq!(chained(system.janitor(at(600), at(0)).await.unwrap()), (0, 0, 0));
    assert_eq!(chained(system.janitor(at(601), at(0)).await.unwrap()), (1, 0, 0));
    assert_eq!(chained(system.janitor(at(3601), at(0)).await.unwrap()), (0, 1, 0));
    assert_eq!(chained(system.janitor(at(5001), at(0)).await.unwrap()), (0, 0, 2));
    for table in ["tombstones", "consents", "subject_scopes"] {
        system.janitor(at(9_000_000), at(0)).await.unwrap();
        assert_eq!(database.count(table).await, 1, "{table}");
    }
}

/// An access token may be good for a day (the provider's bound); its grant must be there for as long.
pub async fn a_grant_outlives_its_longest_token(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["openid"]).await;
    store.redeem(world.tenant, login.grant, None, at(30)).await.unwrap();
    let system = store.system();
    assert_eq!(system.janitor(at(30 + DAY + 3600), at(0)).await.unwrap().grants, 0);
    assert!(store.find(world.tenant, login.grant, None, at(DAY)).await.unwrap().is_some());
    assert_eq!(system.janitor(at(31 + DAY + 3600), at(0)).await.unwrap().grants, 1);
}

pub async fn a_bound_that_was_met_is_told(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let system = store.system();
    let db = database.raw().await;
    let hash = match database {
        Database::Sqlite(_) => "CAST('key ' || i AS BLOB)",
        Database::Postgres(_) => "convert_to('key ' || i, 'UTF8')",
    };
    let sql = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10001) \
         INSERT INTO one_time_keys (tenant_id, key_hash, expires_at) \
         SELECT (SELECT tenant_id FROM tenants), {hash}, 1 FROM n"
    );
    db.execute_unprepared(&sql).await.unwrap();
    db.close().await.unwrap();
    let expected = Swept { one_time_keys: 10_000, more: true, ..Swept::default() };
    assert_eq!(system.janitor(at(0), at(0)).await.unwrap(), expected);
    let expected = Swept { one_time_keys: 1, ..Swept::default() };
    assert_eq!(system.janitor(at(0), at(0)).await.unwrap(), expected);
    assert!(world.store.remember_once(world.tenant, "p", "k", at(9)).await.unwrap());
}
