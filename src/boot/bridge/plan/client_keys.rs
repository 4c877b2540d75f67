//! Keys with which a connection authenticates at its OpenID provider.

use std::collections::BTreeMap;

use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_hub::spec::{StoredKey, TenantConfiguration};
use serde_json::Value;

use crate::bridge::desired::{DesiredConnection, DesiredTenant};

use super::objects::Planner;
use super::{Effect, KeyWish, NewKeys, Object};

impl Planner<'_> {
    /// Makes what is missing. Where the algorithm changes, the keys of the one before sign no more, and stay
    /// published until a rotation lets them go.
    pub(super) fn client_keys(
        &mut self,
        tenant: &DesiredTenant,
        id: TenantId,
        old: Option<&TenantConfiguration>,
        ids: &BTreeMap<&str, ConnectionId>,
        new_keys: NewKeys<'_>,
    ) -> Result<(), String> {
        for connection in &tenant.connections {
            let (Some(algorithm), Some(connection_id)) = (wanted(connection), ids.get(connection.slug.as_str())) else {
                continue;
            };
            let mine =
                |key: &&StoredKey| key.connection == Some(*connection_id) && key.purpose == KeyPurpose::OidcClient;
            let there: Vec<&StoredKey> = old.map_or(&[][..], |old| &old.keys).iter().filter(mine).collect();
            let live = |key: &&&StoredKey| matches!(key.state, KeyState::Active | KeyState::Next);
            if there.iter().any(|key| key.algorithm == algorithm && key.state == KeyState::Active) {
                continue;
            }
            let others = there.iter().filter(live).map(|key| StoredKey {
                state: KeyState::Retiring,
                changed: self.now,
                ..(*key).clone()
            });
            let others: Vec<_> = others.collect();
            self.put_keys(others);
            self.put_keys(new_keys(id, &tenant.slug, KeyWish::Client(*connection_id, algorithm))?);
            let known = old.is_some_and(|old| old.connections.iter().any(|known| known.id == *connection_id));
            if known {
                let fields = vec![format!("a client key for {}", algorithm.name())];
                let object = Object::connection(&tenant.slug, &connection.slug);
                self.effect(Effect::Change { object, fields });
            }
        }
        Ok(())
    }
}

/// What the connection signs with, if it signs anything: client assertions, or signed request objects.
fn wanted(connection: &DesiredConnection) -> Option<SignatureAlgorithm> {
    if connection.protocol != "oidc" {
        return None;
    }
    let setting = |name: &str| connection.settings.get(name).and_then(Value::as_str);
    let assertion = match setting("token_endpoint_auth_method") {
        Some(method) => method == "private_key_jwt",
        None => connection.secrets.0.is_empty(),
    };
    let signs = assertion || setting("request_object") == Some("signed");
    let named = setting("client_assertion_alg").and_then(SignatureAlgorithm::from_name);
    signs.then(|| named.unwrap_or(SignatureAlgorithm::ES256))
}
