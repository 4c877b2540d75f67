//! People who log in with a name and a password, on the bridge's page.

use serde_json::Value;

use crate::support::browser::{Answer, Browser};
use crate::support::html::Form;
use crate::support::scripted::{App, REDIRECT, claims};

/// The page that asks for the password.
pub async fn password_page(browser: &mut Browser, app: &App) -> Answer {
    // The usual scopes, and groups.
    let url = app.authorize_url("").replace("%20offline_access&", "%20offline_access%20groups&");
    let page = browser.visit(&url).await;
    assert!(
        form(&page).is_some(),
        "no page for a password: {} {} {:?}\n{}",
        page.url,
        page.status,
        page.location,
        page.body
    );
    page
}

fn form(page: &Answer) -> Option<Form> {
    Form::leading_to(&page.body, &page.url, "/password")
}

/// Fills the page in.
pub async fn send(browser: &mut Browser, page: &Answer, name: &str, password: &str) -> Answer {
    let form = form(page).unwrap_or_else(|| panic!("no form: {} {}\n{}", page.url, page.status, page.body));
    let form = form.set("name", name).set("password", password);
    browser.post(&form.action, &form.fields).await
}

/// The whole way; what comes of it is a redirect with a code, or a page.
pub async fn log_in(browser: &mut Browser, app: &App, name: &str, password: &str) -> Answer {
    let page = password_page(browser, app).await;
    send(browser, &page, name, password).await
}

/// Tokens of a login that must succeed.
pub async fn tokens(app: &App, name: &str, password: &str) -> Value {
    let answer = log_in(&mut Browser::new(), app, name, password).await;
    assert!(
        answer.location.as_deref().is_some_and(|location| location.starts_with(REDIRECT)),
        "no login of {name}: {} {:?}\n{}",
        answer.status,
        answer.location,
        answer.shown()
    );
    let tokens = app.redeem(&answer.redirect_param("code")).await;
    assert_eq!(tokens.status, 200, "{}", tokens.body);
    tokens.json()
}

/// The ID token's claims of a login that must succeed.
pub async fn identity(app: &App, name: &str, password: &str) -> Value {
    claims(&tokens(app, name, password).await["id_token"])
}
