//! Patches of users and groups.
#![no_main]

use fedbridge_scim_fuzz::{patch, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("scim_patch", seeds::patches), |octets: &[u8]| patch::check(octets));
