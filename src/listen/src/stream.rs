//! Streams in clear and encrypted ones.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::listener::{Upgrade, Wire, WireFacts};
use openssl::ssl::NameType;
use openssl::x509::X509VerifyResult;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_openssl::SslStream;

use crate::tls::Tls;

/// A stream in clear.
pub(crate) struct Clear {
    socket: TcpStream,
    facts: WireFacts,
    tls: Option<Arc<Tls>>,
    /// For a handshake.
    patience: Duration,
}

/// An encrypted stream.
pub(crate) struct Encrypted {
    stream: SslStream<TcpStream>,
    facts: WireFacts,
}

impl Clear {
    pub(crate) fn new(socket: TcpStream, peer: SocketAddr, tls: Option<Arc<Tls>>, patience: Duration) -> Self {
        let facts = WireFacts {
            peer,
            encrypted: false,
            server_name: None,
            client_certificate: None,
            can_upgrade: tls.is_some(),
        };
        Self { socket, facts, tls, patience }
    }

    /// # Errors
    /// As with [`Upgrade::begin_tls`].
    pub(crate) async fn encrypt(self) -> io::Result<Encrypted> {
        let tls = self.tls.ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "there is no certificate"))?;
        let mut stream = SslStream::new(tls.connection()?, self.socket)?;
        let handshake = Pin::new(&mut stream).accept();
        match tokio::time::timeout(self.patience, handshake).await {
            Err(_) => return Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")),
            Ok(done) => done.map_err(io::Error::other)?,
        }
        let facts = facts(self.facts.peer, &stream);
        Ok(Encrypted { stream, facts })
    }
}

fn facts(peer: SocketAddr, stream: &SslStream<TcpStream>) -> WireFacts {
    let ssl = stream.ssl();
    let verified = ssl.verify_result() == X509VerifyResult::OK;
    let certificate = ssl.peer_certificate().filter(|_| verified);
    WireFacts {
        peer,
        encrypted: true,
        server_name: ssl.servername(NameType::HOST_NAME).map(str::to_ascii_lowercase),
        client_certificate: certificate.and_then(|it| it.to_der().ok()).map(Arc::from),
        can_upgrade: false,
    }
}

impl Wire for Clear {
    fn about(&self) -> &WireFacts {
        &self.facts
    }
}

#[async_trait]
impl Upgrade for Clear {
    async fn begin_tls(self: Box<Self>) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(self.encrypt().await?))
    }
}

impl Wire for Encrypted {
    fn about(&self) -> &WireFacts {
        &self.facts
    }
}

/// Reading and writing are the inner stream's.
macro_rules! through {
    ($outer:ident, $inner:ident) => {
        impl AsyncRead for $outer {
            fn poll_read(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                Pin::new(&mut self.$inner).poll_read(cx, buffer)
            }
        }

        impl AsyncWrite for $outer {
            fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
                Pin::new(&mut self.$inner).poll_write(cx, octets)
            }

            fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.$inner).poll_flush(cx)
            }

            fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                Pin::new(&mut self.$inner).poll_shutdown(cx)
            }
        }
    };
}

through!(Clear, socket);
through!(Encrypted, stream);
