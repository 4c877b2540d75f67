//! Administrators: who they are, what they govern, and how they get in for the
//! first time. Pure rules; the caller brings time, randomness and hashes.

mod api_key;

use std::fmt;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::Rng;
use fedbridge_contract::time::Timestamp;
use uuid::Uuid;

pub use api_key::{ApiKey, ApiKeyId, ApiKeyState, Scope, key_text, parse_key};

/// The reserved tenant `system`: what belongs to the installation as a whole is stored under its id.
/// It has no row among the tenants, and no bridge file may name it.
pub const SYSTEM_TENANT: TenantId = TenantId::from_uuid(Uuid::nil());

/// An account for people who govern the installation or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Administrator {
    pub id: AdministratorId,
    /// Unique in the installation: administrators of all tenants sign in at one place.
    pub name: String,
    pub role: Role,
    pub reach: Reach,
    pub created: Timestamp,
    pub setup: Setup,
}

/// How far an administrator or an API key reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Installation,
    /// This tenant, and the tenants below it.
    Tenant(TenantId),
}

/// Where an administrator stands on the way to the first sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Waits for the one-time code.
    Pending(SetupCode),
    /// The code was used.
    Done,
}

/// A one-time setup code, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SetupCode {
    /// SHA-256 of the code, which has 256 random bits.
    pub hash: [u8; 32],
    pub expires: Timestamp,
}

/// What an administrator may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Everything, administrators included.
    Owner,
    /// Everything but administrators.
    Operator,
    /// Everything inside one tenant.
    TenantAdmin,
    /// Reads everything, changes nothing.
    Auditor,
    /// Looks logins up and helps people; changes no configuration.
    HelpDesk,
}

impl Role {
    pub const ALL: [Self; 5] = [Self::Owner, Self::Operator, Self::TenantAdmin, Self::Auditor, Self::HelpDesk];

    /// The word for it on the command line and in the store.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Operator => "operator",
            Self::TenantAdmin => "tenant-admin",
            Self::Auditor => "auditor",
            Self::HelpDesk => "help-desk",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Whether the role makes sense with this reach.
    ///
    /// # Errors
    /// One sentence that says why not.
    pub fn fits(self, reach: Reach) -> Result<(), &'static str> {
        match (self, reach) {
            (Self::Owner | Self::Operator, Reach::Tenant(_)) => {
                Err("owners and operators govern the whole installation, so they take no tenant")
            }
            (Self::TenantAdmin, Reach::Installation) => Err("a tenant-admin needs the tenant to govern"),
            _ => Ok(()),
        }
    }
}

impl Reach {
    /// The tenant that rows with this reach are stored under.
    pub const fn stored_under(self) -> TenantId {
        match self {
            Self::Installation => SYSTEM_TENANT,
            Self::Tenant(tenant) => tenant,
        }
    }

    pub fn of_stored(tenant: TenantId) -> Self {
        if tenant == SYSTEM_TENANT { Self::Installation } else { Self::Tenant(tenant) }
    }

    pub const fn tenant(self) -> Option<TenantId> {
        match self {
            Self::Installation => None,
            Self::Tenant(tenant) => Some(tenant),
        }
    }
}

/// The id of an administrator: 128 random bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdministratorId(Uuid);

impl AdministratorId {
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

impl fmt::Display for AdministratorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// The longest name of an administrator or an API key, in characters.
const MAX_NAME: usize = 128;

/// Checks the name of an administrator or an API key. Only one spelling of each name exists, and
/// none needs quotes in a shell.
///
/// # Errors
/// One sentence that says what a name looks like.
pub fn check_name(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let good = name.starts_with(plain)
        && name.len() <= MAX_NAME
        && name.chars().all(|c| plain(c) || matches!(c, '.' | '_' | '-' | '@' | '+'));
    if good {
        return Ok(());
    }
    Err(format!(
        "a name has 1 to {MAX_NAME} of the characters a-z, 0-9, `.`, `_`, `-`, `@` and `+`, and starts with a letter or digit"
    ))
}

fn random_uuid(rng: &dyn Rng) -> Uuid {
    let mut octets = [0; 16];
    rng.fill(&mut octets);
    Uuid::from_bytes(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_fit_their_reach() {
        let tenant = Reach::Tenant(TenantId::from_uuid(Uuid::from_u128(7)));
        let fits = |reach: Reach| Role::ALL.map(|role| role.fits(reach).is_ok());
        assert_eq!(fits(Reach::Installation), [true, true, false, true, true]);
        assert_eq!(fits(tenant), [false, false, true, true, true]);
    }

    #[test]
    fn words_come_back() {
        for role in Role::ALL {
            assert_eq!(Role::from_name(role.name()), Some(role));
        }
        assert_eq!(Role::from_name("Owner"), None);
        for reach in [Reach::Installation, Reach::Tenant(TenantId::from_uuid(Uuid::from_u128(7)))] {
            assert_eq!(Reach::of_stored(reach.stored_under()), reach);
        }
    }

    #[test]
    fn names_have_one_spelling() {
        for good in ["ada", "a", "ada@corp.example", "ci-2", "0_x+y", &"a".repeat(128)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "Ada", "-ada", ".a", "a b", "a\u{1b}[2J", "ад", "a/b", &"a".repeat(129)] {
            assert!(check_name(bad).is_err(), "{bad:?}");
        }
    }
}
