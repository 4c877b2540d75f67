//! Somebody may have logged in before the directory pushes them: then the new record is theirs at once, where the store
//! can find them by what the connection compares. Whoever it can't find shows it at the next login ([`super::whose`]).

use std::collections::BTreeSet;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::push::LoginKey;

use super::change::Pushing;
use crate::run::Hub;

impl Hub {
    /// The one person who has logged in as who is pushed now, and is nobody whom the directory has pushed already.
    pub(super) async fn came_before(
        &self,
        at: &Pushing<'_>,
        value: Option<&str>,
    ) -> Result<Option<PersonId>, StoreError> {
        let (Some(belonging), Some(value)) = (at.belonging(), value.map(str::trim)) else { return Ok(None) };
        let tenant = at.place.tenant;
        let mut found = BTreeSet::new();
        for open in belonging.provisions.iter().filter_map(|slug| at.tenant.connection(slug)) {
            let connection = open.view.id;
            match belonging.login {
                LoginKey::Subject => {
                    let named = self.people.by_display(tenant, connection, value).await?;
                    found.extend(named.into_iter().map(|identity| identity.person));
                }
                LoginKey::Email => {
                    let hash = self.email_hash(tenant, value);
                    found.extend(self.people.people_by_email(tenant, connection, &hash).await?);
                }
                // Attributes are sealed.
                LoginKey::Attribute(_) => {}
            }
        }
        let mut found = found.into_iter();
        let (Some(one), None) = (found.next(), found.next()) else { return Ok(None) };
        let records = self.pushed.of_person(tenant, one).await?;
        Ok((!records.iter().any(|(place, _)| *place == at.place)).then_some(one))
    }
}
