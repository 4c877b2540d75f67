//! A directory that does what a test says, on real sockets, and the way to it.

use std::collections::HashMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::password::Password;
use fedbridge_contract::services::{Clock, DialTarget, Dialed, Dialer, Services};
use fedbridge_contract::testkit::{Distinct, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::testkit::{self, Identity, Validity};
use fedbridge_ldap_core::{Auth, Code, Control, Done, Entry, Filter, Framer, LdapResult, Message, Op, Scope, Write};
use openssl::ssl::{Ssl, SslAcceptor, SslAcceptorBuilder, SslMethod, SslVerifyMode};
use openssl::x509::store::X509StoreBuilder;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_openssl::SslStream;

use super::super::*;

pub const SERVICE: &str = "cn=bridge";

/// What a server does next.
pub enum Act {
    Say(Op),
    SayWith(Op, Vec<Control>),
    /// Octets, whatever they are.
    Raw(Vec<u8>),
    Pause(Duration),
    /// Nothing more, ever, and the connection stays open.
    Stall,
    Close,
    BeginTls,
}

/// One connection, as the server knows it.
#[derive(Default)]
pub struct Talk {
    /// Who is bound; empty: nobody.
    pub who: String,
    pub cookies: usize,
}

pub type Behaviour = Arc<dyn Fn(&mut Talk, &Message) -> Vec<Act> + Send + Sync>;

/// What a server has seen.
#[derive(Default)]
pub struct Log {
    pub requests: Vec<Message>,
    pub connections: usize,
    /// Connections that the client has ended.
    pub ended: usize,
    /// Octets that were written to clients.
    pub written: usize,
}

pub struct Directory {
    pub port: u16,
    pub log: Arc<Mutex<Log>>,
    tls: Option<(SslAcceptor, bool)>,
    behaviour: Behaviour,
    tasks: JoinSet<()>,
}

impl Directory {
    /// Listens. `tls`: what it shows, and whether from the first octet on.
    pub async fn start(tls: Option<(SslAcceptor, bool)>, behaviour: Behaviour) -> Self {
        Self::start_at(0, tls, behaviour).await
    }

    pub async fn start_at(port: u16, tls: Option<(SslAcceptor, bool)>, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Log::default()));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tls.clone(), Arc::clone(&behaviour), Arc::clone(&log)));
        Self { port, log, tls, behaviour, tasks }
    }

    pub async fn clear(behaviour: Behaviour) -> Self {
        Self::start(None, behaviour).await
    }

    /// Dies with all its connections.
    pub async fn kill(&mut self) {
        self.tasks.shutdown().await;
    }

    pub async fn revive(&mut self) {
        let log = Arc::clone(&self.log);
        *self = Self::start_at(self.port, self.tls.clone(), Arc::clone(&self.behaviour)).await;
        // What was seen before still counts.
        self.log.lock().unwrap().requests.splice(0..0, log.lock().unwrap().requests.drain(..));
    }

    pub fn count(&self, wanted: impl Fn(&Op) -> bool) -> usize {
        self.log.lock().unwrap().requests.iter().filter(|message| wanted(&message.op)).count()
    }

    pub fn binds(&self) -> usize {
        self.count(|op| matches!(op, Op::Bind { .. }))
    }

    pub fn connections(&self) -> usize {
        self.log.lock().unwrap().connections
    }

    pub async fn until(&self, what: impl Fn(&Log) -> bool) {
        let begun = Instant::now();
        while !what(&self.log.lock().unwrap()) {
            assert!(begun.elapsed() < Duration::from_secs(5), "it did not come about");
            sleep(Duration::from_millis(5)).await;
        }
    }
}

async fn accept(listener: TcpListener, tls: Option<(SslAcceptor, bool)>, behaviour: Behaviour, log: Arc<Mutex<Log>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        stream.set_nodelay(true).unwrap();
        log.lock().unwrap().connections += 1;
        let (tls, behaviour, log) = (tls.clone(), Arc::clone(&behaviour), Arc::clone(&log));
        connections.spawn(async move {
            let _ = serve(stream, tls, behaviour, Arc::clone(&log)).await;
            log.lock().unwrap().ended += 1;
        });
    }
}

