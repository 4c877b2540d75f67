//! SCIM 2.0 without any I/O: what the documents of RFC 7643 mean, and what the requests of RFC 7644 do to them.
//!
//! A body is read by [`json`], and becomes a [`resource::Draft`] by what [`schema`] knows of attributes. [`filter`] is
//! the query language, [`patch`] the changes, and [`path`] what both of them point with. [`projection`] and [`list`]
//! make answers; [`bulk`] takes many requests apart. What products do in their own way is data in [`profiles`].
//!
//! A group's members are not part of its document: they are rows elsewhere, so that one more of them costs the same
//! however many there are. A patch gives back what changes about them ([`patch::MemberChange`]).

pub mod bulk;
pub mod discovery;
pub mod error;
pub mod filter;
pub mod json;
pub mod list;
pub mod patch;
pub mod path;
pub mod profiles;
pub mod projection;
pub mod resource;
pub mod schema;
mod value;
pub mod version;

pub use error::{Fault, ScimType};
pub use profiles::Profile;
pub use schema::{ResourceKind, Schemas};
