//! SAML 2.0 for fedbridge: the service provider side of a connection.
//!
//! Start with [`factory`] (settings become an adapter) and [`sp`] (one login from
//! the request to the identity). [`seam`] is the one place that touches libxml2
//! and xmlsec: nothing else in the product reads received XML.

pub mod check;
pub mod factory;
mod grammar;
pub mod instant;
pub mod metadata;
pub mod names;
mod random;
pub mod seam;
pub mod settings;
mod signing;
pub mod sp;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod writer;

pub use factory::SamlFactory;
use seam::SeamError;

/// Sets the XML libraries up and proves that everything which SAML does not need is shut.
/// The program calls it once, before it opens a listener.
///
/// # Errors
/// The libraries are not as they must be; the program must not serve SAML then.
pub fn init() -> Result<(), SeamError> {
    seam::init()?;
    seam::assert_closed()
}
