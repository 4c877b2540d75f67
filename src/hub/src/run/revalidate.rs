//! Asks upstreams again, at a downstream refresh: somebody who was switched off there gets nothing more here.
//!
//! Of several refreshes of one session one asks, on all nodes together; the others wait for what comes of it.
//! Attributes that come with the answer pass the rules again, those of each app that refreshes. What a grant holds
//! stays as it was at the login.

mod memory;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::identity::{Attributes, UpstreamTokens};
use fedbridge_contract::ids::{LogoutId, TraceId};
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::{Clock, Egress, Grants, Revalidator, Rng, TraceEvent, Valid};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_contract::upstream::{AskedAgain, StillThere, UpstreamRefresh};

use memory::{KEPT, Memory};
pub(super) use memory::{adapters_own, keep};

use super::logout::{Asker, revoke_all, unasked_logout};
use super::snapshot::{OpenApp, OpenConnection, Ready, Snapshots, TenantSnapshot};
use super::start::lapsed;
use super::trace::Recorder;
use crate::decide::{ClientFacts, ConnectionFacts, DecideInput, Facts, ReplayInput, RequestFacts, Verdict, decide};
use crate::mapping::AppRules;
use crate::ports::{Command, KeptTokens, LoginStore, Sealer, Turn, Unit, UnitError, UpstreamTokenStore};

/// What an upstream has to answer in.
const CALL: Duration = Duration::from_secs(5);

/// How long one node has the turn: longer than a call.
const TURN: Duration = Duration::from_secs(10);

/// How often those who wait look, and for how long.
const LOOK: Duration = Duration::from_millis(50);
const LOOKS: u32 = 100;

/// When an upstream that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(60);

/// Re-validation over the snapshot in force.
#[derive(Clone)]
pub struct HubRevalidator {
    pub snapshots: Arc<Snapshots>,
    pub store: Arc<dyn LoginStore>,
    pub tokens: Arc<dyn UpstreamTokenStore>,
    pub grants: Arc<dyn Grants>,
    pub sealer: Arc<dyn Sealer>,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub recorder: Recorder,
    /// For giving tokens back.
    pub egress: Arc<dyn Egress>,
}

#[async_trait]
impl Revalidator for HubRevalidator {
    async fn revalidate(&self, tenant: &Arc<Tenant>, grant: &Grant, now: Timestamp, trace: &mut TraceLog) -> Valid {
        let Some(snapshot) = self.snapshots.current().tenant(tenant.id).cloned() else {
            return Valid::Yes { waited: false };
        };
        if matches!(Ground::of(&snapshot, grant), Ok(None)) {
            return Valid::Yes { waited: false };
        }
        let valid = match self.turn(&snapshot, grant, now).await {
            Ok(Mine::No { kept, waited }) => {
                let judged = self.by_the_last_answer(&snapshot, grant, &kept, waited).await;
                judged.unwrap_or_else(|error| Valid::Later(error.to_string()))
            }
            Ok(Mine::Ended) => Valid::No("the upstream does not know the person any more".to_owned()),
            Ok(Mine::Nothing) => self.unfounded(&snapshot, grant, now).await,
            Ok(Mine::Late) => Valid::Later("another request still asks the upstream".to_owned()),
            Ok(Mine::Yes(kept, lease)) => {
                // In a task of its own: an app that hangs up must not lose the tokens that the upstream gives.
                let (own, grant) = (self.clone(), grant.clone());
                let asked = tokio::spawn(async move { own.ask(&snapshot, &grant, *kept, lease).await });
                match asked.await {
                    Ok(Ok(valid)) => valid,
                    // Here and below the turn is not given back: it runs out by itself, and until then nobody
                    // runs into the same again.
                    Ok(Err(error)) => Valid::Later(error.to_string()),
                    Err(_) => Valid::Later("the upstream could not be asked".to_owned()),
                }
            }
            Err(error) => Valid::Later(error.to_string()),
        };
        let (outcome, allowed) = match &valid {
            Valid::Yes { .. } => ("still welcome there, as far as is known".to_owned(), true),
            Valid::No(why) | Valid::Later(why) => (why.clone(), false),
        };
        trace.decide("the upstream, asked again", outcome, allowed);
        valid
    }
}

/// Whether this request asks.
enum Mine {
    /// Until the given time.
    Yes(Box<KeptTokens>, Timestamp),
    /// Nothing is due; `waited` says whether somebody else was just asking.
    No { kept: Box<KeptTokens>, waited: bool },
    /// There is nothing to ask with.
    Nothing,
    /// Somebody else asked, and the grant is over.
    Ended,
    /// Somebody else still asks.
    Late,
}

