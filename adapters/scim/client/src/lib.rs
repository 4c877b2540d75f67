//! The SCIM client: people and groups of a tenant, kept in step at an app that has a SCIM server of its own (RFC 7644).
//!
//! [`desired`] is what the app should have of somebody, [`difference`] what is different there, and [`plan`] the steps
//! of a whole run, as data: all three are pure. [`Client`] talks to the app, and [`carry`] carries a step of a plan out.
//! A dry run prints the plan that a run carries out.

pub mod carry;
mod check;
pub mod client;
pub mod desired;
pub mod difference;
mod path;
pub mod plan;
mod read;
pub mod settings;

pub use check::check;
pub use client::{CallFailed, Client, Secret};
pub use path::AttributePath;
pub use read::RemoteResource;
pub use settings::ScimAppSettings;
