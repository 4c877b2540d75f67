//! Number 36: many people are read in no more memory than a few.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::{COMPANY, World, more_people};
use crate::support::Scratch;

/// More than a page.
const FEW: usize = 600;

/// 25,000 are promised: so many are read, in both ways, where `SYNC_PEOPLE` says so.
const MANY: usize = 2_000;

/// Octets of all entries together, most of them in what is not kept. What a process takes for itself differs by a tenth
/// of that from run to run.
const TOGETHER: usize = 32 * 1024 * 1024;

const LONGEST: Duration = Duration::from_secs(600);

/// How many people, and by which methods: all in one piece, and in pages.
fn wanted() -> (usize, &'static [&'static str]) {
    match std::env::var("SYNC_PEOPLE") {
        Ok(count) => (count.parse().unwrap(), &["syncrepl", "modify_timestamp"]),
        Err(_) => (MANY, &["syncrepl"]),
    }
}

/// Reads everybody into a running bridge. By how much its resident memory was larger than before at most, in octets.
async fn read(count: usize, octets: usize, method: &str) -> u64 {
    let scratch = Scratch::new("ldap-many");
    let file = scratch.write("more.ldif", &more_people(count, octets));
    let world = World::with("", &[("SLAPD_MORE", file.to_str().unwrap())]);
    let (bridge, _) = world.serve().await;
    // The peak counts from here on (proc(5)).
    std::fs::write(format!("/proc/{}/clear_refs", bridge.pid()), "5").unwrap();
    let before = memory(bridge.pid(), "VmRSS");
    let begun = Instant::now();
    world.apply(&format!("        sync: {{ full: 1h, method: {method} }}\n"));
    let trace = loop {
        if let Some(trace) = over(&world) {
            break trace;
        }
        assert!(begun.elapsed() < LONGEST, "{count} people take too long");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let peak = memory(bridge.pid(), "VmHWM");
    let (kib, took) = (1024, begun.elapsed());
    eprintln!("{count} people by {method}: {} KiB before, {} KiB at most, {took:?}", before / kib, peak / kib);
    assert!(trace.contains(&format!("{} new", count + COMPANY)) && trace.contains(" 0 failed"), "{trace}");
    peak - before
}

/// The trace of the run, once it is over.
fn over(world: &World) -> Option<String> {
    let list: Value = serde_json::from_str(&world.setup.ok(&["trace", "list", "--json"])).unwrap();
    let run = list.as_array().unwrap().iter().find(|one| one["kind"] == "sync")?;
    Some(world.setup.ok(&["trace", "show", run["id"].as_str().unwrap()]))
}

/// A line of what the kernel says of a process, in octets.
fn memory(pid: u32, name: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn many_people_are_read_in_constant_memory() {
    let (many, methods) = wanted();
    // Half of what they would take if they were kept.
    let octets = TOGETHER / many;
    let allowed = ((many - FEW) * octets / 2) as u64;
    for method in methods {
        let (less, more) = (read(FEW, octets, method).await, read(many, octets, method).await);
        assert!(more < less + allowed, "{method}: {more} octets for {many} people, {less} for {FEW}");
    }
}
