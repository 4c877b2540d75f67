//! How the databases find rows in large tables: no statement of a request reads more than what it asks for, and the
//! janitor no more than its stretch.
//!
//! SQLite says how it would, by the text of each statement. PostgreSQL says what it did, row by row, by its
//! `auto_explain` module, first with plans for the values and then with plans for any values. `PLAN_ROWS` is the
//! number of grants; the other tables have a tenth.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../conformance/support/mod.rs"]
#[allow(dead_code, unused_imports)]
mod support;

mod fill;
mod heard;
mod requests;

use sea_orm::{ConnectionTrait as _, Statement};
use serde_json::Value;

use heard::{Heard, listen};
use support::{Database, World};

/// What one step of a plan may touch in a request. The person who has most has ten grants.
const FEW: f64 = 60.0;

/// What the janitor takes at a time, and a bit.
const STRETCH: f64 = 520.0;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_reads_only_what_is_asked_for() {
    let database = Database::sqlite();
    let world = fill::world(&database).await;
    listen();
    requests::all(&world, Heard::Sqlite, 1).await;
    world.store.system().janitor(support::at(2), support::at(0)).await.unwrap();
    let statements = heard::take(Heard::Sqlite);
    assert!(statements.len() > 80, "the requests were not heard: {}", statements.len());
    let db = database.raw().await;
    let mut complaints = Vec::new();
    for sql in statements {
        let explain = Statement::from_string(db.get_database_backend(), format!("EXPLAIN QUERY PLAN {sql}"));
        for row in db.query_all_raw(explain).await.unwrap() {
            let step: String = row.try_get_by_index(3).unwrap();
            if !narrow(&step) {
                complaints.push(format!("{step}\n    {sql}"));
            }
        }
    }
    assert!(complaints.is_empty(), "{} steps read too much:\n{}", complaints.len(), complaints.join("\n"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_reads_only_what_is_asked_for() {
    let database = Database::postgres().await;
    let world = fill::world(&database).await;
    listen();
    let mut complaints = Vec::new();
    for (round, plans) in [(1, "auto"), (2, "force_generic_plan")] {
        explain_all(&database, plans).await;
        let world = World { store: database.open().await, ..world };
        requests::all(&world, Heard::Postgres, round).await;
        let heard = heard::take(Heard::Postgres);
        assert!(heard.len() > 80, "the requests were not heard: {}", heard.len());
        complaints.extend(heard.iter().flat_map(|text| wide(text, FEW)));
        world.store.system().janitor(support::at(2), support::at(0)).await.unwrap();
        let swept = heard::take(Heard::Postgres);
        // A table of some stretches may be read faster as a whole.
        if fill::grants() >= 1_000_000 {
            let wide = swept.iter().flat_map(|text| wide(text, STRETCH));
            complaints.extend(wide.filter(|complaint| complaint.contains(" grants ")));
        }
    }
    assert!(complaints.is_empty(), "{} steps read too much:\n{}", complaints.len(), complaints.join("\n"));
}

/// Whether a step of SQLite's plan goes by more than the columns that many rows share.
fn narrow(step: &str) -> bool {
    // A connection has few issuers and one sync, an app one state, the installation few counters. What a statement has made itself
    // holds what it read.
    let few = [
        "subject_scopes",
        "sync_states",
        "provisioning_states",
        "installation",
        "SEARCH tenants ",
        "SCAN CONSTANT ROW",
    ];
    if ["SCAN changes", "SCAN free"].contains(&step)
        || few.iter().any(|name| step.contains(name))
        || step.starts_with("USE TEMP")
    {
        return true;
    }
    if let Some((_, columns)) = step.strip_prefix("SEARCH ").and_then(|step| step.split_once('(')) {
        let shared = ["tenant_id=?", "connection_id=?", "app_id=?"];
        return columns.trim_end_matches(')').split(" AND ").any(|column| !shared.contains(&column));
    }
    !step.starts_with("SCAN ")
}

/// Connections that are made from now on tell their plans.
async fn explain_all(database: &Database, plans: &str) {
    let db = database.raw().await;
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_nested_statements = on",
        "auto_explain.log_format = json",
        "auto_explain.log_level = notice",
        "client_min_messages = notice",
        &format!("plan_cache_mode = {plans}"),
    ] {
        db.execute_unprepared(&format!("ALTER DATABASE {name} SET {setting}")).await.unwrap();
    }
    db.close().await.unwrap();
}

/// The steps of a plan that touched more rows than these.
fn wide(text: &str, most: f64) -> Vec<String> {
    let plan: Value = serde_json::from_str(text).expect("auto_explain writes JSON");
    let mut found = Vec::new();
    steps(&plan["Plan"], &mut |step| {
        let number = |name: &str| step[name].as_f64().unwrap_or(0.0);
        let removed = number("Rows Removed by Filter") + number("Rows Removed by Index Recheck");
        let touched = (number("Actual Rows") + removed) * number("Actual Loops").max(1.0);
        if touched > most {
            let of = |name: &str| step[name].as_str().unwrap_or_default().to_owned();
            let (kind, table, index) = (of("Node Type"), of("Relation Name"), of("Index Name"));
            found.push(format!("{kind} {table} {index}: {touched} rows\n    {}", plan["Query Text"]));
        }
    });
    found
}

fn steps(step: &Value, each: &mut impl FnMut(&Value)) {
    each(step);
    for inner in step["Plans"].as_array().into_iter().flatten() {
        steps(inner, each);
    }
}
