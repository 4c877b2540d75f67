//! SCIM 2.0 (RFC 7643, RFC 7644): directories push people and groups here.
//!
//! A request passes [`auth`], and is dispatched by [`endpoint`] to one file for each thing that can be asked. What
//! documents mean is the engine's (`fedbridge-scim-core`); what becomes of people is the hub's
//! ([`PushDesk`](fedbridge_contract::push::PushDesk)). Between them, [`data`] makes of a document what the hub wants to
//! know, and [`view`] makes of a record what a client sees.

mod answer;
mod auth;
mod bulk;
mod check;
mod credentials;
mod cursor;
mod data;
mod discovery;
mod endpoint;
mod factory;
mod find;
mod list;
mod members;
mod oauth;
mod settings;
mod view;
mod write;

pub use factory::ScimFactory;
