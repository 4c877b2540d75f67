//! People, beside their logins.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{PersonId, TenantId};

use crate::open::Store;
use crate::unit::uuid;
use crate::work::{Arg, Change};

impl Store {
    /// Disables a person or lets them in again. True when there is such a person.
    ///
    /// What they were given stays, and the gate refuses it while they are disabled.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn set_person_disabled(
        &self,
        tenant: TenantId,
        person: PersonId,
        disabled: bool,
    ) -> Result<bool, StoreError> {
        let change = Change::new(
            "UPDATE people SET disabled = ? WHERE tenant_id = ? AND id = ?",
            vec![Arg::Flag(disabled), uuid(tenant), Arg::Uuid(person.uuid())],
        );
        Ok(self.change(change).await? == 1)
    }
}
