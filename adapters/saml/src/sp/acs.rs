//! The assertion consumer service: takes answers by HTTP-POST (SAML bindings 3.5).

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::ticket;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Answer, Correlation, LoginOutcome};
use tokio::sync::Semaphore;

use super::ServiceProvider;
use super::checks::{Checked, Stop, require, require_equal};
use super::state::RequestState;
use super::verify::{Login, Work, login};

/// The largest SAMLResponse parameter, in octets of base64. SAML sets no bound; real ones
/// have some 10 KB.
pub const MAX_RESPONSE: usize = 512 * 1024;

/// Answers that are checked at a time: in the whole process, and for one connection. A few
/// flooded connections leave room for the others.
const CHECKS_AT_A_TIME: usize = 16;
pub(crate) const CHECKS_OF_A_CONNECTION: usize = 4;
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(CHECKS_AT_A_TIME)));

/// How long an answer may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Which transaction an answer names. Nothing is verified here.
pub(super) fn correlate(input: &HttpInput) -> Correlation {
    match form(input) {
        Ok(form) => match form.relay_state {
            // A handle of ours is a ticket. In an answer that nobody asked for, RelayState names a target.
            Some(handle) if ticket::id_of(&handle).is_some() => Correlation::Handle(handle),
            target => Correlation::Unsolicited { target },
        },
        Err(why) => Correlation::Malformed(why.into()),
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
    let form = form(answer.input).map_err(|why| {
        trace.check("Form", "SAML bindings 3.5.4", "one SAMLResponse and at most one RelayState", why, false);
        Stop::Rejected
    })?;
    let response = form_octets(form.response);
    let size = response.len();
    let limit = format!("at most {MAX_RESPONSE} octets");
    require(trace, "Size", "", limit, format!("{size} octets"), size <= MAX_RESPONSE)?;
    let octets = decoded(&response).ok_or_else(|| {
        trace.check("Base64", "SAML bindings 3.5.4", "base64 of RFC 2045", "something else", false);
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
        Err(NotRun::NoTurn) => {
            require(trace, "Turn", "", "a free place within 10 s", "none", false)?;
            Err(Stop::Rejected)
        }
        Err(NotRun::Stopped) => {
            require(trace, "Check", "", "an end", "it stopped unexpectedly", false)?;
            Err(Stop::Rejected)
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum NotRun {
    NoTurn,
    Stopped,
}

/// Runs `check` on a blocking thread, in the connection's turn and the process's. The thread
/// holds the turns: it works on when nobody waits for its answer any more.
async fn in_turn<T: Send + 'static>(
    connection: Arc<Semaphore>,
    check: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotRun> {
    let turns = async {
        let own = connection.acquire_owned().await;
        (own, Arc::clone(&TURNS).acquire_owned().await)
    };
    let Ok((Ok(own), Ok(all))) = tokio::time::timeout(PATIENCE, turns).await else {
        return Err(NotRun::NoTurn);
    };
    let checked = tokio::task::spawn_blocking(move || {
        let _turns = (own, all);
        check()
    });
    checked.await.map_err(|_| NotRun::Stopped)
}

/// The response stays encoded: routing reads the form too, and has no use for it.
struct Form<'a> {
    response: &'a [u8],
    relay_state: Option<String>,
}

/// Exactly one SAMLResponse, at most one RelayState, and no other SAML parameter anywhere.
fn form(input: &HttpInput) -> Result<Form<'_>, &'static str> {
    if input.method != Method::Post || !input.is_form() {
        return Err("not a form that was posted");
    }
    let saml = |name: &str| matches!(name, "SAMLResponse" | "SAMLRequest" | "RelayState" | "SAMLart");
    if input.query_params().iter().any(|(name, _)| saml(name)) {
        return Err("SAML parameters in the query of a POST");
    }
    let mut response = None;
    let mut relay_state = None;
    for field in input.body.split(|&byte| byte == b'&') {
        let end = field.iter().position(|&byte| byte == b'=').unwrap_or(field.len());
        let (name, value) = (&field[..end], field.get(end + 1..).unwrap_or_default());
        let place = match &*form_octets(name) {
            b"SAMLResponse" => &mut response,
            b"RelayState" => &mut relay_state,
            b"SAMLRequest" | b"SAMLart" => return Err("a parameter that does not belong to a response"),
            _ => continue,
        };
        if place.replace(value).is_some() {
            return Err("a parameter that came twice");
        }
    }
    match response {
        Some(response) if !response.is_empty() => {
            let text = |encoded| String::from_utf8_lossy(&form_octets(encoded)).into_owned();
            let relay_state = relay_state.map(text).filter(|state| !state.is_empty());
            Ok(Form { response, relay_state })
        }
        _ => Err("no SAMLResponse"),
    }
}

/// Undoes the form encoding of one name or value (URL Standard, section 5.1): `+` is a space, and `%`
/// with two hexadecimal digits an octet.
fn form_octets(encoded: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(encoded.len());
    let mut rest = encoded;
    while let Some(at) = rest.iter().position(|byte| matches!(byte, b'%' | b'+')) {
        octets.extend_from_slice(&rest[..at]);
        let (octet, taken) = match rest[at..] {
            [b'+', ..] => (b' ', 1),
            [_, high, low, ..] => hexadecimal(high, low).map_or((b'%', 1), |octet| (octet, 3)),
            _ => (b'%', 1),
        };
        octets.push(octet);
        rest = &rest[at + taken..];
    }
    octets.extend_from_slice(rest);
    octets
}

fn hexadecimal(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    Some(digit(high)? << 4 | digit(low)?)
}

/// Base64 with padding; line breaks may stand in it (RFC 2045 section 6.8), nothing else.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    // Most senders write one line, and a break is no base64: only a refusal makes it worth a look.
    STANDARD.decode(text).ok().or_else(|| {
        let joined: Vec<u8> = text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        STANDARD.decode(joined).ok()
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
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

    /// A check that lasts until its sender is dropped.
    fn lasting() -> (std::sync::mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        (end, move || assert!(wait.recv().is_err()))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    #[test]
    fn a_check_that_nobody_waits_for_keeps_its_turn() {
        runtime().block_on(async {
            let own = Arc::new(Semaphore::new(1));
            let (started, is_started) = tokio::sync::oneshot::channel();
            let (end, check) = lasting();
            let waiting = tokio::spawn(in_turn(Arc::clone(&own), move || {
                started.send(()).unwrap();
                check();
            }));
            is_started.await.unwrap();
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert_eq!(own.available_permits(), 0, "the thread still works");
            drop(end);
            drop(own.acquire().await.unwrap());
        });
    }

    #[test]
    fn two_flooded_connections_leave_room_for_a_third() {
        runtime().block_on(async {
            let connection = || Arc::new(Semaphore::new(CHECKS_OF_A_CONNECTION));
            let mut ends = Vec::new();
            for flooded in [connection(), connection()] {
                for _ in 0..CHECKS_AT_A_TIME {
                    let (end, check) = lasting();
                    tokio::spawn(in_turn(Arc::clone(&flooded), check));
                    ends.push(end);
                }
                while flooded.available_permits() > 0 {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(in_turn(connection(), || "checked").await, Ok("checked"));
            drop(ends);
        });
    }

    #[test]
    fn form_encoding_is_undone_as_the_url_standard_says() {
        for encoded in
            ["", "a", "a+b", "%2B%2f%3D", "%", "a%", "%4", "%4g", "%%41", "+%20+", "%E4%F6", "=%3d=", "a%00b"]
        {
            let pair = format!("v={encoded}");
            let expected = url::form_urlencoded::parse(pair.as_bytes()).next().unwrap().1.into_owned();
            assert_eq!(String::from_utf8_lossy(&form_octets(encoded.as_bytes())), expected, "{encoded}");
        }
    }

    #[test]
    fn base64_is_strict() {
        assert_eq!(decoded(b"YWJj\r\nZA==").unwrap(), b"abcd");
        for bad in ["YWJjZA", "YWJj ZA==", "YWJjZA==\t", "YWJj-_==", "YWJjZA==YWJj", "YWJjZB=="] {
            assert_eq!(decoded(bad.as_bytes()), None, "{bad}");
        }
    }
}
