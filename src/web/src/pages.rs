//! Pages from the templates, which are compiled in. Every value is escaped by the template engine.

use askama::Template;
use fedbridge_contract::page::{
    AccountPage, ChooserPage, ConfirmLinkPage, ConfirmLogoutPage, ConsentPage, EnrolPage, ErrorPage, LoggedOutPage,
    LoggingOutPage, NewPasswordPage, NoticedPage, OwnForm, Page, PasswordPage, SameEmailPage, SecondFactorPage,
    ShownPage, SignedInPage, WayBack,
};
use fedbridge_contract::password::NameIs;
use url::Url;

use crate::dress::Worn;
use crate::fault::Fault;
use crate::href;
use crate::words::Words;

/// The style sheet of all pages. It stands inside each, so a page is one request, and its hash in the
/// policy lets it and no other style in.
pub(crate) const STYLE: &str = include_str!("../../../templates/style.css");

/// The script of pages that take passkeys.
pub(crate) const PASSKEY: &str = include_str!("../../../templates/passkey.js");

/// Renders a page in what it wears. `nonce` lets its script run, where it has one.
///
/// # Errors
/// [`Fault::Internal`] when an address of its own is none that a browser may be sent to.
pub(crate) fn page(page: &Page, worn: &Worn, nonce: &str) -> Result<String, Fault> {
    let words = worn.words;
    match page {
        Page::Error(page) => finish(&ErrorView {
            tenant: page.tenant.as_deref().unwrap_or_default(),
            words,
            worn,
            heading: heading(page.status),
            way_back: safe(page.way_back.as_ref()),
            trace: page.trace.map(|trace| trace.to_string()),
            page,
        }),
        Page::Chooser(page) => {
            page.choices.iter().try_for_each(|choice| own_address(&choice.href))?;
            finish(&ChooserView { tenant: &page.tenant, words, worn, page })
        }
        Page::ConfirmLogout(page) => {
            href::form_target(&page.action).ok_or_else(bad_address)?;
            finish(&ConfirmLogoutView { tenant: &page.tenant, words, worn, page })
        }
        Page::LoggedOut(page) => {
            finish(&LoggedOutView { tenant: &page.tenant, words, worn, way_back: safe(page.way_back.as_ref()), page })
        }
        Page::LoggingOut(page) => {
            page.frames.iter().chain([&page.poll, &page.next]).try_for_each(|address| own_address(address))?;
            finish(&LoggingOutView { tenant: &page.tenant, words, worn, nonce, page })
        }
        Page::NoticeForm(form) => {
            href::form_target(&form.action).ok_or_else(bad_address)?;
            auto_post(&form.action, &form.fields, worn, nonce)
        }
        Page::Noticed(page) => finish(&NoticedView { tenant: &page.tenant, words, worn, page }),
        Page::SignedIn(page) => {
            own_address(&page.logout)?;
            finish(&SignedInView { tenant: &page.tenant, words, worn, page })
        }
        Page::Consent(page) => {
            own_form(&page.form)?;
            finish(&ConsentView { tenant: &page.tenant, words, worn, page })
        }
        Page::Account(page) => account(page, worn),
        Page::ConfirmLink(page) => {
            own_form(&page.form)?;
            finish(&ConfirmLinkView { tenant: &page.tenant, words, worn, page })
        }
        Page::SameEmail(page) => {
            own_form(&page.form)?;
            finish(&SameEmailView { tenant: &page.tenant, words, worn, before: safe(page.before.as_ref()), page })
        }
        Page::Password(page) => {
            own_form(&page.form)?;
            finish(&PasswordView { tenant: &page.tenant, words, worn, other: safe(page.other.as_ref()), page })
        }
        Page::NewPassword(page) => {
            own_form(&page.form)?;
            finish(&NewPasswordView { tenant: &page.tenant, words, worn, page })
        }
        Page::SecondFactor(page) => {
            own_form(&page.form)?;
            finish(&FactorView { tenant: &page.tenant, words, worn, nonce, page })
        }
        Page::Enrol(page) => {
            own_form(&page.form)?;
            own_address(&page.uri)?;
            finish(&EnrolView { tenant: &page.tenant, words, worn, nonce, page })
        }
        Page::Shown(page) => {
            own_address(&page.next)?;
            finish(&ShownView { tenant: &page.tenant, words, worn, page })
        }
    }
}

/// Every form on the page of a person's own goes to us.
fn account(page: &AccountPage, worn: &Worn) -> Result<String, Fault> {
    own_address(&page.logout)?;
    let rows = [
        &page.sessions,
        &page.apps,
        &page.logins,
        &page.connect,
        &page.factors,
        &page.app_passwords,
        &page.app_password_for,
    ];
    let forms = rows.into_iter().flatten().filter_map(|row| row.form.as_ref());
    forms.chain(&page.enrol).try_for_each(own_form)?;
    finish(&AccountView { tenant: &page.tenant, words: worn.words, worn, page })
}

