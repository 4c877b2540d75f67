//! The port of apps with a SCIM server: whom they have by our word, and whose turn it is to tell them. As with syncs,
//! whoever has the turn writes until when into the row, and that time names the turn.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    ProvisionedCount, ProvisionedKind, ProvisionedLink, ProvisionedStore, ProvisioningState, Which,
};
use uuid::Uuid;

use crate::config::words::{from_json, json};
use crate::error::damaged;
use crate::open::Store;
use crate::row::{Row, get, time, time_or_none, uuid as read_uuid};
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change, WorkError};

const COLUMNS: &str = "subject_id, remote_id, on_there, digest, in_groups, changed_at";

/// Rows that one statement looks for, and that are kept at once.
const AT_ONCE: usize = 100;

#[async_trait]
impl ProvisionedStore for Store {
    async fn provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        kind: ProvisionedKind,
        which: Which<'_>,
    ) -> Result<Vec<ProvisionedLink>, StoreError> {
        let (column, wanted): (_, Vec<Arg>) = match which {
            Which::All => return self.all_provisioned(tenant, app, kind).await,
            Which::Subjects(ids) => ("subject_id", ids.iter().map(|id| Arg::Uuid(*id)).collect()),
            Which::Remotes(ids) => ("remote_id", ids.iter().map(|id| Arg::Text(id.clone())).collect()),
        };
        let mut found = Vec::new();
        for some in wanted.chunks(AT_ONCE) {
            let places = vec!["?"; some.len()].join(", ");
            let sql = format!(
                "SELECT {COLUMNS} FROM provisioned WHERE tenant_id = ? AND app_id = ? AND kind = ? AND {column} IN ({places})"
            );
            for row in self.all(&sql, [of(tenant, app, kind), some.to_vec()].concat()).await? {
                found.push(read(&row)?);
            }
        }
        found.sort_by_key(|link| link.subject);
        Ok(found)
    }

    async fn keep_provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        kind: ProvisionedKind,
        links: &[ProvisionedLink],
    ) -> Result<(), StoreError> {
        for some in links.chunks(AT_ONCE) {
            let changes = some.iter().map(|link| keep(tenant, app, kind, link)).collect::<Result<Vec<_>, _>>()?;
            match self.background(changes).await {
                Ok(_) | Err(WorkError::Guard(_)) => {}
                Err(WorkError::Store(cause)) => return Err(cause),
            }
        }
        Ok(())
    }

    async fn forget_provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        kind: ProvisionedKind,
        subject: Uuid,
    ) -> Result<(), StoreError> {
        let sql = "DELETE FROM provisioned WHERE tenant_id = ? AND app_id = ? AND kind = ? AND subject_id = ?";
        self.change(Change::new(sql, [of(tenant, app, kind), vec![Arg::Uuid(subject)]].concat())).await.map(drop)
    }

    async fn count_provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        since: Timestamp,
    ) -> Result<ProvisionedCount, StoreError> {
        let sql = "SELECT coalesce(sum(CASE WHEN on_there THEN 1 ELSE 0 END), 0), \
                   coalesce(sum(CASE WHEN NOT on_there AND changed_at > ? THEN 1 ELSE 0 END), 0) \
                   FROM provisioned WHERE tenant_id = ? AND app_id = ? AND kind = ?";
        let args = [vec![millis(since)], of(tenant, app, ProvisionedKind::User)].concat();
        let row = self.one(sql, args).await?.ok_or_else(|| damaged("a count"))?;
        let number = |at| u64::try_from(get::<i64>(&row, at)?).map_err(|_| damaged("a count"));
        Ok(ProvisionedCount { on: number(0)?, off_lately: number(1)? })
    }

    async fn provisioning_state(&self, tenant: TenantId, app: AppId) -> Result<ProvisioningState, StoreError> {
        let sql = "SELECT full_at, report FROM provisioning_states WHERE tenant_id = ? AND app_id = ?";
        let Some(row) = self.one(sql, key(tenant, app)).await? else { return Ok(ProvisioningState::default()) };
        let report: Option<String> = get(&row, 1)?;
        let last = report.map(|text| from_json(&text)).transpose()?;
        Ok(ProvisioningState { full_at: time_or_none(&row, 0)?, last })
    }

    async fn take_provisioning_turn(
        &self,
        tenant: TenantId,
        app: AppId,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<ProvisioningState>, StoreError> {
        let take = Change::new(
            "INSERT INTO provisioning_states (tenant_id, app_id, turn_until) VALUES (?, ?, ?) \
             ON CONFLICT (tenant_id, app_id) DO UPDATE SET turn_until = excluded.turn_until \
             WHERE provisioning_states.turn_until IS NULL OR provisioning_states.turn_until <= ?",
            [key(tenant, app), vec![millis(lease), millis(now)]].concat(),
        );
        match self.change(take).await? {
            0 => Ok(None),
            _ => self.provisioning_state(tenant, app).await.map(Some),
        }
    }

    async fn extend_provisioning_turn(
        &self,
        tenant: TenantId,
        app: AppId,
        lease: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let extend = Change::new(
            "UPDATE provisioning_states SET turn_until = ? WHERE tenant_id = ? AND app_id = ? AND turn_until = ?",
            [vec![millis(until)], key(tenant, app), vec![millis(lease)]].concat(),
        );
        Ok(self.change(extend).await? == 1)
    }

    async fn end_provisioning_turn(
        &self,
        tenant: TenantId,
        app: AppId,
        lease: Timestamp,
        state: &ProvisioningState,
    ) -> Result<bool, StoreError> {
        let report = state.last.as_ref().map(json).transpose()?;
        let end = Change::new(
            "UPDATE provisioning_states SET turn_until = NULL, full_at = ?, report = ? \
             WHERE tenant_id = ? AND app_id = ? AND turn_until = ?",
            [
                vec![Arg::OptInt(state.full_at.map(Timestamp::millis)), Arg::OptText(report)],
                key(tenant, app),
                vec![millis(lease)],
            ]
            .concat(),
        );
        Ok(self.change(end).await? == 1)
    }
}

