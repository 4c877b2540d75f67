//! What was promised of LDAP, beside what this run measured.

use std::time::Duration;

use crate::targets::{Target, megabytes, milliseconds};

use super::LdapRun;

pub fn of(run: &LdapRun) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what: String, wanted: &str, measured: String, reached: bool| {
        targets.push(Target { database: "LDAP", what, wanted: wanted.to_owned(), measured, reached });
    };
    let most = run.sizes.iter().map(|sized| sized.people).max();
    for sized in &run.sizes {
        for (connections, contest) in &sized.searches {
            let ratio = contest.ratio();
            let what = format!("searches by uid / slapd's, {} people, {connections} connections", sized.people);
            add(what, ">= 1.00", format!("{ratio:.2}"), ratio >= 1.0);
        }
        if Some(sized.people) == most {
            for (connections, contest) in &sized.searches {
                let p99 = contest.ours.latencies.p99();
                let what = format!("search p99, {} people, {connections} connections", sized.people);
                add(what, "< 5 ms", milliseconds(p99), p99 < Duration::from_millis(5));
            }
            let what = format!("resident memory, {} people", sized.people);
            add(what, "< 512 MB", megabytes(sized.resident), sized.resident < 512_000_000);
        }
    }
    for (name, contest) in [("binds", &run.binds), ("whole logins", &run.logins)] {
        let ratio = contest.ratio();
        add(format!("{name} through us / through back-ldap"), ">= 3.00", format!("{ratio:.2}"), ratio >= 3.0);
    }
    let p99 = run.app_binds.p99();
    add("bind p99 without an upstream, 500/s".into(), "< 50 ms", milliseconds(p99), p99 < Duration::from_millis(50));
    targets
}
