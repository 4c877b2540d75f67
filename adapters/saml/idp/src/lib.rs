//! SAML 2.0 for fedbridge: the identity provider side, which apps talk to.
//!
//! A login comes in at [`accept`] (or at [`start`], without a request), goes through the hub, and leaves
//! by [`answer`]. Requests are read by `fedbridge-saml-core` alone, everything that goes out is made by its
//! writer, which escapes every value.

mod accept;
mod acs;
mod answer;
mod artifact;
mod asked;
mod assertion;
mod attributes;
mod authn;
mod check;
mod documents;
mod logout;
mod metadata;
mod name_id;
mod page;
mod provider;
mod request;
mod resolve;
mod response;
pub mod settings;
mod start;
mod status;
mod verify;
mod visits;
mod wish;

pub use provider::SamlIdentityProvider;
