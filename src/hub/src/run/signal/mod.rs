//! What happens to people, told to whoever wants to hear of it (Shared Signals Framework 1.0).
//!
//! [`make`] makes the commands that go into the unit of what happened: one for each receiver, so that nothing is told that
//! did not happen, and nothing that happened is forgotten. [`send`] has them pushed; polls are the adapter's.

mod make;
mod send;

pub(in crate::run) use make::KEPT;
pub use make::{Happened, Initiator};
