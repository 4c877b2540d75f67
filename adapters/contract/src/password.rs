//! Password connections: a name and a password come in over a channel of ours, and the adapter asks its upstream.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::runtime::Handle;

use crate::config::Tenant;
use crate::error::ProtocolError;
use crate::identity::AuthenticatedIdentity;
use crate::ids::TransactionId;
use crate::proof::Minter;
use crate::time::Timestamp;
use crate::trace::TraceLog;
use crate::upstream::LoginWish;

/// A password as it came: octets of any encoding, never empty.
pub struct Password(Vec<u8>);

impl Password {
    /// `None` for nothing, and for zero octets alone: a bind with such a password proves nothing and yet
    /// succeeds (RFC 4513 section 5.1.2), so it never reaches an upstream.
    pub fn new(octets: impl Into<Vec<u8>>) -> Option<Self> {
        let octets = octets.into();
        octets.iter().any(|octet| *octet != 0).then_some(Self(octets))
    }

    pub fn octets(&self) -> &[u8] {
        &self.0
    }

    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }
}

impl Drop for Password {
    fn drop(&mut self) {
        self.0.fill(0);
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// Checks passwords at an upstream.
#[async_trait]
pub trait PasswordCheck: Send + Sync {
    /// What the login page calls the name.
    fn name_is(&self) -> NameIs;

    /// What the upstream does about wrong passwords by itself, where that is known: fewer are let through.
    fn lockout(&self) -> Option<Lockout> {
        None
    }

    /// Finds the person by what was typed, checks the password, and reads who it is.
    async fn verify(&self, attempt: Attempt<'_>, minter: Minter, trace: &mut TraceLog) -> PasswordOutcome;

    /// The password alone, of somebody who is known: one round trip where `place` is still right.
    async fn prove(&self, asked: Prove<'_>, trace: &mut TraceLog) -> Proved;

    /// Sets a new password with the old one (RFC 3062; `unicodePwd` at Active Directory).
    async fn change(&self, change: Change<'_>, trace: &mut TraceLog) -> Changed;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameIs {
    UserName,
    UserNameOrEmail,
    Email,
}

/// An upstream locks an account after so many wrong passwords.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lockout {
    pub after: u32,
    /// It forgets wrong passwords when none has come for so long, or the right one has.
    pub forgets: Duration,
}

pub struct Attempt<'a> {
    pub tenant: &'a Tenant,
    /// As it was typed.
    pub name: &'a str,
    pub password: &'a Password,
    pub wish: &'a LoginWish,
    pub transaction: TransactionId,
    pub peer: IpAddr,
    pub now: Timestamp,
}

/// Somebody whom this connection has shown before.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// [`UpstreamSubject::key`](crate::identity::UpstreamSubject::key).
    pub key: &'a str,
    /// Where the entry was last seen: its DN.
    pub place: Option<&'a str>,
}

/// Whether a password is that of somebody who is known.
pub struct Prove<'a> {
    pub known: Known<'a>,
    pub password: &'a Password,
    /// Whose thread waits: a connection that is opened for this question alone belongs there, so that its answer wakes
    /// no other thread. `None`: it belongs to the runtime that polls.
    pub thread: Option<&'a Handle>,
    pub now: Timestamp,
}

pub struct Change<'a> {
    pub known: Known<'a>,
    pub old: &'a Password,
    pub new: &'a Password,
    pub now: Timestamp,
}

#[derive(Debug)]
pub enum PasswordOutcome {
    Accepted {
        identity: Box<AuthenticatedIdentity>,
        warning: Option<PasswordWarning>,
    },
    /// The password is right, and good for nothing but to be changed.
    MustChange {
        key: String,
        place: String,
    },
    Rejected(PasswordRefusal),
    /// No server answered in time; nobody knows whether the password is right.
    Unavailable(ProtocolError),
}

#[derive(Debug)]
pub enum Proved {
    /// With where the entry is now, where that is another place.
    Yes {
        moved: Option<String>,
        warning: Option<PasswordWarning>,
    },
    No(PasswordRefusal),
    Unavailable(ProtocolError),
}

#[derive(Debug)]
pub enum Changed {
    Yes,
    /// The old one was wrong.
    Refused(PasswordRefusal),
    /// Too short, used before, too young: the upstream's rule, in words that a person may read.
    Policy(String),
    Unavailable(ProtocolError),
}

/// What a password policy says beside a yes (draft-behera-ldap-password-policy, Netscape's controls).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordWarning {
    ExpiresIn { seconds: u64 },
    GraceLogins { left: u32 },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordRefusal {
    pub reason: Why,
    /// The upstream's own code, for the trace: `49/52e`, `ppolicy 1`.
    pub upstream_code: String,
}

/// Why a password was not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// No entry, or more than one.
    Unknown,
    Wrong,
    Locked,
    /// The name can't be one of this connection.
    Form,
    // From here on only somebody with the right password hears of it.
    Disabled,
    Expired,
    PasswordExpired,
    Hours,
    Workstation,
    /// A policy of the connection, such as being outside of its base.
    NotAllowed,
}

impl Why {
    /// Whether the person may be told: the upstream says so only after a right password.
    pub fn may_be_told(self) -> bool {
        !matches!(self, Self::Unknown | Self::Wrong | Self::Locked | Self::Form)
    }

    /// Whether it counts as a guess.
    pub fn is_a_guess(self) -> bool {
        matches!(self, Self::Unknown | Self::Wrong | Self::Locked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_no_password() {
        assert!(Password::new(*b"").is_none());
        assert!(Password::new(*b"\0\0").is_none());
        assert!(Password::new(*b" ").is_some(), "a space is one");
        assert_eq!(Password::new(*b"\xff\x00").map(|it| it.octets().to_vec()), Some(b"\xff\x00".to_vec()));
    }
}
