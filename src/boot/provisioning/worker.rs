//! Sees whom an app has to be told of: whoever changes, at once; whoever the app was last told otherwise of, when the
//! server starts; and everybody from time to time, with a look at everything that the app has. Every node sees it, and
//! whoever takes the turn in the store tells the app; for the others there is nothing left to tell.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::directory::{DirectoryFeed, Mark};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, PersonId, TenantId};
use fedbridge_contract::services::{Clock, Gate as _};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::run::{Hub, HubFeed, OpenApp, TenantSnapshot};
use tokio::task::JoinSet;

use crate::foundation::Foundation;
use crate::registry::scim_client::CallFailed;

use super::tell::left;
use super::{NotRun, Ran, Scope, Target, apps};

/// How often it is looked whether a run is due, where nobody has changed.
const TICK: Duration = Duration::from_millis(250);

/// Apps that one node tells at the same time. Most of the time they are waited for.
const AT_ONCE: usize = 32;

/// So many of them are one tenant's, so that a tenant with slow apps holds up its own alone.
const OF_ONE_TENANT: usize = 4;

/// After this, where somebody else has the turn.
const TAKEN: Duration = Duration::from_secs(1);

/// The first pause after a failure. Each further one doubles it.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

pub struct Worker {
    hub: Arc<Hub>,
    feed: Arc<dyn DirectoryFeed>,
    clock: Arc<dyn Clock>,
    marks: HashMap<TenantId, Mark>,
    known: HashMap<Key, Standing>,
    runs: JoinSet<(Scope, Result<Outcome, String>)>,
    /// Whose runs they are.
    running: HashMap<tokio::task::Id, Key>,
    /// How often it was looked whose run is due.
    looks: usize,
}

type Key = (TenantId, AppId);

/// What is known of one app.
struct Standing {
    running: bool,
    /// By the steady clock: the app hears nothing before.
    rest_until: Duration,
    /// Runs that did not come to their end, one after another.
    failures: u32,
    /// As it was configured then.
    app: Option<Arc<OpenApp>>,
    /// Nobody has looked yet whom it was told otherwise of.
    untold: bool,
    changed: HashSet<PersonId>,
    /// Those whom the app could not be told of: one whom it never takes delays nobody else.
    again: HashMap<PersonId, Again>,
    /// When everything is due, as far as the store was asked, and by which settings.
    due: Option<(Timestamp, String)>,
}

/// Somebody who is to be tried again.
struct Again {
    at: Duration,
    failures: u32,
}

/// What a run leaves to be done.
#[derive(Default)]
struct Outcome {
    again: Vec<PersonId>,
    /// The whole run is to be made again.
    whole: bool,
    taken: bool,
    rest: Option<Duration>,
}

impl Worker {
    pub fn new(hub: &Arc<Hub>, foundation: &Foundation) -> Self {
        let feed = HubFeed::new(
            Arc::clone(&hub.snapshots),
            Arc::clone(&foundation.store) as _,
            Arc::clone(&foundation.system) as _,
            Arc::clone(&foundation.epochs),
            Arc::clone(&foundation.clock),
        );
        Self {
            hub: Arc::clone(hub),
            feed: Arc::new(feed.of_tenants_that_tell_apps()),
            clock: Arc::clone(&foundation.clock),
            marks: HashMap::new(),
            known: HashMap::new(),
            runs: JoinSet::new(),
            running: HashMap::new(),
            looks: 0,
        }
    }

    /// Goes on for ever.
    pub async fn run(mut self) {
        loop {
            if self.feed.tenants().is_empty() {
                tokio::time::sleep(TICK).await;
            } else {
                self.feed.wake(TICK).await;
            }
            self.take_ended();
            let told = self.told();
            self.known
                .retain(|key, standing| standing.running || told.iter().any(|(tenant, app)| id(tenant, app) == *key));
            for (tenant, app) in &told {
                self.known.entry(id(tenant, app)).or_insert_with(Standing::new);
            }
            self.hear().await;
            // Another one comes first each time, where there is no room for all.
            self.looks = self.looks.wrapping_add(1);
            let first = self.looks.checked_rem(told.len()).unwrap_or_default();
            let (before, behind) = told.split_at(first);
            for (tenant, app) in behind.iter().chain(before) {
                self.begin_if_due(tenant, app).await;
            }
        }
    }

    /// Apps that are switched on, of tenants that are.
    fn told(&self) -> Vec<(Arc<TenantSnapshot>, Arc<OpenApp>)> {
        let snapshot = self.hub.snapshots.current();
        let tenants = snapshot.tenants().filter(|tenant| tenant.view.enabled);
        tenants.flat_map(|tenant| apps(tenant).into_iter().map(|app| (Arc::clone(tenant), app))).collect()
    }

