//! A ticket: what a browser or an app holds to name a row of the store, such as an
//! authorization code. It is an id and a secret in one text. The id finds the row
//! by its primary key; the row keeps a hash of the whole text, which must match.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::Uuid;

use crate::services::Rng;

/// Octets of the secret: 192 bits, where RFC 6749 section 10.10 asks for 128 and more.
const SECRET: usize = 24;

/// Characters of a ticket. A SAML RelayState may have 80 (SAML bindings 3.4.3).
pub const LENGTH: usize = 54;

/// Makes the ticket of an id.
pub fn ticket(id: Uuid, rng: &dyn Rng) -> String {
    let mut octets = [0; 16 + SECRET];
    let (head, secret) = octets.split_at_mut(16);
    head.copy_from_slice(id.as_bytes());
    rng.fill(secret);
    URL_SAFE_NO_PAD.encode(octets)
}

/// The id that a ticket claims to be of; `None` for a text that is no ticket.
pub fn id_of(text: &str) -> Option<Uuid> {
    let mut octets = [0; 16 + SECRET];
    if text.len() != LENGTH {
        return None;
    }
    let written = URL_SAFE_NO_PAD.decode_slice(text, &mut octets).ok()?;
    let id: [u8; 16] = octets.get(..16)?.try_into().ok()?;
    (written == octets.len()).then(|| Uuid::from_bytes(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Sevens;

    impl Rng for Sevens {
        fn fill(&self, octets: &mut [u8]) {
            octets.fill(7);
        }
    }

    #[test]
    fn a_ticket_names_its_id() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef);
        let text = ticket(id, &Sevens);
        assert_eq!(text.len(), LENGTH);
        assert_eq!(id_of(&text), Some(id));
    }

    #[test]
    fn other_texts_are_no_tickets() {
        for text in ["", "x", &"!".repeat(LENGTH), &"A".repeat(LENGTH - 1), &"A".repeat(LENGTH + 1), &"é".repeat(27)] {
            assert_eq!(id_of(text), None, "{text}");
        }
    }
}
