//! A grant: what one app was given for one login. The authorization code, the
//! tokens made from it and the refresh family are all one grant.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::claims::Claims;
use crate::epoch::Epoch;
use crate::ids::{AppId, ConnectionId, GrantId, PersonId, SessionId, TraceId};
use crate::time::Timestamp;

/// The longest that an access token may be good. The store keeps a grant for longer than this,
/// because a token is refused once its grant is gone.
pub const MAX_ACCESS_TOKEN: Duration = Duration::from_secs(24 * 60 * 60);

/// A grant about to be stored, in the same unit of work as the login.
#[derive(Debug, Clone, PartialEq)]
pub struct NewGrant {
    pub id: GrantId,
    pub record: GrantRecord,
    /// SHA-256 of the authorization code.
    pub code_hash: [u8; 32],
    pub code_expires: Timestamp,
}

/// What a grant remembers for all of its life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GrantRecord {
    pub app: AppId,
    pub person: PersonId,
    pub session: SessionId,
    pub connection: ConnectionId,
    pub trace: TraceId,
    /// The `sub` that this app sees.
    pub sub: String,
    /// The scope ceiling.
    pub scope: Vec<String>,
    /// Released claims, the same for ID token and userinfo.
    pub claims: Claims,
    pub auth_time: Timestamp,
    pub acr: Option<String>,
    #[serde(default)]
    pub amr: Vec<String>,
    pub created: Timestamp,
    /// The upstream's limit to the session, if it set one.
    pub upstream_limit: Option<Timestamp>,
    /// The newest kill that the node knew which gave it out (see [`crate::epoch`]). The hub sets it.
    #[serde(default)]
    pub epoch: Epoch,
    /// What the claims were decided from, where a directory may say something else later: the hub's own form, and the hub
    /// sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basis: Option<Value>,
    /// What the downstream adapter keeps: redirect URI, nonce, code challenge.
    pub protocol: Value,
}

/// A grant as the store holds it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Grant {
    pub id: GrantId,
    pub record: GrantRecord,
    pub code: CodeState,
    pub refresh: Option<RefreshState>,
    pub standing: Standing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeState {
    Issued { expires: Timestamp },
    Redeemed { at: Timestamp },
}

/// The refresh family. Tokens are derived from (grant, generation), so the store
/// keeps nothing secret and a lost answer can be given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshState {
    /// The generation that is good now, from 1.
    pub generation: i64,
    /// When the one before it was used.
    pub rotated: Timestamp,
    pub idle_expires: Timestamp,
    pub absolute_expires: Timestamp,
}

/// What could stop a grant, read in the same statement as the grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    pub revoked: bool,
    pub person_disabled: bool,
    /// The last kill of the person.
    pub person_epoch: Epoch,
    pub session_ended: bool,
    /// The access token that was asked about is revoked by itself.
    pub token_revoked: bool,
}

/// How redeeming a code went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redeemed {
    Now,
    /// Somebody was faster. The caller revokes the grant (RFC 6749 section 4.1.2).
    Before,
    /// Revoked or expired meanwhile.
    Gone,
}

/// How rotating a refresh token went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rotated {
    /// The successor is good from now on.
    To {
        generation: i64,
    },
    /// The token was rotated within the grace: the same successor again.
    Again {
        generation: i64,
    },
    /// An old token came back. The family is revoked with this answer (RFC 9700 section 4.14.2).
    Reused,
    Gone,
}
