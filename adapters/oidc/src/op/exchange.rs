//! One request at an endpoint that apps call directly, from its start to its record.

use std::sync::Arc;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{AppId, ConnectionId, TraceId};
use fedbridge_contract::services::{Services, TraceEvent};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog, clip};

use super::error::OAuthError;

/// What a handler works with, and what it found out for the record.
pub(crate) struct Exchange<'a> {
    pub(crate) services: &'a Services,
    pub(crate) tenant: &'a Arc<Tenant>,
    pub(crate) input: &'a HttpInput,
    pub(crate) now: Timestamp,
    pub(crate) trace_id: TraceId,
    pub(crate) trace: &'a mut TraceLog,
    /// For the record of a refusal; set as soon as it is known.
    pub(crate) app: Option<AppId>,
    pub(crate) connection: Option<ConnectionId>,
    pub(crate) person: Option<String>,
}

impl Exchange<'_> {
    /// Gives the reply out. A refusal is counted and recorded first.
    pub(crate) fn conclude(self, endpoint: &'static str, result: Result<Reply, OAuthError>) -> Reply {
        match result {
            Ok(reply) => reply,
            Err(error) => {
                let error = self.slow_down(error);
                let reply = error.reply(&self.tenant.issuer, self.trace_id);
                let outcome = if error.is_ours() { Outcome::Error } else { Outcome::Refused };
                self.record_refusal(endpoint, error.code, outcome, error.cause);
                reply
            }
        }
    }

    /// Somebody who fails to authenticate again and again has to wait.
    fn slow_down(&self, error: OAuthError) -> OAuthError {
        if error.code != "invalid_client" {
            return error;
        }
        let account = self.app.map(|app| app.to_string()).unwrap_or_default();
        match self.services.throttle.failed(self.tenant.id, &account, self.input.peer, self.now) {
            Some(wait) => OAuthError::too_many_failures(wait, error.cause),
            None => error,
        }
    }

    /// Counts and records a refusal. Whoever keeps the record adds how it ended as its last step.
    pub(crate) fn record_refusal(self, kind: &'static str, code: &'static str, outcome: Outcome, cause: String) {
        self.services.counters.refused(kind, code);
        let cause = clip(format!("{code}: {cause}"));
        let app = self.app.and_then(|id| self.tenant.app_by_id(id)).map(|app| app.name.clone());
        let connection = self.connection.and_then(|id| self.tenant.connection_by_id(id));
        self.services.traces.record(TraceEvent {
            tenant: self.tenant.id,
            id: self.trace_id,
            at: self.now,
            kind,
            app,
            connection: connection.map(|connection| connection.slug.clone()),
            person: self.person,
            peer: Some(self.input.peer),
            outcome,
            cause,
            steps: std::mem::take(self.trace),
        });
    }
}
