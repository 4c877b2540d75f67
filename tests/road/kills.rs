//! Kill switches on the road: what was given out before is dead, wherever it is in use or on its way.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fedbridge_contract::directory::DirectoryPerson;
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::error::{Complaint, StoreError};
use fedbridge_contract::factory::{AdapterFactory, Field, Open, Registry};
use fedbridge_contract::http::ReplyKind;
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, PersonId, SessionId, TenantId};
use fedbridge_contract::page::Page;
use fedbridge_contract::password::{Attempt, Change, Changed, NameIs, PasswordCheck, PasswordOutcome, Prove, Proved};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::{Clock as _, Gate as _, GateRefusal, Grants as _, WaitingAnswer};
use fedbridge_contract::ticket;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Adapter;
use fedbridge_fake::FakeFactory;
use fedbridge_hub::ports::{EpochStore, LoginStore as _, LogoutStore as _, Signals, Versions};
use fedbridge_hub::run::Epochs;
use fedbridge_hub::spec::SubjectType;
use fedbridge_store::SystemStore;
use serde_json::json;

use super::between::{Between, Meddler};
use super::binds::{self, no, yes};
use super::logout::{self, by, upstream};
use super::passwords::{RIGHT, typing};
use super::{BASE, Rewired, Silent, Wired, World, alice, app, connection, id, param, wire};
use crate::support::scripted::CHALLENGE;

async fn world() -> World {
    World::new(vec![connection(2, "one", alice(), json!({}))], SubjectType::Public).await
}

impl World {
    /// A kill by somebody else, of which this node has heard.
    async fn killed(&self, kill: Killed) {
        self.foundation.system.kill(kill, self.now()).await.unwrap().unwrap();
        self.foundation.epochs.catch_up(self.foundation.system.as_ref()).await.unwrap();
    }

    /// What the gate says of the grant behind a code.
    async fn verdict(&self, code: &str) -> Result<(), GateRefusal> {
        let tenant = self.wired.snapshots.current().named("acme").unwrap().view.clone();
        let grant = ticket::id_of(code).map(GrantId::from_uuid).unwrap();
        let grant = self.foundation.store.find(tenant.id, grant, None, self.now()).await.unwrap().unwrap();
        let app = tenant.app_by_id(grant.record.app).unwrap();
        self.foundation.gate.grant(&tenant, app, &grant).await.map(drop)
    }

    async fn code(&mut self) -> String {
        param(&self.authorize("").await, "code").unwrap()
    }

    /// Whether a login ended by the browser's session. The fake upstream logs in at once, under a new cookie.
    async fn served_by_session(&mut self) -> bool {
        let before = self.cookies.clone();
        assert!(param(&self.authorize("").await, "code").is_some());
        self.cookies == before
    }

    async fn person(&self) -> PersonId {
        let (tenant, one) = (id::<TenantId>(1), id::<ConnectionId>(2));
        self.foundation.store.linked_person(tenant, one, "alice").await.unwrap().unwrap().person
    }
}

#[tokio::test]
async fn each_switch_ends_what_hangs_on_it() {
    let tenant = id::<TenantId>(1);
    let mut world = world().await;
    let mut before = world.code().await;
    let person = world.person().await;
    let kills = [
        (Killed::Tenant(tenant), true),
        (Killed::Connection(tenant, id::<ConnectionId>(2)), true),
        // A session belongs to no app: it lives on.
        (Killed::App(tenant, id::<AppId>(9)), false),
        (Killed::Person(tenant, person), true),
    ];
    for (kill, with_sessions) in kills {
        assert_eq!(world.verdict(&before).await, Ok(()));
        world.killed(kill).await;
        assert_eq!(world.verdict(&before).await, Err(GateRefusal::Killed), "{kill:?}");
        assert_eq!(world.served_by_session().await, !with_sessions, "{kill:?}");
        // Nobody is kept from logging in again, and what is given out then lives.
        before = world.code().await;
        assert_eq!(world.verdict(&before).await, Ok(()), "{kill:?}");
        assert!(world.served_by_session().await, "{kill:?}");
    }
    let other = Killed::Connection(tenant, id::<ConnectionId>(3));
    assert_eq!(world.foundation.system.kill(other, world.now()).await.unwrap(), None);
}

