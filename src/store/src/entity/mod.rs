//! The tables of the configuration. Only this crate sees them.

pub mod app;
pub mod connection;
pub mod document;
pub mod domain;
pub mod installation;
pub mod secret;
pub mod signing_key;
pub mod tenant;
