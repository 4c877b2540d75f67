//! DirSync of Active Directory (MS-ADTS section 3.1.1.3.4.1.3): the controller keeps a cookie that is good at every
//! other one too, where objects may come again.
//!
//! It speaks of changed attributes, not of whole entries, and of a whole naming context. So it tells who has changed,
//! and those are read as a login would read them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fedbridge_contract::directory::{Seen, SyncError};
use fedbridge_contract::trace::TraceLog;
use fedbridge_ldap_core::control::{DIR_SYNC, DirSync};
use fedbridge_ldap_core::{Filter, Scope};
use serde::{Deserialize, Serialize};

use super::cookie::Mark;
use super::reading::{People, Reading, read_one, whole};
use crate::directory::{Told, Trouble};
use crate::find::{self, Found};
use crate::key;
use crate::wire::{Item, Lease, Search};

/// LDAP_DIRSYNC_OBJECT_SECURITY: as far as the service account may read, without the right to replicate.
const OBJECT_SECURITY: i64 = 1;

/// Octets of one answer.
const MOST: i64 = 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DirSyncMark {
    /// In base64.
    cookie: String,
}

/// The cookie comes before the people: it stands for an earlier moment.
pub(super) async fn full(reading: &mut Reading<'_>) -> Result<Mark, SyncError> {
    let lease = reading.lease().await?;
    let (cookie, _) = changes(reading, lease, Bytes::new(), false).await?;
    let lease = reading.lease().await?;
    let search = reading.search(None);
    reading.people(lease, search, &mut People { keys: None, newest: None }).await?;
    Ok(Mark::DirSync(DirSyncMark { cookie: STANDARD.encode(cookie) }))
}

pub(super) async fn delta(reading: &mut Reading<'_>, mark: &DirSyncMark) -> Result<Mark, SyncError> {
    let cookie = STANDARD.decode(&mark.cookie);
    let cookie = cookie.map_err(|_| SyncError::FullNeeded("the cookie can't be used".to_owned()))?;
    let lease = reading.lease().await?;
    let (cookie, keys) = changes(reading, lease, cookie.into(), true).await?;
    for key in keys {
        let mut trace = TraceLog::new();
        let mut told = Told { now: reading.now, trace: &mut trace };
        match find::known(reading.directory, &key, &mut told).await {
            Ok(Found::One(entry)) => drop(reading.person(entry).await?),
            Ok(Found::Nobody(_)) => reading.say(Seen::Gone(key)).await?,
            Err(Trouble(why)) => reading.say(Seen::Unclear { key, why }).await?,
        }
    }
    Ok(Mark::DirSync(DirSyncMark { cookie: STANDARD.encode(cookie) }))
}

/// The next cookie, and the keys of all people of whom something has changed.
async fn changes(
    reading: &Reading<'_>,
    mut lease: Lease,
    mut cookie: Bytes,
    note: bool,
) -> Result<(Bytes, Vec<String>), SyncError> {
    let root = read_one(&mut lease, "", &["defaultNamingContext"]).await?;
    let domain = root.as_ref().and_then(|root| root.text("defaultNamingContext")).map(str::to_owned);
    let domain = domain.ok_or_else(|| SyncError::Refused("the server names no domain of its own".to_owned()))?;
    let users = &reading.directory.settings.users;
    let person = Filter::Equal("objectClass".to_owned(), b"person".to_vec().into());
    let mut keys = Vec::new();
    loop {
        let ask = DirSync { flags: OBJECT_SECURITY, most: MOST, cookie };
        let search = Search::new(&domain, Scope::Sub, person.clone());
        let search = Search { controls: vec![ask.control()], ..search };
        let mut entries = lease.into_search(&reading.directory.upstream, search);
        while let Some(item) = reading.next(&mut entries).await? {
            if let Item::Entry(entry, _) = item
                && note
                && let Ok(subject) = key::subject(users, &entry)
            {
                keys.push(subject.key);
            }
        }
        let server = entries.server().to_owned();
        let Some((result, controls)) = entries.result() else {
            return Err(SyncError::Unavailable(format!("{server}: the search has no end")));
        };
        whole(&server, result, &domain)?;
        let control = controls.iter().find(|control| control.oid == DIR_SYNC);
        let answer = control.and_then(|control| DirSync::read(control).ok());
        let answer = answer.ok_or_else(|| SyncError::Refused(format!("{server}: DirSync is not offered")))?;
        cookie = answer.cookie;
        if answer.flags == 0 {
            keys.sort();
            keys.dedup();
            return Ok((cookie, keys));
        }
        let back = entries.into_lease();
        lease = back.ok_or_else(|| SyncError::Unavailable("the search went on at another server".to_owned()))?;
    }
}
