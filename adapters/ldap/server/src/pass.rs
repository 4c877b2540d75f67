//! Subtrees of an upstream that are served as they are: names are moved from there to here and back, and the app's view
//! stands in front of them.

use std::borrow::Cow;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use fedbridge_contract::config::Tenant;
use fedbridge_contract::directory::{DirectoryServices, PassThrough, PassedResult, PassedSearch};
use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::ldap_directory::{LdapDirectory, PeopleMayRead};
use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::frame::{RESPONSE_DEPTH, envelope};
use fedbridge_ldap_core::{Code, Dn, Entry, Filter, Framer, Message, Op, Scope, Search, dn};
use tokio::sync::mpsc;

use crate::backend::{Beyond, Elsewhere, Found, Identity, Limits, Page};
use crate::entry::{partial_attribute, search_result_entry};
use crate::layout::Layout;
use crate::pass_filter::{Folded, Names, fold};
use crate::settings::LdapAppSettings;

/// The longest entry of an upstream that is passed on.
const LONGEST_ENTRY: usize = 10 * 1024 * 1024;

/// Entries that wait to be moved.
const AHEAD: usize = 16;

/// A subtree with its two names.
#[derive(Debug, Clone)]
pub struct Subtree {
    connection: ConnectionId,
    there: Dn,
    there_text: String,
    here: Dn,
    here_text: String,
}

impl Subtree {
    pub fn holds(&self, dn: &Dn) -> bool {
        dn.is_under(&self.here)
    }

    /// How much of it a search reaches that begins above it.
    pub fn reached(&self, base: &Dn, scope: Scope) -> Option<Scope> {
        let depth = self.here.rdns.len().checked_sub(base.rdns.len()).filter(|_| self.here.is_under(base))?;
        match (scope, depth) {
            (_, 0) | (Scope::Base, _) => None,
            (Scope::Sub | Scope::Subordinate, _) => Some(Scope::Sub),
            (Scope::One, 1) => Some(Scope::Base),
            (Scope::One, _) => None,
        }
    }

    /// A name from here as it is there; `None`: it is not in the subtree.
    pub fn to_there(&self, name: &str) -> Option<String> {
        moved(name, &self.here, &self.there_text)
    }

    /// A name from there as it is here.
    pub fn to_here(&self, name: &str) -> Option<String> {
        moved(name, &self.there, &self.here_text)
    }
}

fn moved(name: &str, from: &Dn, to: &str) -> Option<String> {
    match dn::relative(name, from)? {
        "" => Some(to.to_owned()),
        before => Some(format!("{before},{to}")),
    }
}

/// The subtrees of a tenant; one whose connection is gone is not there.
pub fn subtrees(tenant: &Tenant, directory: &LdapDirectory, layout: &Layout) -> Vec<Subtree> {
    let made = directory.pass_through.iter().filter_map(|rule| {
        let here_text = format!("{},{}", rule.at, layout.base_text);
        Some(Subtree {
            connection: tenant.connection(&rule.connection)?.id,
            there: Dn::parse(&rule.base).ok()?,
            there_text: rule.base.clone(),
            here: Dn::parse(&here_text).ok()?,
            here_text,
        })
    });
    made.collect()
}

/// The subtree for one who asks; `None`: for them it is not there.
pub fn open(
    subtree: &Subtree,
    as_: &Identity,
    tenant: &Tenant,
    services: &DirectoryServices,
) -> Option<Arc<dyn Elsewhere>> {
    Some(Arc::new(passed(subtree, as_, tenant, services)?))
}

/// The subtree as a part of a search that begins above it. One of a connection that is switched off is not there, and
/// neither is one that the app's view does not reach.
pub fn beyond(
    subtree: &Subtree,
    scope: Scope,
    as_: &Identity,
    tenant: &Tenant,
    services: &DirectoryServices,
) -> Option<Beyond> {
    let passed = passed(subtree, as_, tenant, services)?;
    let is_in_view = passed.base.as_ref().is_none_or(|base| subtree.here.is_under(base));
    let is_there = is_in_view && passed.upstream.is_some();
    is_there.then(|| Beyond { elsewhere: Arc::new(passed), base: subtree.here_text.clone(), scope })
}

