//! A connection in memory, in the place of one that a listener accepted. "TLS" is the same pipe, which says that it is
//! encrypted.

use std::pin::Pin;
use std::task::{Context, Poll};

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, DuplexStream, ReadBuf};

use crate::listener::{Stream, Upgrade, Wire, WireFacts};

struct End {
    stream: DuplexStream,
    facts: WireFacts,
    handshake: &'static [u8],
}

/// The server's end. `handshake`: what the client says where TLS is to begin.
pub fn accepted(stream: DuplexStream, facts: WireFacts, handshake: &'static [u8]) -> Stream {
    let encrypted = facts.encrypted;
    let end = Box::new(End { stream, facts, handshake });
    if encrypted { Stream::Tls(end) } else { Stream::Clear(end) }
}

impl Wire for End {
    fn about(&self) -> &WireFacts {
        &self.facts
    }
}

#[async_trait]
impl Upgrade for End {
    async fn begin_tls(mut self: Box<Self>) -> std::io::Result<Box<dyn Wire>> {
        let mut hello = vec![0; self.handshake.len()];
        self.stream.read_exact(&mut hello).await?;
        if hello != self.handshake {
            return Err(std::io::Error::other("no handshake"));
        }
        (self.facts.encrypted, self.facts.can_upgrade) = (true, false);
        Ok(self)
    }
}

impl AsyncRead for End {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, to: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, to)
    }
}

impl AsyncWrite for End {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, octets)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
