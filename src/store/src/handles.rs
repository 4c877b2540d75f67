//! Short-lived values behind handles, and persistent identifiers: what SAML's
//! identity provider keeps.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{PersonId, TenantId};
use fedbridge_contract::services::{Handles, NameIds};
use fedbridge_contract::time::Timestamp;

use crate::error::damaged;
use crate::open::Store;
use crate::row::get;
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change, digest};

#[async_trait]
impl Handles for Store {
    async fn put(
        &self,
        tenant: TenantId,
        purpose: &'static str,
        handle: &str,
        value: &[u8],
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        let hash = digest(&[purpose, handle]);
        let sealed = self.inner.sealer.seal(&place(tenant, &hash), value);
        let change = Change::new(
            "INSERT INTO handles (tenant_id, handle_hash, expires_at, sealed) VALUES (?, ?, ?, ?) \
             ON CONFLICT (tenant_id, handle_hash) DO UPDATE SET expires_at = excluded.expires_at, \
             sealed = excluded.sealed",
            vec![uuid(tenant), Arg::Octets(hash), millis(expires), Arg::Octets(sealed)],
        );
        self.change(change).await.map(drop)
    }

    async fn peek(
        &self,
        tenant: TenantId,
        purpose: &'static str,
        handle: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let hash = digest(&[purpose, handle]);
        let sql = "SELECT sealed FROM handles WHERE tenant_id = ? AND handle_hash = ? AND expires_at > ?";
        let row = self.one(sql, vec![uuid(tenant), Arg::Octets(hash.clone()), millis(now)]).await?;
        let Some(row) = row else { return Ok(None) };
        let sealed: Vec<u8> = get(&row, 0)?;
        self.inner.sealer.open(&place(tenant, &hash), &sealed).map(Some).map_err(|_| damaged("a handle"))
    }

    async fn take(
        &self,
        tenant: TenantId,
        purpose: &'static str,
        handle: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let Some(value) = self.peek(tenant, purpose, handle, now).await? else { return Ok(None) };
        // A handle's value never changes, so whoever removes the row has read it.
        let change = Change::new(
            "DELETE FROM handles WHERE tenant_id = ? AND handle_hash = ?",
            vec![uuid(tenant), Arg::Octets(digest(&[purpose, handle]))],
        );
        Ok((self.change(change).await? == 1).then_some(value))
    }
}

#[async_trait]
impl NameIds for Store {
    async fn find(&self, tenant: TenantId, qualifier: &str, person: PersonId) -> Result<Option<String>, StoreError> {
        let sql = "SELECT value FROM name_ids WHERE tenant_id = ? AND qualifier_hash = ? AND person_id = ?";
        let args = vec![uuid(tenant), Arg::Octets(digest(&[qualifier])), Arg::Uuid(person.uuid())];
        self.one(sql, args).await?.map(|row| get(&row, 0)).transpose()
    }
}

/// The place that a handle's value is sealed for.
fn place(tenant: TenantId, hash: &[u8]) -> Vec<u8> {
    let hex: String = hash.iter().map(|octet| format!("{octet:02x}")).collect();
    format!("{tenant}/handle/{hex}").into_bytes()
}
