//! The endpoint as a client sees it, over a desk in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod access;
mod bulk;
mod desk;
mod lists;
mod oauth;
mod products;
mod refusals;
mod resources;
mod rfc7644;
mod settings;
mod world;
