//! Everything that is measured on one database.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use fedbridge_saml::testkit::Person;

use crate::chain::{Company, LoggedIn, Steps, TENANT, Upstream};
use crate::commit::CommitAt;
use crate::configuration::configure;
use crate::floor::{self, Floor};
use crate::load::{Call, Lines, Load, Meter, Precision, Until};
use crate::numbers::Latencies;
use crate::oidc::{self, OidcLogins, Plan};
use crate::op::{Op, Source};
use crate::options::{Database, Options};
use crate::postgres::Postgres;
use crate::proc::{self, Memory};
use crate::requests::Kind;
use crate::server::{Server, Setup};
use crate::sso::{Asks, IdpSide};
use crate::stalled::{self, Stalled};
use crate::upstream::{Provider, Variety, person, person_of, person_with};

/// Traces are written in the background; a moment later they are there.
const SETTLE: Duration = Duration::from_millis(1_500);
const WARM_UP: Duration = Duration::from_millis(500);
const WARM_UP_LOGINS: usize = 100;
const STARTS: usize = 5;
/// Logins beside a provider that stalls, and as many before.
const NEIGHBOURS: usize = 2_000;
/// Logins with each kind of large Response.
const LARGE: usize = 50;
/// Of the Responses of 100 KB.
pub const OCTETS: usize = 100_000;

pub struct Run {
    pub database: Database,
    pub floor: Floor,
    pub logins: Vec<Logins>,
    pub oidc: OidcLogins,
    pub stalled: Stalled,
    pub requests: Vec<(Kind, Load)>,
    /// At half of the rate that was measured, and that rate.
    pub half_load: Vec<(Kind, f64, Load)>,
    pub sso: Vec<(Asks, Load)>,
    pub large: Vec<(LargeKind, Large)>,
    pub starts: Vec<Duration>,
    pub memory: MemoryRun,
}

pub struct Logins {
    pub variety: Variety,
    pub load: Load,
    pub steps: [Latencies; 4],
}

/// What makes a Response large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LargeKind {
    Attributes500,
    /// 100,000 octets of many attributes.
    Octets100K,
    /// The same, and encrypted.
    Encrypted100K,
}

impl LargeKind {
    pub const ALL: [Self; 3] = [Self::Attributes500, Self::Octets100K, Self::Encrypted100K];

    pub fn name(self) -> &'static str {
        match self {
            Self::Attributes500 => "500 attributes",
            Self::Octets100K => "100 KB",
            Self::Encrypted100K => "100 KB, encrypted",
        }
    }
}

/// The whole login with such a Response, and the time that the ACS took.
pub struct Large {
    pub load: Load,
    pub acs: Latencies,
}

pub struct MemoryRun {
    /// A second after a start on a store with nothing but its configuration.
    pub idle: Memory,
    /// After all logins.
    pub after_logins: Memory,
    pub logins: usize,
    /// After all that this run did.
    pub at_the_end: Memory,
    /// A second after a start on the store as it is then.
    pub restarted: Memory,
}

pub fn run(database: Database, folder: &Path, options: &Options) -> anyhow::Result<Run> {
    let postgres = match database {
        Database::Sqlite => None,
        Database::Postgres => Some(Postgres::start(folder)?),
    };
    let url = match &postgres {
        None => format!("sqlite://{}", folder.join("fedbridge.db").display()),
        Some(postgres) => postgres.url.clone(),
    };
    let setup = Setup::new(folder, &url)?;
    let (op, stalling) = (Op::start()?, Op::start()?);
    configure(&setup, folder, &op, &stalling)?;
    let site = Site {
        company: Arc::new(Company { host: setup.address.to_string(), tenant: TENANT.to_owned() }),
        root: postgres.as_ref().map(|postgres| postgres.root),
        people: Arc::new(AtomicUsize::new(0)),
        op,
        stalling,
        setup,
    };
    let measured = site.measure(database, folder, &url, options);
    measured.with_context(|| format!("the server's last words: {}", site.setup.log_tail()))
}

struct Site {
    setup: Setup,
    company: Arc<Company>,
    root: Option<u32>,
    /// Numbers of people: nobody logs in twice.
    people: Arc<AtomicUsize>,
    /// The OpenID provider of the tenant that is measured, and that of its neighbour.
    op: Op,
    stalling: Op,
}

