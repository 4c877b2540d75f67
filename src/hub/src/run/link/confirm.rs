//! The person says yes to an identity that was proved.

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::LinkProofId;
use fedbridge_contract::ticket;
use fedbridge_contract::trace::Outcome;

use super::{Kept, OVER, Proved, proof_cookie, proof_cookie_name};
use crate::ports::{Command, GuardFailed, NewLink, NewSession, StoredProof, Unit, UnitError};
use crate::run::Hub;
use crate::run::account::account_of;
use crate::run::ending::Stop;
use crate::run::finish::also_upstream;
use crate::run::form_token::same;
use crate::run::own::{TOKEN, field, own_origin};
use crate::run::record::SessionRecord;
use crate::run::session::{LiveSession, session_cookie};
use crate::run::start::Login;
use crate::run::trace::Ending;

impl Hub {
    /// Makes the link, and gives the session a new cookie.
    pub(in crate::run) async fn confirm_link(&self, mut login: Login, live: LiveSession, input: &HttpInput) -> Reply {
        let tenant = Arc::clone(&login.tenant);
        let person = Some(live.record.subject.display.clone());
        let linked = self.link(&mut login, &live, input).await;
        let removal = proof_cookie(tenant.view.id, String::new());
        match linked {
            Ok(cookie) => {
                self.record(login, None, Ending { outcome: Outcome::Success, cause: String::new(), person });
                let reply = Reply::redirect(account_of(&tenant)).with_cookie(removal);
                match cookie {
                    Some(cookie) => reply.with_cookie(session_cookie(tenant.view.id, cookie)),
                    None => reply,
                }
            }
            Err(stop) => self.stop(login, stop, None, person).await,
        }
    }

    /// The session's new cookie; `None` where the person said no.
    async fn link(&self, login: &mut Login, live: &LiveSession, input: &HttpInput) -> Result<Option<String>, Stop> {
        own_origin(login, input)?;
        let (proof, kept) = self.proof_of(login, live, input).await?;
        let (Some(subject), Some(Proved { subject: identity, email, upstream, epoch })) =
            (proof.subject, kept.identity)
        else {
            login.trace.check("the proof", "", "bound to a subject", "to none", false);
            return Err(Stop::new(RefusalKind::AccessDenied, OVER, "the proof is bound to no subject"));
        };
        let token = self.link_token(login.tenant.view.id, proof.id, &subject);
        let right = field(input, TOKEN).is_some_and(|sent| same(&sent, &token));
        let actual = if right { "it" } else { "another one, or none" };
        if !login.trace.check("the form's token", "RFC 9700 4.7", "that of this proof", actual, right) {
            return Err(Stop::new(RefusalKind::AccessDenied, OVER, "a form that our pages did not make"));
        }
        login.connection = login.tenant.connections.get(&proof.connection).cloned();
        if field(input, "answer").as_deref() != Some("allow") {
            login.trace.decide("link", "the person said no", true);
            return Ok(None);
        }
        if !login.connection.as_ref().is_some_and(|open| open.may_be_connected()) {
            let cause = "the connection is gone, switched off, or lets nobody connect it";
            return Err(Stop::new(RefusalKind::AccessDenied, "This login can't be connected.", cause));
        }
        self.may_come_back(login, proof.connection, &identity.key).await?;
        // The session was looked at already; this is about the other side of the link.
        let standing = self.gate.session(login.tenant.view.id, proof.connection, epoch, Epoch::default()).await;
        if let Err(refusal) = standing {
            login.trace.decide("gate", refusal.to_string(), false);
            return Err(refusal.into());
        }
        let mut commands = vec![
            Command::UseLinkProof { proof: proof.id, person: proof.person, session: live.stored.id, subject },
            Command::LinkIdentity(NewLink {
                person: proof.person,
                connection: proof.connection,
                subject_key: identity.key,
                display: identity.display.clone(),
                email,
                scope: identity.scope,
            }),
        ];
        // The upstream has a session now too, which is to end with ours.
        let mut record = live.record.clone();
        record.also.retain(|part| part.connection != upstream.connection);
        if upstream.connection != live.stored.connection {
            record.also.insert(0, upstream.clone());
            commands.push(also_upstream(live.stored.id, upstream, live.stored.absolute_expires));
        }
        let (cookie, renewed) = self.renewed(login, live, &record)?;
        commands.push(Command::RenewSession(renewed));
        let unit = Unit { commands, now: login.started };
        match self.store.commit(login.tenant.view.id, unit).await {
            Ok(()) => {
                login.trace.decide("link", format!("{} opens this account from now on", identity.display), true);
                Ok(Some(cookie))
            }
            Err(UnitError::Guard(guard)) => Err(not_linked(login, &guard)),
            Err(UnitError::Store(error)) => Err(error.into()),
        }
    }

    /// The proof of this browser, where it is of this person and session.
    async fn proof_of(
        &self,
        login: &mut Login,
        live: &LiveSession,
        input: &HttpInput,
    ) -> Result<(StoredProof, Kept), Stop> {
        let tenant = login.tenant.view.id;
        let cookie = input.cookie(&proof_cookie_name(tenant)).unwrap_or_default();
        let stored = match ticket::id_of(cookie).map(LinkProofId::from_uuid) {
            Some(id) => self.people.link_proof(tenant, id, &self.proof_hash(tenant, cookie), login.started).await?,
            None => None,
        };
        let found = stored.is_some();
        let own = stored.filter(|proof| proof.person == live.stored.person && proof.session == live.stored.id);
        let actual = match (found, &own) {
            (_, Some(_)) => "it",
            (true, None) => "that of another person or session",
            (false, None) => "none: it was used, or is over, or is another browser's",
        };
        login.trace.check("the proof", "", "that of this person, session and browser", actual, own.is_some());
        own.and_then(|proof| self.opened(tenant, proof))
            .ok_or_else(|| Stop::new(RefusalKind::AccessDenied, OVER, format!("link proof: {actual}")))
    }

    /// The session under a new cookie: what was in the browser before the link is worth nothing behind it.
    fn renewed(&self, login: &Login, live: &LiveSession, record: &SessionRecord) -> Result<(String, NewSession), Stop> {
        let (tenant, stored) = (login.tenant.view.id, &live.stored);
        let (cookie, cookie_hash) = self.new_session_cookie(tenant, stored.id);
        let row = NewSession {
            id: stored.id,
            cookie_hash,
            person: stored.person,
            connection: stored.connection,
            idle_expires: stored.idle_expires,
            absolute_expires: stored.absolute_expires,
            upstream: record.upstream.logout_key.clone().map(|key| (key, record.upstream.index.clone())),
            sealed: self.sealed_session(tenant, stored.id, record)?,
        };
        Ok((cookie, row))
    }
}

fn not_linked(login: &mut Login, guard: &GuardFailed) -> Stop {
    let cause = guard.to_string();
    login.trace.check("used once", "", "first use", cause.clone(), false);
    let public = match guard {
        GuardFailed::LinkExists => "This login was connected with an account just now.",
        GuardFailed::SessionEnded => "You were logged out meanwhile. Please log in again.",
        _ => OVER,
    };
    Stop::new(RefusalKind::AccessDenied, public, cause)
}
