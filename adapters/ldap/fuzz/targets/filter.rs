//! Filters, as text and as octets.
#![no_main]

use fedbridge_ldap_fuzz::{filter, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("filter", seeds::filters), |octets: &[u8]| filter::check(octets));
