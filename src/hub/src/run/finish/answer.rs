//! The app's adapter says what was decided, in its own protocol.

use std::sync::Arc;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::downstream::{Downstream, Finish, Finished, IssuedIdentity, RefusalKind};
use fedbridge_contract::http::Reply;
use fedbridge_contract::identity::{AuthnFacts, Onward};
use fedbridge_contract::ids::{PersonId, TenantId};
use fedbridge_contract::page::{Page, SignedInPage};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::trace::TraceLog;

use super::Finishing;
use super::unit::{SessionPlan, session_limit};
use crate::decide::pairwise_sub;
use crate::run::Hub;
use crate::run::ending::{NOT_ALLOWED, Stop};
use crate::run::record::{Asked, Purpose};
use crate::run::snapshot::OpenApp;
use crate::spec::SubjectType;

impl Hub {
    pub(super) async fn answer_app(
        &self,
        last: &mut Finishing<'_>,
        claims: &Claims,
        person: PersonId,
        plan: &SessionPlan,
        permit: &Permit,
    ) -> Result<Finished, Stop> {
        let limit = session_limit(last);
        let (login, authn) = (&mut *last.login, &last.who.record.authn);
        let Some((app, asked)) = &login.app else {
            let reply = self.own_reply(last)?;
            return Ok(Finished { reply, grant: None, participant: None, name_id: None, steps: TraceLog::new() });
        };
        let Some(downstream) = self.downstream(app.view.kind) else {
            return Err(Stop::broken("no downstream adapter for this app"));
        };
        let sub = self.sub(login.tenant.view.id, app, downstream.as_ref(), person);
        is_the_one(&mut login.trace, asked, &sub)?;
        let identity = IssuedIdentity {
            person,
            sub,
            session: plan.session(),
            connection: Arc::clone(&last.connection.view),
            claims: claims.clone(),
            scope: asked.scope.clone(),
            auth_time: authn.auth_time,
            acr: authn.acr.clone(),
            amr: authn.amr.clone(),
            authorities: authorities(authn),
            session_limit: limit,
            upstream_limit: last.who.record.upstream.not_on_or_after,
            trace: login.trace_id,
        };
        let finish = Finish {
            tenant: &login.tenant.view,
            app: &app.view,
            continuation: &asked.continuation,
            identity: &identity,
            now: last.now,
            rng: self.services.rng.as_ref(),
        };
        match downstream.finish(finish, permit).await {
            Ok(mut finished) => {
                login.trace.extend(std::mem::take(&mut finished.steps));
                Ok(finished)
            }
            Err(refusal) => {
                let cause = refusal.cause.clone().unwrap_or_else(|| refusal.public.clone());
                login.trace.decide("the app's own demands", cause.clone(), false);
                Err(Stop::because(refusal, cause))
            }
        }
    }

    /// Where no app asked.
    fn own_reply(&self, last: &Finishing<'_>) -> Result<Reply, Stop> {
        let login = &*last.login;
        Ok(match &login.then {
            Some(then) => Reply::redirect(self.initiated(login, then)?),
            None if login.purpose == Purpose::Account => {
                Reply::redirect(format!("{}/account", login.tenant.view.issuer))
            }
            None => signed_in(last),
        })
    }

    /// What the app knows the person by (OpenID Connect Core 8).
    pub(in crate::run) fn sub(
        &self,
        tenant: TenantId,
        app: &OpenApp,
        downstream: &dyn Downstream,
        person: PersonId,
    ) -> String {
        match app.subject_type {
            SubjectType::Public => person.to_string(),
            SubjectType::Pairwise => {
                let mac = |input: &[u8]| self.services.tokens.mac(tenant, "pairwise sub", input);
                pairwise_sub(mac, &downstream.sector(&app.view), person)
            }
        }
    }
}

/// Where the app says whom it expects.
fn is_the_one(trace: &mut TraceLog, asked: &Asked, sub: &str) -> Result<(), Stop> {
    let Some(expected) = asked.expected_sub.as_ref().filter(|expected| *expected != sub) else { return Ok(()) };
    trace.check("the person of id_token_hint", "OpenID Connect Core 3.1.2.1", expected, sub, false);
    let public = "Somebody else is logged in.";
    Err(Stop::new(RefusalKind::LoginRequired, public, "id_token_hint names another person"))
}

/// A ProxyRestriction stops what would go on to this app (SAML core 2.5.1.6).
pub(super) fn may_go_onward(last: &mut Finishing<'_>) -> Result<(), Stop> {
    let login = &mut *last.login;
    let Some((app, _)) = &login.app else { return Ok(()) };
    let name = app.view.protocol_name.clone().unwrap_or_else(|| app.view.name.clone());
    let allowed = match &last.who.record.onward {
        Onward::Unrestricted => return Ok(()),
        Onward::Nobody => false,
        Onward::Only(parties) => parties.contains(&name),
    };
    let expected = match &last.who.record.onward {
        Onward::Only(parties) => parties.join(", "),
        _ => "nobody".into(),
    };
    if login.trace.check("to whom the statement may be passed on", "SAML core 2.5.1.6", expected, name, allowed) {
        Ok(())
    } else {
        Err(Stop::new(RefusalKind::AccessDenied, NOT_ALLOWED, "the upstream's ProxyRestriction leaves this app out"))
    }
}

fn authorities(authn: &AuthnFacts) -> Vec<String> {
    authn.authority.iter().chain(&authn.authorities).cloned().collect()
}

fn signed_in(last: &Finishing<'_>) -> Reply {
    let page = Reply::page(Page::SignedIn(SignedInPage {
        tenant: last.login.tenant.view.display_name.clone(),
        person: last.who.record.subject.display.clone(),
        connection: last.connection.view.display_name.clone(),
        logout: format!("{}/logout", last.login.tenant.view.issuer),
    }));
    page.in_language(last.login.locale())
}
