//! What is promised in milliseconds. `make test` runs these one at a time, after all others: they need the machine.

mod failover;
mod kills;
mod refused_binds;
mod surfaces;
