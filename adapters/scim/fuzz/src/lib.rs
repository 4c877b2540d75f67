//! What the fuzz targets share. Nothing here hangs on a clock or on randomness, so an input which was a finding stays
//! one.
//!
//! A panic is a finding, and so is what the targets assert of inputs that were accepted.

pub mod body;
pub mod filter;
pub mod patch;
pub mod path;
pub mod seeds;
mod world;
