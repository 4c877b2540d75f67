//! Reads queries, and takes the logout messages in them.

use fedbridge_saml_core::binding::redirect::RedirectMessage;
use fedbridge_saml_core::logout::Carried;
use fedbridge_saml_core::testkit::{Way, redirect_query};

use crate::logout;
use crate::world::{WORLD, query};

/// # Panics
/// A message was believed that no key vouched for.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if text.starts_with('<') {
        // A message alone: the fuzzer can't deflate and sign, so that is done for it.
        for way in [Way::Request, Way::Answer] {
            let Ok(signed) = redirect_query(way, text, Some("relay"), Some(&WORLD.idp.key)) else { continue };
            let read = RedirectMessage::read(&signed).expect("what was packed can be read");
            assert_eq!(read.xml, text.as_bytes(), "another message than was sent");
        }
        return;
    }
    if let Ok(message) = RedirectMessage::read(text) {
        assert!(message.xml.len() <= 1 << 20, "a message that is too large");
    }
    if let Ok(carried) = Carried::read(&query(text)) {
        logout::believed(&carried);
    }
}
