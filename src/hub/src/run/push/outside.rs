//! Whoever loses a group that an app asks for loses what the app was given, and not only at its next refresh.

use fedbridge_contract::current::Current;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;

use super::change::Pushing;
use crate::run::Hub;

impl Hub {
    /// Behind a change of what is said of somebody. Where this fails, each use of a grant finds it out by itself.
    pub(super) async fn end_what_is_outside(&self, at: &Pushing<'_>, person: PersonId) {
        if let Err(error) = self.revoked_outside(at, person).await {
            tracing::warn!(%error, "grants of somebody who has lost a group could not be revoked yet");
        }
    }

    async fn revoked_outside(&self, at: &Pushing<'_>, person: PersonId) -> Result<(), StoreError> {
        let asks = |app: &crate::run::OpenApp| app.rules.as_ref().is_ok_and(|rules| !rules.groups.is_empty());
        if !at.tenant.apps.values().any(|app| asks(app)) {
            return Ok(());
        }
        let tenant = at.place.tenant;
        for id in self.people.unrevoked(tenant, person, at.now).await? {
            let Some(grant) = self.services.grants.find(tenant, id, None, at.now).await? else { continue };
            let current = self.services.current_claims.current(&at.tenant.view, &grant, at.now).await;
            if let Current::Denied(why) = current {
                self.services.grants.revoke(tenant, id, at.now).await?;
                tracing::info!(grant = %id, %why, "revoked: the person is outside of the app by now");
            }
        }
        Ok(())
    }
}
