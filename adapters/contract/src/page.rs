//! Pages that a person can be shown. The web layer renders them from templates.

use crate::ids::TraceId;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    Error(ErrorPage),
    /// Which connection to log in with.
    Chooser(ChooserPage),
    /// RP-initiated logout without a valid hint asks first (RP-Initiated Logout 1.0, section 2).
    ConfirmLogout(ConfirmLogoutPage),
    LoggedOut(LoggedOutPage),
    /// A login that no app asked for has ended well.
    SignedIn(SignedInPage),
}

/// One plain sentence, the trace, and a way back. Causes stay inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorPage {
    /// HTTP status, 400 or above.
    pub status: u16,
    pub tenant: Option<String>,
    pub sentence: String,
    pub trace: Option<TraceId>,
    /// Where a person can go on: a same-site address.
    pub way_back: Option<WayBack>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WayBack {
    pub label: String,
    pub href: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChooserPage {
    pub tenant: String,
    /// The app's name, where an app asked.
    pub app: Option<String>,
    pub choices: Vec<Choice>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    pub name: String,
    /// `saml`, `oidc` or `ldap`.
    pub protocol: String,
    pub href: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmLogoutPage {
    pub tenant: String,
    /// Where the form posts to.
    pub action: String,
    /// Hidden fields, the anti-forgery token among them.
    pub fields: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedOutPage {
    pub tenant: String,
    pub way_back: Option<WayBack>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInPage {
    pub tenant: String,
    pub person: String,
    pub connection: String,
    pub logout: String,
}
