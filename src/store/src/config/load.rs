//! Reading the configuration at one moment.

use std::collections::BTreeMap;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{Changed, Sealer};
use fedbridge_hub::spec::{
    SecretOwner, SecretValue, StoredApp, StoredConnection, StoredKey, StoredSecret, StoredTenant, Switches,
    TenantConfiguration, TenantExtras, TenantSpec,
};
use sea_orm::{
    AccessMode, ColumnTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait, IsolationLevel,
    QueryFilter, QueryOrder, QuerySelect, TransactionTrait,
};
use serde::Deserialize;
use uuid::Uuid;

use crate::config::documents;
use crate::config::put::secret_place;
use crate::config::words::{from_json, from_word};
use crate::entity::{app, connection, document, domain, installation, secret, signing_key, tenant};
use crate::error::{damaged, store_error};

/// Reads all tenants, or those that changed after a version.
pub async fn load(db: &DatabaseConnection, sealer: &dyn Sealer, since: Option<i64>) -> Result<Changed, StoreError> {
    let rows = read(db, since).await.map_err(|cause| store_error(&cause))?;
    let mut children =
        Children::new(rows.domains, rows.connections, rows.apps, rows.secrets, rows.keys, rows.documents);
    let mut loaded = Changed { version: rows.version, existing: rows.all, ..Changed::default() };
    for row in rows.tenants {
        let on = children.switches(&row);
        match children.tenant(row, sealer) {
            Ok(tenant) => loaded.tenants.push(tenant),
            Err(cause) => loaded.unreadable.push((on, cause)),
        }
    }
    Ok(loaded)
}

struct Rows {
    version: i64,
    all: Vec<TenantId>,
    tenants: Vec<tenant::Model>,
    domains: Vec<domain::Model>,
    connections: Vec<connection::Model>,
    apps: Vec<app::Model>,
    secrets: Vec<secret::Model>,
    keys: Vec<signing_key::Model>,
    documents: Vec<document::Model>,
}

/// One transaction, so that all rows are of one moment. SQLite gives that to any transaction.
async fn read(db: &DatabaseConnection, since: Option<i64>) -> Result<Rows, DbErr> {
    let snapshot = match db.get_database_backend() {
        DbBackend::Postgres => {
            db.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)).await?
        }
        _ => db.begin().await?,
    };
    let rows = read_in(&snapshot, since).await?;
    snapshot.commit().await?;
    Ok(rows)
}

async fn read_in(db: &DatabaseTransaction, since: Option<i64>) -> Result<Rows, DbErr> {
    let version = installation::Entity::find_by_id(1_i64).one(db).await?.map_or(0, |row| row.version);
    let ids: Vec<Uuid> =
        tenant::Entity::find().select_only().column(tenant::Column::TenantId).into_tuple().all(db).await?;
    // Where the version went back, another state of the database was restored.
    let since = since.filter(|since| *since <= version).unwrap_or(i64::MIN);
    let changed = tenant::Column::Version.gt(since);
    let tenants = tenant::Entity::find().filter(changed).order_by_asc(tenant::Column::Slug).all(db).await?;
    let of: Vec<Uuid> = tenants.iter().map(|row| row.tenant_id).collect();
    macro_rules! rows {
        ($entity:ident, $order:ident) => {{
            let all = $entity::Entity::find().order_by_asc($entity::Column::$order);
            // A list of most tenants would be longer than a database takes; reading all is then cheaper too.
            let some = match of.len() * 2 < ids.len() && of.len() < 500 {
                true => all.filter($entity::Column::TenantId.is_in(of.iter().copied())),
                false => all,
            };
            some.all(db).await?
        }};
    }
    Ok(Rows {
        version,
        domains: rows!(domain, Position),
        connections: rows!(connection, Slug),
        apps: rows!(app, Name),
        secrets: rows!(secret, Name),
        keys: rows!(signing_key, CreatedAt),
        documents: rows!(document, PartyId),
        tenants,
        all: ids.into_iter().map(TenantId::from_uuid).collect(),
    })
}

/// Rows by tenant.
struct Children {
    domains: BTreeMap<Uuid, Vec<domain::Model>>,
    connections: BTreeMap<Uuid, Vec<connection::Model>>,
    apps: BTreeMap<Uuid, Vec<app::Model>>,
    secrets: BTreeMap<Uuid, Vec<secret::Model>>,
    keys: BTreeMap<Uuid, Vec<signing_key::Model>>,
    documents: BTreeMap<Uuid, Vec<document::Model>>,
}

impl Children {
    fn new(
        domains: Vec<domain::Model>,
        connections: Vec<connection::Model>,
        apps: Vec<app::Model>,
        secrets: Vec<secret::Model>,
        keys: Vec<signing_key::Model>,
        documents: Vec<document::Model>,
    ) -> Self {
        Self {
            domains: by_tenant(domains, |row| row.tenant_id),
            connections: by_tenant(connections, |row| row.tenant_id),
            apps: by_tenant(apps, |row| row.tenant_id),
            secrets: by_tenant(secrets, |row| row.tenant_id),
            keys: by_tenant(keys, |row| row.tenant_id),
            documents: by_tenant(documents, |row| row.tenant_id),
        }
    }

