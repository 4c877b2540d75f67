//! A provider that lies in one thing, in memory.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod documents;
mod encryption;
mod initiate;
mod login;
mod logout;
mod refresh;
mod requests;
mod security_event;
mod table;
mod times;
mod token_revocation;
mod vendors;
mod world;