impl Store {
    /// Page by page: an app may have everybody.
    async fn all_provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        kind: ProvisionedKind,
    ) -> Result<Vec<ProvisionedLink>, StoreError> {
        const PAGE: usize = 1_000;
        let sql = format!(
            "SELECT {COLUMNS} FROM provisioned WHERE tenant_id = ? AND app_id = ? AND kind = ? AND subject_id > ? \
             ORDER BY subject_id LIMIT {PAGE}"
        );
        let mut found: Vec<ProvisionedLink> = Vec::new();
        loop {
            let after = found.last().map_or(Uuid::nil(), |link| link.subject);
            let rows = self.all(&sql, [of(tenant, app, kind), vec![Arg::Uuid(after)]].concat()).await?;
            for row in &rows {
                found.push(read(row)?);
            }
            if rows.len() < PAGE {
                return Ok(found);
            }
        }
    }
}

/// An app that was deleted meanwhile gets no row: nothing would ever take it away again.
fn keep(tenant: TenantId, app: AppId, kind: ProvisionedKind, link: &ProvisionedLink) -> Result<Change, StoreError> {
    let sql = "INSERT INTO provisioned (tenant_id, app_id, kind, subject_id, remote_id, on_there, digest, in_groups, \
               changed_at) SELECT tenant_id, id, ?, ?, ?, ?, ?, ?, ? FROM apps WHERE tenant_id = ? AND id = ? \
               ON CONFLICT (tenant_id, app_id, kind, subject_id) DO UPDATE SET remote_id = excluded.remote_id, \
               on_there = excluded.on_there, digest = excluded.digest, in_groups = excluded.in_groups, \
               changed_at = excluded.changed_at";
    let args = vec![
        Arg::Text(word(kind).to_owned()),
        Arg::Uuid(link.subject),
        Arg::Text(link.remote.clone()),
        Arg::Flag(link.on),
        Arg::OptOctets(link.digest.map(|digest| digest.to_vec())),
        Arg::Text(json(&link.groups)?),
        millis(link.changed),
        uuid(tenant),
        Arg::Uuid(app.uuid()),
    ];
    Ok(Change::new(sql, args))
}

fn read(row: &Row) -> Result<ProvisionedLink, StoreError> {
    let digest = match get::<Option<Vec<u8>>>(row, 3)? {
        None => None,
        Some(octets) => Some(octets.try_into().map_err(|_| damaged("whom an app has"))?),
    };
    Ok(ProvisionedLink {
        subject: read_uuid(row, 0)?,
        remote: get(row, 1)?,
        on: get(row, 2)?,
        digest,
        groups: from_json(&get::<String>(row, 4)?)?,
        changed: time(row, 5)?,
    })
}

const fn word(kind: ProvisionedKind) -> &'static str {
    match kind {
        ProvisionedKind::User => "user",
        ProvisionedKind::Group => "group",
    }
}

fn key(tenant: TenantId, app: AppId) -> Vec<Arg> {
    vec![uuid(tenant), Arg::Uuid(app.uuid())]
}

fn of(tenant: TenantId, app: AppId, kind: ProvisionedKind) -> Vec<Arg> {
    let mut args = key(tenant, app);
    args.push(Arg::Text(word(kind).to_owned()));
    args
}
