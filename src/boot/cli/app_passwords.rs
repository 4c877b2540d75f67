//! `users app-password`: a person's passwords for single apps.

use std::sync::Arc;

use fedbridge_contract::config::{App, AppKind};
use fedbridge_contract::ids::{AppPasswordId, PersonId};
use fedbridge_contract::trace::clip;
use fedbridge_hub::ports::AppPasswordStore as _;
use fedbridge_hub::run::{AppPasswordRefused, TenantSnapshot};

use crate::foundation::Foundation;
use crate::wiring::Wired;

use super::CliError;
use super::output::table;
use super::revoke::unknown;
use super::users::Who;

/// The longest label.
const LABEL: usize = 64;

#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  fedbridge users app-password add 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme --app mail\n\nThey are for LDAP apps whose `passwords` name `app_password`. People make their own on the account page."
)]
pub struct Args {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a password that is good in one app, and print it, once
    #[command(
        after_help = "Example:\n  fedbridge users app-password add 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme --app mail --label 'old printer'"
    )]
    Add {
        #[command(flatten)]
        who: Who,
        /// The slug of the LDAP app
        #[arg(long, value_name = "SLUG")]
        app: String,
        /// What the person knows it by
        #[arg(long, value_name = "TEXT", default_value = "")]
        label: String,
    },
    /// Show the passwords for apps that a person has, without the passwords themselves
    #[command(
        after_help = "Example:\n  fedbridge users app-password list 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme"
    )]
    List {
        #[command(flatten)]
        who: Who,
        /// Only those for this LDAP app
        #[arg(long, value_name = "SLUG")]
        app: Option<String>,
    },
    /// Take back what a person has for an app, at once and at every node
    #[command(
        after_help = "Example:\n  fedbridge users app-password revoke 3f0c9a54c7e14bb2a4a1c1b2d3e4f506 --tenant acme --app mail"
    )]
    Revoke {
        #[command(flatten)]
        who: Who,
        /// The slug of the LDAP app
        #[arg(long, value_name = "SLUG")]
        app: String,
        /// Only this one, as `list` shows it
        #[arg(long, value_name = "ID")]
        id: Option<String>,
    },
}

impl Command {
    pub fn who(&self) -> &Who {
        match self {
            Self::Add { who, .. } | Self::List { who, .. } | Self::Revoke { who, .. } => who,
        }
    }
}

/// Whose passwords they are, and where they are kept.
pub struct Owner<'a> {
    pub foundation: &'a Foundation,
    pub wired: &'a Wired,
    pub tenant: Arc<TenantSnapshot>,
    pub person: PersonId,
}

impl Owner<'_> {
    /// Gives back what is printed.
    pub async fn carry_out(&self, command: &Command) -> Result<String, CliError> {
        match command {
            Command::Add { who, app, label } => self.add(who, app, label).await,
            Command::List { app, .. } => self.list(app.as_deref()).await,
            Command::Revoke { who, app, id } => self.revoke(who, app, id.as_deref()).await,
        }
    }

    /// The password is the first line, alone, so that a script finds it.
    async fn add(&self, who: &Who, app: &str, label: &str) -> Result<String, CliError> {
        if label.chars().count() > LABEL || label.chars().any(char::is_control) {
            let sentence = format!("the label is not one line of {LABEL} characters at most; nothing was changed");
            return Err(CliError::refused(sentence, Vec::new()));
        }
        let app = self.app(app)?;
        let made = self.wired.hub.give_app_password(&self.tenant, self.person, app, label.to_owned()).await;
        let made = made.map_err(|error| self.refused(error, app))?;
        Ok(format!(
            "{}\n{} has this password for {} and will not see it again; it is listed as {}\n",
            made.text, who.user, app.name, made.id
        ))
    }

    fn refused(&self, error: AppPasswordRefused, app: &App) -> CliError {
        let cause = vec![error.to_string()];
        let sentence = format!("no password for {} was made", app.name);
        match error {
            AppPasswordRefused::Store(error) => error.into(),
            AppPasswordRefused::Busy => CliError::failed(sentence, cause.concat()),
            AppPasswordRefused::NoDirectory => {
                CliError::refused(sentence, cause).advise("add `ldap_directory` to the tenant in the bridge file")
            }
            AppPasswordRefused::TakesNone => CliError::refused(sentence, cause)
                .advise("add `app_password` to the `passwords` of the app in the bridge file"),
            AppPasswordRefused::TooMany => {
                CliError::refused(sentence, cause).advise("take one back with `fedbridge users app-password revoke`")
            }
        }
    }

    async fn list(&self, app: Option<&str>) -> Result<String, CliError> {
        let app = app.map(|app| self.app(app)).transpose()?;
        let tenant = &self.tenant.view;
        let kept = self.foundation.store.app_passwords(tenant.id, self.person, app.map(|app| app.id)).await?;
        let rows: Vec<Vec<String>> = kept
            .into_iter()
            .map(|one| {
                let name = tenant.app_by_id(one.app).map_or("an app that is gone", |app| app.name.as_str());
                vec![
                    one.id.to_string(),
                    name.to_owned(),
                    one.created.rfc3339_seconds(),
                    one.used.map_or_else(|| "never".to_owned(), |at| at.rfc3339_seconds()),
                    clip(one.label),
                ]
            })
            .collect();
        Ok(table(&["ID", "APP", "SINCE", "USED", "LABEL"], &rows))
    }

    async fn revoke(&self, who: &Who, app: &str, id: Option<&str>) -> Result<String, CliError> {
        let app = self.app(app)?;
        let only = id.map(|id| {
            id.parse::<AppPasswordId>().map_err(|cause| {
                CliError::refused(format!("`{id}` is not the id of an app password"), vec![cause.to_string()])
                    .advise("give one that `fedbridge users app-password list` shows")
            })
        });
        let gone = self.wired.hub.take_app_passwords_back(&self.tenant, self.person, app, only.transpose()?).await?;
        match gone.len() {
            0 => {
                let sentence = format!("{} has no such password for {}; nothing was changed", who.user, app.name);
                Err(CliError::refused(sentence, Vec::new()).advise("run `fedbridge users app-password list`"))
            }
            1 => Ok(format!("{} has 1 password for {} less\n", who.user, app.name)),
            count => Ok(format!("{} has {count} passwords for {} less\n", who.user, app.name)),
        }
    }

    fn app(&self, slug: &str) -> Result<&App, CliError> {
        let tenant = &self.tenant.view;
        let slugs = tenant.apps.iter().filter(|app| app.kind == AppKind::LdapApp).map(|app| app.name.as_str());
        let found = tenant.app(AppKind::LdapApp, slug);
        found.map(|app| -> &App { app }).ok_or_else(|| unknown("LDAP app", slug, slugs))
    }
}
