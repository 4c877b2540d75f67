//! The one gate before anything is issued. Every grant type and every login
//! calls it, so that switching a thing off, or killing it, holds everywhere.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::{App, Connection, Tenant};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::ids::{ConnectionId, SessionId, TenantId};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Bound, Clock, Gate, GateRefusal, WaitingAnswer};

use super::epochs::Epochs;
use crate::ports::{EpochStore, LinkedPerson, LogoutStore};

/// May something be issued? Checks that this node is up to date, then tenant, app, connection, kills, person,
/// session, grant, token, in this order.
pub struct HubGate {
    epochs: Arc<Epochs>,
    clock: Arc<dyn Clock>,
    sessions: Arc<dyn LogoutStore>,
}

impl HubGate {
    pub fn new(epochs: Arc<Epochs>, clock: Arc<dyn Clock>, sessions: Arc<dyn LogoutStore>) -> Self {
        Self { epochs, clock, sessions }
    }

    /// Learns of kills now; whoever has killed somebody calls it.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn catch_up(&self, kills: &dyn EpochStore) -> Result<(), StoreError> {
        self.epochs.catch_up(kills).await.map(drop)
    }

    /// Whether this node has heard of a kill by now.
    pub fn knows(&self, kill: Epoch) -> bool {
        !self.epochs.newest().is_before(kill)
    }

    /// For a login on its way, of whomever.
    ///
    /// # Errors
    /// The refusal.
    pub async fn login(
        &self,
        tenant: &Tenant,
        app: Option<&App>,
        connection: &Connection,
    ) -> Result<Permit, GateRefusal> {
        self.sure().await?;
        standing(tenant, app)?;
        connection_standing(app, Some(connection))?;
        Ok(Permit::assertion_of_the_gate())
    }

    /// For a login that is just ending. What it gives out carries `epoch`, which may be dead by now.
    ///
    /// # Errors
    /// The refusal.
    pub async fn ending(
        &self,
        tenant: &Tenant,
        app: Option<&App>,
        connection: &Connection,
        epoch: Epoch,
        person: &LinkedPerson,
    ) -> Result<Permit, GateRefusal> {
        let permit = self.login(tenant, app, connection).await?;
        if self.epochs.dead(epoch, tenant.id, Some(connection.id), app.map(|app| app.id), person.epoch) {
            Err(GateRefusal::Killed)
        } else if person.disabled || person.shut {
            Err(GateRefusal::PersonDisabled)
        } else {
            Ok(permit)
        }
    }

    /// Whether a session that was given out in `epoch` may still be used, by a person whose last kill was
    /// `person`.
    ///
    /// # Errors
    /// [`GateRefusal::Unsure`] and [`GateRefusal::Killed`].
    pub async fn session(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        epoch: Epoch,
        person: Epoch,
    ) -> Result<(), GateRefusal> {
        self.sure().await?;
        match self.epochs.dead(epoch, tenant, Some(connection), None, person) {
            true => Err(GateRefusal::Killed),
            false => Ok(()),
        }
    }

    /// Whether the person of a session was killed or disabled since `epoch`. Only the rows know that.
    async fn person_lives(&self, tenant: TenantId, session: SessionId, epoch: Epoch) -> Result<(), GateRefusal> {
        let found = self.sessions.session_by_id(tenant, session, self.clock.now()).await;
        let Some(stored) = found.map_err(|_| GateRefusal::Unsure)? else { return Err(GateRefusal::SessionEnded) };
        if epoch.is_before(stored.person_epoch) {
            Err(GateRefusal::Killed)
        } else if stored.person_disabled {
            Err(GateRefusal::PersonDisabled)
        } else {
            Ok(())
        }
    }

    /// Waits where this node is not up to date. How many wait is bounded as all requests are, by the connections
    /// that the server takes; one whose client gives up stops waiting.
    async fn sure(&self) -> Result<(), GateRefusal> {
        if self.epochs.sure_soon(self.clock.as_ref()).await { Ok(()) } else { Err(GateRefusal::Unsure) }
    }
}

