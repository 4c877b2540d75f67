//! The server as a client sees it, octet by octet, in front of a directory that is in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod binds;
mod bounds;
mod client;
mod codes;
mod log;
mod pages;
mod passwords;
mod sessions;
mod start_tls;
mod upstreams;
mod world;
