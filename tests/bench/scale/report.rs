//! The tables and the JSON.

use serde_json::{Value, json};

use super::{Cost, ROUNDS, Scale};
use crate::numbers::{median, micros};
use crate::targets::{megabytes, milliseconds};

pub fn print(scale: &Scale) {
    println!("\n=== {}, small and large", scale.database.name());
    println!(
        "CPU us and p50 us of one request (medians of {ROUNDS} rounds), and how the large one compares in each round"
    );
    print!("  {:<20}{:>28}", "", scale.sizes[0].size.name());
    scale.sizes[1..].iter().for_each(|large| print!("{:>40}", large.size.name()));
    println!();
    for (endpoint, costs) in &scale.costs {
        print!("  {:<20}{:>14.1} us {:>8.0} us", endpoint.name(), cpu(&costs[0]), p50(&costs[0]));
        for at in 1..scale.sizes.len() {
            let growth = Scale::growth(costs, at);
            let (cpu, p50) = (cpu(&costs[at]), p50(&costs[at]));
            print!("{cpu:>14.1} us{:>6.2} {p50:>8.0} us{:>6.2}", growth.cpu, growth.p50);
        }
        println!();
    }
    for installation in &scale.sizes {
        println!(
            "  {}: filled in {:.1} s, exec to ready {}, resident memory idle {}, at the end {}",
            installation.size.name(),
            installation.filled_in.as_secs_f64(),
            milliseconds(installation.ready_after),
            megabytes(installation.idle.resident),
            megabytes(installation.at_the_end.resident),
        );
    }
}

fn cpu(rounds: &[Cost]) -> f64 {
    median(rounds.iter().map(|cost| micros(cost.cpu)).collect())
}

fn p50(rounds: &[Cost]) -> f64 {
    median(rounds.iter().map(|cost| micros(cost.p50)).collect())
}

/// Times in microseconds, memory in octets.
pub fn json(scale: &Scale) -> Value {
    let sizes = scale.sizes.iter().enumerate().map(|(at, installation)| {
        let endpoints = scale.costs.iter().map(|(endpoint, costs)| {
            let growth = (at > 0).then(|| Scale::growth(costs, at));
            let cost = json!({
                "cpu": cpu(&costs[at]),
                "p50": p50(&costs[at]),
                "cpu_to_small": growth.map(|growth| growth.cpu),
                "p50_to_small": growth.map(|growth| growth.p50),
            });
            (endpoint.name().to_owned(), cost)
        });
        json!({
            "size": installation.size.name(),
            "filled_in": micros(installation.filled_in),
            "ready_after": micros(installation.ready_after),
            "memory_idle": installation.idle.resident,
            "memory_at_the_end": installation.at_the_end.resident,
            "endpoints": endpoints.collect::<serde_json::Map<_, _>>(),
        })
    });
    json!({ "database": scale.database.name(), "rounds": ROUNDS, "sizes": sizes.collect::<Vec<_>>() })
}
