//! The query of a redirect, up to the logout message in it.
#![no_main]

use fedbridge_saml_fuzz::{redirect, seeds};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: seeds::write("redirect", seeds::queries), |octets: &[u8]| redirect::check(octets));