/// When the killer comes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Behind {
    Read,
    Written,
    /// A password, before the hub hears of it.
    Asked,
}

/// Kills between the store's answer and what the hub makes of it, and this node hears of it.
struct Killer {
    system: Arc<SystemStore>,
    epochs: Arc<Epochs>,
    victim: Mutex<Option<(Behind, Killed)>>,
}

impl Killer {
    /// Stands between the hub of a world and its store.
    fn beside(world: &mut World) -> Arc<Self> {
        let killer = Self::of(world);
        let hub = Arc::get_mut(&mut world.hub).unwrap();
        hub.store = Arc::new(Between { inner: Arc::clone(&hub.store), meddler: Arc::clone(&killer) });
        killer
    }

    fn of(world: &World) -> Arc<Self> {
        let (system, epochs) = (Arc::clone(&world.foundation.system), Arc::clone(&world.foundation.epochs));
        Arc::new(Self { system, epochs, victim: Mutex::default() })
    }

    fn wait(&self, behind: Behind, kill: Killed) {
        *self.victim.lock().unwrap() = Some((behind, kill));
    }

    async fn comes(&self, now: Behind) {
        let victim = self.victim.lock().unwrap().take_if(|(behind, _)| *behind == now);
        if let Some((_, kill)) = victim {
            self.system.kill(kill, Timestamp::from_millis(0)).await.unwrap().unwrap();
            self.epochs.catch_up(self.system.as_ref()).await.unwrap();
        }
    }
}

#[async_trait]
impl Meddler for Killer {
    async fn has_read(&self) {
        self.comes(Behind::Read).await;
    }

    async fn has_written(&self) {
        self.comes(Behind::Written).await;
    }
}

/// What is on its way when the kill comes carries a number from before it, although this node has heard of the
/// kill by the time that it writes.
#[tokio::test]
async fn no_login_on_its_way_outruns_a_kill() {
    let mut world = world().await;
    let killer = Killer::beside(&mut world);
    world.code().await;
    let person = world.person().await;
    for basis in ["session", "upstream"] {
        if basis == "upstream" {
            world.cookies.clear();
        }
        let newest = world.foundation.epochs.newest();
        killer.wait(Behind::Read, Killed::Person(id(1), person));
        let late = world.code().await;
        assert_ne!(world.foundation.epochs.newest(), newest, "{basis}: nothing was killed");
        assert_eq!(world.verdict(&late).await, Err(GateRefusal::Killed), "{basis}");
        assert!(!world.served_by_session().await, "{basis}");
    }
}

/// An assertion is good by itself: nobody could end it once it has left.
#[tokio::test]
async fn no_assertion_outruns_a_kill() {
    let one = connection(2, "one", alice(), json!({}));
    let mut world = World::new(vec![one, app(20, "wiki", json!({}))], SubjectType::Public).await;
    let killer = Killer::beside(&mut world);
    world.log_in("wiki").await;
    let kills = [
        Killed::Person(id(1), world.person().await),
        Killed::App(id(1), id(20)),
        Killed::Connection(id(1), id(2)),
        Killed::Tenant(id(1)),
    ];
    for kill in kills {
        for (basis, behind) in [("session", Behind::Read), ("session", Behind::Written), ("upstream", Behind::Read)] {
            if basis == "upstream" {
                world.cookies.clear();
            } else if behind == Behind::Read && matches!(kill, Killed::Connection(..) | Killed::Tenant(_)) {
                // The session is looked at behind the kill, and found dead: the person logs in at the upstream.
                continue;
            }
            killer.wait(behind, kill);
            let late = world.visit(&format!("{BASE}t/acme/fake/login?app=wiki")).await;
            let told = match &late.kind {
                ReplyKind::Page(Page::Error(page)) => page.sentence == "Please log in again.",
                // By the first look. The row of a person was read before the kill, so only the second one finds it.
                ReplyKind::Redirect(to) => to.ends_with("refused?kind=LoginRequired") && behind == Behind::Read,
                _ => false,
            };
            assert!(told, "{kill:?}, {basis}, {behind:?}: {late:?}");
            let (outcome, cause) = world.newest_cause().await;
            assert!(outcome == "Refused" && cause.contains("kill switch"), "{outcome}: {cause}");
            world.log_in("wiki").await;
        }
    }
}

