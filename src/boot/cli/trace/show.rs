//! `trace show`: one trace, step by step.

use std::fmt::Write as _;

use fedbridge_contract::documents::{Drift, DriftEffect};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, RuleResult, RuleStep, Step};
use fedbridge_hub::ports::{ConfigStore as _, TraceStore as _, TraceSummary};
use fedbridge_hub::run::{TracePayload, trace_place};
use fedbridge_hub::spec::Configuration;
use serde_json::Value;

use crate::cli::CliError;
use crate::cli::output::{Paint, escaped, print};
use crate::foundation::Foundation;

use super::list::summary_json;
use super::{outcome_word, safe, tenant_name};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The trace id, as an error page or `trace list` shows it
    id: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(foundation: &Foundation, args: Args) -> Result<(), CliError> {
    let (summary, payload, configuration) = open(foundation, &args.id).await?;
    if args.json {
        let mut json = summary_json(&summary, &configuration);
        json["steps"] = serde_json::to_value(&payload.steps).unwrap_or(Value::Null);
        return print(&escaped(&format!("{json:#}\n")));
    }
    let tenant = tenant_name(&configuration, summary.tenant);
    print(&render(&summary, &tenant, &payload.steps, Paint::stdout()))
}

/// Opens a trace, with the configuration that names its tenant.
pub async fn open(foundation: &Foundation, id: &str) -> Result<(TraceSummary, TracePayload, Configuration), CliError> {
    let missing = || {
        let sentence = format!("there is no trace `{id}`");
        CliError::refused(sentence, Vec::new())
            .advise("look for it with `fedbridge trace list`; old ones are deleted (traces.keep)")
    };
    let id: TraceId = id.trim().parse().map_err(|_| missing())?;
    let trace = foundation.system.find(id).await?.ok_or_else(missing)?;
    let configuration = foundation.system.load().await?;
    let opened = foundation.sealer.open(&trace_place(trace.summary.tenant, id), &trace.sealed);
    let opened = opened.map_err(|cause| {
        CliError::failed("the steps of this trace can't be read", cause)
            .advise("give the master key that this store was written with")
    })?;
    let payload: TracePayload = serde_json::from_slice(&opened)
        .map_err(|cause| CliError::failed("the steps of this trace can't be read", cause))?;
    Ok((trace.summary, payload, configuration))
}

/// The whole page.
fn render(summary: &TraceSummary, tenant: &str, steps: &[Step], paint: Paint) -> String {
    let mut out = String::new();
    let result = outcome_word(summary.outcome);
    let result = match summary.outcome {
        Outcome::Success => paint.green(result),
        Outcome::Refused | Outcome::Error => paint.red(result),
    };
    let _ = writeln!(out, "{} {}: {result}", paint.bold(&safe(&summary.kind)), summary.id);
    fact(&mut out, "time", &summary.at.rfc3339());
    fact(&mut out, "tenant", tenant);
    for (name, value) in [("connection", &summary.connection), ("client", &summary.app), ("person", &summary.person)] {
        if let Some(value) = value {
            fact(&mut out, name, &safe(value));
        }
    }
    if summary.outcome != Outcome::Success || !summary.cause.is_empty() {
        let _ = writeln!(out, "  {:<11} {}", "cause", paint.bold(&safe(&summary.cause)));
    }
    out.push('\n');
    let mut last_check = false;
    for step in steps {
        // Checks stand together; everything else is a paragraph.
        let check = matches!(step, Step::Check { .. } | Step::Rule(_) | Step::Change { .. });
        let together = check && last_check;
        if !together && !out.ends_with("\n\n") {
            out.push('\n');
        }
        last_check = check;
        write_step(&mut out, step, summary.at, paint);
    }
    out
}

fn fact(out: &mut String, name: &str, value: &str) {
    let _ = writeln!(out, "  {name:<11} {value}");
}

pub fn write_step(out: &mut String, step: &Step, start: Timestamp, paint: Paint) {
    match step {
        Step::Received { at, what, verified, facts } => {
            let note = if *verified { "" } else { "   (not verified yet: what it claims about itself)" };
            let _ = writeln!(out, "{} received {}{}", since(*at, start), paint.bold(&safe(what)), paint.dim(note));
            write_facts(out, facts);
        }
        Step::Sent { at, what, facts } => {
            let _ = writeln!(out, "{} sent {}", since(*at, start), paint.bold(&safe(what)));
            write_facts(out, facts);
        }
        Step::Check { name, source, expected, actual, passed } => {
            let source = if source.is_empty() { String::new() } else { paint.dim(&format!("   [{}]", safe(source))) };
            let _ = writeln!(out, "  {} {}{source}", mark(*passed, paint), safe(name));
            if !*passed || expected != actual {
                let _ = writeln!(out, "      expected: {}", safe(expected));
                let got = format!("      got:      {}", safe(actual));
                let _ = writeln!(out, "{}", if *passed { got } else { paint.red(&got) });
            }
        }
        Step::Rule(rule) => write_rule(out, rule, paint),
        Step::Decision { what, outcome, allowed } => {
            let _ = writeln!(out, "  {} {}: {}", mark(*allowed, paint), safe(what), safe(outcome));
        }
        Step::Change { what, before, after, effect } => {
            let text = |side: &Option<String>| side.as_deref().map(safe);
            let line = Drift { what: safe(what), before: text(before), after: text(after), effect: *effect };
            let line = format!("  {line}");
            let _ = writeln!(out, "{}", if *effect == DriftEffect::Weakens { paint.yellow(&line) } else { line });
        }
        Step::Result { at, outcome, cause } => {
            let word = outcome_word(*outcome);
            let word = if *outcome == Outcome::Success { paint.green(word) } else { paint.red(word) };
            let cause = if cause.is_empty() { String::new() } else { format!(": {}", safe(cause)) };
            let _ = writeln!(out, "{} result {word}{cause}", since(*at, start));
        }
    }
}

