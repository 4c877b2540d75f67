//! A person binds.

use std::sync::Arc;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::directory::{BindAnswer, BoundBy, DirectoryPerson, PersonBind};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::{ConnectionId, PersonId};
use fedbridge_contract::password::{PasswordRefusal, PasswordWarning, Why};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Bound, Gate as _, GateRefusal, Guess};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use super::refused;
use crate::decide::outside;
use crate::ports::StoredAppPassword;
use crate::run::Hub;
use crate::run::app_password::{Allowed, AppToken};
use crate::run::password::Verdict;
use crate::run::push::Barred;
use crate::run::snapshot::TenantSnapshot;

/// What one password has led to.
pub(super) enum Led {
    /// It is right.
    To {
        person: PersonId,
        by: BoundBy,
        expires: Option<Timestamp>,
        standing: Standing,
        /// A code was part of it, which is good for one bind: nobody remembers the answer.
        once: bool,
        warning: Option<PasswordWarning>,
    },
    /// It is right, and does not do; the reason may be told.
    Barred {
        reason: Why,
        why: String,
    },
    /// It is none of this kind.
    Nowhere(String),
    Over(BindAnswer),
}

impl Led {
    /// A connection did not accept the password, for this reason.
    pub fn refused(refusal: &PasswordRefusal, slug: &str) -> Self {
        let why = format!("{slug} did not accept the password: {}", refusal.upstream_code);
        if refusal.reason.may_be_told() { Self::Barred { reason: refusal.reason, why } } else { Self::Nowhere(why) }
    }

    /// This, or what the connections before have led to: that a password is right at one of them is not undone by
    /// another.
    pub fn or(self, before: Self) -> Self {
        if matches!((&self, &before), (Self::Nowhere(_), Self::Barred { .. })) { before } else { self }
    }
}

/// What a yes hangs on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Standing {
    pub disabled: bool,
    pub epoch: Epoch,
}

impl Standing {
    pub fn of(person: &DirectoryPerson) -> Self {
        Self { disabled: person.disabled, epoch: person.epoch }
    }
}

impl Hub {
    pub(super) async fn bind_person(&self, ask: PersonBind<'_>, trace: &mut TraceLog) -> BindAnswer {
        let snapshot = self.snapshots.current();
        let Some(tenant) = snapshot.tenant(ask.tenant.id) else {
            return BindAnswer::No("the tenant is gone".to_owned());
        };
        // Before anybody is asked, so that a kill meanwhile ends what comes of it.
        let given_out = self.gate.epoch();
        if let Some(person) = ask.person
            && let Err(answer) =
                self.may_bind(&ask, &person.claims, (Standing::of(person), None, given_out), trace).await
        {
            return answer;
        }
        let led = match self.lead(tenant, &ask, trace).await {
            Led::Over(answer) => return answer,
            Led::Nowhere(why) => return BindAnswer::No(why),
            Led::Barred { reason, why } => return BindAnswer::Barred { reason, why },
            to @ Led::To { .. } => to,
        };
        let Led::To { person, by, expires, standing, once, warning } = led else {
            return BindAnswer::No("nothing was checked".to_owned());
        };
        let standing = match self.standing_now(ask.tenant, person, (standing, given_out)).await {
            Ok(standing) => standing,
            Err(answer) => return answer,
        };
        let connection = match by {
            BoundBy::Upstream(connection) => Some(connection),
            _ => None,
        };
        if let Some(open) = connection.and_then(|id| tenant.connections.get(&id)) {
            match self.still_pushed(tenant, open, person, trace).await {
                Ok(()) => {}
                Err(Barred::Store(error)) => return BindAnswer::Unavailable(error.to_string()),
                Err(Barred::Refused(why)) => return BindAnswer::No(why),
                Err(Barred::Broken) => return BindAnswer::No("nobody knows who may come in".to_owned()),
            }
        }
        let bound = Bound {
            tenant: ask.tenant,
            app: ask.app,
            connection,
            person_disabled: standing.disabled,
            person: standing.epoch,
            given_out,
        };
        match self.gate.bind(&bound).await {
            Ok(permit) => {
                let until = cached_until(ask.tenant, self.services.clock.now(), expires);
                let cached_until = until.filter(|_| !once);
                BindAnswer::Yes { permit, person: Some(person), by, cached_until, warning }
            }
            Err(refusal) => {
                trace.decide("gate", refusal.to_string(), false);
                refused(refusal)
            }
        }
    }

