//! The tables and the JSON.

use std::time::Duration;

use serde_json::{Value, json};

use crate::chain::STEPS;
use crate::floor::{Cost, Crypto};
use crate::ldap::{self, LdapRun};
use crate::load::Load;
use crate::numbers::{Latencies, micros, ratio};
use crate::op::Source;
use crate::options::Options;
use crate::run::{Logins, Run};
use crate::scale::{self, Scale};
use crate::scim::{self, ScimRun};
use crate::sso::Asks;
use crate::stalled::BROWSERS;
use crate::targets::{Target, busy_floor, floor, megabytes, milliseconds, own_cpu, sso_floor, to_floor};
use crate::upstream::Variety;

pub fn print_machine(options: &Options) {
    println!("fedbridge bench: {} cores, loopback, load and server on the same cores", cores());
    println!(
        "{} logins on each database, {} at a time; {} connections and {} s for each kind of request",
        options.logins,
        options.flows,
        options.connections,
        options.lasting.as_secs()
    );
    println!("CPU is that of the server and the database's processes; the load's own is told apart");
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

pub fn print_run(run: &Run) {
    println!("\n=== {}", run.database.name());
    print_floor(run);
    print_logins(run);
    print_oidc(run);
    print_sso(run);
    print_requests(run);
    print_rest(run);
}

fn print_floor(run: &Run) {
    let floor = &run.floor;
    println!("\nfloor                                     CPU us, alone   every core busy   wall us, alone");
    let line = |what: String, of: fn(&Crypto) -> Cost| {
        let (alone, busy) = (of(&floor.alone), of(&floor.busy));
        println!("  {what:<44}{:>9.1} {:>17.1} {:>16.1}", micros(alone.cpu), micros(busy.cpu), micros(alone.wall));
    };
    line(format!("verify the Response of a login ({} octets)", floor.response), |crypto| crypto.verify);
    line(format!("verify one with 500 attributes ({})", floor.response_500), |crypto| crypto.verify_500);
    line(format!("verify one of 100 KB ({})", floor.response_100k), |crypto| crypto.verify_100k);
    line("RSA-2048 signature".into(), |crypto| crypto.rsa_sign);
    line("checking one".into(), |crypto| crypto.rsa_verify);
    line("unwrapping a content key, RSA-2048 OAEP".into(), |crypto| crypto.unwrap);
    line("decrypting a login's assertion with it".into(), |crypto| crypto.decrypt);
    line("ES256 signature (a login has two)".into(), |crypto| crypto.es256);
    line("hashes of a login".into(), |crypto| crypto.hashes);
    let commit = floor.commit;
    println!("  {:<44}{:>9.1} {:>17} {:>16.1}", "one durable commit", micros(commit.cpu), "", micros(commit.wall));
}

fn print_logins(run: &Run) {
    println!(
        "\ncomplete logins         /s   CPU us  server  database   floor  ratio  own us  to busy floor   p50 ms   p99 ms   load us"
    );
    for logins in &run.logins {
        let (load, cpu) = (&logins.load, logins.load.cpu_each());
        println!(
            "  {:<17}{:>8.1} {:>8.0} {:>7.0} {:>9.0} {:>7.0} {:>6.2} {:>7.0} {:>14.2} {:>8.2} {:>8.2} {:>9.0}",
            logins.variety.name(),
            load.rate(),
            micros(cpu.product()),
            micros(cpu.server),
            micros(cpu.database),
            micros(floor(run, logins)),
            to_floor(run, logins),
            micros(own_cpu(run, logins)),
            ratio(cpu.product(), busy_floor(run, logins)),
            millis(load.latencies.p50()),
            millis(load.latencies.p99()),
            micros(cpu.load),
        );
    }
    for logins in &run.logins {
        println!("  {:<9} p50 / p99 ms of each request: {}", logins.variety.slug(), print_steps(&logins.steps));
    }
}

fn print_oidc(run: &Run) {
    println!(
        "\nby an OpenID provider    /s   CPU us  server  database   floor  ratio  own us   p50 ms   p99 ms   load us   (the provider's CPU is the load's)"
    );
    for (source, load, _) in &run.oidc.logins {
        let (cpu, floor) = (load.cpu_each(), run.oidc.floor.login(*source));
        println!(
            "  {:<17}{:>8.1} {:>8.0} {:>7.0} {:>9.0} {:>7.0} {:>6.2} {:>7.0} {:>8.2} {:>8.2} {:>9.0}",
            source.name(),
            load.rate(),
            micros(cpu.product()),
            micros(cpu.server),
            micros(cpu.database),
            micros(floor),
            ratio(cpu.product(), floor),
            micros(cpu.product().saturating_sub(floor)),
            millis(load.latencies.p50()),
            millis(load.latencies.p99()),
            micros(cpu.load),
        );
    }
    for (source, _, steps) in &run.oidc.logins {
        println!("  {:<11} p50 / p99 ms of each request: {}", source.slug(), print_steps(steps));
    }
    let floor = run.oidc.floor;
    println!(
        "  floor, in turns with the logins, CPU us: checking an RSA-2048 signature {:.1}, ES256 signature {:.1} (two), \
         hashes {:.1}, one durable commit {:.1}, one HTTP call {:.1}",
        micros(floor.verify.cpu),
        micros(floor.es256.cpu),
        micros(floor.hashes.cpu),
        micros(floor.commit.cpu),
        micros(floor.call.cpu),
    );
    let stalled = &run.stalled;
    println!("logins of one tenant at {:.0}/s, while the provider of another one stalls", stalled.rate);
    for (when, load) in [("before", &stalled.before), ("meanwhile", &stalled.during)] {
        println!(
            "  {when:<17}{:>8.1}/s, p50 {}, p99 {}, of {} logins",
            load.rate(),
            milliseconds(load.latencies.p50()),
            milliseconds(load.latencies.p99()),
            load.latencies.count(),
        );
    }
    println!(
        "  {BROWSERS} browsers called back {} times, {} of them waited at once; {} calls to the provider had no answer",
        stalled.called_back, stalled.waiting, stalled.held
    );
}

fn print_steps(steps: &[Latencies; 4]) -> String {
    let steps = STEPS
        .iter()
        .zip(steps)
        .map(|(name, step)| format!("{name} {:.2} / {:.2}", millis(step.p50()), millis(step.p99())));
    steps.collect::<Vec<_>>().join(", ")
}

fn print_sso(run: &Run) {
    println!(
        "\nsingle sign-on          /s   CPU us  server  database   floor  ratio   p50 ms   p99 ms   load us   (RSA signatures on response and assertion)"
    );
    for (asks, load) in &run.sso {
        let cpu = load.cpu_each();
        let floor = sso_floor(run, *asks);
        println!(
            "  {:<17}{:>8.1} {:>8.0} {:>7.0} {:>9.0} {:>7.0} {:>6.2} {:>8.2} {:>8.2} {:>9.0}",
            asks.name(),
            load.rate(),
            micros(cpu.product()),
            micros(cpu.server),
            micros(cpu.database),
            micros(floor),
            ratio(cpu.product(), floor),
            millis(load.latencies.p50()),
            millis(load.latencies.p99()),
            micros(cpu.load),
        );
    }
}

fn print_requests(run: &Run) {
    println!("\nrequests, closed loop       /s   CPU us  server  database   p50 us   p99 us   load us");
    for (kind, load) in &run.requests {
        print_request(kind.name(), load);
    }
    println!("at half of that rate");
    for (kind, wanted, load) in &run.half_load {
        print_request(kind.name(), load);
        if load.rate() < 0.95 * wanted {
            println!("    the load could not keep up: {wanted:.0} /s were wanted");
        }
    }
    for (kind, load) in run.requests.iter().take(1) {
        let es256 = run.floor.alone.es256;
        println!(
            "  {} / raw ES256: {:.0}% by CPU ({:.1} us to {:.1} us), {:.0}% by rate ({:.0}/s to {:.0}/s on one core)",
            kind.name(),
            100.0 * ratio(es256.cpu, load.cpu_each().product()),
            micros(es256.cpu),
            micros(load.cpu_each().product()),
            100.0 * load.rate() * es256.wall.as_secs_f64(),
            load.rate(),
            1.0 / es256.wall.as_secs_f64(),
        );
    }
}

fn print_request(name: &str, load: &Load) {
    let cpu = load.cpu_each();
    println!(
        "  {name:<20}{:>9.0} {:>8.1} {:>7.1} {:>9.1} {:>8.0} {:>8.0} {:>9.1}",
        load.rate(),
        micros(cpu.product()),
        micros(cpu.server),
        micros(cpu.database),
        micros(load.latencies.p50()),
        micros(load.latencies.p99()),
        micros(cpu.load),
    );
}

fn print_rest(run: &Run) {
    let memory = &run.memory;
    println!();
    for (kind, large) in &run.large {
        println!(
            "{}: ACS p50 {}, p99 {}; the whole login takes {} of CPU",
            kind.name(),
            milliseconds(large.acs.p50()),
            milliseconds(large.acs.p99()),
            milliseconds(large.load.cpu_each().product()),
        );
    }
    println!(
        "resident memory: idle {} (fresh store) and {} (this store), after {} logins {}, at the end {} (peak {})",
        megabytes(memory.idle.resident),
        megabytes(memory.restarted.resident),
        memory.logins,
        megabytes(memory.after_logins.resident),
        megabytes(memory.at_the_end.resident),
        megabytes(memory.at_the_end.peak),
    );
    let starts: Vec<_> = run.starts.iter().map(|start| format!("{:.0}", millis(*start))).collect();
    println!("exec to ready on this store, ms: {}", starts.join(" "));
}

pub fn print_targets(targets: &[Target]) {
    println!("\n=== targets");
    for target in targets {
        let verdict = if target.reached { "reached" } else { "NOT REACHED" };
        println!(
            "  {:<11}{:<66}{:>10}  {:>10}  {verdict}",
            target.database, target.what, target.wanted, target.measured
        );
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

// ---- JSON: times in microseconds, memory in octets ----

/// What was measured: logins, small and large, LDAP, SCIM.
type Runs<'r> = (&'r [Run], &'r [Scale], Option<&'r LdapRun>, &'r [ScimRun]);

pub fn json(options: &Options, (runs, scales, ldap, scims): Runs<'_>, targets: &[Target]) -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "units": { "time": "microseconds", "memory": "octets" },
        "options": {
            "logins": options.logins,
            "flows": options.flows,
            "connections": options.connections,
            "seconds": options.lasting.as_secs(),
            "cores": cores(),
        },
        "runs": runs.iter().map(run_json).collect::<Vec<_>>(),
        "small_and_large": scales.iter().map(scale::json).collect::<Vec<_>>(),
        "ldap": ldap.map(ldap::json),
        "scim": scims.iter().map(scim::json).collect::<Vec<_>>(),
        "targets": targets.iter().map(|target| json!({
            "database": target.database,
            "what": target.what,
            "wanted": target.wanted,
            "measured": target.measured,
            "reached": target.reached,
        })).collect::<Vec<_>>(),
    })
}

fn run_json(run: &Run) -> Value {
    let floor = &run.floor;
    let half_load = run.half_load.iter().map(|(kind, wanted, load)| {
        let mut value = load_json(load);
        value["wanted_rate"] = json!(wanted);
        (kind.name().to_owned(), value)
    });
    json!({
        "database": run.database.name(),
        "floor": { "alone": crypto_json(&floor.alone), "busy": crypto_json(&floor.busy), "commit": cost_json(floor.commit) },
        "logins": run.logins.iter().map(|logins| logins_json(run, logins)).collect::<Vec<_>>(),
        "oidc_logins": run.oidc.logins.iter().map(|(source, load, steps)| oidc_json(run, *source, load, steps)).collect::<Vec<_>>(),
        "stalled": {
            "rate": run.stalled.rate,
            "before": load_json(&run.stalled.before),
            "during": load_json(&run.stalled.during),
            "called_back": run.stalled.called_back,
            "waiting": run.stalled.waiting,
            "held": run.stalled.held,
        },
        "requests": run.requests.iter().map(|(kind, load)| (kind.name().to_owned(), load_json(load)))
            .collect::<serde_json::Map<_, _>>(),
        "half_load": half_load.collect::<serde_json::Map<_, _>>(),
        "single_sign_on": run.sso.iter().map(|(asks, load)| sso_json(run, *asks, load)).collect::<Vec<_>>(),
        "large_responses": run.large.iter().map(|(kind, large)| {
            (kind.name().to_owned(), json!({ "login": load_json(&large.load), "acs": latencies_json(&large.acs) }))
        }).collect::<serde_json::Map<_, _>>(),
        "memory": {
            "idle": run.memory.idle.resident,
            "logins": run.memory.logins,
            "after_logins": run.memory.after_logins.resident,
            "at_the_end": run.memory.at_the_end.resident,
            "peak": run.memory.at_the_end.peak,
            "restarted": run.memory.restarted.resident,
        },
        "starts": run.starts.iter().map(|start| micros(*start)).collect::<Vec<_>>(),
    })
}

fn steps_json(steps: &[Latencies; 4]) -> Value {
    let steps = STEPS.iter().zip(steps).map(|(name, step)| ((*name).to_owned(), latencies_json(step)));
    Value::Object(steps.collect())
}

fn oidc_json(run: &Run, source: Source, load: &Load, steps: &[Latencies; 4]) -> Value {
    let floor = run.oidc.floor.login(source);
    json!({
        "userinfo": source == Source::Userinfo,
        "load": load_json(load),
        "steps": steps_json(steps),
        "floor_cpu": micros(floor),
        "cpu_to_floor": ratio(load.cpu_each().product(), floor),
        "own_cpu": micros(load.cpu_each().product().saturating_sub(floor)),
    })
}

fn logins_json(run: &Run, logins: &Logins) -> Value {
    json!({
        "requests_signed": logins.variety == Variety::Signed,
        "assertions_encrypted": logins.variety == Variety::Encrypted,
        "load": load_json(&logins.load),
        "steps": steps_json(&logins.steps),
        "floor_cpu": micros(floor(run, logins)),
        "cpu_to_floor": to_floor(run, logins),
        "busy_floor_cpu": micros(busy_floor(run, logins)),
        "own_cpu": micros(own_cpu(run, logins)),
    })
}

fn sso_json(run: &Run, asks: Asks, load: &Load) -> Value {
    let floor = sso_floor(run, asks);
    json!({
        "requests_signed": asks == Asks::Signed,
        "load": load_json(load),
        "floor_cpu": micros(floor),
        "cpu_to_floor": ratio(load.cpu_each().product(), floor),
    })
}

fn load_json(load: &Load) -> Value {
    let cpu = load.cpu_each();
    json!({
        "count": load.latencies.count(),
        "seconds": load.wall.as_secs_f64(),
        "rate": load.rate(),
        "latency": latencies_json(&load.latencies),
        "cpu_each": {
            "product": micros(cpu.product()),
            "server": micros(cpu.server),
            "database": micros(cpu.database),
            "load": micros(cpu.load),
        },
    })
}

fn latencies_json(latencies: &Latencies) -> Value {
    json!({ "p50": micros(latencies.p50()), "p99": micros(latencies.p99()) })
}

fn crypto_json(crypto: &Crypto) -> Value {
    json!({
        "verify": cost_json(crypto.verify),
        "verify_500_attributes": cost_json(crypto.verify_500),
        "verify_100_kb": cost_json(crypto.verify_100k),
        "rsa_sign": cost_json(crypto.rsa_sign),
        "rsa_verify": cost_json(crypto.rsa_verify),
        "rsa_oaep_unwrap": cost_json(crypto.unwrap),
        "content_decryption": cost_json(crypto.decrypt),
        "es256_sign": cost_json(crypto.es256),
        "hashes": cost_json(crypto.hashes),
    })
}

fn cost_json(cost: Cost) -> Value {
    json!({ "cpu": micros(cost.cpu), "wall": micros(cost.wall) })
}
