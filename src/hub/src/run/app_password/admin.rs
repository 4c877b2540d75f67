//! What an administrator does about people's app passwords. It leaves the traces that the account page leaves.

use std::sync::Arc;

use fedbridge_contract::config::App;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, AppPasswordId, PersonId};
use fedbridge_contract::services::{TraceEvent, TraceSink as _};
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::manage::NotMade;
use super::takes_app_passwords;
use crate::run::Hub;
use crate::run::own::Act;
use crate::run::snapshot::TenantSnapshot;

/// Its text is in no other place.
pub struct GivenAppPassword {
    pub id: AppPasswordId,
    /// As a person types it.
    pub text: String,
}

/// Why there is no app password.
#[derive(Debug, thiserror::Error)]
pub enum AppPasswordRefused {
    #[error("the tenant shows no LDAP directory")]
    NoDirectory,
    #[error("the app takes no app passwords, or is switched off")]
    TakesNone,
    #[error("the person has as many app passwords for this app as there can be")]
    TooMany,
    #[error("too much is under way; try again")]
    Busy,
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<NotMade> for AppPasswordRefused {
    fn from(error: NotMade) -> Self {
        match error {
            NotMade::TooMany => Self::TooMany,
            NotMade::Busy => Self::Busy,
            NotMade::Store(error) => Self::Store(error),
        }
    }
}

impl Hub {
    /// Makes an app password for a person there is. It is good at all nodes at once: each bind looks for it.
    ///
    /// # Errors
    /// See [`AppPasswordRefused`].
    pub async fn give_app_password(
        &self,
        tenant: &Arc<TenantSnapshot>,
        person: PersonId,
        app: &App,
        label: String,
    ) -> Result<GivenAppPassword, AppPasswordRefused> {
        if tenant.view.settings.ldap.is_none() {
            return Err(AppPasswordRefused::NoDirectory);
        }
        if !takes_app_passwords(app) {
            return Err(AppPasswordRefused::TakesNone);
        }
        let (id, text) = self.make_app_password(tenant.view.id, person, app.id, label).await?;
        self.trace_of_app_password(tenant, person, app, (Act::NewAppPassword, format!("{id} for {}", app.name)))
            .await?;
        Ok(GivenAppPassword { id, text })
    }

    /// Takes one back, or all that a person has for an app. It is good at no node any more when they have heard of it,
    /// and so is a bind that was remembered. Gives back those that went.
    ///
    /// # Errors
    /// The store does not answer. What was taken back before that stays so.
    pub async fn take_app_passwords_back(
        &self,
        tenant: &Arc<TenantSnapshot>,
        person: PersonId,
        app: &App,
        only: Option<AppPasswordId>,
    ) -> Result<Vec<AppPasswordId>, StoreError> {
        let mut gone = Vec::new();
        for id in self.app_passwords_of(tenant, person, app.id).await? {
            if only.is_none_or(|only| only == id) {
                self.end_app_password(tenant.view.id, person, id)
                    .await
                    .map_err(|error| StoreError(error.to_string()))?;
                let what = (Act::DropAppPassword, id.to_string());
                self.trace_of_app_password(tenant, person, app, what).await?;
                gone.push(id);
            }
        }
        Ok(gone)
    }

    async fn app_passwords_of(
        &self,
        tenant: &TenantSnapshot,
        person: PersonId,
        app: AppId,
    ) -> Result<Vec<AppPasswordId>, StoreError> {
        let kept = self.app_passwords.app_passwords(tenant.view.id, person, Some(app)).await?;
        Ok(kept.into_iter().map(|one| one.id).collect())
    }

    async fn trace_of_app_password(
        &self,
        tenant: &TenantSnapshot,
        person: PersonId,
        app: &App,
        (act, done): (Act, String),
    ) -> Result<(), StoreError> {
        let shown = self.people.identities(tenant.view.id, person).await?.into_iter().next();
        let mut steps = TraceLog::new();
        steps.decide("asked by", "an administrator", true);
        steps.decide(act.path(), done, true);
        self.recorder.record(TraceEvent {
            tenant: tenant.view.id,
            id: self.new_trace_id(),
            at: self.services.clock.now(),
            kind: "account",
            app: Some(app.name.clone()),
            connection: None,
            person: shown.map(|identity| identity.display),
            peer: None,
            outcome: Outcome::Success,
            cause: String::new(),
            steps,
        });
        Ok(())
    }
}
