//! What is left of an operation: its count, a line of the access log, and a trace.
//!
//! Every operation writes a line at the level `debug` of the target `fedbridge::ldap`, where that level is on; names
//! are quoted, so a line break in a DN makes no line. Every refusal is traced. What succeeds comes in thousands: of
//! each app there are so many traces a second of binds, of searches and of compares.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fedbridge_contract::config::Tenant;
use fedbridge_contract::ids::{AppId, TenantId, TraceId};
use fedbridge_contract::listener::WireFacts;
use fedbridge_contract::services::TraceEvent;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_ldap_core::{Code, LdapResult, Search};
use tokio::time::Instant;

use crate::speaker::LdapServer;

/// Target of the access log.
pub(crate) const LOG: &str = "fedbridge::ldap";

/// Traces a second of successes, of one kind and one app.
const SAMPLES: &[(&str, u32)] = &[("bind", 50), ("search", 1), ("compare", 1)];

type Sampled = (TenantId, Option<AppId>, &'static str);

/// What has been traced in this second.
#[derive(Default)]
pub(crate) struct Samples {
    /// The second, and how many in it.
    taken: Mutex<HashMap<Sampled, (i64, u32)>>,
}

impl Samples {
    /// Whether this one is traced.
    pub(crate) fn due(&self, tenant: TenantId, app: Option<AppId>, kind: &'static str, now: Timestamp) -> bool {
        let most = SAMPLES.iter().find(|(name, _)| *name == kind).map_or(1, |(_, most)| *most);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let (second, count) = taken.entry((tenant, app, kind)).or_default();
        if *second != now.seconds() {
            (*second, *count) = (now.seconds(), 0);
        }
        *count += 1;
        *count <= most
    }
}

/// An operation that is over.
pub(crate) struct Over<'a> {
    pub(crate) tenant: &'a Tenant,
    /// `bind`, `search`, `compare`, `password`, `refused`.
    pub(crate) kind: &'static str,
    pub(crate) app: Option<AppId>,
    pub(crate) connection: Option<String>,
    pub(crate) person: Option<String>,
    pub(crate) began: Timestamp,
    pub(crate) outcome: Outcome,
    pub(crate) cause: String,
    pub(crate) steps: TraceLog,
}

impl LdapServer {
    pub(crate) fn record(&self, facts: &WireFacts, over: Over<'_>) {
        let app = over.app.and_then(|app| over.tenant.app_by_id(app));
        self.services.traces.record(TraceEvent {
            tenant: over.tenant.id,
            id: TraceId::at(over.began, self.services.rng.as_ref()),
            at: over.began,
            kind: over.kind,
            app: app.map(|app| app.name.clone()),
            connection: over.connection,
            person: over.person,
            peer: Some(facts.peer.ip()),
            outcome: over.outcome,
            cause: over.cause,
            steps: over.steps,
        });
    }

    /// Counts an operation and writes its line. `object`: the DN or the name that it is about.
    pub(crate) fn count(
        &self,
        operation: &'static str,
        facts: &WireFacts,
        object: &str,
        code: Code,
        received: Instant,
    ) {
        let took = received.elapsed();
        self.services.counters.ldap_operation(operation, code.0, took);
        tracing::debug!(
            target: LOG,
            operation,
            peer = %facts.peer,
            encrypted = facts.encrypted,
            object = ?object,
            result = code.0,
            microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
        );
    }

    /// As [`Self::count`], with what a search asked for.
    pub(crate) fn count_search(
        &self,
        facts: &WireFacts,
        search: &Search,
        (code, given): (Code, u32),
        received: Instant,
    ) {
        let took = received.elapsed();
        self.services.counters.ldap_operation("search", code.0, took);
        if tracing::enabled!(target: LOG, tracing::Level::DEBUG) {
            tracing::debug!(
                target: LOG,
                operation = "search",
                peer = %facts.peer,
                encrypted = facts.encrypted,
                object = ?search.base,
                scope = search.scope.number(),
                filter = ?search.filter.shape(),
                attributes = ?search.attributes,
                entries = given,
                result = code.0,
                microseconds = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            );
        }
    }
}

/// What is known of a connection, for the first step of a trace.
pub(crate) fn about(facts: &WireFacts) -> Vec<(&'static str, String)> {
    let mut about = vec![("peer", facts.peer.to_string()), ("encrypted", facts.encrypted.to_string())];
    about.extend(facts.server_name.clone().map(|name| ("server name", name)));
    about
}

/// A search as a trace shows it: the shape of its filter, and no value.
pub(crate) fn shape(search: &Search) -> Vec<(&'static str, String)> {
    vec![
        ("base", search.base.clone()),
        ("scope", search.scope.number().to_string()),
        ("filter", search.filter.shape()),
        ("attributes", search.attributes.join(" ")),
    ]
}

/// How an operation ended, for a trace.
pub(crate) fn outcome(result: &LdapResult) -> (Outcome, String) {
    let cause = match result.text.as_str() {
        "" => result.code.to_string(),
        text => format!("{}: {text}", result.code),
    };
    match result.code {
        Code::SUCCESS | Code::COMPARE_TRUE | Code::COMPARE_FALSE => (Outcome::Success, cause),
        Code::BUSY | Code::UNAVAILABLE | Code::OTHER => (Outcome::Error, cause),
        _ => (Outcome::Refused, cause),
    }
}