impl Site {
    fn measure(&self, database: Database, folder: &Path, url: &str, options: &Options) -> anyhow::Result<Run> {
        let server = self.setup.serve()?;
        thread::sleep(Duration::from_secs(1));
        let idle = proc::memory(server.pid())?;

        let mut logins = Vec::new();
        let sessions = Sessions::default();
        let third = options.logins / 3;
        let rest = options.logins - 2 * third;
        for (variety, count) in Variety::ALL.into_iter().zip([rest, third, third]) {
            self.logins(&server, variety, Until::Count(WARM_UP_LOGINS), options, &sessions)?;
            logins.push(self.logins(&server, variety, Until::Count(count), options, &sessions)?);
        }
        let total = options.logins + Variety::ALL.len() * WARM_UP_LOGINS;
        let found = sessions.subs();
        ensure!(found == total, "{total} different people logged in, and they got {found} subjects");
        let after_logins = proc::memory(server.pid())?;

        let people = sessions.latest(options.connections.max(64));
        let mut requests = Vec::new();
        let mut half_load = Vec::new();
        for kind in Kind::ALL {
            let calls = kind.calls(&self.company, &people, options.connections);
            let mut lines = Lines::new(self.setup.address, calls);
            let meter = self.meter(&server);
            let load = (|| {
                lines.closed(Until::Time(WARM_UP), Duration::ZERO, &meter)?;
                lines.closed(Until::Time(options.lasting), Duration::ZERO, &meter)
            })()
            .with_context(|| kind.name())?;
            if matches!(kind, Kind::Introspection | Kind::Userinfo) {
                let rate = load.rate() / 2.0;
                let paced = lines.paced(rate, options.lasting, &meter).with_context(|| kind.name())?;
                half_load.push((kind, rate, paced));
            }
            requests.push((kind, load));
        }
        let sso = self.sso(&server, options)?;
        let large = self.large(&server)?;
        let commits = match database {
            Database::Sqlite => CommitAt::Sqlite(folder),
            Database::Postgres => CommitAt::Postgres(url, self.meter(&server)),
        };
        let oidc = self.oidc(&server, &commits, options).context("logins by an OpenID provider")?;
        let stalled = self.stalled(&server, &oidc, options).context("a provider that stalls")?;
        let at_the_end = proc::memory(server.pid())?;
        let floor = floor::measure(&self.company.host, &commits)?;
        server.stop()?;
        let (starts, restarted) = self.starts()?;
        let memory = MemoryRun { idle, after_logins, logins: total, at_the_end, restarted };
        Ok(Run { database, floor, logins, oidc, stalled, requests, half_load, sso, large, starts, memory })
    }

    fn meter(&self, server: &Server) -> Meter {
        Meter { server: server.pid(), database: self.root, precision: Precision::Ticks }
    }

    fn logins(
        &self,
        server: &Server,
        variety: Variety,
        until: Until,
        options: &Options,
        sessions: &Sessions,
    ) -> anyhow::Result<Logins> {
        let steps = Arc::new(Steps::default());
        let call = |_| self.saml_call(variety, person, &steps, sessions);
        let calls = (0..options.flows).map(call).collect::<anyhow::Result<_>>()?;
        let mut lines = Lines::new(self.setup.address, calls);
        let load = lines.closed(until, SETTLE, &self.meter(server)).context("login")?;
        drop(lines);
        Ok(Logins { variety, load, steps: unshared(steps)? })
    }

    /// Each browser logs in as the load warms up.
    fn sso(&self, server: &Server, options: &Options) -> anyhow::Result<Vec<(Asks, Load)>> {
        let side = Arc::new(IdpSide::of(self.setup.address)?);
        let load = |asks: Asks| {
            let somebody = || person(self.people.fetch_add(1, Ordering::Relaxed));
            let calls = (0..options.flows).map(|_| side.call(asks, somebody())).collect();
            let mut lines = Lines::new(self.setup.address, calls);
            let meter = self.meter(server);
            lines.closed(Until::Time(WARM_UP), SETTLE, &meter)?;
            anyhow::Ok((asks, lines.closed(Until::Time(options.lasting), SETTLE, &meter)?))
        };
        Asks::ALL
            .into_iter()
            .map(|asks| load(asks).with_context(|| format!("single sign-on, {}", asks.name())))
            .collect()
    }

    fn large(&self, server: &Server) -> anyhow::Result<Vec<(LargeKind, Large)>> {
        let mut large = Vec::new();
        for kind in LargeKind::ALL {
            let steps = Arc::new(Steps::default());
            let of_100k = person_of(&self.company.host, OCTETS)?;
            let somebody = move |number| match kind {
                LargeKind::Attributes500 => person_with(number, 500),
                LargeKind::Octets100K | LargeKind::Encrypted100K => of_100k(number),
            };
            let variety = if kind == LargeKind::Encrypted100K { Variety::Encrypted } else { Variety::Unsigned };
            let call = self.saml_call(variety, somebody, &steps, &Sessions::default())?;
            let mut lines = Lines::new(self.setup.address, vec![call]);
            let load = lines.closed(Until::Count(LARGE), SETTLE, &self.meter(server)).context(kind.name())?;
            drop(lines);
            let [_, acs, _, _] = unshared(steps)?;
            large.push((kind, Large { load, acs }));
        }
        Ok(large)
    }