    /// What the directory showed is from before a kill of which this node has heard while somebody was asked: the kill
    /// may be of this person.
    async fn standing_now(
        &self,
        tenant: &Tenant,
        person: PersonId,
        (shown, given_out): (Standing, Epoch),
    ) -> Result<Standing, BindAnswer> {
        if !given_out.is_before(self.gate.epoch()) {
            return Ok(shown);
        }
        let known = self.profiles.profiled(tenant.id, &[person]).await;
        let known = known.map_err(|error| BindAnswer::Unavailable(error.to_string()))?;
        match known.first() {
            Some(now) => Ok(Standing { disabled: now.disabled, epoch: now.epoch }),
            None => Err(BindAnswer::No("the person is gone".to_owned())),
        }
    }

    /// Whether the person may bind by way of the app at all, whatever the password.
    pub(super) async fn may_bind(
        &self,
        ask: &PersonBind<'_>,
        claims: &Claims,
        (standing, connection, given_out): (Standing, Option<ConnectionId>, Epoch),
        trace: &mut TraceLog,
    ) -> Result<Permit, BindAnswer> {
        if let Some(app) = ask.app
            && let Some(why) = self.outside_of(ask.tenant, app, claims, trace)
        {
            return Err(BindAnswer::No(why));
        }
        let bound = Bound {
            tenant: ask.tenant,
            app: ask.app,
            connection,
            person_disabled: standing.disabled,
            person: standing.epoch,
            given_out,
        };
        self.gate.bind(&bound).await.map_err(|refusal: GateRefusal| {
            trace.decide("gate", refusal.to_string(), false);
            refused(refusal)
        })
    }

    /// Why somebody is kept out of an app by its groups.
    pub(super) fn outside_of(
        &self,
        tenant: &Tenant,
        app: &App,
        claims: &Claims,
        trace: &mut TraceLog,
    ) -> Option<String> {
        let snapshot = self.snapshots.current();
        let open = snapshot.tenant(tenant.id).and_then(|tenant| tenant.apps.get(&app.id));
        let Some(open) = open else { return Some("the app is gone".to_owned()) };
        match open.whole_rules() {
            Ok(rules) => outside(claims, &rules.groups, trace).map(|denial| denial.reason),
            Err(why) => Some(why),
        }
    }

    /// Tries what the app takes, in order.
    async fn lead(&self, tenant: &Arc<TenantSnapshot>, ask: &PersonBind<'_>, trace: &mut TraceLog) -> Led {
        let allowed = Allowed::by(ask.app);
        if let (true, Some(person), Some(app)) = (allowed.app_password, ask.person, ask.app)
            && let Some(token) = AppToken::typed(ask.password)
        {
            match Box::pin(self.by_app_password(ask, (person, app), &token, trace)).await {
                Led::Nowhere(_) => {}
                led => return led,
            }
        }
        if !allowed.upstream && !allowed.otp_suffix {
            trace.decide("password", "it is no app password, and this app takes nothing else", false);
            return Led::Nowhere("this app takes app passwords only".to_owned());
        }
        match ask.person {
            Some(person) => self.by_upstream(tenant, ask, person, allowed, trace).await,
            // Seldom, and long.
            None => Box::pin(self.by_newcomer(tenant, ask, allowed, trace)).await,
        }
    }

