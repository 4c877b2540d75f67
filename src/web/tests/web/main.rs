//! The web layer over a real socket, with a scripted hub behind it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod answers;
mod dress;
mod limits;
mod lives;
mod pages;
mod requests;
mod support;
