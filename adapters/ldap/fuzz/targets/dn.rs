//! Distinguished names, and values to be compared.
#![no_main]

use fedbridge_ldap_fuzz::{dn, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("dn", seeds::names), |octets: &[u8]| dn::check(octets));
