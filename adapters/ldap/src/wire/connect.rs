//! From a server's name to a connection that is encrypted as the settings say.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::{DialTarget, Dialer};
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::{Code, Done, Filter, Op, Scope, Search};
use tokio::time::timeout;

use super::channel::Channel;
use super::error::{Stage, WireError};
use super::search::Entry;
use super::settings::{Encryption, Timeouts};
use super::start_tls;
use super::tls::{NoTls, Tls};

/// What a server's certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Hosts and addresses that it is for.
    pub names: Vec<String>,
    pub issuer: String,
    pub not_after: Option<Timestamp>,
}

/// One server, looked at for an administrator.
#[derive(Debug)]
pub struct ServerReport {
    /// `host:port`.
    pub server: String,
    /// Also where it will not do; `None` without TLS, or where nobody answered.
    pub certificate: Option<CertificateFacts>,
    /// What the server publishes of itself (RFC 4512 section 5.1), which may be nothing; an error where it is not
    /// reached, not who it should be, or does not take the service account.
    pub root: Result<Entry, WireError>,
}

/// Opens connections.
pub(super) struct Connector {
    pub dialer: Arc<dyn Dialer>,
    pub tenant: TenantId,
    pub tls: Tls,
    pub encryption: Encryption,
    pub timeouts: Timeouts,
    pub max_pdu: usize,
}

/// A connection that did not come about.
pub(super) struct NotConnected {
    pub error: WireError,
    pub certificate: Option<CertificateFacts>,
}

impl From<WireError> for NotConnected {
    fn from(error: WireError) -> Self {
        Self { error, certificate: None }
    }
}

impl Connector {
    /// A connection on which nobody is bound.
    pub async fn open(&self, host: &str, port: u16) -> Result<Channel, WireError> {
        match self.look(host, port, self.encryption).await {
            Ok((channel, _)) => Ok(channel),
            Err(not) => Err(not.error),
        }
    }

    /// As [`open`](Self::open), with the certificate.
    pub async fn look(
        &self,
        host: &str,
        port: u16,
        encryption: Encryption,
    ) -> Result<(Channel, Option<CertificateFacts>), NotConnected> {
        let server: Arc<str> = label(host, port).into();
        let loopback = encryption == Encryption::Clear;
        let target = DialTarget { tenant: self.tenant, host, port, loopback };
        let dialed = self.dialer.dial(target, self.timeouts.connect);
        let stream = match timeout(self.timeouts.connect, dialed).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
                return Err(late(&server, Stage::Connect).into());
            }
            Ok(Err(error)) => {
                let cause = format!("not reached: {error}");
                return Err(WireError::Unreachable { server: server.to_string(), cause }.into());
            }
            Err(_) => return Err(late(&server, Stage::Connect).into()),
        };
        let clear = match encryption {
            Encryption::Clear => return Ok((Channel::new(server, stream, self.max_pdu), None)),
            Encryption::Tls => stream,
            Encryption::StartTls => {
                let asked = start_tls::ask(Channel::new(Arc::clone(&server), stream, self.max_pdu));
                within(&server, Stage::StartTls, self.timeouts.tls, asked).await?
            }
        };
        match timeout(self.timeouts.tls, self.tls.begin(host, clear)).await {
            Ok(Ok((stream, facts))) => Ok((Channel::new(server, stream, self.max_pdu), Some(facts))),
            Ok(Err(NoTls { cause, certificate })) => {
                Err(NotConnected { error: WireError::Insecure { server: server.to_string(), cause }, certificate })
            }
            Err(_) => Err(late(&server, Stage::Tls).into()),
        }
    }
}

pub(super) fn label(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Waits for so long and no longer. What is given up must be dropped: its connection is closed by that (RFC 4511
/// section 3.1 leaves it to the client).
pub(super) async fn within<T>(
    server: &str,
    stage: Stage,
    limit: Duration,
    work: impl Future<Output = Result<T, WireError>>,
) -> Result<T, WireError> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(late(server, stage)))
}

pub(super) fn late(server: &str, stage: Stage) -> WireError {
    WireError::TimedOut { server: server.to_owned(), stage }
}

/// What a server publishes of itself (RFC 4512 section 5.1): whoever answers this is alive, even where it shows nothing
/// to somebody who is not bound.
pub(super) async fn root(channel: &mut Channel) -> Result<Entry, WireError> {
    let search = Search {
        base: String::new(),
        scope: Scope::Base,
        aliases: 0,
        size: 0,
        time: 0,
        types_only: false,
        filter: Filter::Present("objectClass".to_owned()),
        attributes: vec!["*".to_owned(), "+".to_owned()],
    };
    let id = channel.begin(Op::Search(search), Vec::new()).await?;
    let mut found = Entry::default();
    loop {
        match channel.answer(id).await?.op {
            Op::Entry(entry) => {
                let octets =
                    |(name, values): (String, Vec<Bytes>)| (name, values.iter().map(|it| it.to_vec()).collect());
                found = Entry { dn: entry.dn, attributes: entry.attributes.into_iter().map(octets).collect() };
            }
            Op::Reference(_) | Op::Intermediate { .. } => {}
            Op::Done { of: Done::Search, result } => {
                return match result.code {
                    Code::BUSY | Code::UNAVAILABLE => {
                        Err(channel.lost(format!("it answers with code {}", result.code.0)))
                    }
                    _ => Ok(found),
                };
            }
            _ => return Err(channel.lost("it answers a search with something else")),
        }
    }
}
