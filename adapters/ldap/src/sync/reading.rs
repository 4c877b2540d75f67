//! Going through a search, in the directory's order and in constant memory.

use std::collections::HashSet;
use std::time::Duration;

use fedbridge_contract::directory::{RecordSink, Seen, SyncError};
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::{Code, Control, Filter, LdapResult, Scope};

use crate::directory::{Directory, Trouble};
use crate::wire::{Entries, Entry, Item, Lease, Search, WireError};
use crate::{find, key, record};

/// Entries of a page, and as many are kept until their groups are found out.
const PAGE: u32 = 500;

/// The longest that a run may take. A directory whose pages never end would hold it for ever.
const LONGEST: Duration = Duration::from_secs(6 * 3600);

/// One run.
pub(super) struct Reading<'r> {
    pub directory: &'r Directory,
    sink: &'r mut dyn RecordSink,
    pub now: Timestamp,
    /// On the steady clock.
    begun: Duration,
}

/// What is done with the people of a search.
pub(super) struct People<'k> {
    /// Whose keys are noted.
    pub keys: Option<&'k mut HashSet<String>>,
    /// The newest value of this attribute is looked for.
    pub newest: Option<(&'static str, Option<i64>)>,
}

impl<'r> Reading<'r> {
    pub fn new(directory: &'r Directory, sink: &'r mut dyn RecordSink) -> Self {
        let clock = &directory.services.clock;
        Self { directory, sink, now: clock.now(), begun: clock.steady() }
    }

    /// What comes next in a search, while there is time.
    pub async fn next(&self, entries: &mut Entries) -> Result<Option<Item>, SyncError> {
        let left = left(self.begun, self.directory.services.clock.steady())?;
        // Pages may be empty: then nothing comes, and there is always one more.
        match tokio::time::timeout(left, entries.next()).await {
            Ok(next) => next.map_err(unavailable),
            Err(_) => Err(too_long()),
        }
    }

    /// A connection to one server.
    pub async fn lease(&self) -> Result<Lease, SyncError> {
        self.directory.upstream.service().await.map_err(unavailable)
    }

    /// The people whom a filter finds among those of the connection.
    pub fn search(&self, also: Option<Filter>) -> Search {
        let users = &self.directory.settings.users;
        let everybody = self.directory.everybody.clone();
        let filter = match also {
            None => everybody,
            Some(also) => Filter::And(vec![everybody, also]),
        };
        let search = Search::new(&users.base, users.scope, filter).attributes(&self.directory.wanted);
        Search { page: Some(PAGE), ..search }
    }

    /// Gives all people of a search on, and gives the connection back.
    pub async fn people(
        &mut self,
        lease: Lease,
        search: Search,
        people: &mut People<'_>,
    ) -> Result<Option<Lease>, SyncError> {
        let mut entries = lease.into_search(&self.directory.upstream, search);
        let mut page = Vec::with_capacity(PAGE as usize);
        while let Some(item) = self.next(&mut entries).await? {
            let Item::Entry(entry, _) = item else { continue };
            if let Some((attribute, newest)) = &mut people.newest {
                let changed = entry.text(attribute).and_then(fedbridge_ldap_core::value::time::parse);
                *newest = (*newest).max(changed);
            }
            page.push(entry);
            if page.len() == PAGE as usize {
                self.give(&mut page, people).await?;
            }
        }
        ended(&mut entries, &self.directory.settings.users.base)?;
        self.give(&mut page, people).await?;
        Ok(entries.into_lease())
    }

    async fn give(&mut self, page: &mut Vec<Entry>, people: &mut People<'_>) -> Result<(), SyncError> {
        for entry in page.drain(..) {
            let key = self.person(entry).await?;
            if let (Some(key), Some(keys)) = (key, &mut people.keys) {
                keys.insert(key);
            }
        }
        Ok(())
    }

