//! The port of grants: codes, refresh families, revocation, one-time keys.
//!
//! Each change is one guarded statement. Where it changes nothing, a second one
//! reads why; that can't go stale in a way that matters, because a code stays
//! redeemed, a generation only grows, and a revocation stays.

use async_trait::async_trait;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::{CodeState, Grant, Redeemed, RefreshState, Rotated, Standing};
use fedbridge_contract::ids::{GrantId, TenantId};
use fedbridge_contract::services::{Grants, RefreshLifetimes, Rotation};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::Sealer;

use crate::error::damaged;
use crate::open::Store;
use crate::row::{Row, get, time, time_or_none, uuid as read_uuid};
use crate::unit::{KEEP_GRANT, grant_place, millis, seal_grant, uuid};
use crate::work::{Arg, Change, digest};

/// Subqueries and not joins: for a join, PostgreSQL's cached plan looked sessions up by tenant alone.
const GRANT: &str = "SELECT g.id, g.sealed, g.code_expires_at, g.redeemed_at, g.generation, g.rotated_at, \
    g.idle_expires_at, g.absolute_expires_at, g.revoked_at, \
    (SELECT (p.disabled OR p.shut_at IS NOT NULL) FROM people p WHERE p.tenant_id = g.tenant_id AND p.id = g.person_id), \
    (SELECT p.epoch FROM people p WHERE p.tenant_id = g.tenant_id AND p.id = g.person_id), \
    (SELECT s.idle_expires_at FROM sessions s WHERE s.tenant_id = g.tenant_id AND s.id = g.session_id \
        AND s.idle_expires_at > ? AND s.absolute_expires_at > ?), \
    (SELECT r.expires_at FROM revoked_tokens r WHERE r.tenant_id = g.tenant_id AND r.jti_hash = ?) FROM grants g ";