fn passed(subtree: &Subtree, as_: &Identity, tenant: &Tenant, services: &DirectoryServices) -> Option<Passed> {
    let readable = tenant.settings.ldap.as_ref()?.people_may_read;
    let is_person = matches!(as_, Identity::Person { .. });
    if *as_ == Identity::Anonymous || (is_person && readable == PeopleMayRead::Themselves) {
        return None;
    }
    let (read, filter, base) = match as_.app() {
        None => (Names::all(), Names::all(), None),
        Some(id) => {
            let settings = LdapAppSettings::of(tenant.app_by_id(id)?).ok()?;
            let filter = settings.filter_attributes.as_ref().unwrap_or(&settings.attributes);
            (Names::of(&settings.attributes), Names::of(filter), settings.base.clone())
        }
    };
    let upstream = services.desk.pass_through(tenant.id, subtree.connection);
    Some(Passed { subtree: subtree.clone(), upstream, read, filter, base })
}

struct Passed {
    subtree: Subtree,
    /// `None`: the connection is switched off, or does not pass anything through.
    upstream: Option<Arc<dyn PassThrough>>,
    read: Names,
    filter: Names,
    /// The view's.
    base: Option<Dn>,
}

#[async_trait]
impl Elsewhere for Passed {
    async fn search(&self, search: Search, limits: Limits, out: mpsc::Sender<Found>) -> Page {
        let Some(base) = self.name(&search.base) else { return ended(Code::NO_SUCH_OBJECT) };
        let filter = match fold(&search.filter, &self.filter, &self.subtree) {
            Folded::False => return ended(Code::SUCCESS),
            Folded::True => Filter::Present("objectClass".to_owned()),
            Folded::Filter(filter) => filter,
        };
        let Some(upstream) = &self.upstream else { return ended(Code::UNAVAILABLE) };
        let passed = PassedSearch {
            base,
            scope: search.scope.number(),
            filter: filter.encode(),
            attributes: self.read.wanted(&search.attributes),
            size_limit: limits.size,
            time_limit: limits.time,
        };
        let (sink, arriving) = mpsc::channel(AHEAD);
        let (result, is_cut) =
            tokio::join!(upstream.search(passed, sink), self.deliver(arriving, &search, limits.size, &out));
        if is_cut { ended(Code::SIZE_LIMIT) } else { self.page(&result) }
    }

    async fn compare(&self, dn: &str, attribute: &str, value: &[u8]) -> (Code, String) {
        let Some(dn) = self.name(dn) else { return (Code::NO_SUCH_OBJECT, String::new()) };
        if !self.read.has(attribute) && !self.filter.has(attribute) {
            return (Code::NO_SUCH_ATTRIBUTE, String::new());
        }
        let Some(upstream) = &self.upstream else { return (Code::UNAVAILABLE, String::new()) };
        let value = self.subtree.value_to_there(attribute, value);
        let result = upstream.compare(&dn, attribute, &value).await;
        let page = self.page(&result);
        (page.code, page.matched)
    }
}

impl Passed {
    /// Gives out what arrives. True: there was more than may be given. What sends hears that nobody listens any more.
    async fn deliver(
        &self,
        mut arriving: mpsc::Receiver<Bytes>,
        search: &Search,
        most: u32,
        out: &mpsc::Sender<Found>,
    ) -> bool {
        let mut given = 0;
        while let Some(octets) = arriving.recv().await {
            let Some(entry) = self.entry(octets, search) else { continue };
            if given == most {
                return true;
            }
            given += 1;
            if out.send(Found::Entry(entry)).await.is_err() {
                return false;
            }
        }
        false
    }

