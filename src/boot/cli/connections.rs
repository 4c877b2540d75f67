//! `connections` and `providers`: what the other side publishes at an address, how it changed, and the
//! changes that wait for somebody's word.

use std::process::ExitCode;
use std::sync::Arc;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::logout::Party;
use fedbridge_contract::text::nearest;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::clip;
use fedbridge_hub::ports::{ApplyError, ConfigStore as _, HeldDocument, StoredDocument};
use fedbridge_hub::spec::{ConfigChange, Configuration, TenantConfiguration};
use openssl::sha::sha256;

use crate::documents::{Keeper, Published, Seen, Trigger, unread};
use crate::foundation::Foundation;
use crate::metrics::Metrics;
use crate::registry;
use crate::settings::Settings;
use crate::wiring::wire;

use super::CliError;
use super::guard::{AllowRemovals, allow_removals};
use super::output::{note, print, table};
use super::sync::{SyncArgs, sync};

/// A second writer may come between reading and changing.
const ATTEMPTS: usize = 5;

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge connections list\n  fedbridge connections approve acme/okta")]
pub struct ConnectionsArgs {
    #[command(subcommand)]
    command: ConnectionsCommand,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  fedbridge service-providers list\n  fedbridge service-providers approve acme/wiki")]
pub struct ProvidersArgs {
    #[command(subcommand)]
    command: ProvidersCommand,
}

// The same commands twice: their examples differ, and clap has no other place for them.
#[derive(Debug, clap::Subcommand)]
enum ConnectionsCommand {
    /// Show every document that is fetched from an address
    #[command(after_help = "Example:\n  fedbridge connections list")]
    List,
    /// Show one document, and what is different about the one that waits
    #[command(after_help = "Example:\n  fedbridge connections show acme/okta")]
    Show(Which),
    /// Fetch a document now, and an OpenID provider's keys when they are used next
    #[command(after_help = "Example:\n  fedbridge connections refresh acme/okta")]
    Refresh(Which),
    /// Put the document that waits in force
    #[command(after_help = "Example:\n  fedbridge connections approve acme/okta --diff 3f9a0b12c4d5")]
    Approve(Approve),
    /// Forget the document that waits; it waits again while it stays published
    #[command(after_help = "Example:\n  fedbridge connections reject acme/okta")]
    Reject(Which),
    /// Read the people of a directory now, without anybody logging in
    #[command(after_help = "Example:\n  fedbridge connections sync acme/corp-ad --full")]
    Sync(SyncArgs),
    /// Let a directory that pushes people switch off more of them than its guard does, for a while
    #[command(after_help = "Example:\n  fedbridge connections allow-removals acme/hr --for 2h")]
    AllowRemovals(AllowRemovals),
}

#[derive(Debug, clap::Subcommand)]
enum ProvidersCommand {
    /// Show every document that is fetched from an address
    #[command(after_help = "Example:\n  fedbridge service-providers list")]
    List,
    /// Show one document, and what is different about the one that waits
    #[command(after_help = "Example:\n  fedbridge service-providers show acme/wiki")]
    Show(Which),
    /// Fetch a document now
    #[command(after_help = "Example:\n  fedbridge service-providers refresh acme/wiki")]
    Refresh(Which),
    /// Put the document that waits in force
    #[command(after_help = "Example:\n  fedbridge service-providers approve acme/wiki --diff 3f9a0b12c4d5")]
    Approve(Approve),
    /// Forget the document that waits; it waits again while it stays published
    #[command(after_help = "Example:\n  fedbridge service-providers reject acme/wiki")]
    Reject(Which),
}

/// What is to be done, whoever's documents it is about.
enum Command {
    List,
    Show(Which),
    Refresh(Which),
    Approve(Approve),
    Reject(Which),
    Sync(SyncArgs),
    AllowRemovals(AllowRemovals),
}

impl From<ConnectionsCommand> for Command {
    fn from(command: ConnectionsCommand) -> Self {
        match command {
            ConnectionsCommand::List => Self::List,
            ConnectionsCommand::Show(which) => Self::Show(which),
            ConnectionsCommand::Refresh(which) => Self::Refresh(which),
            ConnectionsCommand::Approve(args) => Self::Approve(args),
            ConnectionsCommand::Reject(which) => Self::Reject(which),
            ConnectionsCommand::Sync(args) => Self::Sync(args),
            ConnectionsCommand::AllowRemovals(args) => Self::AllowRemovals(args),
        }
    }
}

impl From<ProvidersCommand> for Command {
    fn from(command: ProvidersCommand) -> Self {
        match command {
            ProvidersCommand::List => Self::List,
            ProvidersCommand::Show(which) => Self::Show(which),
            ProvidersCommand::Refresh(which) => Self::Refresh(which),
            ProvidersCommand::Approve(args) => Self::Approve(args),
            ProvidersCommand::Reject(which) => Self::Reject(which),
        }
    }
}

#[derive(Debug, clap::Args)]
struct Which {
    /// TENANT/SLUG
    name: String,
}

#[derive(Debug, clap::Args)]
struct Approve {
    #[command(flatten)]
    which: Which,
    /// Only if this is what waits: the text that `show` prints behind `diff`
    #[arg(long, value_name = "TEXT")]
    diff: Option<String>,
}

/// Whose documents a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Connections,
    Providers,
}