/// A login that brings what this node has not heard of yet can't be told from one that the kill has overtaken. The
/// person logs in once more, and not for nothing.
#[tokio::test]
async fn who_logs_in_at_a_node_that_lags_is_asked_once_more() {
    let mut world = world().await;
    world.code().await;
    let kill = Killed::Person(id(1), world.person().await);
    world.foundation.system.kill(kill, world.now()).await.unwrap().unwrap();
    world.cookies.clear();
    let late = world.authorize("").await;
    assert_eq!(param(&late, "error").as_deref(), Some("login_required"), "{late:?}");
    assert_eq!(world.foundation.epochs.newest(), Epoch(1), "it was told of no kill, and knows of it now");
    let code = world.code().await;
    assert_eq!(world.verdict(&code).await, Ok(()));
    assert!(world.served_by_session().await);
}

/// A session that another node gave out behind the kill is a good one at a node that has not heard of it.
#[tokio::test]
async fn a_new_session_is_good_at_a_node_that_lags() {
    let mut world = world().await;
    world.code().await;
    let kill = Killed::Person(id(1), world.person().await);
    let database = format!("sqlite://{}", world._scratch.path().join("road.db").display());
    let mut foundation = super::foundation(&world._scratch, &database).await;
    foundation.clock = Arc::clone(&world.clock) as _;
    let mut other = super::scripted(&foundation).await.hub;
    world.foundation.system.kill(kill, world.now()).await.unwrap().unwrap();
    foundation.epochs.catch_up(foundation.system.as_ref()).await.unwrap();
    world.cookies.clear();
    std::mem::swap(&mut world.hub, &mut other);
    world.code().await;
    std::mem::swap(&mut world.hub, &mut other);
    let before = (world.cookies.clone(), world.foundation.epochs.newest());
    let code = world.code().await;
    assert_eq!((world.cookies.clone(), Epoch(0)), before, "it is served by the session");
    assert_eq!(world.verdict(&code).await, Ok(()));
}

/// What waits to be fetched, such as the answer behind an artifact.
#[tokio::test]
async fn no_answer_that_waits_outlives_its_person() {
    let bob = connection(3, "two", json!({ "subject": "bob" }), json!({}));
    let one = connection(2, "one", alice(), json!({}));
    let mut world = World::new(vec![one, bob], SubjectType::Public).await;
    world.authorize("&connection=two").await;
    world.cookies.clear();
    world.authorize("&connection=one").await;
    let (tenant, gate) = (id::<TenantId>(1), Arc::clone(&world.foundation.gate));
    let view = world.wired.snapshots.current().named("acme").unwrap().view.clone();
    let app = view.app_by_id(id(9)).unwrap();
    let sessions = session(&world).await;
    let made = || WaitingAnswer { epoch: gate.epoch(), connection: Some(id(2)), session: Some(sessions[0]) };
    let first = made();
    assert_eq!(gate.waiting(&view, app, &first).await.map(drop), Ok(()));
    let other = world.foundation.store.linked_person(tenant, id(3), "bob").await.unwrap().unwrap().person;
    world.killed(Killed::Person(tenant, other)).await;
    assert_eq!(gate.waiting(&view, app, &first).await.map(drop), Ok(()), "somebody else");
    let second = made();
    world.killed(Killed::Person(tenant, world.person().await)).await;
    for dead in [first, second] {
        assert_eq!(gate.waiting(&view, app, &dead).await.map(drop), Err(GateRefusal::Killed));
    }
    let third = made();
    let snapshot = world.wired.snapshots.current().named("acme").unwrap().clone();
    assert!(world.hub.end_session(&snapshot, sessions[0]).await.unwrap());
    world.killed(Killed::Person(tenant, other)).await;
    assert_eq!(gate.waiting(&view, app, &third).await.map(drop), Err(GateRefusal::SessionEnded));
}

