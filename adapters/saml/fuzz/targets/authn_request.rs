//! What a service provider sends people with, by post and by redirect.
#![no_main]

use fedbridge_saml_fuzz::{authn_request, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("authn_request", seeds::authn_requests), |octets: &[u8]| authn_request::check(octets));
