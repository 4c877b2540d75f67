//! The SAML service provider against a scripted identity provider. Keys and
//! messages are made at run time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)]

mod attacks_messages;
mod attacks_signatures;
mod contract;
mod encryption;
mod imports;
mod logins;
mod publishing;
mod requests;
mod schema;
mod support;
