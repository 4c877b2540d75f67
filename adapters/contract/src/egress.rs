//! The ways out: fetches, and streams for protocols that are not HTTP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::config::Tenant;
use crate::ids::TenantId;
use crate::logout::Party;
use crate::services::Closed;

/// As [`Services::egress_to`](crate::services::Services::egress_to), for whoever has the way out alone.
pub fn egress_to(egress: &Arc<dyn Egress>, tenant: &Tenant, party: Party) -> Arc<dyn Egress> {
    let lane = Lane { tenant: tenant.id, party, hosts: tenant.settings.egress_hosts.clone() };
    egress.lane(lane).unwrap_or_else(|| Arc::clone(egress))
}

/// The one way out: https only, special-use addresses refused, the resolved
/// address pinned, no redirects, size and time capped.
#[async_trait]
pub trait Egress: Send + Sync {
    async fn get(&self, url: &str, limits: EgressLimits) -> Result<Fetched, EgressError>;

    /// As `get`; where the other side still has `etag`, it answers status 304 without a body.
    async fn get_if_changed(&self, url: &str, etag: &str, limits: EgressLimits) -> Result<Fetched, EgressError>;

    /// Sends a body under the same rules.
    async fn post(&self, request: &EgressPost, limits: EgressLimits) -> Result<Fetched, EgressError>;

    /// As `get`, with headers of our own, such as `authorization`.
    async fn get_with(&self, request: &EgressGet, _limits: EgressLimits) -> Result<Fetched, EgressError> {
        Err(EgressError { url: request.url.clone(), cause: "this client sends no headers".to_owned(), silent: false })
    }

    /// A request by any method, under the same rules.
    async fn call(&self, request: &EgressCall, _limits: EgressLimits) -> Result<EgressAnswer, EgressError> {
        let cause = "this client gets and posts, and nothing else".to_owned();
        Err(EgressError { url: request.url.clone(), cause, silent: false })
    }

    /// The same client in one partner's line. `None`: there is but one line.
    fn lane(&self, _lane: Lane) -> Option<Arc<dyn Egress>> {
        None
    }
}

/// The way out for protocols that are not HTTP: LDAP. Directories are inside a company's own net, so
/// private addresses are reached.
#[async_trait]
pub trait Dialer: Send + Sync {
    /// A connected stream in clear. Link-local addresses are never reached (a cloud's metadata service has one), and
    /// loopback only where the installation or the caller allows it.
    ///
    /// # Errors
    /// The name is not known, no address of it may be reached, or nobody answered in time.
    async fn dial(&self, target: DialTarget<'_>, timeout: Duration) -> std::io::Result<Box<dyn Dialed>>;

    /// The same way out for a tenant that may reach these hosts alone. `None`: it leads to no real host.
    fn narrowed(&self, _hosts: Arc<[String]>) -> Option<Arc<dyn Dialer>> {
        None
    }

    /// The SRV records of a name (RFC 2782), as this machine's name server has them. Nothing about them is proven.
    ///
    /// # Errors
    /// There are none, or nobody answered in time.
    async fn srv(&self, _name: &str, _timeout: Duration) -> std::io::Result<Vec<SrvRecord>> {
        Err(std::io::Error::other("no SRV records are looked up here"))
    }
}

/// One server of several for one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SrvRecord {
    /// Lower ones are asked first.
    pub priority: u16,
    /// The share among those of one priority.
    pub weight: u16,
    pub port: u16,
    pub host: String,
    /// How long the answer holds.
    pub valid_for: Duration,
}

#[derive(Debug, Clone, Copy)]
pub struct DialTarget<'a> {
    pub tenant: TenantId,
    /// A DNS name or an address; an IPv6 address without brackets.
    pub host: &'a str,
    pub port: u16,
    /// The connection says that its server is on this very machine.
    pub loopback: bool,
}

/// A connected stream.
pub trait Dialed: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send + Unpin> Dialed for T {}

/// Whose line a call waits in, so that a partner that stalls holds up nobody else.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lane {
    pub tenant: TenantId,
    pub party: Party,
    /// The hosts that the tenant allows; `None`: all public ones.
    pub hosts: Option<Arc<[String]>>,
}

/// A fetch with headers of our own.
#[derive(Clone, PartialEq, Eq)]
pub struct EgressGet {
    pub url: String,
    /// Names in lower case. Values may be secret.
    pub headers: Vec<(String, String)>,
}

/// A body to be sent to another server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EgressPost {
    pub url: String,
    pub content_type: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A request of an API that is more than fetches.
#[derive(Clone, PartialEq, Eq)]
pub struct EgressCall {
    pub method: CallMethod,
    pub url: String,
    /// Names in lower case. Values may be secret.
    pub headers: Vec<(String, String)>,
    pub body: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallMethod {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl CallMethod {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EgressAnswer {
    pub status: u16,
    /// `Retry-After` in seconds (RFC 9110 section 10.2.3). A date counts as nothing said.
    pub retry_after: Option<Duration>,
    pub body: Bytes,
}

#[derive(Debug, Clone, Copy)]
pub struct EgressLimits {
    /// Octets of the body, after which the fetch fails.
    pub max_body: usize,
    pub timeout: std::time::Duration,
}

#[derive(Debug, Clone)]
pub struct Fetched {
    pub status: u16,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    /// `Cache-Control: max-age` less `Age`; zero for `no-store` and `no-cache` (RFC 9111 section 5.2).
    pub max_age: Option<Duration>,
    pub body: Bytes,
}

/// Why a fetch failed, with no echo of what came.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{url}: {cause}")]
pub struct EgressError {
    pub url: String,
    pub cause: String,
    /// The other side gives no sign of life: no connection, no answer in time, or not of late. False: it was not
    /// asked, or what it answered can't be used.
    pub silent: bool,
}

#[async_trait]
impl Dialer for Closed {
    async fn dial(&self, _: DialTarget<'_>, _: Duration) -> std::io::Result<Box<dyn Dialed>> {
        Err(std::io::Error::other("no logins run here"))
    }
}