async fn serve(
    stream: TcpStream,
    tls: Option<(SslAcceptor, bool)>,
    behaviour: Behaviour,
    log: Arc<Mutex<Log>>,
) -> io::Result<()> {
    let mut stream: Box<dyn Dialed> = Box::new(stream);
    if let Some((acceptor, true)) = &tls {
        stream = handshake(acceptor, stream).await?;
    }
    let (mut talk, mut input) = (Talk::default(), BytesMut::new());
    loop {
        let Ok(Some(frame)) = Framer::new(1 << 24, 72).next(&mut input) else {
            if stream.read_buf(&mut input).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let message = Message::read(&frame).map_err(|_| io::ErrorKind::InvalidData)?;
        log.lock().unwrap().requests.push(message.clone());
        for act in behaviour(&mut talk, &message) {
            let octets = match act {
                Act::Say(op) => octets(message.id, op, Vec::new()),
                Act::SayWith(op, controls) => octets(message.id, op, controls),
                Act::Raw(octets) => octets,
                Act::Pause(time) => {
                    sleep(time).await;
                    continue;
                }
                Act::Stall => loop {
                    if stream.read_buf(&mut input).await? == 0 {
                        return Ok(());
                    }
                },
                Act::Close => return Ok(()),
                Act::BeginTls => {
                    stream = handshake(&tls.as_ref().unwrap().0, stream).await?;
                    continue;
                }
            };
            stream.write_all(&octets).await?;
            stream.flush().await?;
            log.lock().unwrap().written += octets.len();
        }
    }
}

async fn handshake(acceptor: &SslAcceptor, stream: Box<dyn Dialed>) -> io::Result<Box<dyn Dialed>> {
    let ssl = Ssl::new(acceptor.context())?;
    let mut tls = SslStream::new(ssl, stream)?;
    Pin::new(&mut tls).accept().await.map_err(io::Error::other)?;
    Ok(Box::new(tls))
}

pub fn octets(id: i32, op: Op, controls: Vec<Control>) -> Vec<u8> {
    let mut into = BytesMut::new();
    Message { id, op, controls }.write(&mut into);
    into.to_vec()
}

/// What an ordinary directory does: the service account and anybody with the password `right` can bind, and a search
/// finds one entry that says who asked.
pub fn ordinary() -> Behaviour {
    Arc::new(answer)
}

pub fn answer(talk: &mut Talk, message: &Message) -> Vec<Act> {
    match &message.op {
        Op::Bind { name, auth, .. } => {
            let good = match auth {
                Auth::Simple(password) => matches!(&password[..], b"right" | b"secret"),
                Auth::Sasl { mechanism, .. } => mechanism == "EXTERNAL",
                Auth::Other(_) => false,
            };
            talk.who = if good { name.clone() } else { String::new() };
            let code = if good { Code::SUCCESS } else { Code::INVALID_CREDENTIALS };
            vec![Act::Say(bound(code, ""))]
        }
        Op::Search(search) if search.base.is_empty() => {
            vec![Act::Say(entry("", "vendorName", b"test")), Act::Say(found(Code::SUCCESS))]
        }
        Op::Search(_) => {
            vec![Act::Say(entry("uid=u", "askedBy", talk.who.as_bytes())), Act::Say(found(Code::SUCCESS))]
        }
        Op::Compare { value, .. } => {
            let code = if &value[..] == b"yes" { Code::COMPARE_TRUE } else { Code::COMPARE_FALSE };
            vec![Act::Say(Op::Done { of: Done::Compare, result: LdapResult::new(code, "") })]
        }
        Op::Write { kind: Write::Modify, .. } => {
            vec![Act::Say(Op::Done { of: Done::Modify, result: LdapResult::success() })]
        }
        Op::Extended { oid, .. } if oid == "1.3.6.1.4.1.1466.20037" => vec![Act::Say(yes()), Act::BeginTls],
        Op::Extended { value, .. } => {
            vec![Act::Say(Op::ExtendedDone { result: LdapResult::success(), oid: None, value: value.clone() })]
        }
        Op::Unbind => vec![Act::Close],
        _ => Vec::new(),
    }
}

/// The ordinary one, but for what `other` does.
pub fn but(other: impl Fn(&mut Talk, &Message) -> Option<Vec<Act>> + Send + Sync + 'static) -> Behaviour {
    Arc::new(move |talk, message| other(talk, message).unwrap_or_else(|| answer(talk, message)))
}

pub fn bound(code: Code, text: &str) -> Op {
    Op::BindDone { result: LdapResult::new(code, text), sasl: None }
}

pub fn entry(dn: &str, name: &str, value: &[u8]) -> Op {
    Op::Entry(Entry { dn: dn.to_owned(), attributes: vec![(name.to_owned(), vec![Bytes::copy_from_slice(value)])] })
}

pub fn found(code: Code) -> Op {
    Op::Done { of: Done::Search, result: LdapResult::new(code, "") }
}

pub fn yes() -> Op {
    Op::ExtendedDone { result: LdapResult::success(), oid: None, value: None }
}

/// Time as it passes.
pub struct Passing(Instant);

impl Clock for Passing {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(0) + self.0.elapsed()
    }
}

