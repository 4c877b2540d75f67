//! What both OpenID Connect roles stand on: JOSE on openssl, strict JSON, published documents.
//!
//! Nothing here is an adapter. A key never comes from a message, and the list of what is accepted decides
//! which algorithm counts, never a header.

pub mod cache;
pub mod hash;
pub mod jwk;
pub mod jws;
pub mod pkce;
pub mod settings_reader;
pub mod strict_json;
#[cfg(feature = "testkit")]
pub mod testkit;
