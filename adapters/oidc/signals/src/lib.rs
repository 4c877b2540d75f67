//! The transmitter of shared signals: what receivers talk to (OpenID Shared Signals Framework 1.0).
//!
//! A receiver shows its bearer token ([`auth`]), looks at its [`stream`] and changes it, and fetches what waits by
//! [`poll`] (RFC 8936). What is pushed to it (RFC 8935) the hub sends; [`token`] makes what is sent either way.

mod answer;
mod auth;
mod configuration;
mod poll;
pub mod settings;
mod stream;
mod subjects;
mod token;
mod transmitter;

pub use transmitter::Transmitter;
