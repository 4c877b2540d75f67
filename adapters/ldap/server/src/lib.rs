//! An LDAP server for old apps, the downstream role: it shows the people of a tenant, and takes their binds.
//!
//! The protocol: `speaker` is what the listeners know, `session` goes through the messages of one connection, whose
//! octets are in `pipe`; each operation has a file. The directory: `backend` is the seam between the two;
//! `directories` hears of changes, a `snapshot` is one tenant's state, whose people are in `index` and whose searches go
//! through `engine`, behind the views of `access`.

mod access;
mod assertion;
pub mod backend;
mod bind;
mod cache;
mod catalogue;
mod compare;
pub mod controls;
mod deadline;
mod directories;
mod engine;
mod entry;
pub mod extended;
mod fixed;
mod index;
mod layout;
mod learn;
mod least;
mod limits;
mod mac;
mod paging;
mod pass;
mod pass_filter;
mod pipe;
mod root_dse;
mod sasl;
mod schema_entry;
mod search;
mod session;
pub mod settings;
mod snapshot;
mod speaker;
mod standing;
mod trace;
mod tree;
mod verdict;
mod writes;

pub use directories::Held;
pub use least::{Learnt, learnt};
pub use limits::Patience;
pub use speaker::{LdapServer, Rules};