    /// Who has changed since the last look.
    async fn hear(&mut self) {
        for tenant in self.feed.tenants() {
            let now = Mark { at: self.clock.now(), epoch: self.hub.gate.epoch() };
            let mark = *self.marks.entry(tenant.id).or_insert(now);
            match self.feed.changed(tenant.id, mark).await {
                Ok(changes) => {
                    self.marks.insert(tenant.id, changes.mark);
                    let people = changes.people.iter().map(|person| person.id).chain(changes.deleted);
                    let people: Vec<PersonId> = people.collect();
                    for (_, standing) in self.known.iter_mut().filter(|((id, _), _)| *id == tenant.id) {
                        standing.changed.extend(&people);
                    }
                }
                Err(error) => {
                    tracing::warn!(tenant = %tenant.slug, %error, "who has changed is not known; it is asked again")
                }
            }
        }
    }

    async fn begin_if_due(&mut self, tenant: &Arc<TenantSnapshot>, app: &Arc<OpenApp>) {
        let (key, now) = (id(tenant, app), self.clock.steady());
        let has_room = self.has_room(tenant.view.id);
        let Some(standing) = self.known.get_mut(&key) else { return };
        standing.configured(app);
        let looks = !standing.running && standing.rest_until <= now && has_room;
        if !looks {
            return;
        }
        let target = match Target::open(&self.hub, tenant, app) {
            Ok(target) => target,
            Err(why) => {
                tracing::warn!(tenant = %tenant.view.slug, app = %app.view.name, %why, "an app can't be told of anybody");
                standing.rest_until = now + LONGEST_PAUSE;
                return;
            }
        };
        let everything = match standing.everything_is_due(&target).await {
            Ok(due) => due,
            Err(error) => {
                tracing::warn!(%error, "whether an app is to be looked at is not known");
                standing.rest_until = now + FIRST_PAUSE;
                return;
            }
        };
        let due = standing.due_people(now);
        let scope = match (everything, standing.untold) {
            (true, _) => Scope::Everything,
            (false, true) => Scope::Untold,
            (false, false) if due.is_empty() => return,
            (false, false) => Scope::Changed(due),
        };
        // A run over everybody tells these, too.
        standing.changed.clear();
        (standing.untold, standing.running) = (false, true);
        let run = self.runs.spawn(async move {
            let ran = target.run(&scope, false).await;
            tell(&target, &scope, &ran);
            (scope, outcome(ran))
        });
        self.running.insert(run.id(), key);
    }

    fn has_room(&self, tenant: TenantId) -> bool {
        let of_tenant = self.running.values().filter(|(of, _)| *of == tenant).count();
        self.running.len() < AT_ONCE && of_tenant < OF_ONE_TENANT
    }

    fn take_ended(&mut self) {
        while let Some(ended) = self.runs.try_join_next_with_id() {
            let (id, (scope, outcome)) = match ended {
                Ok(ended) => ended,
                Err(panicked) => {
                    tracing::error!(%panicked, "telling an app broke off");
                    // What it was about is lost with it, so everybody is looked at.
                    (panicked.id(), (Scope::Untold, Err(panicked.to_string())))
                }
            };
            let (key, now) = (self.running.remove(&id), self.clock.steady());
            if let Some(standing) = key.and_then(|key| self.known.get_mut(&key)) {
                standing.ended(scope, outcome.unwrap_or_else(|_| Outcome { whole: true, ..Outcome::default() }), now);
            }
        }
    }
}

impl Standing {
    fn new() -> Self {
        Self {
            running: false,
            rest_until: Duration::ZERO,
            failures: 0,
            app: None,
            untold: true,
            changed: HashSet::new(),
            again: HashMap::new(),
            due: None,
        }
    }

    /// Whoever mends the configuration need not wait.
    fn configured(&mut self, app: &Arc<OpenApp>) {
        if !self.app.as_ref().is_some_and(|before| Arc::ptr_eq(before, app)) {
            (self.rest_until, self.failures) = (Duration::ZERO, 0);
            self.again.values_mut().for_each(|again| again.at = Duration::ZERO);
            self.app = Some(Arc::clone(app));
        }
    }

    fn due_people(&self, now: Duration) -> Vec<PersonId> {
        let again = self.again.iter().filter(|(_, again)| again.at <= now).map(|(person, _)| *person);
        let mut all: Vec<PersonId> = self.changed.iter().copied().chain(again).collect();
        all.sort_unstable();
        all.dedup();
        all
    }

    /// It was never looked at, not for long, or with other settings. The store is asked only where that may be.
    async fn everything_is_due(&mut self, target: &Target) -> Result<bool, StoreError> {
        let (mark, now) = (target.settings_mark(), target.now());
        if self.due.as_ref().is_some_and(|(at, by)| *at > now && *by == mark) {
            return Ok(false);
        }
        let (tenant, app) = target.key();
        let state = target.hub.outbound.provisioning_state(tenant, app).await?;
        let by_these = state.last.is_some_and(|last| last.settings == mark);
        let at = state.full_at.filter(|_| by_these).map(|at| at + target.settings.reconcile);
        self.due = at.map(|at| (at, mark));
        Ok(at.is_none_or(|at| at <= now))
    }

