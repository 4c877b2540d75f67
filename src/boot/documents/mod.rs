//! The life of what partners publish: looked at on a schedule and when a key is unknown, put in force
//! where nothing gets weaker, held for approval otherwise. Whatever fails, the last good document stays.

pub mod due;
mod keep;

pub use keep::{Keeper, Seen};
