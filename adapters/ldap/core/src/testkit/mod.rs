//! Ldap-sim: a server that says what its play says, octet by octet, rightly or not. For tests; never part of a
//! release.
//!
//! ```text
//! let sim = Sim::start(|asked: &Asked<'_>| match &asked.message.op {
//!     Op::Bind { .. } => vec![say::bound()],
//!     Op::Search(_) => vec![say::entry("uid=a", &[("mail", &[b"a@b"])]), Step::Stall],
//!     _ => vec![Step::Close],
//! }).await?;
//! sim.address();                              // where it listens
//! sim.seen();                                 // what it was asked, by whom
//! sim.close_all();                            // and every connection is gone
//! ```
//!
//! With [`Tls`] it begins with a handshake, or has one in the middle; [`Authority`] makes the certificates, also such as
//! nobody should trust. [`Client`] is the other side.

mod certificates;
mod client;
pub mod say;
mod script;
mod sim;

pub use certificates::{Authority, Identity, Names, Validity};
pub use client::Client;
pub use script::{Expected, Script};
pub use sim::{Asked, Play, Seen, Sim, Step, Tls};
