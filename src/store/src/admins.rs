//! The ports of administrators and API keys. Hashes only: nothing here could be
//! used to get in.

use std::collections::BTreeSet;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::admin::{
    Administrator, AdministratorId, ApiKey, ApiKeyId, Reach, Role, SYSTEM_TENANT, Scope, Setup, SetupCode,
};
use fedbridge_hub::ports::{AdminStore, AdminStoreError, ApiKeyStore, Rotation};

use crate::error::damaged;
use crate::row::{Row, get, time, time_or_none, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change, WorkError};

const ADMINISTRATOR: &str = "tenant_id, id, name, role, created_at, setup_hash, setup_expires_at";

const API_KEY: &str = "tenant_id, id, name, scopes, created_at, expires_at, key_hash, rotated_at, previous_hash, \
                       previous_expires_at, revoked_at";

#[async_trait]
impl AdminStore for SystemStore {
    async fn administrators(&self) -> Result<Vec<Administrator>, StoreError> {
        let sql = format!("SELECT {ADMINISTRATOR} FROM administrators ORDER BY name");
        self.0.all(&sql, Vec::new()).await?.iter().map(administrator).collect()
    }

    async fn create_administrator(&self, new: &Administrator) -> Result<(), AdminStoreError> {
        let (hash, expires) = match new.setup {
            Setup::Pending(code) => (Some(code.hash.to_vec()), Some(code.expires.millis())),
            Setup::Done => (None, None),
        };
        let args = vec![
            uuid(new.reach.stored_under()),
            Arg::Uuid(new.id.uuid()),
            Arg::Text(new.name.clone()),
            Arg::Text(new.role.name().to_owned()),
            millis(new.created),
            Arg::OptOctets(hash),
            Arg::OptInt(expires),
        ];
        self.insert("administrators", ADMINISTRATOR, args, new.reach, "(name)").await
    }

    async fn renew_setup(&self, name: &str, code: SetupCode) -> Result<(), AdminStoreError> {
        let change = Change::new(
            "UPDATE administrators SET setup_hash = ?, setup_expires_at = ? WHERE name = ?",
            vec![Arg::Octets(code.hash.to_vec()), millis(code.expires), Arg::Text(name.to_owned())],
        );
        if self.0.change(change).await? == 1 { Ok(()) } else { Err(AdminStoreError::Gone) }
    }

    async fn use_setup(&self, name: &str, hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
        let change = Change::new(
            "UPDATE administrators SET setup_hash = NULL, setup_expires_at = NULL \
             WHERE name = ? AND setup_hash = ? AND setup_expires_at > ?",
            vec![Arg::Text(name.to_owned()), Arg::Octets(hash.to_vec()), millis(now)],
        );
        Ok(self.0.change(change).await? == 1)
    }
}

#[async_trait]
impl ApiKeyStore for SystemStore {
    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let sql = format!(
            "SELECT {API_KEY} FROM api_keys ORDER BY CASE WHEN tenant_id = ? THEN 0 ELSE 1 END, name, tenant_id"
        );
        self.0.all(&sql, vec![uuid(SYSTEM_TENANT)]).await?.iter().map(api_key).collect()
    }

    async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError> {
        let sql = format!("SELECT {API_KEY} FROM api_keys WHERE id = ?");
        self.0.one(&sql, vec![Arg::Uuid(id.uuid())]).await?.as_ref().map(api_key).transpose()
    }

    async fn create_api_key(&self, new: &ApiKey) -> Result<(), AdminStoreError> {
        let scopes: Vec<_> = new.scopes.iter().map(|scope| scope.name()).collect();
        let args = vec![
            uuid(new.reach.stored_under()),
            Arg::Uuid(new.id.uuid()),
            Arg::Text(new.name.clone()),
            Arg::Text(scopes.join(" ")),
            millis(new.created),
            millis(new.expires),
            Arg::Octets(new.hash.to_vec()),
            Arg::OptInt(new.rotated.map(Timestamp::millis)),
            Arg::OptOctets(new.previous.map(|(hash, _)| hash.to_vec())),
            Arg::OptInt(new.previous.map(|(_, until)| until.millis())),
            Arg::OptInt(new.revoked.map(Timestamp::millis)),
        ];
        self.insert("api_keys", API_KEY, args, new.reach, "(tenant_id, name)").await
    }

    async fn rotate_api_key(&self, rotation: Rotation) -> Result<(), AdminStoreError> {
        let change = Change::new(
            "UPDATE api_keys SET previous_hash = key_hash, previous_expires_at = ?, key_hash = ?, rotated_at = ? \
             WHERE id = ? AND key_hash = ? AND revoked_at IS NULL AND expires_at > ?",
            vec![
                millis(rotation.previous_until),
                Arg::Octets(rotation.hash.to_vec()),
                millis(rotation.now),
                Arg::Uuid(rotation.id.uuid()),
                Arg::Octets(rotation.expected.to_vec()),
                millis(rotation.now),
            ],
        );
        if self.0.change(change).await? == 1 { Ok(()) } else { Err(AdminStoreError::Gone) }
    }

    async fn revoke_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, StoreError> {
        let change = Change::new(
            "UPDATE api_keys SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL",
            vec![millis(now), Arg::Uuid(id.uuid())],
        );
        Ok(self.0.change(change).await? == 1)
    }
}

