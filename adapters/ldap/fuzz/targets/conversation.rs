//! What clients say to our LDAP server.
#![no_main]

use fedbridge_ldap_fuzz::{conversation, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("conversation", seeds::conversations), |octets: &[u8]| conversation::check(octets));
