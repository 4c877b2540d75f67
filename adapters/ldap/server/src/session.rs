//! One connection: its messages, one after the other, and who it is.
//!
//! An operation is done when its turn comes, and most are done at once. Searches that have more to give than a step
//! go on in turns, beside each other. A bind stands alone: it ends what is under way, and what follows waits.

use std::collections::VecDeque;
use std::sync::Arc;

use fedbridge_contract::directory::BoundBy;
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_ldap_core::extended::notice_of_disconnection;
use fedbridge_ldap_core::frame::REQUEST_DEPTH;
use fedbridge_ldap_core::{Code, Control, Done, Frame, Framer, LdapResult, Message, Op, Unreadable, envelope};
use tokio::runtime::Handle;
use tokio::time::Instant;

use crate::backend::{Backend, Identity};
use crate::bind::Credentials;
use crate::limits::{MESSAGE_OF_ANYBODY, OUTSTANDING, Seat, TURN};
use crate::paging::Pages;
use crate::pipe::{End, Event, Pipe, Want};
use crate::search::Running;
use crate::speaker::LdapServer;

pub(crate) struct Session {
    pub(crate) server: Arc<LdapServer>,
    pub(crate) pipe: Pipe,
    pub(crate) framer: Framer,
    pub(crate) who: Who,
    /// Searches that are not over.
    pub(crate) running: VecDeque<Running>,
    pub(crate) pages: Pages,
    /// Of all connections of this process.
    pub(crate) number: u64,
    /// The runtime of this thread.
    pub(crate) thread: Option<Handle>,
}

/// Who a connection is, and what is known of it besides.
pub(crate) struct Who {
    pub(crate) identity: Identity,
    /// What said that a person's password was right.
    pub(crate) by: Option<BoundBy>,
    /// The app that has bound here last. A person who binds next comes by way of it.
    pub(crate) app: Option<AppId>,
    /// The tenant, with the connection's place among all of the tenant's.
    pub(crate) seat: Option<Seat>,
}

impl Who {
    fn nobody() -> Self {
        Self { identity: Identity::Anonymous, by: None, app: None, seat: None }
    }

    pub(crate) fn tenant(&self) -> Option<TenantId> {
        self.seat.as_ref().map(Seat::tenant)
    }

    /// Forgets who it is, and keeps whose connection it is.
    pub(crate) fn unbind(&mut self) {
        (self.identity, self.by) = (Identity::Anonymous, None);
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::nobody();
    }
}

/// Whether the connection goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flow {
    Go,
    /// The client said so, or is gone.
    Close,
    /// We say so, and why.
    Disconnect(Code, &'static str),
}

impl Session {
    pub(crate) fn new(server: Arc<LdapServer>, pipe: Pipe, number: u64) -> Self {
        Self {
            server,
            pipe,
            framer: Framer::new(MESSAGE_OF_ANYBODY, REQUEST_DEPTH),
            who: Who::nobody(),
            running: VecDeque::new(),
            pages: Pages::default(),
            number,
            thread: Handle::try_current().ok(),
        }
    }

    pub(crate) async fn run(mut self) {
        let mut stopping = false;
        let end = loop {
            // Who is told that the server stops has what is under way, and nothing more.
            let left = if stopping { Ok(false) } else { self.take_in().await };
            let left = match left {
                Ok(left) => left,
                Err(flow) => break flow,
            };
            if let Err(flow) = self.go_on().await {
                break flow;
            }
            if stopping && self.running.is_empty() {
                break Flow::Disconnect(Code::UNAVAILABLE, "the server stops");
            }
            let takes_more = left && self.running.len() < OUTSTANDING;
            let want = Want { read: !left && !stopping, work: takes_more, busy: !self.running.is_empty() };
            let running = &mut self.running;
            let event = self.pipe.event(want, |cx| running.iter_mut().any(|search| search.poll_ready(cx).is_ready()));
            match event.await {
                Event::Came | Event::Work => {}
                Event::Stop => stopping = true,
                Event::Over(End::Gone | End::Impatience) => break Flow::Close,
            }
        };
        if let Flow::Disconnect(code, why) = end {
            notice_of_disconnection(code, why).write(&mut self.pipe.output);
        }
        self.pipe.close().await;
    }