impl SystemStore {
    /// Inserts a row, unless its name is taken. A tenant that is gone fails its foreign key.
    async fn insert(
        &self,
        table: &str,
        columns: &str,
        mut args: Vec<Arg>,
        reach: Reach,
        name: &str,
    ) -> Result<(), AdminStoreError> {
        let mut sql = format!("INSERT INTO {table} ({columns}");
        if let Reach::Tenant(tenant) = reach {
            sql.push_str(", of_tenant");
            args.push(uuid(tenant));
        }
        let places = vec!["?"; args.len()].join(", ");
        sql.push_str(&format!(") VALUES ({places}) ON CONFLICT {name} DO NOTHING"));
        match self.0.work(vec![Change { guarded: true, ..Change::new(sql, args) }]).await {
            Ok(_) => Ok(()),
            Err(WorkError::Guard(_)) => Err(AdminStoreError::NameTaken),
            Err(WorkError::Store(cause)) => Err(cause.into()),
        }
    }
}

fn administrator(row: &Row) -> Result<Administrator, StoreError> {
    let role: String = get(row, 3)?;
    let setup = match (hash(row, 5)?, time_or_none(row, 6)?) {
        (Some(hash), Some(expires)) => Setup::Pending(SetupCode { hash, expires }),
        (None, None) => Setup::Done,
        _ => return Err(damaged("an administrator")),
    };
    Ok(Administrator {
        reach: reach(row)?,
        id: AdministratorId::from_uuid(read_uuid(row, 1)?),
        name: get(row, 2)?,
        role: Role::from_name(&role).ok_or_else(|| damaged("an administrator"))?,
        created: time(row, 4)?,
        setup,
    })
}

fn api_key(row: &Row) -> Result<ApiKey, StoreError> {
    let scopes: String = get(row, 3)?;
    let scopes: Option<BTreeSet<_>> = scopes.split_whitespace().map(Scope::from_name).collect();
    Ok(ApiKey {
        reach: reach(row)?,
        id: ApiKeyId::from_uuid(read_uuid(row, 1)?),
        name: get(row, 2)?,
        scopes: scopes.ok_or_else(|| damaged("an API key"))?,
        created: time(row, 4)?,
        expires: time(row, 5)?,
        hash: hash(row, 6)?.ok_or_else(|| damaged("an API key"))?,
        rotated: time_or_none(row, 7)?,
        previous: hash(row, 8)?.zip(time_or_none(row, 9)?),
        revoked: time_or_none(row, 10)?,
    })
}

fn reach(row: &Row) -> Result<Reach, StoreError> {
    read_uuid(row, 0).map(|tenant| Reach::of_stored(TenantId::from_uuid(tenant)))
}

fn hash(row: &Row, at: usize) -> Result<Option<[u8; 32]>, StoreError> {
    let octets: Option<Vec<u8>> = get(row, at)?;
    octets.map(|octets| octets.try_into().map_err(|_| damaged("a hash"))).transpose()
}
