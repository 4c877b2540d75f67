//! A connection as messages: what opens connections and checks passwords speaks through it.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use fedbridge_contract::services::Dialed;
use fedbridge_ldap_core::frame::RESPONSE_DEPTH;
use fedbridge_ldap_core::{Control, Framer, LdapResult, Message, Op};
use futures_util::FutureExt as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::error::{WireError, said};

pub(super) const UNASKED: &str = "it answers what nobody asked";

/// How much room a read has.
const READ: usize = 8 * 1024;

pub(super) struct Channel {
    /// `host:port`, for errors.
    server: Arc<str>,
    stream: Box<dyn Dialed>,
    framer: Framer,
    /// What came and was not read yet.
    input: BytesMut,
    last_id: i32,
}

impl Channel {
    /// `most`: octets of the longest message.
    pub fn new(server: Arc<str>, stream: Box<dyn Dialed>, most: usize) -> Self {
        let framer = Framer::new(most, RESPONSE_DEPTH);
        Self { server, stream, framer, input: BytesMut::new(), last_id: 0 }
    }

    pub fn server(&self) -> &Arc<str> {
        &self.server
    }

    /// One request, and the one message that answers it. What is given up in between leaves a connection that can't be
    /// used any more.
    pub async fn ask(&mut self, op: Op, controls: Vec<Control>) -> Result<Message, WireError> {
        let id = self.begin(op, controls).await?;
        self.answer(id).await
    }

    /// Sends a request; the answers have its number.
    pub async fn begin(&mut self, op: Op, controls: Vec<Control>) -> Result<i32, WireError> {
        let id = self.number();
        let mut octets = BytesMut::new();
        Message { id, op, controls }.write(&mut octets);
        self.send(&octets).await?;
        Ok(id)
    }

    pub fn number(&mut self) -> i32 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }

    /// Sends whole messages.
    pub async fn send(&mut self, octets: &[u8]) -> Result<(), WireError> {
        let sent = async {
            self.stream.write_all(octets).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| self.lost(error))
    }

    /// The next message, which must be an answer to the request of this number.
    pub async fn answer(&mut self, id: i32) -> Result<Message, WireError> {
        let message = self.next().await?;
        match message.id {
            0 => Err(self.lost(notice(&message.op))),
            other if other == id => Ok(message),
            _ => Err(self.lost(UNASKED)),
        }
    }

    /// The next message, whatever it is. It may be given up and called again.
    pub async fn next(&mut self) -> Result<Message, WireError> {
        loop {
            match self.framer.next(&mut self.input) {
                Ok(Some(frame)) => {
                    return Message::read(&frame).map_err(|bad| self.lost(malformed(bad.why)));
                }
                Ok(None) => {}
                Err(why) => return Err(self.lost(malformed(why))),
            }
            self.input.reserve(READ);
            match self.stream.read_buf(&mut self.input).await {
                Ok(0) => return Err(self.lost("the server closed the connection")),
                Ok(_) => {}
                Err(error) => return Err(self.lost(error)),
            }
        }
    }

    /// Whether a connection that nobody uses can be used: it is open, and nothing came. A server that ends one says so
    /// unasked, or closes it.
    pub fn is_quiet(&mut self) -> bool {
        self.input.is_empty() && self.stream.read_buf(&mut self.input).now_or_never().is_none()
    }

    /// The stream itself; `None` where octets came that nobody has read.
    pub fn into_stream(self) -> Option<Box<dyn Dialed>> {
        self.input.is_empty().then_some(self.stream)
    }

    /// Says good-bye (RFC 4511 section 4.3). Whoever calls it limits the time.
    pub async fn unbind(mut self) {
        if self.begin(Op::Unbind, Vec::new()).await.is_ok() {
            let _ = self.stream.shutdown().await;
        }
    }

    pub fn lost(&self, cause: impl fmt::Display) -> WireError {
        WireError::lost(&self.server, cause)
    }
}

pub(super) fn malformed(why: impl fmt::Display) -> String {
    format!("it sends what is no LDAP message: {why}")
}

/// What a server says unasked (RFC 4511 section 4.4).
pub(super) fn notice(op: &Op) -> String {
    match op {
        Op::ExtendedDone { result: LdapResult { code, text, .. }, .. } => {
            format!("the server ends the connection with code {}: {}", code.0, said(text))
        }
        _ => "the server says something that nobody asked".to_owned(),
    }
}

/// Octets that are erased when they are not needed any more.
pub(super) struct Erased(pub Vec<u8>);

impl Drop for Erased {
    fn drop(&mut self) {
        self.0.fill(0);
    }
}

/// The octets that a length takes in BER, and what it is the length of.
pub(super) fn sized(content: usize) -> usize {
    let octets = match content {
        0..0x80 => 0,
        _ => (usize::BITS - content.leading_zeros()).div_ceil(8) as usize,
    };
    2 + octets + content
}

/// The tag and the length of an element.
pub(super) fn push_header(into: &mut Vec<u8>, tag: u8, content: usize) {
    into.push(tag);
    let octets = content.to_be_bytes();
    let needed = sized(content) - content - 2;
    if needed == 0 {
        into.push(octets[octets.len() - 1]);
    } else {
        // Eight at most.
        into.push(0x80 | needed as u8);
        into.extend_from_slice(&octets[octets.len() - needed..]);
    }
}

/// As [`push_header`], with the content.
pub(super) fn push(into: &mut Vec<u8>, tag: u8, content: &[u8]) {
    push_header(into, tag, content.len());
    into.extend_from_slice(content);
}

/// A message that has all its octets.
pub(super) fn written(message: &Message) -> Bytes {
    let mut octets = BytesMut::new();
    message.write(&mut octets);
    octets.freeze()
}
