//! SAML 2.0 for fedbridge: the service provider side of a connection.
//!
//! Start with [`factory`] (settings become an adapter) and [`sp`] (one login from
//! the request to the identity). Received XML is read by `fedbridge-saml-core` alone.

mod advice;
pub mod check;
mod documents;
pub mod factory;
mod logout;
pub mod publish;
pub mod settings;
pub mod sp;

pub use factory::SamlFactory;
#[cfg(feature = "testkit")]
pub use fedbridge_saml_core::testkit;
pub use fedbridge_saml_core::{init, names, seam};
