//! Bodies of requests.
#![no_main]

use fedbridge_scim_fuzz::{body, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("scim_body", seeds::bodies), |octets: &[u8]| body::check(octets));
