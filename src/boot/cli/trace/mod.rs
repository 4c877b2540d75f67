//! `trace`: recorded logins, logouts, tokens and documents, for the admin who wants to know why.

mod list;
mod replay;
mod show;

use std::process::ExitCode;

use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::Outcome;
use fedbridge_hub::spec::Configuration;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::foundation::Foundation;
use crate::settings::Settings;
use crate::settings::values::duration;

use super::CliError;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge trace list --kind login --result refused --since 1h\n  fedbridge trace show 3f0c9a54c7e14bb2a4a1c1b2d3e4f506\n\nIt opens the store, and brings its schema up to date."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show what was recorded, the newest first
    #[command(after_help = "Example:\n  fedbridge trace list --tenant acme --person alice --since 1d")]
    List(list::Args),
    /// Show one of them step by step
    #[command(after_help = "Example:\n  fedbridge trace show 3f0c9a54c7e14bb2a4a1c1b2d3e4f506")]
    Show(show::Args),
    /// Decide a recorded login again, with its own rules or with those in force now
    #[command(after_help = "Example:\n  fedbridge trace replay 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --current-rules")]
    Replay(replay::Args),
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    match args.command {
        Command::List(args) => list::run(&foundation, args).await?,
        Command::Show(args) => show::run(&foundation, args).await?,
        Command::Replay(args) => replay::run(&foundation, args).await?,
    }
    foundation.store.close().await?;
    Ok(ExitCode::SUCCESS)
}

/// The slug of a tenant, or its id where it is gone.
fn tenant_name(configuration: &Configuration, id: fedbridge_contract::ids::TenantId) -> String {
    configuration.tenants.get(&id).map_or_else(|| id.to_string(), |tenant| tenant.tenant.spec.slug.clone())
}

/// A moment: RFC 3339, a date, or how long ago (`2h`).
fn moment(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(ago) = duration(text) {
        return Some(now - ago);
    }
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    let at = OffsetDateTime::parse(&whole, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok().map(Timestamp::from_millis)
}

const OUTCOMES: [(&str, Outcome); 3] =
    [("success", Outcome::Success), ("refused", Outcome::Refused), ("error", Outcome::Error)];

fn outcome_word(outcome: Outcome) -> &'static str {
    OUTCOMES.iter().find(|(_, known)| *known == outcome).map_or("", |(word, _)| word)
}

/// A name from the network, made harmless for a terminal.
fn safe(text: &str) -> String {
    fedbridge_contract::trace::clip(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_dates_times_or_durations() {
        let now = Timestamp::from_seconds(1_763_776_800);
        assert_eq!(moment("1h", now), Some(Timestamp::from_seconds(1_763_773_200)));
        assert_eq!(moment("2025-11-22", now).map(Timestamp::rfc3339), Some("2025-11-22T00:00:00Z".to_owned()));
        assert_eq!(moment("2025-11-22T03:00:00+01:00", now), Some(now));
        assert_eq!(moment("yesterday", now), None);
    }
}