impl HubRevalidator {
    /// Takes the turn, or waits for whoever has it.
    async fn turn(&self, tenant: &TenantSnapshot, grant: &Grant, now: Timestamp) -> Result<Mine, StoreError> {
        let (id, session) = (tenant.view.id, grant.record.session);
        let mut now = now;
        for look in 0..LOOKS {
            let lease = now + TURN;
            let turn = self.tokens.take_turn(id, session, grant.record.connection, now, lease).await?;
            // What the one before me found out may have ended the grant.
            if look > 0 && turn != Turn::Taken {
                let found = self.grants.find(id, grant.id, None, now).await?;
                if found.is_none_or(|found| found.standing.revoked) {
                    return Ok(Mine::Ended);
                }
            }
            match turn {
                Turn::NotDue(kept) => return Ok(Mine::No { kept: Box::new(kept), waited: look > 0 }),
                Turn::Nothing => return Ok(Mine::Nothing),
                Turn::Yours(kept) => return Ok(Mine::Yes(Box::new(kept), lease)),
                Turn::Taken => tokio::time::sleep(LOOK).await,
            }
            now = self.clock.now();
        }
        Ok(Mine::Late)
    }

    /// Asks, and keeps what comes of it.
    async fn ask(
        &self,
        tenant: &TenantSnapshot,
        grant: &Grant,
        kept: KeptTokens,
        lease: Timestamp,
    ) -> Result<Valid, StoreError> {
        let (id, session, now) = (tenant.view.id, grant.record.session, self.clock.now());
        let ground = match Ground::of(tenant, grant) {
            Ok(Some(ground)) => ground,
            other => {
                // The turn goes back as it was taken: the next one finds out whether it is mended.
                self.tokens.keep(id, session, lease, &kept).await?;
                return Ok(other.err().map_or(Valid::Yes { waited: true }, Valid::Later));
            }
        };
        let Some(memory) = Memory::of(&kept.tokens) else {
            // The turn is not given back: nobody else could read it either.
            return Ok(Valid::Later("what was kept of the upstream's tokens can't be read".to_owned()));
        };
        let own = adapters_own(kept.tokens.clone());
        let asked =
            AskedAgain { tenant: &tenant.view, subject: &memory.subject, authn: &memory.authn, tokens: &own, now };
        let mut event = self.event(tenant, grant, ground.open, &memory);
        if let Some(last) = self.snapshots.lapsed(id, Party::Connection(kept.connection)) {
            // Nobody knows whether its addresses are the upstream's yet, so no token goes there.
            return self.silent((tenant, grant), (kept, lease), event, ground.side, lapsed(last), &memory).await;
        }
        let said = tokio::time::timeout(CALL, ground.side.ask(asked, &mut event.steps)).await;
        let now = self.clock.now();
        let cause = match said {
            Ok(StillThere::Yes { attributes, tokens }) => {
                let memory = Memory { answered: now, ..memory };
                let answered = Answered { memory, attributes, tokens };
                return self.welcome(tenant, grant, &ground, (kept, lease), event, answered).await;
            }
            Ok(StillThere::No(error)) => {
                self.ended(grant, &mut event).await?;
                self.record(event, Outcome::Refused, error.cause.clone(), None);
                // Further grants of this session, offline ones, ask for themselves.
                self.tokens.keep(id, session, lease, &KeptTokens { due: now, ..kept }).await?;
                return Ok(Valid::No(error.cause));
            }
            Ok(StillThere::Unknown(error)) => error.cause,
            Err(_) => format!("no answer within {} s", CALL.as_secs()),
        };
        self.silent((tenant, grant), (kept, lease), event, ground.side, cause, &memory).await
    }

    /// The upstream knows the person. Where it says more, the rules have the last word.
    async fn welcome(
        &self,
        tenant: &TenantSnapshot,
        grant: &Grant,
        ground: &Ground<'_>,
        (kept, lease): (KeptTokens, Timestamp),
        mut event: TraceEvent,
        answered: Answered,
    ) -> Result<Valid, StoreError> {
        let Answered { memory, attributes, tokens } = answered;
        let now = memory.answered;
        let latest = attributes.or_else(|| memory.latest.clone());
        let (replay, denied) = match &latest {
            Some(latest) => self.decided(grant, ground, &memory, latest.clone(), &mut event.steps),
            None => (None, None),
        };
        let memory = Memory { latest, ..memory };
        let tokens = memory.around(tokens);
        // A denial may be lost on the way, and further grants of this session, offline ones, ask for themselves.
        let due = if denied.is_some() { now } else { now + ground.interval };
        let rotated = tokens.refresh_token != kept.tokens.refresh_token;
        let kept = KeptTokens { tokens, due, expires: now + KEPT, ..kept };
        let is_kept = self.tokens.keep(tenant.view.id, grant.record.session, lease, &kept).await?;
        if rotated && !is_kept {
            // Whoever took the row away meanwhile gave back what stood in it. Nobody but us knows of these.
            self.give_back(tenant, vec![kept], &mut event).await;
        }
        match denied {
            None => {
                self.record(event, Outcome::Success, String::new(), replay);
                Ok(Valid::Yes { waited: true })
            }
            Some(why) => self.denied(tenant, grant, event, why, replay).await,
        }
    }

