//! A scripted OpenID provider: it makes its keys at run time and speaks with the bridge, rightly but for
//! one lie. For tests and the bench; never part of a released registry.
//!
//! ```text
//! let op = ScriptedOp::new("https://op.example", clock)?;
//! op.metadata();                              // what discovery answers
//! op.tell(&RENEWAL[0]);                       // from now on it lies in one thing
//! let callback = op.answer(&location);        // plays browser and provider: location -> the callback request
//! op.seen().count(Endpoint::Token);           // what the bridge asked of it
//! ```
//!
//! In memory it is an [`Egress`](fedbridge_contract::services::Egress); over TCP it serves whole browsers.

mod endpoints;
mod http;
mod jwt;
mod keys;
mod lie;
mod lies;
mod logout;
mod op;
mod wire;

pub use http::{Asked, HttpAnswer, Manner, Running, basic, parameter, parameters, serve};
pub use jwt::{JwtPlan, Scene, Signature};
pub use keys::{KeyKind, OpKey, OpKeys};
pub use lie::{Change, DocumentPlan, Lie, ParameterPlan, Verdict, When, Wish};
pub use lies::{FRAME, LIES, LOGOUT_TOKEN, METADATA, RENEWAL, WAY_BACK, all_lies};
pub use op::{Call, Endpoint, Login, Person, ScriptedOp, Seen, Traits};
pub use wire::Wires;
