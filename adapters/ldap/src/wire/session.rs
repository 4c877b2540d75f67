//! Connections on which somebody is bound: the service account's, lent and given back, and a person's, used once.

use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedbridge_contract::services::Clock;
use fedbridge_ldap_core::{Control, LdapResult};
use tokio::sync::OwnedSemaphorePermit;

pub use fedbridge_ldap_core::message::Change;

use super::connect::within;
use super::error::{Stage, WireError};
use super::pool::Kept;
use super::seam::{Library, Rows};
use super::search::{Answers, Entries, Pages, Row, Search};
use super::servers::Server;
use super::upstream::Upstream;

/// A connection for one operation after the other.
#[derive(Clone)]
pub struct Session {
    library: Library,
    server: Arc<str>,
    limit: Duration,
    /// An operation is under way, or was given up.
    busy: bool,
}

/// The answer to an extended operation (RFC 4511 section 4.12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extended {
    pub result: LdapResult,
    pub value: Option<Bytes>,
    pub controls: Vec<Control>,
}

impl Session {
    /// `limit`: how long an operation may take.
    pub(super) fn new(library: Library, server: Arc<str>, limit: Duration) -> Self {
        Self { library, server, limit, busy: false }
    }

    /// Whose connection it is: `host:port`.
    pub fn server(&self) -> &str {
        &self.server
    }

    /// A whole search at this server. References are not followed.
    ///
    /// # Errors
    /// [`WireError`]; the connection is not used again then.
    pub async fn all(&mut self, search: &Search) -> Result<Answers, WireError> {
        let (server, limit) = (Arc::clone(&self.server), self.limit);
        let gathered = pin!(Pages::new(search.clone()).gather(self));
        within(&server, Stage::Search, limit, gathered).await
    }

    /// RFC 4511 section 4.10; compareTrue and compareFalse are codes of the result.
    ///
    /// # Errors
    /// [`WireError`]; the connection is not used again then.
    pub async fn compare(&mut self, dn: &str, attribute: &str, value: &[u8]) -> Result<LdapResult, WireError> {
        self.busy = true;
        let compared = self.library.compare(dn, attribute, value);
        let result = within(&self.server, Stage::Operation, self.limit, compared).await?;
        self.busy = false;
        Ok(result)
    }

    /// Changes values of an entry (RFC 4511 section 4.6), all or none.
    ///
    /// # Errors
    /// [`WireError`]; the connection is not used again then.
    pub async fn modify(
        &mut self,
        dn: &str,
        changes: &[Change<'_>],
        controls: Vec<Control>,
    ) -> Result<(LdapResult, Vec<Control>), WireError> {
        self.busy = true;
        let modified = self.library.modify(dn, changes, controls);
        let result = within(&self.server, Stage::Operation, self.limit, modified).await?;
        self.busy = false;
        Ok(result)
    }

    /// Asks for what RFC 4511 has no operation for (section 4.12), such as a new password (RFC 3062).
    ///
    /// # Errors
    /// [`WireError`]; the connection is not used again then.
    pub async fn extended(
        &mut self,
        oid: &str,
        value: Option<Vec<u8>>,
        controls: Vec<Control>,
    ) -> Result<Extended, WireError> {
        self.busy = true;
        let answered = self.library.extended(oid, value, controls);
        let (result, controls, value) = within(&self.server, Stage::Operation, self.limit, answered).await?;
        self.busy = false;
        Ok(Extended { result, value, controls })
    }

    pub(super) async fn begin(&mut self, search: &Search, page: Option<Control>) -> Result<Rows, WireError> {
        self.busy = true;
        let begun = pin!(self.library.search(search, page));
        within(&self.server, Stage::Search, self.limit, begun).await
    }

    /// The next message of a search; between two of them the server has as long as for an operation.
    pub(super) async fn next(&mut self, rows: &mut Rows) -> Result<Row, WireError> {
        let read = pin!(self.library.next(rows));
        let row = within(&self.server, Stage::Search, self.limit, read).await?;
        self.busy = !matches!(row, Row::End(_));
        Ok(row)
    }

    pub(super) fn lost(&self, cause: &str) -> WireError {
        WireError::lost(&self.server, cause)
    }

    /// Whether the next one may use it.
    pub(super) fn is_usable(&mut self) -> bool {
        !self.busy && self.library.is_open()
    }
}

/// A connection of the service account. It goes back when it is dropped, unless something went wrong on it, or is still
/// under way.
pub struct Lease {
    kept: Kept<Session>,
    server: Arc<Server>,
    clock: Arc<dyn Clock>,
    /// It has served before: that it is lost may be old news.
    pub(super) used: bool,
    _place: OwnedSemaphorePermit,
}

impl Lease {
    pub(super) fn new(
        kept: Kept<Session>,
        server: Arc<Server>,
        clock: Arc<dyn Clock>,
        used: bool,
        place: OwnedSemaphorePermit,
    ) -> Self {
        Self { kept, server, clock, used, _place: place }
    }

    pub(super) fn at(&self) -> &Arc<Server> {
        &self.server
    }

    /// A search at this very server, entry by entry. [`Entries::into_lease`] gives the connection back.
    pub fn into_search(self, upstream: &Arc<Upstream>, search: Search) -> Entries {
        Entries::new(Arc::clone(upstream), self, search)
    }
}

impl Deref for Lease {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.kept.thing
    }
}

impl DerefMut for Lease {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.kept.thing
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.kept.thing.is_usable() {
            self.server.service.put(self.kept.clone(), self.clock.steady());
        }
    }
}

/// A connection that is a person's. It is closed when it is dropped, and serves nobody else.
pub struct AsUser(pub(super) Session);

impl Deref for AsUser {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0
    }
}

impl DerefMut for AsUser {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.0
    }
}
