//! Why an answer did not come.

use std::fmt;

use fedbridge_contract::trace::visible;

/// No answer, or none that can be used. The sentences are for the trace, the log and an administrator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// All connections that the pool allows are in use.
    #[error("all connections to the directory are in use")]
    Busy,
    /// No server is asked: each has failed of late.
    #[error("no server of the directory answers; last, {0}")]
    AllDown(Box<WireError>),
    #[error("{server}: {cause}")]
    Unreachable { server: String, cause: String },
    /// TLS did not come about, or the server is not who it should be. Nothing secret was sent.
    #[error("{server}: {cause}")]
    Insecure { server: String, cause: String },
    #[error("{server}: no answer in time ({stage})")]
    TimedOut { server: String, stage: Stage },
    /// The connection ended before the answer was there.
    #[error("{server}: {cause}")]
    Lost { server: String, cause: String },
    /// The server does not take the service account.
    #[error("{server}: the service account is refused with code {code}: {text}{}", hint(*code, text))]
    AccountRefused { server: String, code: u32, text: String },
    /// What is asked can't be sent.
    #[error("{0}")]
    NotSent(String),
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Connect,
    Tls,
    StartTls,
    Bind,
    Search,
    Operation,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "connecting",
            Self::Tls => "TLS handshake",
            Self::StartTls => "StartTLS",
            Self::Bind => "bind",
            Self::Search => "search",
            Self::Operation => "operation",
        })
    }
}

impl WireError {
    /// Whether another server may have the answer.
    pub(super) fn is_the_servers(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Insecure { .. } | Self::TimedOut { .. } | Self::Lost { .. } => true,
            Self::Busy | Self::AllDown(_) | Self::AccountRefused { .. } | Self::NotSent(_) => false,
        }
    }

    pub(super) fn refused(server: &str, code: u32, text: &str) -> Self {
        Self::AccountRefused { server: server.to_owned(), code, text: said(text) }
    }

    pub(super) fn lost(server: &str, cause: impl fmt::Display) -> Self {
        Self::Lost { server: server.to_owned(), cause: cause.to_string() }
    }
}

/// A server's own words, short and harmless. Active Directory ends them with a zero octet.
pub(super) fn said(text: &str) -> String {
    const MOST: usize = 300;
    let text = text.trim_end_matches('\0');
    let short: String = text.chars().take(MOST).collect();
    visible(short)
}

/// What an administrator can do about a refusal.
fn hint(code: u32, text: &str) -> &'static str {
    // MS-ADTS section 5.1.2.2; SEC_E_BAD_BINDINGS.
    if text.contains("80090346") {
        return " (the domain controller asks for channel binding and got none that it likes: something between us and \
                it may end TLS, or its policy LdapEnforceChannelBinding covers this kind of bind)";
    }
    match code {
        8 => " (the directory takes passwords over TLS only: use ldaps or start_tls)",
        13 => " (the directory asks for TLS: use ldaps or start_tls)",
        48 => " (the directory does not take this way of saying who we are)",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_say_what_to_do() {
        let signing = WireError::refused("dc1:389", 8, "00002028: LdapErr: DSID-0C090259, data 0, v4563\0");
        assert!(signing.to_string().ends_with("use ldaps or start_tls)"), "{signing}");
        let binding = WireError::refused("dc1:636", 49, "80090346: LdapErr: DSID-0C090711, data 80090346, v4563");
        assert!(binding.to_string().contains("channel binding"), "{binding}");
        let wrong = WireError::refused("dc1:636", 49, "80090308: LdapErr: data 52e\u{7}");
        assert!(!wrong.to_string().contains(['(', '\u{7}']), "{wrong}");
    }

    #[test]
    fn a_long_text_is_cut() {
        assert_eq!(said(&"x".repeat(5000)).len(), 300);
    }
}
