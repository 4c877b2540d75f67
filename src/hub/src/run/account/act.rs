//! What a person does on the account page. Each action has a token of its own, and leads back to the page.

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{AppId, ConnectionId, PersonId, SessionId};
use fedbridge_contract::logout::Channel;
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::page::{OBJECT, is_in_use};
use crate::ports::{Command, GuardFailed, StoredSession, TombstoneReason, Unit, UnitError};
use crate::run::Hub;
use crate::run::ending::Stop;
use crate::run::link::stale;
use crate::run::logout::{Asker, Begin};
use crate::run::own::{Act, field};
use crate::run::record::Purpose;
use crate::run::session::LiveSession;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::Login;
use crate::run::trace::Ending;

/// An action that did all it has to do, in words for the record.
type Done = Result<String, Stop>;

impl Hub {
    /// `POST {issuer}/account/…`
    pub(in crate::run) async fn act(&self, tenant: Arc<TenantSnapshot>, act: Act, input: &HttpInput) -> Reply {
        let now = self.services.clock.now();
        let login = Login::of(Arc::clone(&tenant), now, input.peer, self.new_trace_id(), TraceLog::new());
        let kind = if matches!(act, Act::Connect | Act::Confirm) { "link" } else { "account" };
        let mut login = Login { purpose: Purpose::Account, kind, ..login };
        let live = match self.at_home(&login, input).await {
            Ok(Some(live)) => live,
            Ok(None) => return Reply::redirect(account_of(&tenant)),
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        let person = Some(live.record.subject.display.clone());
        let object = field(input, OBJECT).unwrap_or_default();
        // The page that asks for a link's yes has a token of its own.
        if act != Act::Confirm
            && let Err(stop) = self.is_own_form(&mut login, input, act, &object)
        {
            return self.stop(login, stop, None, person).await;
        }
        // Ending access is allowed at any time: a session, what an app was given, or an app password.
        if matches!(act, Act::Connect | Act::Unlink | Act::Enrol | Act::DropFactor | Act::NewAppPassword)
            && let Some(age) = stale(&login, &live)
        {
            return self.log_in_again(login, live, age).await;
        }
        let done = match act {
            Act::End => self.end_elsewhere(&login, &live, &object).await,
            Act::Forget => self.forget(&login, &live, &object).await,
            Act::Unlink => self.unlink(&mut login, &live, &object).await,
            Act::Connect => return self.start_link(login, live, &object).await,
            Act::Confirm => return self.confirm_link(login, live, input).await,
            Act::DropFactor => self.drop_factor(&mut login, &live, &object).await,
            Act::DropAppPassword => self.drop_app_password(&mut login, &live, &object).await,
            Act::Enrol => match self.enrol(&mut login, &live).await {
                Ok(page) => return page,
                Err(stop) => Err(stop),
            },
            Act::NewAppPassword => match self.new_app_password(&mut login, &live, &object).await {
                Ok((page, outcome)) => return self.acted(login, act, outcome, person, page),
                Err(stop) => Err(stop),
            },
        };
        match done {
            Ok(outcome) => self.acted(login, act, outcome, person, Reply::redirect(account_of(&tenant))),
            Err(stop) => self.stop(login, stop, None, person).await,
        }
    }

    /// It is done, and recorded.
    fn acted(&self, mut login: Login, act: Act, outcome: String, person: Option<String>, reply: Reply) -> Reply {
        login.trace.decide(act.path(), outcome, true);
        self.record(login, None, Ending { outcome: Outcome::Success, cause: String::new(), person });
        reply
    }

    async fn end_elsewhere(&self, login: &Login, live: &LiveSession, object: &str) -> Done {
        let tenant = login.tenant.view.id;
        let wanted = object.parse::<SessionId>().ok();
        let own = self.people.sessions(tenant, live.stored.person, login.started).await?;
        let Some(session) = own.into_iter().find(|session| Some(session.id) == wanted) else {
            return Ok("a session that is over already".to_owned());
        };
        let id = session.id;
        self.end_behind(login, vec![session]).await?;
        Ok(format!("the session {id}"))
    }

    /// What the app was given is dead, offline access too, and it has to ask again. The consent ends first, so that
    /// it gets nothing new on its strength meanwhile.
    async fn forget(&self, login: &Login, live: &LiveSession, object: &str) -> Done {
        let (tenant, person) = (login.tenant.view.id, live.stored.person);
        let Ok(app) = object.parse::<AppId>() else { return Ok("an app that is gone".to_owned()) };
        let commands = vec![Command::ForgetConsent { person, app }];
        self.store.commit(tenant, Unit { commands, now: login.started }).await.map_err(refused)?;
        let count = self.people.revoke_app(tenant, person, app, login.started).await?;
        let name = login.tenant.view.app_by_id(app).map_or("an app that is gone", |app| app.name.as_str());
        Ok(format!("{name}, with {count} grants"))
    }

    /// The login goes, and so do sessions that came by it: whoever holds it may not be the person.
    async fn unlink(&self, login: &mut Login, live: &LiveSession, object: &str) -> Done {
        let (tenant, person) = (login.tenant.view.id, live.stored.person);
        let identities = self.people.identities(tenant, person).await?;
        let Some(identity) = identities.iter().find(|identity| self.identity_name(tenant, identity) == object) else {
            return Ok("a login that is disconnected already".to_owned());
        };
        if is_in_use(live, identity) {
            let public = "You are logged in with this login. Log in with another one to disconnect it.";
            return Err(Stop::new(RefusalKind::AccessDenied, public, "the login in use is not disconnected"));
        }
        let commands = vec![Command::UnlinkIdentity {
            person,
            connection: identity.connection,
            subject_key: identity.subject_key.clone(),
            reason: TombstoneReason::Unlinked,
        }];
        self.store.commit(tenant, Unit { commands, now: login.started }).await.map_err(refused)?;
        let mut sessions = self.people.sessions(tenant, person, login.started).await?;
        sessions.retain(|session| {
            let came = self.session_record(tenant, session).map(|record| record.upstreams(session.connection));
            session.id != live.stored.id
                && came.is_none_or(|parts| {
                    parts
                        .iter()
                        .any(|part| part.connection == identity.connection && part.subject == identity.subject_key)
                })
        });
        let count = sessions.len();
        self.end_behind(login, sessions).await?;
        self.revoke_of(login, person, identity.connection).await?;
        let connection = login.tenant.view.connection_by_id(identity.connection);
        let name = connection.map_or("a connection that is gone", |view| view.slug.as_str());
        Ok(format!("{} of {name}, with {count} sessions", identity.display))
    }

    /// Offline access outlives a session, but not the login that it came by; nor does a code that waits.
    async fn revoke_of(&self, login: &Login, person: PersonId, connection: ConnectionId) -> Result<(), Stop> {
        let (tenant, now, grants) = (login.tenant.view.id, login.started, &self.services.grants);
        for grant in self.people.unrevoked(tenant, person, now).await? {
            let found = grants.find(tenant, grant, None, now).await?;
            if found.is_some_and(|found| found.record.connection == connection) {
                grants.revoke(tenant, grant, now).await?;
            }
        }
        Ok(())
    }

    /// Ends sessions; apps are told behind the answer.
    async fn end_behind(&self, login: &Login, sessions: Vec<StoredSession>) -> Result<(), Stop> {
        if sessions.is_empty() {
            return Ok(());
        }
        let mut steps = TraceLog::new();
        steps.decide("asked by", format!("the person, on the account page: {}", login.trace_id), true);
        let begin = Begin {
            tenant: Arc::clone(&login.tenant),
            asker: Asker::Owner,
            channel: Channel::Back,
            framed_by: None,
            once: Vec::new(),
            sessions,
            steps,
            trace: self.new_trace_id(),
        };
        let run = self.begin_logout(begin).await.map_err(refused)?;
        drop(self.answer_at_once(run).await);
        Ok(())
    }
}

pub(in crate::run) fn account_of(tenant: &TenantSnapshot) -> String {
    format!("{}/account", tenant.view.issuer)
}

/// Nothing of the unit happened.
fn refused(error: UnitError) -> Stop {
    match error {
        UnitError::Store(error) => error.into(),
        UnitError::Guard(GuardFailed::LastLink) => {
            let public = "This is the last way into your account. Connect another login before you disconnect it.";
            Stop::new(RefusalKind::AccessDenied, public, GuardFailed::LastLink.to_string())
        }
        UnitError::Guard(guard) => Stop::new(RefusalKind::AccessDenied, "Nothing was done.", guard.to_string()),
    }
}
