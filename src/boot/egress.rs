//! The one way out of the process: https only, special-use
//! addresses refused after resolution, the resolved address pinned, no
//! redirects, size and time capped, a line for each partner.

mod address;
mod breaker;
mod dial;
mod freshness;
pub mod hosts;
mod lanes;
mod names;
mod srv;

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::loopback::is_loopback;
use fedbridge_contract::services::{
    CallMethod, Clock, Egress, EgressAnswer, EgressCall, EgressError, EgressGet, EgressLimits, EgressPost, Fetched,
    Lane, Rng,
};
use futures_util::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

pub use address::is_special_use;
use breaker::Outcome;
pub use dial::Dial;
pub use lanes::Bounds;
use lanes::{Lanes, Line, NotCalled};
use names::{Names, Unresolved};

/// Who has had so long and gave no answer counts as silent for its breaker: half of what a call at a login has. A
/// shorter call tells its caller the same, but ends nobody else's calls.
const FAIR: Duration = Duration::from_millis(2500);

tokio::task_local! {
    /// Whose call a name is looked up for: the resolver is given no more than the name. It is entered in the task that
    /// makes the call.
    static ASKER: Option<TenantId>;
}

/// The egress client, in one partner's line or in none.
pub struct Client {
    shared: Arc<Shared>,
    line: Option<Arc<Line>>,
    /// Whose line it is.
    asker: Option<TenantId>,
    /// The hosts that the tenant allows; `None`: all public ones.
    hosts: Option<Arc<[String]>>,
}

struct Shared {
    http: reqwest::Client,
    /// Also permits plain http, to loopback alone.
    allow_loopback: bool,
    lanes: Lanes,
    /// Shared with [`Dial`]: there is one bound for all that wait for a resolver.
    names: Names,
    fair: Duration,
}

impl Client {
    /// # Errors
    /// When the TLS library can't be used.
    pub fn new(allow_loopback: bool, bounds: Bounds, clock: Arc<dyn Clock>) -> anyhow::Result<Self> {
        Self::with_names(allow_loopback, bounds, clock, Names::of_the_system(), FAIR)
    }

    fn with_names(
        allow_loopback: bool,
        bounds: Bounds,
        clock: Arc<dyn Clock>,
        names: Names,
        fair: Duration,
    ) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver { allow_loopback, names: names.clone() }))
            .user_agent(concat!("fedbridge/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let lanes = Lanes::new(bounds, clock);
        let shared = Arc::new(Shared { http, allow_loopback, lanes, names, fair });
        Ok(Self { shared, line: None, asker: None, hosts: None })
    }

    /// The way out for LDAP.
    pub fn dialer(&self, rng: Arc<dyn Rng>) -> Dial {
        Dial::new(self.shared.names.clone(), rng, self.shared.allow_loopback)
    }

    /// Everything that can be said before a name is resolved.
    fn permitted(&self, url: &str) -> Result<Url, String> {
        let parsed = Url::parse(url).map_err(|error| format!("not an address: {error}"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("an address with a user name or password is not fetched".into());
        }
        let literal = match parsed.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err("the address has no host".into()),
        };
        // An IP literal never passes the resolver, so it is judged here.
        if let Some(ip) = literal {
            refuse_special_use(ip, self.shared.allow_loopback)?;
        }
        match parsed.scheme() {
            "https" => {}
            "http" if self.shared.allow_loopback && is_loopback(&parsed) => {}
            "http" => {
                return Err(
                    "plain http is not fetched; use https (egress.allow_loopback permits it for loopback)".into()
                );
            }
            other => return Err(format!("the scheme `{other}` is not fetched; use https")),
        }
        match &self.hosts {
            Some(patterns) if !hosts::allow(patterns, &parsed) => {
                let host = parsed.host_str().unwrap_or_default();
                Err(format!("the host {host} is not among the tenant's egress.hosts"))
            }
            _ => Ok(parsed),
        }
    }
}

#[async_trait]
impl Egress for Client {
    async fn get(&self, url: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.send(url, limits, |http, url| http.get(url)).await
    }

    async fn get_if_changed(&self, url: &str, etag: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.send(url, limits, |http, url| http.get(url).header(IF_NONE_MATCH, etag)).await
    }

    async fn get_with(&self, request: &EgressGet, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.send(&request.url, limits, |http, url| with_headers(http.get(url), &request.headers)).await
    }

    async fn post(&self, request: &EgressPost, limits: EgressLimits) -> Result<Fetched, EgressError> {
        let build = |http: &reqwest::Client, url| {
            let named = http.post(url).header(CONTENT_TYPE, &request.content_type);
            with_headers(named, &request.headers).body(request.body.clone())
        };
        self.send(&request.url, limits, build).await
    }

    async fn call(&self, request: &EgressCall, limits: EgressLimits) -> Result<EgressAnswer, EgressError> {
        let method = match request.method {
            CallMethod::Get => Method::GET,
            CallMethod::Post => Method::POST,
            CallMethod::Put => Method::PUT,
            CallMethod::Patch => Method::PATCH,
            CallMethod::Delete => Method::DELETE,
        };
        let build = |http: &reqwest::Client, url| {
            let named = with_headers(http.request(method, url), &request.headers);
            match &request.body {
                Some(body) => named.body(body.clone()),
                None => named,
            }
        };
        let (fetched, retry_after) = self.send_and(&request.url, limits, build).await?;
        Ok(EgressAnswer { status: fetched.status, retry_after, body: fetched.body })
    }

