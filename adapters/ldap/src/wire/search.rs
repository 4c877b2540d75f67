//! Searches: what is asked, what comes, page by page, and on at other servers where references may be followed.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedbridge_ldap_core::control::{PAGED_RESULTS, PagedResults};
use fedbridge_ldap_core::{Code, Control, Filter, LdapResult, Scope};
use futures_util::Stream;
use futures_util::stream::try_unfold;

use super::channel::malformed;
use super::error::WireError;
use super::referral::{Continued, MOST_HOPS, MOST_REFERENCES};
use super::seam::Rows;
use super::session::{Lease, Session};
use super::upstream::Upstream;

/// A search (RFC 4511 section 4.5.1). Aliases are never followed.
#[derive(Debug, Clone)]
pub struct Search {
    pub base: String,
    pub scope: Scope,
    pub filter: Filter,
    /// Empty: all user attributes. [`NO_ATTRIBUTES`](Self::NO_ATTRIBUTES): none.
    pub attributes: Vec<String>,
    /// Most entries; 0: as many as there are.
    pub size: u32,
    /// How long the server may search; zero: as long as it likes. It counts in seconds.
    pub time: Duration,
    pub types_only: bool,
    /// Entries of a page (RFC 2696). Where the server knows no pages, all come at once.
    pub page: Option<u32>,
    pub controls: Vec<Control>,
}

impl Search {
    /// RFC 4511 section 4.5.1.8.
    pub const NO_ATTRIBUTES: &'static str = "1.1";

    pub fn new(base: impl Into<String>, scope: Scope, filter: Filter) -> Self {
        Self {
            base: base.into(),
            scope,
            filter,
            attributes: Vec::new(),
            size: 0,
            time: Duration::ZERO,
            types_only: false,
            page: None,
            controls: Vec::new(),
        }
    }

    #[must_use]
    pub fn attributes<I: IntoIterator<Item = S>, S: Into<String>>(mut self, names: I) -> Self {
        self.attributes = names.into_iter().map(Into::into).collect();
        self
    }
}

/// An entry as it came. Values are octets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entry {
    pub dn: String,
    /// Names as the server writes them, with their options: `mail;lang-en`, `member;range=0-1499`.
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Entry {
    /// The values of an attribute of just this name, without regard to case. One that came without values, and one
    /// that did not come, both have none.
    pub fn values(&self, name: &str) -> &[Vec<u8>] {
        let found = self.attributes.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, values)| values.as_slice()).unwrap_or_default()
    }

    /// The first value as text.
    pub fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.values(name).first()?).ok()
    }

    fn octets(&self) -> usize {
        let values = |(name, values): &(String, Vec<Vec<u8>>)| name.len() + values.iter().map(Vec::len).sum::<usize>();
        self.dn.len() + self.attributes.iter().map(values).sum::<usize>()
    }
}

/// What comes in a stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// With the controls of its message, such as the state of RFC 4533.
    Entry(Entry, Vec<Control>),
    /// RFC 4511 section 4.13; RFC 4533 sends what stays as it is so.
    Intermediate { oid: Option<String>, value: Option<Bytes> },
}

/// A whole answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answers {
    pub entries: Vec<Entry>,
    /// Of any code: noSuchObject (32) is an answer. sizeLimitExceeded (4) and its kind come with what was found so far.
    pub result: LdapResult,
    pub controls: Vec<Control>,
    /// Where the search would go on, and was not continued.
    pub references: Vec<String>,
    /// Who answered: `host:port`.
    pub server: String,
}

impl Answers {
    pub fn is_success(&self) -> bool {
        self.result.code == Code::SUCCESS
    }

    /// Whether as much was gathered as is taken.
    pub(super) fn is_full(&self) -> bool {
        let octets = self.entries.iter().map(Entry::octets).sum::<usize>();
        self.entries.len() >= MOST_ENTRIES || octets >= MOST_OCTETS
    }
}

/// The end of a search.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct End {
    pub result: LdapResult,
    pub controls: Vec<Control>,
}

/// Entries, and octets, that are gathered at most. What can be longer is streamed.
const MOST_ENTRIES: usize = 10_000;
const MOST_OCTETS: usize = 64 * 1024 * 1024;

/// A server that does not give so many entries at a time gives none.
const SMALLEST_PAGE: u32 = 25;

/// Pages in a row that may be empty while their cookie says that there is more.
const MOST_EMPTY: u32 = 100;