    /// Does what lies there, as far as there is room. Whether something whole may be left.
    async fn take_in(&mut self) -> Result<bool, Flow> {
        for _ in 0..TURN {
            if self.running.len() >= OUTSTANDING || !self.pipe.has_room() {
                return Ok(true);
            }
            match self.framer.next(&mut self.pipe.input) {
                Ok(None) => return Ok(false),
                Ok(Some(frame)) => {
                    self.pipe.took();
                    match self.message(&frame).await {
                        Flow::Go => {}
                        end => return Err(end),
                    }
                }
                Err(_) => return Err(Flow::Disconnect(Code::PROTOCOL, "what came is no LDAP message, or is too long")),
            }
        }
        // Others have their turn.
        tokio::task::yield_now().await;
        Ok(true)
    }

    async fn message(&mut self, frame: &Frame) -> Flow {
        let received = Instant::now();
        let message = match Message::read(frame) {
            Ok(message) => message,
            Err(unreadable) => return self.unreadable(unreadable),
        };
        let Message { id, op, controls } = message;
        if self.running.iter().any(|search| search.id == id) {
            return Flow::Disconnect(Code::PROTOCOL, "a message has the number of an operation that is under way");
        }
        match op {
            Op::Search(search) => self.search(id, search, &controls, received).await,
            Op::Bind { version, name, auth } => {
                self.bind(id, Credentials { version, name, auth }, &controls, received).await
            }
            Op::Compare { dn, attribute, value } => {
                self.compare(id, (&dn, &attribute, &value), &controls, received).await
            }
            Op::Extended { oid, value } => self.extended(id, &oid, value.as_ref(), &controls, received).await,
            Op::Write { kind, dn, .. } => self.refuse_to_write(id, kind, &dn, &controls, received),
            Op::Abandon(other) => {
                self.running.retain(|search| search.id != other);
                Flow::Go
            }
            Op::Unbind => Flow::Close,
            Op::BindDone { .. }
            | Op::Entry(_)
            | Op::Reference(_)
            | Op::Done { .. }
            | Op::ExtendedDone { .. }
            | Op::Intermediate { .. } => Flow::Disconnect(Code::PROTOCOL, "an answer came where a request belongs"),
        }
    }

    /// What can be answered is refused; else nobody knows what comes next.
    fn unreadable(&mut self, unreadable: Unreadable) -> Flow {
        let result = LdapResult::new(Code::PROTOCOL, "the operation is malformed");
        let Some((id, answer)) = unreadable.answer(result) else {
            return Flow::Disconnect(Code::PROTOCOL, "what came is no request");
        };
        if matches!(answer, Op::BindDone { .. }) {
            // Whoever begins to bind is nobody until that succeeds (RFC 4511 section 4.2.1).
            self.who.unbind();
        }
        self.answer(id, &answer, &[]);
        Flow::Go
    }

    pub(crate) fn answer(&mut self, id: i32, op: &Op, controls: &[Control]) {
        envelope(id, &op.octets(), controls, &mut self.pipe.output);
    }

    pub(crate) fn done(&mut self, id: i32, of: Done, result: LdapResult, controls: &[Control]) {
        self.answer(id, &Op::Done { of, result }, controls);
    }

    /// The directory that an operation is about: the tenant's that was bound to, else the one that the DN lies in.
    pub(crate) fn directory(&self, dn: &str) -> Result<Arc<dyn Backend>, LdapResult> {
        let directories = &self.server.directories;
        let found = match self.who.tenant() {
            Some(tenant) => directories.of(tenant),
            None => directories.tenant_of(&dn.into(), self.pipe.facts()),
        };
        found.ok_or_else(|| match self.who.identity {
            // Whoever is nobody learns of no tenant whether it is there.
            Identity::Anonymous => LdapResult::new(Code::INSUFFICIENT_ACCESS, "bind first"),
            _ => LdapResult::new(Code::UNAVAILABLE, "the directory is not there any more"),
        })
    }
}
