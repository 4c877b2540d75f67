//! The person's answer to a question of [`super`].

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use super::{Consented, QUESTION};
use crate::ports::Consent;
use crate::run::Hub;
use crate::run::answer::Found;
use crate::run::ending::{Stop, Told};
use crate::run::finish::{Basis, Who};
use crate::run::own::{field, own_origin};
use crate::run::record::{Purpose, Question};
use crate::run::session::{LiveSession, correlation_cookie};
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::Login;

impl Hub {
    /// `POST {issuer}/consent`.
    pub(in crate::run) async fn consent_answered(&self, tenant: Arc<TenantSnapshot>, input: &HttpInput) -> Reply {
        let now = self.services.clock.now();
        let login = Login::of(Arc::clone(&tenant), now, input.peer, self.new_trace_id(), TraceLog::new());
        let mut login = Login { kind: "consent", ..login };
        match self.question(&mut login, input).await {
            Ok((found, live)) => self.decided(login, found, live, input).await,
            // Not known to be of this person: the question stays as it is.
            Err(stop) => self.stop(login, stop, None, None).await,
        }
    }

    /// The question that waits for this browser's answer, in the session that it was asked in.
    async fn question(&self, login: &mut Login, input: &HttpInput) -> Result<(Found, LiveSession), Stop> {
        own_origin(login, input)?;
        let expected = "a question that waits for an answer";
        let handle = field(input, QUESTION);
        let found = match &handle {
            Some(handle) => self.login_under_way(login, handle).await?,
            None => None,
        };
        let session = found.as_ref().and_then(|found| match found.record.purpose {
            Purpose::Consent { session } => Some(session),
            _ => None,
        });
        let (Some(mut found), Some(session)) = (found, session) else {
            let actual = "none, or one that was answered before, or is older than 10 minutes";
            login.trace.check("the question", "OpenID Connect Core 3.1.2.4", expected, actual, false);
            return Err(Stop::not_accepted("no question waits for this answer"));
        };
        self.same_browser(login, &found, input)?;
        let live = self.live_session(login.tenant.view.id, input, login.started).await?;
        let live = live.filter(|live| live.stored.id == session);
        let actual = if live.is_some() { "it" } else { "another session, or none" };
        let what = "the session that was asked";
        login.trace.check(what, "", "that of this browser", actual, live.is_some());
        let Some(live) = live else {
            return Err(Stop::not_accepted("the answer came in another session than the question"));
        };
        // The login that was asked for is recorded already; this is another event.
        let (trace_id, started, before) = (login.trace_id, login.started, found.record.trace);
        login.trace.decide("login", format!("goes on from {before}"), true);
        login.resume(&mut found.record);
        (login.trace_id, login.started) = (trace_id, started);
        Ok((found, live))
    }

    async fn decided(&self, mut login: Login, found: Found, live: LiveSession, input: &HttpInput) -> Reply {
        let tenant = Arc::clone(&login.tenant);
        // What was answered needs the question's cookie no more.
        let removal = correlation_cookie(tenant.view.id, &found.handle, String::new());
        let asked = match found.record.question {
            Some(Question::Consent { items }) => Some(items),
            _ => None,
        };
        let person = Some(live.record.subject.display.clone());
        let connection = tenant.connections.get(&live.stored.connection).cloned();
        login.connection.clone_from(&connection);
        let app = login.app.as_ref().map(|(open, _)| open.view.id);
        let (Some(connection), Some(app), Some(items)) = (connection, app, asked) else {
            let stop = Stop::broken("the app, the connection or what was asked is gone since the question");
            let stop = self.closed(&mut login, found.id, Vec::new(), stop).await;
            return self.stop(login, stop, None, person).await.with_cookie(removal);
        };
        if field(input, "answer").as_deref() != Some("allow") {
            login.trace.decide("consent", "the person said no", false);
            let stop = Stop::new(RefusalKind::AccessDenied, "The person did not agree.", "consent: the person said no");
            let stop = self.closed(&mut login, found.id, Vec::new(), stop).await;
            return self.stop(login, stop, None, person).await.with_cookie(removal);
        }
        let consent = match self.remembered(tenant.view.id, &live, app, items, login.started).await {
            Ok(consent) => consent,
            Err(error) => {
                // Nobody got an answer: the question stays open, and the person can say yes to it again.
                let stop = Stop { told: Told::PersonOnly, ..Stop::from(error) };
                return self.stop(login, stop, None, person).await;
            }
        };
        login.trace.decide("consent", "the person agreed", true);
        login.consented = Some(Consented { transaction: found.id, consent });
        // The login began with the question: a kill of the app since then ends it, although the session lives on.
        let as_of = found.record.session.map_or(live.as_of, |asked| asked.epoch.min(live.as_of));
        let basis = Basis::Session { stored: live.stored, as_of };
        let who = Who { record: live.record, once: Vec::new(), tokens: None };
        self.finish(login, connection, who, basis).await.with_cookie(removal)
    }

    /// What the person agreed to by now, all together.
    async fn remembered(
        &self,
        tenant: TenantId,
        live: &LiveSession,
        app: AppId,
        mut items: Vec<String>,
        at: Timestamp,
    ) -> Result<Consent, StoreError> {
        let before = self.people.consent(tenant, live.stored.person, app).await?;
        items.extend(before.map(|before| before.items).unwrap_or_default());
        items.sort();
        items.dedup();
        Ok(Consent { app, items, at })
    }
}
