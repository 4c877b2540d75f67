//! SAML 2.0 for fedbridge: what both roles stand on.
//!
//! [`seam`] is the one place that touches libxml2 and xmlsec: nothing else in the
//! product reads received XML. [`binding`] takes messages out of requests, [`trust`]
//! says who vouches for them, [`grammar`] takes their trees apart, [`writer`] and
//! [`signing`] make what goes out, [`metadata`] reads what partners publish, [`vendor`]
//! knows the products behind it. The roles are crates of their own: `fedbridge-saml` and `fedbridge-saml-idp`.

pub mod binding;
pub mod grammar;
pub mod instant;
pub mod logout;
pub mod metadata;
pub mod name_id;
pub mod names;
pub mod random;
pub mod seam;
pub mod signing;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod trust;
pub mod turns;
pub mod vendor;
pub mod writer;

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
