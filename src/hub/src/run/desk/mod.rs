//! Who may bind over LDAP.
//!
//! An [`app`] has a secret of its own. A [`person`] has the password of the connection that they come from, which is
//! asked each time, perhaps with a code behind it, or an app password of ours; which of these an app takes is among
//! its settings. Limits are those of the web: both count together. Somebody who is nobody here yet is asked about at
//! the connections, and [appears](newcomer) as by a login.

mod app;
mod change;
mod newcomer;
mod person;
mod upstream;

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::directory::{BindAnswer, BindDesk, PassThrough, Peer, PersonBind};
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::password::Password;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Bound, Gate as _, GateRefusal};
use fedbridge_contract::trace::TraceLog;

use super::Hub;

/// See the module's text.
pub struct HubDesk {
    pub hub: Arc<Hub>,
}

#[async_trait]
impl BindDesk for HubDesk {
    async fn app(&self, tenant: &Tenant, app: &App, password: &Password, peer: Peer) -> BindAnswer {
        self.hub.bind_app(tenant, app, password, peer).await
    }

    async fn person(&self, ask: PersonBind<'_>, trace: &mut TraceLog) -> BindAnswer {
        self.hub.bind_person(ask, trace).await
    }

    async fn still(&self, ask: &PersonBind<'_>) -> Result<Permit, GateRefusal> {
        // Kills since the yes was given are the server's to know: it kept what it knew then.
        let given_out = self.hub.gate.epoch();
        let Some(person) = ask.person else { return Err(GateRefusal::PersonDisabled) };
        if let Some(app) = ask.app
            && self.hub.outside_of(ask.tenant, app, &person.claims, &mut TraceLog::new()).is_some()
        {
            return Err(GateRefusal::PersonDisabled);
        }
        let bound = Bound {
            tenant: ask.tenant,
            app: ask.app,
            connection: None,
            person_disabled: person.disabled,
            person: person.epoch,
            given_out,
        };
        self.hub.gate.bind(&bound).await
    }

    async fn change(&self, ask: PersonBind<'_>, new: &Password, trace: &mut TraceLog) -> BindAnswer {
        self.hub.change_by_bind(ask, new, trace).await
    }

    fn pass_through(&self, tenant: TenantId, connection: ConnectionId) -> Option<Arc<dyn PassThrough>> {
        let snapshot = self.hub.snapshots.current();
        let open = snapshot.tenant(tenant)?.connections.get(&connection)?;
        let ready = open.state.as_ref().ok().filter(|_| open.view.enabled)?;
        ready.adapter.pass_through.clone()
    }
}

/// What the gate's no means for a bind.
fn refused(refusal: GateRefusal) -> BindAnswer {
    match refusal {
        GateRefusal::Unsure => BindAnswer::Unavailable(refusal.to_string()),
        _ => BindAnswer::No(refusal.to_string()),
    }
}
