//! A provider that lies in one thing, in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod initiate;
mod login;
mod logout;
mod refresh;
mod table;
mod token_revocation;
mod world;