    async fn by_app_password(
        &self,
        ask: &PersonBind<'_>,
        (person, app): (&DirectoryPerson, &App),
        token: &AppToken,
        trace: &mut TraceLog,
    ) -> Led {
        let (tenant, now) = (ask.tenant.id, self.services.clock.now());
        let kept = match self.app_passwords.app_passwords(tenant, person.id, Some(app.id)).await {
            Ok(kept) => kept,
            Err(error) => return Led::Over(BindAnswer::Unavailable(error.to_string())),
        };
        let may_be = |one: &StoredAppPassword| token.is_of(one.id) && one.expires.is_none_or(|end| now < end);
        let meant: Vec<_> = kept.iter().filter(|one| may_be(one)).collect();
        if meant.is_empty() {
            return none_of_theirs(trace);
        }
        let Ok(_turn) = self.hasher.turn(person.id).await else { return Led::Over(BindAnswer::Busy) };
        let account = format!("app passwords of {} for {}", person.id, app.id);
        let from = self.address(tenant, &account, ask.app, ask.peer);
        let guess = Guess {
            tenant,
            connection: None,
            account: &account,
            peer: ask.peer.ip,
            through: Some(app.id),
            known_device: None,
            lockout: None,
        };
        let admitted = match self.admit(guess, Some(from), trace).await {
            Ok(admitted) => admitted,
            Err(wait) => {
                let why = format!("too many wrong app passwords; again in {} s", wait.as_secs());
                return Led::Over(BindAnswer::No(why));
            }
        };
        for one in meant {
            match self.hasher.verify(token.text().to_owned(), one.hash.clone()).await {
                Err(_) => {
                    admitted.was(Verdict::Unsaid);
                    return Led::Over(BindAnswer::Busy);
                }
                Ok(false) => {}
                Ok(true) => {
                    admitted.was(Verdict::Right);
                    self.know_address(tenant, from);
                    trace.decide("password", format!("the app password {}", one.id), true);
                    self.note_use(tenant, one, now).await;
                    return Led::To {
                        person: person.id,
                        by: BoundBy::AppPassword,
                        expires: one.expires,
                        standing: Standing::of(person),
                        once: false,
                        warning: None,
                    };
                }
            }
        }
        admitted.was(Verdict::Wrong);
        none_of_theirs(trace)
    }

    /// At most once an hour: people want to know whether one is in use, not how often.
    async fn note_use(&self, tenant: fedbridge_contract::ids::TenantId, one: &StoredAppPassword, now: Timestamp) {
        let hour = std::time::Duration::from_secs(3600);
        if one.used.is_none_or(|used| now.since(used) > hour)
            && let Err(error) = self.app_passwords.app_password_used(tenant, one.id, now).await
        {
            tracing::warn!(%error, "the use of an app password could not be noted");
        }
    }
}

/// The slow hash is asked of nothing but what names one of the person's, and so are tries counted.
fn none_of_theirs(trace: &mut TraceLog) -> Led {
    trace.decide("password", "it looks like an app password, and is none of this person's for this app", true);
    Led::Nowhere("no such app password".to_owned())
}

/// Until when the server may remember a yes.
fn cached_until(tenant: &Tenant, now: Timestamp, expires: Option<Timestamp>) -> Option<Timestamp> {
    let memory = tenant.settings.ldap.as_ref().map(|directory| directory.bind_cache)?;
    let until = now + memory;
    (!memory.is_zero()).then(|| expires.map_or(until, |expires| expires.min(until)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(reason: Why) -> Led {
        Led::refused(&PasswordRefusal { reason, upstream_code: "49".to_owned() }, "ad")
    }

    #[test]
    fn only_who_knows_the_password_hears_why_it_does_not_do() {
        for reason in [Why::Unknown, Why::Wrong, Why::Locked, Why::Form] {
            assert!(matches!(refused(reason), Led::Nowhere(_)), "{reason:?}");
        }
        for reason in [Why::Disabled, Why::Expired, Why::PasswordExpired, Why::Hours, Why::Workstation, Why::NotAllowed]
        {
            assert!(matches!(refused(reason), Led::Barred { reason: told, .. } if told == reason), "{reason:?}");
        }
    }

    #[test]
    fn a_second_connection_does_not_undo_what_the_first_has_said() {
        let expired = || refused(Why::PasswordExpired);
        assert!(matches!(refused(Why::Wrong).or(expired()), Led::Barred { reason: Why::PasswordExpired, .. }));
        assert!(matches!(expired().or(refused(Why::Wrong)), Led::Barred { .. }));
        assert!(matches!(Led::Over(BindAnswer::Busy).or(expired()), Led::Over(_)));
    }
}
