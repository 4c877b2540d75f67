//! A large directory, as a first sync brings it, and what is done with it then.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, ensure};
use serde_json::{Value, json};

use crate::http::Connection;
use crate::numbers::{Latencies, nanos};
use crate::options::Options;
use crate::proc;

use super::party::{self, Party};

/// Members of one PATCH, as Entra ID and Okta send them at most.
const MEMBERS: usize = 1_000;
/// Groups for each hundred users.
const GROUPS_PER_CENT: usize = 1;
/// Members of each.
const GROUP_OF: usize = 50;
/// Single changes to the largest group.
const SINGLES: usize = 500;
/// How many users are walked over while others come and go.
const WALKED: usize = 25_000;

pub struct Growth {
    pub users: usize,
    pub groups: usize,
    /// For all of them, with the members of the groups.
    pub synced: Duration,
    /// Resident memory of the bridge, at a tenth of the users and with all of them.
    pub memory: (u64, u64),
    /// One member more of a group that has everybody.
    pub one_more: Latencies,
    /// The same group without its members.
    pub without_members: Latencies,
    pub walk: Walk,
}

pub struct Walk {
    pub users: usize,
    pub took: Duration,
    /// Users who came and went meanwhile.
    pub came: usize,
    pub went: usize,
}

pub fn measure(party: &Arc<Party>, options: &Options) -> anyhow::Result<Growth> {
    let (users, groups) = (options.scim_users, options.scim_users / 100 * GROUPS_PER_CENT);
    let start = Instant::now();
    let first = created(party, options.connections, (0, users / 10))?;
    let small = proc::memory(party.meter.server)?.resident;
    let rest = created(party, options.connections, (users / 10, users))?;
    let ids = [first, rest].concat();
    grouped(party, options.connections, &ids, groups)?;
    let synced = start.elapsed();
    let large = proc::memory(party.meter.server)?.resident;
    let (one_more, without_members) = one_large_group(party, &ids)?;
    let walk = walked(party, &ids)?;
    Ok(Growth { users, groups, synced, memory: (small, large), one_more, without_members, walk })
}

/// Users of these numbers.
fn created(party: &Arc<Party>, lines: usize, (from, to): (usize, usize)) -> anyhow::Result<Vec<String>> {
    let (next, ids) = (AtomicUsize::new(from), Mutex::new(Vec::with_capacity(to - from)));
    on_lines(party, lines, |connection| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= to {
                return Ok(());
            }
            let id = party.create(connection, &format!("synced{number:07}"))?;
            ids.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        }
    })?;
    Ok(ids.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Each is made empty, then gets its members, as directories do it.
fn grouped(party: &Arc<Party>, lines: usize, users: &[String], groups: usize) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    on_lines(party, lines, |connection| {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= groups {
                return Ok(());
            }
            let group = group(party, connection, &format!("Team {number}"))?;
            let members = (0..GROUP_OF).filter_map(|at| users.get((number * 97 + at * 31) % users.len().max(1)));
            add(party, connection, &group, members)?;
        }
    })
}

fn group(party: &Party, connection: &mut Connection, name: &str) -> anyhow::Result<String> {
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": name });
    party::id(&party.ask(connection, ("POST", "Groups"), Some(&body), 201)?)
}

fn add<'u>(
    party: &Party,
    connection: &mut Connection,
    group: &str,
    users: impl Iterator<Item = &'u String>,
) -> anyhow::Result<()> {
    let members: Vec<_> = users.map(|id| json!({ "value": id })).collect();
    let body = party::patch(json!([{ "op": "add", "path": "members", "value": members }]));
    let path = format!("Groups/{group}?excludedAttributes=members");
    party.ask(connection, ("PATCH", &path), Some(&body), 200)?;
    Ok(())
}

