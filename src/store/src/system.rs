//! What crosses tenants: the configuration as a whole, the operator's list of
//! traces, the janitor. Whoever holds a [`SystemStore`] can see everybody.

use fedbridge_contract::error::StoreError;

use crate::open::Store;
use crate::work::Arg;

/// See the module's text. Made by [`Store::system`].
#[derive(Clone)]
pub struct SystemStore(pub(crate) Store);

impl SystemStore {
    /// Whether the database answers: one statement.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.0.one("SELECT version FROM installation WHERE id = ?", vec![Arg::Int(1)]).await.map(drop)
    }
}
