//! Content synchronization (RFC 4533), refreshOnly: the server says what has changed since a cookie of its own, and
//! who was deleted, or who is still there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fedbridge_contract::directory::{Seen, SyncError};
use fedbridge_ldap_core::sync::{self, Change, Done, Info, Mode, State};
use fedbridge_ldap_core::value::uuid;
use fedbridge_ldap_core::{Code, Control};
use serde::{Deserialize, Serialize};

use super::cookie::Mark;
use super::reading::{Reading, whole};
use crate::wire::{Entry, Item, Search};

/// The attribute whose values a server names entries by.
const NAMED_BY: &str = "entryUUID";

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SyncReplMark {
    /// In base64.
    cookie: String,
}

/// `None`: the server does not offer it, or not in one piece, or people are known by another key than it names them by.
pub(super) async fn full(reading: &mut Reading<'_>) -> Result<Option<Mark>, SyncError> {
    if !named_as_here(reading) {
        return Ok(None);
    }
    let mut run = Run::default();
    match run.read(reading, None).await? {
        Offered::Yes => {}
        Offered::No => return Ok(None),
    }
    let cookie = run.cookie.ok_or_else(|| SyncError::Refused("the server gives no cookie to go on with".to_owned()))?;
    Ok(Some(Mark::SyncRepl(SyncReplMark { cookie: STANDARD.encode(cookie) })))
}

pub(super) async fn delta(reading: &mut Reading<'_>, mark: &SyncReplMark) -> Result<Mark, SyncError> {
    let cookie = STANDARD.decode(&mark.cookie).ok().filter(|_| named_as_here(reading));
    let cookie = cookie.ok_or_else(|| SyncError::FullNeeded("the cookie can't be used".to_owned()))?;
    let mut run = Run::default();
    if let Offered::No = run.read(reading, Some(&cookie)).await? {
        return Err(SyncError::FullNeeded("the server offers no syncrepl, or not so much of it".to_owned()));
    }
    // An answer without a single word is one that nothing has changed, whatever its flag says.
    if run.heard && !run.deletes {
        reading.say(Seen::NobodyElse).await?;
    }
    let cookie = run.cookie.map_or_else(|| mark.cookie.clone(), |cookie| STANDARD.encode(cookie));
    Ok(Mark::SyncRepl(SyncReplMark { cookie }))
}

fn named_as_here(reading: &Reading<'_>) -> bool {
    let users = &reading.directory.settings.users;
    users.keys.first().is_some_and(|first| first.eq_ignore_ascii_case(NAMED_BY))
}

enum Offered {
    Yes,
    No,
}

/// What a server has said in one answer.
#[derive(Default)]
struct Run {
    cookie: Option<Bytes>,
    heard: bool,
    /// Deletions were named: then whoever was not named is as before.
    deletes: bool,
}

impl Run {
    async fn read(&mut self, reading: &mut Reading<'_>, cookie: Option<&[u8]>) -> Result<Offered, SyncError> {
        // In one piece: a server takes no pages beside it.
        let search =
            Search { page: None, controls: vec![sync::request(Mode::RefreshOnly, cookie)], ..reading.search(None) };
        let lease = reading.lease().await?;
        let mut entries = lease.into_search(&reading.directory.upstream, search);
        while let Some(item) = reading.next(&mut entries).await? {
            self.heard = true;
            match item {
                Item::Entry(entry, controls) => self.entry(reading, entry, &controls).await?,
                Item::Intermediate { oid, value } if oid.as_deref() == Some(sync::SYNC_INFO) => {
                    let info = Info::read(value.as_ref()).map_err(|_| unreadable())?;
                    self.info(reading, info).await?;
                }
                Item::Intermediate { .. } => {}
            }
        }
        let server = entries.server().to_owned();
        let Some((result, controls)) = entries.result() else {
            return Err(SyncError::Unavailable(format!("{server}: the search has no end")));
        };
        match result.code {
            Code::UNAVAILABLE_CRITICAL_EXTENSION => return Ok(Offered::No),
            // A server that limits how much it sends at a time sends it in pages only, and those are of plain searches.
            Code::SIZE_LIMIT | Code::ADMIN_LIMIT => return Ok(Offered::No),
            Code::SYNC_REFRESH_REQUIRED => {
                return Err(SyncError::FullNeeded("the server has forgotten what has changed".to_owned()));
            }
            // So slapd answers where its data are older than the cookie, after it was restored; and a cookie may be
            // of a form that it has given up.
            code @ (Code::UNWILLING | Code::PROTOCOL) if cookie.is_some() => {
                return Err(SyncError::FullNeeded(format!("the server does not go on from where it was: {code}")));
            }
            _ => whole(&server, result, &reading.directory.settings.users.base)?,
        }
        let done = controls.iter().find(|control| control.oid == sync::SYNC_DONE);
        let done = done.map(Done::read).transpose().map_err(|_| unreadable())?;
        if let Some(Done { cookie, refresh_deletes }) = done {
            self.goes_on(cookie);
            self.deletes |= refresh_deletes;
        }
        Ok(Offered::Yes)
    }

    async fn entry(&mut self, reading: &mut Reading<'_>, entry: Entry, controls: &[Control]) -> Result<(), SyncError> {
        let state = controls.iter().find(|control| control.oid == sync::SYNC_STATE);
        let state = state.map(State::read).transpose().map_err(|_| unreadable())?;
        let State { change, uuid, cookie } = state.ok_or_else(unreadable)?;
        self.goes_on(cookie);
        match change {
            Change::Add | Change::Modify => reading.person(entry).await.map(drop),
            Change::Present => reading.say(Seen::Present(key(uuid))).await,
            Change::Delete => reading.say(Seen::Gone(key(uuid))).await,
        }
    }

    async fn info(&mut self, reading: &mut Reading<'_>, info: Info) -> Result<(), SyncError> {
        match info {
            Info::NewCookie(cookie) => self.goes_on(Some(cookie)),
            Info::RefreshPresent { cookie, .. } => self.goes_on(cookie),
            Info::RefreshDelete { cookie, .. } => {
                self.deletes = true;
                self.goes_on(cookie);
            }
            Info::Ids { cookie, are_deleted, uuids } => {
                self.goes_on(cookie);
                for uuid in uuids {
                    let key = key(uuid);
                    reading.say(if are_deleted { Seen::Gone(key) } else { Seen::Present(key) }).await?;
                }
            }
        }
        Ok(())
    }

    fn goes_on(&mut self, cookie: Option<Bytes>) {
        self.cookie = cookie.or_else(|| self.cookie.take());
    }
}

fn key(octets: [u8; 16]) -> String {
    format!("{}={}", NAMED_BY.to_ascii_lowercase(), uuid::to_text(octets))
}

fn unreadable() -> SyncError {
    SyncError::Refused("the server's words about changes can't be read (RFC 4533)".to_owned())
}