fn one_large_group(party: &Party, users: &[String]) -> anyhow::Result<(Latencies, Latencies)> {
    let mut connection = Connection::open(party.address)?;
    let group = group(party, &mut connection, "Everybody")?;
    let (singles, rest) = users.split_at(SINGLES.min(users.len()));
    for some in rest.chunks(MEMBERS) {
        add(party, &mut connection, &group, some.iter())?;
    }
    let mut latencies = (Vec::new(), Vec::new());
    for user in singles {
        let start = Instant::now();
        add(party, &mut connection, &group, std::iter::once(user))?;
        latencies.0.push(nanos(start.elapsed()));
        let start = Instant::now();
        let path = format!("Groups/{group}?excludedAttributes=members");
        party.ask(&mut connection, ("GET", &path), None, 200)?;
        latencies.1.push(nanos(start.elapsed()));
    }
    Ok((Latencies::new(latencies.0), Latencies::new(latencies.1)))
}

/// Over so many users by cursor, while one line creates others, and one deletes every tenth of those that are walked
/// over. Who was there all the time must be seen.
fn walked(party: &Arc<Party>, all: &[String]) -> anyhow::Result<Walk> {
    // The oldest come first.
    let mut sorted = all.to_vec();
    sorted.sort_unstable();
    sorted.truncate(WALKED);
    let (staying, going): (Vec<_>, Vec<_>) = sorted.into_iter().enumerate().partition(|(at, _)| at % 10 != 3);
    let [staying, going] = [staying, going].map(|some| some.into_iter().map(|(_, id)| id).collect::<Vec<_>>());
    let over = AtomicBool::new(false);
    let (came, went) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let start = Instant::now();
    let seen = thread::scope(|scope| {
        let coming = scope.spawn(|| -> anyhow::Result<()> {
            let mut connection = Connection::open(party.address)?;
            while !over.load(Ordering::Relaxed) {
                let number = came.fetch_add(1, Ordering::Relaxed);
                party.create(&mut connection, &format!("late{number:07}"))?;
            }
            Ok(())
        });
        let leaving = scope.spawn(|| -> anyhow::Result<()> {
            let mut connection = Connection::open(party.address)?;
            for id in going.iter().rev() {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                party.ask(&mut connection, ("DELETE", &format!("Users/{id}")), None, 204)?;
                went.fetch_add(1, Ordering::Relaxed);
            }
            Ok(())
        });
        let seen = walk(party, &staying);
        over.store(true, Ordering::Relaxed);
        for other in [coming, leaving] {
            other.join().map_err(|_| anyhow!("a line died"))??;
        }
        seen
    })?;
    party::none_is_missing(&staying, &seen)?;
    Ok(Walk { users: seen.len(), took: start.elapsed(), came: came.into_inner(), went: went.into_inner() })
}

fn walk(party: &Party, wanted: &[String]) -> anyhow::Result<HashSet<String>> {
    let mut connection = Connection::open(party.address)?;
    let last = wanted.iter().max().context("nobody to walk over")?;
    let (mut seen, mut cursor) = (HashSet::new(), String::new());
    loop {
        let path = format!("Users?attributes=userName&count=100&cursor={cursor}");
        let page = party.ask(&mut connection, ("GET", &path), None, 200)?;
        let resources = page["Resources"].as_array().map(Vec::as_slice).unwrap_or_default();
        for resource in resources {
            ensure!(seen.insert(party::id(resource)?), "a user was listed twice");
        }
        match page["nextCursor"].as_str() {
            Some(next) if !seen.contains(last) => next.clone_into(&mut cursor),
            _ => return Ok(seen),
        }
    }
}

fn on_lines(
    party: &Arc<Party>,
    lines: usize,
    work: impl Fn(&mut Connection) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..lines)
            .map(|_| {
                let work = &work;
                scope.spawn(move || work(&mut Connection::open(party.address)?))
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().map_err(|_| anyhow!("a line died"))?)
    })
}

pub fn json(growth: &Growth) -> Value {
    json!({
        "users": growth.users,
        "groups": growth.groups,
        "synced_seconds": growth.synced.as_secs_f64(),
        "resident": [growth.memory.0, growth.memory.1],
        "one_more_member": super::report::latencies_json(&growth.one_more),
        "group_without_members": super::report::latencies_json(&growth.without_members),
        "walk": {
            "users": growth.walk.users,
            "seconds": growth.walk.took.as_secs_f64(),
            "came": growth.walk.came,
            "went": growth.walk.went,
        },
    })
}
