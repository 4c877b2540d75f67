//! Extended operations (RFC 4511 section 4.12).

use std::sync::Arc;

use bytes::Bytes;
use fedbridge_contract::config::App;
use fedbridge_contract::directory::{BindAnswer, PersonBind};
use fedbridge_contract::password::Password;
use fedbridge_contract::runtime::within;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_ldap_core::extended::{CANCEL, PASSWORD_MODIFY, PasswordModify, START_TLS, WHO_AM_I, canceled};
use fedbridge_ldap_core::{Code, Control, Dn, Done, LdapResult, Op};
use tokio::time::{Instant, sleep_until};

use crate::backend::{Backend, Identity};
use crate::controls::{self, With};
use crate::deadline::Asked;
use crate::index::claims::user_name;
use crate::session::{Flow, Session};
use crate::settings::directory_of;
use crate::standing::{ENDED, Fallen};
use crate::trace::{self, Over};

/// What the root DSE names; [`START_TLS`] besides where it can be begun, [`PASSWORD_MODIFY`] where a tenant has it.
pub const SUPPORTED: &[&str] = &[WHO_AM_I, CANCEL];

/// The answer to an extended operation, and whether the connection goes on.
type Answered = Result<(LdapResult, Option<Bytes>), Flow>;

impl Session {
    pub(crate) async fn extended(
        &mut self,
        id: i32,
        oid: &str,
        value: Option<&Bytes>,
        controls: &[Control],
        received: Instant,
    ) -> Flow {
        if oid == START_TLS {
            return self.start_tls(id, value, controls, received).await;
        }
        let (operation, answered) = match (controls::read(controls, With::Other), oid) {
            (Err(result), _) => ("extended", Ok((result, None))),
            (_, WHO_AM_I) => ("whoami", self.who_am_i(value).await),
            (_, CANCEL) => ("cancel", Ok((self.cancel(value), None))),
            (_, PASSWORD_MODIFY) => ("password", self.change_password(value, received).await),
            _ => {
                let result = LdapResult::new(Code::PROTOCOL, "this extended operation is not known here");
                ("extended", Ok((result, None)))
            }
        };
        let (result, value) = match answered {
            Ok(answer) => answer,
            Err(flow) => return flow,
        };
        self.server.count(operation, self.pipe.facts(), oid, result.code, received);
        self.answer(id, &Op::ExtendedDone { result, oid: None, value }, &[]);
        Flow::Go
    }

    async fn start_tls(&mut self, id: i32, value: Option<&Bytes>, controls: &[Control], received: Instant) -> Flow {
        let facts = self.pipe.facts();
        let refused = match controls::read(controls, With::Other) {
            Err(result) => Some(result),
            Ok(_) if facts.encrypted => Some(LdapResult::new(Code::OPERATIONS, "TLS is there already")),
            Ok(_) if !self.running.is_empty() => Some(LdapResult::new(Code::OPERATIONS, "operations are under way")),
            Ok(_) if !facts.can_upgrade => Some(LdapResult::new(Code::PROTOCOL, "there is no TLS here")),
            Ok(_) if value.is_some() => Some(LdapResult::new(Code::PROTOCOL, "StartTLS has no value")),
            Ok(_) => None,
        };
        let goes_on = refused.is_none();
        let result = refused.unwrap_or_else(LdapResult::success);
        self.server.count("starttls", self.pipe.facts(), "", result.code, received);
        self.answer(id, &Op::ExtendedDone { result, oid: Some(START_TLS.to_owned()), value: None }, &[]);
        if !goes_on {
            return Flow::Go;
        }
        // What was said in clear was said by anybody.
        self.who.clear();
        self.pages.clear();
        match self.pipe.begin_tls().await {
            Ok(()) => Flow::Go,
            Err(error) => {
                tracing::debug!(target: trace::LOG, peer = %self.pipe.facts().peer, %error, "TLS was not begun");
                Flow::Close
            }
        }
    }

    async fn who_am_i(&self, value: Option<&Bytes>) -> Answered {
        if value.is_some() {
            return Ok((LdapResult::new(Code::PROTOCOL, "this operation has no value"), None));
        }
        let backend = self.who.tenant().and_then(|tenant| self.server.directories.of(tenant));
        let Some(backend) = backend.filter(|_| self.who.identity != Identity::Anonymous) else {
            return Ok((LdapResult::success(), Some(Bytes::new())));
        };
        match self.stands(backend.as_ref()).await {
            Err(Fallen::Ended) => Err(ENDED),
            Err(Fallen::Unsure(result)) => Ok((result, None)),
            Ok(()) => {
                let dn = backend.dn(&self.who.identity);
                Ok((LdapResult::success(), Some(dn.map_or_else(Bytes::new, |dn| format!("dn:{dn}").into()))))
            }
        }
    }

