//! Keeps apps that have a SCIM server in step with the tenant's people. A run gathers what the app should have and what it
//! has ([`gather`]), has that planned, and carries the plan out ([`tell`]). [`worker`] sees when a run is due; the command
//! line makes one at once, or only shows its plan.

mod gather;
mod subjects;
mod tell;
pub mod worker;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, PersonId, TenantId};
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::Services;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::clip;
use fedbridge_contract::upstream::{Finding, Level};
use fedbridge_hub::ports::{ProvisioningReport, ProvisioningState};
use fedbridge_hub::run::{Hub, OpenApp, TenantSnapshot};
use serde_json::json;

use crate::registry::scim_client::plan::Plan;
use crate::registry::scim_client::settings::{BEARER_TOKEN, CLIENT_SECRET};
use crate::registry::scim_client::{CallFailed, Client, ScimAppSettings, Secret, check};

/// For how long a turn is taken. A node that dies holds up the others for so long.
const TURN: Duration = Duration::from_secs(60);

/// Removals within this count for the guard.
const LATELY: Duration = Duration::from_secs(3600);

/// An app, ready to be told.
pub struct Target {
    pub hub: Arc<Hub>,
    pub tenant: Arc<TenantSnapshot>,
    pub app: Arc<OpenApp>,
    pub settings: Arc<ScimAppSettings>,
    pub client: Client,
}

/// What a run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Everybody here, and everything that the app has.
    Everything,
    /// Everybody here whom the app was last told otherwise of.
    Untold,
    /// These people.
    Changed(Vec<PersonId>),
}

/// What came of a run.
#[derive(Debug, Clone, Default)]
pub struct Ran {
    pub plan: Plan,
    pub done: u64,
    /// People who are to be tried again, with why.
    pub failed: Vec<(PersonId, String)>,
    /// Why the run did not come to its end, and how long the app wants to rest.
    pub stopped: Option<(String, Option<Duration>)>,
}

/// Why there was no run.
#[derive(Debug)]
pub enum NotRun {
    Taken,
    TurnLost,
    App(CallFailed),
    Store(StoreError),
}

impl fmt::Display for NotRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str("another node, or a command, tells the app just now"),
            Self::TurnLost => f.write_str("this node was silent for too long, and another one took over"),
            Self::App(failed) => failed.fmt(f),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl From<CallFailed> for NotRun {
    fn from(failed: CallFailed) -> Self {
        Self::App(failed)
    }
}

impl From<StoreError> for NotRun {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Target {
    /// # Errors
    /// What is wrong with the app's settings.
    pub fn open(hub: &Arc<Hub>, tenant: &Arc<TenantSnapshot>, app: &Arc<OpenApp>) -> Result<Self, String> {
        let (settings, client) = client(&hub.services, tenant, app)?;
        let (hub, tenant, app) = (Arc::clone(hub), Arc::clone(tenant), Arc::clone(app));
        Ok(Self { hub, tenant, app, settings, client })
    }

    fn key(&self) -> (TenantId, AppId) {
        (self.tenant.view.id, self.app.view.id)
    }

    fn now(&self) -> Timestamp {
        self.hub.services.clock.now()
    }

    /// With other settings everything is looked at again.
    pub fn settings_mark(&self) -> String {
        let source = self.app.rules.as_ref().map(|rules| rules.source().as_ref().clone()).ok();
        let all = json!([self.app.view.settings, source]).to_string();
        let mark = self.hub.outbound_digest(&self.tenant, &self.app, &all);
        mark.iter().take(8).map(|octet| format!("{octet:02x}")).collect()
    }

    /// Makes a run, and keeps what came of it. `allow_removals`: as many as the plan has.
    ///
    /// # Errors
    /// [`NotRun`]; what was done until then stays.
    pub async fn run(&self, scope: &Scope, allow_removals: bool) -> Result<Ran, NotRun> {
        let (tenant, app) = self.key();
        let began = self.now();
        let mut turn = Turn { lease: began + TURN };
        let before = self.hub.outbound.take_provisioning_turn(tenant, app, began, turn.lease).await?;
        let before = before.ok_or(NotRun::Taken)?;
        let ran = self.run_in(&mut turn, scope, allow_removals).await;
        let after = self.after(scope, began, &before, &ran);
        let kept = self.hub.outbound.end_provisioning_turn(tenant, app, turn.lease, &after).await;
        let ran = ran?;
        match kept? {
            true => Ok(ran),
            false => Err(NotRun::TurnLost),
        }
    }

