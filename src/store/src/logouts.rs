//! The port of logouts: which sessions one means, whom it tells, and the outbox
//! of those who could not be told at once.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, LogoutId, PersonId, SessionId, TenantId};
use fedbridge_contract::logout::Told;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{LogoutOutbox, LogoutStore, StoredLogout, StoredNotice, StoredSession};
use uuid::Uuid;

use crate::error::damaged;
use crate::login::{SESSION, stored_session};
use crate::open::Store;
use crate::row::{Row, get, time, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::{millis, participant_place, uuid};
use crate::work::{Arg, Change, WorkError, digest};

/// How long a notice is tried.
const NOTICE: Duration = Duration::from_secs(120);

/// The node that carries a logout has this long to tell everybody itself before the outbox helps.
const HEAD_START: Duration = Duration::from_secs(10);

/// The kind of a row that says what came of telling an upstream. Its connection's id stands for the app's.
const UPSTREAM: &str = "upstream";

type Upstreams = Vec<(ConnectionId, Told)>;

const COLUMNS: &str = "tenant_id, logout_id, session_id, app_id, told, attempts, expires_at, sealed";

#[async_trait]
impl LogoutStore for Store {
    async fn session_by_id(
        &self,
        tenant: TenantId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<StoredSession>, StoreError> {
        let sql = format!(
            "SELECT {SESSION} WHERE s.tenant_id = ? AND s.id = ? AND s.idle_expires_at > ? AND s.absolute_expires_at > ?"
        );
        let args = vec![uuid(tenant), Arg::Uuid(session.uuid()), millis(now), millis(now)];
        self.one(&sql, args).await?.map(|row| stored_session(&row, 0)).transpose()
    }

    async fn sessions_of_participant(
        &self,
        tenant: TenantId,
        app: AppId,
        key: &str,
        indexes: &[String],
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let sql = format!(
            "SELECT x.index_hash, {SESSION} JOIN participants x ON x.tenant_id = s.tenant_id AND x.session_id = s.id \
             WHERE x.tenant_id = ? AND x.app_id = ? AND x.key_hash = ? \
             AND s.idle_expires_at > ? AND s.absolute_expires_at > ?"
        );
        let hash = Arg::Octets(digest(&[key]));
        let args = vec![uuid(tenant), Arg::Uuid(app.uuid()), hash, millis(now), millis(now)];
        named(&self.all(&sql, args).await?, indexes)
    }

    async fn sessions_of_upstream(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        key: &str,
        indexes: &[String],
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let hash = Arg::Octets(digest(&[key]));
        let args = vec![uuid(tenant), Arg::Uuid(connection.uuid()), hash, millis(now), millis(now)];
        named(&self.of_upstream("upstream_hash", args).await?, indexes)
    }

    async fn sessions_of_upstream_index(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        index: &str,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let hash = Arg::Octets(digest(&[index]));
        let args = vec![uuid(tenant), Arg::Uuid(connection.uuid()), hash, millis(now), millis(now)];
        named(&self.of_upstream("upstream_index_hash", args).await?, &[])
    }

    async fn sessions_of_person(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let sql = format!(
            "SELECT {SESSION} WHERE s.tenant_id = ? AND s.person_id = ? AND s.idle_expires_at > ? \
             AND s.absolute_expires_at > ? ORDER BY s.id"
        );
        let args = vec![uuid(tenant), Arg::Uuid(person.uuid()), millis(now), millis(now)];
        self.all(&sql, args).await?.iter().map(|row| stored_session(row, 0)).collect()
    }

    async fn spread(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        asker: Option<AppId>,
        now: Timestamp,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        let sql = "SELECT spread, sessions FROM logouts WHERE tenant_id = ? AND id = ?";
        let Some(row) = self.one(sql, vec![uuid(tenant), Arg::Uuid(logout.uuid())]).await? else {
            return Ok(Vec::new());
        };
        if !get::<bool>(&row, 0)? {
            let sessions: String = get(&row, 1)?;
            let sessions: Vec<SessionId> = serde_json::from_str(&sessions).map_err(|_| damaged("a logout"))?;
            let changes = spreading(tenant, logout, &sessions, asker, now);
            match self.work(changes).await {
                Ok(_) | Err(WorkError::Guard(_)) => {}
                Err(WorkError::Store(cause)) => return Err(cause),
            }
        }
        Ok(self.told(tenant, logout).await?.0)
    }

    async fn logout(&self, tenant: TenantId, logout: LogoutId) -> Result<Option<StoredLogout>, StoreError> {
        let sql = "SELECT created_at, sealed FROM logouts WHERE tenant_id = ? AND id = ?";
        let Some(row) = self.one(sql, vec![uuid(tenant), Arg::Uuid(logout.uuid())]).await? else { return Ok(None) };
        let (notices, upstreams) = self.told(tenant, logout).await?;
        Ok(Some(StoredLogout { id: logout, started: time(&row, 0)?, sealed: get(&row, 1)?, notices, upstreams }))
    }

    async fn settle(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        app: AppId,
        told: Told,
        _now: Timestamp,
    ) -> Result<bool, StoreError> {
        let change = Change::new(
            "UPDATE logout_notices SET told = ? WHERE tenant_id = ? AND logout_id = ? AND app_id = ? AND told IS NULL",
            vec![Arg::Text(word(told).into()), uuid(tenant), Arg::Uuid(logout.uuid()), Arg::Uuid(app.uuid())],
        );
        Ok(self.change(change).await? > 0)
    }

    async fn note_upstream(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        connection: ConnectionId,
        told: Told,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Told already when it is written, so the outbox never sees it.
        let change = Change::new(
            "INSERT INTO logout_notices (tenant_id, logout_id, app_id, session_id, told, attempts, next_attempt_at, \
             expires_at, sealed, kind) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
             ON CONFLICT (tenant_id, logout_id, app_id, session_id) DO UPDATE SET told = excluded.told",
            vec![
                uuid(tenant),
                Arg::Uuid(logout.uuid()),
                Arg::Uuid(connection.uuid()),
                Arg::Uuid(Uuid::nil()),
                Arg::Text(word(told).into()),
                Arg::Int(1),
                millis(now),
                millis(now + NOTICE),
                Arg::Octets(Vec::new()),
                Arg::Text(UPSTREAM.into()),
            ],
        );
        self.change(change).await.map(drop)
    }

    async fn put_off(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        app: AppId,
        next_attempt: Timestamp,
    ) -> Result<(), StoreError> {
        let change = Change::new(
            "UPDATE logout_notices SET attempts = attempts + 1, next_attempt_at = ?, \
             told = CASE WHEN expires_at <= ? THEN 'silent' END \
             WHERE tenant_id = ? AND logout_id = ? AND app_id = ? AND told IS NULL",
            vec![
                millis(next_attempt),
                millis(next_attempt),
                uuid(tenant),
                Arg::Uuid(logout.uuid()),
                Arg::Uuid(app.uuid()),
            ],
        );
        self.change(change).await.map(drop)
    }
}

#[async_trait]
impl LogoutOutbox for SystemStore {
    async fn claim(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<StoredNotice>, StoreError> {
        let unspread = format!(
            "SELECT tenant_id, id FROM logouts WHERE NOT spread AND created_at <= ? ORDER BY created_at LIMIT {most}"
        );
        for row in self.0.all(&unspread, vec![millis(now - HEAD_START)]).await? {
            let (tenant, logout) = (TenantId::from_uuid(read_uuid(&row, 0)?), LogoutId::from_uuid(read_uuid(&row, 1)?));
            // Who asked is not known here. It is told too, and finds nothing to end.
            self.0.spread(tenant, logout, None, now).await?;
        }
        // In one order on all nodes, so that no two wait for each other.
        let due = format!(
            "SELECT {COLUMNS} FROM logout_notices WHERE told IS NULL AND next_attempt_at <= ? \
             ORDER BY next_attempt_at, tenant_id, logout_id, app_id, session_id LIMIT {most}"
        );
        let rows = self.0.all(&due, vec![millis(now)]).await?;
        let due: Vec<StoredNotice> = rows.iter().map(|row| self.0.notice(row)).collect::<Result<_, _>>()?;
        if due.is_empty() {
            return Ok(due);
        }
        let changes = due.iter().map(|notice| taken(notice, now, now + lease)).collect();
        match self.0.background(changes).await {
            Ok(rows) => Ok(due.into_iter().zip(rows).filter(|(_, rows)| *rows > 0).map(|(notice, _)| notice).collect()),
            Err(WorkError::Store(cause)) => Err(cause),
            Err(WorkError::Guard(_)) => Ok(Vec::new()),
        }
    }
}

impl Store {
    /// Live sessions of a connection's upstream, by one of the two hashes that are kept of each: by their own row, or as
    /// one of several upstreams. The index hash comes before the session.
    async fn of_upstream(&self, column: &str, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        // The partial indexes serve SQLite only where their condition is repeated.
        let own = format!(
            "SELECT s.upstream_index_hash, {SESSION} WHERE s.tenant_id = ? AND s.connection_id = ? AND s.{column} = ? \
             AND s.{column} IS NOT NULL AND s.idle_expires_at > ? AND s.absolute_expires_at > ?"
        );
        let further = format!(
            "SELECT u.upstream_index_hash, {SESSION} \
             JOIN session_upstreams u ON u.tenant_id = s.tenant_id AND u.session_id = s.id \
             WHERE u.tenant_id = ? AND u.connection_id = ? AND u.{column} = ? \
             AND s.idle_expires_at > ? AND s.absolute_expires_at > ?"
        );
        let mut rows = self.all(&own, args.clone()).await?;
        rows.extend(self.all(&further, args).await?);
        Ok(rows)
    }

    /// The notices of a logout, and the upstreams that were told.
    async fn told(&self, tenant: TenantId, logout: LogoutId) -> Result<(Vec<StoredNotice>, Upstreams), StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, kind FROM logout_notices WHERE tenant_id = ? AND logout_id = ? ORDER BY app_id, session_id"
        );
        let (mut notices, mut upstreams) = (Vec::new(), Vec::new());
        for row in self.all(&sql, vec![uuid(tenant), Arg::Uuid(logout.uuid())]).await? {
            match get::<Option<String>>(&row, 8)?.as_deref() {
                None => notices.push(self.notice(&row)?),
                Some(UPSTREAM) => {
                    upstreams.push((ConnectionId::from_uuid(read_uuid(&row, 3)?), told(&get::<String>(&row, 4)?)?));
                }
                Some(_) => return Err(damaged("a notice")),
            }
        }
        Ok((notices, upstreams))
    }

    fn notice(&self, row: &Row) -> Result<StoredNotice, StoreError> {
        let tenant = TenantId::from_uuid(read_uuid(row, 0)?);
        let session = SessionId::from_uuid(read_uuid(row, 2)?);
        let place = participant_place(tenant, session, AppId::from_uuid(read_uuid(row, 3)?));
        let sealed: Vec<u8> = get(row, 7)?;
        let plain = self.inner.sealer.open(&place, &sealed).map_err(|_| damaged("a participant"))?;
        Ok(StoredNotice {
            tenant,
            logout: LogoutId::from_uuid(read_uuid(row, 1)?),
            session,
            participant: serde_json::from_slice(&plain).map_err(|_| damaged("a participant"))?,
            told: get::<Option<String>>(row, 4)?.map(|word| told(&word)).transpose()?,
            attempts: u32::try_from(get::<i64>(row, 5)?).map_err(|_| damaged("a notice"))?,
            expires: time(row, 6)?,
        })
    }
}

/// The session is gone before this, so nobody joins between the two.
fn spreading(
    tenant: TenantId,
    logout: LogoutId,
    sessions: &[SessionId],
    asker: Option<AppId>,
    now: Timestamp,
) -> Vec<Change> {
    let mut changes = Vec::with_capacity(2 * sessions.len() + 1);
    for session in sessions {
        let mut sql = "INSERT INTO logout_notices \
             (tenant_id, logout_id, app_id, session_id, told, attempts, next_attempt_at, expires_at, sealed) \
             SELECT tenant_id, ?, app_id, session_id, NULL, ?, ?, ?, sealed FROM participants \
             WHERE tenant_id = ? AND session_id = ?"
            .to_owned();
        let mut args = vec![
            Arg::Uuid(logout.uuid()),
            Arg::Int(0),
            millis(now + HEAD_START),
            millis(now + NOTICE),
            uuid(tenant),
            Arg::Uuid(session.uuid()),
        ];
        if let Some(asker) = asker {
            sql.push_str(" AND app_id <> ?");
            args.push(Arg::Uuid(asker.uuid()));
        }
        sql.push_str(" ON CONFLICT DO NOTHING");
        changes.push(Change::new(sql, args));
        changes.push(Change::new(
            "DELETE FROM participants WHERE tenant_id = ? AND session_id = ?",
            vec![uuid(tenant), Arg::Uuid(session.uuid())],
        ));
    }
    changes.push(Change::new(
        "UPDATE logouts SET spread = ? WHERE tenant_id = ? AND id = ?",
        vec![Arg::Flag(true), uuid(tenant), Arg::Uuid(logout.uuid())],
    ));
    changes
}

/// A notice is leased where nobody else was faster.
fn taken(notice: &StoredNotice, now: Timestamp, until: Timestamp) -> Change {
    Change::new(
        "UPDATE logout_notices SET next_attempt_at = ? WHERE tenant_id = ? AND logout_id = ? AND app_id = ? \
         AND session_id = ? AND told IS NULL AND next_attempt_at <= ?",
        vec![
            millis(until),
            uuid(notice.tenant),
            Arg::Uuid(notice.logout.uuid()),
            Arg::Uuid(notice.participant.app.uuid()),
            Arg::Uuid(notice.session.uuid()),
            millis(now),
        ],
    )
}

/// Sessions whose index, in the first column, is among those named; all where none is named. Each comes once.
fn named(rows: &[Row], indexes: &[String]) -> Result<Vec<StoredSession>, StoreError> {
    let wanted: Vec<Vec<u8>> = indexes.iter().map(|index| digest(&[index])).collect();
    let mut found = Vec::new();
    for row in rows {
        let index: Option<Vec<u8>> = get(row, 0)?;
        if wanted.is_empty() || index.is_some_and(|index| wanted.contains(&index)) {
            let session = stored_session(row, 1)?;
            if found.iter().all(|other: &StoredSession| other.id != session.id) {
                found.push(session);
            }
        }
    }
    Ok(found)
}

fn word(told: Told) -> &'static str {
    match told {
        Told::Done => "done",
        Told::Partial => "partial",
        Told::Refused => "refused",
        Told::Silent => "silent",
    }
}

fn told(word: &str) -> Result<Told, StoreError> {
    match word {
        "done" => Ok(Told::Done),
        "partial" => Ok(Told::Partial),
        "refused" => Ok(Told::Refused),
        "silent" => Ok(Told::Silent),
        _ => Err(damaged("a notice")),
    }
}
