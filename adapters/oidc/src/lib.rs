//! OpenID Connect. [`op`] is the provider that apps talk to.

pub mod op;