#[async_trait]
impl Gate for HubGate {
    async fn app(&self, tenant: &Tenant, app: &App) -> Result<Permit, GateRefusal> {
        self.sure().await?;
        standing(tenant, Some(app))?;
        Ok(Permit::assertion_of_the_gate())
    }

    async fn grant(&self, tenant: &Tenant, app: &App, grant: &Grant) -> Result<Permit, GateRefusal> {
        self.sure().await?;
        standing(tenant, Some(app))?;
        let (record, standing) = (&grant.record, grant.standing);
        let connection = tenant.connection_by_id(record.connection);
        connection_standing(Some(app), connection.map(AsRef::as_ref))?;
        let (connection, app) = (Some(record.connection), Some(app.id));
        if self.epochs.dead(record.epoch, tenant.id, connection, app, standing.person_epoch) {
            Err(GateRefusal::Killed)
        } else if standing.person_disabled {
            Err(GateRefusal::PersonDisabled)
        } else if standing.revoked {
            Err(GateRefusal::GrantRevoked)
        } else if standing.token_revoked {
            Err(GateRefusal::TokenRevoked)
        } else if standing.session_ended && !record.scope.iter().any(|scope| scope == "offline_access") {
            // Offline access outlives the session on purpose (OpenID Connect Core 11).
            Err(GateRefusal::SessionEnded)
        } else {
            Ok(Permit::assertion_of_the_gate())
        }
    }

    async fn app_token(&self, tenant: &Tenant, app: &App, epoch: Epoch) -> Result<Permit, GateRefusal> {
        let permit = self.app(tenant, app).await?;
        match self.epochs.dead(epoch, tenant.id, None, Some(app.id), Epoch::default()) {
            true => Err(GateRefusal::Killed),
            false => Ok(permit),
        }
    }

    async fn waiting(&self, tenant: &Tenant, app: &App, answer: &WaitingAnswer) -> Result<Permit, GateRefusal> {
        let WaitingAnswer { epoch, connection, session } = *answer;
        let permit = self.app_token(tenant, app, epoch).await?;
        if let Some(id) = connection {
            connection_standing(Some(app), tenant.connection_by_id(id).map(AsRef::as_ref))?;
            if self.epochs.dead(epoch, tenant.id, Some(id), None, Epoch::default()) {
                return Err(GateRefusal::Killed);
            }
        }
        // While nothing at all was killed since, no person was, and no row has to be read for that.
        if let Some(session) = session.filter(|_| epoch.is_before(self.epochs.newest())) {
            self.person_lives(tenant.id, session, epoch).await?;
        }
        Ok(permit)
    }

    async fn bind(&self, bound: &Bound<'_>) -> Result<Permit, GateRefusal> {
        self.sure().await?;
        let Bound { tenant, app, connection, person_disabled, person, given_out } = *bound;
        standing(tenant, app)?;
        if let Some(id) = connection {
            connection_standing(app, tenant.connection_by_id(id).map(AsRef::as_ref))?;
        }
        if self.epochs.dead(given_out, tenant.id, connection, app.map(|app| app.id), person) {
            Err(GateRefusal::Killed)
        } else if person_disabled {
            Err(GateRefusal::PersonDisabled)
        } else {
            Ok(Permit::assertion_of_the_gate())
        }
    }

    fn epoch(&self) -> Epoch {
        self.epochs.newest()
    }
}

fn standing(tenant: &Tenant, app: Option<&App>) -> Result<(), GateRefusal> {
    if !tenant.enabled {
        Err(GateRefusal::TenantDisabled)
    } else if app.is_some_and(|app| !app.enabled) {
        Err(GateRefusal::AppDisabled)
    } else {
        Ok(())
    }
}

fn connection_standing(app: Option<&App>, connection: Option<&Connection>) -> Result<(), GateRefusal> {
    match connection {
        Some(connection) if connection.enabled && app.is_none_or(|app| app.allows(connection.id)) => Ok(()),
        _ => Err(GateRefusal::ConnectionDisabled),
    }
}