#[async_trait]
impl Grants for Store {
    async fn by_code(
        &self,
        tenant: TenantId,
        grant: GrantId,
        code_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Grant>, StoreError> {
        let sql = joined(GRANT, "WHERE g.tenant_id = ? AND g.id = ? AND g.code_hash = ?");
        let (id, hash) = (Arg::Uuid(grant.uuid()), Arg::Octets(code_hash.to_vec()));
        let args = vec![millis(now), millis(now), Arg::OptOctets(None), uuid(tenant), id, hash];
        self.one(&sql, args).await?.map(|row| self.grant(tenant, &row)).transpose()
    }

    async fn find(
        &self,
        tenant: TenantId,
        grant: GrantId,
        jti: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Grant>, StoreError> {
        let sql = joined(GRANT, "WHERE g.tenant_id = ? AND g.id = ?");
        let token = Arg::OptOctets(jti.map(|jti| digest(&[jti])));
        let args = vec![millis(now), millis(now), token, uuid(tenant), Arg::Uuid(grant.uuid())];
        self.one(&sql, args).await?.map(|row| self.grant(tenant, &row)).transpose()
    }

    async fn redeem(
        &self,
        tenant: TenantId,
        grant: GrantId,
        refresh: Option<RefreshLifetimes>,
        now: Timestamp,
    ) -> Result<Redeemed, StoreError> {
        if self.change(redeem(tenant, grant, refresh, now)).await? == 1 {
            return Ok(Redeemed::Now);
        }
        let sql = "SELECT redeemed_at FROM grants WHERE tenant_id = ? AND id = ?";
        let row = self.one(sql, vec![uuid(tenant), Arg::Uuid(grant.uuid())]).await?;
        let redeemed = row.map(|row| time_or_none(&row, 0)).transpose()?.flatten();
        Ok(if redeemed.is_some() { Redeemed::Before } else { Redeemed::Gone })
    }

    async fn rotate(&self, tenant: TenantId, rotation: Rotation) -> Result<Rotated, StoreError> {
        if self.change(rotate(tenant, &rotation, self.inner.sealer.as_ref())?).await? == 1 {
            let generation = rotation.presented + i64::from(rotation.rotate);
            return Ok(Rotated::To { generation });
        }
        let sql = "SELECT generation, rotated_at FROM grants WHERE tenant_id = ? AND id = ? AND revoked_at IS NULL \
                   AND generation IS NOT NULL AND idle_expires_at > ? AND absolute_expires_at > ?";
        let args = vec![uuid(tenant), Arg::Uuid(rotation.grant.uuid()), millis(rotation.now), millis(rotation.now)];
        let Some(row) = self.one(sql, args).await? else { return Ok(Rotated::Gone) };
        let generation: i64 = get(&row, 0)?;
        let within_grace = time(&row, 1)? + rotation.grace >= rotation.now;
        if generation == rotation.presented + 1 && within_grace {
            return Ok(Rotated::Again { generation });
        }
        self.revoke(tenant, rotation.grant, rotation.now).await?;
        Ok(Rotated::Reused)
    }

    async fn revoke(&self, tenant: TenantId, grant: GrantId, now: Timestamp) -> Result<(), StoreError> {
        let change = Change::new(
            "UPDATE grants SET revoked_at = ? WHERE tenant_id = ? AND id = ? AND revoked_at IS NULL",
            vec![millis(now), uuid(tenant), Arg::Uuid(grant.uuid())],
        );
        self.change(change).await.map(drop)
    }

    async fn revoke_token(&self, tenant: TenantId, jti: &str, expires: Timestamp) -> Result<(), StoreError> {
        let change = Change::new(
            "INSERT INTO revoked_tokens (tenant_id, jti_hash, expires_at) VALUES (?, ?, ?) \
             ON CONFLICT (tenant_id, jti_hash) DO NOTHING",
            vec![uuid(tenant), Arg::Octets(digest(&[jti])), millis(expires)],
        );
        self.change(change).await.map(drop)
    }

    async fn token_revoked(&self, tenant: TenantId, jti: &str) -> Result<bool, StoreError> {
        let sql = "SELECT expires_at FROM revoked_tokens WHERE tenant_id = ? AND jti_hash = ?";
        Ok(self.one(sql, vec![uuid(tenant), Arg::Octets(digest(&[jti]))]).await?.is_some())
    }

    async fn remember_once(
        &self,
        tenant: TenantId,
        purpose: &str,
        key: &str,
        expires: Timestamp,
    ) -> Result<bool, StoreError> {
        let change = Change::new(
            "INSERT INTO one_time_keys (tenant_id, key_hash, expires_at) VALUES (?, ?, ?) \
             ON CONFLICT (tenant_id, key_hash) DO NOTHING",
            vec![uuid(tenant), Arg::Octets(digest(&[purpose, key])), millis(expires)],
        );
        Ok(self.change(change).await? == 1)
    }
}

impl Store {
    fn grant(&self, tenant: TenantId, row: &Row) -> Result<Grant, StoreError> {
        let id = GrantId::from_uuid(read_uuid(row, 0)?);
        let sealed: Vec<u8> = get(row, 1)?;
        let plain = self.inner.sealer.open(&grant_place(tenant, id), &sealed).map_err(|_| damaged("a grant"))?;
        let code = match time_or_none(row, 3)? {
            Some(at) => CodeState::Redeemed { at },
            None => CodeState::Issued { expires: time(row, 2)? },
        };
        let refresh = match get::<Option<i64>>(row, 4)? {
            Some(generation) => Some(RefreshState {
                generation,
                rotated: time(row, 5)?,
                idle_expires: time(row, 6)?,
                absolute_expires: time(row, 7)?,
            }),
            None => None,
        };
        let standing = Standing {
            revoked: time_or_none(row, 8)?.is_some(),
            // A person who is gone is as good as disabled.
            person_disabled: get::<Option<bool>>(row, 9)?.unwrap_or(true),
            person_epoch: Epoch(get::<Option<i64>>(row, 10)?.unwrap_or_default()),
            // A session that has expired is as good as deleted: the janitor may come late.
            session_ended: time_or_none(row, 11)?.is_none(),
            token_revoked: time_or_none(row, 12)?.is_some(),
        };
        Ok(Grant {
            id,
            record: serde_json::from_slice(&plain).map_err(|_| damaged("a grant"))?,
            code,
            refresh,
            standing,
        })
    }
}

fn redeem(tenant: TenantId, grant: GrantId, refresh: Option<RefreshLifetimes>, now: Timestamp) -> Change {
    let idle = refresh.map(|times| (now + times.idle).min(times.absolute_expires));
    let keep_until = refresh.map_or(now, |times| times.absolute_expires.max(now)) + KEEP_GRANT;
    Change::new(
        "UPDATE grants SET redeemed_at = ?, generation = ?, rotated_at = ?, idle_expires_at = ?, \
         absolute_expires_at = ?, expires_at = ? \
         WHERE tenant_id = ? AND id = ? AND redeemed_at IS NULL AND revoked_at IS NULL AND code_expires_at > ?",
        vec![
            millis(now),
            Arg::OptInt(refresh.map(|_| 1)),
            Arg::OptInt(refresh.map(|_| now.millis())),
            Arg::OptInt(idle.map(Timestamp::millis)),
            Arg::OptInt(refresh.map(|times| times.absolute_expires.millis())),
            millis(keep_until),
            uuid(tenant),
            Arg::Uuid(grant.uuid()),
            millis(now),
        ],
    )
}

/// Compare and swap: only the holder of the generation that is good now gets past it.
fn rotate(tenant: TenantId, rotation: &Rotation, sealer: &dyn Sealer) -> Result<Change, StoreError> {
    let (now, idle) = (rotation.now, rotation.now + rotation.idle);
    let mut args = Vec::with_capacity(9);
    let moved = if rotation.rotate {
        args.push(millis(now));
        "generation = generation + 1, rotated_at = ?, "
    } else {
        ""
    };
    let kept = match &rotation.changed {
        None => "",
        Some(record) => {
            args.push(Arg::Octets(seal_grant(tenant, rotation.grant, record, sealer)?));
            "sealed = ?, "
        }
    };
    args.extend([
        millis(idle),
        millis(idle),
        uuid(tenant),
        Arg::Uuid(rotation.grant.uuid()),
        Arg::Int(rotation.presented),
        millis(now),
        millis(now),
    ]);
    let sql = format!(
        "UPDATE grants SET {moved}{kept}idle_expires_at = \
         CASE WHEN absolute_expires_at < ? THEN absolute_expires_at ELSE ? END \
         WHERE tenant_id = ? AND id = ? AND generation = ? AND revoked_at IS NULL \
         AND idle_expires_at > ? AND absolute_expires_at > ?"
    );
    Ok(Change::new(sql, args))
}

fn joined(select: &str, condition: &str) -> String {
    [select, condition].concat()
}
