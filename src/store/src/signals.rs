//! The ports of signals: what waits for each receiver, the streams that receivers ask for, and the outbox.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, SignalId, TenantId};
use fedbridge_contract::signals::{Signal, SignalQueue, Stream};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{SignalOutbox, TakenReceiver};

use crate::error::damaged;
use crate::open::Store;
use crate::row::{Row, get, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::{millis, sealed_signal, signal_place, uuid};
use crate::work::{Arg, Change, WorkError};

/// Signals of one statement: a database statement has a bounded number of values.
const TOGETHER: usize = 200;

#[async_trait]
impl SignalQueue for Store {
    async fn stream(&self, tenant: TenantId, app: AppId) -> Result<Option<Stream>, StoreError> {
        let sql = "SELECT sealed FROM signal_streams WHERE tenant_id = ? AND app_id = ?";
        let Some(row) = self.one(sql, of(tenant, app)).await? else { return Ok(None) };
        let Some(sealed) = get::<Option<Vec<u8>>>(&row, 0)? else { return Ok(None) };
        let plain = self.inner.sealer.open(&stream_place(tenant, app), &sealed).map_err(|_| damaged("a stream"))?;
        serde_json::from_slice(&plain).map(Some).map_err(|_| damaged("a stream"))
    }

    async fn keep_stream(&self, tenant: TenantId, app: AppId, stream: &Stream) -> Result<(), StoreError> {
        let plain = serde_json::to_vec(stream).map_err(|_| StoreError("a stream can't be written as JSON".into()))?;
        let sealed = self.inner.sealer.seal(&stream_place(tenant, app), &plain);
        let keep = Change::new(
            "INSERT INTO signal_streams (tenant_id, app_id, leased_until, failures, sealed) \
             SELECT a.tenant_id, a.id, ?, ?, ? FROM apps a WHERE a.tenant_id = ? AND a.id = ? \
             ON CONFLICT (tenant_id, app_id) DO UPDATE SET leased_until = excluded.leased_until, \
             failures = excluded.failures, sealed = excluded.sealed",
            [vec![Arg::Int(0), Arg::Int(0), Arg::Octets(sealed)], of(tenant, app)].concat(),
        );
        // It may be pushed from now on.
        let wake = "UPDATE signals SET parked = ? WHERE tenant_id = ? AND app_id = ?";
        let wake = Change::new(wake, [vec![Arg::Flag(false)], of(tenant, app)].concat());
        done(self.work(vec![keep, wake]).await).map(drop)
    }

    async fn forget_stream(&self, tenant: TenantId, app: AppId) -> Result<(), StoreError> {
        let clear = ["signals", "signal_streams", "signal_mutes"].map(|table| {
            Change::new(format!("DELETE FROM {table} WHERE tenant_id = ? AND app_id = ?"), of(tenant, app))
        });
        done(self.work(clear.into()).await).map(drop)
    }

    async fn waiting(
        &self,
        tenant: TenantId,
        app: AppId,
        most: u32,
        now: Timestamp,
    ) -> Result<Vec<Signal>, StoreError> {
        let sql = format!(
            "SELECT id, sealed FROM signals WHERE tenant_id = ? AND app_id = ? AND expires_at > ? ORDER BY id LIMIT {most}"
        );
        let rows = self.all(&sql, [of(tenant, app), vec![millis(now)]].concat()).await?;
        rows.iter().map(|row| self.signal(tenant, app, row)).collect()
    }

    async fn add(&self, tenant: TenantId, app: AppId, signal: &Signal, expires: Timestamp) -> Result<(), StoreError> {
        let sealed = sealed_signal(tenant, app, signal, self.inner.sealer.as_ref())?;
        let change = Change::new(
            "INSERT INTO signals (tenant_id, app_id, id, expires_at, parked, sealed) VALUES (?, ?, ?, ?, ?, ?)",
            vec![
                uuid(tenant),
                Arg::Uuid(app.uuid()),
                Arg::Uuid(signal.id.uuid()),
                millis(expires),
                Arg::Flag(false),
                Arg::Octets(sealed),
            ],
        );
        self.change(change).await.map(drop)
    }

    async fn settle(&self, tenant: TenantId, app: AppId, signals: &[SignalId]) -> Result<u64, StoreError> {
        let mut count = 0;
        for part in signals.chunks(TOGETHER) {
            let places = vec!["?"; part.len()].join(", ");
            let ids = part.iter().map(|id| Arg::Uuid(id.uuid()));
            let sql = format!("DELETE FROM signals WHERE tenant_id = ? AND app_id = ? AND id IN ({places})");
            count += self.change(Change::new(sql, of(tenant, app).into_iter().chain(ids).collect())).await?;
        }
        Ok(count)
    }

    async fn mute(&self, tenant: TenantId, app: AppId, subject: [u8; 32], muted: bool) -> Result<(), StoreError> {
        let args = [of(tenant, app), vec![Arg::Octets(subject.to_vec())]].concat();
        let sql = if muted {
            "INSERT INTO signal_mutes (tenant_id, app_id, subject_hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        } else {
            "DELETE FROM signal_mutes WHERE tenant_id = ? AND app_id = ? AND subject_hash = ?"
        };
        self.change(Change::new(sql, args)).await.map(drop)
    }
}

#[async_trait]
impl SignalOutbox for SystemStore {
    async fn take(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<TakenReceiver>, StoreError> {
        let due = format!(
            "SELECT DISTINCT s.tenant_id, s.app_id FROM signals s WHERE NOT s.parked AND NOT EXISTS \
             (SELECT 1 FROM signal_streams t WHERE t.tenant_id = s.tenant_id AND t.app_id = s.app_id \
             AND t.leased_until > ?) LIMIT {most}"
        );
        let mut taken = Vec::new();
        for row in self.0.all(&due, vec![millis(now)]).await? {
            let (tenant, app) = (TenantId::from_uuid(read_uuid(&row, 0)?), AppId::from_uuid(read_uuid(&row, 1)?));
            let rows = done(self.0.background(leasing(tenant, app, now, now + lease).into()).await)?;
            if rows.iter().sum::<u64>() == 0 {
                continue;
            }
            let sql = "SELECT failures FROM signal_streams WHERE tenant_id = ? AND app_id = ?";
            let Some(row) = self.0.one(sql, of(tenant, app)).await? else { continue };
            let failures = u32::try_from(get::<i64>(&row, 0)?).unwrap_or(u32::MAX);
            taken.push(TakenReceiver { tenant, app, failures });
        }
        Ok(taken)
    }

    async fn give_back(&self, taken: TakenReceiver, until: Timestamp) -> Result<(), StoreError> {
        let change = Change::new(
            "UPDATE signal_streams SET leased_until = ?, failures = ? WHERE tenant_id = ? AND app_id = ?",
            [vec![millis(until), Arg::Int(taken.failures.into())], of(taken.tenant, taken.app)].concat(),
        );
        done(self.0.background(vec![change]).await).map(drop)
    }

    async fn park(&self, taken: TakenReceiver) -> Result<(), StoreError> {
        let sql = "UPDATE signals SET parked = ? WHERE tenant_id = ? AND app_id = ? AND NOT parked";
        let change = Change::new(sql, [vec![Arg::Flag(true)], of(taken.tenant, taken.app)].concat());
        done(self.0.background(vec![change]).await).map(drop)
    }

    async fn drop_waiting(&self, taken: TakenReceiver, before: Option<Timestamp>) -> Result<u64, StoreError> {
        let mut sql = "DELETE FROM signals WHERE tenant_id = ? AND app_id = ?".to_owned();
        let mut args = of(taken.tenant, taken.app);
        if let Some(before) = before {
            sql.push_str(" AND expires_at <= ?");
            args.push(millis(before));
        }
        Ok(done(self.0.background(vec![Change::new(sql, args)]).await)?.iter().sum())
    }
}

impl Store {
    fn signal(&self, tenant: TenantId, app: AppId, row: &Row) -> Result<Signal, StoreError> {
        let id = SignalId::from_uuid(read_uuid(row, 0)?);
        let sealed: Vec<u8> = get(row, 1)?;
        let plain = self.inner.sealer.open(&signal_place(tenant, app, id), &sealed).map_err(|_| damaged("a signal"))?;
        serde_json::from_slice(&plain).map_err(|_| damaged("a signal"))
    }
}

/// One of the two changes a row where nobody else has the receiver. On PostgreSQL neither sees the other.
fn leasing(tenant: TenantId, app: AppId, now: Timestamp, until: Timestamp) -> [Change; 2] {
    [
        Change::new(
            "INSERT INTO signal_streams (tenant_id, app_id, leased_until, failures) \
             SELECT a.tenant_id, a.id, ?, ? FROM apps a WHERE a.tenant_id = ? AND a.id = ? ON CONFLICT DO NOTHING",
            [vec![millis(until), Arg::Int(0)], of(tenant, app)].concat(),
        ),
        Change::new(
            "UPDATE signal_streams SET leased_until = ? WHERE tenant_id = ? AND app_id = ? AND leased_until <= ?",
            [vec![millis(until)], of(tenant, app), vec![millis(now)]].concat(),
        ),
    ]
}

fn of(tenant: TenantId, app: AppId) -> Vec<Arg> {
    vec![uuid(tenant), Arg::Uuid(app.uuid())]
}

fn done(done: Result<Vec<u64>, WorkError>) -> Result<Vec<u64>, StoreError> {
    match done {
        Ok(rows) => Ok(rows),
        Err(WorkError::Store(cause)) => Err(cause),
        Err(WorkError::Guard(_)) => Ok(Vec::new()),
    }
}

/// The place that a stream is sealed for.
fn stream_place(tenant: TenantId, app: AppId) -> Vec<u8> {
    format!("{tenant}/signal stream/{app}").into_bytes()
}