fn write_facts(out: &mut String, facts: &[(String, String)]) {
    let width = facts.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(32);
    for (name, value) in facts {
        let _ = writeln!(out, "      {:<width$}  {}", safe(name), safe(value));
    }
}

fn write_rule(out: &mut String, step: &RuleStep, paint: Paint) {
    let RuleStep { stage, claim, rule, result } = step;
    let (claim, behind) = (safe(claim), paint.dim(&format!("   [{}: {}]", safe(stage), safe(rule))));
    let line = match result {
        RuleResult::Made { value, from } => {
            let from = from.as_deref().map_or_else(String::new, |name| format!("   from {}", safe(name)));
            format!("  {} {claim} = {}{from}{behind}", mark(true, paint), safe(&value.to_string()))
        }
        RuleResult::NotMatched { wanted, nearest } => {
            let wanted: Vec<String> = wanted.iter().map(|name| safe(name)).collect();
            let nearest = nearest.as_deref().map_or_else(
                || "; nothing similar came".to_owned(),
                |name| format!("; the nearest that came is {}", paint.yellow(&safe(name))),
            );
            format!("  · {claim}: no attribute {}{nearest}{behind}", wanted.join(" or "))
        }
        RuleResult::Nothing => format!("  · {claim}: nothing to say{behind}"),
        RuleResult::Failed { error } => {
            format!("  {} {claim}: {}{behind}", mark(false, paint), paint.red(&safe(error)))
        }
        RuleResult::Overridden { by } => format!("  · {claim}: replaced by {}{behind}", safe(by)),
        RuleResult::Withheld { why } => format!("  · {claim}: not released: {}{behind}", safe(why)),
    };
    out.push_str(&line);
    out.push('\n');
}

fn mark(good: bool, paint: Paint) -> String {
    if good { paint.green("✓") } else { paint.red("✗") }
}

/// Time since the login began.
fn since(at: Timestamp, start: Timestamp) -> String {
    format!("+{:.3}s", at.since(start).as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fedbridge_contract::ids::TenantId;
    use fedbridge_contract::trace::TraceLog;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refused_login_names_its_cause_and_the_nearest_attribute() {
        let start = Timestamp::from_seconds(1_763_776_800);
        let mut log = TraceLog::new();
        log.received(start, "SAML response", false, vec![("Issuer", "https://idp.example".to_owned())]);
        log.check("Signature", "SAML core 5.4", "valid", "valid", true);
        log.check("Audience", "SAML core 2.5.1.4", "https://bridge.example", "https://other.example\u{1b}[2J", false);
        let rule = |claim: &str, result| {
            Step::Rule(RuleStep { stage: "mapping".into(), claim: claim.into(), rule: "from [mail]".into(), result })
        };
        log.push(rule("email", RuleResult::NotMatched { wanted: vec!["mail".into()], nearest: Some("email".into()) }));
        log.push(rule("name", RuleResult::Made { value: json!("Alice"), from: Some("cn".into()) }));
        log.push(rule("tier", RuleResult::Failed { error: "no such key".into() }));
        log.decide("release", "department is withheld", true);
        log.push(Step::Result {
            at: start + std::time::Duration::from_millis(42),
            outcome: Outcome::Refused,
            cause: "Audience".into(),
        });
        let summary = TraceSummary {
            tenant: TenantId::from_uuid(uuid::Uuid::nil()),
            id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            at: start,
            kind: "login".into(),
            connection: Some("okta".into()),
            app: Some("portal".into()),
            person: None,
            outcome: Outcome::Refused,
            cause: "Audience: expected https://bridge.example, got https://other.example".into(),
        };
        let text = render(&summary, "acme", log.steps(), Paint::plain());
        let want = "\
login 0123456789abcdef0123456789abcdef: refused
  time        2025-11-22T02:00:00Z
  tenant      acme
  connection  okta
  client      portal
  cause       Audience: expected https://bridge.example, got https://other.example

+0.000s received SAML response   (not verified yet: what it claims about itself)
      Issuer  https://idp.example

  ✓ Signature   [SAML core 5.4]
  ✗ Audience   [SAML core 2.5.1.4]
      expected: https://bridge.example
      got:      https://other.example\u{fffd}[2J
  · email: no attribute mail; the nearest that came is email   [mapping: from [mail]]
  ✓ name = \"Alice\"   from cn   [mapping: from [mail]]
  ✗ tier: no such key   [mapping: from [mail]]

  ✓ release: department is withheld

+0.042s result refused: Audience
";
        assert_eq!(text, want);
    }
}
