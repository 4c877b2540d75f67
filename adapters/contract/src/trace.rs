//! The steps of a login, or of a look at a partner's document, as an admin reads them afterwards.
//!
//! Adapters and the hub add steps while they work. A step never holds a
//! password, a secret, a token, a signature value or a key.

use serde::{Deserialize, Serialize};

use crate::documents::{Drift, DriftEffect};
use crate::time::Timestamp;

/// The longest text that one field of a step keeps, in characters.
pub const MAX_FIELD: usize = 512;

/// The most steps that one login keeps.
pub const MAX_STEPS: usize = 400;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Step {
    /// A message came in. Facts that nothing vouches for yet carry `verified: false`.
    Received { at: Timestamp, what: String, verified: bool, facts: Vec<(String, String)> },
    /// A message went out.
    Sent { at: Timestamp, what: String, facts: Vec<(String, String)> },
    /// One check, with what was expected and what came.
    Check { name: String, source: String, expected: String, actual: String, passed: bool },
    /// A rule of the mapping or of a client, and what it made.
    Rule(RuleStep),
    /// A decision: connection choice, person, policy, release.
    Decision { what: String, outcome: String, allowed: bool },
    /// A difference in meaning between a partner's new document and the one before it.
    Change { what: String, before: Option<String>, after: Option<String>, effect: DriftEffect },
    /// How it ended.
    Result { at: Timestamp, outcome: Outcome, cause: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RuleStep {
    /// `preset`, `mapping`, `mapping.cel`, `deny_when`, `client.cel`, `release`.
    pub stage: String,
    pub claim: String,
    /// The rule as an admin wrote it: `from [mail]`, `cel "…"`.
    pub rule: String,
    pub result: RuleResult,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum RuleResult {
    Made {
        value: serde_json::Value,
        from: Option<String>,
    },
    /// No attribute of that name came. `nearest` names the most similar one that did.
    NotMatched {
        wanted: Vec<String>,
        nearest: Option<String>,
    },
    /// The rule worked and had nothing to say (`null`, or a deny rule that did not fire).
    Nothing,
    Failed {
        error: String,
    },
    /// Another rule stands in its place.
    Overridden {
        by: String,
    },
    /// Made, and not released to this app.
    Withheld {
        why: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Success,
    /// A check, a rule or a policy said no.
    Refused,
    /// Something of ours, or the store, failed.
    Error,
}

/// The most facts that one step keeps.
pub const MAX_FACTS: usize = 64;

/// Steps in the order in which they happened; bounded.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TraceLog {
    steps: Vec<Step>,
}

impl TraceLog {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    pub fn push(&mut self, step: Step) {
        if self.steps.len() < MAX_STEPS {
            self.steps.push(step);
        }
    }

    pub fn extend(&mut self, other: TraceLog) {
        let room = MAX_STEPS.saturating_sub(self.steps.len());
        self.steps.extend(other.steps.into_iter().take(room));
    }

    /// Records a check and gives back whether it passed.
    ///
    /// `source` names the requirement, for example `SAML core 2.5.1.4`.
    pub fn check(
        &mut self,
        name: &str,
        source: &str,
        expected: impl Into<String>,
        actual: impl Into<String>,
        passed: bool,
    ) -> bool {
        self.push(Step::Check {
            name: name.to_owned(),
            source: source.to_owned(),
            expected: clip(expected.into()),
            actual: clip(actual.into()),
            passed,
        });
        passed
    }

    pub fn received(&mut self, at: Timestamp, what: &str, verified: bool, facts: Vec<(&str, String)>) {
        self.push(Step::Received { at, what: what.to_owned(), verified, facts: clip_all(facts) });
    }

    pub fn sent(&mut self, at: Timestamp, what: &str, facts: Vec<(&str, String)>) {
        self.push(Step::Sent { at, what: what.to_owned(), facts: clip_all(facts) });
    }

    /// Records a decision and gives back whether it allows going on.
    pub fn decide(&mut self, what: &str, outcome: impl Into<String>, allowed: bool) -> bool {
        self.push(Step::Decision { what: what.to_owned(), outcome: clip(outcome.into()), allowed });
        allowed
    }

    /// Records what is different about a partner's document.
    pub fn change(&mut self, drift: &Drift) {
        let Drift { what, before, after, effect } = drift.clone();
        let (before, after) = (before.map(clip), after.map(clip));
        self.push(Step::Change { what: clip(what), before, after, effect });
    }

    /// The last step that said no, as one line.
    pub fn cause(&self) -> Option<String> {
        self.steps.iter().rev().find_map(|step| match step {
            Step::Check { name, expected, actual, passed: false, .. } => {
                Some(format!("{name}: expected {expected}, got {actual}"))
            }
            Step::Decision { what, outcome, allowed: false } => Some(format!("{what}: {outcome}")),
            Step::Rule(RuleStep { claim, result: RuleResult::Failed { error }, .. }) => {
                Some(format!("rule for {claim} failed: {error}"))
            }
            _ => None,
        })
    }
}

fn clip_all(facts: Vec<(&str, String)>) -> Vec<(String, String)> {
    facts.into_iter().take(MAX_FACTS).map(|(name, value)| (name.to_owned(), clip(value))).collect()
}

/// Cuts a text at [`MAX_FIELD`] characters and makes visible what would deceive a reader: see [`visible`].
pub fn clip(text: String) -> String {
    if text.len() <= MAX_FIELD {
        return visible(text);
    }
    let long = text.chars().nth(MAX_FIELD).is_some();
    let mut out = visible(text.chars().take(MAX_FIELD).collect());
    if long {
        out.push('…');
    }
    out
}

/// The whole text, with a sign in the place of each character that would let a message forge lines in a
/// terminal or a log, or show its text in another order than it has.
pub fn visible(text: String) -> String {
    let printable = |octet: u8| matches!(octet, b' '..=b'~');
    if text.bytes().all(printable) || !text.chars().any(deceives) {
        return text;
    }
    text.chars().map(|c| if deceives(c) { '\u{fffd}' } else { c }).collect()
}

/// Control characters (C0 and C1), line and paragraph separators, and what turns the direction of text
/// (Unicode's Bidi_Control).
pub fn deceives(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_and_defuses() {
        assert_eq!(clip("a\u{1b}[31m\r\nb".into()), "a\u{fffd}[31m\u{fffd}\u{fffd}b");
        assert_eq!(clip("x".repeat(MAX_FIELD + 1)).chars().count(), MAX_FIELD + 1);
        assert_eq!(clip("ü".repeat(MAX_FIELD)), "ü".repeat(MAX_FIELD));
        assert_eq!(visible("x".repeat(MAX_FIELD + 1)).len(), MAX_FIELD + 1);
        for c in ['\u{9b}', '\u{85}', '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}', '\u{200f}', '\u{61c}'] {
            assert_eq!(clip(format!("a{c}b")), "a\u{fffd}b", "{c:?}");
        }
        assert_eq!(clip("Zoë “日本” אב".into()), "Zoë “日本” אב", "other languages stay");
    }

    #[test]
    fn names_the_last_refusal_as_cause() {
        let mut log = TraceLog::new();
        log.check("Audience", "SAML core 2.5.1.4", "a", "b", false);
        log.check("Other", "", "c", "c", true);
        assert_eq!(log.cause().as_deref(), Some("Audience: expected a, got b"));
    }
}
