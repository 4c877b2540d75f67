//! Whether a person is asked before an app gets anything (OpenID Connect Core 3.1.2.4).
//!
//! The question ends the login as far as it goes: person and session are stored, and a transaction of its own
//! waits for the [`answer`]. That one is finished like a login that rests on a session.

mod answer;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::downstream::{ConsentWish, RefusalKind};
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::TransactionId;
use fedbridge_contract::page::{ConsentPage, OwnForm, Page};
use fedbridge_contract::ticket::ticket;
use fedbridge_contract::trace::TraceLog;

use super::Hub;
use super::ending::Stop;
use super::finish::{Finishing, SessionPlan, Whose};
use super::record::{PriorSession, Purpose, Question, TransactionRecord};
use super::session::{TRANSACTION, correlation_cookie};
use crate::ports::{Consent, Unit};

/// A person's yes to an app.
pub(super) struct Consented {
    /// The question, which is used up with this.
    pub transaction: TransactionId,
    /// What is remembered.
    pub consent: Consent,
}

/// The field of the page's form that names the question.
const QUESTION: &str = "question";

/// Whether a person is asked.
pub(super) enum Wanted {
    /// About these.
    Ask(Vec<String>),
    /// Not about anything: where an earlier yes is why, by this one.
    Nothing { relied: Option<Consent> },
}

impl Hub {
    /// What the person has to be asked about.
    pub(super) async fn consent_wanted(
        &self,
        last: &mut Finishing<'_>,
        whose: &Whose,
        released: &Claims,
    ) -> Result<Wanted, Stop> {
        let tenant = last.login.tenant.view.id;
        let Some((app, asked)) = &last.login.app else { return Ok(Wanted::Nothing { relied: None }) };
        if asked.consent == ConsentWish::NotNeeded || last.login.consented.is_some() {
            return Ok(Wanted::Nothing { relied: None });
        }
        let items = match app.view.kind {
            AppKind::SamlSp => released.iter().map(|(name, _)| name.clone()).collect(),
            AppKind::OidcClient => asked_for(&asked.scope, &asked.requested_claims),
            // Nobody logs in to one by way of a browser.
            AppKind::LdapApp | AppKind::ScimApp | AppKind::SignalReceiver => Vec::new(),
        };
        if asked.consent == ConsentWish::Remembered && !whose.is_new {
            let before = self.people.consent(tenant, whose.person.person, app.view.id).await?;
            if let Some(before) = before.filter(|before| items.iter().all(|item| before.items.contains(item))) {
                let outcome = format!("given at {}", before.at.rfc3339_seconds());
                last.login.trace.decide("consent", outcome, true);
                return Ok(Wanted::Nothing { relied: Some(before) });
            }
        }
        if last.login.wish.passive {
            let cause = "prompt=none, and the person has not agreed to what the app asks for";
            return Err(Stop::new(RefusalKind::ConsentRequired, "The person has not agreed yet.", cause));
        }
        Ok(Wanted::Ask(items))
    }

    /// Stores the login as far as it goes, and asks. What the app's request uses up waits for the answer.
    pub(super) fn ask_for_consent(
        &self,
        last: &mut Finishing<'_>,
        whose: &Whose,
        plan: &SessionPlan,
        items: Vec<String>,
    ) -> Result<(Unit, Reply), Stop> {
        let tenant = last.login.tenant.view.id;
        last.login.trace.decide("consent", format!("the person is asked: {}", items.join(", ")), true);
        let mut commands = Vec::new();
        let session_cookie = self.session_commands(last, whose, plan, &mut commands)?;
        let id = TransactionId::at(last.now, self.services.rng.as_ref());
        let handle = ticket(id.uuid(), self.services.rng.as_ref());
        let (secret, browser) = self.new_correlation(tenant);
        let session = PriorSession {
            id: plan.session(),
            person: whose.person.person,
            connection: last.connection.view.id,
            epoch: last.epoch,
        };
        let record = TransactionRecord {
            connection: last.connection.view.id,
            app: last.login.app.as_ref().map(|(_, asked)| asked.clone()),
            then: None,
            purpose: Purpose::Consent { session: plan.session() },
            wish: last.login.wish.clone(),
            browser,
            session: Some(session),
            question: Some(Question::Consent { items: items.clone() }),
            state: Vec::new(),
            started: last.now,
            trace: last.login.trace_id,
            steps: TraceLog::new(),
        };
        commands.push(self.open_transaction(tenant, id, &handle, last.now + TRANSACTION, &record)?);
        let reply = self.consent_page(last, items, handle.clone());
        let reply = reply.with_cookie(correlation_cookie(tenant, &handle, secret));
        let reply = match session_cookie {
            Some(cookie) => reply.with_cookie(cookie),
            None => reply,
        };
        Ok((Unit { commands, now: last.now }, reply))
    }

    fn consent_page(&self, last: &Finishing<'_>, asks: Vec<String>, handle: String) -> Reply {
        let tenant = &last.login.tenant.view;
        let (app, host) = match &last.login.app {
            Some((open, asked)) => {
                let side = self.downstream(open.view.kind);
                let host = side.and_then(|side| side.host(&open.view, &asked.continuation));
                (open.view.display_name.clone(), host)
            }
            None => (String::new(), None),
        };
        let fields = vec![(QUESTION.to_owned(), handle)];
        let page = ConsentPage {
            tenant: tenant.display_name.clone(),
            person: last.who.record.subject.display.clone(),
            app,
            host,
            asks,
            form: OwnForm { action: format!("{}/consent", tenant.issuer), fields },
        };
        Reply::page(Page::Consent(page)).in_language(last.login.locale())
    }
}

/// Scopes and single claims by name, sorted.
fn asked_for(scope: &[String], claims: &[String]) -> Vec<String> {
    let mut items: Vec<_> = scope.iter().chain(claims).cloned().collect();
    items.sort();
    items.dedup();
    items
}
