//! SCIM: our server beside scim2-server and SCIMMY, in turns of a few seconds within one run. They keep what they are
//! told in memory; ours has it on disk before it answers. Then what a large directory does to ours alone.

mod floor;
mod growth;
mod party;
mod report;
mod targets;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::json;

use crate::http::Connection;
use crate::load::{Call, Lines, Load, Until};
use crate::options::{Database, Options};

use floor::Floor;
use growth::Growth;
use party::{Ours, Party};

pub use report::{json, print};
pub use targets::of as targets;

/// Users that everybody has when it begins.
const USERS: usize = 1_000;
/// What goes on behind an answer ends within it.
const SETTLE: Duration = Duration::from_millis(500);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    Get,
    Filter,
    Create,
    Patch,
}

impl Ask {
    const ALL: [Self; 4] = [Self::Get, Self::Filter, Self::Create, Self::Patch];

    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Filter => "filter",
            Self::Create => "create",
            Self::Patch => "patch",
        }
    }

    pub fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Patch)
    }
}

pub struct ScimRun {
    pub database: Database,
    pub contests: Vec<Contest>,
    pub growth: Option<Growth>,
}

pub struct Contest {
    pub ask: Ask,
    /// Ours, scim2-server's, SCIMMY's.
    pub loads: [Load; 3],
    /// What the database alone stores as often, of a write.
    pub floor: Option<Floor>,
}

/// A server and the users that it has by now.
struct Side {
    party: Arc<Party>,
    users: Mutex<Vec<(String, String)>>,
    made: AtomicUsize,
    turn: AtomicUsize,
}

pub fn run(folder: &Path, database: Database, options: &Options) -> anyhow::Result<ScimRun> {
    let folder = folder.join(format!("scim-{}", database.name().to_lowercase()));
    let of = |name: &str| -> anyhow::Result<_> {
        let folder = folder.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    };
    let ours = Ours::start(&of("ours")?, database).context("the bridge")?;
    let theirs = [Party::scim2_server(&of("scim2-server")?)?, Party::scimmy(&of("scimmy")?)?];
    let [one, other] = theirs.map(Arc::new);
    let measured = contests(&ours, [one, other], options).and_then(|contests| {
        let growth = (options.scim_users > 0).then(|| growth::measure(&ours.party, options)).transpose()?;
        Ok(ScimRun { database, contests, growth })
    });
    let measured = measured.with_context(|| format!("the server's last words: {}", ours.log_tail()))?;
    ours.stop()?;
    std::fs::remove_dir_all(&folder)?;
    Ok(measured)
}

fn contests(ours: &Ours, [one, other]: [Arc<Party>; 2], options: &Options) -> anyhow::Result<Vec<Contest>> {
    let sides = [Arc::clone(&ours.party), one, other].map(|party| Arc::new(Side::new(party)));
    for side in &sides {
        side.fill(USERS).context(side.party.name)?;
    }
    let mut contests = Vec::new();
    for ask in Ask::ALL {
        let before = floor::Stored::read(&ours.url)?;
        let loads = contest(&sides, ask, options).with_context(|| ask.name().to_owned())?;
        let writes = loads[0].latencies.count();
        let floor = match ask.writes() {
            true => Some(floor::measure(&ours.url, (ask, before, writes), options)?),
            false => None,
        };
        contests.push(Contest { ask, loads, floor });
    }
    Ok(contests)
}

/// Rounds of all three, each beginning with the next one; one before warms up.
fn contest(sides: &[Arc<Side>; 3], ask: Ask, options: &Options) -> anyhow::Result<[Load; 3]> {
    let mut loads = [Vec::new(), Vec::new(), Vec::new()];
    for side in sides {
        turn(side, ask, options, options.lasting / 4)?;
    }
    for round in 0..options.scim_rounds {
        for at in 0..3 {
            let which = (round + at) % 3;
            loads[which].push(turn(&sides[which], ask, options, options.lasting)?);
        }
    }
    Ok(loads.map(Load::merged))
}

fn turn(side: &Arc<Side>, ask: Ask, options: &Options, lasting: Duration) -> anyhow::Result<Load> {
    let calls = (0..options.connections).map(|_| Side::call(side, ask)).collect();
    let mut lines = Lines::new(side.party.address, calls);
    lines.closed(Until::Time(lasting), SETTLE, &side.party.meter).context(side.party.name)
}

impl Side {
    fn new(party: Arc<Party>) -> Self {
        Self { party, users: Mutex::default(), made: AtomicUsize::new(0), turn: AtomicUsize::new(0) }
    }

    fn fill(&self, users: usize) -> anyhow::Result<()> {
        let mut connection = Connection::open(self.party.address)?;
        for _ in 0..users {
            self.create(&mut connection)?;
        }
        Ok(())
    }

    fn create(&self, connection: &mut Connection) -> anyhow::Result<()> {
        let name = format!("user{:07}", self.made.fetch_add(1, Ordering::Relaxed));
        let id = self.party.create(connection, &name)?;
        self.users().push((id, name));
        Ok(())
    }

    fn call(this: &Arc<Self>, ask: Ask) -> Call {
        let side = Arc::clone(this);
        Box::new(move |connection| match ask {
            Ask::Get => {
                let (id, _) = side.somebody()?;
                let request = side.party.request("GET", &format!("Users/{id}"), None);
                let answer = connection.call(&request)?.expect(200)?;
                ensure!(answer.contains(&id), "another user was answered");
                Ok(())
            }
            Ask::Filter => {
                let (id, name) = side.somebody()?;
                let path = format!("Users?filter=userName%20eq%20%22{name}%22&startIndex=1&count=100");
                let answer = connection.call(&side.party.request("GET", &path, None))?.expect(200)?;
                ensure!(answer.contains(&id), "the user was not found");
                Ok(())
            }
            Ask::Create => side.create(connection),
            Ask::Patch => {
                let (id, _) = side.somebody()?;
                let number = side.turn.fetch_add(1, Ordering::Relaxed);
                let operation = json!({ "op": "replace", "path": "displayName", "value": format!("Ada {number}") });
                let body = party::patch(json!([operation]));
                let request = side.party.request("PATCH", &format!("Users/{id}"), Some(&body));
                let answer = connection.call(&request)?;
                ensure!([200, 204].contains(&answer.status), "PATCH was answered with {}", answer.status);
                Ok(())
            }
        })
    }

    /// One of the first users, in turn.
    fn somebody(&self) -> anyhow::Result<(String, String)> {
        let at = self.turn.fetch_add(7, Ordering::Relaxed) % USERS;
        self.users().get(at).cloned().context("no users were made")
    }

    fn users(&self) -> MutexGuard<'_, Vec<(String, String)>> {
        self.users.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
