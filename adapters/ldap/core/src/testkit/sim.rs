//! The server that plays.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use openssl::ssl::{Ssl, SslContext, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::task::JoinSet;

use super::certificates::Identity;
use crate::control::Control;
use crate::frame::{Framer, REQUEST_DEPTH};
use crate::message::{Message, Op};
use crate::result::Code;

/// Says what is to be said on each connection. A closure over [`Asked`] is one.
pub trait Play: Send + Sync + 'static {
    /// Before anything was asked.
    fn begin(&self, _connection: usize) -> Vec<Step> {
        Vec::new()
    }

    fn answer(&self, asked: &Asked<'_>) -> Vec<Step>;
}

impl<F: Fn(&Asked<'_>) -> Vec<Step> + Send + Sync + 'static> Play for F {
    fn answer(&self, asked: &Asked<'_>) -> Vec<Step> {
        self(asked)
    }
}

#[derive(Debug)]
pub struct Asked<'a> {
    /// Connections are counted from zero.
    pub connection: usize,
    /// And so are the messages of each.
    pub number: usize,
    /// The name of the last bind that the play took; empty for nobody.
    pub bound_as: &'a str,
    pub is_encrypted: bool,
    pub message: &'a Message,
}

#[derive(Debug, Clone)]
pub enum Step {
    /// Under the number of the message.
    Answer(Op),
    AnswerWith(Op, Vec<Control>),
    /// Any octets.
    Raw(Vec<u8>),
    Wait(Duration),
    /// Nothing is said any more, and nothing read; the connection stays open.
    Stall,
    Close,
    /// A handshake. What came before it is thrown away.
    BeginTls,
}

/// A message that came, with what was true then.
#[derive(Debug, Clone)]
pub struct Seen {
    pub connection: usize,
    pub bound_as: String,
    pub is_encrypted: bool,
    pub message: Message,
}

/// How the server shows itself.
#[derive(Clone)]
pub struct Tls {
    pub identity: Identity,
    /// Clients must have a certificate of this authority.
    pub clients: Option<X509>,
    /// LDAPS; otherwise the play begins it.
    pub is_at_once: bool,
}

impl Tls {
    pub fn at_once(identity: Identity) -> Self {
        Self { identity, clients: None, is_at_once: true }
    }

    pub fn when_asked(identity: Identity) -> Self {
        Self { identity, clients: None, is_at_once: false }
    }
}

/// Stops when it is dropped, with all its connections.
pub struct Sim {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    opened: Arc<Mutex<usize>>,
    orders: broadcast::Sender<Order>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Clone)]
enum Order {
    Close,
    Say(Bytes),
}

impl Sim {
    /// In clear, on a free port of this machine.
    ///
    /// # Errors
    /// No port could be opened.
    pub async fn start(play: impl Play) -> io::Result<Self> {
        Self::open(SocketAddr::from(([127, 0, 0, 1], 0)), None, play).await
    }

    /// # Errors
    /// No port could be opened, or the certificate is none.
    pub async fn start_with(tls: Tls, play: impl Play) -> io::Result<Self> {
        Self::open(SocketAddr::from(([127, 0, 0, 1], 0)), Some(tls), play).await
    }

    /// Listens at a place that is known, as that of a server that was gone.
    ///
    /// # Errors
    /// The port could not be opened, or the certificate is none.
    pub async fn open(at: SocketAddr, tls: Option<Tls>, play: impl Play) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let is_at_once = tls.as_ref().is_some_and(|tls| tls.is_at_once);
        let tls = tls.map(|tls| context(&tls)).transpose().map_err(io::Error::other)?;
        let (orders, _) = broadcast::channel(16);
        let stage = Stage { play: Arc::new(play), tls, is_at_once, seen: Arc::default() };
        let (seen, opened) = (Arc::clone(&stage.seen), Arc::new(Mutex::new(0)));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, stage, orders.clone(), Arc::clone(&opened)));
        Ok(Self { address, seen, opened, orders, _tasks: tasks })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// All messages that were read, in the order in which they were.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections there have been.
    pub fn connections(&self) -> usize {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes every connection; further ones are taken.
    pub fn close_all(&self) {
        let _ = self.orders.send(Order::Close);
    }

    /// Says something unasked on every connection that is waiting for a message.
    pub fn say_to_all(&self, message: &Message) {
        let mut octets = BytesMut::new();
        message.write(&mut octets);
        let _ = self.orders.send(Order::Say(octets.freeze()));
    }
}

#[derive(Clone)]
struct Stage {
    play: Arc<dyn Play>,
    tls: Option<SslContext>,
    is_at_once: bool,
    seen: Arc<Mutex<Vec<Seen>>>,
}

