//! Unmodified OpenID providers as what a company logs in at: each logs a person in to an app that is not ours,
//! refreshes, and logs out both ways.

mod company;
mod keycloak;
mod lemonldap;
mod oidc_provider;

pub use keycloak::start_in_the_background as start_keycloak;
