//! `keys rollover status`: where the rollovers stand, and which partners know the next key.

use fedbridge_contract::keys::KeyState;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ConfigStore as _, Rollover, RolloverPhase, RolloverStore as _};
use fedbridge_hub::spec::StoredKey;
use fedbridge_keys::rollover::{Knowledge, Standing};
use serde_json::{Value, json};

use crate::cli::CliError;
use crate::cli::output::table;
use crate::foundation::Foundation;
use crate::rollover::{how_word, purpose_word};

use super::desk::Desk;
use super::rollover::Purpose;
use super::{Which, state, tenants};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    which: Which,
    /// Only keys of this purpose [default: all]
    #[arg(long, value_enum)]
    purpose: Option<Purpose>,
    /// Print it as JSON
    #[arg(long)]
    json: bool,
}

/// Fetches are not authenticated.
const FETCHED: &str = "\n`fetched our metadata` says only that somebody asked for it at this partner's address. \
                       If that was you, make sure that the partner has it before the switch.\n";

/// What the command prints.
pub async fn text(foundation: &Foundation, args: &Args) -> Result<String, CliError> {
    let configuration = foundation.system.load().await?;
    let mut shown = Vec::new();
    for tenant in tenants(&configuration, &args.which)? {
        for rollover in foundation.system.rollovers(Some(tenant.tenant.id)).await? {
            if args.purpose.is_none_or(|purpose| purpose.key() == rollover.purpose) {
                let desk = Desk::open(foundation, configuration.version, tenant, rollover.purpose).await?;
                shown.push(Shown { slug: desk.slug(), keys: keys(&desk), partners: desk.standings(), rollover });
            }
        }
    }
    if args.json {
        let all: Vec<Value> = shown.iter().map(as_json).collect();
        let text = serde_json::to_string_pretty(&all);
        return text.map(|text| text + "\n").map_err(|cause| CliError::failed("it can't be written as JSON", cause));
    }
    if shown.is_empty() {
        return Ok("no rollover is under way\n".to_owned());
    }
    Ok(shown.iter().map(render).collect::<Vec<_>>().join("\n"))
}

/// One rollover with all that is shown of it.
struct Shown<'a> {
    slug: &'a str,
    rollover: Rollover,
    keys: Vec<&'a StoredKey>,
    partners: Vec<(String, Standing)>,
}

/// The keys that the rollover is about, the one in use first.
fn keys<'a>(desk: &Desk<'a>) -> Vec<&'a StoredKey> {
    let order = [KeyState::Active, KeyState::Next, KeyState::Retiring];
    let of_state = |state| desk.tenant.keys.iter().filter(move |key| key.purpose == desk.purpose && key.state == state);
    order.into_iter().flat_map(of_state).collect()
}

fn render(shown: &Shown<'_>) -> String {
    let rollover = &shown.rollover;
    let mut text = format!("{}: {} is {}\n", shown.slug, purpose_word(rollover.purpose), phase(rollover.phase));
    let mut line = |key: &str, value: String| text.push_str(&format!("  {key:<12} {value}\n"));
    line("announced", rollover.started.rfc3339_seconds());
    if rollover.phase == RolloverPhase::Announced {
        line("switch", rollover.switch_at.map_or_else(|| "by command".to_owned(), Timestamp::rfc3339_seconds));
    }
    if let Some(switched) = rollover.switched {
        line("switched", switched.rfc3339_seconds());
    }
    if let Some(at) = rollover.retire_at {
        line("retire", at.rfc3339_seconds());
    }
    if rollover.forced {
        line("forced", "the dates count even where partners lag".to_owned());
    }
    for key in &shown.keys {
        line(state(key.state), format!("{} since {}", key.kid, key.changed.rfc3339_seconds()));
    }
    let row = |(name, standing): &(String, Standing)| {
        let (knows, since, why) = match &standing.knowledge {
            Knowledge::NoNeed => ("does not need it", None, ""),
            Knowledge::Knows { how, since } => (how_word(*how), Some(since.rfc3339_seconds()), ""),
            Knowledge::Lags { why } => ("no", None, why.as_str()),
        };
        vec![name.clone(), knows.to_owned(), since.unwrap_or_else(|| "-".to_owned()), why.to_owned()]
    };
    let rows: Vec<_> = shown.partners.iter().map(row).collect();
    text.push('\n');
    text.push_str(&table(&["PARTNER", "KNOWS", "SINCE", "WHY NOT"], &rows));
    if shown.partners.iter().any(|(_, standing)| only_fetched(standing)) {
        text.push_str(FETCHED);
    }
    text
}

fn only_fetched(standing: &Standing) -> bool {
    matches!(standing.knowledge, Knowledge::Knows { how: Sighting::Published, .. })
}

fn as_json(shown: &Shown<'_>) -> Value {
    let rollover = &shown.rollover;
    let date = |at: Option<Timestamp>| at.map(Timestamp::rfc3339_seconds);
    let keys = shown
        .keys
        .iter()
        .map(|key| json!({ "kid": key.kid, "state": state(key.state), "since": key.changed.rfc3339_seconds() }));
    let partners = shown.partners.iter().map(|(name, standing)| {
        let (knows, how, since, why) = match &standing.knowledge {
            Knowledge::NoNeed => (Value::Null, None, None, Some("does not need it")),
            Knowledge::Knows { how, since } => (Value::Bool(true), Some(*how), Some(*since), None),
            Knowledge::Lags { why } => (Value::Bool(false), None, None, Some(why.as_str())),
        };
        json!({
            "partner": name,
            "needs": standing.knowledge != Knowledge::NoNeed,
            "knows": knows,
            "how": how.map(how_name),
            "since": date(since),
            "last_seen": date(standing.last_seen),
            "why": why,
        })
    });
    json!({
        "tenant": shown.slug,
        "purpose": purpose_word(rollover.purpose),
        "phase": phase(rollover.phase),
        "started": rollover.started.rfc3339_seconds(),
        "switch_at": date(rollover.switch_at),
        "switched": date(rollover.switched),
        "retire_at": date(rollover.retire_at),
        "forced": rollover.forced,
        "keys": keys.collect::<Vec<_>>(),
        "partners": partners.collect::<Vec<_>>(),
    })
}

fn how_name(how: Sighting) -> &'static str {
    match how {
        Sighting::Published => "published",
        Sighting::EncryptedTo => "encrypted_to",
        Sighting::Verified => "verified",
        Sighting::Confirmed => "confirmed",
        Sighting::Presented => "presented",
    }
}

fn phase(phase: RolloverPhase) -> &'static str {
    match phase {
        RolloverPhase::Announced => "announced",
        RolloverPhase::Switched => "switched",
    }
}
