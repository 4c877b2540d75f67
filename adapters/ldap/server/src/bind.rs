//! Binds (RFC 4511 section 4.2; RFC 4513 section 5).
//!
//! Whatever is wrong with a name and its password is answered in one way and at one time: `invalidCredentials`, the
//! same text, at a deadline. What can be said without looking at a name or a password is said at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedbridge_contract::config::{LdapDirectory, Tenant};
use fedbridge_contract::directory::{BindAnswer, DirectoryPerson, Peer, PersonBind};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::{AppId, PersonId};
use fedbridge_contract::password::Password;
use fedbridge_contract::runtime::within;
use fedbridge_contract::services::GateRefusal;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_ldap_core::{Auth, Code, Control, LdapResult, Op};
use tokio::time::{Instant, sleep, sleep_until};

use crate::backend::{Backend, BindName, Identity, Meant};
use crate::cache::{self, Remembered};
use crate::controls::{self, With};
use crate::deadline::{Asked, due_without_tenant, watched};
use crate::index::claims::user_name;
use crate::limits::{MESSAGE_OF_ANYBODY, MESSAGE_OF_SOMEBODY};
use crate::sasl::{self, EXTERNAL, PLAIN};
use crate::session::{Flow, Session};
use crate::settings::directory_of;
use crate::verdict::{About, Answer, Bound, NO, Verdict, no, no_because, policy_of, unsure};

/// A right password is not remembered for longer, whatever the tenant says.
const LONGEST_MEMORY: Duration = Duration::from_secs(60);

/// How long a bind of somebody who is new here waits until the directory shows them.
const NEWCOMER: Duration = Duration::from_millis(500);

/// What a bind request carries.
pub(crate) struct Credentials {
    pub(crate) version: i64,
    pub(crate) name: String,
    pub(crate) auth: Auth,
}

/// How somebody wants to bind.
enum Way {
    Anonymous,
    Password {
        name: BindName,
        password: Password,
    },
    /// A name with a password that can't be one.
    Hopeless {
        name: BindName,
    },
    Certificate,
}

/// A bind that is looked at.
struct Look<'a> {
    backend: &'a Arc<dyn Backend>,
    name: &'a str,
    password: &'a Password,
    /// The newest kill that was known when it began.
    given_out: Epoch,
    began: Timestamp,
}

impl Session {
    pub(crate) async fn bind(
        &mut self,
        id: i32,
        credentials: Credentials,
        controls: &[Control],
        received: Instant,
    ) -> Flow {
        // What is under way is given up, and the connection is nobody's (RFC 4511 section 4.2.1).
        self.running.clear();
        self.pages.clear();
        self.who.unbind();
        self.framer.allow(MESSAGE_OF_ANYBODY);
        self.server.bound();
        // With SASL the name is among the credentials.
        let mut object = credentials.name.clone();
        let (result, answers) = match controls::read(controls, With::Bind) {
            Err(result) => (result, Vec::new()),
            Ok(understood) => {
                let way = self.way(&credentials);
                if let Ok(Way::Password { name, .. } | Way::Hopeless { name }) = &way {
                    object.clone_from(&name.text);
                }
                let Answer { result, policy } = match way {
                    Ok(way) => self.go(way, received).await,
                    Err(result) => result.into(),
                };
                let is_asked = understood.password_policy && result.code != Code::CONFIDENTIALITY_REQUIRED;
                (result, if is_asked { vec![policy.control()] } else { Vec::new() })
            }
        };
        if result.code == Code::SUCCESS && self.who.identity != Identity::Anonymous {
            self.framer.allow(MESSAGE_OF_SOMEBODY);
        }
        self.server.count("bind", self.pipe.facts(), &object, result.code, received);
        self.answer(id, &Op::BindDone { result, sasl: None }, &answers);
        Flow::Go
    }

