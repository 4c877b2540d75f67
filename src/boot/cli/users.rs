//! `users`: who has logged in, and what an administrator can do about them.

use std::process::ExitCode;
use std::sync::Arc;

use fedbridge_contract::ids::{ConnectionId, PersonId};
use fedbridge_contract::trace::clip;
use fedbridge_hub::ports::{
    Command as Step, GuardFailed, LoginStore as _, PeopleStore as _, StoredIdentity, TombstoneReason, Unit, UnitError,
};
use fedbridge_hub::run::{Happened, TenantSnapshot};

use crate::foundation::Foundation;
use crate::metrics::Metrics;
use crate::registry;
use crate::settings::Settings;
use crate::wiring::{Wired, wire};

use super::CliError;
use super::app_passwords::{self, Owner};
use super::explain::explain;
use super::output::{print, table};
use super::revoke::{absent, id, tenant, unknown};

/// How many people `list` shows.
const MOST: u32 = 100;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge users list --tenant acme --search anna\n  fedbridge users disable 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme"
)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Show people, the newest first, 100 at most
    #[command(after_help = "Example:\n  fedbridge users list --tenant acme --search anna")]
    List {
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// Only those with a login that shows with this text
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
    /// Show one person: logins, sessions, applications
    #[command(after_help = "Example:\n  fedbridge users show 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme")]
    Show(Who),
    /// Show what upstreams say of a person, which request made each attribute what it is, and what apps were told
    #[command(after_help = "Example:\n  fedbridge users explain anna@acme.example --tenant acme")]
    Explain {
        /// The `sub` of the person, or the whole name that one of their logins shows
        #[arg(value_name = "NAME")]
        user: String,
        /// The tenant's slug
        #[arg(long, value_name = "SLUG")]
        tenant: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Let a person log in no more, and end everything that they were given
    #[command(after_help = "Example:\n  fedbridge users disable 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme")]
    Disable(Who),
    /// Let a person log in again
    #[command(after_help = "Example:\n  fedbridge users enable 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme")]
    Enable(Who),
    /// Take one of several logins away, and end everything; whoever comes with it again is somebody new
    #[command(after_help = "Example:\n  fedbridge users unlink 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 okta --tenant acme")]
    Unlink(Login),
    /// The same, and nobody gets in with that login again
    #[command(after_help = "Example:\n  fedbridge users block 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 okta --tenant acme")]
    Block(Login),
    /// Give a person a password for one app, show them, or take them back
    AppPassword(app_passwords::Args),
    /// Delete a person, and end everything that they were given; their `sub` is never given to anybody else
    #[command(after_help = "Example:\n  fedbridge users delete 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme")]
    Delete(Who),
}

#[derive(Debug, clap::Args)]
pub struct Who {
    /// The `sub` of the person
    pub user: String,
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    pub tenant: String,
}

#[derive(Debug, clap::Args)]
struct Login {
    /// The `sub` of the person
    user: String,
    /// The slug of the connection that the login is of
    connection: String,
    /// The tenant's slug
    #[arg(long, value_name = "SLUG")]
    tenant: String,
    /// Which one, where the person has several of the connection: as `show` prints it
    #[arg(long, value_name = "TEXT")]
    login: Option<String>,
}

pub async fn run(settings: Settings, args: Args) -> Result<ExitCode, CliError> {
    let foundation = Foundation::open(&settings).await?;
    let wired = wire(&foundation, registry::upstreams(), Arc::new(Metrics)).await?;
    let desk = Desk { foundation: &foundation, wired: &wired };
    let done = desk.carry_out(&args.command).await;
    // What was recorded of it, also where it failed on the way.
    wired.recorder.flush().await;
    foundation.store.close().await?;
    print(&done?)?;
    Ok(ExitCode::SUCCESS)
}

struct Desk<'a> {
    foundation: &'a Foundation,
    wired: &'a Wired,
}

