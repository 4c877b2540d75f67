//! Two tenants with apps and people, a desk that knows their passwords, and a gate: all in memory.
//!
//! The password of everybody is the name and `-secret`.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, AppKind, Connection, LdapDirectory, Tenant, TenantSettings};
use fedbridge_contract::directory::{
    BindAnswer, BindDesk, BoundBy, DirectoryPerson, KnownLogin, PassThrough, Peer, PersonBind,
};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::ids::{AppId, ConnectionId, PersonId, TenantId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::listener::WireFacts;
use fedbridge_contract::password::{Password, PasswordWarning, Why};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Bound, Gate, GateRefusal, Services, TraceEvent, TraceSink};
use fedbridge_contract::testkit::{Hands, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_ldap_core::{Code, Dn, Entry, Filter, Op, Scope, Search};
use fedbridge_ldap_server::backend::{
    Asked, Backend, Beyond, BindName, Comparison, Directories, Elsewhere, Fetched, Found, Identity, Limits, Meant,
    Page, Seen, Standing,
};
use fedbridge_ldap_server::{LdapServer, Patience, Rules};
use tokio::sync::mpsc;

pub const JENKINS: &str = "cn=jenkins,ou=apps,dc=acme";
pub const WIKI: &str = "cn=wiki,ou=apps,dc=acme";
pub const JANE: &str = "uid=jane,ou=people,dc=acme";
/// When failed binds are answered.
pub const DEADLINE: Duration = Duration::from_millis(60);

/// Candidates of one step, as the seam has it.
const STEP: usize = 512;

pub struct World {
    pub server: Arc<LdapServer>,
    pub state: Arc<State>,
    pub clock: Arc<Hands>,
}

/// What tests look at, and turn.
#[derive(Default)]
pub struct State {
    pub tenants: Vec<Arc<Tenant>>,
    pub people: Mutex<Vec<DirectoryPerson>>,
    entries: Vec<Bytes>,
    /// The newest kill.
    pub epoch: AtomicI64,
    /// Whether all apps were taken out of the configuration.
    pub apps_are_gone: AtomicBool,
    /// What the gate says instead of yes.
    pub refusal: Mutex<Option<GateRefusal>>,
    /// How often an upstream was asked for a password, and how often whether a yes still holds.
    pub asked: AtomicU32,
    pub still: AtomicU32,
    /// How long an upstream takes.
    pub upstream_takes: Mutex<Duration>,
    pub traces: Mutex<Vec<TraceEvent>>,
    /// What the upstream's policy says beside a right password, and why one does not do.
    pub warns: Mutex<Option<PasswordWarning>>,
    pub bars: Mutex<Option<Why>>,
    pub learnt: Mutex<Vec<String>>,
    /// Bases of subtrees that upstreams answer for; `cn=code-52,…` answers 52.
    pub beyond: Mutex<Vec<String>>,
    /// Entries that were taken from the directory.
    pub given: AtomicU32,
}

pub struct Setting {
    pub rules: Rules,
    pub people: usize,
    pub directory: fn(&mut LdapDirectory),
}

impl Default for Setting {
    fn default() -> Self {
        Self { rules: Rules::default(), people: 0, directory: |_| {} }
    }
}

pub fn patient(patience: Patience) -> Setting {
    Setting { rules: Rules { patience, ..Rules::default() }, ..Setting::default() }
}

pub fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(number: u32) -> T {
    format!("{number:032x}").parse().unwrap()
}

impl World {
    pub fn new() -> Self {
        Self::with(Setting::default())
    }

    pub fn with(setting: Setting) -> Self {
        let names = ["jane", "disabled", "federated", "slow"];
        let people = names.iter().enumerate().map(|(at, name)| person(u32::try_from(at).unwrap() + 1, name));
        let crowd = (0..setting.people).map(|at| entry(&format!("p{at}")));
        let state = Arc::new(State {
            tenants: vec![tenant(1, "acme", setting.directory), tenant(2, "beta", setting.directory)],
            people: Mutex::new(people.collect()),
            entries: names.iter().map(|name| entry(name)).chain(crowd).collect(),
            ..State::default()
        });
        let clock = Hands::at(Timestamp::from_seconds(1_800_000_000));
        let services = Services {
            gate: Arc::clone(&state) as _,
            traces: Arc::clone(&state) as _,
            ..bare_services(Arc::clone(&clock) as _)
        };
        let desk = Arc::clone(&state) as _;
        let directories = Arc::new(Fake(Arc::clone(&state)));
        let server = Arc::new(LdapServer::new(services, desk, directories, setting.rules));
        Self { server, state, clock }
    }
}

fn tenant(number: u32, slug: &str, turn: fn(&mut LdapDirectory)) -> Arc<Tenant> {
    let app = |number, name: &str| {
        let (id, display) = (id(number), name.to_owned());
        let settings = serde_json::Value::Null;
        Arc::new(App::new(id, AppKind::LdapApp, name.to_owned(), None, display, true, None, settings, Vec::new()))
    };
    let connection = Connection {
        id: id(1),
        slug: "corp-ad".to_owned(),
        display_name: "Corp".to_owned(),
        protocol: "ldap".to_owned(),
        enabled: true,
        domains: Vec::new(),
    };
    let mut directory = LdapDirectory {
        base_dn: format!("dc={slug}"),
        failure_deadline: DEADLINE,
        password_modify: true,
        ..LdapDirectory::default()
    };
    turn(&mut directory);
    let tenant = Tenant::new(
        id(number),
        slug.to_owned(),
        slug.to_owned(),
        true,
        "https://bridge.example",
        vec![Arc::new(connection)],
        vec![app(1, "jenkins"), app(2, "wiki")],
        Arc::new(KeyRing::default()),
    );
    Arc::new(tenant.with_settings(TenantSettings { ldap: Some(Arc::new(directory)), ..TenantSettings::default() }))
}

fn without_apps(tenant: &Tenant) -> Arc<Tenant> {
    let (slug, name, keys) = (tenant.slug.clone(), tenant.display_name.clone(), Arc::clone(&tenant.keys));
    let bare = Tenant::new(tenant.id, slug, name, true, &tenant.base_url, tenant.connections.clone(), Vec::new(), keys);
    Arc::new(bare.with_settings(tenant.settings.clone()))
}

fn person(number: u32, name: &str) -> DirectoryPerson {
    let mut claims = Claims::default();
    claims.set("preferred_username", name.into());
    let login = KnownLogin { connection: id(1), key: name.to_owned(), place: None };
    DirectoryPerson {
        id: id(number),
        claims,
        logins: if name == "federated" { Vec::new() } else { vec![login] },
        disabled: name == "disabled",
        epoch: Epoch::default(),
        posix: None,
        created: Timestamp::default(),
        changed: Timestamp::default(),
    }
}

fn entry(name: &str) -> Bytes {
    let mut attributes = vec![("uid".to_owned(), vec![Bytes::copy_from_slice(name.as_bytes())])];
    attributes.push(("description".to_owned(), vec![Bytes::from(vec![b'x'; 120])]));
    Op::Entry(Entry { dn: format!("uid={name},ou=people,dc=acme"), attributes }).octets()
}

impl State {
    pub fn causes(&self, kind: &str) -> Vec<String> {
        let traces = self.traces.lock().unwrap();
        traces.iter().filter(|trace| trace.kind == kind).map(|trace| trace.cause.clone()).collect()
    }

    pub fn turn(&self, name: &str, turn: impl Fn(&mut DirectoryPerson)) {
        let mut people = self.people.lock().unwrap();
        turn(people.iter_mut().find(|it| it.claims.text("preferred_username") == Some(name)).unwrap());
    }

    fn found(&self, matches: impl Fn(&DirectoryPerson) -> bool) -> Option<DirectoryPerson> {
        self.people.lock().unwrap().iter().find(|person| matches(person)).cloned()
    }

    fn named(&self, name: &str) -> Option<DirectoryPerson> {
        self.found(|person| person.claims.text("preferred_username") == Some(name))
    }

    async fn ask_upstream(&self) {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let takes = *self.upstream_takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
    }
}

struct Fake(Arc<State>);

impl Fake {
    fn backend(&self, tenant: &Arc<Tenant>) -> Arc<dyn Backend> {
        let tenant =
            if self.0.apps_are_gone.load(Ordering::Relaxed) { without_apps(tenant) } else { Arc::clone(tenant) };
        Arc::new(FakeBackend { state: Arc::clone(&self.0), tenant })
    }
}

impl Directories for Fake {
    fn tenant_of(&self, name: &BindName, wire: &WireFacts) -> Option<Arc<dyn Backend>> {
        let name = name.text.as_str();
        let by_suffix = |tenant: &&Arc<Tenant>| name.ends_with(&format!("dc={}", tenant.slug));
        let by_name = wire.server_name.as_deref().and_then(|name| name.strip_suffix(".example"));
        let mut tenants = self.0.tenants.iter();
        let found = match by_name {
            Some(slug) => tenants.find(|it| it.slug == slug).filter(|it| !name.contains('=') || by_suffix(it)),
            None => tenants.find(by_suffix),
        };
        found.map(|tenant| self.backend(tenant))
    }

    fn of(&self, tenant: TenantId) -> Option<Arc<dyn Backend>> {
        self.0.tenants.iter().find(|it| it.id == tenant).map(|tenant| self.backend(tenant))
    }

    fn by_certificate(&self, subject: &Dn, _: &WireFacts) -> Option<(Arc<dyn Backend>, AppId)> {
        (*subject == Dn::parse("CN=app,O=Acme\\, Inc.").unwrap()).then(|| (self.backend(&self.0.tenants[0]), id(1)))
    }

    fn common(
        &self,
        search: &Search,
        _: &WireFacts,
        _: Option<TenantId>,
        out: &mut dyn FnMut(Found) -> bool,
    ) -> Option<Page> {
        if !search.base.is_empty() || search.scope != Scope::Base {
            return None;
        }
        out(Found::Entry(Op::Entry(Entry { dn: String::new(), attributes: Vec::new() }).octets()));
        Some(done(Code::SUCCESS, ""))
    }
}

struct FakeBackend {
    state: Arc<State>,
    tenant: Arc<Tenant>,
}

fn done(code: Code, matched: &str) -> Page {
    Page::ended(code, matched.to_owned())
}

/// `cn=code-32,…` answers 32.
fn code_of(dn: &str) -> Option<Code> {
    let number = dn.strip_prefix("cn=code-")?.split(',').next()?;
    number.parse().ok().map(Code)
}

#[async_trait]
impl Backend for FakeBackend {
    fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    fn search(&self, asked: &Asked<'_>, out: &mut dyn FnMut(Found) -> bool) -> Page {
        if *asked.as_ == Identity::Anonymous {
            return done(Code::INSUFFICIENT_ACCESS, "");
        }
        if let Some(code) = code_of(&asked.search.base) {
            return done(code, "dc=acme");
        }
        if !["dc=acme", "ou=people,dc=acme"].contains(&asked.search.base.as_str()) {
            return done(Code::NO_SUCH_OBJECT, "dc=acme");
        }
        let wanted = match &asked.search.filter {
            Filter::Equal(name, value) if name == "uid" => Some(entry(std::str::from_utf8(value).unwrap())),
            _ => None,
        };
        let (mut at, mut left) = (asked.after as usize, asked.ask_for);
        let estimate = u32::try_from(self.state.entries.len()).unwrap();
        let end = self.state.entries.len().min(at + STEP);
        while at < end && left > 0 {
            let entry = &self.state.entries[at];
            at += 1;
            if wanted.as_ref().is_some_and(|wanted| wanted != entry) {
                continue;
            }
            left -= 1;
            self.state.given.fetch_add(1, Ordering::Relaxed);
            if !out(Found::Entry(entry.clone())) {
                break;
            }
        }
        let next = (at < self.state.entries.len()).then(|| u32::try_from(at).unwrap());
        Page { next, estimate, ..done(Code::SUCCESS, "") }
    }

    fn compare(&self, as_: &Identity, what: &Comparison<'_>) -> Result<(Code, String), u32> {
        let Comparison { dn, attribute, value, .. } = *what;
        Ok(match code_of(dn) {
            _ if *as_ == Identity::Anonymous => (Code::INSUFFICIENT_ACCESS, String::new()),
            Some(code) => (code, "dc=acme".to_owned()),
            None if attribute == "uid" && dn.starts_with("uid=jane,") => {
                (if value == b"jane" { Code::COMPARE_TRUE } else { Code::COMPARE_FALSE }, String::new())
            }
            None => (Code::NO_SUCH_ATTRIBUTE, String::new()),
        })
    }

    async fn fetch(&self, _: &[u32]) -> Result<Fetched, StoreError> {
        // Everybody is in memory.
        Ok(Fetched::default())
    }

    fn who(&self, name: &BindName) -> Meant {
        let name = name.text.as_str();
        let suffix = format!("dc={}", self.tenant.slug);
        if name.contains('=') && !name.ends_with(&suffix) {
            return Meant::OutsideOfTheTenant;
        }
        let first = name.split(',').next().unwrap_or_default();
        if let Some(app) = first.strip_prefix("cn=").and_then(|name| self.tenant.app(AppKind::LdapApp, name)) {
            return Meant::App(app.id);
        }
        let name = first.strip_prefix("uid=").unwrap_or(first);
        match self.state.named(name) {
            Some(person) => Meant::Person(person.id),
            None => Meant::Nobody { name: name.to_owned() },
        }
    }

    fn person(&self, id: PersonId) -> Option<DirectoryPerson> {
        self.state.found(|person| person.id == id)
    }

    fn standing(&self, id: PersonId) -> Option<Standing> {
        self.person(id).map(|person| Standing { disabled: person.disabled, epoch: person.epoch })
    }

    fn dn(&self, of: &Identity) -> Option<String> {
        match of {
            Identity::Anonymous => None,
            Identity::App { app, .. } => {
                let name = &self.tenant.app_by_id(*app)?.name;
                Some(format!("cn={name},ou=apps,dc={}", self.tenant.slug))
            }
            Identity::Person { id, .. } => {
                let person = self.person(*id)?;
                let name = person.claims.text("preferred_username")?.to_owned();
                Some(format!("uid={name},ou=people,dc={}", self.tenant.slug))
            }
        }
    }

    fn limits(&self, _: &Identity) -> Limits {
        let directory = self.tenant.settings.ldap.as_ref().unwrap();
        Limits { size: directory.size_limit, time: directory.time_limit }
    }

    fn elsewhere(&self, _: &Identity, dn: &str) -> Option<Arc<dyn Elsewhere>> {
        let printers = dn.ends_with("ou=printers,dc=acme");
        printers.then(|| Arc::new(Printers(Arc::clone(&self.state))) as _)
    }

    fn beyond(&self, _: &Identity, base: &str, scope: Scope) -> Vec<Beyond> {
        let there = self.state.beyond.lock().unwrap();
        let bases = there.iter().filter(|_| base == "dc=acme" && scope == Scope::Sub);
        let beyond = |base: &String| Beyond {
            elsewhere: Arc::new(Printers(Arc::clone(&self.state))),
            base: base.clone(),
            scope,
        };
        bases.map(beyond).collect()
    }

    fn learn(&self, _: &Identity, seen: &Seen<'_>, _: Timestamp) {
        let seen = match seen {
            Seen::Bind { name } => format!("bind {name}"),
            Seen::Search { search, controls, given } => {
                format!("search {} {} {} {given}", search.base, search.filter.shape(), controls.join(" "))
            }
            Seen::Compare { attribute, .. } => format!("compare {attribute}"),
            Seen::Refused { operation } => format!("refused {operation}"),
        };
        self.state.learnt.lock().unwrap().push(seen);
    }
}

/// A subtree of an upstream: five printers, then what the filter's value says.
struct Printers(Arc<State>);

#[async_trait]
impl Elsewhere for Printers {
    async fn search(&self, search: Search, _: Limits, out: mpsc::Sender<Found>) -> Page {
        self.0.ask_upstream().await;
        for number in 0..5 {
            if out.send(Found::Entry(entry(&format!("printer{number}")))).await.is_err() {
                break;
            }
        }
        done(code_of(&search.base).unwrap_or(Code::SUCCESS), "")
    }

    async fn compare(&self, dn: &str, _: &str, _: &[u8]) -> (Code, String) {
        (code_of(dn).unwrap_or(Code::COMPARE_TRUE), String::new())
    }
}

#[async_trait]
impl BindDesk for State {
    async fn app(&self, _: &Tenant, app: &App, password: &Password, _: Peer) -> BindAnswer {
        if password.octets() == format!("{}-secret", app.name).as_bytes() {
            yes(None, BoundBy::AppSecret, None)
        } else {
            BindAnswer::No("the secret is not right".to_owned())
        }
    }

    async fn person(&self, ask: PersonBind<'_>, trace: &mut TraceLog) -> BindAnswer {
        trace.decide("desk", ask.app.map_or("no app", |app| &app.name), true);
        if ask.person.is_some_and(|person| person.disabled) {
            return BindAnswer::No("the person is disabled".to_owned());
        }
        if ask.person.is_some_and(|person| person.logins.is_empty()) {
            return BindAnswer::No("no password of this person is checked here".to_owned());
        }
        self.ask_upstream().await;
        match ask.name {
            "busy" => return BindAnswer::Busy,
            "down" => return BindAnswer::Unavailable("nobody answers".to_owned()),
            _ => {}
        }
        if ask.password.octets() != format!("{}-secret", ask.name).as_bytes() {
            return BindAnswer::No("the password is wrong".to_owned());
        }
        if let Some(reason) = *self.bars.lock().unwrap() {
            return BindAnswer::Barred { reason, why: format!("barred: {reason:?}") };
        }
        let until = Some(ask.now + Duration::from_secs(30));
        let by = BoundBy::Upstream(id(1));
        match ask.person {
            Some(person) => match yes(Some(person.id), by, until) {
                BindAnswer::Yes { permit, person, by, cached_until, .. } => {
                    let warning = *self.warns.lock().unwrap();
                    BindAnswer::Yes { permit, person, by, cached_until, warning }
                }
                other => other,
            },
            None if ask.name == "newcomer" => {
                self.people.lock().unwrap().push(self::person(99, "newcomer"));
                yes(Some(id(99)), by, until)
            }
            None => BindAnswer::No("nobody".to_owned()),
        }
    }

    async fn still(&self, ask: &PersonBind<'_>) -> Result<Permit, GateRefusal> {
        self.still.fetch_add(1, Ordering::Relaxed);
        match ask.person {
            Some(person) if person.disabled => Err(GateRefusal::PersonDisabled),
            _ => self.pass(),
        }
    }

    async fn change(&self, ask: PersonBind<'_>, new: &Password, _: &mut TraceLog) -> BindAnswer {
        let old = ask.password.octets() == format!("{}-secret", ask.name).as_bytes();
        match (old, new.octets()) {
            (false, _) => BindAnswer::No("the old password is wrong".to_owned()),
            (true, b"weak") => BindAnswer::No("too weak".to_owned()),
            (true, _) => yes(ask.person.map(|person| person.id), BoundBy::Upstream(id(1)), None),
        }
    }

    fn pass_through(&self, _: TenantId, _: ConnectionId) -> Option<Arc<dyn PassThrough>> {
        None
    }
}

fn yes(person: Option<PersonId>, by: BoundBy, cached_until: Option<Timestamp>) -> BindAnswer {
    BindAnswer::Yes { permit: Permit::assertion_of_the_gate(), person, by, cached_until, warning: None }
}

impl State {
    fn pass(&self) -> Result<Permit, GateRefusal> {
        match *self.refusal.lock().unwrap() {
            Some(refusal) => Err(refusal),
            None => Ok(Permit::assertion_of_the_gate()),
        }
    }
}

#[async_trait]
impl Gate for State {
    async fn app(&self, _: &Tenant, _: &App) -> Result<Permit, GateRefusal> {
        self.pass()
    }

    async fn grant(&self, _: &Tenant, _: &App, _: &Grant) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::GrantRevoked)
    }

    async fn app_token(&self, _: &Tenant, _: &App, _: Epoch) -> Result<Permit, GateRefusal> {
        self.pass()
    }

    async fn bind(&self, bound: &Bound<'_>) -> Result<Permit, GateRefusal> {
        if bound.person_disabled {
            return Err(GateRefusal::PersonDisabled);
        }
        if bound.given_out.is_before(bound.person) {
            return Err(GateRefusal::Killed);
        }
        self.pass()
    }

    fn epoch(&self) -> Epoch {
        Epoch(self.epoch.load(Ordering::Relaxed))
    }
}

impl TraceSink for State {
    fn record(&self, event: TraceEvent) {
        self.traces.lock().unwrap().push(event);
    }
}
