//! Deleting objects of the configuration, with all that hangs on them.

use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_hub::ports::ApplyError;
use fedbridge_hub::spec::SecretOwner;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, QuerySelect};

use crate::config::apply::failed;
use crate::entity::{app, connection, secret, tenant};
use crate::unit::uuid;
use crate::work::{Arg, statement};

/// Tables whose rows no foreign key takes along.
const LOOSE: [&str; 16] = [
    "transactions",
    "sessions",
    "grants",
    "one_time_keys",
    "revoked_tokens",
    "traces",
    "participants",
    "logouts",
    "logout_notices",
    "handles",
    "sightings",
    "link_proofs",
    "session_upstreams",
    "upstream_tokens",
    "failures",
    "known_devices",
];

/// Tables whose rows have a session.
pub const OF_SESSION: [&str; 2] = ["participants", "session_upstreams"];

/// Tables whose rows have a person, each with the column that says who; the people come last.
pub const OF_PERSON: [(&str, &str); 5] = [
    ("link_proofs", "person_id"),
    ("upstream_tokens", "person_id"),
    ("sessions", "person_id"),
    ("grants", "person_id"),
    ("people", "id"),
];

/// Tables whose rows have a connection. Its tombstones say nothing without it.
const OF_CONNECTION: [&str; 6] =
    ["sessions", "session_upstreams", "link_proofs", "upstream_tokens", "tombstones", "signing_keys"];

/// What was killed by a kill of a connection or an app goes with it too.
const KILLS_OF: &str = "DELETE FROM epochs WHERE tenant_id = ? AND object_id = ?";

/// Tables of what a connection's or an app's other side publishes and has seen.
const OF_PARTY: [&str; 2] = ["documents", "sightings"];

pub async fn tenant(db: &DatabaseTransaction, id: TenantId, with_people: bool) -> Result<(), ApplyError> {
    // The lock keeps logins from adding people between the count and the deletion (PostgreSQL).
    let row = tenant::Entity::find_by_id(id.uuid()).lock_exclusive().one(db).await.map_err(failed)?;
    let Some(row) = row else { return Ok(()) };
    if !with_people {
        let people = count(db, "SELECT count(*) FROM people WHERE tenant_id = ?", vec![uuid(id)]).await?;
        refuse_people(people, || format!("tenant {}", row.slug))?;
    }
    for table in LOOSE {
        run(db, &format!("DELETE FROM {table} WHERE tenant_id = ?"), vec![uuid(id)]).await?;
    }
    tenant::Entity::delete_by_id(id.uuid()).exec(db).await.map(drop).map_err(failed)
}