impl Side {
    /// What stands in traces about who asked.
    fn trigger(self, command: &Command) -> Trigger {
        Trigger::Command(match (self, command) {
            (Self::Connections, Command::Approve(_)) => "connections approve",
            (Self::Connections, Command::Reject(_)) => "connections reject",
            (Self::Connections, _) => "connections refresh",
            (Self::Providers, Command::Approve(_)) => "providers approve",
            (Self::Providers, Command::Reject(_)) => "providers reject",
            (Self::Providers, _) => "providers refresh",
        })
    }
}

pub async fn connections(settings: Settings, args: ConnectionsArgs) -> Result<ExitCode, CliError> {
    run(settings, Side::Connections, args.command.into()).await
}

pub async fn providers(settings: Settings, args: ProvidersArgs) -> Result<ExitCode, CliError> {
    run(settings, Side::Providers, args.command.into()).await
}

async fn run(settings: Settings, side: Side, command: Command) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    let configuration = foundation.system.load().await?;
    let trigger = side.trigger(&command);
    let text = match &command {
        Command::List => Ok(list(&configuration, side)),
        Command::Show(which) => Ok(show(find(&configuration, side, &which.name)?, &which.name)),
        Command::Refresh(which) => {
            let keys = side == Side::Connections && forget_keys(&foundation, &which.name).await?;
            match find(&configuration, side, &which.name) {
                // Everything about it was given by hand, but for the keys.
                Err(_) if keys => Ok(keys_line(&which.name)),
                Err(error) => Err(error),
                Ok(document) => {
                    let name = &which.name;
                    let act = async |keeper: &Keeper| refresh(keeper, document, trigger, name).await;
                    let done = with_keeper(&foundation, act).await;
                    done.map(|text| if keys { text + &keys_line(name) } else { text })
                }
            }
        }
        Command::Approve(args) => {
            let document = find(&configuration, side, &args.which.name)?;
            with_keeper(&foundation, async |keeper| approve(keeper, document, trigger, args).await).await
        }
        Command::Reject(which) => {
            let document = find(&configuration, side, &which.name)?;
            with_keeper(&foundation, async |keeper| reject(keeper, document, trigger, &which.name).await).await
        }
        Command::Sync(args) => sync(&foundation, args).await,
        Command::AllowRemovals(args) => allow_removals(&foundation, args).await,
    };
    foundation.store.close().await?;
    print(&text?)?;
    Ok(ExitCode::SUCCESS)
}

/// Does it with a keeper, and waits until its traces are written.
async fn with_keeper(
    foundation: &Foundation,
    act: impl AsyncFnOnce(&Keeper) -> Result<String, CliError>,
) -> Result<String, CliError> {
    registry::init().map_err(|cause| CliError::failed("the XML security library is not safe to use", cause))?;
    let wired = wire(foundation, registry::upstreams(), Arc::new(Metrics)).await?;
    let done = act(&wired.keeper).await;
    wired.recorder.flush().await;
    done
}

