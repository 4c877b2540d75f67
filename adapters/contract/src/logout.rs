//! Single logout, in words that every protocol has.
//!
//! A session has participants: apps that were given something in it and want to hear of its end. A
//! logout ends our own session first, durably; then everybody is told, and whoever asked gets one
//! answer. Nobody who stays silent keeps the session alive or the others waiting.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{App, Tenant};
use crate::error::ProtocolError;
use crate::http::{HttpInput, Reply, Route};
use crate::identity::{OneTimeKey, UpstreamSession};
use crate::ids::{AppId, BadId, ConnectionId, LogoutId, SessionId};
use crate::services::{EgressPost, Fetched, Rng};
use crate::time::Timestamp;
use crate::trace::TraceLog;
use crate::upstream::Challenge;

/// An app's part in a session. An app has one in each session: a second login renews it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    pub app: AppId,
    /// How the app names the person in a logout request of its own: the NameID with its qualifiers,
    /// or `sub`. The store keeps a hash of it to search by.
    pub key: String,
    /// The app's name for the session: SessionIndex (SAML core 2.7.2) or `sid`.
    pub index: Option<String>,
    /// What the adapter must repeat when it tells the app.
    pub memory: Value,
}

/// Which sessions a logout request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogoutSelector {
    Session(SessionId),
    /// Sessions that this app is in under this key; without indexes all of them (SAML core 3.7.1).
    Participant {
        app: AppId,
        key: String,
        indexes: Vec<String>,
    },
    /// Sessions that came from this connection with this [`UpstreamSession::logout_key`].
    Upstream {
        connection: ConnectionId,
        key: String,
        indexes: Vec<String>,
    },
    /// Sessions that came from this connection with this [`UpstreamSession::index`], whoever is in them: an
    /// OIDC logout that names a `sid` alone.
    UpstreamIndex {
        connection: ConnectionId,
        index: String,
    },
    /// All sessions of one person, whom the upstream names by the subject's key or by an e-mail address
    /// that counts as verified there.
    Person {
        connection: ConnectionId,
        named: Named,
    },
}

/// How an upstream names a person to be ended (RFC 9493 sections 3.2.2 and 3.2.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Named {
    /// [`UpstreamSubject::key`](crate::identity::UpstreamSubject::key).
    Subject(String),
    Email(String),
}

/// A logout request of a peer whose signature, audience, time and replay the adapter has checked.
/// It needs no consent of the person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerLogout {
    pub selector: LogoutSelector,
    pub channel: Channel,
    /// Used up in the same unit of work as the end of the sessions.
    pub once: Vec<OneTimeKey>,
    /// What the adapter needs to answer; it comes back in `conclude`.
    pub continuation: Vec<u8>,
    /// The origin that may show our progress page in a frame of its own.
    pub framed_by: Option<String>,
    pub manner: Manner,
}

/// How far a peer's request reaches, and when it is answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manner {
    /// Only the session of the browser that brought the request: what names the session is no secret.
    pub only_here: bool,
    /// Refresh tokens and offline access end too (Global Token Revocation).
    pub everything: bool,
    /// Answered as soon as our sessions are over; apps are told behind it. OpenID providers wait for 2 to 5 s.
    pub at_once: bool,
    pub standing: Standing,
    /// When the peer has said so, which may be long ago. `None`: now.
    pub said: Option<Timestamp>,
    pub device: Option<DeviceWord>,
}

impl Manner {
    /// False: the peer has good news, and nothing ends.
    pub fn ends(&self) -> bool {
        self.standing != Standing::In && !self.device.as_ref().is_some_and(|device| device.compliant)
    }
}

/// What a peer says of a device that a person works with (CAEP 1.0 section 3.5). Whoever works with one that does not
/// comply logs in again, and the peer decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceWord {
    /// As the peer names it, a subject of RFC 9493.
    pub device: Option<Value>,
    pub compliant: bool,
}

/// What a peer says of a person's account there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Standing {
    /// Nothing.
    #[default]
    AsItIs,
    /// They are kept out until it says otherwise.
    Out,
    /// They may come in again. Nothing ends.
    In,
}

impl Standing {
    /// Whether they are out; `None`: nothing is said.
    pub const fn out(self) -> Option<bool> {
        match self {
            Self::AsItIs => None,
            Self::Out => Some(true),
            Self::In => Some(false),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Channel {
    /// The browser carries it.
    Front,
    /// The peer's server calls; there is no browser and no cookie (SAML profiles 4.4.3.1, SOAP).
    Back,
}

/// One notice of one logout: its text form, `_`, a letter and 64 hexadecimal digits, is the ID of the
/// LogoutRequest, so that `InResponseTo` alone finds it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoticeId {
    pub logout: LogoutId,
    /// The participant's app, or the connection of the upstream.
    pub party: Party,
}

/// The other side of something: an upstream connection or a downstream app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    App(AppId),
    Connection(ConnectionId),
}

impl Party {
    pub fn uuid(self) -> uuid::Uuid {
        match self {
            Self::App(id) => id.uuid(),
            Self::Connection(id) => id.uuid(),
        }
    }
}

impl fmt::Display for NoticeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.party {
            Party::App(_) => 'a',
            Party::Connection(_) => 'c',
        };
        write!(f, "_{kind}{}{}", self.logout, self.party.uuid().simple())
    }
}

