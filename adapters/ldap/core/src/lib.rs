//! What both LDAP roles stand on: messages, filters, names and values.
//!
//! Octets come in through [`Framer`], which cuts them into [`Frame`]s and has [`guard`] look at every length
//! before anything is decoded. [`ber`] is the one file that names the library below. [`Message`] is what the
//! protocol says, [`Filter`] and [`Dn`] are its two small languages, [`schema`] knows attributes and how their
//! values are compared ([`prep`], [`matching`]), [`value`] reads what directories keep in their own forms.
//!
//! Values are octets, names are UTF-8 (RFC 4511 section 4.1.2).

pub mod attribute;
pub mod ber;
pub mod control;
pub mod dn;
pub mod extended;
pub mod filter;
pub mod frame;
pub mod guard;
pub mod matching;
pub mod message;
pub mod password_policy;
pub mod prep;
pub mod result;
pub mod schema;
pub mod sync;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod value;

pub use control::Control;
pub use dn::{Ava, Dn};
pub use filter::{Filter, FilterTemplate, Substrings};
pub use frame::{Frame, Framer, envelope};
pub use guard::Malformed;
pub use message::{Auth, Done, Entry, Message, Op, Scope, Search, Unreadable, Write};
pub use result::{Code, LdapResult};
