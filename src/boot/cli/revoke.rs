//! `revoke`: kill switches. Each ends what was given out until now, on every node; nobody is kept from
//! logging in again. To keep somebody out, write `enabled: false`.

use std::process::ExitCode;
use std::sync::Arc;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::grant::MAX_ACCESS_TOKEN;
use fedbridge_contract::ids::{BadId, PersonId, SessionId};
use fedbridge_contract::services::Grants as _;
use fedbridge_contract::text::nearest;
use fedbridge_hub::ports::EpochStore as _;
use fedbridge_hub::run::TenantSnapshot;
use tokio::time::Instant;

use crate::foundation::Foundation;
use crate::metrics::Metrics;
use crate::registry;
use crate::settings::Settings;
use crate::wiring::{Wired, wire};

use super::CliError;
use super::output::print;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge revoke client portal --tenant acme\n  fedbridge revoke tenant acme\n\nTo keep somebody out for good, write `enabled: false` in the bridge file."
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// End everything that was given out in a tenant
    #[command(after_help = "Example:\n  fedbridge revoke tenant acme")]
    Tenant {
        /// The tenant's slug
        slug: String,
    },
    /// End everything that came from logins at a connection
    #[command(after_help = "Example:\n  fedbridge revoke connection okta --tenant acme")]
    Connection(Which),
    /// End everything that a client was given
    #[command(after_help = "Example:\n  fedbridge revoke client portal --tenant acme")]
    Client(Which),
    /// End what a SAML service provider has not taken yet: logins under way, and artifacts
    #[command(
        name = "service-provider",
        visible_alias = "provider",
        after_help = "Example:\n  fedbridge revoke service-provider wiki --tenant acme\n\nAn assertion that it took has become a session of its own, which ends with `revoke session` or\n`revoke user`: they tell it."
    )]
    Provider(Which),
    /// End what came by way of an LDAP app: remembered binds, and connections that are bound through it
    #[command(name = "ldap-app", after_help = "Example:\n  fedbridge revoke ldap-app jenkins --tenant acme")]
    LdapApp(Which),
    /// End everything that a person was given, offline access too, and tell the applications
    #[command(after_help = "Example:\n  fedbridge revoke user 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme")]
    User(Which),
    /// End one session, and tell the applications in it
    #[command(after_help = "Example:\n  fedbridge revoke session 019aa5f7c7e14bb2a4a1c1b2d3e4f506 --tenant acme")]
    Session(Which),
    /// End one access token
    #[command(after_help = "Example:\n  fedbridge revoke token AAAAAAAAAAB0m6vO4hZ1y8YtG1E --tenant acme")]
    Token(Which),
}

#[derive(Debug, clap::Args)]
struct Which {
    /// A slug; a client_id; the name of a service provider or an LDAP app; the `sub` of a user; the `sid` of a session; the `jti` of
    /// a token
    name: String,
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    tenant: String,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    let wired = wire(&foundation, registry::upstreams(), Arc::new(Metrics)).await?;
    let begun = Instant::now();
    let done = carry_out(&foundation, &wired, &args.command).await;
    let took = begun.elapsed();
    // What was recorded of it, also where it failed on the way.
    wired.recorder.flush().await;
    foundation.store.close().await?;
    print(&format!("{} ({} ms)\n", done?, took.as_millis()))?;
    Ok(ExitCode::SUCCESS)
}

/// Gives back the sentence that says what was done.
async fn carry_out(foundation: &Foundation, wired: &Wired, command: &Command) -> Result<String, CliError> {
    match command {
        Command::Tenant { slug } => {
            let tenant = tenant(wired, slug)?;
            let epoch = kill(foundation, Killed::Tenant(tenant.view.id)).await?;
            Ok(ended(&format!("in the tenant {slug}"), epoch))
        }
        Command::Connection(which) => {
            let tenant = tenant(wired, &which.tenant)?;
            let slugs = tenant.view.connections.iter().map(|connection| connection.slug.as_str());
            let connection =
                tenant.view.connection(&which.name).ok_or_else(|| unknown("connection", &which.name, slugs))?;
            let epoch = kill(foundation, Killed::Connection(tenant.view.id, connection.id)).await?;
            Ok(ended(&format!("to whoever came by the connection {}", which.name), epoch))
        }
        Command::Client(which) => kill_app(foundation, wired, which, AppKind::OidcClient).await,
        Command::Provider(which) => kill_app(foundation, wired, which, AppKind::SamlSp).await,
        Command::LdapApp(which) => kill_app(foundation, wired, which, AppKind::LdapApp).await,
        Command::User(which) => {
            let tenant = tenant(wired, &which.tenant)?;
            let person = id(&which.name, "user", "the `sub` that its tokens show").map(PersonId::from_uuid)?;
            let killed = wired.hub.kill_person(foundation.system.as_ref(), &tenant, person).await?;
            let killed = killed.ok_or_else(|| absent("user", &which.name))?;
            let sessions = match killed.sessions {
                1 => "1 session".to_owned(),
                count => format!("{count} sessions"),
            };
            Ok(format!("{}; {sessions} ended", ended(&format!("to the user {}", which.name), killed.epoch)))
        }
        Command::Session(which) => {
            let tenant = tenant(wired, &which.tenant)?;
            let session = id(&which.name, "session", "the `sid` that its tokens show").map(SessionId::from_uuid)?;
            match wired.hub.end_session(&tenant, session).await? {
                true => Ok(format!("the session {} has ended", which.name)),
                false => Err(absent("session", &which.name)),
            }
        }
        Command::Token(which) => {
            let tenant = tenant(wired, &which.tenant)?;
            let expires = foundation.clock.now() + MAX_ACCESS_TOKEN;
            foundation.store.revoke_token(tenant.view.id, &which.name, expires).await?;
            Ok(format!("the access token {} is good no more", which.name))
        }
    }
}

