//! Checks that stop a login.

pub use fedbridge_contract::checks::{Checked, Stop, not_accepted, refuse, require, require_equal};
