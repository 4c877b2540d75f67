//! `trace replay`: the decision of a recorded login, made again by the very engine
//! that made it, with its own rules or with those in force now.

use std::fmt::Write as _;

use fedbridge_contract::claims::Claims;
use fedbridge_hub::decide::{Decision, Verdict};
use fedbridge_hub::mapping::{AppRules, Mapping};
use fedbridge_hub::ports::TraceSummary;
use fedbridge_hub::spec::{Configuration, TenantConfiguration};

use crate::cli::CliError;
use crate::cli::output::{Paint, print};
use crate::foundation::Foundation;

use super::show::{open, write_step};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The trace id, as an error page or `trace list` shows it
    id: String,
    /// Use the rules that the connection and the client have now, and show the difference
    #[arg(long)]
    current_rules: bool,
}

pub async fn run(foundation: &Foundation, args: Args) -> Result<(), CliError> {
    let (summary, payload, configuration) = open(foundation, &args.id).await?;
    let Some(recorded) = payload.replay else {
        let sentence = "this login ended before its attributes were mapped, so there is nothing to replay";
        return Err(CliError::refused(sentence, Vec::new())
            .advise(format!("`fedbridge trace show {}` says how it ended", summary.id)));
    };
    let mut replay = recorded
        .compile()
        .map_err(|complaints| broken("the recorded rules can't be read by this version", &complaints))?;
    let before = replay.decide();
    let mut out = String::new();
    if !args.current_rules {
        write_decision(&mut out, &summary, &before);
        return print(&out);
    }
    (replay.mapping, replay.app) = rules_now(&summary, &configuration)?;
    let after = replay.decide();
    write_decision(&mut out, &summary, &after);
    out.push_str("\nAgainst the login as it was:\n");
    write_difference(&mut out, &released(&before), &released(&after));
    print(&out)
}

/// The rules in force now.
fn rules_now(summary: &TraceSummary, configuration: &Configuration) -> Result<(Mapping, AppRules), CliError> {
    let gone = |what: &str| CliError::refused(format!("the {what} of this login is not there any more"), Vec::new());
    let tenant: &TenantConfiguration = configuration.tenants.get(&summary.tenant).ok_or_else(|| gone("tenant"))?;
    let slug = summary.connection.as_deref().unwrap_or_default();
    let connection = tenant.connections.iter().find(|stored| stored.spec.slug == slug);
    let spec = &connection.ok_or_else(|| gone("connection"))?.spec;
    let mapping = Mapping::of_connection(&spec.mapping, &spec.protocol, &spec.settings)
        .map_err(|complaints| broken("the connection's mapping is broken", &complaints))?;
    let rules = match summary.app.as_deref() {
        None => AppRules::default(),
        Some(name) => {
            let app = tenant.apps.iter().find(|stored| stored.spec.name == name).ok_or_else(|| gone("client"))?;
            AppRules::compile(&app.spec).map_err(|complaints| broken("the client's rules are broken", &complaints))?
        }
    };
    Ok((mapping, rules))
}

fn broken(sentence: &str, complaints: &[fedbridge_contract::error::Complaint]) -> CliError {
    CliError::refused(sentence, complaints.iter().map(ToString::to_string).collect())
}

fn write_decision(out: &mut String, summary: &TraceSummary, decision: &Decision) {
    for step in decision.trace.steps() {
        write_step(out, step, summary.at, Paint::stdout());
    }
    let _ = match &decision.verdict {
        Verdict::Allowed { released } => {
            let claims = serde_json::to_string_pretty(released).unwrap_or_default();
            writeln!(out, "\nallowed, with these claims:\n{claims}")
        }
        Verdict::Denied(denial) => writeln!(out, "\ndenied: {}", denial.reason),
    };
}

/// What the app would get; nothing where the login is denied.
fn released(decision: &Decision) -> Claims {
    match &decision.verdict {
        Verdict::Allowed { released } => released.clone(),
        Verdict::Denied(_) => Claims::default(),
    }
}

fn write_difference(out: &mut String, before: &Claims, after: &Claims) {
    if before == after {
        out.push_str("  no difference\n");
    }
    for (name, value) in before.iter() {
        match after.get(name) {
            None => drop(writeln!(out, "  - {name}: {value}")),
            Some(new) if new != value => drop(writeln!(out, "  ~ {name}: {value} -> {new}")),
            Some(_) => {}
        }
    }
    for (name, value) in after.iter().filter(|(name, _)| before.get(name).is_none()) {
        let _ = writeln!(out, "  + {name}: {value}");
    }
}