    /// Cancels a search: it is answered `canceled`, then the cancel itself.
    fn cancel(&mut self, value: Option<&Bytes>) -> LdapResult {
        let Ok(other) = canceled(value) else {
            return LdapResult::new(Code::PROTOCOL, "the value of the cancel is malformed");
        };
        match self.running.iter().position(|search| search.id == other) {
            None => LdapResult::new(Code::NO_SUCH_OPERATION, "no such operation is under way"),
            Some(at) => {
                self.running.remove(at);
                self.done(other, Done::Search, LdapResult::new(Code::CANCELED, ""), &[]);
                LdapResult::success()
            }
        }
    }

    /// RFC 3062: a person sets a new password with the old one.
    async fn change_password(&mut self, value: Option<&Bytes>, received: Instant) -> Answered {
        let refuse = |code, text: &str| Ok((LdapResult::new(code, text), None));
        let backend = self.who.tenant().and_then(|tenant| self.server.directories.of(tenant));
        let (Some(backend), Identity::Person { id, .. }) = (backend, self.who.identity) else {
            return refuse(Code::INSUFFICIENT_ACCESS, "a person who is bound may set the own password");
        };
        if !directory_of(backend.tenant()).password_modify {
            return refuse(Code::UNWILLING, "passwords are not set here");
        }
        if self.server.rules.require_tls && !self.pipe.facts().encrypted {
            return refuse(Code::CONFIDENTIALITY_REQUIRED, "a password needs TLS");
        }
        let Ok(change) = PasswordModify::read(value) else {
            return refuse(Code::PROTOCOL, "the value of the operation is malformed");
        };
        let own = backend.dn(&self.who.identity);
        if change.user.is_some_and(|user| !same(&user, own.as_deref())) {
            return refuse(Code::INSUFFICIENT_ACCESS, "a person may set the own password, and no other");
        }
        let [old, new] = [change.old, change.new].map(|given| given.and_then(|given| Password::new(given.to_vec())));
        let (Some(old), Some(new)) = (old, new) else {
            return refuse(Code::UNWILLING, "both the old password and the new one are needed");
        };
        match self.stands(backend.as_ref()).await {
            Ok(()) => {}
            Err(Fallen::Ended) => return Err(ENDED),
            Err(Fallen::Unsure(result)) => return Ok((result, None)),
        }
        let result = self.ask_to_change(&backend, (&old, &new), received).await;
        self.server.cache.forget(id);
        Ok((result, None))
    }

    async fn ask_to_change(
        &self,
        backend: &Arc<dyn Backend>,
        (old, new): (&Password, &Password),
        received: Instant,
    ) -> LdapResult {
        let Identity::Person { id, by_app, .. } = self.who.identity else {
            return LdapResult::new(Code::INSUFFICIENT_ACCESS, "");
        };
        let (tenant, now) = (backend.tenant(), self.server.services.clock.now());
        let person = backend.person(id);
        let name = person.as_ref().and_then(user_name).unwrap_or_default();
        let app = by_app.and_then(|app| tenant.app_by_id(app)).map(|app| -> &App { app });
        let ask = PersonBind {
            tenant,
            app,
            person: person.as_ref(),
            name,
            password: old,
            peer: self.peer(),
            thread: self.thread.as_ref(),
            now,
        };
        let mut steps = TraceLog::new();
        steps.received(now, "password change", false, trace::about(self.pipe.facts()));
        let answer = within(self.server.rules.runtime.as_ref(), self.server.desk.change(ask, new, &mut steps)).await;
        let (result, (outcome, cause)) = match answer {
            BindAnswer::Yes { .. } => (LdapResult::success(), (Outcome::Success, "changed".to_owned())),
            BindAnswer::No(why) | BindAnswer::Barred { why, .. } => {
                // It tells whether the old password is right, as a bind does.
                let times = (received, Instant::now());
                let (every, rng) = (directory_of(tenant).failure_deadline, self.server.services.rng.as_ref());
                sleep_until(self.server.deadlines.due(tenant.id, Asked::Somebody, every, times, rng)).await;
                (LdapResult::new(Code::UNWILLING, "the password was not changed"), (Outcome::Refused, why))
            }
            BindAnswer::Busy => {
                let result = LdapResult::new(Code::BUSY, "too much is under way; try again");
                let told = trace::outcome(&result);
                (result, told)
            }
            BindAnswer::Unavailable(why) => {
                let result = LdapResult::new(Code::UNAVAILABLE, "the password can't be changed now; try again");
                (result, (Outcome::Error, why))
            }
        };
        let person = Some(name.to_owned()).filter(|name| !name.is_empty());
        let over =
            Over { tenant, kind: "password", app: by_app, connection: None, person, began: now, outcome, cause, steps };
        self.server.record(self.pipe.facts(), over);
        result
    }
}

/// Whether a name, a DN or `dn:` and a DN, is this DN.
fn same(name: &[u8], own: Option<&str>) -> bool {
    let name = std::str::from_utf8(name).ok().and_then(|name| Dn::parse(name.strip_prefix("dn:").unwrap_or(name)).ok());
    name.is_some_and(|name| own.is_some_and(|own| Dn::parse(own) == Ok(name)))
}