/// A page whose one form sends itself, with a button for browsers that run no script.
pub(crate) fn auto_post(action: &str, fields: &[(String, String)], worn: &Worn, nonce: &str) -> Result<String, Fault> {
    let host = Url::parse(action).ok().and_then(|url| url.host_str().map(str::to_owned));
    finish(&AutoPostView { tenant: "", words: worn.words, worn, action, fields, nonce, host })
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    heading: &'static str,
    way_back: Option<&'a WayBack>,
    trace: Option<String>,
    page: &'a ErrorPage,
}

#[derive(Template)]
#[template(path = "chooser.html")]
struct ChooserView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a ChooserPage,
}

#[derive(Template)]
#[template(path = "confirm_logout.html")]
struct ConfirmLogoutView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a ConfirmLogoutPage,
}

#[derive(Template)]
#[template(path = "logged_out.html")]
struct LoggedOutView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    way_back: Option<&'a WayBack>,
    page: &'a LoggedOutPage,
}

#[derive(Template)]
#[template(path = "logging_out.html")]
struct LoggingOutView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    nonce: &'a str,
    page: &'a LoggingOutPage,
}

#[derive(Template)]
#[template(path = "noticed.html")]
struct NoticedView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a NoticedPage,
}

#[derive(Template)]
#[template(path = "signed_in.html")]
struct SignedInView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a SignedInPage,
}

#[derive(Template)]
#[template(path = "consent.html")]
struct ConsentView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a ConsentPage,
}

#[derive(Template)]
#[template(path = "account.html")]
struct AccountView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a AccountPage,
}

#[derive(Template)]
#[template(path = "confirm_link.html")]
struct ConfirmLinkView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a ConfirmLinkPage,
}

#[derive(Template)]
#[template(path = "same_email.html")]
struct SameEmailView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    before: Option<&'a WayBack>,
    page: &'a SameEmailPage,
}

#[derive(Template)]
#[template(path = "password.html")]
struct PasswordView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    other: Option<&'a WayBack>,
    page: &'a PasswordPage,
}

#[derive(Template)]
#[template(path = "new_password.html")]
struct NewPasswordView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a NewPasswordPage,
}

#[derive(Template)]
#[template(path = "factor.html")]
struct FactorView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    nonce: &'a str,
    page: &'a SecondFactorPage,
}

#[derive(Template)]
#[template(path = "enrol.html")]
struct EnrolView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    nonce: &'a str,
    page: &'a EnrolPage,
}

#[derive(Template)]
#[template(path = "shown.html")]
struct ShownView<'a> {
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    page: &'a ShownPage,
}

#[derive(Template)]
#[template(path = "auto_post.html")]
struct AutoPostView<'a> {
    /// The base template's; an auto-post page names no tenant.
    tenant: &'a str,
    words: Words,
    worn: &'a Worn,
    action: &'a str,
    fields: &'a [(String, String)],
    nonce: &'a str,
    host: Option<String>,
}

fn finish(view: &impl Template) -> Result<String, Fault> {
    view.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Fault::Internal
    })
}

/// A way back that a browser can't follow safely is left out: the rest of the page still helps.
fn safe(way_back: Option<&WayBack>) -> Option<&WayBack> {
    way_back.filter(|way_back| href::may_go(&way_back.href))
}

fn own_address(address: &str) -> Result<(), Fault> {
    if href::may_go(address) { Ok(()) } else { Err(bad_address()) }
}

fn own_form(form: &OwnForm) -> Result<(), Fault> {
    href::form_target(&form.action).map(|_| ()).ok_or_else(bad_address)
}

fn bad_address() -> Fault {
    tracing::error!("a page was refused: an address on it is not one that a browser may be sent to");
    Fault::Internal
}

fn heading(status: u16) -> &'static str {
    match status {
        401 | 403 => "No access",
        404 => "Nothing here",
        429 => "Too many attempts",
        503 => "Not available right now",
        500..=599 => "Something went wrong",
        _ => "This did not work",
    }
}

/// The letter that stands for a connection in the list.
fn initial(name: &str) -> String {
    name.chars().find(|c| c.is_alphanumeric()).map_or_else(|| "•".to_owned(), |c| c.to_uppercase().collect())
}

/// What the field for the name is called.
fn name_is(name: &NameIs) -> &'static str {
    match name {
        NameIs::UserName => "User name",
        NameIs::UserNameOrEmail => "User name or e-mail address",
        NameIs::Email => "E-mail address",
    }
}

/// What a protocol means to the person who logs in.
fn manner(protocol: &str) -> &'static str {
    match protocol {
        "saml" | "oidc" => "Single sign-on",
        "ldap" => "User name and password",
        _ => "",
    }
}
