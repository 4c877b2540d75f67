//! Identifiers of messages.

use std::fmt::Write as _;

use fedbridge_contract::services::Rng;

/// `_` and 128 random bits in hexadecimal: an NCName that nobody can guess (SAML core 1.3.4).
/// The underscore is there because a name may not start with a digit; Entra checks it.
pub fn message_id(rng: &dyn Rng) -> String {
    let mut bytes = [0; 16];
    rng.fill(&mut bytes);
    bytes.iter().fold(String::from("_"), |mut id, byte| {
        let _ = write!(id, "{byte:02x}"); // Writing to a String can't fail.
        id
    })
}
