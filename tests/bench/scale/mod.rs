//! Whether what a request costs depends on how much is stored: the same requests at a small installation and at large
//! ones, in turns, so that what slows the machine down for a while slows all of them.

mod endpoint;
mod fill;
mod report;
mod site;
mod tenants;

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use crate::numbers::{median, ratio};
use crate::options::{Database, Options};
use crate::postgres::Postgres;
use crate::proc::Memory;
use crate::targets::Target;

use endpoint::Endpoint;
use site::Site;

pub use report::{json, print};

/// Of the small installation, which has one tenant.
pub const FEW_GRANTS: usize = 1_000;

/// Measured rounds, after one that warms up. An odd number has one in the middle.
const ROUNDS: usize = 7;

/// No endpoint's cost may grow by more.
const MOST: f64 = 1.20;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Small,
    /// Many stored grants, in one tenant.
    Grants(usize),
    /// Many tenants, all of them with connections and apps.
    Tenants(usize),
}

impl Size {
    pub fn name(self) -> String {
        match self {
            Self::Small => format!("{FEW_GRANTS} grants, 1 tenant"),
            Self::Grants(count) => format!("{count} grants"),
            Self::Tenants(count) => format!("{count} tenants"),
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Grants(_) => "grants",
            Self::Tenants(_) => "tenants",
        }
    }
}

/// What was measured on one database.
pub struct Scale {
    pub database: Database,
    pub sizes: Vec<Installation>,
    /// By endpoint, then by size, then by round.
    pub costs: Vec<(Endpoint, Vec<Vec<Cost>>)>,
}

pub struct Installation {
    pub size: Size,
    /// How long it took to put that much there.
    pub filled_in: Duration,
    pub ready_after: Duration,
    /// A second after the start.
    pub idle: Memory,
    pub at_the_end: Memory,
}

/// Of one request in one round.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// Of server and database.
    pub cpu: Duration,
    pub p50: Duration,
}

/// `None` where the options want no large installation.
pub fn run(database: Database, folder: &Path, options: &Options) -> anyhow::Result<Option<Scale>> {
    let large = [(options.grants, Size::Grants(options.grants)), (options.tenants, Size::Tenants(options.tenants))];
    let sizes: Vec<_> = large.into_iter().filter(|(count, _)| *count > 0).map(|(_, size)| size).collect();
    if sizes.is_empty() {
        return Ok(None);
    }
    let postgres = match database {
        Database::Sqlite => None,
        Database::Postgres => Some(Postgres::start(folder)?),
    };
    let mut sites = Vec::new();
    for size in [Size::Small].into_iter().chain(sizes) {
        let inside = folder.join(size.folder());
        std::fs::create_dir_all(&inside)?;
        sites.push(Site::new(size, &inside, postgres.as_ref()).with_context(|| size.name())?);
    }
    // None is started before all are there: filling one would be in the way of the others.
    for site in &mut sites {
        site.start().with_context(|| site.what())?;
    }
    let costs = rounds(&mut sites)?;
    let sizes = sites.into_iter().map(Site::stop).collect::<anyhow::Result<_>>()?;
    Ok(Some(Scale { database, sizes, costs }))
}

fn rounds(sites: &mut [Site]) -> anyhow::Result<Vec<(Endpoint, Vec<Vec<Cost>>)>> {
    let mut costs: Vec<_> = Endpoint::ALL.into_iter().map(|it| (it, vec![Vec::new(); sites.len()])).collect();
    for round in 0..=ROUNDS {
        for (endpoint, of_sites) in &mut costs {
            for turn in 0..sites.len() {
                // Another one is first in each round.
                let at = (round + turn) % sites.len();
                let site = &mut sites[at];
                let cost = site.measure(*endpoint);
                let cost = cost.with_context(|| format!("{} with {}", endpoint.name(), site.what()))?;
                if round > 0 {
                    of_sites[at].push(cost);
                }
            }
        }
    }
    Ok(costs)
}

/// How an endpoint's cost at a large installation compares with that at the small one.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    pub cpu: f64,
    pub p50: f64,
}

impl Scale {
    /// The median of the rounds: in each, both were measured right after each other.
    pub fn growth(costs: &[Vec<Cost>], at: usize) -> Growth {
        let pairs = || costs[0].iter().zip(&costs[at]);
        Growth {
            cpu: median(pairs().map(|(small, large)| ratio(large.cpu, small.cpu)).collect()),
            p50: median(pairs().map(|(small, large)| ratio(large.p50, small.p50)).collect()),
        }
    }

    pub fn targets(&self) -> Vec<Target> {
        let mut targets = Vec::new();
        for (at, large) in self.sizes.iter().enumerate().skip(1) {
            for (what, of) in [("CPU", cpu as fn(Growth) -> f64), ("p50", p50)] {
                let all = self.costs.iter().map(|(endpoint, costs)| (of(Self::growth(costs, at)), endpoint.name()));
                let Some((most, endpoint)) = all.max_by(|one, other| one.0.total_cmp(&other.0)) else { continue };
                targets.push(Target {
                    database: self.database.name(),
                    what: format!("{what} with {}, the endpoint that grows most: {endpoint}", large.size.name()),
                    wanted: format!("<= {MOST:.2}"),
                    measured: format!("{most:.2}"),
                    reached: most <= MOST,
                });
            }
        }
        targets
    }
}

fn cpu(growth: Growth) -> f64 {
    growth.cpu
}

fn p50(growth: Growth) -> f64 {
    growth.p50
}
