//! What the fuzz targets share. Clock, randomness and the provider's key are the same in every
//! run, so that an input which was a finding stays one.
//!
//! A panic is a finding, and so is what the targets assert of inputs that were accepted.

pub mod authn_request;
pub mod logout;
pub mod metadata;
pub mod redirect;
pub mod response;
pub mod seeds;
mod services;
pub mod world;