/// Makes every node fetch the key set of an OpenID provider at the next use: a configuration that is taken over anew
/// does that. False: it is no such connection.
async fn forget_keys(foundation: &Foundation, name: &str) -> Result<bool, CliError> {
    for _ in 0..ATTEMPTS {
        let configuration = foundation.system.load().await?;
        let all = configuration.tenants.values().flat_map(|tenant| {
            let slug = &tenant.tenant.spec.slug;
            tenant.connections.iter().map(move |connection| (format!("{slug}/{}", connection.spec.slug), connection))
        });
        let found = all.filter(|(_, connection)| connection.spec.protocol == "oidc").find(|(full, _)| full == name);
        let Some((_, connection)) = found else { return Ok(false) };
        let change = ConfigChange::PutConnection(connection.clone());
        match foundation.system.apply(configuration.version, &[change]).await {
            Ok(_) => return Ok(true),
            Err(ApplyError::Conflict) => {}
            Err(ApplyError::Store(error)) => return Err(error.into()),
            Err(error) => return Err(CliError::failed("the keys were not forgotten", error)),
        }
    }
    Err(CliError::failed("the keys were not forgotten", ApplyError::Conflict))
}

fn keys_line(name: &str) -> String {
    format!("{name}: its keys are fetched anew when they are used next\n")
}

async fn refresh(keeper: &Keeper, document: &StoredDocument, trigger: Trigger, name: &str) -> Result<String, CliError> {
    match keeper.look(document, trigger).await {
        Seen::Unchanged => Ok(format!("{name}: nothing is new\n")),
        Seen::Adopted => Ok(format!("{name}: a new document is in force\n")),
        Seen::Held => Ok(format!("{name}: a new document waits for approval\n")),
        Seen::Failed(cause) => {
            let rest = if unread(document) { "there is none in force yet" } else { "the last one stays in force" };
            Err(CliError::failed(format!("the document of {name} can't be used; {rest}"), cause))
        }
    }
}

async fn approve(
    keeper: &Keeper,
    document: &StoredDocument,
    trigger: Trigger,
    args: &Approve,
) -> Result<String, CliError> {
    let name = &args.which.name;
    let held = document.held.as_ref().ok_or_else(|| nothing_waits(name))?;
    if args.diff.as_deref().is_some_and(|diff| diff != short(held)) {
        let cause = format!("what waits is {}; look at it with `show`", short(held));
        return Err(CliError::refused("another document waits by now; nothing was changed", vec![cause]));
    }
    if args.diff.is_none() {
        still_published(keeper, document, held, name).await?;
    }
    match keeper.approve(document, held, trigger).await {
        Ok(true) => {}
        Ok(false) => {
            let cause = "another document came in force meanwhile".to_owned();
            return Err(CliError::refused("nothing was changed", vec![cause]));
        }
        Err(cause) => return Err(CliError::failed("the document can't be used; nothing was changed", cause)),
    }
    let mut text = format!("{name}: the document that waited is in force\n");
    if matches!(document.party, Party::App(_)) && held.drift.iter().any(|drift| drift.what == "entity ID") {
        text.push_str("its entity ID is another one now: run `apply`, so that its requests are found under it\n");
    }
    Ok(text)
}

/// Whoever does not say which document he has seen shall not approve one that the partner has taken back.
async fn still_published(
    keeper: &Keeper,
    document: &StoredDocument,
    held: &HeldDocument,
    name: &str,
) -> Result<(), CliError> {
    match keeper.published(document, held).await {
        Ok(Published::Same) => Ok(()),
        Ok(Published::Other) => {
            let sentence = "what is published now is something else than what waits; nothing was changed";
            let advice = format!("run `refresh {name}` and look at it with `show {name}`, then decide");
            Err(CliError::refused(sentence, Vec::new()).advise(advice))
        }
        Err(cause) => {
            note(&format!("{name}: what is published now could not be looked at: {cause}"));
            Ok(())
        }
    }
}

async fn reject(keeper: &Keeper, document: &StoredDocument, trigger: Trigger, name: &str) -> Result<String, CliError> {
    match keeper.reject(document, trigger).await? {
        true => Ok(format!("{name}: the document that waited is forgotten\n")),
        false => Err(nothing_waits(name)),
    }
}

