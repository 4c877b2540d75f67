//! The tables and the JSON of SCIM.

use serde_json::{Value, json};

use crate::load::Load;
use crate::numbers::{Latencies, micros};
use crate::targets::megabytes;

use super::{Contest, Growth, ScimRun, growth};

pub fn print(run: &ScimRun) {
    println!(
        "\n=== SCIM on {}, beside two servers that keep all in memory; the load's own CPU is on the same cores",
        run.database.name()
    );
    println!("{:<12}{:>12} {:>14} {:>10}   CPU us {:>14} {:>10}", "", "ours /s", "scim2-server", "SCIMMY", "", "");
    for Contest { ask, loads, floor } in &run.contests {
        let [ours, one, other] = loads;
        let cpu = |load: &Load| micros(load.cpu_each().product());
        println!(
            "  {:<10}{:>12.0} {:>14.0} {:>10.0} {:>8.1} {:>14.1} {:>10.1}",
            ask.name(),
            ours.rate(),
            one.rate(),
            other.rate(),
            cpu(ours),
            cpu(one),
            cpu(other),
        );
        if let Some(floor) = floor {
            println!(
                "    the database alone commits {:.0} such writes a second ({:.1} rows of {} octets), all that wait at once",
                floor.rate, floor.rows, floor.octets
            );
        }
    }
    if let Some(growth) = &run.growth {
        print_growth(growth);
    }
}

fn print_growth(growth: &Growth) {
    println!(
        "  first sync of {} users and {} groups: {:.0} s; resident {} at a tenth, {} with all",
        growth.users,
        growth.groups,
        growth.synced.as_secs_f64(),
        megabytes(growth.memory.0),
        megabytes(growth.memory.1),
    );
    for (what, latencies) in [("one member more", &growth.one_more), ("read without members", &growth.without_members)]
    {
        println!(
            "  a group with everybody, {what}: p50 {:.0} us, p99 {:.0} us",
            micros(latencies.p50()),
            micros(latencies.p99())
        );
    }
    let walk = &growth.walk;
    println!(
        "  a walk over {} users in {:.1} s, while {} came and {} went: nobody was skipped",
        walk.users,
        walk.took.as_secs_f64(),
        walk.came,
        walk.went
    );
}

pub fn json(run: &ScimRun) -> Value {
    let contests = run.contests.iter().map(|Contest { ask, loads: [ours, one, other], floor }| {
        json!({
            "ask": ask.name(),
            "ours": load_json(ours),
            "scim2_server": load_json(one),
            "scimmy": load_json(other),
            "database_alone": floor.map(|floor| json!({
                "rate": floor.rate,
                "rows": floor.rows,
                "octets": floor.octets,
            })),
        })
    });
    json!({
        "database": run.database.name(),
        "contests": contests.collect::<Vec<_>>(),
        "growth": run.growth.as_ref().map(growth::json),
    })
}

fn load_json(load: &Load) -> Value {
    let cpu = load.cpu_each();
    json!({
        "rate": load.rate(),
        "cpu_each": micros(cpu.server),
        "database_cpu_each": micros(cpu.database),
        "latency": latencies_json(&load.latencies),
    })
}

pub fn latencies_json(latencies: &Latencies) -> Value {
    json!({ "p50": micros(latencies.p50()), "p99": micros(latencies.p99()) })
}