    /// # Errors
    /// The answer to what is no way to bind.
    fn way(&self, credentials: &Credentials) -> Result<Way, LdapResult> {
        let Credentials { version, name, auth } = credentials;
        if *version != 3 {
            return Err(LdapResult::new(Code::PROTOCOL, "only version 3 of the protocol is spoken"));
        }
        match auth {
            Auth::Simple(password) => self.simple(name, password),
            Auth::Sasl { mechanism, credentials } if mechanism.eq_ignore_ascii_case(PLAIN) => {
                self.password_may_come()?;
                let wrong = || LdapResult::new(Code::INVALID_CREDENTIALS, NO);
                let plain = sasl::plain(credentials.as_deref().unwrap_or_default()).ok_or_else(wrong)?;
                Ok(with_password(plain.name.as_str().into(), plain.password))
            }
            // RFC 4513 section 5.2.3.2: whoever wants to act for somebody else may not.
            Auth::Sasl { mechanism, credentials } if mechanism.eq_ignore_ascii_case(EXTERNAL) => {
                match credentials.as_deref().unwrap_or_default() {
                    b"" => Ok(Way::Certificate),
                    _ => Err(LdapResult::new(Code::INVALID_CREDENTIALS, NO)),
                }
            }
            Auth::Sasl { .. } | Auth::Other(_) => {
                Err(LdapResult::new(Code::AUTH_METHOD_NOT_SUPPORTED, "bind by name and password, PLAIN or EXTERNAL"))
            }
        }
    }

    fn simple(&self, name: &str, password: &Bytes) -> Result<Way, LdapResult> {
        match (name.is_empty(), password.is_empty()) {
            (true, true) => Ok(Way::Anonymous),
            // RFC 4513 section 5.1.2: it proves nothing, and many an app takes its success for a proof.
            (false, true) => Err(LdapResult::new(Code::UNWILLING, "a bind with a name needs a password")),
            (true, false) => Err(LdapResult::new(Code::INVALID_CREDENTIALS, NO)),
            (false, false) => {
                self.password_may_come()?;
                let name = BindName::from(name);
                if name.dn.is_none() && name.text.contains('=') {
                    return Err(LdapResult::new(Code::INVALID_DN, "the name is no DN"));
                }
                Ok(with_password(name, Password::new(password.to_vec())))
            }
        }
    }

    fn password_may_come(&self) -> Result<(), LdapResult> {
        if self.server.rules.require_tls && !self.pipe.facts().encrypted {
            let text = "a password needs TLS: use ldaps, or begin TLS first";
            return Err(LdapResult::new(Code::CONFIDENTIALITY_REQUIRED, text));
        }
        Ok(())
    }

    async fn go(&mut self, way: Way, received: Instant) -> Answer {
        match way {
            Way::Anonymous => {
                self.who.clear();
                LdapResult::success().into()
            }
            Way::Certificate => self.by_certificate().await,
            Way::Password { name, password } => self.by_password(&name, Some(&password), received).await,
            Way::Hopeless { name } => self.by_password(&name, None, received).await,
        }
    }

    /// RFC 4513 section 5.2.3: the certificate that TLS has verified says which app it is.
    async fn by_certificate(&mut self) -> Answer {
        let Some(der) = self.pipe.facts().client_certificate.clone() else {
            return LdapResult::new(Code::INAPPROPRIATE_AUTH, "EXTERNAL needs a client certificate").into();
        };
        let began = self.server.services.clock.now();
        let given_out = self.server.services.gate.epoch();
        let no = || Answer::from(LdapResult::new(Code::INVALID_CREDENTIALS, NO));
        let Some(subject) = sasl::subject(&der) else { return no() };
        let found = self.server.directories.by_certificate(&subject, self.pipe.facts());
        let Some((backend, app)) = found else { return no() };
        self.leave_for(backend.tenant());
        let Some(known) = backend.tenant().app_by_id(app).cloned() else { return no() };
        let verdict = match self.server.services.gate.app(backend.tenant(), &known).await {
            Ok(_) => {
                let identity = Identity::App { app, epoch: given_out };
                Verdict::Somebody(Bound { identity, by: None, remembered: false, warning: None })
            }
            Err(GateRefusal::Unsure) => unsure(),
            Err(refusal) => no_because(refusal.to_string(), Asked::Nobody),
        };
        let about = About { app: Some(app), person: None, name: "client certificate", began };
        self.settle(&backend, about, verdict, TraceLog::new(), None).await
    }

