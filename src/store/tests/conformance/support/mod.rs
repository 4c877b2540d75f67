//! Databases to test on, and a small world in them.

mod database;
mod world;

pub use database::Database;
pub use world::{Login, World, at, hash, sealer, seconds};
