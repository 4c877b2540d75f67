//! Kill switches.
//!
//! Each kill takes the next number of one counter of the installation, and writes it on what it kills: a
//! tenant, a connection, an app, a person. What is given out carries the newest number that its node knew.
//! It is dead where it is older than the kill of anything that it hangs on. Numbers, not times: clocks of
//! nodes differ, and a node that has not heard of a kill yet gives out what is dead already.
//!
//! Sessions, grants and single tokens are ended in their own rows, which every use reads.

use serde::{Deserialize, Serialize};

use crate::ids::{AppId, ConnectionId, PersonId, TenantId};

/// The number of a kill; 0 before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub i64);

impl Epoch {
    /// Whether something of this epoch is dead where the last kill was `kill`.
    pub fn is_before(self, kill: Self) -> bool {
        self < kill
    }
}

/// What one kill ends: everything that was given out below it until now. It keeps nobody from logging in
/// again; `enabled: false` does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Killed {
    Tenant(TenantId),
    Connection(TenantId, ConnectionId),
    App(TenantId, AppId),
    Person(TenantId, PersonId),
}

impl Killed {
    pub fn tenant(self) -> TenantId {
        match self {
            Self::Tenant(tenant) | Self::Connection(tenant, _) | Self::App(tenant, _) | Self::Person(tenant, _) => {
                tenant
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_new_as_the_kill_lives() {
        assert!(Epoch(6).is_before(Epoch(7)));
        assert!(!Epoch(7).is_before(Epoch(7)));
        assert!(!Epoch(0).is_before(Epoch(0)), "without a kill nothing is dead");
    }
}