/// A name belongs to one app of each kind, so the command says which kind it means.
async fn kill_app(foundation: &Foundation, wired: &Wired, which: &Which, kind: AppKind) -> Result<String, CliError> {
    let (what, _) = words(kind);
    let tenant = tenant(wired, &which.tenant)?;
    let Some(app) = tenant.view.app(kind, &which.name) else {
        let names = tenant.view.apps.iter().filter(|app| app.kind == kind).map(|app| app.name.as_str());
        let unknown = unknown(what, &which.name, names);
        let others = [AppKind::OidcClient, AppKind::SamlSp, AppKind::LdapApp];
        return Err(match others.into_iter().find(|other| tenant.view.app(*other, &which.name).is_some()) {
            Some(other) => {
                let (_, command) = words(other);
                unknown.advise(format!("run: fedbridge revoke {command} {} --tenant {}", which.name, which.tenant))
            }
            None => unknown,
        });
    };
    let epoch = kill(foundation, Killed::App(tenant.view.id, app.id)).await?;
    Ok(match kind {
        AppKind::OidcClient => ended(&format!("to the client {}", which.name), epoch),
        AppKind::LdapApp | AppKind::ScimApp => ended(&format!("by way of the {what} {}", which.name), epoch),
        // It is given nothing.
        AppKind::SignalReceiver => ended(&format!("to the receiver {}", which.name), epoch),
        AppKind::SamlSp => format!(
            "kill {}: what the service provider {} had not taken until now has ended; its own sessions end with \
             `revoke session` or `revoke user`",
            epoch.0, which.name
        ),
    })
}

/// What one kind of app is called, and its command here.
fn words(kind: AppKind) -> (&'static str, &'static str) {
    match kind {
        AppKind::OidcClient => ("client", "client"),
        AppKind::SamlSp => ("service provider", "service-provider"),
        AppKind::LdapApp => ("LDAP app", "ldap-app"),
        AppKind::ScimApp => ("SCIM app", "scim-app"),
        AppKind::SignalReceiver => ("receiver of signals", "signal-receiver"),
    }
}

async fn kill(foundation: &Foundation, killed: Killed) -> Result<Epoch, CliError> {
    let epoch = foundation.system.kill(killed, foundation.clock.now()).await?;
    epoch.ok_or_else(|| CliError::refused("it was deleted at this very moment", Vec::new()))
}

fn ended(whom: &str, epoch: Epoch) -> String {
    format!("kill {}: everything that was given out {whom} until now has ended", epoch.0)
}

pub(super) fn tenant(wired: &Wired, slug: &str) -> Result<Arc<TenantSnapshot>, CliError> {
    let snapshot = wired.snapshots.current();
    let found = snapshot.named(slug).cloned();
    found.ok_or_else(|| unknown("tenant", slug, snapshot.tenants().map(|tenant| tenant.view.slug.as_str())))
}

pub(super) fn id(text: &str, what: &str, where_from: &str) -> Result<uuid::Uuid, CliError> {
    text.parse::<PersonId>().map(PersonId::uuid).map_err(|cause: BadId| {
        CliError::refused(format!("`{text}` is not the id of a {what}"), vec![cause.to_string()])
            .advise(format!("give {where_from}"))
    })
}

pub(super) fn absent(what: &str, name: &str) -> CliError {
    CliError::refused(format!("there is no {what} `{name}` here; nothing was changed"), Vec::new())
}

pub(super) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str>) -> CliError {
    let hint = nearest(name, known).map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
    CliError::refused(format!("there is no {what} `{name}`{hint}; nothing was changed"), Vec::new())
}
