//! The engine by what the RFCs say and by what products send, and beside a plain model of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bodies;
mod bounds;
mod bulk;
mod filters;
mod model;
mod oracle;
mod paths;
mod products;
mod shown;
mod support;