    fn lane(&self, lane: Lane) -> Option<Arc<dyn Egress>> {
        let line = self.shared.lanes.line(lane.tenant, lane.party);
        let (shared, asker) = (Arc::clone(&self.shared), Some(lane.tenant));
        Some(Arc::new(Self { shared, line: Some(line), asker, hosts: lane.hosts }))
    }
}

fn with_headers(request: RequestBuilder, headers: &[(String, String)]) -> RequestBuilder {
    headers.iter().fold(request, |made, (name, value)| made.header(name, value))
}

impl Client {
    async fn send(
        &self,
        url: &str,
        limits: EgressLimits,
        build: impl FnOnce(&reqwest::Client, Url) -> RequestBuilder + Send,
    ) -> Result<Fetched, EgressError> {
        self.send_and(url, limits, build).await.map(|(fetched, _)| fetched)
    }

    /// With what the answer says of the next try.
    async fn send_and(
        &self,
        url: &str,
        limits: EgressLimits,
        build: impl FnOnce(&reqwest::Client, Url) -> RequestBuilder + Send,
    ) -> Result<(Fetched, Option<Duration>), EgressError> {
        let fail = |cause: String| EgressError { url: without_query(url), cause, silent: false };
        let silent = |cause: String| EgressError { silent: true, ..fail(cause) };
        let parsed = self.permitted(url).map_err(fail)?;
        let host = parsed.origin().ascii_serialization();
        let request = build(&self.shared.http, parsed);
        // Waiting counts: whoever asked has no more time than this for all of it.
        let deadline = Instant::now() + limits.timeout;
        let turn = self.shared.lanes.turn(self.line.as_deref(), &host, deadline).await;
        let turn = turn.map_err(|cause| match cause {
            NotCalled::Resting(_) => silent(cause.to_string()),
            NotCalled::Busy | NotCalled::TenantBusy | NotCalled::AllBusy => fail(cause.to_string()),
        })?;
        let unheard = match deadline.saturating_duration_since(Instant::now()) >= self.shared.fair {
            true => Outcome::Silent,
            false => Outcome::GivenUp,
        };
        let late = || silent(format!("no complete answer within {} s", limits.timeout.as_secs()));
        let response = match timeout_at(deadline, ASKER.scope(self.asker, request.send())).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => {
                // A request that can't be written or that we keep back says nothing about the partner.
                if error.is_builder() || is_ours(&error) {
                    turn.ended(Outcome::GivenUp);
                    return Err(fail(describe(&error)));
                }
                turn.ended(Outcome::Silent);
                return Err(silent(describe(&error)));
            }
            Err(_) => {
                turn.ended(unheard);
                return Err(late());
            }
        };
        match timeout_at(deadline, read(response, limits.max_body)).await {
            Ok(result) => {
                turn.ended(Outcome::Answered);
                result.map_err(fail)
            }
            Err(_) => {
                turn.ended(unheard);
                Err(late())
            }
        }
    }
}

/// Nobody is heeded who asks for more, in seconds.
const LONGEST_WAIT: u64 = 86_400;

async fn read(response: Response, max_body: usize) -> Result<(Fetched, Option<Duration>), String> {
    let status = response.status();
    if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
        return Err(format!("answered {status}; redirects are not followed, give the final address"));
    }
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (content_type, etag) = (header("content-type"), header("etag"));
    let max_age = freshness::max_age(response.headers());
    let retry_after = header("retry-after").and_then(|text| text.trim().parse().ok());
    let retry_after = retry_after.map(|seconds: u64| Duration::from_secs(seconds.min(LONGEST_WAIT)));
    let mut body = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| describe(&error))?;
        if body.len() + chunk.len() > max_body {
            return Err(format!("the answer is longer than {max_body} octets"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok((Fetched { status: status.as_u16(), content_type, etag, max_age, body: Bytes::from(body) }, retry_after))
}

/// Resolves names and lets through only addresses that may be connected to. The
/// connection uses these very addresses, so a second look-up can't change them.
struct GuardedResolver {
    allow_loopback: bool,
    names: Names,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (allow_loopback, names) = (self.allow_loopback, self.names.clone());
        // Now: the future may be polled anywhere.
        let asker = ASKER.try_with(|asker| *asker).ok().flatten();
        Box::pin(async move {
            let found = names.addresses(name.as_str(), asker).await.map_err(boxed)?;
            for address in &found {
                refuse_special_use(address.ip(), allow_loopback).map_err(Ours)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Why we make no connection, where that is not the partner's silence.
#[derive(Debug)]
struct Ours(String);

impl fmt::Display for Ours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Ours {}

fn boxed(cause: Unresolved) -> Box<dyn Error + Send + Sync> {
    match cause {
        Unresolved::TooMany(sentence) => Box::new(Ours(sentence.to_owned())),
        Unresolved::Failed(words) => words.into(),
    }
}

fn is_ours(error: &reqwest::Error) -> bool {
    std::iter::successors(error.source(), |&inner| inner.source()).any(|inner| inner.is::<Ours>())
}

fn refuse_special_use(ip: IpAddr, allow_loopback: bool) -> Result<(), String> {
    let loopback = address::is_loopback(ip);
    if loopback && allow_loopback {
        return Ok(());
    }
    if is_special_use(ip) {
        let hint = if loopback { " (egress.allow_loopback permits loopback)" } else { "" };
        return Err(format!("the host is at a special-use address and is not connected to{hint}"));
    }
    Ok(())
}

/// The query may hold a secret and is left out of errors.
fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// The innermost cause, which is the one that helps; the outer ones repeat the address.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests;
