//! Pages that are the hub's own: consent, passwords, and the account of a person. What they send is checked here.

use fedbridge_contract::config::Tenant;
use fedbridge_contract::http::{HttpInput, Method, Route};
use fedbridge_contract::ids::TenantId;
use url::Url;

use super::Hub;
use super::ending::Stop;
use super::form_token::same;
use super::session::session_cookie_name;
use super::start::Login;

/// An address of a page of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnPage {
    /// The answer to a question of consent.
    Consent,
    /// Somebody says that they are not the one who has their address.
    SomebodyElse,
    Account,
    /// What a person does on the account page.
    Act(Act),
    /// A name and a password were typed.
    Password,
    /// A new password was.
    NewPassword,
    /// A code was, or a passkey has answered.
    Factor,
    /// The same for a second factor that is set up.
    Enrol,
}

/// What a person does with what is theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Ends a session elsewhere.
    End,
    /// Takes away what an app was given.
    Forget,
    /// Disconnects a login.
    Unlink,
    /// Connects one more login: the upstream comes next.
    Connect,
    /// Says yes to the login that was proved.
    Confirm,
    /// Sets up a second factor.
    Enrol,
    /// Takes one away.
    DropFactor,
    /// Asks for a password for one app.
    NewAppPassword,
    /// Takes one back.
    DropAppPassword,
}

impl Act {
    pub const ALL: [Self; 9] = [
        Self::End,
        Self::Forget,
        Self::Unlink,
        Self::Connect,
        Self::Confirm,
        Self::Enrol,
        Self::DropFactor,
        Self::NewAppPassword,
        Self::DropAppPassword,
    ];

    pub const fn path(self) -> &'static str {
        match self {
            Self::End => "account/end",
            Self::Forget => "account/forget",
            Self::Unlink => "account/unlink",
            Self::Connect => "account/connect",
            Self::Confirm => "account/confirm",
            Self::Enrol => "account/factor",
            Self::DropFactor => "account/factor/end",
            Self::NewAppPassword => "account/app-password",
            Self::DropAppPassword => "account/app-password/end",
        }
    }
}

impl OwnPage {
    pub fn at(path: &str) -> Option<(Route, Self)> {
        let route = |path, methods| Route::new(path, methods);
        match path {
            "consent" => Some((route("consent", &[Method::Post]), Self::Consent)),
            "somebody-else" => Some((route("somebody-else", &[Method::Post]), Self::SomebodyElse)),
            "account" => Some((route("account", &[Method::Get]), Self::Account)),
            "password" => Some((route("password", &[Method::Post]), Self::Password)),
            "password/new" => Some((route("password/new", &[Method::Post]), Self::NewPassword)),
            "factor" => Some((route("factor", &[Method::Post]), Self::Factor)),
            "factor/enrol" => Some((route("factor/enrol", &[Method::Post]), Self::Enrol)),
            _ => {
                let act = Act::ALL.into_iter().find(|act| act.path() == path)?;
                Some((route(act.path(), &[Method::Post]), Self::Act(act)))
            }
        }
    }
}

/// The field that holds the token of a form of ours.
pub(super) const TOKEN: &str = "token";

impl Hub {
    /// The token of a form: only a page that was made for this session holds it, and it does for one action
    /// with one object.
    pub(super) fn form_token(&self, tenant: TenantId, input: &HttpInput, act: Act, object: &str) -> String {
        let cookie = input.cookie(&session_cookie_name(tenant)).unwrap_or_default();
        let what = format!("{}\n{object}\n{cookie}", act.path());
        self.own_token(tenant, "account form", what.as_bytes())
    }

    /// Whether a form was made by us for this session, action and object, and sent from our own page.
    pub(super) fn is_own_form(&self, login: &mut Login, input: &HttpInput, act: Act, object: &str) -> Result<(), Stop> {
        own_origin(login, input)?;
        let token = self.form_token(login.tenant.view.id, input, act, object);
        let right = field(input, TOKEN).is_some_and(|sent| same(&sent, &token));
        let actual = if right { "it" } else { "another one, or none" };
        let expected = "that of this session, action and object";
        if login.trace.check("the form's token", "RFC 9700 4.7", expected, actual, right) {
            Ok(())
        } else {
            Err(Stop::not_accepted("a form that our pages did not make").saying(STALE))
        }
    }
}

/// What somebody reads whose form was not taken.
const STALE: &str = "This page was too old, or another page sent this. Nothing was done. Please go back and try again.";

/// A browser says where a form comes from; another site's is not taken. Our pages ask browsers to say it to us.
pub(super) fn own_origin(login: &mut Login, input: &HttpInput) -> Result<(), Stop> {
    let Some(sent) = &input.origin else { return Ok(()) };
    let own = origin(&login.tenant.view);
    let right = *sent == own;
    if login.trace.check("where the form comes from", "RFC 6454 7.3", own, sent.clone(), right) {
        Ok(())
    } else {
        Err(Stop::not_accepted("another site's form").saying(STALE))
    }
}

pub(super) fn origin(tenant: &Tenant) -> String {
    Url::parse(&tenant.issuer).map(|url| url.origin().ascii_serialization()).unwrap_or_default()
}

/// A field of a form; of several with this name the first.
pub(super) fn field(input: &HttpInput, name: &str) -> Option<String> {
    input.form_params().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn each_action_has_an_address() {
        for act in Act::ALL {
            let (route, page) = OwnPage::at(act.path()).unwrap();
            assert_eq!((route.path, page), (act.path(), OwnPage::Act(act)));
            assert_eq!(route.methods, [Method::Post]);
        }
        assert!(OwnPage::at("account/").is_none() && OwnPage::at("consents").is_none());
    }
}