    async fn by_password(&mut self, bind_name: &BindName, password: Option<&Password>, received: Instant) -> Answer {
        let began = self.server.services.clock.now();
        let given_out = self.server.services.gate.epoch();
        let Some(backend) = self.server.directories.tenant_of(bind_name, self.pipe.facts()) else {
            let every = LdapDirectory::default().failure_deadline;
            sleep_until(due_without_tenant(every, (received, Instant::now()))).await;
            return LdapResult::new(Code::INVALID_CREDENTIALS, NO).into();
        };
        self.leave_for(backend.tenant());
        let mut steps = TraceLog::new();
        let mut person = None;
        let mut app = self.who.app;
        let name = bind_name.text.as_str();
        let verdict = match (password, backend.who(bind_name)) {
            (None, _) => no("the password is empty, or NUL alone"),
            (_, Meant::OutsideOfTheTenant) => no("the name is outside of the tenant's directory"),
            (Some(password), Meant::App(meant)) => {
                app = Some(meant);
                let look = Look { backend: &backend, name, password, given_out, began };
                self.app(look, meant).await
            }
            (Some(password), Meant::Person(meant)) => {
                person = backend.person(meant);
                let name = person.as_ref().and_then(user_name).unwrap_or(name);
                let look = Look { backend: &backend, name, password, given_out, began };
                self.person(look, person.as_ref(), &mut steps).await
            }
            (Some(password), Meant::Nobody { name }) => {
                let look = Look { backend: &backend, name: &name, password, given_out, began };
                self.person(look, None, &mut steps).await
            }
        };
        let person = person.as_ref().and_then(user_name).map(str::to_owned);
        let about = About { app, person, name, began };
        self.settle(&backend, about, verdict, steps, Some(received)).await
    }

    /// Leaves the place among another tenant's connections. One among this tenant's is taken when the bind has
    /// succeeded: whoever knows no password holds none, not even while the answer waits for its deadline.
    fn leave_for(&mut self, tenant: &Tenant) {
        if self.who.tenant() != Some(tenant.id) {
            self.who.clear();
        }
    }

    async fn app(&self, look: Look<'_>, meant: AppId) -> Verdict {
        let tenant = look.backend.tenant();
        let Some(app) = tenant.app_by_id(meant) else { return no("the app is gone") };
        let runtime = self.server.rules.runtime.as_ref();
        let asking = within(runtime, self.server.desk.app(tenant, app, look.password, self.peer()));
        let (answer, waited) = watched(asking).await;
        let asked = if waited { Asked::Somebody } else { Asked::Nobody };
        match answer {
            BindAnswer::Yes { by, .. } => {
                let identity = Identity::App { app: meant, epoch: look.given_out };
                Verdict::Somebody(Bound { identity, by: Some(by), remembered: false, warning: None })
            }
            BindAnswer::No(why) | BindAnswer::Barred { why, .. } => no_because(why, asked),
            BindAnswer::Busy => Verdict::Plainly(LdapResult::new(Code::BUSY, "too much is under way; try again")),
            BindAnswer::Unavailable(_) => unsure(),
        }
    }

