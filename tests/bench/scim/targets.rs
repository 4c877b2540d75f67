//! What was promised of SCIM, beside what this run measured.

use std::time::Duration;

use crate::numbers::ratio;
use crate::targets::{Target, megabytes, milliseconds};

use super::{Contest, Growth, ScimRun};

pub fn of(run: &ScimRun) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut add = |what: String, wanted: &str, measured: String, reached: bool| {
        targets.push(Target { database: run.database.name(), what, wanted: wanted.to_owned(), measured, reached });
    };
    for Contest { ask, loads: [ours, one, other], floor } in &run.contests {
        let what = format!("SCIM {} / the better of scim2-server and SCIMMY", ask.name());
        if let Some(floor) = floor {
            let times = ours.rate() / one.rate().max(other.rate());
            add(format!("{what}, by rate"), ">= 3.00", format!("{times:.2}"), times >= 3.0);
            let share = ours.rate() / floor.rate;
            let what = format!("SCIM {} / the same rows committed by the database alone", ask.name());
            add(what, ">= 50%", format!("{:.0}%", share * 100.0), share >= 0.5);
        } else {
            let best = one.cpu_each().product().min(other.cpu_each().product());
            let times = ratio(best, ours.cpu_each().product());
            add(format!("{what}, by CPU"), ">= 10.00", format!("{times:.2}"), times >= 10.0);
        }
    }
    if let Some(growth) = &run.growth {
        of_growth(growth, &mut add);
    }
    targets
}

fn of_growth(growth: &Growth, add: &mut impl FnMut(String, &str, String, bool)) {
    let Growth { users, synced, memory, .. } = growth;
    let reached = *synced < Duration::from_secs(600);
    add(format!("first sync of {users} users"), "< 600 s", format!("{:.0} s", synced.as_secs_f64()), reached);
    let more = memory.1.saturating_sub(memory.0);
    add(format!("memory that a sync of {users} users leaves"), "< 64 MB more", megabytes(more), more < 64_000_000);
    for (what, latencies) in [
        ("one member more of a group with everybody, p99", &growth.one_more),
        ("a group with everybody, read without members, p99", &growth.without_members),
    ] {
        let p99 = latencies.p99();
        add(what.to_owned(), "< 50 ms", milliseconds(p99), p99 < Duration::from_millis(50));
    }
}
