//! Two servers that hold the same people, and one of them hangs, comes back, and dies.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::bridge::Setup;
use crate::support::browser::Browser;
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::web;
use crate::support::scripted::{App, REDIRECT};
use crate::support::{Scratch, eventually};

/// So few that a machine of which others take a part still answers each of them soon: a directory that is slow because the
/// machine is looks like one that hangs.
const WORKERS: usize = 4;
const BEFORE: Duration = Duration::from_secs(2);
const AFTER: Duration = Duration::from_secs(8);

/// In which logins must come to their end again.
const BACK: Duration = Duration::from_secs(2);

const TRIES: usize = 5;

/// What logins of some people at once came to.
struct Load {
    all: usize,
    failed: usize,
    /// The longest time in which none succeeded.
    gap: Duration,
    /// The longest login.
    longest: Duration,
}

/// Logs people in, and has something happen meanwhile.
async fn load(app: &App, what: &str, happens: impl FnOnce()) -> Load {
    let over = Arc::new(AtomicBool::new(false));
    let workers: Vec<_> = (0..WORKERS)
        .map(|number| {
            let (app, over) = (app.clone(), Arc::clone(&over));
            tokio::spawn(async move {
                let name = if number % 2 == 0 { "alice" } else { "bob" };
                let mut tries = Vec::new();
                while !over.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let answer = web::log_in(&mut Browser::new(), &app, name, &format!("{name}-password")).await;
                    let good = answer.location.as_deref().is_some_and(|location| location.starts_with(REDIRECT));
                    tries.push((start, Instant::now(), good));
                }
                tries
            })
        })
        .collect();
    tokio::time::sleep(BEFORE).await;
    tokio::task::block_in_place(happens);
    tokio::time::sleep(AFTER).await;
    over.store(true, Ordering::Relaxed);
    let mut tries = Vec::new();
    for worker in workers {
        tries.extend(worker.await.unwrap());
    }
    let mut ends: Vec<_> = tries.iter().filter(|(_, _, good)| *good).map(|(_, end, _)| *end).collect();
    ends.sort();
    let gap = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(Duration::MAX);
    let failed = tries.iter().filter(|(_, _, good)| !good).count();
    let longest = tries.iter().map(|(start, end, _)| *end - *start).max().unwrap_or_default();
    eprintln!("{what}: {} logins, {failed} failed, none for {gap:?}, the longest took {longest:?}", tries.len());
    Load { all: tries.len(), failed, gap, longest }
}

impl Load {
    /// Under one failure in a hundred, and hardly a break.
    fn is_hardly_noticed(&self, control: &Self) -> Result<(), String> {
        let rules = [
            (self.all >= 50, "these are no load"),
            (self.failed * 100 < self.all, "one in a hundred failed"),
            (self.gap < BACK, "nobody could log in for too long"),
            (self.longest < BACK + control.longest, "somebody waited for too long"),
        ];
        rules.iter().find(|(holds, _)| !holds).map_or(Ok(()), |(_, why)| Err((*why).to_owned()))
    }
}

/// Sends a signal to slapd itself.
fn signal(server: &OpenLdap, name: &str) {
    let pid = std::fs::read_to_string(server.peer.dir.join("slapd.pid")).unwrap();
    assert!(Command::new("kill").args([name, pid.trim()]).status().unwrap().success());
}

/// A busy machine can make logins fail without our help, which the control shows: then it is tried again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_server_takes_over() {
    for _ in 0..TRIES {
        match takes_over().await {
            Ok(()) => return,
            Err(why) => eprintln!("{why}; it is tried again"),
        }
    }
    panic!("{TRIES} tries failed");
}

async fn takes_over() -> Result<(), String> {
    let scratch = Scratch::new("failover");
    let mut first = OpenLdap::start(&scratch.path().join("first"), &[]);
    let second = OpenLdap::start(&scratch.path().join("second"), &[]);
    let setup = Setup::sqlite(scratch.path());
    let file = format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
    connections:
{}{}",
        OpenLdap::connection_of(&[&first, &second], "corp", ""),
        client()
    );
    setup.apply(&scratch, &file);
    let bridge = setup.serve(&scratch).await;
    let app = App::of(&bridge);
    let before = second.counted("Bind");
    for name in ["alice", "bob", "alice"] {
        web::identity(&app, name, &format!("{name}-password")).await;
    }
    // The count's own.
    if second.counted("Bind") - before != 1 {
        return Err("the second server is asked while the first lives".to_owned());
    }

    let control = load(&app, "control", || ()).await;

    let hung = load(&app, "one hangs", || signal(&first, "-STOP")).await;
    hung.is_hardly_noticed(&control)?;
    assert!(second.counted("Bind") > before + 10, "the second server was not asked");

    signal(&first, "-CONT");
    let seen = first.counted("Bind");
    eventually("the first server is asked again", async || {
        web::identity(&app, "alice", "alice-password").await;
        // Each count is a bind too.
        (first.counted("Bind") > seen + 5).then_some(())
    })
    .await;

    let killed = load(&app, "one is killed", || {
        signal(&first, "-KILL");
        first.peer.die();
    })
    .await;
    killed.is_hardly_noticed(&control)
}