#[tokio::test]
async fn a_node_that_lags_gives_out_what_is_dead_already() {
    let mut world = world().await;
    world.foundation.system.kill(Killed::Tenant(id::<TenantId>(1)), world.now()).await.unwrap();
    let late = world.code().await;
    assert_eq!(world.verdict(&late).await, Ok(()), "this node has not heard of it");
    world.foundation.epochs.catch_up(world.foundation.system.as_ref()).await.unwrap();
    assert_eq!(world.verdict(&late).await, Err(GateRefusal::Killed));
    assert!(!world.served_by_session().await);
}

/// The session that a browser had when it went to the upstream is killed while it is there. It does not go on
/// under the new login.
#[tokio::test]
async fn a_killed_session_is_not_renewed() {
    let mut world = world().await;
    world.authorize("").await;
    let first = session(&world).await;
    let url = format!(
        "http://127.0.0.1:8080/t/acme/authorize?client_id=app&response_type=code&prompt=login&scope=openid\
         &redirect_uri=http://127.0.0.1:9/callback&state=s&code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let started = world.step(&url).await;
    let ReplyKind::Redirect(answer) = started.kind else { panic!("{started:?}") };
    world.killed(Killed::Connection(id::<TenantId>(1), id::<ConnectionId>(2))).await;
    assert!(param(&world.visit(&answer).await, "code").is_some());
    let second = session(&world).await;
    assert_ne!(first, second);
    // And without a kill it does.
    assert!(param(&world.authorize("&prompt=login").await, "code").is_some());
    assert_eq!(session(&world).await, second);
}

async fn session(world: &World) -> Vec<SessionId> {
    let sessions = world.foundation.store.sessions_of_person(id::<TenantId>(1), world.person().await, world.now());
    sessions.await.unwrap().into_iter().map(|session| session.id).collect()
}

/// An answer that nobody asked for is verified first and taken up one redirect later: a kill between the two
/// ends the login.
#[tokio::test]
async fn no_parked_answer_outruns_a_kill() {
    let unsolicited = json!({ "app": "portal", "accept": true, "targets": [] });
    let one = connection(2, "one", json!({ "subject": "alice", "unsolicited": unsolicited }), json!({}));
    let mut world = World::new(vec![one, app(20, "portal", json!({}))], SubjectType::Public).await;
    for (id, killed) in [("a1", true), ("a2", false)] {
        world.cookies.clear();
        let parked = world.step(&format!("{BASE}t/acme/connections/one/fake/answer?id={id}")).await;
        let ReplyKind::Redirect(parked) = parked.kind else { panic!("{parked:?}") };
        if killed {
            world.killed(Killed::Connection(super::id::<TenantId>(1), super::id::<ConnectionId>(2))).await;
        }
        let started = world.visit(&parked).await;
        let goes_on = matches!(&started.kind, ReplyKind::Redirect(to) if to.contains("portal.example/start"));
        assert_eq!(goes_on, !killed, "{started:?}");
        assert_eq!(world.served_by_session().await, !killed, "{id}");
    }
}

/// What was killed here goes on elsewhere until it is told: a person who logs out ends that too.
#[tokio::test]
async fn a_killed_session_can_still_be_logged_out() {
    for switch in ["nothing", "tenant", "person"] {
        let apps = [("asker", by("back")), ("wiki", by("back"))];
        let (mut world, calls) = logout::world(vec![upstream("back")], &apps).await;
        world.log_in("asker").await;
        world.log_in("wiki").await;
        let (tenant, person) = (id::<TenantId>(1), world.person().await);
        match switch {
            "tenant" => world.killed(Killed::Tenant(tenant)).await,
            "person" => world.killed(Killed::Person(tenant, person)).await,
            _ => {}
        }
        let page = world.visit(&format!("{BASE}t/acme/logout")).await;
        let ReplyKind::Page(Page::ConfirmLogout(page)) = &page.kind else { panic!("{switch}: {page:?}") };
        let form: String = form_urlencoded(&page.fields);
        world.post(&page.action.clone(), form).await;
        assert!(!world.has_session(), "{switch}: the cookie stays");
        assert_eq!(session(&world).await, [], "{switch}");
        let hosts = calls.hosts();
        assert!(["asker.example", "wiki.example"].iter().all(|app| hosts.iter().any(|host| host == app)), "{hosts:?}");
        assert!(hosts.len() > 2, "{switch}: the upstream is not told: {hosts:?}");
    }
}

fn form_urlencoded(fields: &[(String, String)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[tokio::test]
async fn a_killed_person_is_logged_out_everywhere() {
    let mut world = world().await;
    let code = world.code().await;
    let person = world.person().await;
    let tenant = world.wired.snapshots.current().named("acme").unwrap().clone();
    let system = world.foundation.system.clone();
    let killed = world.hub.kill_person(system.as_ref(), &tenant, person).await.unwrap().unwrap();
    assert_eq!((killed.epoch, killed.sessions), (Epoch(1), 1));
    assert_eq!(session(&world).await, []);
    assert_eq!(world.verdict(&code).await, Err(GateRefusal::Killed), "before this node has heard of anything");
    let (outcome, cause) = world.newest_cause().await;
    assert_eq!((outcome.as_str(), cause.as_str()), ("Success", ""));
    let nobody = world.hub.kill_person(system.as_ref(), &tenant, id(77)).await.unwrap();
    assert_eq!(nobody, None);
    assert!(!world.hub.end_session(&tenant, id(77)).await.unwrap());
}

/// A kill that got this number, and a login right behind it.
struct Numbered(Epoch);

#[async_trait]
impl EpochStore for Numbered {
    async fn versions(&self) -> Result<Versions, StoreError> {
        Ok(Versions::default())
    }

    async fn epochs_since(&self, _: Epoch) -> Result<Vec<(Killed, Epoch)>, StoreError> {
        Ok(Vec::new())
    }

    async fn kill(&self, _: Killed, _: Timestamp) -> Result<Option<Epoch>, StoreError> {
        Ok(Some(self.0))
    }

    async fn signals(&self) -> Result<Option<Box<dyn Signals>>, StoreError> {
        Ok(None)
    }
}

#[tokio::test]
async fn who_logs_in_again_behind_a_kill_stays() {
    let mut world = world().await;
    world.code().await;
    world.killed(Killed::App(id(1), id(9))).await;
    world.cookies.clear();
    world.code().await;
    let (sessions, person) = (session(&world).await, world.person().await);
    let tenant = world.wired.snapshots.current().named("acme").unwrap().clone();
    let killed = world.hub.kill_person(&Numbered(Epoch(1)), &tenant, person).await.unwrap().unwrap();
    assert_eq!(killed.sessions, 1);
    assert_eq!(session(&world).await, sessions[1..]);
}

#[tokio::test]
async fn one_session_ends_alone() {
    let mut world = world().await;
    let code = world.code().await;
    let first = session(&world).await[0];
    world.cookies.clear();
    let other = world.code().await;
    let tenant = world.wired.snapshots.current().named("acme").unwrap().clone();
    assert!(world.hub.end_session(&tenant, first).await.unwrap());
    assert_eq!(world.verdict(&code).await, Err(GateRefusal::GrantRevoked));
    assert_eq!(world.verdict(&other).await, Ok(()));
    assert!(!world.hub.end_session(&tenant, first).await.unwrap());
}

#[tokio::test]
async fn without_a_word_from_the_store_everything_waits() {
    let mut world = world().await;
    let code = world.code().await;
    let epochs = world.foundation.epochs.clone();
    // The gate asks the clock that the foundation was opened with.
    let steady = || fedbridge_keys::SystemClock.steady();
    epochs.watched(std::time::Duration::from_millis(50), steady());
    tokio::time::sleep(std::time::Duration::from_millis(80)).await;
    assert_eq!(world.verdict(&code).await, Err(GateRefusal::Unsure));
    let page = world.authorize("").await;
    assert!(!matches!(page.kind, ReplyKind::Redirect(_)), "{page:?}");
    epochs.heard(steady() + std::time::Duration::from_secs(60));
    assert_eq!(world.verdict(&code).await, Ok(()));
    assert!(param(&world.authorize("").await, "code").is_some());
}

/// Opens fake connections whose answers to passwords a killer overtakes.
struct Overtaken(Arc<Killer>);

impl AdapterFactory for Overtaken {
    fn kind(&self) -> &'static str {
        FakeFactory.kind()
    }

    fn can_log_in(&self) -> bool {
        FakeFactory.can_log_in()
    }

    fn fields(&self) -> &'static [Field] {
        FakeFactory.fields()
    }

    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let adapter = FakeFactory.open(input)?;
        let slow = |inner| Box::new(Slow { inner, killer: Arc::clone(&self.0) }) as Box<dyn PasswordCheck>;
        Ok(Adapter { password: adapter.password.map(slow), ..adapter })
    }
}

