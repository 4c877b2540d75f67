//! Paths of attributes and of patches.
#![no_main]

use fedbridge_scim_fuzz::{path, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("scim_path", seeds::paths), |octets: &[u8]| path::check(octets));
