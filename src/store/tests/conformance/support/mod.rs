//! Databases to test on, and a small world in them.

mod database;
mod full;
pub mod made;
mod world;

pub use database::{Database, SERVER_FOLDER};
pub use full::{Full, kept_tokens, new_proof};
pub use world::{Login, World, at, hash, sealer, seconds};
