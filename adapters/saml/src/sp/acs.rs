//! The assertion consumer service: takes answers by HTTP-POST (SAML bindings 3.5).

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::HttpInput;
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::ticket;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Answer, Correlation, LoginOutcome};
use fedbridge_saml_core::binding::post::PostForm;
use fedbridge_saml_core::binding::{BindingError, MAX_ENCODED, Parameter};
use fedbridge_saml_core::turns::{NotRun, in_turn};

use super::ServiceProvider;
use super::checks::{Checked, Stop, require, require_equal};
use super::state::RequestState;
use super::verify::{Login, Work, login};

/// Which transaction an answer names. Nothing is verified here.
pub(super) fn correlate(input: &HttpInput) -> Correlation {
    match form(input) {
        Ok(form) => match form.relay_state {
            // A handle of ours is a ticket. In an answer that nobody asked for, RelayState names a target.
            Some(handle) if ticket::id_of(&handle).is_some() => Correlation::Handle(handle),
            target => Correlation::Unsolicited { target },
        },
        Err(why) => Correlation::Malformed(why.to_string()),
    }
}

/// Checks an answer and says how the login went.
pub(super) async fn complete(
    sp: &Arc<ServiceProvider>,
    answer: Answer<'_>,
    minter: Minter,
    trace: &mut TraceLog,
) -> LoginOutcome {
    let checked = match prepare(sp, &answer, trace) {
        Ok(work) => run(work, trace).await,
        Err(stop) => Err(stop),
    };
    match checked {
        Ok(login) => LoginOutcome::Authenticated(Box::new(AuthenticatedIdentity {
            subject: login.subject,
            attributes: login.attributes,
            authn: login.authn,
            session: login.session,
            onward: login.onward,
            once: login.once,
            proof: minter.mint(),
        })),
        Err(Stop::Refused(refusal)) => LoginOutcome::UpstreamRefused(refusal),
        Err(Stop::Rejected) => LoginOutcome::Rejected(ProtocolError::new(
            "invalid_response",
            "The answer of your organization's login service could not be accepted.",
            trace.cause().unwrap_or_else(|| "the answer could not be checked".into()),
        )),
    }
}

/// Checks that need no XML, and everything that the blocking thread will own.
fn prepare(sp: &Arc<ServiceProvider>, answer: &Answer<'_>, trace: &mut TraceLog) -> Checked<Work> {
    let octets = form(answer.input).and_then(|form| form.xml()).map_err(|why| {
        let actual = why.to_string();
        match why {
            BindingError::TooLarge(size) => {
                trace.check("Size", "", format!("at most {MAX_ENCODED} octets"), format!("{size} octets"), false)
            }
            BindingError::NotBase64(_) => {
                trace.check("Base64", "SAML bindings 3.5.4", "base64 of RFC 2045", actual, false)
            }
            _ => {
                let expected = "one SAMLResponse and at most one RelayState";
                trace.check("Form", "SAML bindings 3.5.4", expected, actual, false)
            }
        };
        Stop::Rejected
    })?;

    let Some(state) = RequestState::from_bytes(answer.state) else {
        require(trace, "Outstanding request", "SAML profiles 4.1.4.3", "one of this connection", "none", false)?;
        return Err(Stop::Rejected);
    };
    let same = state.connection == sp.connection;
    let actual = if same { "this connection" } else { "another connection" };
    require(trace, "Outstanding request", "SAML profiles 4.1.4.3", "one of this connection", actual, same)?;
    require_equal(trace, "Provider that was asked", "SAML profiles 4.1.4.3", &sp.idp.entity_id, Some(&state.idp))?;
    let until = sp.idp.valid_until.map_or_else(|| "no limit".into(), |until| until.rfc3339());
    let valid = !sp.idp.expired(answer.now);
    require(
        trace,
        "Provider metadata is valid",
        "SAML metadata 2.3.2",
        format!("before {until}"),
        answer.now.rfc3339(),
        valid,
    )?;
    Ok(Work {
        sp: Arc::clone(sp),
        keys: Arc::clone(&answer.tenant.keys),
        octets,
        state,
        max_age: answer.wish.max_age.map(Duration::from_secs),
        started: answer.started,
        now: answer.now,
    })
}

