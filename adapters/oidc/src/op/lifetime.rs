//! How long what comes of a grant may last: its own time, and never longer than the
//! upstream lets the session last (SAML core 2.7.2, SessionNotOnOrAfter).

use fedbridge_contract::grant::GrantRecord;
use fedbridge_contract::time::Timestamp;

/// The earlier of a token's own end and the upstream's limit, both in seconds since 1970.
pub(crate) fn capped(record: &GrantRecord, own: i64) -> i64 {
    record.upstream_limit.map_or(own, |limit| own.min(limit.seconds()))
}

/// Whether the upstream's limit has come, so that nothing can be made of the grant any more.
pub(crate) fn is_over(record: &GrantRecord, now: Timestamp) -> bool {
    record.upstream_limit.is_some_and(|limit| limit.seconds() <= now.seconds())
}