    fn ended(&mut self, scope: Scope, outcome: Outcome, now: Duration) {
        self.running = false;
        let failed: HashSet<PersonId> = outcome.again.into_iter().collect();
        if !outcome.whole {
            match &scope {
                Scope::Changed(people) => self.again.retain(|who, _| failed.contains(who) || !people.contains(who)),
                Scope::Everything | Scope::Untold => self.again.retain(|who, _| failed.contains(who)),
            }
        }
        for person in failed {
            let again = self.again.entry(person).or_insert(Again { at: now, failures: 0 });
            again.failures = again.failures.saturating_add(1);
            again.at = now + pause(again.failures);
        }
        if outcome.whole {
            match scope {
                Scope::Changed(people) => self.changed.extend(people),
                Scope::Everything | Scope::Untold => self.untold = true,
            }
        }
        self.failures = if !outcome.whole || outcome.taken { 0 } else { self.failures.saturating_add(1) };
        let pause = if outcome.taken { TAKEN } else { pause(self.failures) };
        self.rest_until = now.saturating_add(outcome.rest.unwrap_or_default().max(pause));
    }
}

/// Before the next try, after so many failures.
fn pause(failures: u32) -> Duration {
    match failures {
        0 => Duration::ZERO,
        failures => FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(failures.min(16) - 1)).min(LONGEST_PAUSE),
    }
}

fn id(tenant: &TenantSnapshot, app: &OpenApp) -> Key {
    (tenant.view.id, app.view.id)
}

fn outcome(ran: Result<Ran, NotRun>) -> Result<Outcome, String> {
    match ran {
        Ok(ran) => {
            let rest = ran.stopped.as_ref().and_then(|(_, rest)| *rest);
            Ok(Outcome { again: left(&ran), whole: ran.stopped.is_some(), taken: false, rest })
        }
        Err(NotRun::Taken) => Ok(Outcome { whole: true, taken: true, ..Outcome::default() }),
        Err(NotRun::App(CallFailed::Rest(rest))) => Ok(Outcome { whole: true, rest: Some(rest), ..Outcome::default() }),
        Err(error) => Err(error.to_string()),
    }
}

fn tell(target: &Target, scope: &Scope, ran: &Result<Ran, NotRun>) {
    let (tenant, app) = (&target.tenant.view.slug, &target.app.view.name);
    match ran {
        Ok(ran) => {
            if let Some(why) = &ran.plan.held {
                tracing::error!(%tenant, %app, %why, "nobody is removed from an app; look at `fedbridge provisioning plan`, \
                    then run `fedbridge provisioning run --allow-removals`");
            }
            if let Some((why, _)) = &ran.stopped {
                tracing::warn!(%tenant, %app, %why, "telling an app was broken off; it goes on later");
            }
            let (done, failed, drift) = (ran.done, ran.failed.len(), ran.plan.drift().len());
            if done > 0 || failed > 0 || *scope == Scope::Everything {
                tracing::info!(%tenant, %app, done, failed, drift, "an app was told of people");
            }
        }
        Err(NotRun::Taken) => tracing::debug!(%tenant, %app, "another node tells the app"),
        Err(error) => tracing::warn!(%tenant, %app, %error, "an app could not be told; it is tried again"),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_failure_is_tried_again_later_and_later() {
        let who = PersonId::from_uuid(Uuid::from_u128(1));
        let failed = || Outcome { again: vec![who], ..Outcome::default() };
        let (mut standing, seconds) = (Standing::new(), Duration::from_secs);
        standing.untold = false;
        let mut pauses = Vec::new();
        for _ in 0..12 {
            standing.running = true;
            standing.ended(Scope::Changed(vec![who]), failed(), seconds(100));
            // Nobody else waits for it.
            assert_eq!((standing.running, standing.rest_until), (false, seconds(100)));
            pauses.push(standing.again[&who].at.as_secs() - 100);
        }
        assert_eq!(pauses[..4], [2, 4, 8, 16]);
        assert_eq!(pauses[11], 600);
        assert_eq!((standing.due_people(seconds(699)), standing.due_people(seconds(700))), (vec![], vec![who]));
        let other = PersonId::from_uuid(Uuid::from_u128(2));
        standing.ended(Scope::Changed(vec![other]), Outcome::default(), seconds(100));
        assert_eq!(standing.again.len(), 1, "of this one nothing was said");
        standing.ended(Scope::Changed(vec![who]), Outcome::default(), seconds(100));
        assert_eq!((standing.rest_until, standing.failures, standing.again.len()), (seconds(100), 0, 0));
        let whole = || Outcome { whole: true, ..Outcome::default() };
        for want in [102, 104, 108] {
            standing.ended(Scope::Untold, whole(), seconds(100));
            assert_eq!((standing.rest_until, standing.untold), (seconds(want), true));
        }
        let taken = Outcome { whole: true, taken: true, ..Outcome::default() };
        standing.ended(Scope::Everything, taken, seconds(100));
        assert_eq!((standing.rest_until, standing.untold), (seconds(101), true));
        let rest = Outcome { whole: true, rest: Some(seconds(3600)), ..Outcome::default() };
        standing.ended(Scope::Changed(vec![who]), rest, seconds(100));
        assert_eq!((standing.rest_until, standing.changed.len()), (seconds(3700), 1));
    }
}
