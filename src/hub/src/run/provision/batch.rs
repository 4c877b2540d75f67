//! Some people of a sync, in one unit.

use std::sync::Arc;

use fedbridge_contract::directory::ProvisionedRecord;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::trace::TraceLog;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::decide::{Described, Speaker, Step, step};
use super::record::{Mapped, groups};
use crate::ports::{
    Command, KnownSubject, NewLink, NewProfile, PosixOwner, Profile, ProfileBy, ProfileSource, TombstoneReason, Unit,
    UnitError,
};
use crate::run::Hub;
use crate::run::finish::verified_address;
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::spec::SameEmail;

/// Questions to the store under way at once: logins ask too.
const QUESTIONS: usize = 4;

/// Notes of a run that are kept; all others are counted.
const NOTES: usize = 100;

/// What a batch is of.
pub(super) struct Place<'a> {
    pub tenant: &'a Arc<TenantSnapshot>,
    pub connection: &'a Arc<OpenConnection>,
    pub sweep: i64,
}

/// One whom the upstream named.
pub(super) enum Named {
    Described(Box<ProvisionedRecord>),
    /// By the key alone: it is there.
    There(String),
    /// As before, and why no more is known.
    Unclear(String, String),
}

/// What came of a run so far.
#[derive(Default)]
pub(super) struct Tally {
    pub seen: u64,
    pub created: u64,
    pub changed: u64,
    pub left_out: u64,
    pub failed: u64,
    /// Whom the upstream keeps out since, with its words: they are ended when all were named, if they are not too
    /// many.
    pub out: Vec<(String, String)>,
    pub steps: TraceLog,
    noted: usize,
}

impl Tally {
    pub fn note(&mut self, who: &str, outcome: String, fine: bool) {
        self.noted += 1;
        if self.noted <= NOTES {
            self.steps.decide(who, outcome, fine);
        }
    }

    fn leave_out(&mut self, who: &str, why: &str) {
        self.left_out += 1;
        self.note(who, format!("left out: {why}"), true);
    }

    fn fail(&mut self, who: &str, why: &str) {
        self.failed += 1;
        self.note(who, format!("stays as it was: {why}"), false);
    }
}

impl Hub {
    /// Keeps what was said of these. Where somebody else changes one of them at the same moment, they are done one
    /// by one.
    pub(super) async fn keep_batch(
        &self,
        place: &Place<'_>,
        named: Vec<Named>,
        tally: &mut Tally,
    ) -> Result<(), StoreError> {
        let questions: Vec<_> = named.iter().map(|named| self.plan_named(place, named)).collect();
        let plans: Vec<Plan> = stream::iter(questions).buffered(QUESTIONS).try_collect().await?;
        match self.carry_out(place, &plans).await {
            Ok(()) => plans.into_iter().for_each(|plan| plan.count(tally)),
            Err(UnitError::Store(error)) => return Err(error),
            Err(UnitError::Guard(_)) => {
                for one in &named {
                    let plan = self.plan_named(place, one).await?;
                    match self.carry_out(place, std::slice::from_ref(&plan)).await {
                        Ok(()) => plan.count(tally),
                        Err(UnitError::Store(error)) => return Err(error),
                        // The next run finds what the other one left.
                        Err(UnitError::Guard(guard)) => tally.fail(&plan.who, &guard.to_string()),
                    }
                }
            }
        }
        Ok(())
    }

    async fn carry_out(&self, place: &Place<'_>, plans: &[Plan]) -> Result<(), UnitError> {
        let names = plans.iter().filter_map(|plan| plan.profile.as_ref()).flat_map(|it| groups(&it.claims));
        self.ensure_groups(place.tenant, names).await?;
        let commands: Vec<_> = plans.iter().flat_map(|plan| plan.commands.iter().cloned()).collect();
        if commands.is_empty() {
            return Ok(());
        }
        let unit = Unit { commands, now: self.services.clock.now() };
        self.profiles.provision(place.tenant.view.id, unit).await
    }

    async fn plan_named(&self, place: &Place<'_>, named: &Named) -> Result<Plan, StoreError> {
        let key = match named {
            Named::Described(record) => &record.subject.key,
            Named::There(key) | Named::Unclear(key, _) => key,
        };
        let known = self.profiles.known(place.tenant.view.id, place.connection.view.id, key).await?;
        let seen = known.as_ref().map(|known| place.seen(key, known));
        match named {
            Named::There(key) => Ok(Plan::new(key, seen, Came::Seen)),
            Named::Unclear(key, why) => Ok(Plan::new(key, seen, Came::Failed(why.clone()))),
            Named::Described(record) => self.plan_record(place, record, known, seen).await,
        }
    }

