//! A password that has to be changed before it is good for anything else.

use std::sync::Arc;

use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{ConnectionId, PersonId, TenantId};
use fedbridge_contract::page::{NewPasswordPage, Page};
use fedbridge_contract::password::{Change, Changed, Known, Password};
use fedbridge_contract::trace::{Outcome, TraceLog};
use serde::{Deserialize, Serialize};

use super::MAX_PASSWORD;
use super::guess::{Verdict, folded};
use super::typed::{PATIENCE, SILENT, Try, guess, of, password_side, too_many};
use crate::ports::{Command, Unit};
use crate::run::ending::Stop;
use crate::run::finish::lost;
use crate::run::own::field;
use crate::run::record::Purpose;
use crate::run::session::correlation_cookie;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::Login;
use crate::run::{Happened, Hub};

/// What the page needs to go on. The password until now is not among it: it is typed once more.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Changing {
    purpose: Purpose,
    name: String,
    key: String,
    place: String,
}

impl Hub {
    /// The password was right. A transaction of its own waits for the new one.
    pub(super) async fn ask_for_new_password(&self, mut login: Login, tried: Try, key: String, place: String) -> Reply {
        let Try { found, connection, name, .. } = tried;
        let tenant = login.tenant.view.id;
        login.trace.decide("password", "it has to be changed first", true);
        let removal = correlation_cookie(tenant, &found.handle, String::new());
        let changing = Changing { purpose: login.purpose, name, key, place };
        let session = found.record.session;
        let waiting = match self.waiting(&login, &connection, session, Purpose::NewPassword, &changing) {
            Ok(waiting) => waiting,
            Err(stop) => return self.give_up(login, found.id, stop).await.with_cookie(removal),
        };
        let commands = vec![Command::FinishTransaction(found.id), waiting.open];
        if let Err(error) = self.store.commit(tenant, Unit { commands, now: self.services.clock.now() }).await {
            let stop = lost(&mut login, error);
            return self.stop(login, stop, None, None).await.with_cookie(removal);
        }
        let page = self.new_password_page(&login, &changing.name, &waiting.handle, None);
        page.with_cookie(waiting.cookie).with_cookie(removal)
    }

    fn new_password_page(&self, login: &Login, name: &str, handle: &str, complaint: Option<String>) -> Reply {
        let page = NewPasswordPage {
            tenant: login.tenant.view.display_name.clone(),
            person: name.to_owned(),
            complaint,
            onward: self.onward(login),
            form: self.waiting_form(login, "password/new", handle),
        };
        Reply::page(Page::NewPassword(page)).in_language(login.locale())
    }

