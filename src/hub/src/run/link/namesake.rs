//! Somebody comes by a login that nobody has, with an address that somebody has, and the connection says `ask`.
//! They are the one who has it, who logs in as before and connects this login; or somebody else, who gets an
//! account of their own. Nobody is linked here.

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::TransactionId;
use fedbridge_contract::page::{OwnForm, Page, SameEmailPage, WayBack};
use fedbridge_contract::ticket::ticket;
use fedbridge_contract::trace::TraceLog;

use crate::ports::{Command, Unit};
use crate::run::Hub;
use crate::run::answer;
use crate::run::ending::Stop;
use crate::run::finish::{Basis, Finishing, Who, lost};
use crate::run::own::{field, own_origin};
use crate::run::record::{AskedOnce, Newcomer, Purpose, Question, TransactionRecord};
use crate::run::session::{TRANSACTION, correlation_cookie};
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::{Login, spent};

/// The field of the page's form that names the question.
const QUESTION: &str = "question";

impl Hub {
    /// Keeps the identity, uses up what brought it, and asks. `before`: where whoever has the address logs in.
    pub(in crate::run) async fn ask_if_somebody_else(
        &self,
        last: &mut Finishing<'_>,
        before: Option<WayBack>,
    ) -> Result<Reply, Stop> {
        if last.login.wish.passive {
            let cause = "prompt=none, and a page would have to ask whether this is somebody else";
            return Err(Stop::new(RefusalKind::LoginRequired, "Nobody is logged in.", cause));
        }
        let tenant = last.login.tenant.view.id;
        let (transaction, prior) = match last.basis {
            Basis::Fresh { transaction, prior } => (*transaction, *prior),
            Basis::Session { .. } => return Err(Stop::broken("a session of nobody")),
        };
        let id = TransactionId::at(last.now, self.services.rng.as_ref());
        let handle = ticket(id.uuid(), self.services.rng.as_ref());
        let (secret, browser) = self.new_correlation(tenant);
        let newcomer = Newcomer {
            identity: last.who.record.clone(),
            tokens: last.who.tokens.clone(),
            purpose: last.login.purpose,
        };
        let record = TransactionRecord {
            connection: last.connection.view.id,
            app: last.login.app.as_ref().map(|(_, asked)| asked.clone()),
            then: last.login.then.clone(),
            purpose: Purpose::SameEmail,
            wish: last.login.wish.clone(),
            browser,
            session: prior,
            question: Some(Question::SameEmail(Box::new(newcomer))),
            state: Vec::new(),
            started: last.now,
            trace: last.login.trace_id,
            steps: TraceLog::new(),
        };
        let mut commands: Vec<_> = transaction.map(Command::FinishTransaction).into_iter().collect();
        commands.extend(last.who.once.iter().cloned().map(AskedOnce::from).map(spent));
        commands.push(self.open_transaction(tenant, id, &handle, last.now + TRANSACTION, &record)?);
        let page = self.namesake_page(last, before, handle.clone());
        let unit = Unit { commands, now: last.now };
        self.store.commit(tenant, unit).await.map_err(|error| lost(last.login, error))?;
        Ok(page.with_cookie(correlation_cookie(tenant, &handle, secret)))
    }

    fn namesake_page(&self, last: &Finishing<'_>, before: Option<WayBack>, handle: String) -> Reply {
        let tenant = &last.login.tenant.view;
        let onward = last.login.app.as_ref().and_then(|(open, asked)| {
            let side = self.downstream(open.view.kind)?;
            side.host(&open.view, &asked.continuation)
        });
        let page = SameEmailPage {
            tenant: tenant.display_name.clone(),
            identity: last.who.record.subject.display.clone(),
            connection: last.connection.view.display_name.clone(),
            before,
            onward,
            form: OwnForm {
                action: format!("{}/somebody-else", tenant.issuer),
                fields: vec![(QUESTION.to_owned(), handle)],
            },
        };
        Reply::page(Page::SameEmail(page)).in_language(last.login.locale())
    }

    /// `POST {issuer}/somebody-else`: the login goes on as that of a new person.
    pub(in crate::run) async fn is_somebody_else(&self, tenant: Arc<TenantSnapshot>, input: &HttpInput) -> Reply {
        let now = self.services.clock.now();
        let mut login = Login::of(Arc::clone(&tenant), now, input.peer, self.new_trace_id(), TraceLog::new());
        let (mut found, newcomer) = match self.newcomer(&mut login, input).await {
            Ok(found) => found,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        // The login up to the question is recorded already; this is another event.
        let (trace_id, before) = (login.trace_id, found.record.trace);
        login.trace.decide("login", format!("goes on from {before}"), true);
        login.resume(&mut found.record);
        let Newcomer { identity, tokens, purpose } = newcomer;
        login = Login { trace_id, started: now, purpose, apart: true, ..login };
        let removal = correlation_cookie(tenant.view.id, &found.handle, String::new());
        let connection = tenant.connections.get(&found.record.connection).cloned();
        let app_is_gone = found.record.app.is_some() && login.app.is_none();
        let Some(connection) = connection.filter(|_| !app_is_gone) else {
            let stop = Stop::broken("the app or the connection is gone since the question");
            let stop = self.closed(&mut login, found.id, Vec::new(), stop).await;
            return self.stop(login, stop, None, Some(identity.subject.display)).await.with_cookie(removal);
        };
        login.connection = Some(Arc::clone(&connection));
        let basis = Basis::Fresh { transaction: Some(found.id), prior: found.record.session };
        let who = Who { record: identity, once: Vec::new(), tokens };
        self.finish(login, connection, who, basis).await.with_cookie(removal)
    }

    /// The question that waits for this browser's answer.
    async fn newcomer(&self, login: &mut Login, input: &HttpInput) -> Result<(answer::Found, Newcomer), Stop> {
        own_origin(login, input)?;
        let found = match field(input, QUESTION) {
            Some(handle) => self.login_under_way(login, &handle).await?,
            None => None,
        };
        let found = found.and_then(|mut found| match found.record.question.take() {
            Some(Question::SameEmail(newcomer)) => Some((found, *newcomer)),
            _ => None,
        });
        let Some((found, newcomer)) = found else {
            let actual = "none, or one that was answered before, or is older than 10 minutes";
            login.trace.check("the question", "", "a question that waits for an answer", actual, false);
            return Err(Stop::not_accepted("no question waits for this answer"));
        };
        self.same_browser(login, &found, input)?;
        Ok((found, newcomer))
    }
}
