//! Errors of the command line: one sentence, a cause, and what to do.

use std::fmt::{self, Display, Write as _};
use std::io::Write as _;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::trace::visible;

use crate::bridge::plan::PlanError;
use crate::settings::complaints::{Complaints, Located};

/// Why a command ends without having done its work.
#[derive(Debug)]
pub struct CliError {
    code: u8,
    /// Mistakes of a file or of settings, one line each.
    mistakes: Vec<Located>,
    sentence: String,
    causes: Vec<String>,
    advice: Option<String>,
}

impl CliError {
    /// It failed while running: exit code 1.
    pub fn failed(sentence: impl Into<String>, cause: impl Display) -> Self {
        Self { code: 1, mistakes: Vec::new(), sentence: sentence.into(), causes: vec![cause.to_string()], advice: None }
    }

    /// Bad input, and nothing was changed: exit code 2.
    pub fn refused(sentence: impl Into<String>, causes: Vec<String>) -> Self {
        Self { code: 2, mistakes: Vec::new(), sentence: sentence.into(), causes, advice: None }
    }

    /// Mistakes with their places: exit code 2.
    pub fn mistakes(what: &str, complaints: Complaints) -> Self {
        Self::listed(what, "has", complaints)
    }

    /// The same for the process settings.
    pub fn wrong_settings(complaints: Complaints) -> Self {
        Self::listed("the settings", "have", complaints)
    }

    fn listed(what: &str, has: &str, complaints: Complaints) -> Self {
        let mistakes = complaints.sorted();
        let count = if mistakes.len() == 1 { "1 mistake".to_owned() } else { format!("{} mistakes", mistakes.len()) };
        let advice = "correct the lines above and run the command again".to_owned();
        Self {
            code: 2,
            mistakes,
            sentence: format!("{what} {has} {count}; nothing was changed"),
            causes: Vec::new(),
            advice: Some(advice),
        }
    }

    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    pub fn code(&self) -> u8 {
        self.code
    }

    /// To standard error. That nobody reads it is no second error.
    pub fn print(&self) {
        let _ = std::io::stderr().lock().write_all(self.to_string().as_bytes());
    }
}

impl Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for mistake in &self.mistakes {
            writeln!(f, "{}", harmless(&mistake.to_string()))?;
        }
        let mut text = String::new();
        writeln!(text, "error: {}", harmless(&self.sentence))?;
        for cause in &self.causes {
            writeln!(text, "  cause: {}", harmless(cause))?;
        }
        if let Some(advice) = &self.advice {
            writeln!(text, "  what to do: {advice}")?;
        }
        f.write_str(&text)
    }
}

/// Others may have written parts of it: further lines are set in, so that none looks like one of ours.
fn harmless(text: &str) -> String {
    text.lines().map(|line| visible(line.to_owned())).collect::<Vec<_>>().join("\n      ")
}

impl std::error::Error for CliError {}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        Self::failed("the database did not do what it was asked", error)
            .advise("look whether the database runs and has room, then run the command again")
    }
}

impl From<PlanError> for CliError {
    fn from(error: PlanError) -> Self {
        match error {
            PlanError::Complaints(complaints) => Self::mistakes("the bridge file", complaints),
            PlanError::Store(error) => error.into(),
            PlanError::Keys(cause) => Self::failed("the keys of a new tenant could not be made", cause),
        }
    }
}

impl From<anyhow::Error> for CliError {
    /// The outermost context is the sentence, what is below it are the causes. An error of a
    /// command stays what it is.
    fn from(error: anyhow::Error) -> Self {
        let error = match error.downcast::<Self>() {
            Ok(own) => return own,
            Err(other) => other,
        };
        let mut chain = error.chain().map(ToString::to_string);
        let sentence = chain.next().unwrap_or_default();
        Self { code: 1, mistakes: Vec::new(), sentence, causes: chain.collect(), advice: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_makes_no_lines_of_ours() {
        let text = CliError::failed("it failed", "no\nerror: all is well\u{1b}[2J").to_string();
        assert_eq!(text, "error: it failed\n  cause: no\n      error: all is well\u{fffd}[2J\n");
    }
}
