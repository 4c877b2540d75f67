//! App passwords: how they are made and ended, and what the account page shows of them.

use std::sync::Arc;

use fedbridge_contract::config::App;
use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::{AppId, AppPasswordId, PersonId, TenantId};
use fedbridge_contract::page::{AccountRow, OwnForm, Page, ShownPage};
use fedbridge_contract::time::Timestamp;

use super::{AppToken, Busy, MOST, takes_app_passwords};
use crate::ports::{Command, NewAppPassword, Unit, UnitError};
use crate::run::account::account_of;
use crate::run::ending::Stop;
use crate::run::own::Act;
use crate::run::session::LiveSession;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::Login;
use crate::run::{Happened, Hub};

/// Why there is no new app password.
#[derive(Debug, Clone, thiserror::Error)]
pub(in crate::run) enum NotMade {
    #[error("the person has as many app passwords for this app as there can be")]
    TooMany,
    #[error("too much is under way")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Busy> for NotMade {
    fn from(Busy: Busy) -> Self {
        Self::Busy
    }
}

impl From<NotMade> for Stop {
    fn from(error: NotMade) -> Self {
        let public = "You have as many passwords for this app as there can be.";
        match error {
            NotMade::TooMany => Self::new(RefusalKind::AccessDenied, public, error.to_string()),
            NotMade::Busy => Self::unavailable(error.to_string()),
            NotMade::Store(error) => error.into(),
        }
    }
}

impl Hub {
    /// The person's, and the apps that they can have one for.
    pub(in crate::run) async fn app_password_rows(
        &self,
        tenant: &TenantSnapshot,
        live: &LiveSession,
        form: &(dyn Fn(Act, &str) -> OwnForm + Sync),
    ) -> Result<(Vec<AccountRow>, Vec<AccountRow>), StoreError> {
        if tenant.view.settings.ldap.is_none() {
            return Ok((Vec::new(), Vec::new()));
        }
        let own = self.app_passwords.app_passwords(tenant.view.id, live.stored.person, None).await?;
        let name = |app: AppId| tenant.view.app_by_id(app).map(|app| app.display_name.clone());
        let rows = own.iter().filter_map(|one| {
            Some(AccountRow {
                name: name(one.app)?,
                since: Some(Timestamp::rfc3339_seconds(one.created)),
                note: Some(one.label.clone()).filter(|label| !label.is_empty()),
                here: false,
                form: Some(form(Act::DropAppPassword, &one.id.to_string())),
            })
        });
        let room = |app: &&Arc<App>| own.iter().filter(|one| one.app == app.id).count() < MOST;
        let apps = tenant.view.apps.iter().filter(|app| takes_app_passwords(app)).filter(room);
        let further = apps.map(|app| AccountRow {
            name: app.display_name.clone(),
            since: None,
            note: None,
            here: false,
            form: Some(form(Act::NewAppPassword, &app.id.to_string())),
        });
        Ok((rows.collect(), further.collect()))
    }

    /// The page that shows it once, and what is recorded.
    pub(in crate::run) async fn new_app_password(
        &self,
        login: &mut Login,
        live: &LiveSession,
        object: &str,
    ) -> Result<(Reply, String), Stop> {
        let tenant = Arc::clone(&login.tenant);
        let app = object.parse().ok().and_then(|app| tenant.view.app_by_id(app)).filter(|app| takes_app_passwords(app));
        let Some(app) = app.filter(|_| tenant.view.settings.ldap.is_some()) else {
            let cause = "the app is gone, switched off, or takes no app passwords";
            return Err(Stop::new(RefusalKind::AccessDenied, "Nothing was done.", cause));
        };
        let (id, secret) = self.make_app_password(tenant.view.id, live.stored.person, app.id, String::new()).await?;
        let page = ShownPage {
            tenant: tenant.view.display_name.clone(),
            app: app.display_name.clone(),
            secret,
            next: account_of(&tenant),
        };
        let reply = Reply::page(Page::Shown(page)).in_language(login.locale());
        Ok((reply, format!("{id} for {}", app.name)))
    }

    /// Makes one. Its text is in no other place.
    pub(in crate::run) async fn make_app_password(
        &self,
        tenant: TenantId,
        person: PersonId,
        app: AppId,
        label: String,
    ) -> Result<(AppPasswordId, String), NotMade> {
        if self.app_passwords.app_passwords(tenant, person, Some(app)).await?.len() >= MOST {
            return Err(NotMade::TooMany);
        }
        let id = AppPasswordId::random(self.services.rng.as_ref());
        let token = AppToken::new(id, self.services.rng.as_ref());
        let hash = self.hasher.hash(token.text().to_owned()).await?;
        let new = NewAppPassword { id, person, app, label, hash, expires: None };
        let mut commands = self.signals_of(tenant, person, &[Happened::password("create")]);
        commands.push(Command::KeepAppPassword(Box::new(new)));
        let unit = Unit { commands, now: self.services.clock.now() };
        match self.store.commit(tenant, unit).await {
            Ok(()) => Ok((id, token.shown())),
            Err(UnitError::Store(error)) => Err(error.into()),
            Err(UnitError::Guard(guard)) => Err(StoreError(guard.to_string()).into()),
        }
    }

    pub(in crate::run) async fn drop_app_password(
        &self,
        login: &mut Login,
        live: &LiveSession,
        object: &str,
    ) -> Result<String, Stop> {
        let (tenant, person) = (login.tenant.view.id, live.stored.person);
        let Ok(id) = object.parse::<AppPasswordId>() else { return Ok("one that is gone already".to_owned()) };
        let done = self.end_app_password(tenant, person, id).await;
        done.map_err(|error| crate::run::finish::lost(login, error))?;
        Ok(id.to_string())
    }

    /// Each node forgets what it remembers of the person's binds, too.
    pub(super) async fn end_app_password(
        &self,
        tenant: TenantId,
        person: PersonId,
        id: AppPasswordId,
    ) -> Result<(), UnitError> {
        let mut commands = self.signals_of(tenant, person, &[Happened::password("revoke")]);
        commands.push(Command::DropAppPassword { person, id });
        let unit = Unit { commands, now: self.services.clock.now() };
        self.store.commit(tenant, unit).await
    }
}
