//! SCIM from outside: what real clients make of it, and what is closed when the directory has its answer.

pub mod client;
mod credentials;
mod explain;
mod shut;
mod tester;
