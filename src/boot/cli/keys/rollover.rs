//! `keys rollover`: change a SAML key without an outage.

use std::time::Duration;

use clap::ValueEnum;
use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::text::nearest;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ConfigStore as _, NewSighting, Rollover, RolloverPhase, RolloverStore as _};
use fedbridge_keys::rollover::{Dates, Planned, Refused, Step, start, step};
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime};

use crate::cli::CliError;
use crate::cli::output::print;
use crate::foundation::Foundation;
use crate::rollover::{laggards, next_date, purpose_word};
use crate::settings::Settings;

use super::desk::{Desk, Fault};
use super::{Which, status, tenants};

/// How often a change is tried again where others change the configuration meanwhile.
const ATTEMPTS: usize = 5;

/// A date that has just passed means now; one that passed long ago is a mistake.
const TOLERANCE: Duration = Duration::from_secs(300);

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Announce the next key in metadata; the old one stays in use
    #[command(
        after_help = "Example:\n  fedbridge keys rollover start --tenant acme --switch-at 2027-03-01 --retire-at 2027-03-15"
    )]
    Start(Start),
    /// Show the rollovers under way, and which partners know the next key
    #[command(after_help = "Example:\n  fedbridge keys rollover status --tenant acme")]
    Status(status::Args),
    /// Use the next key from now on; the old one stays published, or still decrypts
    #[command(after_help = "Example:\n  fedbridge keys rollover switch --tenant acme")]
    Switch(Switch),
    /// Say that a partner has the next key: for partners that are configured by hand
    #[command(
        after_help = "Example:\n  fedbridge keys rollover confirm --tenant acme --partner connection/okta\n  fedbridge keys rollover confirm --tenant acme --partner service_provider/wiki"
    )]
    Confirm(Confirm),
    /// Use the old key again
    #[command(after_help = "Example:\n  fedbridge keys rollover rollback --tenant acme")]
    Rollback(Keys),
    /// Let the old key go: it is published no more, and decrypts no more
    #[command(after_help = "Example:\n  fedbridge keys rollover retire --tenant acme")]
    Retire(Retire),
    /// End a rollover that has not switched yet
    #[command(after_help = "Example:\n  fedbridge keys rollover cancel --tenant acme")]
    Cancel(Keys),
}

#[derive(Debug, clap::Args)]
struct Keys {
    /// The tenant whose key it is
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// What the key is for
    #[arg(long, value_enum, default_value_t = Purpose::SamlSigning)]
    purpose: Purpose,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    SamlSigning,
    SamlDecryption,
    /// Refused with a reason, which is kinder than an unknown word.
    #[value(hide = true)]
    Oidc,
}

impl Purpose {
    pub fn key(self) -> KeyPurpose {
        match self {
            Self::SamlSigning => KeyPurpose::SamlSigning,
            Self::SamlDecryption => KeyPurpose::SamlDecryption,
            Self::Oidc => KeyPurpose::Oidc,
        }
    }
}

