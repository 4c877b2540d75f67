//! The identity provider as apps see it, with services in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod artifact;
mod corpus;
mod injection;
mod logins;
mod logout;
mod names;
mod publishing;
mod refusals;
#[path = "../../../tests/sp/schema.rs"]
mod schema;
mod settings;
mod signatures;
mod support;
mod wrong_requests;
mod xmlsec1;
