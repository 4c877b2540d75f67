//! Changes by the time that the server has written on them (RFC 4512 section 3.4): the last resort.
//!
//! The server's own times are compared with each other alone, so it does not matter whether our clock agrees. Servers
//! of one directory may differ among themselves, and two changes may fall into one second: what is a little older than
//! the newest one is read again, and what was read before says nothing new.

use std::collections::HashSet;
use std::time::Duration;

use fedbridge_contract::directory::{Seen, SyncError};
use fedbridge_ldap_core::Filter;
use fedbridge_ldap_core::value::time;
use serde::{Deserialize, Serialize};

use super::cookie::Mark;
use super::reading::{People, Reading};

/// By how much the clocks of a directory's servers may differ.
const OVERLAP: Duration = Duration::from_secs(5 * 60);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct TimeMark {
    /// The newest time on anybody, in milliseconds since 1970; `None`: nobody had one.
    newest: Option<i64>,
}

pub(super) async fn full(reading: &mut Reading<'_>) -> Result<Mark, SyncError> {
    let lease = reading.lease().await?;
    let mut search = reading.search(None);
    let attribute = attribute(reading);
    add(&mut search.attributes, attribute);
    let mut people = People { keys: None, newest: Some((attribute, None)) };
    reading.people(lease, search, &mut people).await?;
    Ok(Mark::ModifyTimestamp(TimeMark { newest: people.newest.and_then(|(_, newest)| newest) }))
}

pub(super) async fn delta(reading: &mut Reading<'_>, mark: &TimeMark) -> Result<Mark, SyncError> {
    let attribute = attribute(reading);
    let from = mark.newest.map(|newest| newest - i64::try_from(OVERLAP.as_millis()).unwrap_or_default());
    let from = from.and_then(time::print).unwrap_or_else(|| "19700101000000Z".to_owned());
    let changed = Filter::AtLeast(attribute.to_owned(), from.into_bytes().into());
    let mut search = reading.search(Some(changed.clone()));
    add(&mut search.attributes, attribute);
    let mut there = HashSet::new();
    let mut people = People { keys: Some(&mut there), newest: Some((attribute, mark.newest)) };
    let lease = reading.lease().await?;
    let lease = reading.people(lease, search, &mut people).await?;
    let newest = people.newest.and_then(|(_, newest)| newest);
    // Who has changed and is not among the connection's people any more.
    let users = &reading.directory.settings.users;
    let mut left = Vec::new();
    let lease = match lease {
        Some(lease) => lease,
        None => reading.lease().await?,
    };
    let what = (users.base.as_str(), users.scope, changed);
    reading.keys(lease, what, Vec::new(), |key, _| left.push(key)).await?;
    for key in left.into_iter().filter(|key| !there.contains(key)) {
        reading.say(Seen::Gone(key)).await?;
    }
    Ok(Mark::ModifyTimestamp(TimeMark { newest }))
}

fn attribute(reading: &Reading<'_>) -> &'static str {
    super::group_changes::time_attribute(reading.directory)
}

fn add(attributes: &mut Vec<String>, name: &str) {
    if !attributes.iter().any(|there| there.eq_ignore_ascii_case(name)) {
        attributes.push(name.to_owned());
    }
}
