//! The keys with which the provider checks what we sign for it, at an address of this connection.

use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{Method, Reply, Route};
use fedbridge_contract::keys::{KeyPurpose, KeyState};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::PublishedMetadata;
use serde_json::json;

use crate::party::{JWKS_ROUTE, SharedParty};

impl PublishedMetadata for SharedParty {
    fn route(&self) -> Route {
        Route::new(JWKS_ROUTE, &[Method::Get])
    }

    /// The client's public keys (RFC 7517 section 5): the next one is published before it signs.
    fn document(&self, tenant: &Tenant, _now: Timestamp) -> Result<Reply, ProtocolError> {
        let own = self.0.connection;
        let signing = tenant.keys.oidc_client.iter().filter(|(id, key)| *id == own && key.state != KeyState::Retired);
        let decryption =
            tenant.keys.oidc_decryption.iter().filter(|(id, key)| *id == own && key.state != KeyState::Retired);
        let keys: Vec<_> = signing.map(|(_, key)| &key.jwk).chain(decryption.map(|(_, key)| &key.jwk)).collect();
        let set = json!({ "keys": keys }).to_string();
        Ok(Reply::body(200, "application/jwk-set+json", set).with_header("cache-control", "public, max-age=300"))
    }

    /// The tenant's own keys are not for providers: each connection has keys of its own.
    fn uses_key(&self, _purpose: KeyPurpose) -> bool {
        false
    }
}