    /// A name from here as it is there, where the view reaches it.
    fn name(&self, name: &str) -> Option<String> {
        let parsed = Dn::parse(name).ok()?;
        let is_in_view = self.base.as_ref().is_none_or(|base| parsed.is_under(base));
        self.subtree.to_there(name).filter(|_| is_in_view)
    }

    /// An entry as it goes out here; `None` for what is no entry of the subtree: references, too, which would tell
    /// where the upstream is.
    fn entry(&self, octets: Bytes, search: &Search) -> Option<Bytes> {
        let Op::Entry(Entry { dn, attributes }) = read(octets)? else { return None };
        let dn = self.subtree.to_here(&dn)?;
        let mut written = BytesMut::new();
        for (description, values) in &attributes {
            if !self.read.has(description) || !is_wanted(description, &search.attributes) {
                continue;
            }
            let values: Vec<_> = values.iter().map(|value| self.subtree.value_to_here(description, value)).collect();
            let values = values.iter().filter(|_| !search.types_only).map(|value| &value[..]);
            partial_attribute(description, values, &mut written);
        }
        Some(search_result_entry(&dn, &written))
    }

    /// Only what a client of ours may hear.
    fn page(&self, result: &PassedResult) -> Page {
        const PASSED: &[Code] = &[
            Code::SUCCESS,
            Code::TIME_LIMIT,
            Code::SIZE_LIMIT,
            Code::COMPARE_FALSE,
            Code::COMPARE_TRUE,
            Code::ADMIN_LIMIT,
            Code::NO_SUCH_ATTRIBUTE,
            Code::INAPPROPRIATE_MATCHING,
            Code::INVALID_SYNTAX,
            Code::NO_SUCH_OBJECT,
            Code::BUSY,
        ];
        let code = PASSED.iter().copied().find(|code| code.0 == result.code).unwrap_or(Code::UNAVAILABLE);
        let matched = if code == Code::NO_SUCH_OBJECT { self.subtree.to_here(&result.matched_dn) } else { None };
        Page::ended(code, matched.unwrap_or_default())
    }
}

impl Subtree {
    /// A value that is a name of the subtree, as it is there; any other value stays.
    pub fn value_to_there<'v>(&self, attribute: &str, value: &'v [u8]) -> Cow<'v, [u8]> {
        value_moved(attribute, value, |name| self.to_there(name))
    }

    fn value_to_here<'v>(&self, attribute: &str, value: &'v [u8]) -> Cow<'v, [u8]> {
        value_moved(attribute, value, |name| self.to_here(name))
    }
}

fn value_moved<'v>(attribute: &str, value: &'v [u8], moved: impl FnOnce(&str) -> Option<String>) -> Cow<'v, [u8]> {
    let rule = Description::of(attribute).known().and_then(|kind| kind.equality());
    let text = std::str::from_utf8(value).ok().filter(|_| rule.is_some_and(|rule| rule.is_of_names()));
    match text.and_then(moved) {
        Some(moved) => Cow::Owned(moved.into_bytes()),
        None => Cow::Borrowed(value),
    }
}

/// Whether a client asked for it. The upstream may give more than it was asked for.
fn is_wanted(description: &str, wanted: &[String]) -> bool {
    let described = Description::of(description);
    let is_operational = described.known().is_some_and(|kind| kind.is_operational());
    let all = if is_operational { "+" } else { "*" };
    (wanted.is_empty() && !is_operational)
        || wanted.iter().any(|wanted| wanted == all || described.is(Description::of(wanted).base))
}

/// The octets are those of an operation, or of a message around it.
fn read(octets: Bytes) -> Option<Op> {
    let mut stream = BytesMut::new();
    if octets.first() == Some(&0x30) {
        stream.extend_from_slice(&octets);
    } else {
        envelope(1, &octets, &[], &mut stream);
    }
    let frame = Framer::new(LONGEST_ENTRY, RESPONSE_DEPTH).next(&mut stream).ok()??;
    Message::read(&frame).ok().map(|message| message.op)
}

fn ended(code: Code) -> Page {
    Page::ended(code, String::new())
}

#[cfg(test)]
mod tests;
