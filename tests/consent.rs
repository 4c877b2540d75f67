//! The pages of consent and of the account at the built server: who sees them, in which dress, and which forms count.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_saml::testkit::ScriptedIdp;

use crate::support::browser::{Answer, Browser};
use crate::support::html::Form;
use crate::support::scripted::{App, REDIRECT, alice, bridge_file_with, idp, now};
use crate::support::{Scratch, bridge::Bridge, bridge::Setup, eventually};

/// A picture of one dot.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

struct World {
    idp: ScriptedIdp,
    app: App,
    browser: Browser,
    setup: Setup,
    scratch: Scratch,
    _bridge: Bridge,
}

impl World {
    async fn new(consent: &str) -> Self {
        let (idp, scratch) = (idp(), Scratch::new("consent"));
        std::fs::write(scratch.path().join("logo.png"), STANDARD.decode(PNG).unwrap()).unwrap();
        let setup = Setup::sqlite(scratch.path());
        setup.apply(&scratch, &Self::file(&scratch, &idp, consent));
        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        Self { idp, app, browser: Browser::new(), setup, scratch, _bridge: bridge }
    }

    fn file(scratch: &Scratch, idp: &ScriptedIdp, consent: &str) -> String {
        let client = format!("        consent: {consent}");
        let file = bridge_file_with(scratch, idp, "", &client);
        let look = "    display_name: Acme\n    locales: [de, en]\n    branding: { logo: { file: logo.png }, accent: \
                    \"#0b6e4f\", accent_dark: \"#7fe0bd\" }\n";
        file.replace("    display_name: Acme\n", look)
    }

    /// A login as far as the bridge's answer to the upstream's.
    async fn login(&mut self, more: &str) -> Answer {
        let request = self.app.to_idp(&mut self.browser, more).await;
        let answer = self.idp.answer(&request, &alice(), now());
        let form = answer.form(&self.idp, request.relay_state.as_deref()).unwrap();
        self.app.post_acs(&mut self.browser, &form).await
    }

    /// The same, where a session is there already.
    async fn again(&mut self, more: &str) -> Answer {
        self.browser.get(&self.app.authorize_url(more)).await
    }

    async fn answered(&mut self, page: &Answer, answer: &str) -> Answer {
        let form = consent_form(page).set("answer", answer);
        self.browser.post(&form.action, &form.fields).await
    }
}

fn consent_form(page: &Answer) -> Form {
    assert_eq!(page.status, 200, "{}", page.body);
    Form::leading_to(&page.body, &page.url, "/consent").unwrap_or_else(|| panic!("nobody is asked: {}", page.body))
}

fn policy(page: &Answer) -> &str {
    page.headers["content-security-policy"].to_str().unwrap()
}

