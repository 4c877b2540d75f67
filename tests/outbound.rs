//! Outbound SCIM from outside: apps with a SCIM server of their own are kept in step with what a directory pushes.

mod faults;
mod front;
mod nodes;
mod peers;
mod sources;
pub mod world;