/// A search at one server.
pub(super) struct Pages {
    search: Search,
    rows: Option<Rows>,
    /// What the next page begins with; the server's own.
    cookie: Bytes,
    seen_in_page: bool,
    /// Whether anything came since the page was asked for, references included.
    came: bool,
    empty: u32,
    pub references: Vec<String>,
    pub end: Option<End>,
}

impl Pages {
    pub fn new(search: Search) -> Self {
        let cookie = Bytes::new();
        Self {
            search,
            rows: None,
            cookie,
            seen_in_page: false,
            came: false,
            empty: 0,
            references: Vec::new(),
            end: None,
        }
    }

    /// The next item; `None` at the end.
    pub async fn next(&mut self, session: &mut Session) -> Result<Option<Item>, WireError> {
        while self.end.is_none() {
            let rows = match &mut self.rows {
                Some(rows) => rows,
                None => {
                    self.came = false;
                    self.rows.insert(session.begin(&self.search, self.page()).await?)
                }
            };
            let row = session.next(rows).await?;
            self.came |= !matches!(row, Row::End(_));
            match row {
                Row::Item(item) => {
                    self.seen_in_page |= matches!(item, Item::Entry(..));
                    return Ok(Some(item));
                }
                Row::Reference(uris) => {
                    // The others say the same (RFC 4511 section 4.5.3), and a server may send any number.
                    if self.references.len() < MOST_REFERENCES {
                        self.references.extend(uris.into_iter().next());
                    }
                }
                Row::End(end) => self.turn(session, end)?,
            }
        }
        Ok(None)
    }

    fn page(&self) -> Option<Control> {
        Some(paged(self.search.page?, &self.cookie))
    }

    /// A page is over.
    fn turn(&mut self, session: &Session, end: End) -> Result<(), WireError> {
        self.rows = None;
        if let Some(smaller) = self.smaller(end.result.code) {
            self.search.page = Some(smaller);
            return Ok(());
        }
        let control = end.controls.iter().find(|control| control.oid == PAGED_RESULTS);
        let cookie = match control.filter(|_| self.search.page.is_some() && end.result.code == Code::SUCCESS) {
            // Taken for the end, it would leave people out.
            Some(control) => PagedResults::read(control).map_err(|why| session.lost(&malformed(why)))?.cookie,
            // A server that knows no pages has sent all.
            None => Bytes::new(),
        };
        self.cookie = cookie;
        if self.cookie.is_empty() {
            self.end = Some(end);
            return Ok(());
        }
        self.empty = if self.seen_in_page { 0 } else { self.empty + 1 };
        self.seen_in_page = false;
        match self.empty > MOST_EMPTY {
            true => Err(session.lost("it gives one empty page of a search after the other")),
            false => Ok(()),
        }
    }

    /// What to ask for instead, where the server gives no page of this size: one says so by adminLimitExceeded (11, as
    /// OpenLDAP's `size.pr`), another by sizeLimitExceeded (4), and neither sends any of it.
    fn smaller(&self, code: Code) -> Option<u32> {
        let is_refused = matches!(code, Code::SIZE_LIMIT | Code::ADMIN_LIMIT) && !self.came && self.search.size == 0;
        self.search.page.map(|page| page / 2).filter(|smaller| is_refused && *smaller >= SMALLEST_PAGE)
    }

    /// Reads a page to its end, and frees what the server keeps for the next one (RFC 2696 section 3: a page of none).
    /// Without pages there is nothing to be done but to close the connection.
    async fn free(&mut self, session: &mut Session) -> Result<(), WireError> {
        if self.search.page.is_none() {
            return Ok(());
        }
        while let Some(rows) = &mut self.rows {
            if let Row::End(end) = session.next(rows).await? {
                self.turn(session, end)?;
            }
        }
        if !self.cookie.is_empty() {
            let mut rows = session.begin(&self.search, Some(paged(0, &self.cookie))).await?;
            while !matches!(session.next(&mut rows).await?, Row::End(_)) {}
        }
        Ok(())
    }

    /// All of it.
    pub async fn gather(mut self, session: &mut Session) -> Result<Answers, WireError> {
        let (mut entries, mut octets) = (Vec::new(), 0);
        let most = if self.search.size == 0 { MOST_ENTRIES } else { MOST_ENTRIES.min(self.search.size as usize) };
        while let Some(item) = self.next(session).await? {
            let Item::Entry(entry, _) = item else { continue };
            octets += entry.octets();
            if entries.len() == most || octets > MOST_OCTETS {
                // The connection is in the middle of an answer: it is not used again.
                return Ok(self.answers(session, entries, Some(too_many())));
            }
            entries.push(entry);
        }
        let end = self.end.take();
        Ok(self.answers(session, entries, end))
    }

