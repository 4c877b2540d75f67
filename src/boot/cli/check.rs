//! `check`: opens every connection and app without changing it; one line for each finding, and the expiry
//! radar: every certificate, document and API key with its date.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level};
use fedbridge_hub::ports::{
    ApiKeyStore as _, ConfigStore as _, ProvisionedStore as _, RolloverStore as _, SyncStore as _,
};
use fedbridge_hub::spec::Configuration;
use fedbridge_keys::TenantName;
use fedbridge_keys::rollover::Watched;
use openssl::x509::X509;
use serde_json::json;

use crate::bridge::plan::{Options, plan};
use crate::foundation::Foundation;
use crate::rollover::{self, laggards, named_standings};
use crate::settings::{Settings, TlsFiles};
use crate::survey::{Expiry, Survey, dated, fine, problem};
use crate::{provisioning, radar, registry};

use super::CliError;
use super::apply::{load, make_keys};
use super::output::{Paint, escaped, print, table};

/// Clocks of one installation may differ by this much.
const SKEW: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge check -f bridge.yaml\n\nEnds with 1 where a line says ✗. It opens the store, and brings its schema up to date."
)]
pub struct Args {
    /// Bridge file, or a folder of them [default: the store]
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Print findings and dates as JSON
    #[arg(long)]
    json: bool,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    registry::init().map_err(|cause| CliError::failed("the XML security library is not safe to use", cause))?;
    let stored = foundation.system.load().await?;
    let now = foundation.clock.now();
    let mut survey = Survey::default();
    survey.add("", "clock", "clock", clock(&stored, now));
    if let Some(tls) = &settings.http.tls {
        survey.add("", "listener", "http.tls_cert", listener(tls));
    }
    let keys = foundation.system.api_keys().await?;
    survey.expiries.extend(keys.iter().filter_map(|key| radar::api_key(key, &stored, now)));
    let configuration = match &args.file {
        None => stored,
        Some(file) => {
            let desired = load(&foundation, &settings, file, &stored).await?;
            let new_keys = |id, slug: &str, wish| make_keys(&foundation, TenantName { id, slug }, wish);
            let store = foundation.system.as_ref();
            let rng = foundation.rng.as_ref();
            let mut preview =
                plan(&desired, &stored, store, Options::default(), rng, now, &new_keys).await?.plan.preview(&stored);
            // What the file doesn't describe is not its matter.
            preview.tenants.retain(|_, tenant| desired.tenants.iter().any(|t| t.slug == tenant.tenant.spec.slug));
            preview
        }
    };
    let services = foundation.quiet_services();
    let builder = foundation.builder(registry::upstreams(), services.clone());
    let downstreams = registry::downstreams(&services);
    let rollovers = foundation.system.rollovers(None).await?;
    let mut tenants: Vec<_> = configuration.tenants.values().collect();
    tenants.sort_by(|a, b| a.tenant.spec.slug.cmp(&b.tenant.spec.slug));
    for tenant in tenants {
        let slug = &tenant.tenant.spec.slug;
        match builder.tenant(tenant) {
            Err(cause) => {
                survey.add(slug, "tenant", slug, vec![problem(format!("the tenant can't be opened: {cause}"))]);
            }
            Ok(open) => {
                survey.add_tenant(&open, &downstreams, now).await;
                for app in provisioning::apps(&open) {
                    let state = foundation.store.provisioning_state(open.view.id, app.view.id).await?;
                    let findings = provisioning::findings(&services, &open, &app, &state).await;
                    let name = &app.view.name;
                    survey.add(slug, &format!("scim_app {name}"), &format!("{slug}/{name}"), findings);
                }
                for rollover in rollovers.iter().filter(|rollover| rollover.tenant == tenant.tenant.id) {
                    let sightings = foundation.system.sightings(rollover.tenant).await?;
                    let partners = rollover::partners(&open, &downstreams, rollover.purpose);
                    let watched = Watched::of(&tenant.keys, rollover.purpose, rollover.phase);
                    let standings = watched.map(|watched| named_standings(&watched, &sightings, &partners));
                    let standings = standings.unwrap_or_default();
                    let finding = rollover::finding(rollover, slug, &laggards(&standings));
                    survey.add(slug, &rollover::object(rollover), slug, vec![finding]);
                }
            }
        }
        for connection in &tenant.connections {
            let state = foundation.store.sync_state(tenant.tenant.id, connection.id).await?;
            survey.add_stopped_sync(slug, &connection.spec.slug, &state);
        }
        survey.add_documents(tenant, &builder.registry, now);
    }
    foundation.store.close().await?;
    let text = if args.json { as_json(&survey)? } else { render(&survey, now, Paint::stdout()) };
    print(&text)?;
    Ok(if survey.has_problems() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// One line for each finding, then every date, the nearest first.
fn render(survey: &Survey, now: Timestamp, paint: Paint) -> String {
    let line = |(name, finding): &(String, Finding)| {
        let mark = match finding.level {
            Level::Fine => paint.green("✓"),
            Level::Advice => paint.dim("·"),
            Level::Warning => paint.yellow("!"),
            Level::Problem => paint.red("✗"),
        };
        format!("{mark} {name}: {}\n", finding.text)
    };
    let mut text: String = survey.lines.iter().map(line).collect();
    let rows: Vec<Vec<String>> = survey.radar().into_iter().map(|expiry| row(expiry, now)).collect();
    if !rows.is_empty() {
        text.push('\n');
        text.push_str(&table(&["EXPIRES", "IN", "TENANT", "OBJECT", "WHAT"], &rows));
    }
    text
}

fn row(expiry: &Expiry, now: Timestamp) -> Vec<String> {
    let left = match expiry.at.since(now).as_secs() / 86_400 {
        _ if expiry.at <= now => "ended".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    };
    vec![expiry.at.rfc3339_seconds(), left, expiry.tenant.clone(), expiry.object.clone(), expiry.what.clone()]
}

fn as_json(survey: &Survey) -> Result<String, CliError> {
    let level = |level| match level {
        Level::Fine => "fine",
        Level::Advice => "advice",
        Level::Warning => "warning",
        Level::Problem => "problem",
    };
    let findings = survey.lines.iter();
    let findings =
        findings.map(|(name, finding)| json!({ "object": name, "level": level(finding.level), "text": finding.text }));
    let expiries = survey.radar().into_iter().map(|expiry| {
        let Expiry { at, tenant, object, what } = expiry;
        json!({ "at": at.rfc3339_seconds(), "tenant": tenant, "object": object, "what": what })
    });
    let whole = json!({ "findings": findings.collect::<Vec<_>>(), "expiries": expiries.collect::<Vec<_>>() });
    let text = serde_json::to_string_pretty(&whole);
    text.map(|text| escaped(&text) + "\n")
        .map_err(|cause| CliError::failed("the report can't be written as JSON", cause))
}

/// Signatures are refused by time, so a wrong clock refuses every login.
fn clock(configuration: &Configuration, now: Timestamp) -> Vec<Finding> {
    let newest = configuration.tenants.values().flat_map(|tenant| &tenant.keys).map(|key| key.changed).max();
    match newest {
        Some(newest) if newest > now + SKEW => vec![problem(format!(
            "this machine says {}, but a key in the store is from {}; set the clock",
            now.rfc3339_seconds(),
            newest.rfc3339_seconds()
        ))],
        _ => vec![fine(format!("this machine says {}", now.rfc3339_seconds()))],
    }
}

fn listener(files: &TlsFiles) -> Vec<Finding> {
    let path = files.cert.display();
    let certificates = match std::fs::read(&files.cert) {
        Err(cause) => return vec![problem(format!("{path} can't be read: {cause}"))],
        Ok(pem) => X509::stack_from_pem(&pem),
    };
    let mut findings = match certificates {
        Ok(list) if !list.is_empty() => list.iter().map(|c| dated(&path.to_string(), c.not_after())).collect(),
        _ => return vec![problem(format!("{path} holds no certificate in PEM"))],
    };
    if let Err(error) = fedbridge_web::Tls::from_files(&files.cert, &files.key) {
        let findings: &mut Vec<Finding> = &mut findings;
        findings.push(problem(error.to_string()));
    }
    findings
}
