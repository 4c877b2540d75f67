//! What the hub keeps sealed in the store between two requests.

use fedbridge_contract::downstream::ConsentWish;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::identity::{
    Attributes, AuthnFacts, OneTimeKey, Onward, UpstreamSession, UpstreamSubject, UpstreamTokens,
};
use fedbridge_contract::ids::{AppId, ConnectionId, LinkProofId, PersonId, SessionId, TraceId};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::LoginWish;
use serde::{Deserialize, Serialize};

/// A login that an app, or nobody, asked for, and that went to an upstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TransactionRecord {
    pub connection: ConnectionId,
    pub app: Option<Asked>,
    /// The app that is started when the login has ended well, for one that began at the upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Initiation>,
    /// What comes after the login, where it is not an app's.
    #[serde(default, skip_serializing_if = "Purpose::is_login")]
    pub purpose: Purpose,
    pub wish: LoginWish,
    /// Keyed hash of the correlation cookie: the answer must come from the same browser.
    pub browser: [u8; 32],
    /// The session that the browser had when the login started. Its cookie is Lax and so
    /// doesn't come with a cross-site POST.
    pub session: Option<PriorSession>,
    /// What the person is asked, where the transaction waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<Question>,
    /// The adapter's own state, or that of the page of ours that waits; base64.
    #[serde(with = "base64_bytes")]
    pub state: Vec<u8>,
    pub started: Timestamp,
    pub trace: TraceId,
    pub steps: TraceLog,
}

/// What a transaction is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// An app's login, or nobody's.
    #[default]
    Login,
    /// The account page comes next.
    Account,
    /// The identity is to be connected to a person who is logged in.
    Link { proof: LinkProofId, secret: [u8; 32] },
    /// No upstream is asked: the person is, in this session.
    Consent { session: SessionId },
    /// The person is asked whether they are somebody else than the one who has their address.
    SameEmail,
    /// The browser goes to no upstream: the person types a password on our page. What the login is for, and what
    /// else it needs, stands in the state; so it does for the next three.
    Password,
    /// The password was right, and has to be changed.
    NewPassword,
    /// The password was right, and a second factor is asked for.
    SecondFactor,
    /// A second factor is set up.
    Enrol,
}

/// What a transaction that waits for a person needs to go on with the answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Scopes and claims by name, which the app is to get.
    Consent { items: Vec<String> },
    /// Who came by a login that nobody has, with an address that somebody has.
    SameEmail(Box<Newcomer>),
}

/// An identity that was verified, and is nobody's yet.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Newcomer {
    pub identity: SessionRecord,
    pub tokens: Option<UpstreamTokens>,
    /// That of the login.
    pub purpose: Purpose,
}

impl Purpose {
    fn is_login(&self) -> bool {
        *self == Self::Login
    }

    /// Whether an upstream's answer may end such a transaction.
    pub fn waits_for_upstream(self) -> bool {
        matches!(self, Self::Login | Self::Account | Self::Link { .. })
    }
}

/// The app's side of a login under way.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Asked {
    pub app: AppId,
    pub scope: Vec<String>,
    pub requested_claims: Vec<String>,
    pub expected_sub: Option<String>,
    #[serde(default)]
    pub consent: ConsentWish,
    pub again: String,
    /// Where a person can start anew after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<String>,
    /// Used up in the unit that ends this login.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub once: Vec<AskedOnce>,
    #[serde(with = "base64_bytes")]
    pub continuation: Vec<u8>,
}

/// A [`OneTimeKey`] that waits in a transaction.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct AskedOnce {
    pub purpose: String,
    pub key: String,
    pub expires: Timestamp,
}

impl From<OneTimeKey> for AskedOnce {
    fn from(once: OneTimeKey) -> Self {
        Self { purpose: once.purpose.to_owned(), key: once.key, expires: once.expires }
    }
}

/// An app that a login at the upstream is for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Initiation {
    pub app: AppId,
    /// One of the connection's list.
    pub target: Option<String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct PriorSession {
    pub id: SessionId,
    pub person: PersonId,
    pub connection: ConnectionId,
    /// That of its record.
    #[serde(default)]
    pub epoch: Epoch,
}

/// The identity behind a session, as the upstream gave it, for apps that join later.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SessionRecord {
    pub subject: UpstreamSubject,
    pub attributes: Attributes,
    pub authn: AuthnFacts,
    pub upstream: UpstreamSession,
    pub onward: Onward,
    /// The newest kill that the node knew which began or renewed it.
    #[serde(default)]
    pub epoch: Epoch,
    /// Upstreams by which the same person came before in this session, the newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<UpstreamPart>,
}

/// The session at one upstream.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct UpstreamPart {
    pub connection: ConnectionId,
    /// [`UpstreamSubject::key`].
    #[serde(default)]
    pub subject: String,
    pub session: UpstreamSession,
}

impl SessionRecord {
    /// All upstreams of a session whose newest one is `connection`, that one first.
    pub fn upstreams(&self, connection: ConnectionId) -> Vec<UpstreamPart> {
        let newest = UpstreamPart { connection, subject: self.subject.key.clone(), session: self.upstream.clone() };
        std::iter::once(newest).chain(self.also.iter().cloned()).collect()
    }
}

/// Octets in JSON: as an array of numbers they would take nearly four times their room.
pub(super) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD_NO_PAD;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD_NO_PAD.encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD_NO_PAD.decode(text).map_err(serde::de::Error::custom)
    }
}
