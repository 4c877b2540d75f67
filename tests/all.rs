//! The one integration-test binary: the built program against real peers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stderr)]

mod cli;
mod crash;
mod demo;
mod login_browser;
mod metadata;
mod oauth;
mod once;
mod operation;
mod road;
mod rotation;
mod support;
mod tidy;
