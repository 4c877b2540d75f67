//! Octets as they come over a connection.
#![no_main]

use fedbridge_ldap_fuzz::{ber, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("ber", seeds::messages), |octets: &[u8]| ber::check(octets));
