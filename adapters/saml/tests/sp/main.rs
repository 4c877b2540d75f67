//! The SAML service provider against a scripted identity provider. Keys and
//! messages are made at run time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::type_complexity)]

mod artifact;
mod attacks_messages;
mod attacks_signatures;
mod contract;
mod corpus;
mod documents;
mod encrypted_parts;
mod encryption;
mod imports;
mod logins;
mod logout;
mod publishing;
mod requests;
mod schema;
mod support;
mod unsolicited;
mod vendors;
