//! The seam between the protocol and the directory: the protocol asks, the directory answers. Neither knows how the
//! other does it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::directory::DirectoryPerson;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, PersonId, TenantId};
use fedbridge_contract::listener::WireFacts;
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::{Code, Dn, Scope, Search};

/// A name that somebody binds with, read once.
#[derive(Debug, Clone)]
pub struct BindName {
    /// As it came.
    pub text: String,
    /// `None`: a bare name.
    pub dn: Option<Dn>,
}

impl From<&str> for BindName {
    fn from(text: &str) -> Self {
        Self { text: text.to_owned(), dn: if text.contains('=') { Dn::parse(text).ok() } else { None } }
    }
}

/// The directories of all tenants, as they are now.
pub trait Directories: Send + Sync {
    /// Whose directory is meant by a DN, or by a bare name: by the suffix of a DN, by the name that the client came
    /// to (SNI), or because there is one tenant only. A DN outside of the tenant that SNI names is nobody's, and
    /// so is a bare name where several tenants could be meant.
    fn tenant_of(&self, name: &BindName, wire: &WireFacts) -> Option<Arc<dyn Backend>>;

    /// A tenant's directory as it is now; `None` where the tenant has none any more.
    fn of(&self, tenant: TenantId) -> Option<Arc<dyn Backend>>;

    /// An app by the subject of a client certificate whose chain was verified.
    fn by_certificate(&self, subject: &Dn, wire: &WireFacts) -> Option<(Arc<dyn Backend>, AppId)>;

    /// What everybody may read: the root DSE (RFC 4512 section 5.1) and the subschema entry (section 4.2).
    /// `tenant` is the one that the connection has bound to. `None` where the search is for neither.
    fn common(
        &self,
        search: &Search,
        wire: &WireFacts,
        tenant: Option<TenantId>,
        out: &mut dyn FnMut(Found) -> bool,
    ) -> Option<Page>;
}

pub use crate::index::fetched::Fetched;

/// One tenant's directory at one moment: it does not change any more, and a new one stands in its place.
/// A paged search keeps the one that it began with.
#[async_trait]
pub trait Backend: Send + Sync {
    fn tenant(&self) -> &Arc<Tenant>;

