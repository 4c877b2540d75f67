//! People as an administrator looks for them.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;

use crate::open::Store;
use crate::row::{get, time, uuid as read_uuid};
use crate::unit::uuid;
use crate::work::Arg;

/// A person, and how each of the logins shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedPerson {
    pub id: PersonId,
    pub disabled: bool,
    pub since: Timestamp,
    pub logins: Vec<(ConnectionId, String)>,
}

impl Store {
    /// People of a tenant, the newest first, `most` of them; where `search` is given, those with a login that
    /// shows with it, in any case of ASCII letters.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn people(
        &self,
        tenant: TenantId,
        search: Option<&str>,
        most: u32,
    ) -> Result<Vec<ListedPerson>, StoreError> {
        let mut args = vec![uuid(tenant), uuid(tenant)];
        let found = match search {
            None => "",
            Some(text) => {
                args.push(Arg::Text(format!("%{}%", escaped(&text.to_ascii_lowercase()))));
                "AND EXISTS (SELECT 1 FROM identities j WHERE j.tenant_id = q.tenant_id AND j.person_id = q.id \
                 AND lower(j.display) LIKE ? ESCAPE '!')"
            }
        };
        args.push(Arg::Int(i64::from(most)));
        let sql = format!(
            "SELECT p.id, (p.disabled OR p.shut_at IS NOT NULL), p.created_at, i.connection_id, i.display FROM people p \
             LEFT JOIN identities i ON i.tenant_id = p.tenant_id AND i.person_id = p.id \
             WHERE p.tenant_id = ? AND p.id IN (SELECT q.id FROM people q WHERE q.tenant_id = ? {found} \
             ORDER BY q.created_at DESC, q.id LIMIT ?) ORDER BY p.created_at DESC, p.id, i.created_at, i.connection_id"
        );
        let mut people: Vec<ListedPerson> = Vec::new();
        for row in self.all(&sql, args).await? {
            let id = PersonId::from_uuid(read_uuid(&row, 0)?);
            if people.last().is_none_or(|last| last.id != id) {
                let (disabled, since) = (get(&row, 1)?, time(&row, 2)?);
                people.push(ListedPerson { id, disabled, since, logins: Vec::new() });
            }
            let display: Option<String> = get(&row, 4)?;
            if let (Some(person), Some(display)) = (people.last_mut(), display) {
                person.logins.push((ConnectionId::from_uuid(read_uuid(&row, 3)?), display));
            }
        }
        Ok(people)
    }

    /// Whether a person may not log in; `None`: there is no such person.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn person_disabled(&self, tenant: TenantId, person: PersonId) -> Result<Option<bool>, StoreError> {
        let sql = "SELECT (disabled OR shut_at IS NOT NULL) FROM people WHERE tenant_id = ? AND id = ?";
        let row = self.one(sql, vec![uuid(tenant), Arg::Uuid(person.uuid())]).await?;
        row.map(|row| get(&row, 0)).transpose()
    }
}

/// What stands for itself in a pattern of LIKE.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        if matches!(letter, '%' | '_' | '!') {
            out.push('!');
        }
        out.push(letter);
    }
    out
}
