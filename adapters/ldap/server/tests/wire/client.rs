//! A client on raw octets, over a pipe in memory.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use fedbridge_contract::listener::{Speaker as _, WireFacts};
use fedbridge_contract::testkit::accepted;
use fedbridge_ldap_core::{Auth, Code, Control, Entry, Filter, Framer, LdapResult, Message, Op, Scope, Search};
use fedbridge_ldap_server::LdapServer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use tokio::task::JoinHandle;

const PATIENCE: Duration = Duration::from_secs(10);

pub struct Client {
    stream: DuplexStream,
    buffer: BytesMut,
    framer: Framer,
    next: i32,
    pub session: JoinHandle<()>,
}

/// How somebody comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Come<'a> {
    Clear,
    /// In clear, at a listener that has no certificate.
    ClearForGood,
    /// Encrypted, with the name that was asked for.
    Tls(Option<&'a str>),
}

pub fn facts(come: Come<'_>) -> WireFacts {
    WireFacts {
        peer: "192.0.2.7:50000".parse().unwrap(),
        encrypted: matches!(come, Come::Tls(_)),
        server_name: match come {
            Come::Tls(name) => name.map(str::to_owned),
            Come::Clear | Come::ClearForGood => None,
        },
        client_certificate: None,
        can_upgrade: come == Come::Clear,
    }
}

impl Client {
    pub fn come(server: &Arc<LdapServer>, come: Come<'_>) -> Self {
        Self::with(server, facts(come))
    }

    pub fn with(server: &Arc<LdapServer>, facts: WireFacts) -> Self {
        let (here, there) = tokio::io::duplex(64 * 1024);
        let session = tokio::spawn(Arc::clone(server).speak(accepted(there, facts, b"HELLO")));
        Self { stream: here, buffer: BytesMut::new(), framer: Framer::new(16 << 20, 50), next: 0, session }
    }

    pub async fn raw(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
    }

    pub async fn send(&mut self, op: Op) -> i32 {
        self.send_with(op, &[]).await
    }

    pub async fn send_with(&mut self, op: Op, controls: &[Control]) -> i32 {
        self.next += 1;
        let mut octets = BytesMut::new();
        Message { id: self.next, op, controls: controls.to_vec() }.write(&mut octets);
        self.raw(&octets).await;
        self.next
    }

    /// The next message; `None`: the connection is closed.
    pub async fn read(&mut self) -> Option<Message> {
        loop {
            if let Some(frame) = self.framer.next(&mut self.buffer).unwrap() {
                return Some(Message::read(&frame).unwrap());
            }
            let read = tokio::time::timeout(PATIENCE, self.stream.read_buf(&mut self.buffer)).await;
            if read.expect("an answer").unwrap_or(0) == 0 {
                assert!(self.buffer.is_empty(), "a message broke off");
                return None;
            }
        }
    }

    /// Whether nothing comes for a while.
    pub async fn is_silent(&mut self, time: Duration) -> bool {
        self.buffer.is_empty() && tokio::time::timeout(time, self.stream.read_buf(&mut self.buffer)).await.is_err()
    }

    /// The result of the operation that was sent last, with its controls.
    pub async fn answer(&mut self, op: Op, controls: &[Control]) -> (LdapResult, Vec<Control>) {
        let id = self.send_with(op, controls).await;
        let message = self.read().await.expect("an answer");
        assert_eq!(message.id, id);
        (result(&message.op), message.controls)
    }

    pub async fn code(&mut self, op: Op) -> Code {
        self.answer(op, &[]).await.0.code
    }

    pub async fn bind(&mut self, name: &str, password: &str) -> Code {
        self.code(bind(name, password)).await
    }

    /// All that a search gives.
    pub async fn search(&mut self, search: Search, controls: &[Control]) -> (Vec<Entry>, LdapResult, Vec<Control>) {
        let id = self.send_with(Op::Search(search), controls).await;
        let mut entries = Vec::new();
        loop {
            let message = self.read().await.expect("an answer");
            assert_eq!(message.id, id);
            match message.op {
                Op::Entry(entry) => entries.push(entry),
                other => return (entries, result(&other), message.controls),
            }
        }
    }

    /// Who am I? The authorization identity, `None` where there was another answer.
    pub async fn who(&mut self) -> Option<String> {
        self.send(Op::Extended { oid: "1.3.6.1.4.1.4203.1.11.3".to_owned(), value: None }).await;
        match self.read().await?.op {
            Op::ExtendedDone { result, value: Some(value), .. } if result.code == Code::SUCCESS => {
                Some(String::from_utf8(value.to_vec()).unwrap())
            }
            _ => None,
        }
    }

    /// The last word of the server, with nothing behind it.
    pub async fn farewell(&mut self) -> Option<Code> {
        let notice = self.read().await?;
        assert_eq!(notice.id, 0);
        let Op::ExtendedDone { result, oid, .. } = notice.op else { panic!("no notice: {:?}", notice.op) };
        assert_eq!(oid.as_deref(), Some("1.3.6.1.4.1.1466.20036"));
        assert!(self.read().await.is_none(), "the connection ends");
        Some(result.code)
    }
}

pub fn result(op: &Op) -> LdapResult {
    match op {
        Op::BindDone { result, .. } | Op::Done { result, .. } | Op::ExtendedDone { result, .. } => result.clone(),
        other => panic!("no result: {other:?}"),
    }
}

pub fn bind(name: &str, password: &str) -> Op {
    let auth = Auth::Simple(Bytes::copy_from_slice(password.as_bytes()));
    Op::Bind { version: 3, name: name.to_owned(), auth }
}

pub fn sasl(mechanism: &str, credentials: &[u8]) -> Op {
    let credentials = Some(Bytes::copy_from_slice(credentials));
    Op::Bind { version: 3, name: String::new(), auth: Auth::Sasl { mechanism: mechanism.to_owned(), credentials } }
}

pub fn search(base: &str, filter: &str) -> Search {
    Search {
        base: base.to_owned(),
        scope: Scope::Sub,
        aliases: 0,
        size: 0,
        time: 0,
        types_only: false,
        filter: Filter::parse(filter).unwrap(),
        attributes: Vec::new(),
    }
}

pub fn extended(oid: &str) -> Op {
    Op::Extended { oid: oid.to_owned(), value: None }
}