    fn answers(self, session: &Session, entries: Vec<Entry>, end: Option<End>) -> Answers {
        let End { result, controls } = end.unwrap_or_else(too_many);
        let mut references = self.references;
        references.extend(result.referral.iter().take(1).cloned());
        Answers { entries, result, controls, references, server: session.server().to_owned() }
    }
}

/// sizeLimitExceeded, of our own.
pub(super) fn too_many() -> End {
    End { result: LdapResult::new(Code::SIZE_LIMIT, "more entries than are taken"), controls: Vec::new() }
}

/// Not critical: a server that knows no pages sends all at once.
fn paged(size: u32, cookie: &Bytes) -> Control {
    PagedResults { size, cookie: cookie.clone() }.control(false)
}

/// What a message of an answer is.
pub(super) enum Row {
    Item(Item),
    Reference(Vec<String>),
    End(End),
}

/// Entries one by one, and those of other servers behind them where references may be followed. Whoever is slow holds
/// the server back.
pub struct Entries {
    upstream: Arc<Upstream>,
    holder: Holder,
    pages: Pages,
    /// Where it goes on.
    ahead: VecDeque<Continued>,
    depth: u32,
    /// How often it went on.
    hops: u32,
    references: Vec<String>,
    end: Option<End>,
}

enum Holder {
    Lease(Lease),
    /// A connection to a server that is none of the listed ones.
    Elsewhere(Session),
}

impl Holder {
    fn session(&mut self) -> &mut Session {
        match self {
            Self::Lease(lease) => lease,
            Self::Elsewhere(session) => session,
        }
    }
}

impl Entries {
    pub(super) fn new(upstream: Arc<Upstream>, lease: Lease, search: Search) -> Self {
        let (holder, pages) = (Holder::Lease(lease), Pages::new(search));
        Self { upstream, holder, pages, ahead: VecDeque::new(), depth: 0, hops: 0, references: Vec::new(), end: None }
    }

    /// The next item; `None` at the end, whatever [`result`](Self::result) says.
    ///
    /// # Errors
    /// [`WireError`]; the stream is over then.
    pub async fn next(&mut self) -> Result<Option<Item>, WireError> {
        while self.end.is_none() {
            if let Some(item) = self.pages.next(self.holder.session()).await? {
                return Ok(Some(item));
            }
            let end = self.pages.end.take().unwrap_or_else(too_many);
            let mut found = std::mem::take(&mut self.pages.references);
            found.extend(end.result.referral.iter().take(1).cloned());
            for uri in found {
                match self.upstream.continued(&uri, &self.pages.search, self.depth) {
                    Some(continued) => self.ahead.push_back(continued),
                    None => self.references.push(uri),
                }
            }
            match self.ahead.pop_front() {
                None => self.end = Some(end),
                // What is left out would be taken for gone.
                Some(_) if self.hops == MOST_HOPS => {
                    return Err(self.holder.session().lost("it refers a search to one server after the other"));
                }
                Some(continued) => {
                    self.hops += 1;
                    self.depth = continued.depth;
                    self.holder = Holder::Elsewhere(self.upstream.elsewhere(&continued).await?);
                    self.pages = Pages::new(continued.search);
                }
            }
        }
        Ok(None)
    }

    /// How it ended, once `next` has said `None`: the result and the controls of its message.
    pub fn result(&self) -> Option<(&LdapResult, &[Control])> {
        self.end.as_ref().map(|end| (&end.result, end.controls.as_slice()))
    }

    /// Where the search would go on, and was not continued.
    pub fn references(&self) -> &[String] {
        &self.references
    }

    /// Who answers: `host:port`.
    pub fn server(&mut self) -> &str {
        self.holder.session().server()
    }

    /// Ends a search early and keeps the connection, where the search comes in pages. Without this, or without pages, the
    /// connection is closed.
    ///
    /// # Errors
    /// [`WireError`]; the connection is closed then.
    pub async fn stop(mut self) -> Result<(), WireError> {
        self.pages.free(self.holder.session()).await
    }

    /// The connection, for what must be asked of the same server; `None` where the search went on elsewhere.
    pub fn into_lease(self) -> Option<Lease> {
        match self.holder {
            Holder::Lease(lease) => Some(lease),
            Holder::Elsewhere(_) => None,
        }
    }

    pub fn into_stream(self) -> impl Stream<Item = Result<Item, WireError>> + Send {
        try_unfold(self, async |mut entries| Ok(entries.next().await?.map(|item| (item, entries))))
    }
}
