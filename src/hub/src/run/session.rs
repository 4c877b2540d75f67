//! The login session of a browser at one tenant, and its cookies.

use std::time::Duration;

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{HttpInput, SameSite, SetCookie};
use fedbridge_contract::ids::{SessionId, TenantId, TransactionId};
use fedbridge_contract::services::{Gate as _, GateRefusal};
use fedbridge_contract::ticket::{self, ticket};
use fedbridge_contract::time::Timestamp;

use super::Hub;
use super::record::{PriorSession, SessionRecord};
use crate::ports::StoredSession;

/// A session ends after this long without a login to any app.
pub const IDLE: Duration = Duration::from_secs(8 * 3600);

/// A session ends after this long, whatever happens.
pub const ABSOLUTE: Duration = Duration::from_secs(24 * 3600);

/// How long a person has to log in at the upstream.
pub const TRANSACTION: Duration = Duration::from_secs(600);

/// A session that has not ended, with the identity behind it.
pub struct LiveSession {
    pub stored: StoredSession,
    pub record: SessionRecord,
    /// The newest kill that was known before the session was read: what is given out on its strength carries
    /// this, so that a kill in between ends it too.
    pub as_of: Epoch,
}

impl LiveSession {
    /// To be remembered while the browser is at the upstream.
    pub fn prior(&self) -> PriorSession {
        PriorSession {
            id: self.stored.id,
            person: self.stored.person,
            connection: self.stored.connection,
            epoch: self.record.epoch,
        }
    }
}

impl Hub {
    /// The session of this browser, if its cookie names a live one.
    pub(super) async fn live_session(
        &self,
        tenant: TenantId,
        input: &HttpInput,
        now: Timestamp,
    ) -> Result<Option<LiveSession>, StoreError> {
        let Some(found) = self.session_to_end(tenant, input, now).await? else { return Ok(None) };
        let stored = &found.stored;
        match self.gate.session(tenant, stored.connection, found.record.epoch, stored.person_epoch).await {
            Ok(()) => Ok(Some(found)),
            Err(refusal @ GateRefusal::Unsure) => Err(StoreError(refusal.to_string())),
            Err(_) => Ok(None),
        }
    }

    /// The same for whoever wants it to end: one that was killed is worth nothing, but its apps and its upstream
    /// have sessions of their own, and hear of a logout as ever.
    pub(super) async fn session_to_end(
        &self,
        tenant: TenantId,
        input: &HttpInput,
        now: Timestamp,
    ) -> Result<Option<LiveSession>, StoreError> {
        let Some(cookie) = input.cookie(&session_cookie_name(tenant)) else { return Ok(None) };
        let Some(id) = ticket::id_of(cookie).map(SessionId::from_uuid) else { return Ok(None) };
        let hash = self.services.tokens.mac(tenant, "session cookie", cookie.as_bytes());
        let mut as_of = self.gate.epoch();
        let mut found = self.store.session(tenant, id, &hash, now).await?;
        if found.as_ref().is_some_and(|stored| as_of.is_before(stored.person_epoch)) {
            // The person was killed a moment ago, and this node lags behind: what it gave out would be dead,
            // although the session may be a new one. It is read again behind what is learned now.
            self.gate.catch_up(self.kills.as_ref()).await?;
            as_of = self.gate.epoch();
            found = self.store.session(tenant, id, &hash, now).await?;
        }
        let Some(stored) = found else { return Ok(None) };
        let Some(record) = self.session_record(tenant, &stored) else { return Ok(None) };
        Ok(Some(LiveSession { stored, record, as_of }))
    }

    /// A record that does not open was sealed under another master key: as good as no session.
    pub(super) fn session_record(&self, tenant: TenantId, stored: &StoredSession) -> Option<SessionRecord> {
        let plain = self.sealer.open(&session_place(tenant, stored.id), &stored.sealed).ok()?;
        serde_json::from_slice(&plain).ok()
    }

    /// A fresh cookie for a session, with the hash that the store keeps.
    pub(super) fn new_session_cookie(&self, tenant: TenantId, session: SessionId) -> (String, [u8; 32]) {
        let cookie = ticket(session.uuid(), self.services.rng.as_ref());
        let hash = self.services.tokens.mac(tenant, "session cookie", cookie.as_bytes());
        (cookie, hash)
    }
}

pub fn session_cookie_name(tenant: TenantId) -> String {
    format!("{tenant}-s")
}

pub fn session_cookie(tenant: TenantId, value: String) -> SetCookie {
    // No Max-Age: it goes with the browser, and the store knows the limits.
    SetCookie { name: session_cookie_name(tenant), value, max_age_seconds: None, same_site: SameSite::Lax }
}

pub fn end_session_cookie(tenant: TenantId) -> SetCookie {
    SetCookie {
        name: session_cookie_name(tenant),
        value: String::new(),
        max_age_seconds: Some(0),
        same_site: SameSite::Lax,
    }
}

/// Each login under way has a cookie of its own, so that two tabs don't disturb each other.
pub fn correlation_cookie_name(tenant: TenantId, handle: &str) -> String {
    // Its end: a handle begins with its time.
    let end = handle.len().saturating_sub(8);
    format!("{tenant}-t-{}", handle.get(end..).unwrap_or(handle))
}

pub fn correlation_cookie(tenant: TenantId, handle: &str, value: String) -> SetCookie {
    let lifetime = if value.is_empty() { 0 } else { TRANSACTION.as_secs().cast_signed() };
    SetCookie {
        name: correlation_cookie_name(tenant, handle),
        value,
        max_age_seconds: Some(lifetime),
        same_site: SameSite::None,
    }
}

pub fn session_place(tenant: TenantId, session: SessionId) -> Vec<u8> {
    format!("{tenant}/session/{session}").into_bytes()
}

pub fn transaction_place(tenant: TenantId, transaction: TransactionId) -> Vec<u8> {
    format!("{tenant}/transaction/{transaction}").into_bytes()
}
