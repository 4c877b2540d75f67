//! What the connection remembers of a request until its answer comes.

use fedbridge_contract::ids::ConnectionId;
use serde::{Deserialize, Serialize};

/// Kept with the transaction on the server; the browser never sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestState {
    /// The connection that asked. An answer is only ever checked against its own.
    pub connection: ConnectionId,
    /// The AuthnRequest's ID, which `InResponseTo` must name.
    pub request: String,
    /// The provider that was asked. A change of metadata on the way ends the login.
    pub idp: String,
    /// ForceAuthn was sent, so the authentication must be new.
    pub forced: bool,
    /// The key that signed the request. An answer shows that the provider has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<String>,
}

impl RequestState {
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts and a flag: this can't fail, and an empty state is refused when it comes back.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}
