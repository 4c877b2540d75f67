//! Bindings, logout messages, partners' metadata and encryption: what both roles use.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bindings;
mod encrypt;
mod logout;
mod providers;
#[path = "../../../tests/sp/schema.rs"]
mod schema;
mod support;
