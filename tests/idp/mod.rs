//! The bridge as SAML identity provider of real, unmodified service providers: a login with attributes and
//! NameID, a logout that the app begins, and one that another app begins.

mod apache;
mod node_saml;
mod partial;
mod python;
mod simplesamlphp;
mod six;
pub mod world;
