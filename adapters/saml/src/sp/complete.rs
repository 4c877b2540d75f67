//! From an answer to the identity: what came by either binding is checked in one way.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::http::HttpInput;
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::logout::Party;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::ticket;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Answer, Correlation, LoginOutcome, UnsolicitedAnswer, UnsolicitedMode};
use fedbridge_saml_core::names;
use fedbridge_saml_core::turns::{NotRun, in_turn};

use super::checks::{Checked, Stop, not_accepted, require, require_equal};
use super::state::RequestState;
use super::verify::{Asked, Login, Message, Work, login};
use super::{ServiceProvider, acs, artifact, request};

/// What RelayState says about an answer.
pub(super) fn correlation(relay_state: Option<String>) -> Correlation {
    match relay_state {
        // A handle of ours is a ticket. In an answer that nobody asked for, RelayState names a target.
        Some(handle) if ticket::id_of(&handle).is_some() => Correlation::Handle(handle),
        target => Correlation::Unsolicited { target },
    }
}

/// Checks the answer to a request of ours and says how the login went.
pub(super) async fn complete(
    sp: &Arc<ServiceProvider>,
    answer: Answer<'_>,
    minter: Minter,
    trace: &mut TraceLog,
) -> LoginOutcome {
    let Answer { tenant, input, fetched, now, .. } = answer;
    let incoming = Incoming { sp, tenant, input, fetched, now };
    let checked = match outstanding(sp, &answer, trace) {
        Ok(asked) => incoming.check(Some(asked), trace).await,
        Err(stop) => Err(stop),
    };
    outcome(checked, minter, trace)
}

/// Checks an answer that nobody asked for (SAML profiles 4.1.5).
pub(super) async fn complete_unsolicited(
    sp: &Arc<ServiceProvider>,
    answer: UnsolicitedAnswer<'_>,
    minter: Minter,
    trace: &mut TraceLog,
) -> LoginOutcome {
    let mode = sp.settings.unsolicited.as_ref().map(|policy| policy.mode);
    let accepted = mode == Some(UnsolicitedMode::Accept);
    let expected = "allow_idp_initiated with mode: accept";
    let actual = if accepted { expected } else { "another setting" };
    let UnsolicitedAnswer { tenant, input, fetched, now, .. } = answer;
    let incoming = Incoming { sp, tenant, input, fetched, now };
    let checked = match require(trace, "Unsolicited answer", "SAML profiles 4.1.5", expected, actual, accepted) {
        Ok(()) => incoming.check(None, trace).await,
        Err(stop) => Err(stop),
    };
    outcome(checked, minter, trace)
}

fn outcome(checked: Checked<Login>, minter: Minter, trace: &TraceLog) -> LoginOutcome {
    match checked {
        Ok(login) => LoginOutcome::Authenticated(Box::new(AuthenticatedIdentity {
            subject: login.subject,
            attributes: login.attributes,
            authn: login.authn,
            session: login.session,
            onward: login.onward,
            once: login.once,
            tokens: None,
            proof: minter.mint(),
        })),
        Err(Stop::Refused(refusal)) => LoginOutcome::UpstreamRefused(refusal),
        Err(Stop::Rejected) => LoginOutcome::Rejected(not_accepted(trace)),
        Err(Stop::KeyUnknown) => LoginOutcome::KeyUnknown(not_accepted(trace)),
    }
}

/// The request that the answer must be for. Only the connection that asked may take it.
fn outstanding(sp: &ServiceProvider, answer: &Answer<'_>, trace: &mut TraceLog) -> Checked<Asked> {
    const NAME: &str = "Outstanding request";
    const SOURCE: &str = "SAML profiles 4.1.4.3";
    const EXPECTED: &str = "one of this connection";
    let Some(state) = RequestState::from_bytes(answer.state) else {
        require(trace, NAME, SOURCE, EXPECTED, "none", false)?;
        return Err(Stop::Rejected);
    };
    let same = state.connection == sp.connection;
    let actual = if same { "this connection" } else { "another connection" };
    require(trace, NAME, SOURCE, EXPECTED, actual, same)?;
    require_equal(trace, "Provider that was asked", SOURCE, &sp.idp.entity_id, Some(&state.idp))?;
    Ok(Asked {
        state,
        max_age: answer.wish.max_age.map(Duration::from_secs),
        contexts: request::passed_contexts(&sp.settings, answer.wish).to_vec(),
        started: answer.started,
    })
}

/// A message at one of the connection's addresses.
struct Incoming<'a> {
    sp: &'a Arc<ServiceProvider>,
    tenant: &'a Tenant,
    input: &'a HttpInput,
    /// What an artifact was worth, once it is known.
    fetched: &'a OnceLock<Vec<u8>>,
    now: Timestamp,
}

impl Incoming<'_> {
    async fn check(&self, asked: Option<Asked>, trace: &mut TraceLog) -> Checked<Login> {
        let (sp, now) = (self.sp, self.now);
        let until = sp.idp.valid_until.map_or_else(|| "no limit".into(), Timestamp::rfc3339);
        let (expected, valid) = (format!("before {until}"), !sp.idp.expired(now));
        require(trace, "Provider metadata is valid", "SAML metadata 2.3.2", expected, now.rfc3339(), valid)?;
        let message = match self.input.route {
            names::ARTIFACT_ROUTE => {
                Message::Resolved(artifact::resolve(sp, self.tenant, self.input, self.fetched, now, trace).await?)
            }
            _ => Message::Posted(acs::octets(self.input, trace)?),
        };
        let request_key = asked.as_ref().and_then(|asked| asked.state.signed_by.clone());
        let work = Work { sp: Arc::clone(sp), keys: Arc::clone(&self.tenant.keys), message, asked, now };
        let login = run(work, trace).await?;
        for (kid, how) in [(request_key, Sighting::Verified), (login.encrypted_to.clone(), Sighting::EncryptedTo)] {
            if let Some(kid) = kid {
                sp.services.sightings.seen(self.tenant.id, Party::Connection(sp.connection), &kid, how, now);
            }
        }
        Ok(login)
    }
}

/// Waits for a turn and checks on a blocking thread.
async fn run(work: Work, trace: &mut TraceLog) -> Checked<Login> {
    let turns = Arc::clone(&work.sp.turns);
    let check = move || {
        let mut log = TraceLog::new();
        let result = login(&work, &mut log);
        (log, result)
    };
    let (log, result) = in_turn(turns, check).await.map_err(|why| not_run(why, trace))?;
    trace.extend(log);
    result
}

/// Records why a check did not run to its end.
pub(super) fn not_run(why: NotRun, trace: &mut TraceLog) -> Stop {
    let name = if why == NotRun::NoTurn { "Turn" } else { "Check" };
    trace.check(name, "", "a check that runs to its end", why.to_string(), false);
    Stop::Rejected
}
