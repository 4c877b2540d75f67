//! Listeners that are not HTTP: sockets, TLS, the PROXY protocol and their limits.
//!
//! `accept` takes sockets in and hands each to one of a few threads (`workers`), where it stays for good. `admit` makes
//! a stream of it: who comes, by `proxy`; may they, by `limits`; TLS, by `tls`, whose files `renewal` reads again when they
//! change. What is spoken over the stream is a [`Speaker`]'s affair.

mod accept;
mod admit;
mod limits;
mod proxy;
mod renewal;
mod stream;
mod tls;
mod workers;

use std::future::Future;
use std::net::{IpAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::listener::Speaker;

use admit::Admission;
pub use tls::{Tls, TlsError};
use workers::Workers;

/// What listens, and for whom.
pub struct Listen {
    /// Streams in clear, on which TLS may be begun where there is a certificate.
    pub clear: Option<TcpListener>,
    /// Streams of TLS from the first octet on.
    pub encrypted: Option<TcpListener>,
    pub tls: Option<Tls>,
    /// Whether an address is a proxy's whose word is believed. Its connections begin with a PROXY header.
    pub is_proxy: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    pub bounds: Bounds,
    /// Threads that speak; 0: one for each core.
    pub threads: usize,
}

#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Connections of all clients together.
    pub connections: usize,
    /// Connections of one address (of one /64, with IPv6).
    pub per_address: usize,
    /// For the PROXY header and the TLS handshake, each.
    pub handshake: Duration,
    /// How long connections may go on after the stop.
    pub grace: Duration,
    /// How often it is looked whether the files of the certificate have changed.
    pub renewal: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            connections: 10_000,
            per_address: 200,
            handshake: Duration::from_secs(30),
            grace: Duration::from_secs(5),
            renewal: Duration::from_secs(10),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    #[error("a TLS listener needs a certificate and its key")]
    NoCertificate,
    #[error("the listener failed: {0}")]
    Io(#[from] std::io::Error),
}

impl Listen {
    /// Serves until `stop` resolves; then nobody is taken in any more, and those who are there may go on for the
    /// grace. The speaker is told of the stop by whoever owns it.
    ///
    /// # Errors
    /// When there is a TLS listener without a certificate, a thread can't be started, or a socket can't be used.
    pub async fn serve(self, speaker: Arc<dyn Speaker>, stop: impl Future<Output = ()>) -> Result<(), ListenError> {
        let tls = self.tls.map(Arc::new);
        if self.encrypted.is_some() && tls.is_none() {
            return Err(ListenError::NoCertificate);
        }
        let renewal = renewal::keep(tls.clone(), self.bounds.renewal);
        let admission = Arc::new(Admission::new(speaker, self.is_proxy, tls, self.bounds));
        let workers = Workers::start(self.threads, &admission)?;
        let doors = accept::doors(self.clear, self.encrypted)?;
        tokio::select! {
            () = accept::take_in(doors, &admission, &workers) => {}
            never = renewal => match never {},
            () = stop => {}
        }
        workers.finish(self.bounds.grace).await;
        Ok(())
    }
}