pub async fn connection(
    db: &DatabaseTransaction,
    tenant: TenantId,
    id: ConnectionId,
    with_people: bool,
) -> Result<(), ApplyError> {
    let key = (tenant.uuid(), id.uuid());
    let row = connection::Entity::find_by_id(key).lock_exclusive().one(db).await.map_err(failed)?;
    let Some(row) = row else { return Ok(()) };
    let both = || vec![uuid(tenant), Arg::Uuid(id.uuid())];
    if with_people {
        // Whoever also comes by another connection stays.
        const ONLY_HERE: &str = "(SELECT person_id FROM identities WHERE tenant_id = ? AND connection_id = ?) \
            AND {person} NOT IN (SELECT person_id FROM identities WHERE tenant_id = ? AND connection_id <> ?)";
        let args = || vec![uuid(tenant), uuid(tenant), Arg::Uuid(id.uuid()), uuid(tenant), Arg::Uuid(id.uuid())];
        for table in OF_SESSION {
            let only_here = ONLY_HERE.replace("{person}", "person_id");
            let sessions = format!("SELECT id FROM sessions WHERE tenant_id = ? AND person_id IN {only_here}");
            let sql = format!("DELETE FROM {table} WHERE tenant_id = ? AND session_id IN ({sessions})");
            run(db, &sql, [vec![uuid(tenant)], args()].concat()).await?;
        }
        let only_here = ONLY_HERE.replace("{person}", "person_id");
        let sql = format!(
            "UPDATE pushed_records SET person_id = NULL, version = version + 1 \
             WHERE tenant_id = ? AND person_id IN {only_here}"
        );
        run(db, &sql, args()).await?;
        for (table, person) in OF_PERSON {
            let only_here = ONLY_HERE.replace("{person}", person);
            run(db, &format!("DELETE FROM {table} WHERE tenant_id = ? AND {person} IN {only_here}"), args()).await?;
        }
    } else {
        let sql = "SELECT count(DISTINCT person_id) FROM identities WHERE tenant_id = ? AND connection_id = ?";
        refuse_people(count(db, sql, both()).await?, || format!("connection {}", row.slug))?;
    }
    for table in OF_SESSION {
        let sessions = "SELECT id FROM sessions WHERE tenant_id = ? AND connection_id = ?";
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ? AND session_id IN ({sessions})");
        run(db, &sql, [vec![uuid(tenant)], both()].concat()).await?;
    }
    for table in OF_CONNECTION {
        run(db, &format!("DELETE FROM {table} WHERE tenant_id = ? AND connection_id = ?"), both()).await?;
    }
    run(db, "DELETE FROM logout_notices WHERE tenant_id = ? AND app_id = ?", both()).await?;
    run(db, KILLS_OF, both()).await?;
    for table in OF_PARTY {
        run(db, &format!("DELETE FROM {table} WHERE tenant_id = ? AND party_id = ?"), both()).await?;
    }
    connection::Entity::delete_by_id(key).exec(db).await.map(drop).map_err(failed)
}

/// The app's grants go with it, and by their keys its secrets and consents. No index leads from an app to its grants: each login
/// would pay for it, and this reads only the tenant's part of the primary key. Apps go rarely.
pub async fn app(db: &DatabaseTransaction, tenant: TenantId, id: AppId) -> Result<(), ApplyError> {
    let both = || vec![uuid(tenant), Arg::Uuid(id.uuid())];
    run(db, KILLS_OF, both()).await?;
    for table in ["grants", "participants", "logout_notices"] {
        run(db, &format!("DELETE FROM {table} WHERE tenant_id = ? AND app_id = ?"), both()).await?;
    }
    for table in OF_PARTY {
        run(db, &format!("DELETE FROM {table} WHERE tenant_id = ? AND party_id = ?"), both()).await?;
    }
    app::Entity::delete_by_id((tenant.uuid(), id.uuid())).exec(db).await.map(drop).map_err(failed)
}

pub async fn secret(
    db: &DatabaseTransaction,
    tenant: TenantId,
    owner: SecretOwner,
    name: &str,
) -> Result<(), ApplyError> {
    let condition = match owner {
        SecretOwner::Connection(id) => secret::Column::ConnectionId.eq(id.uuid()),
        SecretOwner::App(id) => secret::Column::AppId.eq(id.uuid()),
    };
    secret::Entity::delete_many()
        .filter(secret::Column::TenantId.eq(tenant.uuid()))
        .filter(condition)
        .filter(secret::Column::Name.eq(name))
        .exec(db)
        .await
        .map(drop)
        .map_err(failed)
}

fn refuse_people(people: u64, what: impl Fn() -> String) -> Result<(), ApplyError> {
    if people == 0 { Ok(()) } else { Err(ApplyError::HasPeople { what: what(), people }) }
}

async fn count(db: &DatabaseTransaction, sql: &str, args: Vec<Arg>) -> Result<u64, ApplyError> {
    let row = db.query_one_raw(statement(db.get_database_backend(), sql, args)).await.map_err(failed)?;
    let count: i64 = row.map_or(Ok(0), |row| row.try_get_by_index(0)).map_err(failed)?;
    Ok(count.unsigned_abs())
}

async fn run(db: &DatabaseTransaction, sql: &str, args: Vec<Arg>) -> Result<(), ApplyError> {
    db.execute_raw(statement(db.get_database_backend(), sql, args)).await.map(drop).map_err(failed)
}
