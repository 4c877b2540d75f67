//! OpenID Connect for fedbridge: the relying party side of a connection.
//!
//! Start with [`factory`] (settings become an adapter) and [`party`] (one opened connection). Follow a login:
//! [`request`] sends the browser out, [`callback`] reads what comes back, and [`complete`] redeems the code
//! ([`token_endpoint`]), checks the ID token ([`token`] for what all signed tokens have in common, then [`id_token`]),
//! asks for more claims ([`userinfo`], [`merge`], [`groups`]) and says who the person is ([`subject`],
//! [`attributes`], [`authn`]). What products do their own way is a table in [`profiles`].

mod attributes;
mod authn;
mod callback;
mod check;
pub mod checks;
pub mod claims;
pub mod client_auth;
mod complete;
mod documents;
mod encrypted;
pub mod factory;
mod front_channel;
mod groups;
pub mod id_token;
mod initiate;
pub mod issuer;
pub mod jwks;
mod logout;
mod logout_token;
mod merge;
pub mod metadata;
mod okta_groups;
mod parameters;
pub mod party;
pub mod profiles;
pub mod provider_call;
mod publish;
mod pushed;
mod refresh;
mod request;
mod request_object;
mod security_event;
pub mod settings;
pub mod state;
pub mod subject;
pub mod token;
pub mod token_endpoint;
mod token_revocation;
pub mod unverified;
mod userinfo;

pub use factory::OidcFactory;
