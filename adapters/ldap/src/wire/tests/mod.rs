//! Each number of the requirements, against servers on real sockets.

mod encrypted;
mod failing_over;
mod lying;
mod pooled;
mod searching;
mod support;
