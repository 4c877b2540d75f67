//! The store: SQLite on one machine, PostgreSQL on several, one schema and one
//! set of SQL for both.
//!
//! Read in this order: `login` and `grants` (what the ports ask for), `unit`
//! (commands as guarded SQL), `work` (a guarded list of statements), then
//! `sqlite` or `postgres` (how such a list happens whole or not at all).
//!
//! [`Store`] answers for one tenant at a time: each of its methods names the
//! tenant, and each statement asks for it. What may look across tenants is
//! [`SystemStore`], named so that its users can be found.

mod admins;
mod app_passwords;
mod config;
mod consents;
mod documents;
mod ear;
mod entity;
mod epochs;
mod error;
mod factors;
mod failures;
mod grants;
mod handles;
mod janitor;
mod known_devices;
mod login;
mod logouts;
mod open;
mod people;
mod people_list;
mod posix;
mod postgres;
mod profiles;
mod provisioned;
mod pushed;
mod rollovers;
mod row;
mod shapes;
mod signals;
mod sqlite;
mod stats;
mod sync_states;
mod system;
mod traces;
mod unit;
mod upstream_tokens;
mod work;

pub use janitor::Swept;
pub use open::{OpenError, Store, StoreOptions};
pub use people_list::ListedPerson;
pub use stats::StoreStats;
pub use system::SystemStore;
