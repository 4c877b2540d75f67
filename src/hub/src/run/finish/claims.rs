//! The pure part of a login's last step: which claims this app may see. What it was given is kept for the
//! replay.

use std::sync::Arc;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::downstream::RefusalKind;
use serde_json::Value;

use super::{Finishing, verified_address};
use crate::decide::{
    ClientFacts, ConnectionFacts, DecideInput, DenialKind, Facts, ReplayInput, RequestFacts, Verdict, decide, map,
};
use crate::run::Hub;
use crate::run::ending::{NOT_ALLOWED, Stop};
use crate::run::push::SaidByPush;

/// What the mapping made of an identity.
pub(in crate::run) struct Decided {
    /// All of it.
    pub all: Claims,
    /// What this app may see.
    pub released: Claims,
    /// What it was decided from.
    facts: Facts,
}

impl Decided {
    /// What a grant has to keep to be decided anew, where a directory pushes the person. What that says is read then.
    pub fn basis(&self) -> Result<Option<Value>, Stop> {
        if self.facts.pushed.is_none() {
            return Ok(None);
        }
        let facts = Facts { user: None, pushed: None, ..self.facts.clone() };
        serde_json::to_value(facts).map(Some).map_err(|_| Stop::broken("what the login rests on can't be written"))
    }
}

impl Hub {
    pub(in crate::run) fn claims(
        &self,
        last: &mut Finishing<'_>,
        said: Option<&SaidByPush>,
        replay: &mut Option<ReplayInput>,
    ) -> Result<Decided, Stop> {
        let ready =
            last.connection.state.as_ref().map_err(|_| Stop::broken("the connection's configuration is broken"))?;
        let app = last.login.app.as_ref().map(|(open, _)| Arc::clone(open));
        let rules = match &app {
            Some(open) => open.whole_rules().map_err(Stop::broken)?,
            None => &self.no_app,
        };
        let registered = app.as_deref().and_then(|open| {
            let downstream = self.downstream(open.view.kind)?;
            Some(downstream.registered_scopes(&open.view))
        });
        let mut facts = facts(last, registered.unwrap_or_default());
        if let Some(said) = said {
            said.clone().put(&mut facts);
        }
        let input = DecideInput { facts: &facts, mapping: &ready.mapping, app: rules };
        let decision = decide(&input);
        *replay = Some(ReplayInput::of(&input));
        last.login.trace.extend(decision.trace);
        match decision.verdict {
            Verdict::Allowed { released } => Ok(Decided { all: decision.identity.claims, released, facts }),
            Verdict::Denied(denial) => {
                let cause = match denial.kind {
                    DenialKind::Policy => format!("deny_when: {}", denial.reason),
                    DenialKind::Membership => format!("the app's groups: {}", denial.reason),
                    DenialKind::RuleFailed => format!("a rule failed: {}", denial.reason),
                };
                Err(Stop::new(RefusalKind::AccessDenied, NOT_ALLOWED, cause))
            }
        }
    }
}

/// The address that counts as verified at the login's connection, whatever app asks and whatever else is known.
pub(super) fn address_of(last: &Finishing<'_>) -> Option<String> {
    let ready = last.connection.state.as_ref().ok()?;
    verified_address(&map(&facts(last, Vec::new()), &ready.mapping).identity.claims).map(str::to_owned)
}

/// Everything that a rule may see of this login.
fn facts(last: &Finishing<'_>, registered_scopes: Vec<String>) -> Facts {
    let (record, view) = (&last.who.record, &last.connection.view);
    let asked = last.login.app.as_ref();
    Facts {
        attributes: record.attributes.clone(),
        subject: record.subject.clone(),
        connection: ConnectionFacts { slug: view.slug.clone(), domains: view.domains.clone() },
        client: asked.map(|(open, _)| ClientFacts { name: open.view.name.clone(), scopes: registered_scopes }),
        user: None,
        pushed: None,
        request: RequestFacts {
            ip: Some(last.login.peer.to_string()),
            time: last.now,
            scopes: asked.map(|(_, asked)| asked.scope.clone()).unwrap_or_default(),
            acr: record.authn.acr.clone(),
            claims: asked.map(|(_, asked)| asked.requested_claims.clone()).unwrap_or_default(),
        },
    }
}