    /// Gives entries to `out` until it says that it takes no more, `ask_for` are out, or 512 candidates were looked
    /// at. It never waits: where it comes to somebody who is not whole in memory, it ends and says whom it needs. What
    /// `out` was given counts as given, also the last one.
    fn search(&self, asked: &Asked<'_>, out: &mut dyn FnMut(Found) -> bool) -> Page;

    /// The code, compareTrue and compareFalse among them, and the DN that matched.
    ///
    /// # Errors
    /// The one that is needed first, as in [`Page::missing`].
    fn compare(&self, as_: &Identity, what: &Comparison<'_>) -> Result<(Code, String), u32>;

    /// Reads what a step or a comparison was missing.
    ///
    /// # Errors
    /// The store does not answer.
    async fn fetch(&self, missing: &[u32]) -> Result<Fetched, StoreError>;

    /// Who a bind name means: an app's DN, a person's DN, or a bare name.
    fn who(&self, name: &BindName) -> Meant;

    /// A person, with what a bind needs.
    fn person(&self, id: PersonId) -> Option<DirectoryPerson>;

    /// What a person who is bound already hangs on; `None`: nobody has this id any more.
    fn standing(&self, id: PersonId) -> Option<Standing>;

    /// The DN of whoever is bound; `None` for nobody.
    fn dn(&self, of: &Identity) -> Option<String>;

    fn limits(&self, as_: &Identity) -> Limits;

    /// A subtree of an upstream in which this DN lies, or `None`: it is one of ours.
    fn elsewhere(&self, as_: &Identity, dn: &str) -> Option<Arc<dyn Elsewhere>>;

    /// The subtrees of upstreams that a search from a base of ours reaches.
    fn beyond(&self, as_: &Identity, base: &str, scope: Scope) -> Vec<Beyond>;

    /// Learning mode: notes the shape of what was asked, where the app is one that is learnt.
    fn learn(&self, as_: &Identity, seen: &Seen<'_>, at: Timestamp);
}

/// A subtree of an upstream, under the app's view.
#[async_trait]
pub trait Elsewhere: Send + Sync {
    /// Gives entries to `out` until it is closed. The page's `next` is always `None`.
    async fn search(&self, search: Search, limits: Limits, out: tokio::sync::mpsc::Sender<Found>) -> Page;

    async fn compare(&self, dn: &str, attribute: &str, value: &[u8]) -> (Code, String);
}

/// Who a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    Anonymous,
    App {
        app: AppId,
        /// The newest kill that was known when the bind began.
        epoch: Epoch,
    },
    Person {
        id: PersonId,
        /// The app whose connection it is: it had bound on it before.
        by_app: Option<AppId>,
        /// As above.
        epoch: Epoch,
    },
}

impl Identity {
    /// By whose view it reads.
    pub fn app(&self) -> Option<AppId> {
        match self {
            Self::Anonymous => None,
            Self::App { app, .. } => Some(*app),
            Self::Person { by_app, .. } => *by_app,
        }
    }
}

/// A part of a search that an upstream answers.
pub struct Beyond {
    pub elsewhere: Arc<dyn Elsewhere>,
    /// Where it begins there, by its name here.
    pub base: String,
    pub scope: Scope,
}

/// What a compare asks.
#[derive(Clone, Copy)]
pub struct Comparison<'a> {
    pub dn: &'a str,
    pub attribute: &'a str,
    pub value: &'a [u8],
    /// What was read for it.
    pub fetched: Option<&'a Fetched>,
}

/// One step of a search.
pub struct Asked<'a> {
    pub search: &'a Search,
    pub as_: &'a Identity,
    /// What was read for it: see [`Page::missing`].
    pub fetched: Option<&'a Fetched>,
    /// Entries that are still wanted.
    pub ask_for: u32,
    /// Where the step before ended, its `next`; 0 at the beginning.
    pub after: u32,
}

/// A SearchResultEntry or SearchResultReference (RFC 4511 section 4.5.2): the octets of the whole protocolOp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    Entry(Bytes),
    Reference(Bytes),
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where it goes on; `None`: that was all.
    pub next: Option<u32>,
    /// How many entries there may be in all; 0 where nobody knows (RFC 2696 section 3).
    pub estimate: u32,
    /// Anything but success ends the search.
    pub code: Code,
    /// Where the base is not there: the lowest entry above it that the reader may know of.
    pub matched: String,
    /// Who has to be read from the store before it can go on at `next`; empty: nobody.
    pub missing: Vec<u32>,
}

impl Page {
    /// One that ends the search.
    pub fn ended(code: Code, matched: String) -> Self {
        Self { next: None, estimate: 0, code, matched, missing: Vec::new() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meant {
    App(AppId),
    Person(PersonId),
    /// Nobody has this name yet. A password connection may know it.
    Nobody {
        /// As it was typed, or the value of the DN's first attribute.
        name: String,
    },
    OutsideOfTheTenant,
}

/// See [`Bound`](fedbridge_contract::services::Bound).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub disabled: bool,
    /// The last kill of the person.
    pub epoch: Epoch,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Entries of one search, or of one page of it.
    pub size: u32,
    pub time: Duration,
}

/// What learning mode looks at.
pub enum Seen<'a> {
    /// The name of a simple bind, as it came.
    Bind {
        name: &'a str,
    },
    /// `controls` are OIDs. `given`: how many entries it got.
    Search {
        search: &'a Search,
        controls: &'a [String],
        given: u32,
    },
    Compare {
        dn: &'a str,
        attribute: &'a str,
    },
    /// A kind of operation that is never done here.
    Refused {
        operation: &'static str,
    },
}