    /// As many logins of each kind as of each variety.
    fn oidc(&self, server: &Server, commits: &CommitAt<'_>, options: &Options) -> anyhow::Result<OidcLogins> {
        let plan = |source: Source| {
            let steps = Arc::new(Steps::default());
            let calls = |steps: &Arc<Steps>| (0..options.flows).map(|_| self.op_call(source, steps)).collect();
            Plan { source, warm_up: calls(&Arc::default()), calls: calls(&steps), steps }
        };
        let plans = Source::ALL.into_iter().map(plan).collect();
        oidc::measure(self.setup.address, plans, options.logins / 3, commits, &self.meter(server))
    }

    /// At half of the rate that was measured.
    fn stalled(&self, server: &Server, oidc: &OidcLogins, options: &Options) -> anyhow::Result<Stalled> {
        let rate = oidc.logins.first().map_or(1.0, |(_, load, _)| load.rate() / 2.0);
        let lasting = Duration::from_secs_f64(options.logins.min(NEIGHBOURS) as f64 / rate);
        let steps = Arc::new(Steps::default());
        let calls = (0..options.connections).map(|_| self.op_call(Source::IdToken, &steps)).collect();
        stalled::measure(self.setup.address, &self.stalling, calls, rate, lasting, &self.meter(server))
    }

    fn op_call(&self, source: Source, steps: &Arc<Steps>) -> Call {
        self.login_call(self.op.upstream(source), person, steps, &Sessions::default())
    }

    fn saml_call(
        &self,
        variety: Variety,
        person: impl Fn(usize) -> Person + Send + 'static,
        steps: &Arc<Steps>,
        sessions: &Sessions,
    ) -> anyhow::Result<Call> {
        Ok(self.login_call(Provider::of(variety, self.setup.address)?, person, steps, sessions))
    }

    fn login_call(
        &self,
        upstream: impl Upstream + Send + 'static,
        person: impl Fn(usize) -> Person + Send + 'static,
        steps: &Arc<Steps>,
        sessions: &Sessions,
    ) -> Call {
        let (company, people) = (Arc::clone(&self.company), Arc::clone(&self.people));
        let (steps, sessions) = (Arc::clone(steps), sessions.clone());
        Box::new(move |connection| {
            let person = person(people.fetch_add(1, Ordering::Relaxed));
            sessions.add(company.login(connection, &upstream, &person, &steps)?);
            Ok(())
        })
    }

    /// Starts on the store as it is now.
    fn starts(&self) -> anyhow::Result<(Vec<Duration>, Memory)> {
        let mut starts = Vec::new();
        loop {
            let server = self.setup.serve()?;
            starts.push(server.ready_after);
            if starts.len() == STARTS {
                thread::sleep(Duration::from_secs(1));
                let memory = proc::memory(server.pid())?;
                server.stop()?;
                starts.sort_unstable();
                return Ok((starts, memory));
            }
            thread::sleep(Duration::from_millis(100));
            server.stop()?;
        }
    }
}

fn unshared(steps: Arc<Steps>) -> anyhow::Result<[Latencies; 4]> {
    Ok(Arc::into_inner(steps).context("a load still runs")?.latencies())
}

/// Who logged in.
#[derive(Clone, Default)]
struct Sessions(Arc<Mutex<Everybody>>);

#[derive(Default)]
struct Everybody {
    subs: HashSet<String>,
    latest: VecDeque<Arc<LoggedIn>>,
}

/// More than any load uses.
const KEPT: usize = 1_024;

impl Sessions {
    fn add(&self, logged_in: LoggedIn) {
        let mut all = self.all();
        all.subs.insert(logged_in.sub.clone());
        if all.latest.len() >= KEPT {
            all.latest.pop_front();
        }
        all.latest.push_back(Arc::new(logged_in));
    }

    fn subs(&self) -> usize {
        self.all().subs.len()
    }

    fn latest(&self, count: usize) -> Vec<Arc<LoggedIn>> {
        self.all().latest.iter().rev().take(count).cloned().collect()
    }

    fn all(&self) -> MutexGuard<'_, Everybody> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