    /// What is switched on, of rows that may be unreadable otherwise. What doesn't say so is off.
    fn switches(&self, row: &tenant::Model) -> Switches {
        #[derive(Deserialize)]
        struct Switch {
            enabled: bool,
        }
        let on = |spec: &str| serde_json::from_str::<Switch>(spec).is_ok_and(|switch| switch.enabled);
        let connections = self.connections.get(&row.tenant_id).into_iter().flatten();
        let apps = self.apps.get(&row.tenant_id).into_iter().flatten();
        Switches {
            tenant: TenantId::from_uuid(row.tenant_id),
            enabled: row.enabled,
            connections: connections.filter(|it| on(&it.spec)).map(|it| ConnectionId::from_uuid(it.id)).collect(),
            apps: apps.filter(|it| on(&it.spec)).map(|it| AppId::from_uuid(it.id)).collect(),
        }
    }

    fn tenant(&mut self, row: tenant::Model, sealer: &dyn Sealer) -> Result<TenantConfiguration, StoreError> {
        let id = row.tenant_id;
        let tenant = TenantId::from_uuid(id);
        Ok(TenantConfiguration {
            version: row.version,
            connections: each(self.connections.remove(&id), stored_connection)?,
            apps: each(self.apps.remove(&id), stored_app)?,
            secrets: each(self.secrets.remove(&id), |row| stored_secret(row, sealer))?,
            keys: each(self.keys.remove(&id), stored_key)?,
            documents: each(self.documents.remove(&id), documents::stored)?,
            tenant: StoredTenant {
                id: tenant,
                managed: from_word(row.managed)?,
                spec: TenantSpec {
                    slug: row.slug,
                    display_name: row.display_name,
                    parent: row.parent_id.map(TenantId::from_uuid),
                    domains: each(self.domains.remove(&id), |row| Ok(row.name))?,
                    enabled: row.enabled,
                    extras: row.extras.map_or_else(|| Ok(TenantExtras::default()), |text| from_json(&text))?,
                },
            },
        })
    }
}

fn by_tenant<T>(rows: Vec<T>, tenant: impl Fn(&T) -> Uuid) -> BTreeMap<Uuid, Vec<T>> {
    let mut out: BTreeMap<Uuid, Vec<T>> = BTreeMap::new();
    for row in rows {
        out.entry(tenant(&row)).or_default().push(row);
    }
    out
}

fn each<T, U>(rows: Option<Vec<T>>, read: impl Fn(T) -> Result<U, StoreError>) -> Result<Vec<U>, StoreError> {
    rows.unwrap_or_default().into_iter().map(read).collect()
}

fn stored_connection(row: connection::Model) -> Result<StoredConnection, StoreError> {
    Ok(StoredConnection {
        tenant: TenantId::from_uuid(row.tenant_id),
        id: ConnectionId::from_uuid(row.id),
        managed: from_word(row.managed)?,
        spec: from_json(&row.spec)?,
    })
}

fn stored_app(row: app::Model) -> Result<StoredApp, StoreError> {
    Ok(StoredApp {
        tenant: TenantId::from_uuid(row.tenant_id),
        id: AppId::from_uuid(row.id),
        managed: from_word(row.managed)?,
        spec: from_json(&row.spec)?,
    })
}

fn stored_secret(row: secret::Model, sealer: &dyn Sealer) -> Result<StoredSecret, StoreError> {
    let tenant = TenantId::from_uuid(row.tenant_id);
    let owner = match (row.connection_id, row.app_id) {
        (Some(id), None) => SecretOwner::Connection(ConnectionId::from_uuid(id)),
        (None, Some(id)) => SecretOwner::App(AppId::from_uuid(id)),
        _ => return Err(damaged("a secret")),
    };
    let value = match (row.hash, row.sealed) {
        (Some(hash), None) => SecretValue::Hashed(hash.try_into().map_err(|_| damaged("a secret"))?),
        (None, Some(sealed)) => {
            let place = secret_place(tenant, owner, &row.name);
            SecretValue::Clear(sealer.open(&place, &sealed).map_err(|_| damaged("a secret"))?)
        }
        _ => return Err(damaged("a secret")),
    };
    Ok(StoredSecret { tenant, owner, name: row.name, value })
}

fn stored_key(row: signing_key::Model) -> Result<StoredKey, StoreError> {
    Ok(StoredKey {
        tenant: TenantId::from_uuid(row.tenant_id),
        kid: row.kid,
        purpose: from_word(row.purpose)?,
        connection: row.connection_id.map(ConnectionId::from_uuid),
        algorithm: SignatureAlgorithm::from_name(&row.algorithm).ok_or_else(|| damaged("a key"))?,
        state: from_word(row.state)?,
        created: Timestamp::from_millis(row.created_at),
        changed: Timestamp::from_millis(row.changed_at),
        sealed_private: row.sealed,
        public_jwk: from_json(&row.public_jwk)?,
        certificate: row.certificate,
    })
}
