//! Pages that a person can be shown. The web layer renders them from templates.

use crate::ids::TraceId;
use crate::password::NameIs;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    Error(ErrorPage),
    /// Which connection to log in with.
    Chooser(ChooserPage),
    /// RP-initiated logout without a valid hint asks first (RP-Initiated Logout 1.0, section 2).
    ConfirmLogout(ConfirmLogoutPage),
    LoggedOut(LoggedOutPage),
    /// Frames that tell apps, while the person waits for at most a few seconds.
    LoggingOut(LoggingOutPage),
    /// A form in such a frame that sends itself to its app.
    NoticeForm(NoticeFormPage),
    /// What such a frame shows when its app has answered: nothing.
    Noticed(NoticedPage),
    /// A login that no app asked for has ended well.
    SignedIn(SignedInPage),
    /// What an app asks for, and two buttons (OpenID Connect Core 3.1.2.4).
    Consent(ConsentPage),
    /// What is a person's own: sessions, apps, logins.
    Account(Box<AccountPage>),
    /// Another login is about to be connected to the account.
    ConfirmLink(ConfirmLinkPage),
    /// Somebody new has the address of somebody who is known: are they two?
    SameEmail(SameEmailPage),
    /// A name and a password are typed here.
    Password(Box<PasswordPage>),
    /// The password is right, and must be another one from now on.
    NewPassword(NewPasswordPage),
    /// The password is right, and a second factor is asked for.
    SecondFactor(SecondFactorPage),
    /// A second factor is set up.
    Enrol(Box<EnrolPage>),
    /// A secret that is shown once.
    Shown(ShownPage),
}

/// A form that a person sends to us; the anti-forgery token is among the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnForm {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentPage {
    pub tenant: String,
    pub person: String,
    pub app: String,
    /// Where the answer goes: a person may know it better than the name.
    pub host: Option<String>,
    /// Scopes and single claims, in words that the templates translate.
    pub asks: Vec<String>,
    /// The buttons send `answer=allow` and `answer=deny`.
    pub form: OwnForm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountPage {
    pub tenant: String,
    pub person: String,
    pub sessions: Vec<AccountRow>,
    pub apps: Vec<AccountRow>,
    pub logins: Vec<AccountRow>,
    /// Connections that could be connected, each with its form.
    pub connect: Vec<AccountRow>,
    /// Second factors.
    pub factors: Vec<AccountRow>,
    /// Sets another one up; `None` where there is no use for one.
    pub enrol: Option<OwnForm>,
    /// Passwords for single apps.
    pub app_passwords: Vec<AccountRow>,
    /// Apps that the person can have one for, each with its form.
    pub app_password_for: Vec<AccountRow>,
    pub logout: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountRow {
    pub name: String,
    /// RFC 3339, shown as a date; what it is of is the template's.
    pub since: Option<String>,
    pub note: Option<String>,
    /// It is this very browser's session, or the login in use.
    pub here: bool,
    /// Ends it; `None` where it can't be ended here.
    pub form: Option<OwnForm>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfirmLinkPage {
    pub tenant: String,
    /// Who the account is, and with what it was logged in.
    pub account: String,
    pub account_connection: String,
    /// The identity that was proved just now.
    pub identity: String,
    pub connection: String,
    pub form: OwnForm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SameEmailPage {
    pub tenant: String,
    /// The identity that came just now.
    pub identity: String,
    pub connection: String,
    /// Where whoever has the address logs in.
    pub before: Option<WayBack>,
    /// Where the answer leads in the end, as [`ConsentPage::host`] says.
    pub onward: Option<String>,
    /// Its one button says: I am somebody else.
    pub form: OwnForm,
}

/// The fields `name` and `password` are typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswordPage {
    pub tenant: String,
    /// The app's name, where an app asked.
    pub app: Option<String>,
    pub connection: String,
    pub name_is: NameIs,
    /// What stands in the field already.
    pub name: String,
    /// What was wrong with the last try.
    pub complaint: Option<String>,
    /// Where the answer leads in the end, as [`ConsentPage::host`] says.
    pub onward: Option<String>,
    pub form: OwnForm,
    /// The choice of another connection.
    pub other: Option<WayBack>,
}

/// The fields `password` (the one that was good until now), `new_password` and `again` are typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPasswordPage {
    pub tenant: String,
    pub person: String,
    pub complaint: Option<String>,
    pub onward: Option<String>,
    pub form: OwnForm,
}

/// The field `code` is typed, or the page's script fills the field `passkey` in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecondFactorPage {
    pub tenant: String,
    pub person: String,
    /// Codes of an authenticator app (RFC 6238).
    pub totp: bool,
    /// Codes from a sheet.
    pub recovery: bool,
    /// The options of `navigator.credentials.get`, as JSON (WebAuthn 3 section 5.5).
    pub passkey: Option<String>,
    pub complaint: Option<String>,
    pub onward: Option<String>,
    pub form: OwnForm,
}

/// The field `code` is typed, or the page's script fills the field `passkey` in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolPage {
    pub tenant: String,
    pub person: String,
    /// The secret for an authenticator app, in base32.
    pub secret: String,
    /// The same as an `otpauth:` address.
    pub uri: String,
    /// The options of `navigator.credentials.create`, as JSON (WebAuthn 3 section 5.4).
    pub passkey: Option<String>,
    /// Codes for a day without the device, each good once.
    pub codes: Vec<String>,
    pub complaint: Option<String>,
    pub onward: Option<String>,
    pub form: OwnForm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownPage {
    pub tenant: String,
    /// What it is for.
    pub app: String,
    pub secret: String,
    /// Where to go on: a same-site address.
    pub next: String,
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
    /// Apps and login providers that know of it, by their display name.
    pub told: Vec<String>,
    /// Those that could not be told: the person should close them.
    pub not_told: Vec<String>,
    pub way_back: Option<WayBack>,
}

/// Every notice has its frame. The page goes to `next` when all frames have loaded and been answered
/// (a script asks `poll`), or after `wait_seconds` without any script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggingOutPage {
    pub tenant: String,
    /// Same-site addresses of ours; each leads on to its app.
    pub frames: Vec<String>,
    /// Answers 204 as soon as nobody is waited for, else 202.
    pub poll: String,
    pub next: String,
    pub wait_seconds: u8,
    /// The origins that frames may lead to, for the page's policy.
    pub frame_origins: Vec<String>,
    /// The origin that may frame this page: an upstream that logs out by frames itself.
    pub framed_by: Option<String>,
}

/// Shown in a frame only: of our own page, and of whoever may frame that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticeFormPage {
    pub action: String,
    pub fields: Vec<(String, String)>,
    pub framed_by: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticedPage {
    pub tenant: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInPage {
    pub tenant: String,
    pub person: String,
    pub connection: String,
    pub logout: String,
}