impl Desk<'_> {
    /// Gives back what is printed.
    async fn carry_out(&self, command: &Command) -> Result<String, CliError> {
        match command {
            Command::List { tenant: slug, search } => {
                let tenant = tenant(self.wired, slug)?;
                self.list(&tenant, search.as_deref()).await
            }
            Command::Show(who) => {
                let (tenant, person) = self.find(who).await?;
                self.show(&tenant, person).await
            }
            Command::Explain { user, tenant: slug, json } => {
                let (tenant, person) = self.find_or_named(user, slug).await?;
                explain(self.foundation, self.wired, (&tenant, person), *json).await
            }
            Command::Disable(who) => {
                let (tenant, person) = self.find(who).await?;
                self.set_disabled(&tenant, person, true).await?;
                self.wired.hub.announce(&tenant, person, &[Happened::AccountDisabled]).await?;
                let ended = self.end_everything(&tenant, person).await?;
                Ok(format!("{} is disabled: {ended}\n", who.user))
            }
            Command::Enable(who) => {
                let (tenant, person) = self.find(who).await?;
                self.set_disabled(&tenant, person, false).await?;
                Ok(match self.foundation.store.person_disabled(tenant.view.id, person).await? {
                    Some(true) => format!(
                        "{} is enabled here, and stays out while the directory that pushes them says so\n",
                        who.user
                    ),
                    _ => {
                        self.wired.hub.announce(&tenant, person, &[Happened::AccountEnabled]).await?;
                        format!("{} can log in again\n", who.user)
                    }
                })
            }
            Command::Unlink(login) => self.take_away(login, TombstoneReason::Unlinked).await,
            Command::Block(login) => self.take_away(login, TombstoneReason::Blocked).await,
            Command::AppPassword(args) => {
                let (tenant, person) = self.find(args.command.who()).await?;
                let owner = Owner { foundation: self.foundation, wired: self.wired, tenant, person };
                owner.carry_out(&args.command).await
            }
            Command::Delete(who) => {
                let (tenant, person) = self.find(who).await?;
                // First out, so that applications and upstreams hear of it, and nobody comes in between.
                self.set_disabled(&tenant, person, true).await?;
                let ended = self.end_everything(&tenant, person).await?;
                let now = self.foundation.clock.now();
                match self.foundation.store.delete(tenant.view.id, person, now).await? {
                    true => {
                        self.wired.hub.announce(&tenant, person, &[Happened::AccountPurged]).await?;
                        Ok(format!("{} is deleted: {ended}\n", who.user))
                    }
                    false => Err(absent("user", &who.user)),
                }
            }
        }
    }

    async fn list(&self, tenant: &TenantSnapshot, search: Option<&str>) -> Result<String, CliError> {
        let people = self.foundation.store.people(tenant.view.id, search, MOST).await?;
        let rows: Vec<Vec<String>> = people
            .into_iter()
            .map(|person| {
                let logins = person.logins.into_iter();
                let logins = logins.map(|(id, shown)| format!("{} ({})", clip(shown), slug(tenant, id)));
                vec![
                    person.id.to_string(),
                    if person.disabled { "disabled" } else { "enabled" }.to_owned(),
                    person.since.rfc3339_seconds(),
                    logins.collect::<Vec<_>>().join(", "),
                ]
            })
            .collect();
        let cut = rows.len() == MOST as usize;
        let mut text = table(&["USER", "STATE", "SINCE", "LOGINS"], &rows);
        if cut {
            text.push_str("\nthere may be more; find them with --search\n");
        }
        Ok(text)
    }

    async fn show(&self, tenant: &TenantSnapshot, person: PersonId) -> Result<String, CliError> {
        let (store, id, now) = (&self.foundation.store, tenant.view.id, self.foundation.clock.now());
        let disabled = store.person_disabled(id, person).await?.unwrap_or(true);
        let mut text = format!("{person}\n");
        let mut line = |key: &str, value: String| text.push_str(&format!("  {key:<9} {value}\n"));
        line("state", if disabled { "disabled" } else { "enabled" }.to_owned());
        for identity in store.identities(id, person).await? {
            let since = identity.since.rfc3339_seconds();
            line("login", format!("{} ({}) since {since}", clip(identity.display), slug(tenant, identity.connection)));
        }
        for session in store.sessions(id, person, now).await? {
            let until = session.absolute_expires.rfc3339_seconds();
            line(
                "session",
                format!("{} by {}, until {until} at the latest", session.id, slug(tenant, session.connection)),
            );
        }
        let name = |id| tenant.view.app_by_id(id).map_or("an application that is gone", |app| app.name.as_str());
        for (_, app) in store.grants(id, person, now).await? {
            line("app", name(app).to_owned());
        }
        for consent in store.consents(id, person).await? {
            let (app, at) = (name(consent.app), consent.at.rfc3339_seconds());
            line("consent", format!("{app}: {} on {at}", consent.items.join(" ")));
        }
        Ok(text)
    }

    async fn take_away(&self, login: &Login, reason: TombstoneReason) -> Result<String, CliError> {
        let who = Who { user: login.user.clone(), tenant: login.tenant.clone() };
        let (tenant, person) = self.find(&who).await?;
        let identity = self.identity(&tenant, person, login).await?;
        let step =
            Step::UnlinkIdentity { person, connection: identity.connection, subject_key: identity.subject_key, reason };
        let unit = Unit { commands: vec![step], now: self.foundation.clock.now() };
        match self.foundation.store.commit(tenant.view.id, unit).await {
            Ok(()) => {}
            Err(UnitError::Store(cause)) => return Err(cause.into()),
            Err(UnitError::Guard(GuardFailed::LastLink)) => {
                let sentence = "it is the only login that this person has; nothing was changed";
                let advice = "to keep the person out, run `fedbridge users disable`";
                return Err(CliError::refused(sentence, Vec::new()).advise(advice));
            }
            Err(UnitError::Guard(other)) => {
                return Err(CliError::refused("nothing was changed", vec![other.to_string()]));
            }
        }
        let ended = self.end_everything(&tenant, person).await?;
        let shown = format!("{} ({})", clip(identity.display), login.connection);
        Ok(match reason {
            TombstoneReason::Blocked => format!("nobody gets in with {shown} any more: {ended}\n"),
            _ => format!("{} has lost the login {shown}: {ended}\n", login.user),
        })
    }

    /// The one login that the arguments mean.
    async fn identity(
        &self,
        tenant: &TenantSnapshot,
        person: PersonId,
        login: &Login,
    ) -> Result<StoredIdentity, CliError> {
        let slugs = tenant.view.connections.iter().map(|connection| connection.slug.as_str());
        let connection = tenant.view.connection(&login.connection);
        let connection = connection.ok_or_else(|| unknown("connection", &login.connection, slugs))?;
        let mut found = self.foundation.store.identities(tenant.view.id, person).await?;
        found.retain(|identity| identity.connection == connection.id);
        if let Some(wanted) = &login.login {
            found.retain(|identity| identity.display == *wanted);
        }
        match (found.len(), found.pop()) {
            (1, Some(only)) => Ok(only),
            (0, _) => {
                let sentence = format!("{} has no such login of {}; nothing was changed", login.user, login.connection);
                Err(CliError::refused(sentence, Vec::new()).advise("run `fedbridge users show` with the same user"))
            }
            (count, _) => {
                let sentence =
                    format!("{} has {count} logins of {}; nothing was changed", login.user, login.connection);
                Err(CliError::refused(sentence, Vec::new()).advise("say which one with --login"))
            }
        }
    }

    async fn find(&self, who: &Who) -> Result<(Arc<TenantSnapshot>, PersonId), CliError> {
        let tenant = tenant(self.wired, &who.tenant)?;
        let person = id(&who.user, "user", "the `sub` that its tokens show").map(PersonId::from_uuid)?;
        match self.foundation.store.person_disabled(tenant.view.id, person).await? {
            Some(_) => Ok((tenant, person)),
            None => Err(absent("user", &who.user)),
        }
    }

    /// Where nothing is changed, a name does, too: people may choose theirs at some upstream.
    async fn find_or_named(&self, user: &str, slug: &str) -> Result<(Arc<TenantSnapshot>, PersonId), CliError> {
        if user.parse::<PersonId>().is_ok() {
            return self.find(&Who { user: user.to_owned(), tenant: slug.to_owned() }).await;
        }
        let tenant = tenant(self.wired, slug)?;
        let person = self.named(&tenant, user).await?;
        Ok((tenant, person))
    }

    /// The one person with a login that shows as this, in any case of ASCII letters.
    async fn named(&self, tenant: &TenantSnapshot, name: &str) -> Result<PersonId, CliError> {
        let mut found = self.foundation.store.people(tenant.view.id, Some(name), MOST).await?;
        found.retain(|person| person.logins.iter().any(|(_, shown)| shown.eq_ignore_ascii_case(name)));
        match found.as_slice() {
            [only] => Ok(only.id),
            [] => {
                Err(absent("user", name).advise("find people with `fedbridge users list --search`, and use the `sub`"))
            }
            several => {
                let ids = several.iter().map(|person| person.id.to_string()).collect();
                Err(CliError::refused(format!("{} people are called {name:?}; nothing was done", several.len()), ids)
                    .advise("use the `sub` of the one that you mean"))
            }
        }
    }

    async fn set_disabled(&self, tenant: &TenantSnapshot, person: PersonId, disabled: bool) -> Result<(), CliError> {
        let now = self.foundation.clock.now();
        self.foundation.store.set_person_disabled(tenant.view.id, person, disabled, now).await?;
        Ok(())
    }

    /// Gives back how that is said.
    async fn end_everything(&self, tenant: &Arc<TenantSnapshot>, person: PersonId) -> Result<String, CliError> {
        let killed = self.wired.hub.kill_person(self.foundation.system.as_ref(), tenant, person).await?;
        Ok(match killed {
            None => "nothing was left of what was given out".to_owned(),
            Some(killed) => {
                let sessions = match killed.sessions {
                    1 => "1 session".to_owned(),
                    count => format!("{count} sessions"),
                };
                format!("kill {} ended everything that was given out, {sessions} among it", killed.epoch.0)
            }
        })
    }
}

fn slug(tenant: &TenantSnapshot, connection: ConnectionId) -> &str {
    tenant.view.connection_by_id(connection).map_or("a connection that is gone", |connection| connection.slug.as_str())
}
