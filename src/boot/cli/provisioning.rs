//! `provisioning`: what apps with a SCIM server should have, what they have, and a run at once.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::sync::Arc;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::trace::visible;
use fedbridge_hub::run::TenantSnapshot;
use serde_json::json;

use crate::foundation::Foundation;
use crate::metrics::Metrics;
use crate::provisioning::{NotRun, Ran, Scope, Target};
use crate::registry;
use crate::registry::scim_client::plan::Plan;
use crate::settings::Settings;
use crate::wiring::{Wired, wire};

use super::CliError;
use super::output::{escaped, print};
use super::revoke::{tenant, unknown};

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge provisioning plan acme/wiki")]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what a run would do at an app, and change nothing there
    #[command(after_help = "Example:\n  fedbridge provisioning plan acme/wiki --json")]
    Plan(Which),
    /// Do it now: look at everything that the app has, and make it as it should be
    #[command(after_help = "Example:\n  fedbridge provisioning run acme/wiki")]
    Run(Run),
    /// Show what the app has otherwise than the bridge left it, and whom it has besides
    #[command(after_help = "Example:\n  fedbridge provisioning drift acme/wiki\n\nEnds with 3 where there is any.")]
    Drift(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// TENANT/APP
    name: String,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct Run {
    #[command(flatten)]
    which: Which,
    /// Remove also those who are more than `guard` lets go at once
    #[arg(long)]
    allow_removals: bool,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    registry::init().map_err(|cause| CliError::failed("the XML security library is not safe to use", cause))?;
    let wired = wire(&foundation, registry::upstreams(), Arc::new(Metrics)).await?;
    let done = carry_out(&wired, &args.command).await;
    // What was recorded of it, also where it failed on the way.
    wired.recorder.flush().await;
    foundation.store.close().await?;
    let (text, code) = done?;
    print(&text)?;
    Ok(ExitCode::from(code))
}

async fn carry_out(wired: &Wired, command: &Command) -> Result<(String, u8), CliError> {
    let which = match command {
        Command::Plan(which) | Command::Drift(which) => which,
        Command::Run(run) => &run.which,
    };
    let target = target(wired, &which.name)?;
    match command {
        Command::Plan(_) => {
            let plan = target.prepare(&Scope::Everything).await.map_err(|why| not_run(&which.name, &why))?.plan;
            let text = if which.json { as_json(&plan.json()) } else { planned(&plan) };
            Ok((text, 0))
        }
        Command::Drift(_) => {
            let plan = target.prepare(&Scope::Everything).await.map_err(|why| not_run(&which.name, &why))?.plan;
            let lines = plan.drift();
            let text = match (which.json, lines.is_empty()) {
                (true, _) => as_json(&json!({ "drift": lines })),
                (false, true) => "the app has what the bridge left there, and nobody else\n".to_owned(),
                (false, false) => written(&lines),
            };
            Ok((text, if lines.is_empty() { 0 } else { 3 }))
        }
        Command::Run(run) => {
            let ran = target.run(&Scope::Everything, run.allow_removals).await;
            let ran = ran.map_err(|why| not_run(&which.name, &why))?;
            let text = if which.json { as_json(&ran_json(&ran)) } else { told(&ran) };
            let well = ran.failed.is_empty() && ran.stopped.is_none() && ran.plan.held.is_none();
            Ok((text, u8::from(!well)))
        }
    }
}

fn target(wired: &Wired, name: &str) -> Result<Target, CliError> {
    let (slug, app) = name.split_once('/').unwrap_or((name, ""));
    let tenant: Arc<TenantSnapshot> = tenant(wired, slug)?;
    let slugs = tenant.view.apps.iter().filter(|it| it.kind == AppKind::ScimApp).map(|it| it.name.as_str());
    let view = tenant.view.app(AppKind::ScimApp, app).ok_or_else(|| unknown("SCIM app", app, slugs))?;
    let open = tenant.apps.get(&view.id).ok_or_else(|| unknown("SCIM app", app, std::iter::empty()))?;
    if !view.enabled || !tenant.view.enabled {
        let sentence = format!("{name} is switched off; nothing was changed");
        return Err(CliError::refused(sentence, Vec::new()).advise("give it `enabled: true` in the bridge file"));
    }
    Target::open(&wired.hub, &tenant, open)
        .map_err(|why| CliError::refused(format!("{name} can't be called; nothing was changed"), vec![why]))
}

fn not_run(name: &str, why: &NotRun) -> CliError {
    let error = CliError::failed(format!("{name} could not be looked at, or not to its end"), why);
    match why {
        NotRun::Taken => error.advise("wait until it is done, then run the command again"),
        NotRun::App(_) => {
            error.advise("look at the app, its `base_url` and its secret; `fedbridge check` opens it too")
        }
        NotRun::TurnLost | NotRun::Store(_) => error,
    }
}

fn planned(plan: &Plan) -> String {
    let mut text = written(&plan.lines());
    let counts = plan.counts().into_iter().filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(word, count)| format!("{count} {word}")).collect();
    let sum = if counts.is_empty() { "nobody here, and nobody there".to_owned() } else { counts.join(", ") };
    let _ = writeln!(text, "{sum}; {} unknown here", plan.strangers.len());
    text
}

fn told(ran: &Ran) -> String {
    let mut text = planned(&ran.plan);
    for (who, why) in &ran.failed {
        let _ = writeln!(text, "failed: {who}: {}", visible(why.clone()));
    }
    if let Some((why, _)) = &ran.stopped {
        let _ = writeln!(text, "broken off: {}", visible(why.clone()));
    }
    let _ = writeln!(text, "{} done, {} failed", ran.done, ran.failed.len());
    text
}

fn ran_json(ran: &Ran) -> serde_json::Value {
    let failed = ran.failed.iter().map(|(who, why)| json!({ "sub": who.to_string(), "why": why }));
    json!({ "plan": ran.plan.json(), "done": ran.done, "failed": failed.collect::<Vec<_>>(),
        "stopped": ran.stopped.as_ref().map(|(why, _)| why) })
}

/// What an app says may stand there: it can't forge a line.
fn written(lines: &[String]) -> String {
    let inner = lines.iter().flat_map(|line| line.split('\n')).map(|line| visible(line.to_owned()) + "\n");
    inner.collect()
}

fn as_json(value: &serde_json::Value) -> String {
    escaped(&format!("{value:#}\n"))
}
