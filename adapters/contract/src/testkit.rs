//! What every implementation of a trait must pass, one function for each trait; and stand-ins for services.

#![allow(clippy::panic)] // A failed expectation is a failed test.

mod directory;
mod doubles;
mod pipe;
mod unused;

use crate::config::Tenant;
use crate::http::HttpInput;
use crate::ids::{ConnectionId, TransactionId};
use crate::proof::Minter;
use crate::time::Timestamp;
use crate::trace::{Step, TraceLog};
use crate::upstream::{Answer, Begun, Challenge, Correlation, LoginOutcome, LoginWish, Start, UpstreamLogin};

pub use directory::{NoKills, ShutDesk, local_client};
pub use doubles::{Counting, Distinct, Hands, Keyed, Quiet, bare_services};
pub use pipe::accepted;
pub use unused::{OpenGate, Unused};

/// An ordinary handle: a ticket, below the 80 octets that RelayState may have (SAML bindings 3.4.3).
const HANDLE: &str = "handle-of-this-very-login-0123456789-and-of-no-other-A";

/// Drives one login through an adapter whose upstream says yes.
///
/// `answer` plays the upstream: from the challenge it makes the request that the browser then
/// brings. `connection` is the adapter's own.
///
/// # Panics
/// Where the adapter does not keep to the contract.
pub async fn upstream_login(
    adapter: &dyn UpstreamLogin,
    tenant: &Tenant,
    connection: ConnectionId,
    now: Timestamp,
    answer: impl Fn(&Challenge) -> HttpInput,
) {
    assert!(!adapter.routes().is_empty(), "an adapter that logs people in has a route for answers");
    let wish = LoginWish::default();
    let (begun, sent) = begin(adapter, tenant, &wish, now).await;
    assert!(sent.steps().iter().any(|step| matches!(step, Step::Sent { .. })), "begin tells the trace what goes out");
    let carried = match &begun.challenge {
        Challenge::Redirect(location) => location.contains(HANDLE),
        Challenge::AutoPost { fields, .. } => fields.iter().any(|(_, value)| value == HANDLE),
    };
    assert!(carried, "the challenge carries the handle: {:?}", begun.challenge);

    let input = answer(&begun.challenge);
    assert_eq!(adapter.correlate(&input), Correlation::Handle(HANDLE.into()), "the answer names its login");
    let bare = HttpInput { query: String::new(), body: Default::default(), ..input.clone() };
    assert!(!matches!(adapter.correlate(&bare), Correlation::Handle(_)), "an empty answer names no login");

    let transaction = TransactionId::from_uuid(uuid::Uuid::from_u128(7));
    let complete = |state: Vec<u8>, input: HttpInput| {
        let wish = &wish;
        async move {
            let minter = Minter::for_transaction(tenant.id, connection, transaction);
            let mut trace = TraceLog::new();
            let fetched = Default::default();
            let answer = Answer {
                tenant,
                input: &input,
                transaction,
                state: &state,
                wish,
                started: now,
                fetched: &fetched,
                now,
            };
            (adapter.complete(answer, minter, &mut trace).await, trace)
        }
    };
    match complete(begun.state.clone(), input.clone()).await {
        (LoginOutcome::Authenticated(identity), trace) => {
            assert!(identity.proof.covers(tenant.id, connection, transaction), "the proof is of this transaction");
            assert!(!identity.subject.key.is_empty(), "a person has a subject");
            assert!(identity.authn.auth_time <= now, "nobody authenticated in the future");
            assert!(trace.cause().is_none(), "a good login has no failed check: {:?}", trace.cause());
            assert!(!trace.steps().is_empty(), "complete tells the trace what came");
        }
        (other, trace) => panic!("a good answer was not accepted: {other:?}; {:?}", trace.cause()),
    }
    for (what, state) in [("no state", Vec::new()), ("another's state", b"\x00other".to_vec())] {
        let (outcome, trace) = complete(state, input.clone()).await;
        assert!(matches!(outcome, LoginOutcome::Rejected(_)), "{what} was accepted: {outcome:?}");
        assert!(trace.cause().is_some(), "{what}: the trace says nothing");
    }
}

async fn begin(adapter: &dyn UpstreamLogin, tenant: &Tenant, wish: &LoginWish, now: Timestamp) -> (Begun, TraceLog) {
    let mut trace = TraceLog::new();
    match adapter.begin(Start { tenant, handle: HANDLE, wish, now }, &mut trace).await {
        Ok(begun) => (begun, trace),
        Err(error) => panic!("begin failed: {error}: {}", error.cause),
    }
}
