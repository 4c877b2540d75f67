//! LDAP for fedbridge, the upstream side: passwords are checked at a company's directory, and its people are read.
//!
//! Start with [`factory`] (settings become an adapter) and [`directory`] (one opened connection). Follow a password:
//! [`password`] is asked, [`verify`] goes from the name ([`names`]) to the entry ([`find`], [`ranged`]), asks the
//! server, judges its answer ([`codes`], [`ppolicy`]) and the account's [`state`], and says who it is ([`key`],
//! [`groups`], [`attributes`]). [`prove`] asks for the password alone, of somebody who was seen ([`accounts`]).
//! [`lockout`] is what the directory does about wrong ones by itself. [`change`] sets a new one, [`refresh`] looks at a
//! session's person again, [`check`] at the servers, and [`pass_through`] lets our own LDAP server show what is there.
//! [`sync`] reads all people, each as a [`record`]. What products do their own way is a table in [`flavors`]. [`wire`] is
//! the way to the servers.

mod accounts;
pub mod attributes;
mod change;
mod check;
pub mod codes;
pub mod directory;
pub mod dn_template;
pub mod entry;
pub mod factory;
pub mod find;
pub mod flavors;
pub mod groups;
pub mod key;
mod lockout;
pub mod names;
mod pass_through;
mod password;
pub mod ppolicy;
mod prove;
mod ranged;
pub mod record;
mod refresh;
pub mod settings;
pub mod state;
mod sync;
mod verify;
pub mod wire;

pub use factory::LdapFactory;
