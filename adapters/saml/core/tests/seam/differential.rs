//! Spoiled messages, with xmlsec1 as the second opinion: we may be stricter, never looser.

use fedbridge_saml_core::seam::{Limits, UnverifiedDocument, VerifyPolicy};

use crate::keys::idp;
use crate::message::{assertion, name_id, response, sign_with_certificate};
use crate::xmlsec1;

/// A small generator with a fixed start, so that a failure can be repeated.
pub struct Dice(pub u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit).unwrap()).unwrap()
    }
}

pub fn spoil(good: &[u8], dice: &mut Dice) -> Vec<u8> {
    const PIECES: [&[u8]; 14] = [
        b" ",
        b"\n",
        b"<",
        b">",
        b"'",
        b"\"",
        b"&amp;",
        b"<!---->",
        b"<?a?>",
        b"<![CDATA[]]>",
        b"A",
        b"_a1",
        b"\xEF\xBB\xBF",
        b"xmlns",
    ];
    let mut octets = good.to_vec();
    for _ in 0..=dice.below(2) {
        let at = dice.below(octets.len());
        match dice.below(5) {
            0 => drop(octets.remove(at)),
            1 => octets[at] = PIECES[dice.below(PIECES.len())][0],
            2 => drop(octets.splice(at..at, PIECES[dice.below(PIECES.len())].iter().copied())),
            3 => {
                let end = (at + dice.below(200)).min(octets.len());
                let piece = octets[at..end].to_vec();
                let to = dice.below(octets.len());
                drop(octets.splice(to..to, piece));
            }
            _ => {
                let end = (at + dice.below(200)).min(octets.len());
                octets.drain(at..end);
            }
        }
    }
    octets
}

#[test]
fn what_we_accept_is_what_was_signed() {
    // Without KeyInfo: xmlsec1 reads it and we do not.
    let good = sign_with_certificate(&response("_r1", &assertion("_a1", "person")), "_a1", idp(), None);
    let key = [idp().verify_key()];
    let signed = {
        let document = UnverifiedDocument::parse(good.as_bytes(), Limits::message()).unwrap();
        verify_any(&document, &key).unwrap()
    };
    let mut dice = Dice(0x2026_1122);
    let mut accepted = 0;
    for _ in 0..6_000 {
        let spoiled = spoil(good.as_bytes(), &mut dice);
        let Ok(document) = UnverifiedDocument::parse(&spoiled, Limits::message()) else {
            continue;
        };
        let Some(octets) = verify_any(&document, &key) else {
            continue;
        };
        assert_eq!(octets, signed, "{}", String::from_utf8_lossy(&spoiled));
        accepted += 1;
        if accepted <= 40 {
            assert!(xmlsec1::accepts(&spoiled, idp()), "{}", String::from_utf8_lossy(&spoiled));
        }
    }
    assert!(accepted > 40, "some changes are outside the signature: {accepted}");
}

fn verify_any(document: &UnverifiedDocument, key: &[fedbridge_saml_core::seam::VerifyKey]) -> Option<Vec<u8>> {
    let mut all = document.unverified_root().descendants();
    let verified = all.find_map(|element| document.verify_enveloped(element, key, &VerifyPolicy::default()).ok())?;
    assert_eq!(name_id(&verified), "person");
    Some(verified.octets().to_vec())
}
