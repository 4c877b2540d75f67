//! The one step that every login passes, whichever two protocols stand at its
//! ends: identity -> mapping -> policy -> release -> the app's answer, stored as
//! one durable unit before anything leaves.
//!
//! [`claims`] decides what the app may see, [`person`] and [`pushed`] whose login it is, [`answer`] has the app's adapter say
//! it, [`unit`] is what is stored. Where the person has to be asked before, [`consent`](super::consent) stores
//! what is there by then, and the login ends with a page.

mod answer;
mod claims;
mod person;
mod pushed;
mod unit;

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::http::Reply;
use fedbridge_contract::identity::{OneTimeKey, UpstreamTokens};
use fedbridge_contract::ids::{SessionId, TransactionId};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::Outcome;

use super::Hub;
use super::consent::Wanted;
use super::ending::{AGAIN, Stop, Told};
use super::provision::Kept;
use super::record::{AskedOnce, PriorSession, SessionRecord};
use super::snapshot::OpenConnection;
use super::start::{Login, spent};
use super::trace::Ending;
use crate::decide::ReplayInput;
use crate::ports::{Command, GuardFailed, LinkedPerson, StoredSession, Unit, UnitError};

use person::Found;
pub(super) use person::{Whose, may_appear, verified_address};
pub(super) use unit::{SessionPlan, also_upstream, lost};

/// The person, as the upstream described them.
pub(super) struct Who {
    pub record: SessionRecord,
    pub once: Vec<OneTimeKey>,
    /// What the upstream gave us to ask again with.
    pub tokens: Option<UpstreamTokens>,
}

/// What the login rests on.
pub(super) enum Basis {
    /// An answer of the upstream that was verified just now.
    /// Without a transaction: no request of ours asked for it.
    Fresh { transaction: Option<TransactionId>, prior: Option<PriorSession> },
    /// A session of this browser, with the newest kill that was known before it was read.
    Session { stored: StoredSession, as_of: Epoch },
}

/// A login at its last step.
pub(super) struct Finishing<'a> {
    pub login: &'a mut Login,
    pub connection: &'a Arc<OpenConnection>,
    pub who: &'a Who,
    pub basis: &'a Basis,
    /// What is given out carries this (see [`fedbridge_contract::epoch`]). It was known before anything was
    /// looked at, so that a kill meanwhile ends this login.
    pub epoch: Epoch,
    pub now: Timestamp,
}

/// Two logins of one new person at the same moment: the loser of the race finds the winner's person.
const LINK_ATTEMPTS: usize = 3;

impl Hub {
    pub(super) async fn finish(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        who: Who,
        basis: Basis,
    ) -> Reply {
        let now = self.services.clock.now();
        let mut replay = None;
        let epoch = match &basis {
            Basis::Session { as_of, .. } => *as_of,
            Basis::Fresh { .. } => who.record.epoch,
        };
        let last = Finishing { login: &mut login, connection: &connection, who: &who, basis: &basis, epoch, now };
        let ended = self.try_finish(last, &mut replay).await;
        let person = Some(who.record.subject.display.clone());
        match (ended, basis) {
            (Ok(Ended::Answered(reply)), _) => {
                self.record(login, replay, Ending { outcome: Outcome::Success, cause: String::new(), person });
                reply
            }
            // It is stored, so there is nothing left to use up.
            (Ok(Ended::Outrun(stop)), _) => self.stop(login, stop, replay, person).await,
            (Err(stop), Basis::Fresh { transaction: Some(transaction), .. }) if stop.told != Told::Replayer => {
                let stop = self.closed(&mut login, transaction, who.once, stop).await;
                self.stop(login, stop, replay, person).await
            }
            (Err(stop), _) => {
                // What was asked is answered with this, and not a second time.
                let question = login.consented.take().map(|consented| consented.transaction);
                let stop = match question {
                    Some(question) => self.closed(&mut login, question, Vec::new(), stop).await,
                    None => stop,
                };
                self.stop(login, stop, replay, person).await
            }
        }
    }

    /// Finishes a refused login in the store, with what it has used up, so that nothing of it can be tried
    /// again. Gives back why the login ends.
    pub(super) async fn closed(
        &self,
        login: &mut Login,
        transaction: TransactionId,
        once: Vec<OneTimeKey>,
        stop: Stop,
    ) -> Stop {
        let mut commands = vec![Command::FinishTransaction(transaction)];
        commands.extend(once.into_iter().map(AskedOnce::from).map(spent));
        commands.extend(login.spend());
        let unit = Unit { commands, now: self.services.clock.now() };
        match self.store.commit(login.tenant.view.id, unit).await {
            Ok(()) => stop,
            Err(UnitError::Guard(_)) => Stop::replayed(format!("{}; and this login was answered before", stop.cause)),
            Err(UnitError::Store(error)) => error.into(),
        }
    }

