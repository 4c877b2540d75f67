//! Filters, and who matches them.
#![no_main]

use fedbridge_scim_fuzz::{filter, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("scim_filter", seeds::filters), |octets: &[u8]| filter::check(octets));
