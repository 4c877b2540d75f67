//! Directories: real ones as peers, ours beside them, and a client that shows every octet.

pub mod certificates;
pub mod client;
pub mod company;
pub mod connections;
pub mod servers;
pub mod tools;
pub mod web;
pub mod wire;