    /// `POST {issuer}/password/new`.
    pub(in crate::run) async fn new_password_typed(&self, tenant: Arc<TenantSnapshot>, input: &HttpInput) -> Reply {
        let begun = self.services.clock.steady();
        let now = self.services.clock.now();
        let mut login = Login::of(Arc::clone(&tenant), now, input.peer, self.new_trace_id(), TraceLog::new());
        let (mut found, changing) = match self.waited::<Changing>(&mut login, input, &[Purpose::NewPassword]).await {
            Ok(waited) => waited,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        login.go_on(&mut found, changing.purpose);
        let (mut login, found, connection) = match self.still_open(login, found).await {
            Ok(open) => open,
            Err(reply) => return *reply,
        };
        let again = |complaint: String| self.new_password_page(&login, &changing.name, &found.handle, Some(complaint));
        let typed = |name: &str| field(input, name).filter(|typed| typed.len() <= MAX_PASSWORD).and_then(Password::new);
        let (Some(old), Some(new), Some(repeated)) = (typed("password"), typed("new_password"), typed("again")) else {
            return again("Please fill in all three fields.".to_owned());
        };
        if new.octets() != repeated.octets() {
            return again("The two new passwords are not the same.".to_owned());
        }
        let Some(side) = password_side(&connection) else {
            return self.give_up(login, found.id, Stop::broken("the connection can't be used")).await;
        };
        let account = folded(&changing.name);
        let guess = guess(tenant.view.id, &connection, &account, input);
        let device = self.browser(tenant.view.id, &of(&connection, &account), input);
        let mut trace = std::mem::take(&mut login.trace);
        let admitted = match self.admit(guess, device, &mut trace).await {
            Ok(admitted) => admitted,
            Err(wait) => {
                let page = self.new_password_page(&login, &changing.name, &found.handle, Some(too_many(wait)));
                self.record_try(Login { trace, ..login }, "too many tries".to_owned(), Outcome::Refused);
                return page;
            }
        };
        let known = Known { key: &changing.key, place: Some(&changing.place) };
        let change = Change { known, old: &old, new: &new, now: self.services.clock.now() };
        let asked = tokio::time::timeout(PATIENCE, side.change(change, &mut trace)).await;
        login.trace = trace;
        let Ok(changed) = asked else {
            admitted.was(Verdict::Unsaid);
            // It may have been changed all the same.
            self.old_password_is_over(tenant.view.id, connection.view.id, &changing.key).await;
            self.until_failure_deadline(&login, begun).await;
            let page = self.new_password_page(&login, &changing.name, &found.handle, Some(SILENT.to_owned()));
            let cause = format!("no answer within {} s", PATIENCE.as_secs());
            self.record_try(login, cause, Outcome::Error);
            return page;
        };
        let Some(Failed { verdict, complaint, cause, outcome }) = failed(changed) else {
            admitted.was(Verdict::Right);
            login.trace.decide("password", "it was changed", true);
            self.old_password_is_over(tenant.view.id, connection.view.id, &changing.key).await;
            let tried = Try { found, connection, name: changing.name, begun };
            return self.try_password(login, tried, &new, input).await;
        };
        admitted.was(verdict);
        self.until_failure_deadline(&login, begun).await;
        let page = self.new_password_page(&login, &changing.name, &found.handle, Some(complaint));
        self.record_try(login, cause, outcome);
        page
    }
}

impl Hub {
    /// Nodes that remember the old password of a bind hear that it is none any more.
    async fn old_password_is_over(&self, tenant: TenantId, connection: ConnectionId, key: &str) {
        match self.store.linked_person(tenant, connection, key).await {
            Ok(Some(linked)) => self.password_is_another(tenant, linked.person).await,
            // Nobody whom we don't know has bound.
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(%error, "nodes may remember a password that was changed until its time is over")
            }
        }
    }

    /// The same for a person. The password is another one at the upstream, whatever becomes of this.
    pub(in crate::run) async fn password_is_another(&self, tenant: TenantId, person: PersonId) {
        let mut commands = self.signals_of(tenant, person, &[Happened::password("update")]);
        commands.push(Command::PasswordChanged { person });
        let unit = Unit { commands, now: self.services.clock.now() };
        if let Err(error) = self.store.commit(tenant, unit).await {
            tracing::warn!(%error, "nodes may remember a password that was changed until its time is over");
        }
    }
}

/// Why a password was not changed.
struct Failed {
    verdict: Verdict,
    complaint: String,
    cause: String,
    outcome: Outcome,
}

/// `None`: it was changed.
fn failed(changed: Changed) -> Option<Failed> {
    Some(match changed {
        Changed::Yes => return None,
        Changed::Refused(refusal) => Failed {
            verdict: Verdict::of(&refusal),
            complaint: "The password until now is not right.".to_owned(),
            cause: format!("the upstream did not accept the password until now: {}", refusal.upstream_code),
            outcome: Outcome::Refused,
        },
        Changed::Policy(why) => {
            let why = why.trim_end_matches('.');
            Failed {
                // A rule may have been looked at before the old password was.
                verdict: Verdict::Unsaid,
                complaint: format!("The new password was not accepted: {why}."),
                cause: format!("the upstream did not accept the new password: {why}"),
                outcome: Outcome::Refused,
            }
        }
        Changed::Unavailable(error) => Failed {
            verdict: Verdict::Unsaid,
            complaint: SILENT.to_owned(),
            cause: error.cause,
            outcome: Outcome::Error,
        },
    })
}