async fn accept(listener: TcpListener, stage: Stage, orders: broadcast::Sender<Order>, opened: Arc<Mutex<usize>>) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = {
            let mut opened = opened.lock().unwrap_or_else(PoisonError::into_inner);
            *opened += 1;
            *opened - 1
        };
        let (stage, orders) = (stage.clone(), orders.subscribe());
        connections.spawn(async move {
            // A client that goes away is none of the play's faults.
            let _ = serve(stage, number, stream, orders).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Connection {
    stream: Box<dyn Stream>,
    buffer: BytesMut,
    is_encrypted: bool,
    tls: Option<SslContext>,
}

async fn serve(stage: Stage, number: usize, stream: TcpStream, orders: broadcast::Receiver<Order>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut connection =
        Connection { stream: Box::new(stream), buffer: BytesMut::new(), is_encrypted: false, tls: stage.tls.clone() };
    let mut orders = orders;
    if stage.is_at_once {
        connection.begin_tls().await?;
    }
    if connection.play(stage.play.begin(number), 0, &mut orders).await? == Next::End {
        return Ok(());
    }
    let mut bound_as = String::new();
    for place in 0.. {
        let Some(message) = connection.next(&mut orders).await? else { break };
        let is_encrypted = connection.is_encrypted;
        let seen = Seen { connection: number, bound_as: bound_as.clone(), is_encrypted, message: message.clone() };
        stage.seen.lock().unwrap_or_else(PoisonError::into_inner).push(seen);
        let asked = Asked { connection: number, number: place, bound_as: &bound_as, is_encrypted, message: &message };
        let steps = stage.play.answer(&asked);
        if let Op::Bind { name, .. } = &message.op {
            bound_as = if takes_bind(&steps) { name.clone() } else { String::new() };
        }
        if message.op == Op::Unbind || connection.play(steps, message.id, &mut orders).await? == Next::End {
            break;
        }
    }
    connection.stream.shutdown().await
}

fn takes_bind(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Answer(Op::BindDone { result, .. }) | Step::AnswerWith(Op::BindDone { result, .. }, _) => {
            result.code == Code::SUCCESS
        }
        _ => false,
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Next {
    Read,
    End,
}

impl Connection {
    /// `None`: the client is gone, or was sent away.
    async fn next(&mut self, orders: &mut broadcast::Receiver<Order>) -> io::Result<Option<Message>> {
        let framer = Framer::new(16 << 20, REQUEST_DEPTH);
        loop {
            if let Some(frame) = framer.next(&mut self.buffer).map_err(io::Error::other)? {
                return Ok(Message::read(&frame).ok());
            }
            tokio::select! {
                read = self.stream.read_buf(&mut self.buffer) => if read? == 0 { return Ok(None) },
                order = orders.recv() => match order {
                    Ok(Order::Say(octets)) => self.stream.write_all(&octets).await?,
                    _ => return Ok(None),
                },
            }
        }
    }

    async fn play(&mut self, steps: Vec<Step>, id: i32, orders: &mut broadcast::Receiver<Order>) -> io::Result<Next> {
        for step in steps {
            match step {
                Step::Answer(op) => self.say(Message { id, op, controls: Vec::new() }).await?,
                Step::AnswerWith(op, controls) => self.say(Message { id, op, controls }).await?,
                Step::Raw(octets) => self.stream.write_all(&octets).await?,
                Step::Wait(time) => {
                    self.stream.flush().await?;
                    tokio::time::sleep(time).await;
                }
                Step::Stall => {
                    self.stream.flush().await?;
                    while !matches!(orders.recv().await, Ok(Order::Close) | Err(_)) {}
                    return Ok(Next::End);
                }
                Step::Close => return Ok(Next::End),
                Step::BeginTls => {
                    self.buffer.clear();
                    self.begin_tls().await?;
                }
            }
        }
        self.stream.flush().await?;
        Ok(Next::Read)
    }

    async fn say(&mut self, message: Message) -> io::Result<()> {
        let mut octets = BytesMut::new();
        message.write(&mut octets);
        self.stream.write_all(&octets).await
    }

    async fn begin_tls(&mut self) -> io::Result<()> {
        self.stream.flush().await?;
        let context = self.tls.as_ref().ok_or_else(|| io::Error::other("the server has no certificate"))?;
        let ssl = Ssl::new(context).map_err(io::Error::other)?;
        let clear = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let mut stream = tokio_openssl::SslStream::new(ssl, clear).map_err(io::Error::other)?;
        Pin::new(&mut stream).accept().await.map_err(io::Error::other)?;
        self.stream = Box::new(stream);
        self.is_encrypted = true;
        Ok(())
    }
}

fn context(tls: &Tls) -> Result<SslContext, openssl::error::ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_server())?;
    context.set_certificate(&tls.identity.certificate)?;
    context.set_private_key(&tls.identity.key)?;
    if let Some(clients) = &tls.clients {
        context.cert_store_mut().add_cert(clients.clone())?;
        context.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
    Ok(context.build())
}

#[cfg(test)]
mod tests;