struct Slow {
    inner: Box<dyn PasswordCheck>,
    killer: Arc<Killer>,
}

#[async_trait]
impl PasswordCheck for Slow {
    fn name_is(&self) -> NameIs {
        self.inner.name_is()
    }

    async fn verify(&self, attempt: Attempt<'_>, minter: Minter, trace: &mut TraceLog) -> PasswordOutcome {
        let outcome = self.inner.verify(attempt, minter, trace).await;
        self.killer.comes(Behind::Asked).await;
        outcome
    }

    async fn prove(&self, asked: Prove<'_>, trace: &mut TraceLog) -> Proved {
        let proved = self.inner.prove(asked, trace).await;
        self.killer.comes(Behind::Asked).await;
        proved
    }

    async fn change(&self, change: Change<'_>, trace: &mut TraceLog) -> Changed {
        self.inner.change(change, trace).await
    }
}

/// A world of people with passwords, and who kills them while the directory is asked.
async fn overtaken() -> (World, Arc<Killer>) {
    let mut world = binds::world().await;
    let killer = Killer::of(&world);
    let registry = Registry::default().with(Arc::new(Overtaken(Arc::clone(&killer))));
    let Wired { hub, builder, snapshots, recorder, .. } =
        wire(&world.foundation, registry, Arc::new(Silent)).await.unwrap();
    (world.hub, world.recorder, world.wired) = (hub, recorder, Rewired { builder, snapshots });
    (world, killer)
}

