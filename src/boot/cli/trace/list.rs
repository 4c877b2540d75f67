//! `trace list`

use clap::builder::PossibleValuesParser;
use fedbridge_contract::text::nearest;
use fedbridge_hub::ports::{ConfigStore as _, TRACE_KINDS, TraceFilter, TraceStore as _, TraceSummary};
use fedbridge_hub::spec::Configuration;
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::cli::output::{escaped, print, table};
use crate::foundation::Foundation;

use super::{OUTCOMES, moment, outcome_word, safe, tenant_name};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Of this tenant
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
    /// By this connection
    #[arg(long, value_name = "SLUG")]
    connection: Option<String>,
    /// For this app: a client_id, or the slug of a service provider
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// Part of the person's name at the upstream
    #[arg(long, value_name = "TEXT")]
    person: Option<String>,
    /// Of this kind
    #[arg(long, value_name = "KIND", value_parser = PossibleValuesParser::new(TRACE_KINDS))]
    kind: Option<String>,
    /// success, refused or error
    #[arg(long, value_name = "RESULT")]
    result: Option<String>,
    /// Not before: a time, a date, or how long ago, for example 2h
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Not after: as --since
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(foundation: &Foundation, args: Args) -> Result<(), CliError> {
    let configuration = foundation.system.load().await?;
    let json = args.json;
    let filter = filter(args, &configuration, foundation.clock.now())?;
    let found = foundation.system.list(&filter).await?;
    print(&if json { as_json(&found, &configuration) } else { as_table(&found, &configuration) })
}

/// Reads the filters; everything that is wrong with them comes at once.
fn filter(
    args: Args,
    configuration: &Configuration,
    now: fedbridge_contract::time::Timestamp,
) -> Result<TraceFilter, CliError> {
    let mut wrong = Vec::new();
    let mut time = |flag: &str, text: Option<String>| {
        let text = text?;
        let at = moment(&text, now);
        if at.is_none() {
            wrong.push(format!("--{flag}: `{text}` is not a time; write 2026-01-31T08:00:00Z, 2026-01-31, or 2h"));
        }
        at
    };
    let (since, until) = (time("since", args.since), time("until", args.until));
    let outcome = args.result.and_then(|text| {
        let known = OUTCOMES.iter().find(|(word, _)| *word == text).map(|(_, outcome)| *outcome);
        if known.is_none() {
            wrong.push(format!("--result: `{text}` is not a result; write success, refused or error"));
        }
        known
    });
    let tenant = args.tenant.and_then(|slug| {
        let slugs = || configuration.tenants.values().map(|tenant| tenant.tenant.spec.slug.as_str());
        let found = configuration.tenants.values().find(|tenant| tenant.tenant.spec.slug == slug);
        if found.is_none() {
            let hint = nearest(&slug, slugs()).map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
            wrong.push(format!("--tenant: there is no tenant `{slug}`{hint}"));
        }
        found.map(|tenant| tenant.tenant.id)
    });
    if !wrong.is_empty() {
        return Err(CliError::refused("the filters can't be used", wrong));
    }
    let (kind, connection, app, person, limit) = (args.kind, args.connection, args.client, args.person, args.limit);
    Ok(TraceFilter { tenant, kind, connection, app, person, outcome, since, until, limit })
}

fn as_table(found: &[TraceSummary], configuration: &Configuration) -> String {
    if found.is_empty() {
        return "nothing that was recorded matches\n".to_owned();
    }
    let text = |value: &Option<String>| value.as_deref().map_or_else(|| "-".to_owned(), safe);
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|trace| {
            vec![
                trace.at.rfc3339_seconds(),
                trace.id.to_string(),
                outcome_word(trace.outcome).to_owned(),
                trace.kind.clone(),
                tenant_name(configuration, trace.tenant),
                text(&trace.connection),
                text(&trace.app),
                text(&trace.person),
                safe(&trace.cause),
            ]
        })
        .collect();
    table(&["TIME", "TRACE", "RESULT", "KIND", "TENANT", "CONNECTION", "CLIENT", "PERSON", "CAUSE"], &rows)
}

fn as_json(found: &[TraceSummary], configuration: &Configuration) -> String {
    let list: Value = found.iter().map(|trace| summary_json(trace, configuration)).collect();
    escaped(&format!("{list:#}\n"))
}

/// A trace without its steps.
pub fn summary_json(trace: &TraceSummary, configuration: &Configuration) -> Value {
    json!({
        "id": trace.id.to_string(),
        "at": trace.at.rfc3339(),
        "kind": trace.kind,
        "result": outcome_word(trace.outcome),
        "tenant": tenant_name(configuration, trace.tenant),
        "connection": trace.connection,
        "client": trace.app,
        "person": trace.person,
        "cause": trace.cause,
    })
}