/// Waits for a turn and checks on a blocking thread.
async fn run(work: Work, trace: &mut TraceLog) -> Checked<Login> {
    let turns = Arc::clone(&work.sp.turns);
    let check = move || {
        let mut log = TraceLog::new();
        let result = login(&work, &mut log);
        (log, result)
    };
    match in_turn(turns, check).await {
        Ok((log, result)) => {
            trace.extend(log);
            result
        }
        Err(why) => {
            let name = if why == NotRun::NoTurn { "Turn" } else { "Check" };
            require(trace, name, "", "a check that runs to its end", why.to_string(), false)?;
            Err(Stop::Rejected)
        }
    }
}

/// A posted answer; a request has no place here.
fn form(input: &HttpInput) -> Result<PostForm<'_>, BindingError> {
    let form = PostForm::read(input)?;
    match form.parameter {
        Parameter::SamlResponse => Ok(form),
        Parameter::SamlRequest => Err(BindingError::Misplaced("SAMLRequest")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use fedbridge_contract::http::Method;
    use std::net::{IpAddr, Ipv4Addr};

    fn post(query: &str, body: &'static str) -> HttpInput {
        HttpInput {
            method: Method::Post,
            route: fedbridge_saml_core::names::ACS_ROUTE,
            last_segment: String::new(),
            query: query.into(),
            body: body.into(),
            content_type: Some("application/x-www-form-urlencoded; charset=UTF-8".into()),
            authorization: None,
            origin: None,
            accept_language: None,
            if_none_match: None,
            cookies: Vec::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    #[test]
    fn correlates_by_relay_state_alone() {
        let handle = |input: &HttpInput| correlate(input);
        let ours = "Ab-_".repeat(13) + "Ag";
        let body: &'static str = Box::leak(format!("SAMLResponse=eA&RelayState={ours}").into_boxed_str());
        assert_eq!(handle(&post("", body)), Correlation::Handle(ours));
        let unsolicited = |target: Option<&str>| Correlation::Unsolicited { target: target.map(str::to_owned) };
        assert_eq!(handle(&post("", "SAMLResponse=eA")), unsolicited(None));
        assert_eq!(handle(&post("", "SAMLResponse=eA&RelayState=")), unsolicited(None));
        let target = "SAMLResponse=eA&RelayState=https%3A%2F%2Fportal.example%2Fstart";
        assert_eq!(handle(&post("", target)), unsolicited(Some("https://portal.example/start")));
        let not_quite: &'static str =
            Box::leak(format!("SAMLResponse=eA&RelayState={}!", "A".repeat(53)).into_boxed_str());
        assert!(matches!(handle(&post("", not_quite)), Correlation::Unsolicited { target: Some(_) }));
        for (query, body) in [
            ("", "RelayState=abc"),
            ("", "SAMLResponse=&RelayState=abc"),
            ("", "SAMLResponse=eA&SAMLResponse=eB&RelayState=abc"),
            ("", "SAMLResponse=eA&RelayState=abc&RelayState=abd"),
            ("", "SAMLResponse=eA&SAMLRequest=eB&RelayState=abc"),
            ("RelayState=abd", "SAMLResponse=eA&RelayState=abc"),
            ("SAMLResponse=eB", "SAMLResponse=eA&RelayState=abc"),
        ] {
            assert!(matches!(handle(&post(query, body)), Correlation::Malformed(_)), "{query} {body}");
        }
        let mut json = post("", "SAMLResponse=eA&RelayState=abc");
        json.content_type = Some("application/json".into());
        assert!(matches!(correlate(&json), Correlation::Malformed(_)));
    }
}