    /// The upstream was asked a short time ago, maybe for another app. What it said then passes the rules of this
    /// one too: else an app with milder rules that asks often would keep them from ever being looked at.
    async fn by_the_last_answer(
        &self,
        tenant: &TenantSnapshot,
        grant: &Grant,
        kept: &KeptTokens,
        waited: bool,
    ) -> Result<Valid, StoreError> {
        let yes = Valid::Yes { waited };
        let (Ok(Some(ground)), Some(memory)) = (Ground::of(tenant, grant), Memory::of(&kept.tokens)) else {
            return Ok(yes);
        };
        let Some(latest) = memory.latest.clone() else { return Ok(yes) };
        let mut event = self.event(tenant, grant, ground.open, &memory);
        match self.decided(grant, &ground, &memory, latest, &mut event.steps) {
            (_, None) => Ok(yes),
            (replay, Some(why)) => self.denied(tenant, grant, event, why, replay).await,
        }
    }

    /// The rules keep the person out.
    async fn denied(
        &self,
        tenant: &TenantSnapshot,
        grant: &Grant,
        mut event: TraceEvent,
        why: String,
        replay: Option<ReplayInput>,
    ) -> Result<Valid, StoreError> {
        let given_up = self.ended(grant, &mut event).await?;
        // The upstream holds them for good, and would renew them for whoever has them.
        self.give_back(tenant, given_up, &mut event).await;
        self.record(event, Outcome::Refused, why.clone(), replay);
        Ok(Valid::No(why))
    }

    async fn give_back(&self, tenant: &TenantSnapshot, tokens: Vec<KeptTokens>, event: &mut TraceEvent) {
        for revoked in revoke_all(&self.egress, &self.snapshots, tenant, tokens, self.clock.now()).await {
            let outcome = format!("{}: {}", revoked.connection, revoked.outcome);
            event.steps.decide("the upstream's tokens", outcome, revoked.done);
        }
    }

    /// The connection asks, and there is nothing to ask with: the login is from before it did, or what was kept
    /// was taken back. Nobody can vouch for the person, and that stays so until the next login, so this grant ends.
    async fn unfounded(&self, tenant: &TenantSnapshot, grant: &Grant, now: Timestamp) -> Valid {
        match self.grants.revoke(tenant.view.id, grant.id, now).await {
            Ok(()) => Valid::No("nothing is kept that the upstream could be asked with".to_owned()),
            Err(error) => Valid::Later(error.to_string()),
        }
    }

    /// The rules, with what the upstream says now. Gives back why the person may not go on.
    fn decided(
        &self,
        grant: &Grant,
        ground: &Ground<'_>,
        memory: &Memory,
        attributes: Attributes,
        steps: &mut TraceLog,
    ) -> (Option<ReplayInput>, Option<String>) {
        let (record, view) = (&grant.record, &ground.open.view);
        let facts = Facts {
            attributes,
            subject: memory.subject.clone(),
            connection: ConnectionFacts { slug: view.slug.clone(), domains: view.domains.clone() },
            client: Some(ClientFacts { name: ground.app.view.name.clone(), scopes: record.scope.clone() }),
            user: None,
            pushed: None,
            request: RequestFacts {
                ip: memory.ip.clone(),
                time: self.clock.now(),
                scopes: record.scope.clone(),
                acr: record.acr.clone(),
                claims: Vec::new(),
            },
        };
        let input = DecideInput { facts: &facts, mapping: &ground.ready.mapping, app: ground.rules };
        let decision = decide(&input);
        let replay = ReplayInput::of(&input);
        steps.extend(decision.trace);
        let denied = match decision.verdict {
            Verdict::Allowed { .. } => None,
            Verdict::Denied(denial) => Some(denial.reason),
        };
        (Some(replay), denied)
    }

