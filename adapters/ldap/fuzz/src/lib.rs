//! What the fuzz targets share. Clock and randomness are the same in every run, so that an input which was a finding
//! stays one.
//!
//! A panic is a finding, and so is what the targets assert of inputs that were accepted.

pub mod ber;
pub mod conversation;
pub mod dn;
pub mod filter;
mod house;
pub mod seeds;
mod wire;
