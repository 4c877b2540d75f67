//! What a session keeps beside its upstream's tokens.

use std::time::Duration;

use fedbridge_contract::identity::{Attributes, AuthnFacts, UpstreamSubject, UpstreamTokens};
use fedbridge_contract::ids::{ConnectionId, PersonId};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::UpstreamRefresh;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ports::KeptTokens;
use crate::run::record::SessionRecord;

/// How long tokens are kept behind the last answer: longer than any refresh family rests.
pub(super) const KEPT: Duration = Duration::from_secs(400 * 24 * 3600);

/// What stands beside the adapter's own memory: a session's record may be gone when offline access is not.
#[derive(Serialize, Deserialize)]
pub(super) struct Memory {
    pub subject: UpstreamSubject,
    pub authn: AuthnFacts,
    /// The browser's address at the login, for rules that look at it.
    pub ip: Option<String>,
    /// When the upstream last said something.
    pub answered: Timestamp,
    /// What it last said about the person, at the login or later. Other apps of the session are judged by it too.
    #[serde(default)]
    pub latest: Option<Attributes>,
    pub adapter: Value,
}

impl Memory {
    pub fn of(tokens: &UpstreamTokens) -> Option<Self> {
        serde_json::from_value(tokens.memory.clone()).ok()
    }

    pub fn around(self, tokens: UpstreamTokens) -> UpstreamTokens {
        let memory = Self { adapter: tokens.memory, ..self };
        // A type that holds nothing but what JSON has.
        UpstreamTokens { memory: serde_json::to_value(memory).unwrap_or_default(), ..tokens }
    }
}

/// What is kept of the tokens that came with a login. A connection that does not ask keeps them for the logout;
/// should it ask one day, they are due at once.
pub(in crate::run) fn keep(
    side: &dyn UpstreamRefresh,
    (person, connection): (PersonId, ConnectionId),
    record: &SessionRecord,
    ip: Option<String>,
    tokens: UpstreamTokens,
    now: Timestamp,
) -> KeptTokens {
    let memory = Memory {
        subject: record.subject.clone(),
        authn: record.authn.clone(),
        ip,
        answered: now,
        latest: Some(record.attributes.clone()),
        adapter: Value::Null,
    };
    let due = now + side.interval().unwrap_or_default();
    KeptTokens { person, connection, tokens: memory.around(tokens), due, expires: now + KEPT }
}

/// The tokens as their adapter gave them.
pub(in crate::run) fn adapters_own(tokens: UpstreamTokens) -> UpstreamTokens {
    let memory = Memory::of(&tokens).map(|memory| memory.adapter);
    UpstreamTokens { memory: memory.unwrap_or_default(), ..tokens }
}
