//! What is said now of somebody whom a directory pushes: to rules, at a login; and to apps, between logins.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::current::{Current, CurrentClaims};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::push::{Precedence, PushPlace, PushServer, RecordKind};
use fedbridge_contract::time::Timestamp;
use serde_json::Value;

use crate::decide::{DecideInput, Facts, PushedFacts, Verdict, decide};
use crate::ports::{ProfileSource, ProfileStore, PushedStore};
use crate::run::snapshot::{OpenConnection, Snapshots, TenantSnapshot};

/// What a directory says of somebody.
#[derive(Clone)]
pub(in crate::run) struct SaidByPush {
    /// The record, as rules see it.
    pub user: Value,
    pub claims: PushedFacts,
}

impl SaidByPush {
    /// Of two directories the one that pushed the person first. Nothing is asked where the tenant has none.
    pub async fn of(
        pushed: &dyn PushedStore,
        profiles: &dyn ProfileStore,
        tenant: &TenantSnapshot,
        person: PersonId,
    ) -> Result<Option<Self>, StoreError> {
        if !tenant.connections.values().any(|open| pushes(open)) {
            return Ok(None);
        }
        let id = tenant.view.id;
        let records = pushed.of_person(id, person).await?;
        let Some((place, stored)) = records.into_iter().find(|(_, stored)| stored.active) else { return Ok(None) };
        let Some(open) = tenant.connections.get(&place.connection) else { return Ok(None) };
        let key = stored.record.id.to_string();
        let said = profiles.profiles_of(id, person).await?.into_iter().find(|said| {
            said.source == ProfileSource::Push && said.connection == place.connection && said.subject_key == key
        });
        let Some(said) = said else { return Ok(None) };
        let claims = said.profile.claims;
        let groups = claims.get("groups").is_some() || has_groups(pushed, place).await?;
        let connection = &open.view;
        let claims = PushedFacts {
            connection: connection.slug.clone(),
            domains: connection.domains.clone(),
            claims,
            groups,
            precedence: precedence(open),
        };
        Ok(Some(Self { user: stored.record.document, claims }))
    }

    pub fn put(self, facts: &mut Facts) {
        facts.user = Some(self.user);
        facts.pushed = Some(self.claims);
    }
}

fn pushes(open: &OpenConnection) -> bool {
    match &open.state {
        Ok(ready) => ready.adapter.push.is_some(),
        // What was pushed before it broke still counts.
        Err(_) => !open.can_log_in,
    }
}

fn precedence(open: &OpenConnection) -> Precedence {
    let server = open.state.as_ref().ok().and_then(|ready| ready.adapter.push.as_deref());
    server.map(|server: &dyn PushServer| server.belonging().precedence.clone()).unwrap_or_default()
}

async fn has_groups(pushed: &dyn PushedStore, place: PushPlace) -> Result<bool, StoreError> {
    Ok(!pushed.page(place, RecordKind::Group, None, 1).await?.is_empty())
}

/// The claims of grants, decided anew over what is pushed by now.
pub struct HubCurrentClaims {
    pub snapshots: Arc<Snapshots>,
    pub pushed: Arc<dyn PushedStore>,
    pub profiles: Arc<dyn ProfileStore>,
}

#[async_trait]
impl CurrentClaims for HubCurrentClaims {
    async fn current(&self, tenant: &Arc<Tenant>, grant: &Grant, now: Timestamp) -> Current {
        let Some(basis) = &grant.record.basis else { return Current::AsGranted };
        match self.decided(tenant, grant, basis, now).await {
            Ok(current) => current,
            Err(why) => Current::Unknown(why),
        }
    }
}

impl HubCurrentClaims {
    /// # Errors
    /// Nobody can say.
    async fn decided(
        &self,
        tenant: &Arc<Tenant>,
        grant: &Grant,
        basis: &Value,
        now: Timestamp,
    ) -> Result<Current, String> {
        let record = &grant.record;
        let snapshot = self.snapshots.current();
        let tenant = snapshot.tenant(tenant.id).ok_or("the tenant is gone")?;
        let open = tenant.connections.get(&record.connection).ok_or("the connection is gone")?;
        let ready = open.state.as_ref().map_err(|_| "the connection's configuration is broken")?;
        let rules = tenant.apps.get(&record.app).ok_or("the app is gone")?.whole_rules()?;
        let mut facts: Facts =
            serde_json::from_value(basis.clone()).map_err(|_| "what the login rested on can't be read")?;
        facts.request.time = now;
        let said = SaidByPush::of(self.pushed.as_ref(), self.profiles.as_ref(), tenant, record.person).await;
        if let Some(said) = said.map_err(|error| error.to_string())? {
            said.put(&mut facts);
        }
        let decision = decide(&DecideInput { facts: &facts, mapping: &ready.mapping, app: rules });
        Ok(match decision.verdict {
            Verdict::Allowed { released } if released == record.claims => Current::AsGranted,
            Verdict::Allowed { released } => Current::Changed(released),
            Verdict::Denied(denial) => Current::Denied(denial.reason),
        })
    }
}
