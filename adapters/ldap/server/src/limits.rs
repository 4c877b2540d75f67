//! Bounds of one connection, and how many connections a tenant may have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_ldap_core::{Code, Filter, LdapResult, Search};

/// Octets of one message, before anybody has bound and after.
pub(crate) const MESSAGE_OF_ANYBODY: usize = 256 * 1024;
pub(crate) const MESSAGE_OF_SOMEBODY: usize = 1024 * 1024;

/// Searches of one connection that may be under way; further requests wait unread.
pub(crate) const OUTSTANDING: usize = 8;

/// Octets of answers that may wait to be sent. Beyond it the connection's searches rest.
pub(crate) const WAITING_OUTPUT: usize = 256 * 1024;

/// Parts of a filter, and attributes that a search may name. No app comes near, and each step of a search goes over all
/// of them.
const MOST_PARTS: usize = 10_000;

/// What a part costs that asks every attribute.
const EVERY_ATTRIBUTE: usize = 100;

/// Requests that one connection may have answered before others have their turn.
pub(crate) const TURN: usize = 32;

/// # Errors
/// The answer to a search that asks for too much at once.
pub(crate) fn bearable(search: &Search) -> Result<(), LdapResult> {
    bearable_filter(&search.filter)?;
    if search.attributes.len() > MOST_PARTS {
        return Err(LdapResult::new(Code::ADMIN_LIMIT, "the search names too many attributes"));
    }
    Ok(())
}

/// # Errors
/// The same for a filter.
pub(crate) fn bearable_filter(filter: &Filter) -> Result<(), LdapResult> {
    if parts(filter) > MOST_PARTS {
        return Err(LdapResult::new(Code::ADMIN_LIMIT, "the filter has too many parts"));
    }
    Ok(())
}

/// As deep as the filter, which was measured when it was read.
fn parts(filter: &Filter) -> usize {
    match filter {
        Filter::And(filters) | Filter::Or(filters) => 1 + filters.iter().map(parts).sum::<usize>(),
        Filter::Not(filter) => 1 + parts(filter),
        Filter::Substrings(_, pieces) => 1 + pieces.any.len(),
        Filter::Extensible { attribute: None, .. } => EVERY_ATTRIBUTE,
        _ => 1,
    }
}

/// How long a connection is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// For the first message.
    pub first: Duration,
    /// For the rest of a message that has begun.
    pub message: Duration,
    /// For a client that reads none of its answers.
    pub stall: Duration,
    /// For the next operation.
    pub idle: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(30),
            message: Duration::from_secs(30),
            stall: Duration::from_secs(60),
            idle: Duration::from_secs(15 * 60),
        }
    }
}

impl Patience {
    /// How often it is looked whether it has ended.
    pub(crate) fn tick(&self) -> Duration {
        let least = self.first.min(self.message).min(self.stall).min(self.idle);
        (least / 4).clamp(Duration::from_millis(5), Duration::from_secs(10))
    }
}

/// Counts the connections of each tenant.
#[derive(Default)]
pub(crate) struct Seats {
    counts: Mutex<HashMap<TenantId, u32>>,
}

/// A place among a tenant's connections, until it is dropped.
pub(crate) struct Seat {
    seats: Arc<Seats>,
    tenant: TenantId,
}

impl Seats {
    /// `None` where the tenant has `most` already.
    pub(crate) fn take(self: &Arc<Self>, tenant: TenantId, most: u32) -> Option<Seat> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(tenant).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { seats: Arc::clone(self), tenant })
    }
}

impl Seat {
    pub(crate) fn tenant(&self) -> TenantId {
        self.tenant
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.seats.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.tenant) {
            *count = count.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_worth_what_it_asks() {
        let worth = |text: &str| parts(&Filter::parse(text).unwrap());
        assert_eq!(worth("(&(objectClass=person)(!(uid=ada))(cn=a*b*c*d))"), 7);
        assert_eq!(worth("(|(:caseIgnoreMatch:=x)(cn:caseIgnoreMatch:=x))"), 1 + EVERY_ATTRIBUTE + 1);
        let many = |count: usize| Filter::Or(vec![Filter::Present("cn".to_owned()); count]);
        assert!(bearable_filter(&many(MOST_PARTS - 1)).is_ok() && bearable_filter(&many(MOST_PARTS)).is_err());
    }

    #[test]
    fn a_tenant_has_its_seats_and_no_more() {
        let seats = Arc::new(Seats::default());
        let [one, other] = [1, 2].map(|number| format!("{number:032x}").parse().unwrap());
        let first = seats.take(one, 1);
        assert!(first.is_some() && seats.take(one, 1).is_none());
        assert!(seats.take(other, 1).is_some(), "another tenant's are its own");
        drop(first);
        assert!(seats.take(one, 1).is_some());
    }
}
