//! The provider as apps and browsers meet it, over in-memory services.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod authorize;
mod backchannel_logout;
mod client_auth;
mod code;
mod credentials;
mod documents;
mod frontchannel_logout;
mod introspection;
mod jwt_kinds;
mod limits;
mod logout;
mod redirect_corpus;
mod reductions;
mod refresh;
mod revalidation;
mod settings;
mod support;
mod tenants;
mod userinfo;
