//! Metadata of both sides: the partner's is imported, ours is published.

mod bounds;
pub mod drift;
mod entities;
pub mod import;
mod parts;
pub mod publish;
mod reduce;
mod requested;
mod signed;
pub mod sp;

pub use crate::trust::TrustedKey;
pub use import::{IdpDescription, RequestBinding, SsoEndpoint};
pub use parts::{EncryptionKey, LogoutBinding, LogoutEndpoint, logout_endpoint};
pub use requested::{AttributeService, RequestedAttribute};
pub use signed::{hold_to_pin, pinned_keys, verify_document};
pub use sp::{AcsBinding, AcsEndpoint, SpDescription, import_sp};
