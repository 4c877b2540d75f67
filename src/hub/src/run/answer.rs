//! An upstream's answer comes in: find the login it belongs to, check that the
//! browser is the one that started it, and let the adapter verify it.

use std::sync::Arc;

use fedbridge_contract::downstream::{Refusal, RefusalKind};
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_contract::upstream::{Answer, Correlation, LoginOutcome, UpstreamRefusal, UpstreamRefusalKind};

use super::finish::{Basis, Who};
use super::record::{SessionRecord, TransactionRecord};
use super::session::{correlation_cookie_name, transaction_place};
use super::snapshot::{OpenConnection, TenantSnapshot};
use super::start::Login;
use super::trace::Ending;
use super::{Hub, error_page};
use crate::ports::StoredTransaction;

/// What a person reads when an answer can't be used. The reason is in the trace.
const NOT_ACCEPTED: &str = "The answer of your login provider could not be accepted.";

impl Hub {
    pub(super) async fn answer(
        &self,
        tenant: Arc<TenantSnapshot>,
        connection: Arc<OpenConnection>,
        input: &HttpInput,
    ) -> Reply {
        let now = self.services.clock.now();
        let mut login = Login {
            tenant: Arc::clone(&tenant),
            app: None,
            connection: Some(Arc::clone(&connection)),
            wish: Default::default(),
            started: now,
            peer: input.peer,
            trace_id: TraceId::random(self.services.rng.as_ref()),
            trace: TraceLog::new(),
        };
        let Ok(ready) = &connection.state else {
            return self.reject(login, "the connection's configuration is broken".into());
        };
        let Some(adapter) = ready.adapter.login.as_deref() else {
            return self.reject(login, "the adapter offers no login".into());
        };
        let handle = match adapter.correlate(input) {
            Correlation::Handle(handle) => handle,
            Correlation::Unsolicited => {
                login.trace.check(
                    "answers one of our requests",
                    "SAML profiles 4.1.4.3",
                    "the handle of a login under way",
                    "none: an unsolicited answer, which this connection does not allow",
                    false,
                );
                return self.reject(login, "unsolicited answer".into());
            }
            Correlation::Malformed(why) => {
                login.trace.check("the message can be read", "", "a form post of the upstream", why.clone(), false);
                return self.reject(login, why);
            }
        };
        let tenant_id = tenant.view.id;
        let handle_hash = self.services.tokens.mac(tenant_id, "transaction handle", handle.as_bytes());
        let stored = match self.store.transaction(tenant_id, &handle_hash, now).await {
            Ok(stored) => stored,
            Err(error) => {
                let reply = error_page(503, Some(&tenant), super::unavailable().public, Some(login.trace_id), None);
                let cause = error.to_string();
                self.record(login, None, Ending { outcome: Outcome::Error, cause, person: None });
                return reply;
            }
        };
        let Some((stored, record)) = stored.and_then(|stored| self.open_transaction(&login, stored)) else {
            login.trace.check(
                "answers one of our requests",
                "SAML profiles 4.1.4.3",
                "the handle of a login under way",
                "a handle that is unknown, used before, or older than 10 minutes",
                false,
            );
            return self.reject(login, "no login under way has this handle".into());
        };
        login.resume(&record);
        if record.app.is_some() && login.app.is_none() {
            login.trace.decide("app", "it was deleted while the person logged in", false);
            return self.reject(login, "the app is gone".into());
        }
        if record.connection != connection.view.id {
            let name = |id| tenant.view.connection_by_id(id).map_or("gone", |view| view.slug.as_str());
            login.trace.check(
                "the connection that was asked",
                "saml.md 19",
                name(record.connection),
                connection.view.slug.clone(),
                false,
            );
            return self.reject(login, "the answer came to another connection's address".into());
        }
        let cookie = input.cookie(&correlation_cookie_name(tenant_id, &handle)).unwrap_or_default();
        let browser = self.services.tokens.mac(tenant_id, "correlation cookie", cookie.as_bytes());
        let same = !cookie.is_empty() && browser == record.browser;
        let came = if cookie.is_empty() { "no correlation cookie" } else { "another correlation cookie" };
        let same = login.trace.check(
            "the browser that started this login",
            "SAML profiles 4.1.4.3",
            "its correlation cookie",
            if same { "it" } else { came },
            same,
        );
        if !same {
            return self.reject(login, "the answer came from another browser".into());
        }
        let minter = Minter::for_transaction(tenant_id, connection.view.id, stored.id);
        let answer = Answer {
            tenant: &tenant.view,
            input,
            transaction: stored.id,
            state: &record.state,
            wish: &record.wish,
            started: record.started,
            now,
        };
        match adapter.complete(answer, minter, &mut login.trace).await {
            LoginOutcome::Authenticated(identity) => {
                let covered = identity.proof.covers(tenant_id, connection.view.id, stored.id);
                if !covered {
                    login.trace.decide("proof", "the identity was not verified in this transaction", false);
                    return self.reject(login, "proof of another transaction".into());
                }
                let identity = *identity;
                let who = Who {
                    record: SessionRecord {
                        subject: identity.subject,
                        attributes: identity.attributes,
                        authn: identity.authn,
                        upstream: identity.session,
                        onward: identity.onward,
                    },
                    once: identity.once,
                };
                let basis = Basis::Fresh { transaction: stored.id, handle, prior: record.session };
                self.finish(login, connection, who, basis).await
            }
            LoginOutcome::UpstreamRefused(refusal) => {
                let cause = format!("the upstream answered {}", refusal.upstream_code);
                self.refuse(login, upstream_refusal(&refusal), Outcome::Refused, cause)
            }
            LoginOutcome::Rejected(error) => self.reject(login, error.cause),
        }
    }