#[derive(Debug, clap::Args)]
struct Start {
    #[command(flatten)]
    keys: Keys,
    /// Switch by itself then: RFC 3339, or YYYY-MM-DD for midnight UTC [default: by command]
    #[arg(long, value_name = "DATE", value_parser = date)]
    switch_at: Option<Timestamp>,
    /// Retire the old key by itself then [default: 7 days after the switch]
    #[arg(long, value_name = "DATE", value_parser = date)]
    retire_at: Option<Timestamp>,
    /// The dates count even where partners don't know the next key; their logins fail then
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct Switch {
    #[command(flatten)]
    keys: Keys,
    /// Switch by itself then: RFC 3339, or YYYY-MM-DD for midnight UTC [default: now]
    #[arg(long, value_name = "DATE", value_parser = date)]
    at: Option<Timestamp>,
    /// Switch even where partners don't know the next key; their logins fail then
    #[arg(long)]
    force: bool,
}

#[derive(Debug, clap::Args)]
struct Confirm {
    #[command(flatten)]
    keys: Keys,
    /// connection/SLUG or service_provider/SLUG
    #[arg(long, value_name = "PARTNER")]
    partner: String,
}

#[derive(Debug, clap::Args)]
struct Retire {
    #[command(flatten)]
    keys: Keys,
    /// Retire even where partners still use the old key; their logins fail then
    #[arg(long)]
    force: bool,
}

pub async fn run(settings: &Settings, args: Args) -> Result<(), CliError> {
    let foundation = Foundation::open(settings).await?;
    let text = match &args.command {
        Command::Status(args) => status::text(&foundation, args).await?,
        command => change(&foundation, command).await?,
    };
    foundation.store.close().await?;
    print(&text)
}

/// Changes something, again from the start where somebody else was faster.
async fn change(foundation: &Foundation, command: &Command) -> Result<String, CliError> {
    for _ in 0..ATTEMPTS {
        match attempt(foundation, command).await {
            Ok(text) => return Ok(text),
            Err(Fault::Conflict) => {}
            Err(Fault::Error(error)) => return Err(error),
        }
    }
    Err(CliError::failed("nothing was changed", "others change the configuration all the time")
        .advise("run the command again"))
}

async fn attempt(foundation: &Foundation, command: &Command) -> Result<String, Fault> {
    let keys = match command {
        Command::Start(args) => &args.keys,
        Command::Switch(args) => &args.keys,
        Command::Confirm(args) => &args.keys,
        Command::Retire(args) => &args.keys,
        Command::Rollback(keys) | Command::Cancel(keys) => keys,
        Command::Status(_) => return Ok(String::new()),
    };
    let purpose = keys.purpose.key();
    if purpose == KeyPurpose::Oidc {
        return Err(refused(Refused::SignsTokens).into());
    }
    // The version comes first: whatever changes after it makes the change fail.
    let configuration = foundation.system.load().await?;
    let found = tenants(&configuration, &Which { tenant: Some(keys.tenant.clone()) })?;
    let Some(tenant) = found.first() else { return Ok(String::new()) };
    let desk = Desk::open(foundation, configuration.version, tenant, purpose).await?;
    match command {
        Command::Start(args) => begin(&desk, args).await,
        Command::Switch(args) => switch(&desk, args).await,
        Command::Confirm(args) => Ok(confirm(&desk, &args.partner).await?),
        Command::Retire(args) => retire(&desk, args.force).await,
        Command::Rollback(_) => take(&desk, Step::RollBack).await,
        Command::Cancel(_) => take(&desk, Step::Cancel).await,
        Command::Status(_) => Ok(String::new()),
    }
}

async fn begin(desk: &Desk<'_>, args: &Start) -> Result<String, Fault> {
    if let Some(rollover) = &desk.rollover {
        let since = rollover.started.rfc3339_seconds();
        let sentence = format!("{} is under way since {since}; nothing was changed", title(desk));
        return Err(CliError::refused(sentence, Vec::new()).advise(see(desk)).into());
    }
    let dates = Dates { switch_at: args.switch_at, retire_at: args.retire_at, forced: args.force };
    check_date(desk, "--switch-at", dates.switch_at)?;
    check_date(desk, "--retire-at", dates.retire_at)?;
    if dates.retire_at.zip(dates.switch_at).is_some_and(|(retire, switch)| retire <= switch) {
        let sentence = "--retire-at is not after --switch-at; nothing was changed";
        return Err(CliError::refused(sentence, Vec::new()).into());
    }
    let planned = start(desk.tenant.tenant.id, &desk.tenant.keys, desk.purpose, dates, desk.now).map_err(refused)?;
    desk.carry(&planned).await?;
    let mut text = format!("{} is announced\n", title(desk));
    text.push_str(&next(planned.rollover.as_ref()));
    text.push_str(&match laggards(&desk.standings()).len() {
        // A key that is made just now is known to nobody.
        _ if desk.watched().is_none() => "the next key is new: every partner has yet to fetch it\n".to_owned(),
        0 => "every partner that needs the next key knows it\n".to_owned(),
        1 => "1 partner has yet to know the next key\n".to_owned(),
        count => format!("{count} partners have yet to know the next key\n"),
    });
    text.push_str(&format!("{}\n", see(desk)));
    Ok(text)
}

async fn switch(desk: &Desk<'_>, args: &Switch) -> Result<String, Fault> {
    let rollover = under_way(desk)?;
    let Some(at) = args.at else {
        if !args.force && rollover.phase == RolloverPhase::Announced {
            refuse_laggards(desk, "don't know the next key", "switches all the same")?;
        }
        return take(desk, Step::Switch).await;
    };
    check_date(desk, "--at", Some(at))?;
    if rollover.phase == RolloverPhase::Switched {
        return Err(refused(Refused::Switched).into());
    }
    let retire_at = rollover.retire_at.filter(|retire| *retire > at);
    let dated = Rollover { switch_at: Some(at), retire_at, forced: args.force, ..rollover.clone() };
    desk.carry(&Planned { keys: Vec::new(), rollover: Some(dated) }).await?;
    let waits = if args.force { "" } else { ", if every partner that needs the next key knows it by then" };
    Ok(format!("{} switches on {}{waits}\n{}\n", title(desk), at.rfc3339_seconds(), see(desk)))
}

async fn retire(desk: &Desk<'_>, force: bool) -> Result<String, Fault> {
    let rollover = under_way(desk)?;
    if !force && rollover.phase == RolloverPhase::Switched {
        let (lag, despite) = match desk.purpose {
            KeyPurpose::SamlDecryption => ("are not known to have left the old key", "retires it all the same"),
            _ => ("don't know the new key", "retires the old one all the same"),
        };
        refuse_laggards(desk, lag, despite)?;
    }
    take(desk, Step::Retire).await
}

/// Takes a step and says what is so afterwards.
async fn take(desk: &Desk<'_>, which: Step) -> Result<String, Fault> {
    let rollover = under_way(desk)?;
    let planned = step(rollover, &desk.tenant.keys, which, desk.now).map_err(refused)?;
    desk.carry(&planned).await?;
    let done = match which {
        Step::Switch => "has switched: the next key is in use, and the old one stays for a while",
        Step::RollBack if desk.purpose == KeyPurpose::SamlDecryption => {
            "is back to announced: both keys decrypt, and metadata names the next one until `cancel`"
        }
        Step::RollBack => "is back to announced: the old key is in use again, the next one stays published",
        Step::Retire => "is over: the old key is retired",
        Step::Cancel => "is cancelled: the old key stays in use",
    };
    Ok(format!("{} {done}\n{}", title(desk), next(planned.rollover.as_ref())))
}

async fn confirm(desk: &Desk<'_>, partner: &str) -> Result<String, CliError> {
    let Some(watched) = desk.watched() else {
        let sentence = format!("there is no next key of {} that a partner could have", purpose_word(desk.purpose));
        let start = format!("run `{}` first", command(desk, "start"));
        return Err(CliError::refused(sentence, Vec::new()).advise(start));
    };
    let Some(found) = desk.partners.iter().find(|known| known.name == partner) else {
        let names = desk.partners.iter().map(|known| known.name.as_str());
        let hint = nearest(partner, names).map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
        let sentence = format!("{} has no enabled SAML partner `{partner}`{hint}", desk.slug());
        let advice = "name it as connection/SLUG or service_provider/SLUG";
        return Err(CliError::refused(sentence, Vec::new()).advise(advice));
    };
    let said = NewSighting {
        tenant: desk.tenant.tenant.id,
        party: found.partner.party,
        kid: watched.kid.clone(),
        how: Sighting::Confirmed,
        at: desk.now,
    };
    desk.foundation.system.note_sightings(&[said]).await?;
    let (slug, purpose, kid) = (desk.slug(), purpose_word(desk.purpose), watched.kid);
    Ok(format!("{slug}: noted that {partner} has the {purpose} key {kid}\n"))
}

fn under_way<'a>(desk: &'a Desk<'_>) -> Result<&'a Rollover, CliError> {
    desk.rollover.as_ref().ok_or_else(|| {
        let sentence = format!("no rollover of {} is under way in {}", purpose_word(desk.purpose), desk.slug());
        CliError::refused(sentence, Vec::new()).advise(format!("start one with `{}`", command(desk, "start")))
    })
}

fn refuse_laggards(desk: &Desk<'_>, lag: &str, despite: &str) -> Result<(), CliError> {
    let standings = desk.standings();
    let behind = laggards(&standings);
    if behind.is_empty() {
        return Ok(());
    }
    let sentence = format!("partners {lag}; nothing was changed");
    let causes = behind.iter().map(|(name, why)| format!("{name}: {why}")).collect();
    let advice = format!(
        "give them our metadata; where it was given by hand, say so with `{} --partner NAME`; `--force` {despite}, and their logins may fail",
        command(desk, "confirm")
    );
    Err(CliError::refused(sentence, causes).advise(advice))
}

fn check_date(desk: &Desk<'_>, option: &str, at: Option<Timestamp>) -> Result<(), CliError> {
    match at {
        Some(at) if at + TOLERANCE < desk.now => {
            let sentence = format!("{option}: {} is in the past; nothing was changed", at.rfc3339_seconds());
            Err(CliError::refused(sentence, Vec::new()))
        }
        _ => Ok(()),
    }
}

fn refused(why: Refused) -> CliError {
    CliError::refused(why.to_string(), Vec::new())
}

/// What comes by itself.
fn next(rollover: Option<&Rollover>) -> String {
    match rollover.and_then(next_date) {
        Some(("switch", at)) => format!("it switches on {}\n", at.rfc3339_seconds()),
        Some((_, at)) => format!("the old key is retired on {}\n", at.rfc3339_seconds()),
        None => String::new(),
    }
}

fn title(desk: &Desk<'_>) -> String {
    format!("{}: the rollover of {}", desk.slug(), purpose_word(desk.purpose))
}

fn see(desk: &Desk<'_>) -> String {
    format!("see `fedbridge keys rollover status --tenant {}`", desk.slug())
}

/// The command line of another command on the same keys.
fn command(desk: &Desk<'_>, name: &str) -> String {
    let purpose = match desk.purpose {
        KeyPurpose::SamlSigning => String::new(),
        other => format!(" --purpose {}", purpose_word(other)),
    };
    format!("fedbridge keys rollover {name} --tenant {}{purpose}", desk.slug())
}

/// RFC 3339, or a date, which means its first moment in UTC.
fn date(text: &str) -> Result<Timestamp, String> {
    let day = || Date::parse(text, format_description!("[year]-[month]-[day]")).map(|day| day.midnight().assume_utc());
    let at = OffsetDateTime::parse(text, &Rfc3339).or_else(|_| day());
    let at = at.map_err(|_| "write a date such as 2027-03-01, or a moment such as 2027-03-01T22:00:00Z".to_owned())?;
    Ok(Timestamp::from_seconds(at.unix_timestamp()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn dates_are_days_or_moments() {
        let at = |text| date(text).map(Timestamp::rfc3339_seconds);
        assert_eq!(at("2027-03-01").unwrap(), "2027-03-01T00:00:00Z");
        assert_eq!(at("2027-03-01T22:00:00+02:00").unwrap(), "2027-03-01T20:00:00Z");
        for wrong in ["", "tomorrow", "2027-02-30", "2027-3-1", "2027-03-01T22:00", "1772400000"] {
            assert!(date(wrong).is_err(), "{wrong}");
        }
    }
}
