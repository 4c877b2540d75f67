//! The contract between the hub and the protocol adapters.
//!
//! An adapter speaks one protocol and knows nothing of the others. It sees the
//! hub through the traits of [`services`], and the hub sees it through
//! [`upstream`], [`downstream`] and [`factory`]. Nothing here performs I/O.
//!
//! Read in this order: [`identity`], [`upstream`], [`downstream`], [`logout`],
//! [`services`], [`factory`], [`documents`].

pub mod checks;
pub mod claims;
pub mod config;
pub mod current;
pub mod directory;
pub mod documents;
pub mod downstream;
pub mod egress;
pub mod epoch;
pub mod error;
pub mod factory;
pub mod grant;
pub mod http;
pub mod identity;
pub mod ids;
pub mod keys;
pub mod ldap_directory;
pub mod listener;
pub mod logout;
pub mod loopback;
pub mod page;
pub mod password;
pub mod proof;
pub mod push;
pub mod reader;
pub mod runtime;
pub mod services;
pub mod sightings;
pub mod signals;
pub mod silence;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod text;
pub mod ticket;
pub mod time;
pub mod trace;
pub mod upstream;
