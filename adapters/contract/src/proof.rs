//! Proof that an identity was authenticated in the transaction at hand.
//!
//! The hub makes one [`Minter`] for one transaction and hands it to the adapter
//! of the transaction's connection. Using it up gives a [`Proof`]; there is no
//! other way to one. The hub compares all three identifiers before it goes on,
//! so that an answer for one transaction can't finish another.

use crate::ids::{ConnectionId, TenantId, TransactionId};

/// The right to mint one [`Proof`].
#[derive(Debug)]
pub struct Minter {
    tenant: TenantId,
    connection: ConnectionId,
    transaction: TransactionId,
}

impl Minter {
    /// Only the hub calls this; a test of the project lists the callers.
    pub fn for_transaction(tenant: TenantId, connection: ConnectionId, transaction: TransactionId) -> Self {
        Self { tenant, connection, transaction }
    }

    /// Only an adapter calls this, as its last step, when every check has passed.
    pub fn mint(self) -> Proof {
        Proof { tenant: self.tenant, connection: self.connection, transaction: self.transaction }
    }
}

/// See the module's text.
#[derive(Debug, PartialEq, Eq)]
pub struct Proof {
    tenant: TenantId,
    connection: ConnectionId,
    transaction: TransactionId,
}

impl Proof {
    /// Whether this proof belongs to exactly this transaction.
    pub fn covers(&self, tenant: TenantId, connection: ConnectionId, transaction: TransactionId) -> bool {
        self.tenant == tenant && self.connection == connection && self.transaction == transaction
    }
}

/// Leave to issue something, given by the hub's one gate (tenant, connection, app
/// and person enabled). Whatever makes a token or an assertion asks for it.
///
/// It says what was known when the gate gave it: it serves the request at hand, and nobody keeps one.
#[derive(Debug)]
pub struct Permit(());

impl Permit {
    /// Only the hub's gate calls this; a test of the project lists the callers.
    pub fn assertion_of_the_gate() -> Self {
        Self(())
    }
}
