//! The port of upstream tokens.
//!
//! A row says when its upstream is asked next. Whoever asks writes until when into the row first, and that time
//! names the turn: tokens are kept only while the row still holds it.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, PersonId, SessionId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{KeptTokens, Sealer, Turn, UpstreamTokenStore};

use crate::error::damaged;
use crate::open::Store;
use crate::row::{Row, get, time, time_or_none, uuid as read_uuid};
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change};

/// How often a row is read again that somebody else changed meanwhile.
const TRIES: usize = 8;

const TOKENS: &str =
    "SELECT session_id, connection_id, person_id, due_at, expires_at, sealed, turn_until FROM upstream_tokens ";

/// Nobody asks with a row any more: its session is over, and a grant with offline access, which needs it until it
/// is revoked or can't be refreshed any more, is not there. With the values of [`unneeded_at`].
pub const UNNEEDED: &str = "NOT EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = upstream_tokens.tenant_id \
    AND s.id = upstream_tokens.session_id AND s.idle_expires_at > ? AND s.absolute_expires_at > ?) \
    AND NOT EXISTS (SELECT 1 FROM grants g WHERE g.tenant_id = upstream_tokens.tenant_id \
    AND g.person_id = upstream_tokens.person_id AND g.session_id = upstream_tokens.session_id \
    AND g.offline = ? AND g.revoked_at IS NULL AND ((g.redeemed_at IS NULL AND g.code_expires_at > ?) \
    OR (g.idle_expires_at > ? AND g.absolute_expires_at > ?)))";

pub fn unneeded_at(now: Timestamp) -> Vec<Arg> {
    vec![millis(now), millis(now), Arg::Flag(true), millis(now), millis(now), millis(now)]
}

