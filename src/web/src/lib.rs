//! The web layer: octets of HTTP in, [`HttpInput`] to the hub, [`Reply`] back to octets.
//!
//! This is the only crate that knows actix. It decides nothing about logins: a
//! path becomes a [`Place`], the [`Dispatch`] port says what stands there, and
//! the reply is rendered with the headers that every answer carries.
//!
//! A request passes through `service`, `place`, `request` and `reply`, in this order. A page is made in `pages`,
//! in what `dress` says that it wears, with the `words` of one language.
//!
//! [`HttpInput`]: fedbridge_contract::http::HttpInput
//! [`Reply`]: fedbridge_contract::http::Reply

mod body;
mod cookies;
mod dispatch;
mod dress;
mod fault;
mod headers;
mod href;
mod management;
mod observe;
mod pages;
mod peer;
mod place;
mod reply;
mod request;
mod server;
mod service;
mod site;
mod tls;
mod words;

pub use dispatch::{Dispatch, Found, Handle};
pub use management::{Management, Readiness, serve_management};
pub use observe::{Observe, Served};
pub use peer::{BadNetwork, Network};
pub use place::Place;
pub use server::{Limits, WebConfig, serve};
pub use site::{BadBaseUrl, Site};
pub use tls::{Tls, TlsError};