fn nothing_waits(name: &str) -> CliError {
    CliError::refused(format!("no document of {name} waits for approval"), Vec::new())
}

fn list(configuration: &Configuration, side: Side) -> String {
    let mut rows: Vec<Vec<String>> = documents(configuration, side)
        .map(|(name, document)| {
            vec![
                name,
                state(document),
                read_at(document, document.current.fetched),
                read_at(document, document.last_look),
                document.next_look.rfc3339_seconds(),
                document.url.clone(),
            ]
        })
        .collect();
    rows.sort();
    table(&["NAME", "STATE", "IN FORCE SINCE", "LAST GOOD LOOK", "NEXT LOOK", "ADDRESS"], &rows)
}

fn state(document: &StoredDocument) -> String {
    match (&document.held, document.failures) {
        (Some(_), _) => "waits".to_owned(),
        (None, 0) if unread(document) => "not read yet".to_owned(),
        (None, 0) => "fine".to_owned(),
        (None, count) => format!("failing ({count})"),
    }
}

fn show(document: &StoredDocument, name: &str) -> String {
    let mut text = format!("{name}\n  address         {}\n", document.url);
    let mut line = |key: &str, value: String| text.push_str(&format!("  {key:<15} {value}\n"));
    line("state", state(document));
    line("in force since", read_at(document, document.current.fetched));
    if let Some(until) = document.current.valid_until {
        line("valid until", until.rfc3339_seconds());
    }
    line("last good look", read_at(document, document.last_look));
    line("next look", document.next_look.rfc3339_seconds());
    if let Some(failure) = &document.last_failure {
        // Partners have a hand in it.
        line("last failure", clip(failure.clone()));
    }
    if let Some(held) = &document.held {
        line("waits since", held.since.rfc3339_seconds());
        line("diff", short(held));
        for drift in &held.drift {
            text.push_str(&format!("    {drift}\n"));
        }
    }
    text
}

/// The time of something that only happens to a document that was read.
fn read_at(document: &StoredDocument, at: Timestamp) -> String {
    if unread(document) { "-".to_owned() } else { at.rfc3339_seconds() }
}

/// What tells one waiting document from another.
fn short(held: &HeldDocument) -> String {
    sha256(held.xml.as_bytes()).iter().take(6).map(|octet| format!("{octet:02x}")).collect()
}

fn documents(configuration: &Configuration, side: Side) -> impl Iterator<Item = (String, &StoredDocument)> {
    configuration.tenants.values().flat_map(move |tenant| {
        let named = tenant.documents.iter().filter_map(move |document| Some((name(tenant, document, side)?, document)));
        let slug = &tenant.tenant.spec.slug;
        named.map(move |(name, document)| (format!("{slug}/{name}"), document))
    })
}

fn name<'a>(tenant: &'a TenantConfiguration, document: &StoredDocument, side: Side) -> Option<&'a str> {
    match (document.party, side) {
        (Party::Connection(id), Side::Connections) => {
            tenant.connections.iter().find(|connection| connection.id == id).map(|c| c.spec.slug.as_str())
        }
        (Party::App(id), Side::Providers) => {
            let app = tenant.apps.iter().find(|app| app.id == id && app.spec.kind == AppKind::SamlSp)?;
            Some(app.spec.name.as_str())
        }
        _ => None,
    }
}

fn find<'a>(configuration: &'a Configuration, side: Side, wanted: &str) -> Result<&'a StoredDocument, CliError> {
    let all: Vec<_> = documents(configuration, side).collect();
    if let Some((_, document)) = all.iter().find(|(name, _)| name == wanted) {
        return Ok(document);
    }
    let what = match side {
        Side::Connections => "connection",
        Side::Providers => "service provider",
    };
    let hint = nearest(wanted, all.iter().map(|(name, _)| name.as_str()));
    let hint = hint.map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
    let sentence = format!("there is no {what} `{wanted}` whose metadata is fetched from an address{hint}");
    Err(CliError::refused(sentence, Vec::new()))
}