    /// Gives a person on; the key, where there is one.
    pub async fn person(&mut self, entry: Entry) -> Result<Option<String>, SyncError> {
        let users = &self.directory.settings.users;
        // A reference that was followed leads elsewhere.
        if !find::below(users, &entry.dn) {
            return Ok(None);
        }
        let Ok(subject) = key::subject(users, &entry) else { return Ok(None) };
        let seen = match record::of(self.directory, entry, self.now).await {
            Ok(record) => Seen::Person(Box::new(record)),
            Err(Trouble(why)) => Seen::Unclear { key: subject.key.clone(), why },
        };
        self.sink.take(seen).await?;
        Ok(Some(subject.key))
    }

    pub async fn say(&mut self, seen: Seen) -> Result<(), SyncError> {
        self.sink.take(seen).await
    }

    /// The keys of all entries that a search finds, each given to `each`. Where the base is not there, that is said.
    pub async fn keys(
        &self,
        lease: Lease,
        (base, scope, filter): (&str, Scope, Filter),
        controls: Vec<Control>,
        mut each: impl FnMut(String, String) + Send,
    ) -> Result<Option<Lease>, SyncError> {
        let users = &self.directory.settings.users;
        let search = Search::new(base, scope, filter).attributes(&users.keys);
        let search = Search { page: Some(PAGE), controls, ..search };
        let mut entries = lease.into_search(&self.directory.upstream, search);
        while let Some(item) = self.next(&mut entries).await? {
            if let Item::Entry(entry, _) = item
                && let Ok(subject) = key::subject(users, &entry)
            {
                each(subject.key, entry.dn);
            }
        }
        ended(&mut entries, base)?;
        Ok(entries.into_lease())
    }
}

/// How much time a run has left.
fn left(begun: Duration, now: Duration) -> Result<Duration, SyncError> {
    let left = LONGEST.saturating_sub(now.saturating_sub(begun));
    if left.is_zero() { Err(too_long()) } else { Ok(left) }
}

fn too_long() -> SyncError {
    let hours = LONGEST.as_secs() / 3600;
    SyncError::Unavailable(format!("what it sends did not come to an end within {hours} hours"))
}

/// A search that was cut short has not seen everybody.
pub(super) fn ended(entries: &mut Entries, base: &str) -> Result<(), SyncError> {
    let server = entries.server().to_owned();
    match entries.result() {
        Some((result, _)) => whole(&server, result, base),
        None => Err(SyncError::Unavailable(format!("{server}: the search has no end"))),
    }
}

pub(super) fn whole(server: &str, result: &LdapResult, base: &str) -> Result<(), SyncError> {
    match result.code {
        Code::SUCCESS => Ok(()),
        Code::NO_SUCH_OBJECT => {
            Err(SyncError::Refused(format!("the base {base} is not there, or the service account may not see it")))
        }
        Code::BUSY | Code::UNAVAILABLE => Err(SyncError::Unavailable(format!("{server}: {}", result.code))),
        code => Err(SyncError::Refused(format!("{server}: a search ends with {code}, before everybody was read"))),
    }
}

pub(super) fn unavailable(error: WireError) -> SyncError {
    match error {
        WireError::AccountRefused { .. } | WireError::NotSent(_) => SyncError::Refused(error.to_string()),
        _ => SyncError::Unavailable(error.to_string()),
    }
}

/// What a base search of one entry gives; `None`: it is not there, or may not be seen.
pub(super) async fn read_one(lease: &mut Lease, dn: &str, attributes: &[&str]) -> Result<Option<Entry>, SyncError> {
    let search =
        Search::new(dn, Scope::Base, Filter::Present("objectClass".to_owned())).attributes(attributes.iter().copied());
    let answers = lease.all(&search).await.map_err(unavailable)?;
    Ok(answers.entries.into_iter().next().filter(|_| answers.result.code == Code::SUCCESS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_has_an_end() {
        let begun = Duration::from_secs(1_000);
        assert_eq!(left(begun, begun), Ok(LONGEST));
        assert_eq!(left(begun, begun + LONGEST - Duration::from_secs(1)), Ok(Duration::from_secs(1)));
        for late in [LONGEST, LONGEST * 2] {
            let Err(SyncError::Unavailable(why)) = left(begun, begun + late) else { panic!("it goes on") };
            assert!(why.contains("within 6 hours"), "{why}");
        }
    }
}
