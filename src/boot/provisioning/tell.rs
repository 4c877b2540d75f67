//! Carries a plan out, a few steps beside each other. What the app has then is noted before the next steps, so that a
//! process that dies on the way forgets little, and what it forgets is found again by the app's own word.

use std::collections::BTreeSet;

use fedbridge_contract::ids::{GroupId, PersonId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ProvisionedKind, ProvisionedLink};
use fedbridge_hub::run::ToldApp;
use futures_util::{StreamExt, stream};
use metrics::counter;
use uuid::Uuid;

use crate::registry::scim_client::CallFailed;
use crate::registry::scim_client::carry::{Done, Sent};
use crate::registry::scim_client::plan::{GroupAct, GroupStep, UserAct, UserStep};

use super::gather::Prepared;
use super::subjects::{person, told};
use super::{NotRun, Ran, Target};

/// Steps that are noted together.
const CHUNK: usize = 20;

/// Calls beside each other.
const AT_ONCE: usize = 4;

/// What came of one step.
struct Carried<'p> {
    step: &'p UserStep,
    sent: Vec<Sent>,
    done: Result<Done, CallFailed>,
}

impl Target {
    pub(super) async fn tell(&self, mut prepared: Prepared) -> Result<Ran, NotRun> {
        let plan = std::mem::take(&mut prepared.plan);
        let mut ran = Ran::default();
        // Those of one kind beside each other, one kind after another.
        'all: for kind in plan.users.chunk_by(|one, other| one.act.word() == other.act.word()) {
            for some in kind.chunks(CHUNK) {
                let mut due = Vec::with_capacity(some.len());
                for step in some {
                    if !plan.holds(step) && !matches!(step.act, UserAct::Nothing | UserAct::Refuse) {
                        due.push(self.carry(step));
                    }
                }
                let carried: Vec<Carried<'_>> = stream::iter(due).buffer_unordered(AT_ONCE).collect().await;
                self.note(carried, &mut prepared, &mut ran).await?;
                if ran.stopped.is_some() {
                    break 'all;
                }
            }
        }
        for step in &plan.groups {
            if ran.stopped.is_some() {
                break;
            }
            self.tell_group(step, &mut prepared, &mut ran).await?;
        }
        ran.plan = plan;
        Ok(ran)
    }

    async fn carry<'p>(&self, step: &'p UserStep) -> Carried<'p> {
        let mut sent = Vec::new();
        let done = self.client.carry_user(step, &mut sent).await;
        Carried { step, sent, done }
    }

    async fn note(&self, carried: Vec<Carried<'_>>, prepared: &mut Prepared, ran: &mut Ran) -> Result<(), NotRun> {
        let ((tenant, app), now) = (self.key(), self.now());
        let mut links = Vec::new();
        for Carried { step, sent, done } in carried {
            let key = step.key;
            let before = prepared.links.get(&key).cloned();
            let digest = prepared.subjects.get(&key).and_then(|subject| subject.digest);
            match &done {
                Ok(Done::Has { remote, on }) => {
                    ran.done += u64::from(step.act.is_call());
                    prepared.people.insert(key, remote.clone());
                    links.push(told(key, before.as_ref(), (remote.clone(), *on), digest, now));
                }
                Ok(Done::Gone) => {
                    ran.done += u64::from(step.act.is_call());
                    prepared.people.remove(&key);
                    prepared.links.remove(&key);
                    self.hub.outbound.forget_provisioned(tenant, app, ProvisionedKind::User, key).await?;
                }
                Ok(Done::Nothing) => {}
                Err(failed) => {
                    ran.failed.push((person(key), failed.to_string()));
                    // Nobody knows now what the app has.
                    links.extend(before.map(|before| ProvisionedLink { digest: None, ..before }));
                    if failed.ends_the_run() {
                        let rest = if let CallFailed::Rest(rest) = failed { Some(*rest) } else { None };
                        ran.stopped.get_or_insert((failed.to_string(), rest));
                    }
                }
            }
            if step.act.is_call() {
                self.record_user(step, prepared, sent, done.err());
            }
        }
        self.hub.outbound.keep_provisioned(tenant, app, ProvisionedKind::User, &links).await?;
        prepared.links.extend(links.into_iter().map(|link| (link.subject, link)));
        Ok(())
    }

    async fn tell_group(&self, step: &GroupStep, prepared: &mut Prepared, ran: &mut Ran) -> Result<(), NotRun> {
        let ((tenant, app), now) = (self.key(), self.now());
        let (mut sent, kind) = (Vec::new(), ProvisionedKind::Group);
        let done = self.client.carry_group(step, &prepared.people, &mut sent).await;
        match &done {
            Ok(Done::Has { remote, .. }) => {
                ran.done += 1;
                let before = prepared.group_links.get(&step.key);
                let ours = matches!(step.act, GroupAct::Create(_)) || before.is_some_and(|before| before.on);
                let (subject, groups) = (step.key, Vec::new());
                let link =
                    ProvisionedLink { subject, remote: remote.clone(), on: ours, digest: None, groups, changed: now };
                self.hub.outbound.keep_provisioned(tenant, app, kind, std::slice::from_ref(&link)).await?;
                self.note_members(step, prepared, now).await?;
            }
            Ok(Done::Gone) => {
                ran.done += u64::from(step.act.is_call());
                self.hub.outbound.forget_provisioned(tenant, app, kind, step.key).await?;
                self.note_nobody(GroupId::from_uuid(step.key), prepared).await?;
            }
            Ok(Done::Nothing) => {}
            Err(failed) => {
                if failed.status() == Some(404) {
                    // It is gone there: the next run finds that, or makes it anew.
                    self.hub.outbound.forget_provisioned(tenant, app, kind, step.key).await?;
                    self.note_nobody(GroupId::from_uuid(step.key), prepared).await?;
                }
                let tried: Vec<Uuid> = match &step.act {
                    GroupAct::Create(members) => members.clone(),
                    GroupAct::Update(change) => {
                        change.add.iter().copied().chain(change.remove.iter().map(|(key, _)| *key)).collect()
                    }
                    _ => Vec::new(),
                };
                ran.failed.extend(tried.into_iter().map(|key| (person(key), failed.to_string())));
                if failed.ends_the_run() {
                    let rest = if let CallFailed::Rest(rest) = failed { Some(*rest) } else { None };
                    ran.stopped.get_or_insert((failed.to_string(), rest));
                }
            }
        }
        if step.act.is_call() {
            self.record_group(step, sent, done.err());
        }
        Ok(())
    }

    /// Who came into a group, and who left it.
    async fn note_members(&self, step: &GroupStep, prepared: &mut Prepared, now: Timestamp) -> Result<(), NotRun> {
        let group = GroupId::from_uuid(step.key);
        let (come, go): (Vec<Uuid>, BTreeSet<Uuid>) = match &step.act {
            GroupAct::Create(members) => (members.clone(), BTreeSet::new()),
            GroupAct::Update(change) => (change.add.clone(), change.remove.iter().map(|(key, _)| *key).collect()),
            _ => return Ok(()),
        };
        let there = |key: &Uuid| prepared.people.contains_key(key);
        let come: BTreeSet<Uuid> = come.into_iter().filter(there).collect();
        self.note_group(prepared, &come, &go, group, now).await
    }

    async fn note_nobody(&self, group: GroupId, prepared: &mut Prepared) -> Result<(), NotRun> {
        let all =
            prepared.links.values().filter(|link| link.groups.contains(&group)).map(|link| link.subject).collect();
        self.note_group(prepared, &BTreeSet::new(), &all, group, self.now()).await
    }

    async fn note_group(
        &self,
        prepared: &mut Prepared,
        come: &BTreeSet<Uuid>,
        go: &BTreeSet<Uuid>,
        group: GroupId,
        now: Timestamp,
    ) -> Result<(), NotRun> {
        let (tenant, app) = self.key();
        let mut links = Vec::new();
        for key in come.iter().chain(go) {
            let Some(link) = prepared.links.get_mut(key) else { continue };
            let before = link.groups.clone();
            link.groups.retain(|it| *it != group);
            if come.contains(key) {
                link.groups.push(group);
            }
            if link.groups != before {
                link.changed = if link.on { now } else { link.changed };
                links.push(link.clone());
            }
        }
        Ok(self.hub.outbound.keep_provisioned(tenant, app, ProvisionedKind::User, &links).await?)
    }

    fn record_user(&self, step: &UserStep, prepared: &Prepared, sent: Vec<Sent>, failed: Option<CallFailed>) {
        let values = match &step.act {
            UserAct::Create(desired) => {
                let there = desired.values.iter().filter(|one| one.value.is_some());
                there.map(|one| (one.path.to_string(), Some(one.claim.clone()), one.value.clone())).collect()
            }
            act => {
                let changes = act.changes().iter();
                changes.map(|it| (it.path.to_string(), it.claim.clone(), it.after.clone())).collect()
            }
        };
        let rules = prepared.subjects.get(&step.key).map(|subject| subject.rules.clone()).unwrap_or_default();
        let what = format!("{} user", step.act.word());
        self.record(ToldApp { what, rules, values, ..self.told(&step.name, &step.why) }, sent, failed);
    }

    fn record_group(&self, step: &GroupStep, sent: Vec<Sent>, failed: Option<CallFailed>) {
        let what = format!("{} group", step.act.word());
        self.record(ToldApp { what, ..self.told(&step.name, &step.why) }, sent, failed);
    }

    fn told(&self, subject: &str, why: &str) -> ToldApp {
        let app = self.app.view.name.clone();
        ToldApp { app, subject: subject.to_owned(), why: why.to_owned(), ..ToldApp::default() }
    }

    fn record(&self, told: ToldApp, sent: Vec<Sent>, failed: Option<CallFailed>) {
        let (tenant, app) = (self.tenant.view.slug.clone(), self.app.view.name.clone());
        let result = if failed.is_some() { "failed" } else { "done" };
        counter!("fedbridge_provisioning_steps_total", "tenant" => tenant, "app" => app, "result" => result)
            .increment(1);
        let sent = sent.into_iter().map(|Sent { what, answer }| (what, answer)).collect();
        let failed = failed.map(|failed| failed.to_string());
        self.hub.record_told(&self.tenant, ToldApp { sent, failed, ..told });
    }
}

/// Those who are to be tried again, each once: also who waits for an administrator, or for the hour to be over.
pub fn left(ran: &Ran) -> Vec<PersonId> {
    let held = ran.plan.users.iter().filter(|step| ran.plan.holds(step)).map(|step| person(step.key));
    let all: BTreeSet<PersonId> = ran.failed.iter().map(|(who, _)| *who).chain(held).collect();
    all.into_iter().collect()
}