/// The directory says yes, and the person was killed while it was asked.
#[tokio::test]
async fn no_password_on_its_way_outruns_a_kill() {
    let (mut world, killer) = overtaken().await;
    world.log_in_by_dir("ann").await;
    let ann = world.shown("ann", &[]).await;
    let killed = Killed::Person(id(1), ann.id);
    let newest = world.foundation.epochs.newest();
    world.cookies.clear();
    let reply = world.authorize("&prompt=login&connection=dir").await;
    let form = typing(&reply).form.clone();
    killer.wait(Behind::Asked, killed);
    let late = world.type_in(&form, "ann", RIGHT).await;
    assert_ne!(world.foundation.epochs.newest(), newest, "nothing was killed");
    assert_eq!(param(&late, "error").as_deref(), Some("login_required"), "{late:?}");
    assert_eq!(param(&late, "code"), None);
    let sessions = world.foundation.store.sessions_of_person(id::<TenantId>(1), ann.id, world.now()).await.unwrap();
    assert!(sessions.len() <= 1, "the one from before at most");
    let reply = world.authorize("&prompt=none").await;
    assert_eq!(param(&reply, "error").as_deref(), Some("login_required"), "there is no session");
    // Who was not killed meanwhile comes in.
    world.log_in_by_dir("ann").await;

    for known in [true, false] {
        let ann = DirectoryPerson { epoch: world.foundation.epochs.newest(), ..ann.clone() };
        let person = Some(&ann).filter(|_| known);
        yes(world.bind(40, person, "ann", RIGHT).await);
        killer.wait(Behind::Asked, killed);
        let why = no(world.bind(40, person, "ann", RIGHT).await);
        assert!(why.contains("kill"), "{known}: {why}");
    }
}
