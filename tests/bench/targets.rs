//! What was promised of speed and size, beside what this run measured.

use std::time::Duration;

use crate::numbers::{micros, ratio};
use crate::options::Options;
use crate::requests::Kind;
use crate::run::{LargeKind, Logins, Run};
use crate::scale::Scale;
use crate::sso::Asks;

pub struct Target {
    pub database: &'static str,
    pub what: String,
    pub wanted: String,
    pub measured: String,
    pub reached: bool,
}

pub fn of(runs: &[Run], scales: &[Scale], options: &Options) -> Vec<Target> {
    let of_runs = runs.iter().flat_map(|run| of_run(run, options));
    of_runs.chain(scales.iter().flat_map(Scale::targets)).collect()
}

fn of_run(run: &Run, options: &Options) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what: String, wanted: &str, measured: String, reached: bool| {
        targets.push(Target { database: run.database.name(), what, wanted: wanted.to_owned(), measured, reached });
    };
    for logins in &run.logins {
        let name = logins.variety.name();
        let (to_floor, own) = (to_floor(run, logins), own_cpu(run, logins));
        add(format!("login CPU / floor, {name}"), "<= 2.00", format!("{to_floor:.2}"), to_floor <= 2.0);
        let reached = own < Duration::from_millis(1);
        add(format!("login's own CPU, {name}"), "< 1000 us", format!("{:.0} us", micros(own)), reached);
    }
    for (source, load, _) in &run.oidc.logins {
        let (cpu, floor) = (load.cpu_each().product(), run.oidc.floor.login(*source));
        let (to_floor, own) = (ratio(cpu, floor), cpu.saturating_sub(floor));
        add(format!("login CPU / floor, {}", source.name()), "<= 2.00", format!("{to_floor:.2}"), to_floor <= 2.0);
        let reached = own < Duration::from_millis(1);
        add(format!("login's own CPU, {}", source.name()), "< 1000 us", format!("{:.0} us", micros(own)), reached);
    }
    let (before, during) = (run.stalled.before.latencies.p99(), run.stalled.during.latencies.p99());
    let limit = before.mul_f64(1.2).max(before + Duration::from_millis(2));
    let what =
        format!("login p99 at half load while another tenant's provider stalls, before {}", milliseconds(before));
    add(what, &format!("<= {}", milliseconds(limit)), milliseconds(during), during <= limit);
    for (asks, load) in &run.sso {
        let to_floor = ratio(load.cpu_each().product(), sso_floor(run, *asks));
        let what = format!("single sign-on CPU / floor, {}", asks.name());
        add(what, "<= 2.00", format!("{to_floor:.2}"), to_floor <= 2.0);
    }
    for (kind, load) in &run.requests {
        if *kind == Kind::ClientCredentials {
            let share = ratio(run.floor.alone.es256.cpu, load.cpu_each().product());
            let what = "client_credentials / raw ES256, by CPU".to_owned();
            add(what, ">= 40%", format!("{:.0}%", share * 100.0), share >= 0.4);
            let share = load.rate() * run.floor.alone.es256.wall.as_secs_f64();
            let what = "client_credentials / raw ES256, by rate, load on the same cores".to_owned();
            add(what, ">= 40%", format!("{:.0}%", share * 100.0), share >= 0.4);
        }
    }
    for (kind, _, load) in &run.half_load {
        let p99 = load.latencies.p99();
        let reached = p99 < Duration::from_millis(1);
        add(format!("{} p99 at half load", kind.name()), "< 1000 us", format!("{:.0} us", micros(p99)), reached);
    }
    for (kind, large) in &run.large {
        // What is encrypted is verified after it was decrypted, and the floor has that apart.
        let (limit, verify) = match kind {
            LargeKind::Attributes500 => (Duration::from_millis(10), Some(run.floor.alone.verify_500.cpu)),
            LargeKind::Octets100K => (Duration::from_millis(20), Some(run.floor.alone.verify_100k.cpu)),
            LargeKind::Encrypted100K => (Duration::from_millis(20), None),
        };
        let wanted = format!("< {} ms", limit.as_millis());
        if let Some(verify) = verify {
            add(format!("{}, verification", kind.name()), &wanted, milliseconds(verify), verify < limit);
        }
        let acs = large.acs.p50();
        add(format!("{}, answer of the ACS (p50)", kind.name()), &wanted, milliseconds(acs), acs < limit);
        // What else keeps the cores busy makes answers wait, but takes little of their CPU.
        let cpu = large.load.cpu_each().product();
        add(format!("{}, CPU of the whole login", kind.name()), &wanted, milliseconds(cpu), cpu < limit);
    }
    let resident = run.memory.idle.resident.max(run.memory.restarted.resident);
    add("resident memory, idle".into(), "< 40 MB", megabytes(resident), resident < 40_000_000);
    let resident = run.memory.after_logins.resident;
    let what = format!("resident memory after {} logins", options.logins);
    add(what, "< 150 MB", megabytes(resident), resident < 150_000_000);
    let slowest = run.starts.last().copied().unwrap_or_default();
    let reached = slowest < Duration::from_millis(300);
    add("ready on this store, slowest start".into(), "< 300 ms", milliseconds(slowest), reached);
    targets
}

/// CPU of server and database for one login, in floors.
pub fn to_floor(run: &Run, logins: &Logins) -> f64 {
    ratio(logins.load.cpu_each().product(), floor(run, logins))
}

/// What a login takes above its floor.
pub fn own_cpu(run: &Run, logins: &Logins) -> Duration {
    logins.load.cpu_each().product().saturating_sub(floor(run, logins))
}

pub fn floor(run: &Run, logins: &Logins) -> Duration {
    run.floor.login(&run.floor.alone, logins.variety)
}

/// The floor with every core busy, as the logins keep them.
pub fn busy_floor(run: &Run, logins: &Logins) -> Duration {
    run.floor.login(&run.floor.busy, logins.variety)
}

pub fn sso_floor(run: &Run, asks: Asks) -> Duration {
    run.floor.sso(&run.floor.alone, asks)
}

pub fn milliseconds(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

pub fn megabytes(octets: u64) -> String {
    format!("{:.1} MB", octets as f64 / 1e6)
}