impl FromStr for NoticeId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let rest = text.strip_prefix('_').filter(|rest| rest.len() == 65 && rest.is_ascii()).ok_or(BadId)?;
        let logout = rest[1..33].parse()?;
        let party = match &rest[..1] {
            "a" => Party::App(rest[33..].parse()?),
            "c" => Party::Connection(rest[33..].parse()?),
            _ => return Err(BadId),
        };
        Ok(Self { logout, party })
    }
}

/// How a party is told.
#[derive(Debug, Clone)]
pub enum Notice {
    /// It has no address for that. It counts as not told where it is an app with a session of ours.
    Nothing,
    /// Our server calls. The hub sends it, and again from the outbox where it fails.
    Back(EgressPost),
    /// The browser carries it, in a frame for apps and as the whole page for the upstream.
    Front(Challenge),
    /// A frame opens this address, and nobody answers (OpenID Connect Front-Channel Logout 1.0).
    Frame(String),
}

/// What came of telling one party.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Told {
    Done,
    /// It ended its session but not all behind it (PartialLogout).
    Partial,
    /// It said no, or something that can't be accepted.
    Refused,
    /// It did not answer in time.
    Silent,
}

/// What whoever asked is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogoutEnd {
    Complete,
    /// Our sessions are over, and some party was not told (SAML core 3.7.3.2, PartialLogout).
    Partial,
    /// There was no such session. It is over, which is what was wanted.
    NoSession,
    /// The request was used before, and nothing was done for it.
    Refused,
    /// Nothing could be done at the moment.
    Failed,
}

/// The downstream side of logout.
#[async_trait]
pub trait DownstreamLogout: Send + Sync {
    /// Makes the notice for one participant.
    async fn notice(&self, call: LogoutCall<'_>) -> Result<Notice, ProtocolError>;

    /// The one origin that a frame for this app shows, where its notices are [`Notice::Frame`]: the page
    /// with the frames then lets no other in. `None`: the frame may go anywhere.
    fn frame_origin(&self, _app: &App) -> Option<String> {
        None
    }

    /// Reads the answer to a [`Notice::Back`].
    async fn told(&self, call: LogoutCall<'_>, answer: &Fetched) -> Told;

    /// Answers the app whose [`PeerLogout`] it was.
    async fn conclude(&self, tenant: &Arc<Tenant>, continuation: &[u8], end: LogoutEnd) -> Reply;
}

/// One participant to be told.
#[derive(Clone, Copy)]
pub struct LogoutCall<'a> {
    pub tenant: &'a Arc<Tenant>,
    pub app: &'a Arc<App>,
    pub participant: &'a Participant,
    pub session: SessionId,
    pub id: NoticeId,
    pub now: Timestamp,
    pub rng: &'a dyn Rng,
}

/// The upstream side of logout: an optional capability of a connection.
#[async_trait]
pub trait UpstreamLogout: Send + Sync {
    /// Where requests and answers come in, relative to the connection's address.
    fn routes(&self) -> &'static [Route];

    /// Makes the request that ends the upstream's session.
    async fn notice(&self, start: LogoutStart<'_>, trace: &mut TraceLog) -> Result<Notice, ProtocolError>;

    /// Why a browser that is sent there with a [`Notice::Front`] would not come back: the upstream's server gives
    /// no sign of life. `None`: it answers, no browser is sent there, or nobody can say. Takes
    /// [`SILENCE`](crate::silence::SILENCE) at most.
    async fn silence(&self, _start: LogoutStart<'_>) -> Option<String> {
        None
    }

    /// Reads the answer to a [`Notice::Back`].
    async fn told(&self, start: LogoutStart<'_>, answer: &Fetched) -> Told;

    /// Takes a message in at one of the routes and verifies it.
    async fn receive(&self, message: LogoutMessage<'_>, trace: &mut TraceLog) -> ReceivedLogout;

    /// Answers the upstream whose [`PeerLogout`] it was.
    async fn conclude(&self, tenant: &Arc<Tenant>, continuation: &[u8], end: LogoutEnd) -> Reply;
}

#[derive(Clone, Copy)]
pub struct LogoutStart<'a> {
    pub tenant: &'a Arc<Tenant>,
    /// As the adapter gave it with the login.
    pub session: &'a UpstreamSession,
    pub id: NoticeId,
    pub now: Timestamp,
}

#[derive(Clone, Copy)]
pub struct LogoutMessage<'a> {
    pub tenant: &'a Arc<Tenant>,
    pub input: &'a HttpInput,
    pub now: Timestamp,
}

/// What came in at a logout address, of either side.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // One a request, taken apart at once.
pub enum ReceivedLogout {
    Request(Box<PeerLogout>),
    /// An answer to a notice of ours, verified, by the party that the notice was for.
    Answer {
        id: NoticeId,
        told: Told,
    },
    /// Refused, or nothing to do with a session. The trace holds the failed check.
    Reply(Reply),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_notice_is_found_again_by_its_text() {
        let logout = LogoutId::from_uuid(uuid::Uuid::from_u128(7));
        let id = uuid::Uuid::from_u128(u128::MAX);
        for party in [Party::App(AppId::from_uuid(id)), Party::Connection(ConnectionId::from_uuid(id))] {
            let notice = NoticeId { logout, party };
            assert_eq!(notice.to_string().parse::<NoticeId>().unwrap(), notice);
        }
        let long = format!("_a{}", "é".repeat(32));
        for bad in ["", "_", "_a", "_b00", long.as_str()] {
            assert!(bad.parse::<NoticeId>().is_err(), "{bad}");
        }
    }
}