#[async_trait]
impl UpstreamTokenStore for Store {
    async fn take_turn(
        &self,
        tenant: TenantId,
        session: SessionId,
        connection: ConnectionId,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Turn, StoreError> {
        let key = || vec![uuid(tenant), Arg::Uuid(session.uuid()), Arg::Uuid(connection.uuid())];
        let sql = format!("{TOKENS} WHERE tenant_id = ? AND session_id = ? AND connection_id = ? AND expires_at > ?");
        for _ in 0..TRIES {
            let Some(row) = self.one(&sql, [key(), vec![millis(now)]].concat()).await? else {
                return Ok(Turn::Nothing);
            };
            if time(&row, 3)? > now {
                return self.kept(tenant, &row).map(Turn::NotDue);
            }
            if time_or_none(&row, 6)?.is_some_and(|until| until > now) {
                return Ok(Turn::Taken);
            }
            // A seal is never twice the same, so this is the row that was read.
            let take = Change::new(
                "UPDATE upstream_tokens SET turn_until = ? WHERE tenant_id = ? AND session_id = ? \
                 AND connection_id = ? AND sealed = ? AND (turn_until IS NULL OR turn_until <= ?)",
                [vec![millis(lease)], key(), vec![Arg::Octets(get(&row, 5)?), millis(now)]].concat(),
            );
            if self.change(take).await? == 1 {
                return self.kept(tenant, &row).map(Turn::Yours);
            }
        }
        Ok(Turn::Taken)
    }

    async fn keep(
        &self,
        tenant: TenantId,
        session: SessionId,
        lease: Timestamp,
        tokens: &KeptTokens,
    ) -> Result<bool, StoreError> {
        let change = Change::new(
            "UPDATE upstream_tokens SET due_at = ?, expires_at = ?, sealed = ?, turn_until = NULL \
             WHERE tenant_id = ? AND session_id = ? AND connection_id = ? AND turn_until = ?",
            vec![
                millis(tokens.due),
                millis(tokens.expires),
                sealed(tenant, session, tokens, &*self.inner.sealer)?,
                uuid(tenant),
                Arg::Uuid(session.uuid()),
                Arg::Uuid(tokens.connection.uuid()),
                millis(lease),
            ],
        );
        Ok(self.change(change).await? == 1)
    }

    async fn give_up(
        &self,
        tenant: TenantId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Vec<KeptTokens>, StoreError> {
        let unneeded = format!("AND {UNNEEDED}");
        self.take_out(tenant, "session_id = ?", Arg::Uuid(session.uuid()), (&unneeded, unneeded_at(now))).await
    }

    async fn give_up_all(&self, tenant: TenantId, person: PersonId) -> Result<Vec<KeptTokens>, StoreError> {
        self.take_out(tenant, "person_id = ?", Arg::Uuid(person.uuid()), ("", Vec::new())).await
    }
}

impl Store {
    /// Reads rows and deletes each as it was read; one that somebody changed meanwhile is read again.
    async fn take_out(
        &self,
        tenant: TenantId,
        which: &str,
        of: Arg,
        (condition, more): (&str, Vec<Arg>),
    ) -> Result<Vec<KeptTokens>, StoreError> {
        let find = format!("{TOKENS} WHERE tenant_id = ? AND {which} {condition}");
        let take = format!(
            "DELETE FROM upstream_tokens WHERE tenant_id = ? AND session_id = ? AND connection_id = ? \
             AND sealed = ? {condition}"
        );
        let mut taken = Vec::new();
        for _ in 0..TRIES {
            let rows = self.all(&find, [vec![uuid(tenant), of.clone()], more.clone()].concat()).await?;
            if rows.is_empty() {
                break;
            }
            for row in rows {
                let args = vec![
                    uuid(tenant),
                    Arg::Uuid(read_uuid(&row, 0)?),
                    Arg::Uuid(read_uuid(&row, 1)?),
                    Arg::Octets(get(&row, 5)?),
                ];
                if self.change(Change::new(take.clone(), [args, more.clone()].concat())).await? == 1 {
                    taken.push(self.kept(tenant, &row)?);
                }
            }
        }
        Ok(taken)
    }

    fn kept(&self, tenant: TenantId, row: &Row) -> Result<KeptTokens, StoreError> {
        let (session, connection) =
            (SessionId::from_uuid(read_uuid(row, 0)?), ConnectionId::from_uuid(read_uuid(row, 1)?));
        let sealed: Vec<u8> = get(row, 5)?;
        let plain = self.inner.sealer.open(&place(tenant, session, connection), &sealed);
        let plain = plain.map_err(|_| damaged("a token of an upstream"))?;
        Ok(KeptTokens {
            person: PersonId::from_uuid(read_uuid(row, 2)?),
            connection,
            tokens: serde_json::from_slice(&plain).map_err(|_| damaged("a token of an upstream"))?,
            due: time(row, 3)?,
            expires: time(row, 4)?,
        })
    }
}

/// A new login replaces what the session had of this upstream, and ends whoever has the turn.
pub fn keep_tokens(
    tenant: TenantId,
    session: SessionId,
    new: &KeptTokens,
    sealer: &dyn Sealer,
) -> Result<Change, StoreError> {
    Ok(Change::new(
        "INSERT INTO upstream_tokens (tenant_id, session_id, connection_id, person_id, due_at, expires_at, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, session_id, connection_id) DO UPDATE SET \
         person_id = excluded.person_id, due_at = excluded.due_at, expires_at = excluded.expires_at, \
         sealed = excluded.sealed, turn_until = NULL",
        vec![
            uuid(tenant),
            Arg::Uuid(session.uuid()),
            Arg::Uuid(new.connection.uuid()),
            Arg::Uuid(new.person.uuid()),
            millis(new.due),
            millis(new.expires),
            sealed(tenant, session, new, sealer)?,
        ],
    ))
}

fn sealed(tenant: TenantId, session: SessionId, kept: &KeptTokens, sealer: &dyn Sealer) -> Result<Arg, StoreError> {
    let plain =
        serde_json::to_vec(&kept.tokens).map_err(|_| StoreError("the tokens can't be written as JSON".into()))?;
    Ok(Arg::Octets(sealer.seal(&place(tenant, session, kept.connection), &plain)))
}

/// The place that tokens are sealed for.
fn place(tenant: TenantId, session: SessionId, connection: ConnectionId) -> Vec<u8> {
    format!("{tenant}/upstream-tokens/{session}/{connection}").into_bytes()
}