    async fn plan_record(
        &self,
        place: &Place<'_>,
        record: &ProvisionedRecord,
        known: Option<KnownSubject>,
        seen: Option<Command>,
    ) -> Result<Plan, StoreError> {
        let (tenant, connection, subject) = (place.tenant, place.connection, &record.subject);
        let who = subject.display.as_str();
        let Ok(ready) = &connection.state else {
            return Ok(Plan::new(who, seen, Came::Failed("the connection is broken".into())));
        };
        let about = (subject, &record.attributes, record.place.as_deref());
        let (profile, digest, denied) = match self.mapped(tenant.view.id, connection, ready, about) {
            Mapped::Said { profile, digest, denied } => (profile, digest, denied),
            Mapped::Broken(why) => return Ok(Plan::new(who, seen, Came::Failed(why))),
        };
        let out = record.disabled.clone().or(denied);
        let email = verified_address(&profile.claims).map(|address| self.email_hash(tenant.view.id, address));
        let speaker = Speaker { source: ProfileSource::Sync, numbers: tenant.numbers().is_some() };
        let step =
            step(known.as_ref(), &Described { digest: &digest, out: out.as_deref(), email, display: who }, speaker);
        let new = |person| NewProfile {
            person,
            connection: connection.view.id,
            subject_key: subject.key.clone(),
            profile,
            digest,
            disabled: out.clone(),
            by: ProfileBy::Sync { sweep: place.sweep },
        };
        match (step, known) {
            (Step::LeaveOut, _) => Ok(Plan::new(who, None, Came::LeftOut(out.unwrap_or_default()))),
            (Step::See, _) => Ok(Plan::new(who, seen, Came::Seen)),
            (Step::KeepOut(reason), _) => Ok(Plan::new(who, seen, Came::Out(subject.key.clone(), reason))),
            (Step::Keep { news, give_number }, Some(known)) => {
                let person = known.person;
                let hold = (!news.is_none()).then(|| Command::HoldIdentity {
                    person,
                    connection: connection.view.id,
                    subject_key: subject.key.clone(),
                    news,
                });
                let number = place.number(person).filter(|_| give_number);
                Ok(Plan::new(who, hold, Came::Changed).keeping(new(person), number))
            }
            (Step::Keep { .. } | Step::Appear, _) => {
                if let Some(why_not) = self.why_not_made(place, &subject.key, email).await? {
                    return Ok(Plan::new(who, None, Came::LeftOut(why_not)));
                }
                let person = PersonId::random(self.services.rng.as_ref());
                let create = Command::CreatePerson(NewLink {
                    person,
                    connection: connection.view.id,
                    subject_key: subject.key.clone(),
                    display: subject.display.clone(),
                    email,
                    scope: subject.scope.clone(),
                });
                Ok(Plan::new(who, Some(create), Came::Created).keeping(new(person), place.number(person)))
            }
        }
    }

    /// Why nobody is made of a subject that is nobody's. Whoever may appear at a login does not count here: a sync
    /// makes people.
    async fn why_not_made(
        &self,
        place: &Place<'_>,
        key: &str,
        email: Option<[u8; 32]>,
    ) -> Result<Option<String>, StoreError> {
        let tenant = place.tenant.view.id;
        if let Some(before) = self.people.tombstone(tenant, place.connection.view.id, key).await? {
            match before.reason {
                TombstoneReason::Blocked => return Ok(Some("an administrator has blocked this subject".into())),
                // They come back by a login of theirs, and not because a directory still names them.
                TombstoneReason::Deleted => return Ok(Some("an administrator has deleted this person".into())),
                TombstoneReason::Unlinked => {}
            }
        }
        let Some(email) = email.filter(|_| place.connection.people.same_email != SameEmail::Separate) else {
            return Ok(None);
        };
        let others = self.people.by_email(tenant, &email).await?;
        Ok((!others.is_empty()).then(|| "somebody else has this address; a login has to tell".to_owned()))
    }
}

impl Place<'_> {
    /// A run has seen somebody, and has nothing new to say of them.
    fn seen(&self, key: &str, known: &KnownSubject) -> Command {
        let (connection, subject_key, sweep) = (self.connection.view.id, key.to_owned(), self.sweep);
        match known.last {
            Some(_) => Command::SeeProfile { connection, subject_key, sweep },
            // Nothing at all was said of them: then there is no row that could hold the number.
            None => Command::KeepProfile(Box::new(NewProfile {
                person: known.person,
                connection,
                subject_key,
                profile: Profile::default(),
                digest: [0; 32],
                disabled: None,
                by: ProfileBy::Sync { sweep },
            })),
        }
    }

    fn number(&self, person: PersonId) -> Option<Command> {
        self.tenant.numbers().map(|range| Command::GiveNumber { owner: PosixOwner::Person(person), range })
    }
}

/// What becomes of one of them.
struct Plan {
    /// For administrators.
    who: String,
    commands: Vec<Command>,
    /// What is kept.
    profile: Option<Profile>,
    came: Came,
}

enum Came {
    Seen,
    Created,
    Changed,
    Out(String, String),
    LeftOut(String),
    Failed(String),
}

impl Plan {
    fn new(who: &str, first: Option<Command>, came: Came) -> Self {
        Self { who: who.to_owned(), commands: first.into_iter().collect(), profile: None, came }
    }

    fn keeping(mut self, new: NewProfile, number: Option<Command>) -> Self {
        self.profile = Some(new.profile.clone());
        self.commands.push(Command::KeepProfile(Box::new(new)));
        self.commands.extend(number);
        self
    }

    fn count(self, tally: &mut Tally) {
        tally.seen += 1;
        match self.came {
            Came::Seen => {}
            Came::Created => tally.created += 1,
            Came::Changed => tally.changed += 1,
            Came::Out(key, reason) => {
                tally.note(&self.who, format!("is kept out: {reason}"), true);
                tally.out.push((key, reason));
            }
            Came::LeftOut(why) => tally.leave_out(&self.who, &why),
            Came::Failed(why) => tally.fail(&self.who, &why),
        }
    }
}
