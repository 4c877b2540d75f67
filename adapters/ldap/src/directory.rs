//! The directory of one connection: what it was told, the way to it, and how it is asked with a trace of it.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::password::Password;
use fedbridge_contract::services::Services;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_ldap_core::{Filter, Scope};
use tokio::runtime::Handle;

use crate::accounts::Accounts;
use crate::check::Checked;
use crate::lockout::Learned;
use crate::settings::Settings;
use crate::wire::{Answers, AsUser, BindResult, Search, Upstream, WireError};

/// One opened connection. Immutable but for what it remembers of accounts; a change of configuration opens a new one.
pub struct Directory {
    pub connection: ConnectionId,
    pub settings: Settings,
    pub upstream: Arc<Upstream>,
    pub(crate) services: Services,
    /// How long a bind may take, waiting for a connection included.
    pub(crate) bind_time: Duration,
    /// Whether the service account is somebody. A directory may show people's entries to themselves alone.
    pub(crate) has_account: bool,
    /// What is asked for of a person's entry.
    pub(crate) wanted: Vec<String>,
    /// Everybody who may log in: `users.filter`, whatever was typed.
    pub(crate) everybody: Filter,
    pub(crate) accounts: Accounts,
    pub(crate) checked: Checked,
    pub(crate) lockout: Learned,
}

/// A shared [`Directory`]: the capabilities of the adapter all hold one.
pub struct SharedDirectory(pub Arc<Directory>);

/// Why there is no answer that says yes or no. The sentence is for an administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble(pub String);

impl From<WireError> for Trouble {
    fn from(error: WireError) -> Self {
        Self(error.to_string())
    }
}

impl Trouble {
    /// What a person is told.
    pub fn public(self) -> ProtocolError {
        let sentence = "Your organization's login service could not be asked. Please try again later.";
        ProtocolError::new("temporarily_unavailable", sentence, self.0)
    }
}

/// Where a question belongs in time, and where it is told.
pub(crate) struct Told<'t> {
    pub now: Timestamp,
    pub trace: &'t mut TraceLog,
}

impl Directory {
    /// Searches as the service account. Any result code is an answer.
    pub(crate) async fn search(&self, what: &str, search: &Search, told: &mut Told<'_>) -> Result<Answers, Trouble> {
        told.trace.sent(told.now, what, asked(search));
        let began = self.services.clock.steady();
        let answered = self.upstream.search_all(search).await;
        self.tell(what, answered, began, told)
    }

    /// Searches as somebody else: on a connection of theirs.
    pub(crate) async fn search_as(
        &self,
        session: &mut AsUser,
        what: &str,
        search: &Search,
        told: &mut Told<'_>,
    ) -> Result<Answers, Trouble> {
        told.trace.sent(told.now, what, asked(search));
        let began = self.services.clock.steady();
        let answered = session.all(search).await;
        self.tell(what, answered, began, told)
    }

    fn tell(
        &self,
        what: &str,
        answered: Result<Answers, WireError>,
        began: Duration,
        told: &mut Told<'_>,
    ) -> Result<Answers, Trouble> {
        let took = self.since(began);
        match answered {
            Ok(answers) => {
                told.trace.received(told.now, &format!("{what}: result"), true, answer(&answers, took));
                Ok(answers)
            }
            Err(error) => {
                told.trace.check(what, "RFC 4511 4.5.2", "an answer", format!("{error} ({})", millis(took)), false);
                Err(error.into())
            }
        }
    }

    /// Asks whether a password is right. The connection is used for nothing else.
    pub(crate) async fn bind(
        &self,
        dn: &str,
        password: &Password,
        thread: Option<&Handle>,
        told: &mut Told<'_>,
    ) -> Result<BindResult, Trouble> {
        told.trace.sent(told.now, "bind", vec![("name", dn.to_owned())]);
        let began = self.services.clock.steady();
        let answered = self.upstream.bind(dn, password, thread, self.bind_time).await;
        self.tell_bind(answered, began, told)
    }

    /// Binds on a connection that is the person's afterwards, where the password is right.
    pub(crate) async fn bind_for_more(
        &self,
        dn: &str,
        password: &Password,
        told: &mut Told<'_>,
    ) -> Result<(BindResult, Option<AsUser>), Trouble> {
        told.trace.sent(told.now, "bind", vec![("name", dn.to_owned())]);
        let began = self.services.clock.steady();
        let (answered, session) = match self.upstream.as_user(dn, password, self.bind_time).await {
            Ok((result, session)) => (Ok(result), session),
            Err(error) => (Err(error), None),
        };
        Ok((self.tell_bind(answered, began, told)?, session))
    }

    fn tell_bind(
        &self,
        answered: Result<BindResult, WireError>,
        began: Duration,
        told: &mut Told<'_>,
    ) -> Result<BindResult, Trouble> {
        let took = self.since(began);
        match answered {
            Ok(result) => {
                let facts = vec![
                    ("server", result.server.clone()),
                    ("code", result.code.to_string()),
                    ("text", result.diagnostic.trim_end_matches('\0').to_owned()),
                    ("took", millis(took)),
                ];
                told.trace.received(told.now, "bind: result", true, facts);
                Ok(result)
            }
            Err(error) => {
                told.trace.check("bind", "RFC 4511 4.2.2", "an answer", format!("{error} ({})", millis(took)), false);
                Err(error.into())
            }
        }
    }

    pub(crate) fn since(&self, began: Duration) -> Duration {
        self.services.clock.steady().saturating_sub(began)
    }
}

/// A search as a trace shows it.
fn asked(search: &Search) -> Vec<(&'static str, String)> {
    let scope = match search.scope {
        Scope::Base => "base",
        Scope::One => "one",
        Scope::Sub => "sub",
        Scope::Subordinate => "subordinate",
    };
    vec![
        ("base", search.base.clone()),
        ("scope", scope.to_owned()),
        ("filter", search.filter.print()),
        ("attributes", search.attributes.join(" ")),
    ]
}

fn answer(answers: &Answers, took: Duration) -> Vec<(&'static str, String)> {
    let mut facts = vec![
        ("server", answers.server.clone()),
        ("code", answers.result.code.to_string()),
        ("entries", answers.entries.len().to_string()),
        ("took", millis(took)),
    ];
    if !answers.result.text.is_empty() {
        facts.push(("text", answers.result.text.trim_end_matches('\0').to_owned()));
    }
    if !answers.references.is_empty() {
        facts.push(("not followed", answers.references.join(" ")));
    }
    facts
}

pub(crate) fn millis(time: Duration) -> String {
    format!("{} ms", time.as_millis())
}
