//! The one gate before anything is issued. Every grant type and every login
//! calls it, so that switching a thing off holds everywhere.

use fedbridge_contract::config::{App, Connection, Tenant};
use fedbridge_contract::grant::Grant;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Gate, GateRefusal};

/// May something be issued? Checks tenant, app, connection, person, session, grant, token, in this order.
pub struct HubGate;

impl HubGate {
    /// For a login that is just ending.
    pub fn login(
        tenant: &Tenant,
        app: Option<&App>,
        connection: &Connection,
        person_disabled: bool,
    ) -> Result<Permit, GateRefusal> {
        standing(tenant, app)?;
        connection_standing(app, Some(connection))?;
        if person_disabled { Err(GateRefusal::PersonDisabled) } else { Ok(Permit::assertion_of_the_gate()) }
    }
}

impl Gate for HubGate {
    fn app(&self, tenant: &Tenant, app: &App) -> Result<Permit, GateRefusal> {
        standing(tenant, Some(app))?;
        Ok(Permit::assertion_of_the_gate())
    }

    fn grant(&self, tenant: &Tenant, app: &App, grant: &Grant) -> Result<Permit, GateRefusal> {
        standing(tenant, Some(app))?;
        let connection = tenant.connection_by_id(grant.record.connection);
        connection_standing(Some(app), connection.map(AsRef::as_ref))?;
        let standing = grant.standing;
        if standing.person_disabled {
            Err(GateRefusal::PersonDisabled)
        } else if standing.revoked {
            Err(GateRefusal::GrantRevoked)
        } else if standing.token_revoked {
            Err(GateRefusal::TokenRevoked)
        } else if standing.session_ended && !grant.record.scope.iter().any(|scope| scope == "offline_access") {
            // Offline access outlives the session on purpose (OpenID Connect Core 11).
            Err(GateRefusal::SessionEnded)
        } else {
            Ok(Permit::assertion_of_the_gate())
        }
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
