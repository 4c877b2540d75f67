//! Whether a password may be tried, and what became of it.

use std::time::Duration;

use fedbridge_contract::password::PasswordRefusal;
use fedbridge_contract::services::{Admission, Guess};
use fedbridge_contract::time::delay_seconds;
use fedbridge_contract::trace::TraceLog;
use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

use crate::run::Hub;
use crate::throttle::DeviceKey;

/// A try that was let through. Until it hears what became of the try, that counts as wrong.
pub(in crate::run) struct Admitted(Box<dyn Admission>);

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) enum Verdict {
    Right,
    Wrong,
    /// The upstream did not say.
    Unsaid,
}

impl Admitted {
    pub fn was(self, verdict: Verdict) {
        match verdict {
            Verdict::Wrong => self.0.guessed(),
            Verdict::Right => self.0.withdrawn(true),
            Verdict::Unsaid => self.0.withdrawn(false),
        }
    }
}

impl Verdict {
    pub fn of(refusal: &PasswordRefusal) -> Self {
        match refusal.reason {
            why if why.is_a_guess() => Self::Wrong,
            why if why.may_be_told() => Self::Right,
            _ => Self::Unsaid,
        }
    }
}

impl Hub {
    /// Lets a try through, or says how long to wait. `device`: what the try comes from, which counts where the
    /// account was logged in with it.
    pub(in crate::run) async fn admit(
        &self,
        guess: Guess<'_>,
        device: Option<DeviceKey>,
        trace: &mut TraceLog,
    ) -> Result<Admitted, Duration> {
        let (throttle, at) = (&self.services.throttle, self.services.clock.now());
        let wait = match throttle.admits(&guess, at) {
            Ok(admission) => return Ok(Admitted(admission)),
            Err(wait) => wait,
        };
        // Only now, so that a try that nothing speaks against costs no look.
        let known = match device {
            Some(device) => self.devices.knows(guess.tenant, device, at).await.then_some(device),
            None => None,
        };
        let wait = match known {
            Some(device) => {
                let guess = Guess { known_device: Some(device), ..guess };
                match throttle.admits(&guess, at) {
                    Ok(admission) => {
                        let outcome = "too many failed of late, but the account is known to come from here";
                        trace.decide("number of tries", outcome, true);
                        return Ok(Admitted(admission));
                    }
                    Err(wait) => wait,
                }
            }
            None => wait,
        };
        trace.decide("number of tries", format!("too many failed of late; again in {} s", delay_seconds(wait)), false);
        Err(wait)
    }
}

/// The name of an account as it is counted: its spellings are one. Directories take `ACME\Zoe`, `zoë@acme.example`
/// and ` ZOE ` for one account (RFC 4518, and more than that), and each would be one more way to guess. Two accounts
/// may be counted as one by this, which errs on the safe side.
pub(in crate::run) fn folded(name: &str) -> String {
    let name = name.rsplit('\\').next().unwrap_or(name);
    let name = name.trim_start().split('@').next().filter(|local| !local.is_empty()).unwrap_or(name);
    // What follows comes to the same, and takes longer.
    if name.is_ascii() {
        let plain = name.chars().filter(|c| !c.is_whitespace() && !c.is_control());
        return plain.map(|letter| letter.to_ascii_lowercase()).collect();
    }
    let seen = |c: &char| !is_combining_mark(*c) && !c.is_whitespace() && !c.is_control() && !is_invisible(*c);
    let plain = name.nfkd().filter(seen);
    // By way of the capital, which two small letters may share: a sharp s and two others.
    let capitals = plain.flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    let lower: String = capitals.flat_map(char::to_lowercase).collect();
    lower.nfkd().filter(seen).collect()
}

/// What directories take for nothing (RFC 4518 section 2.2): anybody can write any number of it into any name.
fn is_invisible(letter: char) -> bool {
    matches!(letter,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{1806}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff0}'..='\u{fffd}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_an_account_are_one() {
        for spelling in
            ["zoe", "ZOE", " zoe ", "Zoë", "Zoe\u{308}", "ACME\\zoe", "zoe@acme.example", "ＺＯＥ", "z oe", "zoe\u{0}"]
        {
            assert_eq!(folded(spelling), "zoe", "{spelling:?}");
        }
        for invisible in ['\u{ad}', '\u{200b}', '\u{200d}', '\u{2060}', '\u{202e}', '\u{fe0f}', '\u{feff}', '\u{e0041}']
        {
            for spelling in [format!("z{invisible}oe"), format!("{invisible}zoe"), format!("zoe{invisible}{invisible}")]
            {
                assert_eq!(folded(&spelling), "zoe", "{spelling:?}");
            }
        }
        assert_eq!(folded("Stra\u{df}e"), folded("STRASSE"));
        assert_ne!(folded("zoe"), folded("joe"));
        assert_eq!(folded("@acme"), "@acme", "there is always something left to count");
    }
}
