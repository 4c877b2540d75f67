//! Boot: settings, the bridge file, the command line, and the wiring of all parts.
//!
//! `registry` is the only file that names adapter crates. `foundation` opens what every command
//! stands on, `serve` runs the server.

mod background;
pub mod bridge;
pub mod cli;
pub mod demo;
pub mod documents;
pub mod egress;
mod foundation;
mod front;
mod janitor;
mod ldap;
mod logging;
mod metrics;
pub mod provisioning;
mod radar;
pub mod registry;
mod reload;
mod restate;
mod rollover;
pub mod serve;
pub mod settings;
mod sightings;
mod survey;
mod sync;
mod watch;
pub mod wiring;

pub use foundation::Foundation;
