//! Documents that clients publish: key sets and sector lists.

use std::sync::Arc;

use fedbridge_contract::services::Egress;
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::cache::Cache;
use fedbridge_oidc_core::jwk::{PublicJwk, published_set};
use serde_json::Value;

/// Key sets and sector lists by address.
pub(crate) struct Remote {
    keys: Cache<Vec<PublicJwk>>,
    sectors: Cache<Vec<String>>,
}

impl Remote {
    pub(crate) fn new() -> Self {
        Self { keys: Cache::default(), sectors: Cache::default() }
    }

    /// The keys at an address. `satisfied` says whether a set holds the key that is wanted: if
    /// not, it is fetched once more, unless that was tried a short while ago.
    pub(crate) async fn keys(
        &self,
        egress: &dyn Egress,
        url: &str,
        now: Timestamp,
        satisfied: impl Fn(&[PublicJwk]) -> bool + Send + Sync,
    ) -> Result<Arc<Vec<PublicJwk>>, String> {
        self.keys.get(egress, url, now, |keys: &Vec<PublicJwk>| satisfied(keys), published_set).await
    }

    /// The addresses that a sector_identifier_uri lists (OpenID Connect Core 8.1).
    pub(crate) async fn sector(
        &self,
        egress: &dyn Egress,
        url: &str,
        now: Timestamp,
        satisfied: impl Fn(&[String]) -> bool + Send + Sync,
    ) -> Result<Arc<Vec<String>>, String> {
        self.sectors.get(egress, url, now, |list: &Vec<String>| satisfied(list), read_sector).await
    }
}

fn read_sector(body: &[u8]) -> Result<Vec<String>, String> {
    let list = serde_json::from_slice::<Value>(body).ok();
    let list = list.as_ref().and_then(Value::as_array).ok_or("the sector document is not a JSON list")?;
    list.iter()
        .map(|item| item.as_str().map(str::to_owned).ok_or("the sector document lists more than texts".into()))
        .collect()
}
