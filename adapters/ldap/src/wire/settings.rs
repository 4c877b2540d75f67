//! What a connection's settings say about the way to its servers.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::password::Password;

/// How a directory is reached, and as whom.
pub struct Settings {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub servers: Where,
    pub encryption: Encryption,
    pub tls: TlsSettings,
    pub account: Account,
    pub timeouts: Timeouts,
    pub pool: Pool,
    /// The longest message that is read, in octets.
    pub max_pdu: usize,
    /// Hosts that a search may be continued at (RFC 4511 section 4.5.3), in lower case. Empty: references are counted
    /// and left alone.
    pub referrals: Arc<[String]>,
}

/// Where the servers are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    Listed {
        servers: Vec<ServerAddress>,
        order: Order,
    },
    /// The SRV records of a name such as `_ldap._tcp.dc._msdcs.ad.example` (RFC 2782). Only hosts below `domain` are
    /// believed: the answer of a name server is not signed, and a certificate is checked against the host's name.
    Srv {
        name: String,
        domain: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerAddress {
    /// A DNS name or an address; an IPv6 address without brackets. Certificates are checked against it.
    pub host: String,
    pub port: u16,
    /// The share of a server among those in [`Order::Weighted`].
    pub weight: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The first that answers.
    AsListed,
    /// Any, by weight.
    Weighted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// `ldaps`.
    Tls,
    /// RFC 4511 section 4.14. Without a yes of the server nothing is sent.
    StartTls,
    /// None: at this machine's own addresses only.
    Clear,
}

/// Whom a server's certificate must be from. Its name is always checked (RFC 4513 section 3.1.3).
#[derive(Clone, Default)]
pub struct TlsSettings {
    /// Certificates as PEM: these and no others issue. `None`: the system's.
    pub ca: Option<String>,
    /// SHA-256 of a SubjectPublicKeyInfo of the chain; any of them must match, besides the chain. Empty: none is asked.
    pub pins: Vec<[u8; 32]>,
    /// Our own certificate with its chain, and its key, as PEM.
    pub client: Option<(String, String)>,
}

/// Who searches.
pub enum Account {
    Anonymous,
    Simple {
        dn: String,
        password: Password,
    },
    /// Whom our certificate names (SASL EXTERNAL, RFC 4422 appendix A).
    External,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    pub tls: Duration,
    pub bind: Duration,
    /// For a whole answer of [`Upstream::search_all`](super::Upstream::search_all); in a stream, from one message to
    /// the next.
    pub search: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { connect: seconds(3), tls: seconds(3), bind: seconds(5), search: seconds(10) }
    }
}

/// Connections that are kept, to each server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    /// Most connections of the service account.
    pub service: usize,
    /// Most connections that check passwords.
    pub users: usize,
    /// One that was not used for so long is closed.
    pub idle: Duration,
    /// One that is so old is not used again. Active Directory closes an idle one at 900 seconds (`MaxConnIdleTime`).
    pub age: Duration,
}

impl Default for Pool {
    fn default() -> Self {
        Self { service: 4, users: 16, idle: Duration::from_secs(60), age: Duration::from_secs(600) }
    }
}

/// Why there is no way to the directory with these settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    #[error("there is no server")]
    NoServer,
    #[error("`{0}` is not an address of this machine: without TLS a password would cross the network in clear")]
    ClearToElsewhere(String),
    #[error("SASL EXTERNAL needs TLS and a client certificate")]
    ExternalWithoutCertificate,
    #[error("the CA certificates can't be used: {0}")]
    Ca(String),
    #[error("the client certificate can't be used: {0}")]
    ClientCertificate(String),
}
