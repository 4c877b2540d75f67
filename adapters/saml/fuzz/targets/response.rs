//! What a browser posts to the assertion consumer service.
#![no_main]

use fedbridge_saml_fuzz::{response, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("response", seeds::responses), |octets: &[u8]| response::check(octets));
