//! The `prompt` parameter (OpenID Connect Core 3.1.2.1).

use super::authorize::Refused;

/// What a request asks of the login.
#[derive(Default)]
pub(crate) struct Prompt {
    pub(crate) none: bool,
    pub(crate) login: bool,
    pub(crate) select_account: bool,
    /// Asks the person, whatever the client's settings say.
    pub(crate) consent: bool,
}

impl Prompt {
    pub(crate) fn read(words: &[String]) -> Result<Self, Refused> {
        let mut prompt = Self::default();
        for word in words {
            match word.as_str() {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => return Err(Refused::invalid("prompt takes none, login, consent and select_account.")),
            }
        }
        if prompt.none && words.len() > 1 {
            return Err(Refused::invalid("prompt=none can't be combined with another prompt."));
        }
        Ok(prompt)
    }
}
