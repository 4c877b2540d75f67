//! The way to a directory: servers, TLS, pools, binds and searches. Whoever uses it sees no socket and no library.
//!
//! ```text
//! Upstream::open(settings, services)             no network yet
//!   .search_all(&search)                          -> Answers { entries, result, references }, asked again of another
//!                                                    server where the first is lost
//!   .search(search)                               -> Entries, one by one, page by page
//!   .compare(dn, attribute, value)                -> LdapResult
//!   .bind(name, password, limit)                  -> BindResult: whether a password is right, and nothing else
//!   .as_user(name, password, limit)               -> AsUser: a connection that is the person's, to change the password
//!   .service()                                    -> Lease: a connection of the service account, for a few operations
//!                                                    that must be done at one server
//!   .examine()                                    -> what each server says of itself, for `check`
//! ```
//!
//! `Lease` and `AsUser` give a [`Session`]: `all`, `compare`, `modify`, `extended`. `Lease::into_search` streams.
//!
//! What a server answers is a [`LdapResult`](fedbridge_ldap_core::LdapResult), whatever its code; [`WireError`] is for
//! answers that did not come. One connection has one operation at a time.
//!
//! The road of a connection: `servers.rs` says which server, `connect.rs` dials, `tls.rs` and `start_tls.rs` encrypt,
//! `bind.rs` says who we are, `pool.rs` keeps it, `silence.rs` gives up a server that hangs. Up to there messages are read and written by `channel.rs`. Searches
//! and their kind go through `seam.rs`, the one file that names the LDAP library, behind `pipe.rs`, which lets only
//! messages through that our own codec has read.

mod again;
mod bind;
mod channel;
mod connect;
mod error;
mod keeper;
mod pipe;
mod pool;
mod referral;
mod seam;
mod search;
mod servers;
mod session;
mod settings;
mod silence;
mod srv;
mod start_tls;
mod tls;
mod upstream;

pub use bind::BindResult;
pub use connect::{CertificateFacts, ServerReport};
pub use error::{Stage, WireError};
pub use search::{Answers, Entries, Entry, Item, Search};
pub use session::{AsUser, Change, Extended, Lease, Session};
pub use settings::{
    Account, Encryption, Order, Pool, ServerAddress, Settings, SettingsError, Timeouts, TlsSettings, Where,
};
pub use upstream::Upstream;

#[cfg(test)]
mod tests;
