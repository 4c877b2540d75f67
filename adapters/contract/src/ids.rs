//! Identifiers. Each is 128 bits, most of them random, and has its own type, so that one kind
//! can't stand where another is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::services::Rng;
use crate::time::Timestamp;

/// The text is not 32 hexadecimal digits (hyphens are allowed).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier: expected 32 hexadecimal digits")]
pub struct BadId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new identifier of 128 random bits.
            pub fn random(rng: &dyn Rng) -> Self {
                let mut bytes = [0; 16];
                rng.fill(&mut bytes);
                Self(Uuid::from_bytes(bytes))
            }

            /// A new identifier that begins with its time, so that rows made together lie together: UUID
            /// version 7 (RFC 9562 section 5.7), 48 bits of milliseconds and 74 random bits.
            pub fn at(now: Timestamp, rng: &dyn Rng) -> Self {
                let mut random = [0; 10];
                rng.fill(&mut random);
                let millis = u64::try_from(now.millis()).unwrap_or_default();
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            pub const fn uuid(self) -> Uuid {
                self.0
            }

            pub const fn from_octets(octets: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(octets))
            }

            /// When an identifier of [`Self::at`] was made; `None` for one that is random throughout.
            pub fn made(self) -> Option<Timestamp> {
                if self.0.get_version_num() != 7 {
                    return None;
                }
                let (seconds, nanos) = self.0.get_timestamp()?.to_unix();
                let millis = i64::try_from(seconds).ok()?.checked_mul(1000)?;
                Some(Timestamp::from_millis(millis.checked_add(i64::from(nanos / 1_000_000))?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.simple().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.simple())
            }
        }

        impl FromStr for $name {
            type Err = BadId;

            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::try_parse(text).map(Self).map_err(|_| BadId)
            }
        }
    };
}

id!(
    /// A tenant: one issuer, one set of keys, connections, apps and people.
    TenantId
);
id!(
    /// A connection to an upstream identity provider or directory.
    ConnectionId
);
id!(
    /// A downstream application: an OIDC client or a SAML service provider, later an LDAP app.
    AppId
);
id!(
    /// A person of one tenant. Its hexadecimal form is the public `sub`.
    PersonId
);
id!(
    /// A group of a tenant's directory.
    GroupId
);
id!(
    /// A second factor of one person.
    FactorId
);
id!(
    /// A password of one person for one app.
    AppPasswordId
);
id!(
    /// A login session of one browser at one tenant.
    SessionId
);
id!(
    /// What one app was given for one login: the code, its tokens, the refresh family.
    GrantId
);
id!(
    /// One login under way.
    TransactionId
);
id!(
    /// The record of one login, shown to people when something fails.
    TraceId
);
id!(
    /// One logout under way, with everybody who is to be told.
    LogoutId
);
id!(
    /// The permission of one person to connect one more upstream identity.
    LinkProofId
);
id!(
    /// A record that an upstream has pushed. Made by us, opaque, never used again, and no `sub`.
    RecordId
);
id!(
    /// One event for one receiver of signals: the `jti` of its token.
    SignalId
);
