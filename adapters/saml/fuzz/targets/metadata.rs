//! What a partner publishes, and an admin or a refresh brings in.
#![no_main]

use fedbridge_saml_fuzz::{metadata, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("metadata", seeds::metadata), |octets: &[u8]| metadata::check(octets));
