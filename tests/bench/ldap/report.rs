//! The tables and the JSON of LDAP.

use serde_json::{Value, json};

use crate::numbers::{Latencies, micros};
use crate::targets::megabytes;

use super::{Contest, LdapRun, Side};

pub fn print(run: &LdapRun) {
    println!("\n=== LDAP, in clear on loopback, both in turns; the load's own CPU is on the same cores");
    for sized in &run.sizes {
        println!(
            "\n{} people: filled from slapd in {:.1} s, {} resident",
            sized.people,
            sized.filled.as_secs_f64(),
            megabytes(sized.resident)
        );
        head("slapd");
        for (connections, contest) in &sized.searches {
            line(&format!("search by uid, {connections} connections"), contest);
        }
    }
    println!("\nthrough a proxy, with slapd behind; nothing is remembered");
    head("back-ldap");
    line("bind", &run.binds);
    line("login: app binds, finds, person binds", &run.logins);
    for (name, contest) in [("bind", &run.binds), ("login", &run.logins)] {
        if let Some((ours, theirs)) = contest.behind {
            println!(
                "  binds at the slapd behind for each {name}: {ours:.2} through us, {theirs:.2} through back-ldap"
            );
        }
    }
    println!(
        "  an app's own bind at 500/s: p50 {:.0} us, p99 {:.0} us",
        micros(run.app_binds.p50()),
        micros(run.app_binds.p99())
    );
}

fn head(other: &str) {
    println!("{:<42}{:>10} {other:>10}  ratio   CPU us {other:>10}   p99 us {other:>10}", "", "ours /s");
}

fn line(what: &str, contest: &Contest) {
    let (ours, theirs) = (&contest.ours, &contest.theirs);
    println!(
        "  {what:<40}{:>10.0} {:>10.0} {:>6.2} {:>8.1} {:>10.1} {:>8.0} {:>10.0}",
        ours.rate,
        theirs.rate,
        contest.ratio(),
        micros(ours.cpu),
        micros(theirs.cpu),
        micros(ours.latencies.p99()),
        micros(theirs.latencies.p99()),
    );
}

pub fn json(run: &LdapRun) -> Value {
    let sizes = run.sizes.iter().map(|sized| {
        let searches = sized
            .searches
            .iter()
            .map(|(connections, contest)| json!({ "connections": connections, "contest": contest_json(contest) }));
        json!({
            "people": sized.people,
            "filled_seconds": sized.filled.as_secs_f64(),
            "resident": sized.resident,
            "searches": searches.collect::<Vec<_>>(),
        })
    });
    json!({
        "sizes": sizes.collect::<Vec<_>>(),
        "binds": contest_json(&run.binds),
        "logins": contest_json(&run.logins),
        "app_binds": latencies_json(&run.app_binds),
    })
}

fn contest_json(contest: &Contest) -> Value {
    json!({
        "ours": side_json(&contest.ours),
        "theirs": side_json(&contest.theirs),
        "ratio": contest.ratio(),
        "binds_behind": contest.behind,
    })
}

fn side_json(side: &Side) -> Value {
    json!({
        "rate": side.rate,
        "rates": side.rates,
        "cpu_each": micros(side.cpu),
        "latency": latencies_json(&side.latencies),
    })
}

fn latencies_json(latencies: &Latencies) -> Value {
    json!({ "p50": micros(latencies.p50()), "p99": micros(latencies.p99()) })
}
