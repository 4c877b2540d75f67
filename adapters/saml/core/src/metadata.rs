//! Metadata of both sides: the partner's is imported, ours is published.

pub mod import;
pub mod publish;
mod reduce;

pub use crate::trust::TrustedKey;
pub use import::{IdpDescription, RequestBinding, SsoEndpoint};
