//! The hub: the one road that every login takes, whichever protocols stand at
//! its two ends.
//!
//! [`decide`] is synchronous and pure: mapping, policy, release. The live login,
//! the preview and the replay of a recorded login call the same functions, so
//! they can't disagree. `run` is asynchronous and works over [`ports`].

pub mod admin;
pub mod decide;
pub mod mapping;
pub mod ports;
pub mod run;
pub mod spec;
pub mod suggest;
pub mod throttle;
