//! One installation: its database, its server, and people who are logged in.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::endpoint::Endpoint;
use super::{Cost, FEW_GRANTS, Installation, Size, fill, tenants};
use crate::chain::{Company, Flow, LoggedIn, TENANT};
use crate::configuration;
use crate::http::Connection;
use crate::load::{Lines, Meter, Precision, Until};
use crate::postgres::Postgres;
use crate::proc;
use crate::server::{Server, Setup};
use crate::upstream::{Provider, Variety};

/// People who stay logged in; with many tenants they are of as many different ones.
const PEOPLE: usize = 64;
const CONNECTIONS: usize = 4;
/// Traces are written in the background, within some 50 ms.
const SETTLE: Duration = Duration::from_millis(250);
/// Opening many tenants takes its time, on a busy machine above all.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Site {
    size: Size,
    setup: Setup,
    /// The root of the database's processes.
    root: Option<u32>,
    slugs: Vec<String>,
    filled_in: Duration,
    running: Option<Running>,
}

struct Running {
    server: Server,
    idle: proc::Memory,
    stage: Arc<Stage>,
}

/// Somebody who is logged in.
pub struct Person {
    pub company: Company,
    pub login: LoggedIn,
}

/// What the requests are made of.
pub struct Stage {
    pub companies: Vec<Company>,
    pub upstream: Box<Provider>,
    pub people: Vec<Arc<Person>>,
    /// Counts people, and turns.
    next: AtomicUsize,
    /// Codes that were given, then the refresh tokens made from them, then their successors.
    pub codes: Mutex<Vec<(Arc<Person>, Flow, String)>>,
    pub fresh: Mutex<Vec<(Arc<Person>, String)>>,
    pub refreshed: Mutex<Vec<(Arc<Person>, String)>>,
    /// People who are logged in and will log out.
    pub leaving: Mutex<Vec<Arc<Person>>>,
}

impl Stage {
    pub fn next(&self) -> usize {
        self.next.fetch_add(1, Ordering::Relaxed)
    }

    pub fn somebody(&self) -> Arc<Person> {
        Arc::clone(&self.people[self.next() % self.people.len()])
    }
}

impl Site {
    /// Makes the database and puts in what it is to hold.
    pub fn new(size: Size, folder: &Path, postgres: Option<&Postgres>) -> anyhow::Result<Self> {
        let url = match postgres {
            None => format!("sqlite://{}", folder.join("fedbridge.db").display()),
            Some(postgres) => postgres.database(size.folder())?,
        };
        let setup = Setup::new(folder, &url)?;
        configuration::configure_one(&setup, folder)?;
        let start = Instant::now();
        let mut slugs = vec![TENANT.to_owned()];
        if let Size::Tenants(count) = size {
            slugs.extend(tenants::multiply(&setup, count - 1)?);
        }
        let grants = if let Size::Grants(count) = size { count } else { FEW_GRANTS };
        fill::grants(&url, grants).context("filling the database")?;
        let root = postgres.map(|postgres| postgres.root);
        Ok(Self { size, setup, root, slugs, filled_in: start.elapsed(), running: None })
    }

    pub fn what(&self) -> String {
        self.size.name()
    }

    /// Starts the server, and logs people in.
    pub fn start(&mut self) -> anyhow::Result<()> {
        let server = self.setup.serve_within(PATIENCE)?;
        thread::sleep(Duration::from_secs(1));
        let idle = proc::memory(server.pid())?;
        let company = |number: usize| Company {
            host: self.setup.address.to_string(),
            tenant: self.slugs[number * self.slugs.len() / PEOPLE].clone(),
        };
        let mut stage = Stage {
            companies: (0..PEOPLE).map(company).collect(),
            upstream: Box::new(Provider::of(Variety::Unsigned, self.setup.address)?),
            people: Vec::new(),
            next: AtomicUsize::new(0),
            codes: Mutex::default(),
            fresh: Mutex::default(),
            refreshed: Mutex::default(),
            leaving: Mutex::default(),
        };
        let mut connection = Connection::open(self.setup.address)?;
        for _ in 0..PEOPLE {
            let person = stage.log_in(&mut connection, stage.next())?;
            stage.people.push(person);
        }
        self.running = Some(Running { server, idle, stage: Arc::new(stage) });
        Ok(())
    }

    /// What one request at an endpoint costs.
    pub fn measure(&mut self, endpoint: Endpoint) -> anyhow::Result<Cost> {
        let running = self.running.as_ref().context("the server does not run")?;
        let meter = Meter { server: running.server.pid(), database: self.root, precision: Precision::Nanos };
        let calls = (0..CONNECTIONS).map(|_| endpoint.call(&running.stage)).collect();
        let mut lines = Lines::new(self.setup.address, calls);
        let settle = if endpoint.is_recorded() { SETTLE } else { Duration::ZERO };
        let load = lines.closed(Until::Count(endpoint.count()), settle, &meter);
        let load = load.with_context(|| format!("the server's last words: {}", self.setup.log_tail()))?;
        Ok(Cost { cpu: load.cpu_each().product(), p50: load.latencies.p50() })
    }

    pub fn stop(self) -> anyhow::Result<Installation> {
        let Running { server, idle, .. } = self.running.context("the server does not run")?;
        let at_the_end = proc::memory(server.pid())?;
        let ready_after = server.ready_after;
        server.stop()?;
        Ok(Installation { size: self.size, filled_in: self.filled_in, ready_after, idle, at_the_end })
    }
}