    fn open_transaction(
        &self,
        login: &Login,
        stored: StoredTransaction,
    ) -> Option<(StoredTransaction, TransactionRecord)> {
        let place = transaction_place(login.tenant.view.id, stored.id);
        let plain = self.sealer.open(&place, &stored.sealed).ok()?;
        let record = serde_json::from_slice(&plain).ok()?;
        Some((stored, record))
    }

    /// A plain page: nothing of an answer that was not accepted goes on to the app.
    fn reject(&self, login: Login, why: String) -> Reply {
        let cause = login.trace.cause().unwrap_or(why);
        let reply = error_page(400, Some(&login.tenant), NOT_ACCEPTED, Some(login.trace_id), login.again());
        self.record(login, None, Ending { outcome: Outcome::Refused, cause, person: None });
        reply
    }
}

impl Login {
    /// Takes up what was known when the request went out.
    fn resume(&mut self, record: &TransactionRecord) {
        let answered = std::mem::take(&mut self.trace);
        self.trace = record.steps.clone();
        self.trace.extend(answered);
        self.trace_id = record.trace;
        self.started = record.started;
        self.wish = record.wish.clone();
        self.app = record.app.as_ref().and_then(|asked| {
            let open = self.tenant.apps.get(&asked.app)?;
            Some((Arc::clone(open), asked.clone()))
        });
    }
}

fn upstream_refusal(refusal: &UpstreamRefusal) -> Refusal {
    match refusal.kind {
        UpstreamRefusalKind::LoginRequired => Refusal::new(RefusalKind::LoginRequired, "Nobody is logged in."),
        UpstreamRefusalKind::Denied => {
            Refusal::new(RefusalKind::AccessDenied, "Your login provider did not let you in.")
        }
        UpstreamRefusalKind::UnmetAuthnContext => Refusal::new(
            RefusalKind::UnmetAuthnContext,
            "Your login provider can't authenticate you as strongly as asked.",
        ),
        UpstreamRefusalKind::Failed => {
            Refusal::new(RefusalKind::AccessDenied, "Your login provider could not log you in.")
        }
    }
}
