//! A socket that was taken in becomes a stream: who comes, may they, and TLS.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use fedbridge_contract::listener::{Speaker, Stream};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits::{Addresses, Place, Seldom};
use crate::stream::Clear;
use crate::tls::Tls;
use crate::{Bounds, proxy};

/// By which listener somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    Clear,
    Tls,
}

/// A socket on its way to a thread.
pub(crate) struct Accepted {
    pub(crate) socket: std::net::TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) door: Door,
    pub(crate) seat: OwnedSemaphorePermit,
}

pub(crate) struct Admission {
    speaker: Arc<dyn Speaker>,
    is_proxy: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
    tls: Option<Arc<Tls>>,
    bounds: Bounds,
    seats: Arc<Semaphore>,
    addresses: Arc<Addresses>,
    pub(crate) turned_away: Seldom,
}

impl Admission {
    pub(crate) fn new(
        speaker: Arc<dyn Speaker>,
        is_proxy: Arc<dyn Fn(IpAddr) -> bool + Send + Sync>,
        tls: Option<Arc<Tls>>,
        bounds: Bounds,
    ) -> Self {
        let seats = Arc::new(Semaphore::new(bounds.connections.min(Semaphore::MAX_PERMITS)));
        Self { speaker, is_proxy, tls, bounds, seats, addresses: Arc::default(), turned_away: Seldom::default() }
    }

    /// A seat of all that there are.
    pub(crate) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// Takes a connection from its first octet to its end.
    pub(crate) async fn admit(&self, accepted: Accepted) {
        let Accepted { socket, peer, door, seat: _seat } = accepted;
        match self.stream(socket, peer, door).await {
            Ok((stream, _place)) => Arc::clone(&self.speaker).speak(stream).await,
            Err(error) => tracing::debug!(%peer, %error, "a connection came to nothing"),
        }
    }

    async fn stream(&self, socket: std::net::TcpStream, peer: SocketAddr, door: Door) -> io::Result<(Stream, Place)> {
        let mut socket = TcpStream::from_std(socket)?;
        // Answers are small, and a client waits for each.
        socket.set_nodelay(true)?;
        let peer = self.client(&mut socket, peer).await?;
        let place = self.addresses.take(peer.ip(), self.bounds.per_address).ok_or_else(|| {
            if let Some(count) = self.turned_away.due() {
                tracing::warn!(peer = %peer.ip(), count, "connections were closed: an address has as many as it may");
            }
            io::Error::new(io::ErrorKind::QuotaExceeded, "the address has as many connections as it may")
        })?;
        let clear = Clear::new(socket, peer, self.tls.clone(), self.bounds.handshake);
        let stream = match door {
            Door::Clear => Stream::Clear(Box::new(clear)),
            Door::Tls => Stream::Tls(Box::new(clear.encrypt().await?)),
        };
        Ok((stream, place))
    }

    /// The client's address: the socket's, or what a trusted proxy says.
    async fn client(&self, socket: &mut TcpStream, peer: SocketAddr) -> io::Result<SocketAddr> {
        let own = SocketAddr::new(peer.ip().to_canonical(), peer.port());
        if !(self.is_proxy)(own.ip()) {
            return Ok(own);
        }
        let said = tokio::time::timeout(self.bounds.handshake, proxy::read(socket)).await;
        let late = |_| io::Error::new(io::ErrorKind::TimedOut, "the PROXY header took too long");
        let said = said.map_err(late)??;
        Ok(said.map_or(own, |said| SocketAddr::new(said.ip().to_canonical(), said.port())))
    }
}
