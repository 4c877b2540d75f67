//! A directory in memory that listens on this machine: entries, passwords, and what it does wrong on purpose.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::control::{Control, PAGED_RESULTS, PagedResults, SHOW_DELETED};
use fedbridge_ldap_core::extended::{PASSWORD_MODIFY, PasswordModify};
use fedbridge_ldap_core::frame::REQUEST_DEPTH;
use fedbridge_ldap_core::sync::SYNC_REQUEST;
use fedbridge_ldap_core::{Auth, Code, Dn, Done, Entry, Filter, Framer, LdapResult, Message, Op, Scope, Search, Write};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What stands in the place of an answer to a bind whose password is right.
#[derive(Clone)]
pub struct BindAnswer {
    pub code: u32,
    pub text: String,
    pub controls: Vec<Control>,
}

#[derive(Default)]
pub struct State {
    pub entries: Vec<Entry>,
    passwords: BTreeMap<String, Vec<u8>>,
    /// By DN; for any password that is not empty.
    pub binds: BTreeMap<String, BindAnswer>,
    /// Every operation, with whoever was bound then.
    pub log: Vec<(String, Op)>,
    /// Values of one attribute in an answer, as Active Directory limits them.
    pub range: Option<usize>,
    /// Entries of one answer; more are cut off with sizeLimitExceeded.
    pub size_limit: Option<usize>,
    /// What a search refers to besides.
    pub references: Vec<String>,
    /// Attributes that the service account may not read.
    pub hidden: Vec<&'static str>,
    /// Searches below a group's base take so long.
    pub slow_groups: Option<Duration>,
    /// An answer to a search that finds this in its filter.
    pub search_fails: Option<(&'static str, u32)>,
    /// What every search gives besides, wherever it looks.
    pub strays: Vec<Entry>,
    /// What it says of itself.
    pub root: Vec<(String, Vec<Bytes>)>,
    /// Whether the service account may see entries that are deleted.
    pub shows_deleted: bool,
    /// Answers to searches that ask for synchronization, in order; without any it offers none.
    pub replicates: std::collections::VecDeque<Answers>,
    /// How a change of password ends.
    pub change: Option<BindAnswer>,
}

pub struct Server {
    pub port: u16,
    state: Arc<Mutex<State>>,
    _tasks: JoinSet<()>,
}

/// Given by name alone.
const OPERATIONAL: &[&str] = &[
    "entryUUID",
    "memberOf",
    "tokenGroups",
    "msDS-User-Account-Control-Computed",
    "pwdAccountLockedTime",
    "createTimestamp",
];

impl Server {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State::default()));
        let mut tasks = JoinSet::new();
        let shared = Arc::clone(&state);
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { port, state, _tasks: tasks }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    pub fn add(&mut self, dn: &str, attributes: &[(&str, &[&str])]) {
        let attributes = attributes.iter().map(|(name, values)| {
            ((*name).to_owned(), values.iter().map(|value| Bytes::copy_from_slice(value.as_bytes())).collect())
        });
        self.entries.push(Entry { dn: dn.to_owned(), attributes: attributes.collect() });
    }

    pub fn set(&mut self, dn: &str, name: &str, values: Vec<Vec<u8>>) {
        let entry = self.entries.iter_mut().find(|entry| same(&entry.dn, dn)).unwrap();
        entry.attributes.retain(|(there, _)| !there.eq_ignore_ascii_case(name));
        entry.attributes.push((name.to_owned(), values.into_iter().map(Bytes::from).collect()));
    }

    pub fn password(&mut self, dn: &str, password: &str) {
        self.passwords.insert(normal(dn), password.as_bytes().to_vec());
    }

    pub fn answer(&mut self, dn: &str, code: u32, text: &str) {
        self.binds.insert(normal(dn), BindAnswer { code, text: text.to_owned(), controls: Vec::new() });
    }

    /// The names of all binds of people.
    pub fn binds(&self) -> Vec<String> {
        let binds = self.log.iter().filter_map(|(_, op)| match op {
            Op::Bind { name, .. } if name != SERVICE => Some(name.clone()),
            _ => None,
        });
        binds.collect()
    }

    pub fn searches(&self) -> Vec<(String, Search)> {
        let searches = self.log.iter().filter_map(|(who, op)| match op {
            Op::Search(search) => Some((who.clone(), search.clone())),
            _ => None,
        });
        searches.collect()
    }

    fn bind(&self, name: &str, auth: &Auth) -> BindAnswer {
        let answer = |code: u32, text: &str| BindAnswer { code, text: text.to_owned(), controls: Vec::new() };
        let Auth::Simple(password) = auth else { return answer(7, "") };
        if name.is_empty() || password.is_empty() {
            // It lets anybody do this, as some servers do.
            return answer(0, "");
        }
        if let Some(scripted) = self.binds.get(&normal(name)) {
            return scripted.clone();
        }
        match self.passwords.get(&normal(name)) {
            Some(right) if right[..] == password[..] => answer(0, ""),
            _ => answer(49, ""),
        }
    }

    fn search(&self, who: &str, search: &Search, controls: &[Control]) -> Vec<(Op, Vec<Control>)> {
        let done =
            |code: u32, controls| (Op::Done { of: Done::Search, result: LdapResult::new(Code(code), "") }, controls);
        if let Some((part, code)) = self.search_fails
            && search.filter.print().contains(part)
        {
            return vec![done(code, Vec::new())];
        }
        if controls.iter().any(|control| control.oid == SYNC_REQUEST) {
            return vec![done(12, Vec::new())];
        }
        let shows_deleted = self.shows_deleted && controls.iter().any(|control| control.oid == SHOW_DELETED);
        let Ok(base) = Dn::parse(&search.base) else { return vec![done(34, Vec::new())] };
        if !self.entries.iter().any(|entry| Dn::parse(&entry.dn).is_ok_and(|dn| dn.is_under(&base))) {
            return vec![done(32, Vec::new())];
        }
        let found = self.entries.iter().filter(|entry| {
            let dn = Dn::parse(&entry.dn).unwrap();
            let depth = dn.depth_under(&base);
            let there = match search.scope {
                Scope::Base => depth == Some(0),
                Scope::One => depth == Some(1),
                Scope::Sub => depth.is_some(),
                Scope::Subordinate => depth > Some(0),
            };
            let deleted = entry.attributes.iter().any(|(name, _)| name == "isDeleted");
            there && (shows_deleted || !deleted) && self.matches(entry, &search.filter)
        });
        let mut found: Vec<_> = found.chain(&self.strays).map(|entry| self.shown(who, entry, search)).collect();
        let page =
            controls.iter().find(|control| control.oid == PAGED_RESULTS).map(|it| PagedResults::read(it).unwrap());
        let (mut code, mut answer) = (0, Vec::new());
        if let Some(page) = page {
            let from = std::str::from_utf8(&page.cookie).unwrap().parse().unwrap_or(0);
            let all = found.len();
            // It gives fewer than are asked for.
            let to = all.min(from + (page.size as usize).min(self.size_limit.unwrap_or(usize::MAX)));
            found = found.drain(from..to).collect();
            let cookie = if to < all { to.to_string() } else { String::new() };
            answer.push(PagedResults { size: 0, cookie: cookie.into() }.control(false));
        } else {
            let most = match search.size {
                0 => usize::MAX,
                size => size as usize,
            };
            let most = most.min(self.size_limit.unwrap_or(usize::MAX));
            if found.len() > most {
                found.truncate(most);
                code = 4;
            }
        }
        let mut out: Vec<_> = found.into_iter().map(|entry| (Op::Entry(entry), Vec::new())).collect();
        out.extend(self.references.iter().map(|uri| (Op::Reference(vec![uri.clone()]), Vec::new())));
        out.push(done(code, answer));
        out
    }

    fn matches(&self, entry: &Entry, filter: &Filter) -> bool {
        let values = |name: &str| -> Vec<Bytes> {
            let found = entry.attributes.iter().filter(|(there, _)| Description::of(there).is(name));
            found.flat_map(|(_, values)| values.iter().cloned()).collect()
        };
        match filter {
            Filter::And(all) => all.iter().all(|one| self.matches(entry, one)),
            Filter::Or(any) => any.iter().any(|one| self.matches(entry, one)),
            Filter::Not(not) => !self.matches(entry, not),
            Filter::Present(name) => name.eq_ignore_ascii_case("objectClass") || !values(name).is_empty(),
            Filter::Equal(name, wanted) => values(name).iter().any(|value| equal(value, wanted)),
            // Times of one form lie in the order of their texts.
            Filter::AtLeast(name, wanted) => values(name).iter().any(|value| match (number(value), number(wanted)) {
                (Some(value), Some(wanted)) => value >= wanted,
                _ => value >= wanted,
            }),
            Filter::Extensible { rule: Some(rule), attribute: Some(name), value, .. } if rule == TRANSITIVE => {
                self.reaches(entry, name, value, 0)
            }
            other => panic!("the test server knows no filter such as {}", other.print()),
        }
    }

    fn reaches(&self, group: &Entry, name: &str, wanted: &Bytes, depth: usize) -> bool {
        let members = group.attributes.iter().filter(|(there, _)| there.eq_ignore_ascii_case(name));
        members.flat_map(|(_, values)| values).any(|member| {
            let inner = || {
                let dn = std::str::from_utf8(member).unwrap();
                let inner = self.entries.iter().find(|entry| same(&entry.dn, dn));
                depth < 10 && inner.is_some_and(|inner| self.reaches(inner, name, wanted, depth + 1))
            };
            equal(member, wanted) || inner()
        })
    }

    /// The attributes that were asked for, and that whoever asks may see.
    fn shown(&self, who: &str, entry: &Entry, search: &Search) -> Entry {
        let mut shown = Vec::new();
        for (description, values) in &entry.attributes {
            let base = Description::of(description).base;
            let named = search.attributes.iter().any(|asked| Description::of(asked).is(base));
            let all = search.attributes.is_empty() || search.attributes.iter().any(|asked| asked == "*");
            let operational = OPERATIONAL.iter().any(|name| name.eq_ignore_ascii_case(base));
            let hidden = who == SERVICE && self.hidden.iter().any(|name| name.eq_ignore_ascii_case(base));
            let out_of_reach = base == "tokenGroups" && search.scope != Scope::Base;
            if hidden || out_of_reach || !(named || (all && !operational)) {
                continue;
            }
            let first = search.attributes.iter().find_map(|asked| {
                Description::of(asked)
                    .range()
                    .filter(|_| Description::of(asked).is(base))
                    .map(|range| range.first as usize)
            });
            match self.range {
                Some(most) if first.is_some() || values.len() > most => {
                    let first = first.unwrap_or(0);
                    let last = (first + most).min(values.len());
                    let end = if last == values.len() { "*".to_owned() } else { (last - 1).to_string() };
                    shown.push((base.to_owned(), Vec::new()));
                    shown.push((format!("{base};range={first}-{end}"), values[first..last].to_vec()));
                }
                _ => shown.push((description.clone(), values.clone())),
            }
        }
        Entry { dn: entry.dn.clone(), attributes: shown }
    }

    fn modify_password(&mut self, who: &str, value: Option<&Bytes>) -> BindAnswer {
        let request = PasswordModify::read(value).unwrap();
        assert!(request.user.is_none(), "whose it is follows from the bind");
        if let Some(scripted) = &self.change {
            return scripted.clone();
        }
        let right = self.passwords.get(&normal(who)).is_some_and(|there| request.old.as_deref() == Some(there));
        if right {
            self.passwords.insert(normal(who), request.new.unwrap().to_vec());
        }
        BindAnswer { code: if right { 0 } else { 53 }, text: String::new(), controls: Vec::new() }
    }
}