    /// The turn is held for as long as the run takes, however long the app makes it wait. Where it is lost the run ends at
    /// once: what it leaves half done is found again.
    async fn run_in(&self, turn: &mut Turn, scope: &Scope, allow_removals: bool) -> Result<Ran, NotRun> {
        let work = async {
            let mut prepared = self.prepare(scope).await?;
            if allow_removals {
                prepared.plan.held = None;
            }
            self.tell(prepared).await
        };
        tokio::pin!(work);
        loop {
            tokio::select! {
                ran = &mut work => return ran,
                () = tokio::time::sleep(TURN / 4) => self.extend(turn).await?,
            }
        }
    }

    fn after(
        &self,
        scope: &Scope,
        began: Timestamp,
        before: &ProvisioningState,
        ran: &Result<Ran, NotRun>,
    ) -> ProvisioningState {
        let full = *scope == Scope::Everything;
        let settings = match full {
            true => self.settings_mark(),
            false => before.last.as_ref().map(|last| last.settings.clone()).unwrap_or_default(),
        };
        let mut report = ProvisioningReport { at: began, full, settings, ..ProvisioningReport::default() };
        match ran {
            Err(error) => report.stopped = Some(clip(error.to_string())),
            Ok(ran) => {
                let plan = &ran.plan;
                report.counts =
                    plan.counts().into_iter().map(|(word, count)| (word.to_owned(), count as u64)).collect();
                report.failed = ran.failed.len() as u64;
                report.drift = plan.drift().len() as u64;
                report.stopped = ran.stopped.as_ref().map(|(why, _)| clip(why.clone())).or_else(|| plan.held.clone());
            }
        }
        let ended = ran.as_ref().is_ok_and(|ran| ran.stopped.is_none());
        let nothing = ran.as_ref().is_ok_and(|ran| ran.plan.is_empty()) && !full;
        ProvisioningState {
            full_at: if full && ended { Some(began) } else { before.full_at },
            last: if nothing { before.last.clone() } else { Some(report) },
        }
    }

    async fn extend(&self, turn: &mut Turn) -> Result<(), NotRun> {
        let ((tenant, app), until) = (self.key(), self.now() + TURN);
        match self.hub.outbound.extend_provisioning_turn(tenant, app, turn.lease, until).await? {
            true => {
                turn.lease = until;
                Ok(())
            }
            false => Err(NotRun::TurnLost),
        }
    }
}

/// The right to tell the app, until then.
struct Turn {
    lease: Timestamp,
}

fn client(
    services: &Services,
    tenant: &TenantSnapshot,
    app: &OpenApp,
) -> Result<(Arc<ScimAppSettings>, Client), String> {
    let settings = ScimAppSettings::of(&app.view).map_err(|complaints| {
        let all: Vec<_> = complaints.iter().map(ToString::to_string).collect();
        all.join("; ")
    })?;
    let text = |name: &str| app.secrets.get(name).and_then(|secret| String::from_utf8(secret.clone()).ok());
    let secret = match &settings.grant {
        Some(_) => text(CLIENT_SECRET).map(Secret::Client),
        None => text(BEARER_TOKEN).map(Secret::Bearer),
    };
    let secret = secret.ok_or("it has no secret that it could be called with")?;
    let egress = services.egress_to(&tenant.view, Party::App(app.view.id));
    let (clock, rng) = (Arc::clone(&services.clock), Arc::clone(&services.rng));
    let client = Client::new(egress, Arc::clone(&settings), secret, clock, rng);
    Ok((settings, client))
}

/// Apps of a tenant that have a SCIM server and are switched on, by name.
pub fn apps(tenant: &TenantSnapshot) -> Vec<Arc<OpenApp>> {
    let told = tenant.apps.values().filter(|app| app.view.enabled && app.view.kind == AppKind::ScimApp);
    let mut told: Vec<_> = told.cloned().collect();
    told.sort_by(|one, other| one.view.name.cmp(&other.view.name));
    told
}

/// What `fedbridge check` says of an app: what it can't do, and how the last run ended.
pub async fn findings(
    services: &Services,
    tenant: &TenantSnapshot,
    app: &OpenApp,
    state: &ProvisioningState,
) -> Vec<Finding> {
    let mut findings = match client(services, tenant, app) {
        Ok((_, client)) => check(&client.without_patience()).await,
        Err(why) => vec![Finding::new(Level::Problem, why)],
    };
    if let Some(last) = &state.last {
        let at = last.at.rfc3339_seconds();
        if let Some(why) = &last.stopped {
            let name = format!("{}/{}", tenant.view.slug, app.view.name);
            let text =
                format!("the run of {at} did not do everything: {why}; see `fedbridge provisioning plan {name}`");
            findings.push(Finding::new(Level::Problem, text));
        } else if last.failed > 0 {
            let text = format!("{} steps of the run of {at} failed; they are tried again", last.failed);
            findings.push(Finding::new(Level::Warning, text));
        }
    }
    findings
}
