//! Logout messages by post and by SOAP, and the answers to our own SOAP calls.
#![no_main]

use fedbridge_saml_fuzz::{logout, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("logout", seeds::logouts), |octets: &[u8]| logout::check(octets));
