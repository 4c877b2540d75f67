//! What an app password looks like: 25 letters of base32 in groups of five. The first four say which one it is, twenty
//! are the secret (100 bits), and the last one finds typing errors before anybody is asked.

use fedbridge_contract::ids::AppPasswordId;
use fedbridge_contract::password::Password;
use fedbridge_contract::services::Rng;

use crate::run::base32;

const TAG: usize = 4;
const SECRET: usize = 20;
const LENGTH: usize = TAG + SECRET + 1;

/// An app password as it is hashed: in lower case, without groups.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::run) struct AppToken(String);

impl AppToken {
    /// A new one for this id.
    pub fn new(id: AppPasswordId, rng: &dyn Rng) -> Self {
        let mut octets = [0; SECRET * 5 / 8 + 1];
        rng.fill(&mut octets);
        let mut text = tag(id);
        text.extend(base32::encode(&octets).chars().take(SECRET));
        text.push(check(&text));
        Self(text)
    }

    /// What was typed, where it can be one.
    pub fn typed(password: &Password) -> Option<Self> {
        let text = base32::typed(password.text().filter(|text| text.len() <= 64)?);
        let (inside, last) = text.split_at_checked(LENGTH - 1)?;
        let fits = text.len() == LENGTH && text.bytes().all(|letter| base32::value(letter).is_some());
        (fits && last.chars().eq([check(inside)])).then_some(Self(text))
    }

    /// Whether it can be the one with this id.
    pub fn is_of(&self, id: AppPasswordId) -> bool {
        self.0.starts_with(&tag(id))
    }

    pub fn text(&self) -> &str {
        &self.0
    }

    /// As a person reads it.
    pub fn shown(&self) -> String {
        base32::grouped(&self.0, 5, '-')
    }
}

/// Twenty random bits of the id.
fn tag(id: AppPasswordId) -> String {
    let octets = id.uuid().into_bytes();
    base32::encode(&octets[13..]).chars().take(TAG).collect()
}

/// A letter that is another one where one letter is wrong, or two beside each other are swapped: a weighted sum modulo
/// 31, which is prime.
fn check(text: &str) -> char {
    let letters = text.bytes().filter_map(base32::value).zip(1..);
    base32::of(letters.map(|(value, weight): (u32, u32)| value * weight).sum::<u32>() % 31)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Counting;

    impl Rng for Counting {
        fn fill(&self, buffer: &mut [u8]) {
            (1_u8..).zip(buffer).for_each(|(number, octet)| *octet = number.wrapping_mul(37));
        }
    }

    fn typed(text: &str) -> Option<AppToken> {
        AppToken::typed(&Password::new(text).unwrap())
    }

    #[test]
    fn is_known_again_as_people_type_it() {
        let id = AppPasswordId::random(&Counting);
        let token = AppToken::new(id, &Counting);
        let shown = token.shown();
        assert_eq!(shown.len(), LENGTH + 4, "{shown}");
        for text in [shown.clone(), shown.to_uppercase(), shown.replace('-', ""), shown.replace('-', " ")] {
            assert!(typed(&text) == Some(token.clone()), "{text}");
        }
        assert!(token.is_of(id));
        assert!(!token.is_of(AppPasswordId::from_uuid(uuid::Uuid::from_u128(7))));
    }

    #[test]
    fn a_typing_error_is_found() {
        let token = AppToken::new(AppPasswordId::random(&Counting), &Counting);
        let text = token.text();
        let mut missed = 0;
        for at in 0..LENGTH {
            for letter in "abcdefghijklmnopqrstuvwxyz234567".chars() {
                let changed: String =
                    text.chars().enumerate().map(|(place, old)| if place == at { letter } else { old }).collect();
                missed += usize::from(changed != text && typed(&changed).is_some());
            }
            let mut swapped: Vec<char> = text.chars().collect();
            if at + 1 < LENGTH {
                swapped.swap(at, at + 1);
                let swapped: String = swapped.into_iter().collect();
                missed += usize::from(swapped != text && typed(&swapped).is_some());
            }
        }
        // `a` and `7` are the same modulo 31.
        assert!(missed < 5, "{missed}");
        for text in ["", "hunter2", &text[1..], &format!("{text}a"), &text.replace(&text[..1], "1")] {
            if !text.is_empty() {
                assert!(typed(text).is_none(), "{text}");
            }
        }
    }
}