    /// The session ends with what was given out in it, and its apps are told by the outbox. Gives back the tokens
    /// of upstreams that nobody needs any more.
    async fn ended(&self, grant: &Grant, event: &mut TraceEvent) -> Result<Vec<KeptTokens>, StoreError> {
        let (tenant, session, now) = (event.tenant, grant.record.session, self.clock.now());
        let logout = LogoutId::at(now, self.rng.as_ref());
        let asker = (Asker::Withdrawn, event.id, event.person.clone());
        let open = unasked_logout(self.sealer.as_ref(), tenant, logout, session, asker, now)?;
        let unit = Unit { commands: vec![Command::EndSession(session), open], now };
        match self.store.commit(tenant, unit).await {
            Ok(()) => {}
            Err(UnitError::Store(error)) => return Err(error),
            Err(UnitError::Guard(guard)) => return Err(StoreError(guard.to_string())),
        }
        // Offline access outlives a session, but not this.
        self.grants.revoke(tenant, grant.id, now).await?;
        // Gone, unless further offline access of this session is to ask for itself.
        self.tokens.give_up(tenant, session, now).await
    }

    /// Nobody could say. For a while that changes nothing, unless the connection wants it otherwise.
    async fn silent(
        &self,
        (tenant, grant): (&TenantSnapshot, &Grant),
        (kept, lease): (KeptTokens, Timestamp),
        mut event: TraceEvent,
        side: &dyn UpstreamRefresh,
        why: String,
        memory: &Memory,
    ) -> Result<Valid, StoreError> {
        let now = self.clock.now();
        let kept = KeptTokens { due: now + AGAIN, ..kept };
        let patient = side.patience().is_some_and(|patience| now.since(memory.answered) < patience);
        let kept = if patient { kept } else { KeptTokens { due: now, ..kept } };
        self.tokens.keep(event.tenant, grant.record.session, lease, &kept).await?;
        let last = memory.answered.rfc3339_seconds();
        let outcome = match patient {
            true => format!("goes on for now: the last answer came at {last}"),
            false => format!("waits for an answer: the last one came at {last}"),
        };
        event.steps.decide("the upstream is silent", outcome, patient);
        self.record(event, Outcome::Error, why.clone(), None);
        if patient { self.by_the_last_answer(tenant, grant, &kept, true).await } else { Ok(Valid::Later(why)) }
    }

    fn event(&self, tenant: &TenantSnapshot, grant: &Grant, open: &OpenConnection, memory: &Memory) -> TraceEvent {
        let now = self.clock.now();
        let mut steps = TraceLog::new();
        steps.decide("login", format!("goes on from {}", grant.record.trace), true);
        TraceEvent {
            tenant: tenant.view.id,
            id: TraceId::at(now, self.rng.as_ref()),
            at: now,
            kind: "revalidate",
            app: tenant.view.app_by_id(grant.record.app).map(|app| app.name.clone()),
            connection: Some(open.view.slug.clone()),
            person: Some(memory.subject.display.clone()),
            peer: None,
            outcome: Outcome::Success,
            cause: String::new(),
            steps,
        }
    }

    fn record(&self, event: TraceEvent, outcome: Outcome, cause: String, replay: Option<ReplayInput>) {
        self.recorder.record_decision(TraceEvent { outcome, cause, ..event }, replay);
    }
}

/// What an upstream is asked with, and what its answer is judged by.
struct Ground<'a> {
    open: &'a OpenConnection,
    ready: &'a Ready,
    side: &'a dyn UpstreamRefresh,
    interval: Duration,
    app: &'a OpenApp,
    rules: &'a AppRules,
}

impl<'a> Ground<'a> {
    /// `None`: the connection does not ask.
    ///
    /// # Errors
    /// Why nobody can be asked or judged now. What is due waits then: it is not waved through, because nobody has
    /// said yes, and it does not end, because nobody has said no, and an administrator mends it.
    fn of(tenant: &'a TenantSnapshot, grant: &Grant) -> Result<Option<Self>, String> {
        let Some(open) = tenant.connections.get(&grant.record.connection) else { return Ok(None) };
        let Ok(ready) = &open.state else {
            return Err("the connection can't be used, so nobody can ask its upstream".to_owned());
        };
        let Some(side) = ready.adapter.refresh.as_deref() else { return Ok(None) };
        let Some(interval) = side.interval() else { return Ok(None) };
        let app = tenant.apps.get(&grant.record.app).ok_or("the app is gone")?;
        // Before the upstream is asked: its answer could not be used.
        let rules = app.whole_rules()?;
        Ok(Some(Self { open, ready, side, interval, app, rules }))
    }
}

/// What an upstream that knows the person has said.
struct Answered {
    memory: Memory,
    attributes: Option<Attributes>,
    tokens: UpstreamTokens,
}
