//! The life of what partners publish: looked at on a schedule and when a key is unknown, put in force
//! where nothing gets weaker, held for approval otherwise. Whatever fails, the last good document stays.

mod ask;
pub mod due;
pub mod gauges;
mod keep;
mod read;
mod record;
pub mod seed;

pub use ask::LookOnDemand;
pub use keep::{Keeper, Published, Seen};
pub use record::Trigger;