#[tokio::test]
async fn a_person_is_asked_once_for_what_an_app_wants() {
    let mut world = World::new("remember").await;
    let page = world.login("").await;
    for part in [
        "<html lang=\"de\">",
        "<strong>The App</strong> bittet um Zugriff",
        "Ihre E-Mail-Adresse",
        "Zugriff auch in Ihrer Abwesenheit",
        "Die Antwort geht an <strong>127.0.0.1</strong>.",
        "--accent:#0b6e4f",
        &format!("<img class=\"logo\" src=\"data:image/png;base64,{PNG}\" alt=\"\">"),
    ] {
        assert!(page.body.contains(part), "{part} is not in {}", page.body);
    }
    assert!(!page.body.contains("<script"), "it needs none");
    let policy = policy(&page);
    for part in ["default-src 'none'", "frame-ancestors 'none'", "form-action 'self' https: http:;", "base-uri 'none'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert_eq!(page.headers["x-frame-options"], "DENY");
    assert_eq!(page.headers["cache-control"], "no-store");

    let code = world.answered(&page, "allow").await.redirect_param("code");
    assert_eq!(world.app.redeem(&code).await.status, 200);
    let again = world.answered(&page, "allow").await;
    assert_eq!((again.status, again.location), (400, None), "a question is answered once");

    // It is remembered, also where nobody may be asked.
    assert!(world.again("").await.redirect_params().contains_key("code"));
    assert!(world.again("&prompt=none").await.redirect_params().contains_key("code"));
    // An app that asks for more, or for a question, gets one, in the language that it names.
    let more = world.again("&ui_locales=en&claims=%7B%22userinfo%22%3A%7B%22birthdate%22%3Anull%7D%7D").await;
    consent_form(&more);
    assert!(more.body.contains("Your date of birth") && more.body.contains("<html lang=\"en\">"), "{}", more.body);
    let asked = world.again("&prompt=consent").await;
    assert_eq!(world.answered(&asked, "deny").await.redirect_param("error"), "access_denied");
    assert!(world.again("").await.redirect_params().contains_key("code"), "a no takes no earlier yes away");
}

#[tokio::test]
async fn only_the_person_who_was_asked_can_answer() {
    let mut world = World::new("always").await;
    let page = world.login("").await;
    let form = consent_form(&page).set("answer", "allow");
    let refused = |answer: &Answer, who: &str| {
        assert_eq!((answer.status, &answer.location), (400, &None), "{who}: {}", answer.body);
        assert!(!answer.body.contains("SAMLRequest"), "{who}");
    };
    let nobody = Browser::new().post(&form.action, &form.fields).await;
    refused(&nobody, "somebody without the cookies");
    let cookies = world.browser.cookies(&form.action);
    let header: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&form.fields).finish();
    let response = crate::support::browser::HTTP
        .post(&form.action)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", header.join("; "))
        .header("origin", "https://evil.example")
        .body(body);
    assert_eq!(response.send().await.unwrap().status(), 400, "another site's form");
    let forged = form.clone().set("question", "forged");
    let forged = world.browser.post(&forged.action, &forged.fields).await;
    refused(&forged, "a question that nobody asked");
    let silent = world.again("&prompt=none").await;
    assert_eq!(silent.redirect_param("error"), "consent_required");
    // None of that used the question up.
    assert!(world.answered(&page, "allow").await.redirect_params().contains_key("code"));
    let next = world.again("").await;
    consent_form(&next);
}

#[tokio::test]
async fn a_person_sees_and_ends_what_is_theirs() {
    let mut world = World::new("remember").await;
    let account = format!("{}/account", world.app.at);
    let page = world.login("").await;
    let code = world.answered(&page, "allow").await.redirect_param("code");
    let tokens = world.app.redeem(&code).await.json();

    let page = world.browser.get(&format!("{account}?ui_locales=de")).await;
    for part in ["<html lang=\"de\">", "Ihr Konto", "hier in Gebrauch", "The App", "--accent:#0b6e4f", "Seit <time"] {
        assert!(page.body.contains(part), "{part} is not in {}", page.body);
    }
    assert!(policy(&page).contains("frame-ancestors 'none'") && !page.body.contains("<script"));
    let forget = Form::leading_to(&page.body, &page.url, "/account/forget").unwrap();
    let forged = forget.clone().set("token", "0");
    assert!(world.browser.post(&forged.action, &forged.fields).await.status >= 400);
    assert_eq!(world.app.introspect(tokens["access_token"].as_str().unwrap()).await["active"], true);
    let done = world.browser.post(&forget.action, &forget.fields).await;
    assert_eq!((done.status, done.location.as_deref()), (303, Some(account.as_str())), "{}", done.body);
    assert_eq!(world.app.introspect(tokens["access_token"].as_str().unwrap()).await["active"], false);
    assert_eq!(world.app.refresh(tokens["refresh_token"].as_str().unwrap()).await.json()["error"], "invalid_grant");
    consent_form(&world.again("").await);

    // Without a session the page leads to a login.
    let stranger = Browser::new().get(&account).await;
    assert!(stranger.location.is_some_and(|location| location.starts_with("https://idp.example/sso")));
}

#[tokio::test]
async fn a_company_app_asks_nobody() {
    let mut world = World::new("none").await;
    let answer = world.login("").await;
    assert!(answer.location.as_deref().is_some_and(|location| location.starts_with(REDIRECT)), "{}", answer.body);
    // The setting changes while people are logged in.
    world.setup.apply(&world.scratch, &World::file(&world.scratch, &world.idp, "always"));
    eventually("the change is in force", async || world.again("").await.location.is_none().then_some(())).await;
}