/// Every name is this machine, or nowhere.
#[derive(Default)]
pub struct Names {
    /// Whom somebody wanted to reach.
    pub dialed: Mutex<Vec<String>>,
    /// Hosts on ports of their own, and those that never answer.
    pub silent: Mutex<Vec<String>>,
    pub srv: Mutex<HashMap<String, Vec<fedbridge_contract::egress::SrvRecord>>>,
}

#[async_trait]
impl Dialer for Names {
    async fn dial(&self, target: DialTarget<'_>, _: Duration) -> io::Result<Box<dyn Dialed>> {
        self.dialed.lock().unwrap().push(target.host.to_owned());
        if self.silent.lock().unwrap().iter().any(|host| host == target.host) {
            std::future::pending::<()>().await;
        }
        let stream = TcpStream::connect(("127.0.0.1", target.port)).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    async fn srv(&self, name: &str, _: Duration) -> io::Result<Vec<fedbridge_contract::egress::SrvRecord>> {
        self.srv.lock().unwrap().get(name).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

pub fn services(names: &Arc<Names>) -> Services {
    Services { dialer: Arc::clone(names) as _, ..bare_services(Arc::new(Passing(Instant::now()))) }
}

pub fn password(octets: &[u8]) -> Password {
    Password::new(octets).unwrap()
}

/// Settings for servers in clear on this machine.
pub fn settings(ports: &[u16]) -> Settings {
    let server = |port: &u16| ServerAddress { host: "127.0.0.1".to_owned(), port: *port, weight: 1 };
    Settings {
        tenant: TenantId::random(&Distinct),
        connection: ConnectionId::random(&Distinct),
        servers: Where::Listed { servers: ports.iter().map(server).collect(), order: Order::AsListed },
        encryption: Encryption::Clear,
        tls: TlsSettings::default(),
        account: Account::Simple { dn: SERVICE.to_owned(), password: password(b"secret") },
        timeouts: Timeouts::default(),
        pool: Pool::default(),
        max_pdu: 10 * 1024 * 1024,
        referrals: Arc::new([]),
    }
}

/// Settings for one server over TLS, by name.
pub fn secure(host: &str, port: u16, ca: &Authority) -> Settings {
    let servers = vec![ServerAddress { host: host.to_owned(), port, weight: 1 }];
    let tls = TlsSettings { ca: Some(ca.pem()), ..TlsSettings::default() };
    let servers = Where::Listed { servers, order: Order::AsListed };
    Settings { servers, encryption: Encryption::Tls, tls, ..settings(&[]) }
}

pub fn open(settings: Settings) -> Arc<Upstream> {
    open_with(settings, &Arc::new(Names::default()))
}

pub fn open_with(settings: Settings, names: &Arc<Names>) -> Arc<Upstream> {
    Upstream::open(settings, &services(names)).unwrap()
}

pub fn search() -> Search {
    Search::new("dc=a", Scope::Sub, Filter::Equal("uid".to_owned(), Bytes::from_static(b"u")))
}

/// Who a search was made as.
pub fn asked_by(answers: &Answers) -> String {
    answers.entries[0].text("askedBy").unwrap_or_default().to_owned()
}

/// Who issues certificates.
pub struct Authority(testkit::Authority);

impl Authority {
    pub fn new() -> Self {
        Self(testkit::Authority::new().unwrap())
    }

    pub fn pem(&self) -> String {
        self.0.pem().unwrap()
    }

    /// A certificate with these names, and its key.
    pub fn issue(&self, common: &str, hosts: &[&str], addresses: &[&str]) -> Identity {
        let dns = hosts.iter().map(|host| (*host).to_owned()).collect();
        let ip = addresses.iter().map(|address| address.parse().unwrap()).collect();
        self.0.issue(&testkit::Names { common: common.to_owned(), dns, ip }).unwrap()
    }

    pub fn expired(&self, host: &str) -> Identity {
        self.0.issue_for(&testkit::Names::dns(host), Validity::Over).unwrap()
    }

    pub fn acceptor(&self, hosts: &[&str], addresses: &[&str]) -> SslAcceptor {
        shown(&self.issue("a server", hosts, addresses), |_| {})
    }

    /// A server that asks for certificates of ours.
    pub fn asks_for_certificates(&self, builder: &mut SslAcceptorBuilder) {
        let mut store = X509StoreBuilder::new().unwrap();
        store.add_cert(self.0.certificate().clone()).unwrap();
        builder.set_verify_cert_store(store.build()).unwrap();
        builder.set_verify(SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT);
    }
}

/// What a server shows, with what `other` sets besides.
pub fn shown(identity: &Identity, other: impl FnOnce(&mut SslAcceptorBuilder)) -> SslAcceptor {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server()).unwrap();
    builder.set_certificate(&identity.certificate).unwrap();
    builder.set_private_key(&identity.key).unwrap();
    other(&mut builder);
    builder.build()
}