/// The service account, with its password.
pub const SERVICE: &str = "cn=bridge,ou=services,dc=acme";
pub const SERVICE_PASSWORD: &str = "service-password";

const TRANSITIVE: &str = "1.2.840.113556.1.4.1941";

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let (framer, mut buffer, mut who) = (Framer::new(1 << 20, REQUEST_DEPTH), BytesMut::new(), String::new());
    loop {
        while let Some(frame) = framer.next(&mut buffer).unwrap() {
            let message = Message::read(&frame).unwrap();
            let (answers, pause) = answer(&mut state.lock().unwrap(), &mut who, &message);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            let mut out = BytesMut::new();
            for (op, controls) in answers {
                Message { id: message.id, op, controls }.write(&mut out);
            }
            if stream.write_all(&out).await.is_err() {
                return;
            }
        }
        match stream.read_buf(&mut buffer).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

pub type Answers = Vec<(Op, Vec<Control>)>;

fn answer(state: &mut State, who: &mut String, message: &Message) -> (Answers, Option<Duration>) {
    state.log.push((who.clone(), message.op.clone()));
    let one = |op: Op, controls: Vec<Control>| (vec![(op, controls)], None);
    match &message.op {
        Op::Bind { name, auth, .. } => {
            let BindAnswer { code, text, controls } = state.bind(name, auth);
            *who = if code == 0 { name.clone() } else { String::new() };
            one(Op::BindDone { result: LdapResult::new(Code(code), text), sasl: None }, controls)
        }
        Op::Search(search) if search.base.is_empty() => {
            let class = ("objectClass".into(), vec!["top".into()]);
            let attributes = std::iter::once(class).chain(state.root.iter().cloned()).collect();
            let root = Entry { dn: String::new(), attributes };
            let done = Op::Done { of: Done::Search, result: LdapResult::new(Code::SUCCESS, "") };
            (vec![(Op::Entry(root), Vec::new()), (done, Vec::new())], None)
        }
        Op::Search(_) if message.controls.iter().any(|it| it.oid == SYNC_REQUEST) && !state.replicates.is_empty() => {
            (state.replicates.pop_front().unwrap(), None)
        }
        Op::Search(search) => {
            let pause = state.slow_groups.filter(|_| search.base.contains("ou=groups"));
            (state.search(who, search, &message.controls), pause)
        }
        Op::Extended { oid, value } if oid == PASSWORD_MODIFY => {
            let BindAnswer { code, text, controls } = state.modify_password(who, value.as_ref());
            let result = LdapResult::new(Code(code), text);
            one(Op::ExtendedDone { result, oid: None, value: None }, controls)
        }
        Op::Write { kind: Write::Modify, .. } => {
            let answer =
                state.change.clone().unwrap_or(BindAnswer { code: 0, text: String::new(), controls: Vec::new() });
            one(Op::Done { of: Done::Modify, result: LdapResult::new(Code(answer.code), answer.text) }, Vec::new())
        }
        Op::Unbind | Op::Abandon(_) => (Vec::new(), None),
        other => panic!("the test server knows nothing of {other:?}"),
    }
}

fn number(octets: &[u8]) -> Option<u64> {
    std::str::from_utf8(octets).ok()?.parse().ok()
}

/// Names are compared as names, GUIDs and SIDs as octets, texts without case.
fn equal(one: &[u8], other: &[u8]) -> bool {
    let name = |octets: &[u8]| std::str::from_utf8(octets).ok().and_then(|text| Dn::parse(text).ok());
    one.eq_ignore_ascii_case(other) || name(one).is_some_and(|dn| !dn.is_root() && Some(dn) == name(other))
}

fn same(one: &str, other: &str) -> bool {
    normal(one) == normal(other)
}

fn normal(dn: &str) -> String {
    Dn::parse(dn).map_or_else(|_| dn.to_owned(), |dn| dn.normalized())
}
