//! Documents that a partner publishes about itself, and how they change over time.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Complaint;
use crate::time::Timestamp;
use crate::trace::visible;

/// Reads the documents of one kind of partner. Pure: fetching and keeping them is boot's.
pub trait PartnerDocuments: Send + Sync {
    /// The setting that names the document: `idp_metadata`, `sp_metadata`. Its value has `xml`, or
    /// `url` and `refresh`.
    fn setting(&self) -> &'static str;

    /// How long a document of this kind is kept without asking: at least, and at most.
    fn life(&self) -> (Duration, Duration) {
        (Duration::from_secs(3600), Duration::from_secs(24 * 3600))
    }

    /// How long after the last good look the document stays in force while looks fail. `None`: until it has ended
    /// by its own word.
    fn outlasts(&self) -> Option<Duration> {
        None
    }

    /// Whether `fetched` can be used with these settings, and what it changes against `before`.
    ///
    /// # Errors
    /// Every complaint about `fetched`. It can't be used, and the last good document stays.
    fn examine(
        &self,
        settings: &Value,
        before: Option<&str>,
        fetched: &str,
        now: Timestamp,
    ) -> Result<Examined, Vec<Complaint>>;
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Examined {
    /// After this the document counts for nothing (SAML metadata 4.3.1).
    pub valid_until: Option<Timestamp>,
    /// How long the partner lets us keep it before asking again, as it stands there.
    pub cache: Option<Duration>,
    pub drift: Vec<Drift>,
}

impl Examined {
    /// Whether somebody has to look at it before it counts.
    pub fn needs_approval(&self) -> bool {
        self.drift.iter().any(|drift| drift.effect == DriftEffect::Weakens)
    }
}

/// One difference in meaning, never in mere text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drift {
    /// In an admin's words: `signing key 3f:9a…`, `single sign-on address (redirect)`.
    pub what: String,
    pub before: Option<String>,
    pub after: Option<String>,
    pub effect: DriftEffect,
}

/// In the order of their weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriftEffect {
    Neutral,
    /// A key or an address is there besides those known.
    Adds,
    /// Something known is gone, and enough is left.
    Removes,
    /// Waits for approval: another entity ID or host, a lost signing flag, no known key left.
    Weakens,
}

/// One line: a sign for the effect, what it is, what it was and what it is now. Partners write these texts,
/// and somebody approves what this line shows: so it is one line, and in the order that it has.
impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let harmless = |text: &Option<String>| text.clone().map(visible);
        let (what, effect) = (visible(self.what.clone()), self.effect);
        let (before, after) = (harmless(&self.before), harmless(&self.after));
        let (sign, why) = match effect {
            DriftEffect::Adds => ("+", ""),
            DriftEffect::Removes => ("-", ""),
            DriftEffect::Neutral => ("~", ""),
            DriftEffect::Weakens => ("!", " (needs approval)"),
        };
        match (&before, &after) {
            (None, None) => write!(f, "{sign} {what}{why}"),
            (None, Some(after)) => write!(f, "{sign} {what}: {after}{why}"),
            (Some(before), None) => write!(f, "{sign} {what}: {before} is gone{why}"),
            (Some(before), Some(after)) => write!(f, "{sign} {what}: {before} becomes {after}{why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_read_as_sentences() {
        let drift = |before: Option<&str>, after: Option<&str>, effect| {
            let (before, after) = (before.map(str::to_owned), after.map(str::to_owned));
            Drift { what: "signing key 3f".into(), before, after, effect }.to_string()
        };
        assert_eq!(drift(None, None, DriftEffect::Adds), "+ signing key 3f");
        assert_eq!(drift(None, Some("b"), DriftEffect::Adds), "+ signing key 3f: b");
        assert_eq!(drift(Some("a"), None, DriftEffect::Removes), "- signing key 3f: a is gone");
        let forged = drift(None, Some("a\n    ~ nothing\u{9b}2J\u{202e}"), DriftEffect::Adds);
        assert_eq!(forged, "+ signing key 3f: a\u{fffd}    ~ nothing\u{fffd}2J\u{fffd}");
        assert_eq!(drift(Some("a"), Some("b"), DriftEffect::Weakens), "! signing key 3f: a becomes b (needs approval)");
    }
}