    async fn try_finish(&self, mut last: Finishing<'_>, replay: &mut Option<ReplayInput>) -> Result<Ended, Stop> {
        answer::may_go_onward(&mut last)?;
        for _ in 0..LINK_ATTEMPTS {
            let comes = self.who_comes(&mut last).await?;
            let claims = self.claims(&mut last, comes.said.as_ref(), replay)?;
            let whose = match self.person(&mut last, comes, &claims.all).await? {
                Found::Person(whose) => whose,
                Found::Unsure(before) => {
                    return self.ask_if_somebody_else(&mut last, before).await.map(Ended::Answered);
                }
            };
            let permit = self.may_issue(&mut last, &whose.person).await?;
            let plan = self.plan(&last, &whose.person).await?;
            let wanted = self.consent_wanted(&mut last, &whose, &claims.released).await?;
            let stands = matches!(wanted, Wanted::Nothing { .. }) && self.answer_stands(&last);
            let kept = self.kept(&last, &whose).await?;
            let (mut unit, reply) = match wanted {
                Wanted::Ask(items) => self.ask_for_consent(&mut last, &whose, &plan, items)?,
                Wanted::Nothing { relied } => {
                    let person = whose.person.person;
                    let mut finished = self.answer_app(&mut last, &claims.released, person, &plan, &permit).await?;
                    if let Some(grant) = &mut finished.grant {
                        grant.record.basis = claims.basis()?;
                    }
                    self.unit(&last, &whose, &plan, finished, relied)?
                }
            };
            unit.commands.extend(kept.commands.iter().cloned());
            let done = self.store.commit(last.login.tenant.view.id, unit).await;
            if done.is_ok() {
                self.remember(kept);
            }
            match done {
                Ok(()) if stands => {
                    return Ok(match self.may_leave(&mut last, plan.session()).await {
                        Ok(()) => Ended::Answered(reply),
                        Err(stop) => Ended::Outrun(Stop { told: Told::PersonOnly, ..stop }),
                    });
                }
                Ok(()) => return Ok(Ended::Answered(reply)),
                Err(UnitError::Guard(GuardFailed::LinkGone)) => self.door_is_open(&mut last).await?,
                Err(UnitError::Guard(
                    GuardFailed::LinkExists
                    | GuardFailed::NameIdExists
                    | GuardFailed::ConsentChanged
                    | GuardFailed::RecordTaken,
                )) => {}
                Err(error) => return Err(lost(last.login, error)),
            }
        }
        Err(Stop::unavailable("the person's link or consent kept changing"))
    }

    /// What the upstream has said of the person just now, where somebody will ask for it.
    async fn kept(&self, last: &Finishing<'_>, whose: &Whose) -> Result<Kept, Stop> {
        match last.basis {
            Basis::Session { .. } => Ok(Kept::default()),
            Basis::Fresh { .. } => {
                let said = (&last.who.record, last.who.tokens.as_ref());
                let person = whose.person.person;
                Ok(self.kept_at_login(&last.login.tenant, last.connection, said, person).await?)
            }
        }
    }

    /// The gate's leave for what the login gives out.
    async fn may_issue(&self, last: &mut Finishing<'_>, person: &LinkedPerson) -> Result<Permit, Stop> {
        if !self.gate.knows(person.epoch) {
            // This node lags behind, and this login is dead with what it was going to carry: whether it began
            // before the kill or behind it can't be told any more. The person's next one is to live.
            self.gate.catch_up(self.kills.as_ref()).await?;
        }
        let login = &mut *last.login;
        let app = login.app.as_ref().map(|(open, _)| open.view.as_ref());
        let permit = self.gate.ending(&login.tenant.view, app, &last.connection.view, last.epoch, person).await;
        permit.map_err(|refusal| {
            login.trace.decide("gate", refusal.to_string(), false);
            refusal.into()
        })
    }

    /// Whether what the app gets is out of reach once it has left.
    fn answer_stands(&self, last: &Finishing<'_>) -> bool {
        let app = last.login.app.as_ref();
        app.and_then(|(open, _)| self.downstream(open.view.kind)).is_some_and(|downstream| downstream.answers_stand())
    }

    /// The gate once more, for an answer that no later kill ends: one may have come while it was made and stored.
    /// Not before it is stored, because that may take its time; from here the answer leaves at once.
    async fn may_leave(&self, last: &mut Finishing<'_>, session: SessionId) -> Result<(), Stop> {
        let stored = self.logouts.session_by_id(last.login.tenant.view.id, session, last.now).await?;
        let Some(StoredSession { person, person_disabled: disabled, person_epoch: epoch, .. }) = stored else {
            last.login.trace.decide("session", "it was ended before the answer left", false);
            return Err(Stop::new(RefusalKind::LoginRequired, AGAIN, "the session was ended before the answer left"));
        };
        let of_session = LinkedPerson::of_session(person, disabled, epoch);
        self.may_issue(last, &of_session).await.map(drop)
    }
}

/// How a login ends whose unit was carried out.
enum Ended {
    Answered(Reply),
    /// By a kill that came before the answer left.
    Outrun(Stop),
}
