//! The client against an app in memory that is as strict as the standard, and as awkward as apps are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod app;
mod faults;
mod generated;
mod run;
