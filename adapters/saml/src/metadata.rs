//! Metadata of both sides: the identity provider's is imported, ours is published.

pub mod import;
pub mod publish;
mod reduce;

pub use import::{IdpDescription, SsoEndpoint, TrustedKey};
