//! API keys for programs: what they may do, how they read, and when they are good.

use std::collections::BTreeSet;
use std::fmt;

use fedbridge_contract::services::Rng;
use fedbridge_contract::time::Timestamp;
use uuid::Uuid;

use super::{Reach, random_uuid};

/// An API key, as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: ApiKeyId,
    /// Unique among the keys of the same reach; never used again, not even after a revocation.
    pub name: String,
    pub reach: Reach,
    pub scopes: BTreeSet<Scope>,
    pub created: Timestamp,
    pub expires: Timestamp,
    /// SHA-256 of the key's whole text, which has 256 random bits beside its id.
    pub hash: [u8; 32],
    pub rotated: Option<Timestamp>,
    /// The text before the last rotation, and until when it is still good.
    pub previous: Option<([u8; 32], Timestamp)>,
    pub revoked: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyState {
    Active,
    Expired,
    Revoked,
}

impl ApiKey {
    pub fn state(&self, now: Timestamp) -> ApiKeyState {
        if self.revoked.is_some() {
            ApiKeyState::Revoked
        } else if now >= self.expires {
            ApiKeyState::Expired
        } else {
            ApiKeyState::Active
        }
    }

    /// Whether a text with this SHA-256 is good now: the current one, or the one before within the
    /// overlap. Hashes of high-entropy texts tell nothing by the time that comparing them takes.
    pub fn accepts(&self, hash: &[u8; 32], now: Timestamp) -> bool {
        let before = self.previous.is_some_and(|(previous, until)| previous == *hash && now < until);
        self.state(now) == ApiKeyState::Active && (self.hash == *hash || before)
    }

    /// The end of the overlap, while it lasts.
    pub fn overlap_until(&self, now: Timestamp) -> Option<Timestamp> {
        let until = self.previous?.1.min(self.expires);
        (self.state(now) == ApiKeyState::Active && now < until).then_some(until)
    }
}

impl ApiKeyState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

/// What a key may do. No scope contains another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Tenants, connections, apps and mappings, without secrets.
    ConfigRead,
    ConfigWrite,
    /// Recorded logins.
    TracesRead,
    /// People, groups, sessions and links.
    PeopleRead,
    PeopleWrite,
    /// Signing keys.
    KeysRotate,
    AuditRead,
}

impl Scope {
    pub const ALL: [Self; 7] = [
        Self::ConfigRead,
        Self::ConfigWrite,
        Self::TracesRead,
        Self::PeopleRead,
        Self::PeopleWrite,
        Self::KeysRotate,
        Self::AuditRead,
    ];

    /// The word for it on the command line and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConfigRead => "config:read",
            Self::ConfigWrite => "config:write",
            Self::TracesRead => "traces:read",
            Self::PeopleRead => "people:read",
            Self::PeopleWrite => "people:write",
            Self::KeysRotate => "keys:rotate",
            Self::AuditRead => "audit:read",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// The public part of a key: 128 random bits, by which it is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiKeyId(Uuid);

impl ApiKeyId {
    pub fn random(rng: &dyn Rng) -> Self {
        Self(random_uuid(rng))
    }

    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// What every key starts with, so that scanners of repositories and logs know it.
const PREFIX: &str = "fbk_";

/// The lengths of an id in hexadecimal, and of 32 octets in base64url.
const ID: usize = 32;
const SECRET: usize = 43;

/// The whole text of a key: prefix, id, `_`, secret (32 random octets in base64url).
pub fn key_text(id: ApiKeyId, secret: &str) -> String {
    format!("{PREFIX}{id}_{secret}")
}

/// The id that a text claims, if the text has the form of a key. Whether it is good, its hash says.
pub fn parse_key(text: &str) -> Option<ApiKeyId> {
    let (id, secret) = text.strip_prefix(PREFIX)?.split_at_checked(ID)?;
    let secret = secret.strip_prefix('_')?;
    let one_spelling = id.bytes().all(|octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f'));
    let base64url = secret.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
    if !one_spelling || !base64url || secret.len() != SECRET {
        return None;
    }
    Uuid::try_parse(id).ok().map(ApiKeyId)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn key() -> ApiKey {
        ApiKey {
            id: ApiKeyId(Uuid::from_u128(7)),
            name: "ci".into(),
            reach: Reach::Installation,
            scopes: BTreeSet::from([Scope::ConfigRead]),
            created: at(0),
            expires: at(100),
            hash: [1; 32],
            rotated: None,
            previous: None,
            revoked: None,
        }
    }

    #[test]
    fn a_key_is_good_until_it_expires_or_is_revoked() {
        let key = key();
        assert!(key.accepts(&[1; 32], at(99)));
        assert!(!key.accepts(&[1; 32], at(100)), "the expiry itself is too late");
        assert!(!key.accepts(&[2; 32], at(99)));
        let revoked = ApiKey { revoked: Some(at(50)), ..key };
        assert!(!revoked.accepts(&[1; 32], at(99)));
        assert_eq!(revoked.state(at(101)), ApiKeyState::Revoked, "a revoked key stays a revoked one");
    }

    #[test]
    fn the_text_before_is_good_for_the_overlap_only() {
        let key = ApiKey { previous: Some(([2; 32], at(30))), rotated: Some(at(10)), ..key() };
        assert!(key.accepts(&[1; 32], at(29)) && key.accepts(&[2; 32], at(29)));
        assert!(key.accepts(&[1; 32], at(30)) && !key.accepts(&[2; 32], at(30)));
        assert_eq!((key.overlap_until(at(29)), key.overlap_until(at(30))), (Some(at(30)), None));

        let long = ApiKey { previous: Some(([2; 32], at(500))), ..key.clone() };
        assert!(!long.accepts(&[2; 32], at(100)), "an overlap does not outlive the key");
        assert_eq!(long.overlap_until(at(99)), Some(at(100)));

        let revoked = ApiKey { revoked: Some(at(20)), ..key };
        assert!(!revoked.accepts(&[2; 32], at(21)), "a revocation ends the overlap too");
        assert_eq!(revoked.overlap_until(at(21)), None);
    }

    #[test]
    fn texts_have_one_form() {
        let secret = "-_AZaz09".to_owned() + &"x".repeat(35);
        let text = key_text(key().id, &secret);
        assert_eq!(text, format!("fbk_00000000000000000000000000000007_{secret}"));
        assert_eq!(parse_key(&text), Some(key().id));
        let bad = [
            "",
            "fbk_",
            &text[1..],
            &text[..text.len() - 1],
            &format!("{text}x"),
            &format!(" {text}"),
            &text.replace("07_", "0g_"),
            &text.replace("07_", "0A_"),
            &text.replace("07_", "07-"),
            &text.replace("AZ", "A="),
            "fbk_0000000000000000000000000000000é_",
        ];
        for bad in bad {
            assert_eq!(parse_key(bad), None, "{bad}");
        }
    }

    #[test]
    fn scopes_come_back() {
        for scope in Scope::ALL {
            assert_eq!(Scope::from_name(scope.name()), Some(scope));
        }
        assert_eq!(Scope::from_name("config"), None);
    }
}