    async fn person(&self, look: Look<'_>, person: Option<&DirectoryPerson>, steps: &mut TraceLog) -> Verdict {
        let Look { backend, name, password, given_out, began } = look;
        let tenant = backend.tenant();
        let app = match self.who.app.map(|app| tenant.app_by_id(app)) {
            // What it kept people to is gone with it: nobody comes by way of it any more.
            Some(None) => return no("the app whose connection it is is gone"),
            Some(Some(app)) => Some(app.as_ref()),
            None => None,
        };
        let ask = PersonBind {
            tenant,
            app,
            person,
            name,
            password,
            peer: self.peer(),
            thread: self.thread.as_ref(),
            now: began,
        };
        let memory = directory_of(tenant).bind_cache.min(LONGEST_MEMORY);
        let key = if memory.is_zero() { None } else { cache::key(&self.server.key, &ask) };
        let newest = self.server.services.gate.epoch();
        let runtime = self.server.rules.runtime.as_ref();
        let remembered = key.and_then(|key| self.server.cache.find(&key, tenant, newest, began));
        let (answer, waited) = match remembered {
            Some(yes) => {
                let still = within(runtime, self.server.desk.still(&ask)).await;
                return remember(still, person, self.who.app, yes, given_out);
            }
            None => watched(within(runtime, self.server.desk.person(ask, steps))).await,
        };
        let asked = match person {
            _ if !waited => Asked::Nobody,
            Some(person) if !person.logins.is_empty() => Asked::ThePersonsUpstream,
            _ => Asked::Somebody,
        };
        match answer {
            BindAnswer::Yes { person: id, by, cached_until, warning, .. } => {
                let Some(id) = id.or(person.map(|person| person.id)) else {
                    return no("the password is right, and nobody knows whose it is");
                };
                if let (Some(key), Some(until)) = (key, cached_until) {
                    self.server.cache.keep(
                        key,
                        id,
                        Remembered { by, warning },
                        given_out,
                        (began, until.min(began + memory)),
                    );
                }
                self.wait_for_newcomer(tenant, id).await;
                let identity = Identity::Person { id, by_app: self.who.app, epoch: given_out };
                Verdict::Somebody(Bound { identity, by: Some(by), remembered: false, warning })
            }
            BindAnswer::No(why) => no_because(why, asked),
            BindAnswer::Barred { reason, why } => Verdict::No { why, asked, policy: policy_of(reason) },
            BindAnswer::Busy => Verdict::Plainly(LdapResult::new(Code::BUSY, "too much is under way; try again")),
            BindAnswer::Unavailable(why) => {
                steps.decide("password", why, false);
                unsure()
            }
        }
    }

    /// Somebody who binds for the first time is made known to the directory beside the bind.
    async fn wait_for_newcomer(&self, tenant: &Tenant, id: PersonId) {
        let known = || self.server.directories.of(tenant.id).is_some_and(|now| now.standing(id).is_some());
        let end = Instant::now() + NEWCOMER;
        while !known() && Instant::now() < end {
            sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) fn peer(&self) -> Peer {
        let facts = self.pipe.facts();
        Peer { ip: facts.peer.ip(), encrypted: facts.encrypted }
    }
}

fn with_password(name: BindName, password: Option<Password>) -> Way {
    match password {
        Some(password) => Way::Password { name, password },
        None => Way::Hopeless { name },
    }
}

/// What becomes of a yes of a moment ago.
fn remember(
    still: Result<fedbridge_contract::proof::Permit, GateRefusal>,
    person: Option<&DirectoryPerson>,
    by_app: Option<AppId>,
    yes: Remembered,
    epoch: Epoch,
) -> Verdict {
    match (still, person) {
        (Ok(_), Some(person)) => {
            let identity = Identity::Person { id: person.id, by_app, epoch };
            Verdict::Somebody(Bound { identity, by: Some(yes.by), remembered: true, warning: yes.warning })
        }
        (Ok(_), None) => no("nobody has this name"),
        (Err(GateRefusal::Unsure), _) => unsure(),
        (Err(refusal), _) => no(&refusal.to_string()),
    }
}
