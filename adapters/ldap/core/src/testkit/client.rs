//! The other side: asks, octet by octet, and reads what comes.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;

use bytes::BytesMut;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::certificates::Identity;
use crate::frame::{Framer, RESPONSE_DEPTH};
use crate::message::{Auth, Message, Op};

/// It numbers its messages from 1.
pub struct Client {
    stream: Stream,
    buffer: BytesMut,
    last: i32,
}

enum Stream {
    Clear(TcpStream),
    Tls(tokio_openssl::SslStream<TcpStream>),
    /// Between the two.
    None,
}

impl Client {
    /// # Errors
    /// Nobody listens there.
    pub async fn connect(to: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: Stream::Clear(stream), buffer: BytesMut::new(), last: 0 })
    }

    /// A handshake. What was read before is thrown away. Only the chain is looked at; `name` is what the server is
    /// told (SNI).
    ///
    /// # Errors
    /// The handshake failed.
    pub async fn begin_tls(
        &mut self,
        trusted: &X509,
        name: Option<&str>,
        identity: Option<&Identity>,
    ) -> io::Result<()> {
        let Stream::Clear(stream) = std::mem::replace(&mut self.stream, Stream::None) else {
            return Err(io::Error::other("the connection is encrypted already"));
        };
        let ssl = client(trusted, name, identity).map_err(io::Error::other)?;
        let mut stream = tokio_openssl::SslStream::new(ssl, stream).map_err(io::Error::other)?;
        Pin::new(&mut stream).connect().await.map_err(io::Error::other)?;
        self.buffer.clear();
        self.stream = Stream::Tls(stream);
        Ok(())
    }

    /// Sends a message, and gives its number.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn send(&mut self, op: Op) -> io::Result<i32> {
        self.last += 1;
        let mut octets = BytesMut::new();
        Message { id: self.last, op, controls: Vec::new() }.write(&mut octets);
        self.raw(&octets).await?;
        Ok(self.last)
    }

    /// Sends any octets.
    ///
    /// # Errors
    /// The connection is gone.
    pub async fn raw(&mut self, octets: &[u8]) -> io::Result<()> {
        match &mut self.stream {
            Stream::Clear(stream) => stream.write_all(octets).await,
            Stream::Tls(stream) => stream.write_all(octets).await,
            Stream::None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// The next message. `None`: the server has closed the connection.
    ///
    /// # Errors
    /// The connection is broken, or what came is no message.
    pub async fn receive(&mut self) -> io::Result<Option<Message>> {
        let framer = Framer::new(16 << 20, RESPONSE_DEPTH);
        loop {
            if let Some(frame) = framer.next(&mut self.buffer).map_err(io::Error::other)? {
                let unreadable = |fault: crate::message::Unreadable| io::Error::other(fault.why);
                return Message::read(&frame).map(Some).map_err(unreadable);
            }
            let read = match &mut self.stream {
                Stream::Clear(stream) => stream.read_buf(&mut self.buffer).await?,
                Stream::Tls(stream) => stream.read_buf(&mut self.buffer).await?,
                Stream::None => 0,
            };
            if read == 0 {
                return Ok(None);
            }
        }
    }

    /// Asks, and reads all that is said to it: up to the first message that ends an operation.
    ///
    /// # Errors
    /// The connection is broken, or ended before that.
    pub async fn ask(&mut self, op: Op) -> io::Result<Vec<Message>> {
        let id = self.send(op).await?;
        let mut said = Vec::new();
        loop {
            let message = self.receive().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let is_last = !matches!(message.op, Op::Entry(_) | Op::Reference(_) | Op::Intermediate { .. });
            if message.id == id {
                said.push(message);
                if is_last {
                    return Ok(said);
                }
            }
        }
    }

    /// A simple bind.
    ///
    /// # Errors
    /// As of [`Self::ask`].
    pub async fn bind(&mut self, name: &str, password: &[u8]) -> io::Result<Op> {
        let auth = Auth::Simple(password.to_vec().into());
        let mut said = self.ask(Op::Bind { version: 3, name: name.to_owned(), auth }).await?;
        said.pop().map(|message| message.op).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

fn client(trusted: &X509, name: Option<&str>, identity: Option<&Identity>) -> Result<Ssl, openssl::error::ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    context.cert_store_mut().add_cert(trusted.clone())?;
    context.set_verify(SslVerifyMode::PEER);
    if let Some(identity) = identity {
        context.set_certificate(&identity.certificate)?;
        context.set_private_key(&identity.key)?;
    }
    let mut ssl = Ssl::new(&context.build())?;
    if let Some(name) = name {
        ssl.set_hostname(name)?;
    }
    Ok(ssl)
}
