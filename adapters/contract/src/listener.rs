//! Listeners that are not HTTP: octets come in over a stream that TLS may be begun on.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

/// An accepted stream.
pub trait Wire: AsyncRead + AsyncWrite + Send + Unpin {
    fn about(&self) -> &WireFacts;
}

/// A stream in clear on which TLS may be begun.
#[async_trait]
pub trait Upgrade: Wire {
    /// Begins TLS. Octets that were read and belong to the time before must have been thrown away by then
    /// (RFC 4511 section 4.14.2).
    ///
    /// # Errors
    /// The handshake failed, or took too long: the connection is over.
    async fn begin_tls(self: Box<Self>) -> std::io::Result<Box<dyn Wire>>;
}

#[derive(Debug, Clone)]
pub struct WireFacts {
    /// The client, or what a trusted proxy says it is (PROXY protocol 2).
    pub peer: SocketAddr,
    pub encrypted: bool,
    /// SNI, in lower case.
    pub server_name: Option<String>,
    /// DER of a client certificate whose chain was verified.
    pub client_certificate: Option<Arc<[u8]>>,
    /// Whether TLS could be begun.
    pub can_upgrade: bool,
}

/// What speaks a protocol over accepted streams. It returns when the connection is over.
#[async_trait]
pub trait Speaker: Send + Sync + 'static {
    async fn speak(self: Arc<Self>, stream: Stream);
}

pub enum Stream {
    Clear(Box<dyn Upgrade>),
    Tls(Box<dyn Wire>),
}
