//! The adapter against a directory in memory, from its factory on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod again;
mod groups;
mod logins;
mod server;
mod sync;
mod world;
