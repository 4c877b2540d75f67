//! LDAP: our directory beside slapd, and our binds beside slapd's own proxy (back-ldap), in turns of a few seconds
//! within one run. Everybody speaks plain LDAP on loopback, and is asked the same by one thread.

#[path = "../../support/ldap/client.rs"]
#[allow(dead_code)] // The tests use all of it.
mod client;
mod load;
mod party;
mod people;
mod report;
mod slapd;
mod targets;
#[path = "../../support/ldap/wire.rs"]
#[allow(dead_code)]
mod wire;

use std::cell::Cell;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::numbers::{Latencies, median};
use crate::options::Options;
use crate::proc;

use load::Turns;
use party::{Ours, Party};
use slapd::Slapd;

pub use report::{json, print};
pub use targets::of as targets;

pub const CONNECTIONS: [usize; 3] = [1, 16, 64];
/// Of binds and logins.
pub const BINDING: usize = 16;
/// Binds of apps, which need no upstream.
pub const APP_BINDS_PER_SECOND: f64 = 500.0;

pub struct LdapRun {
    pub sizes: Vec<OfSize>,
    /// On the small directory.
    pub binds: Contest,
    pub logins: Contest,
    pub app_binds: Latencies,
}

pub struct OfSize {
    pub people: usize,
    /// From the start of the bridge until its directory had everybody.
    pub filled: Duration,
    pub resident: u64,
    /// By number of connections.
    pub searches: Vec<(usize, Contest)>,
}

/// The same asked of both, in turns.
pub struct Contest {
    pub ours: Side,
    pub theirs: Side,
    /// Operations that came to the slapd behind, for each that was asked: (ours, theirs).
    pub behind: Option<(f64, f64)>,
}

pub struct Side {
    /// The median of the rounds, in operations a second.
    pub rate: f64,
    pub rates: Vec<f64>,
    pub latencies: Latencies,
    /// CPU of the party for one operation, without that of the slapd behind.
    pub cpu: Duration,
}

impl Contest {
    pub fn ratio(&self) -> f64 {
        self.ours.rate / self.theirs.rate.max(f64::MIN_POSITIVE)
    }
}

pub fn run(folder: &Path, options: &Options) -> anyhow::Result<LdapRun> {
    let mut sizes = Vec::new();
    let mut bound = None;
    for people in options.ldap_people.iter().copied() {
        let folder = folder.join(format!("ldap-{people}"));
        std::fs::create_dir_all(&folder)?;
        let slapd = Slapd::company(&folder, people).context("slapd")?;
        let ours = Ours::start(&folder, &slapd, people).context("the bridge")?;
        let measured = searches(&ours, &slapd, people, options)
            .and_then(|sized| {
                if bound.is_none() {
                    bound = Some(binds(&folder, &ours, &slapd, people, options)?);
                }
                Ok(sized)
            })
            .with_context(|| format!("the server's last words: {}", ours.log_tail()))?;
        sizes.push(measured);
        ours.stop()?;
        drop(slapd);
        std::fs::remove_dir_all(&folder)?;
    }
    let (binds, logins, app_binds) = bound.context("no binds were measured")?;
    Ok(LdapRun { sizes, binds, logins, app_binds })
}

fn searches(ours: &Ours, slapd: &Slapd, people: usize, options: &Options) -> anyhow::Result<OfSize> {
    let resident = proc::memory(ours.party.pid)?.resident;
    let mut searches = Vec::new();
    for connections in CONNECTIONS {
        let contest =
            contest(&ours.party, &slapd.party, options, |party| Ok(Turns::searches(party, people, connections)))
                .with_context(|| format!("searches at {connections} connections"))?;
        searches.push((connections, contest));
    }
    let resident = resident.max(proc::memory(ours.party.pid)?.resident);
    Ok(OfSize { people, filled: ours.filled, resident, searches })
}

fn binds(
    folder: &Path,
    ours: &Ours,
    slapd: &Slapd,
    people: usize,
    options: &Options,
) -> anyhow::Result<(Contest, Contest, Latencies)> {
    let proxy = Slapd::proxy(&folder.join("proxy"), slapd)?;
    let counted = |make: fn(&Party, usize, usize) -> Turns, binds: f64| -> anyhow::Result<Contest> {
        let (mut asked, mut came) = ([0_u64; 2], [0_u64; 2]);
        // Both closures have it.
        let before = Cell::new(0_u64);
        let contest = contest_with(
            [&ours.party, &proxy.party],
            options,
            |party| Ok(make(party, people, BINDING)),
            |_| {
                before.set(slapd.counted("Bind")?);
                Ok(())
            },
            |side, done| {
                came[side] += slapd.counted("Bind")? - before.get();
                asked[side] += done;
                Ok(())
            },
        )?;
        let each = |side: usize| came[side] as f64 / asked[side].max(1) as f64;
        // Each bind must have been seen by the server that knows the passwords.
        ensure!(each(0) >= binds, "{:.3} binds for each operation reached the slapd behind", each(0));
        Ok(Contest { behind: Some((each(0), each(1))), ..contest })
    };
    let binds = counted(Turns::binds, 1.0).context("binds")?;
    let logins = counted(Turns::logins, 1.0).context("logins")?;
    let app_binds =
        load::paced(&ours.party, Turns::app_binds(&ours.party, BINDING), APP_BINDS_PER_SECOND, options.lasting)?;
    Ok((binds, logins, app_binds))
}

fn contest(
    ours: &Party,
    theirs: &Party,
    options: &Options,
    turns: impl Fn(&Party) -> anyhow::Result<Turns>,
) -> anyhow::Result<Contest> {
    contest_with([ours, theirs], options, turns, |_| Ok(()), |_, _| Ok(()))
}

/// Rounds of both, each beginning with the other one; the first of all warms up.
fn contest_with(
    parties: [&Party; 2],
    options: &Options,
    turns: impl Fn(&Party) -> anyhow::Result<Turns>,
    mut before: impl FnMut(usize) -> anyhow::Result<()>,
    mut after: impl FnMut(usize, u64) -> anyhow::Result<()>,
) -> anyhow::Result<Contest> {
    let mut sides = [SideSoFar::default(), SideSoFar::default()];
    for party in parties {
        load::closed(party, turns(party)?, options.lasting / 4).context(party.name)?;
    }
    for round in 0..options.ldap_rounds {
        for at in 0..2 {
            let side = (round + at) % 2;
            let party = parties[side];
            before(side)?;
            let cpu = proc::cpu(party.pid)?;
            let load = load::closed(party, turns(party)?, options.lasting).context(party.name)?;
            sides[side].cpu += proc::cpu(party.pid)?.saturating_sub(cpu);
            sides[side].rates.push(load.rate());
            after(side, load.latencies.count() as u64)?;
            sides[side].latencies.push(load.latencies);
        }
    }
    let [ours, theirs] = sides.map(SideSoFar::end);
    Ok(Contest { ours, theirs, behind: None })
}

#[derive(Default)]
struct SideSoFar {
    rates: Vec<f64>,
    latencies: Vec<Latencies>,
    cpu: Duration,
}

impl SideSoFar {
    fn end(self) -> Side {
        let latencies = Latencies::merged(self.latencies);
        let cpu = crate::numbers::each(self.cpu, latencies.count());
        Side { rate: median(self.rates.clone()), rates: self.rates, latencies, cpu }
    }
}
