//! Languages, colours and logos of pages.

use std::sync::Arc;

use base64::Engine as _;
use fedbridge_contract::config::{Locale, Look};
use fedbridge_contract::http::{Dress, Reply};
use fedbridge_contract::page::*;

use crate::support::{Answer, Bridge, CLOSE, HTTPS};

const LOGO: &str = "data:image/png;base64,iVBORw0KGgo=";

fn consent() -> Page {
    Page::Consent(ConsentPage {
        tenant: "Acme".into(),
        person: "Ada".into(),
        app: "Wiki".into(),
        host: Some("wiki.example".into()),
        asks: vec!["email".into(), "api:read".into()],
        form: OwnForm { action: "/t/acme/consent".into(), fields: vec![("token".into(), "t".into())] },
    })
}

async fn show(page: Page, dress: Dress, accept: &str) -> Answer {
    let reply = Reply::page(page).dressed(dress);
    let bridge = Bridge::start(HTTPS, move |_| reply.clone()).await;
    bridge.send(&format!("GET /t/acme/authorize HTTP/1.1\r\n{CLOSE}{accept}\r\n"), b"").await
}

fn dress(locale: Option<Locale>, offered: &[Locale], look: Option<Look>) -> Dress {
    Dress { look: look.map(Arc::new), locale, offered: offered.to_vec() }
}

#[tokio::test]
async fn pages_speak_german_and_english() {
    use Locale::{De, En};
    for (asked, offered, accept, lang) in [
        (None, &[][..], "", "en"),
        (None, &[], "Accept-Language: de-AT, en;q=0.5\r\n", "de"),
        (None, &[], "Accept-Language: fr\r\n", "en"),
        (Some(En), &[], "Accept-Language: de\r\n", "en"),
        (Some(De), &[], "Accept-Language: en\r\n", "de"),
        (None, &[De], "Accept-Language: en\r\n", "de"),
        (None, &[De, En], "", "de"),
    ] {
        let html = show(consent(), dress(asked, offered, None), accept).await.body;
        assert!(html.contains(&format!("<html lang=\"{lang}\">")), "{asked:?} {offered:?} {accept}");
        let words = match lang {
            "de" => ["<strong>Wiki</strong> bittet um Zugriff", "Ihre E-Mail-Adresse", ">Erlauben<", ">Ablehnen<"],
            _ => ["<strong>Wiki</strong> asks for access", "Your e-mail address", ">Allow<", ">Deny<"],
        };
        for word in words.into_iter().chain(["api:read", "<strong>wiki.example</strong>"]) {
            assert!(html.contains(word), "{word} is not in {html}");
        }
    }
}

#[tokio::test]
async fn faults_speak_the_browsers_language() {
    let bridge = Bridge::start(HTTPS, crate::support::fine).await;
    for (accept, sentence) in
        [("de", "Unter dieser Adresse gibt es nichts."), ("en", "There is nothing at this address.")]
    {
        let head = format!("GET /t/acme/nothing HTTP/1.1\r\n{CLOSE}Accept-Language: {accept}\r\n\r\n");
        let answer = bridge.send(&head, b"").await;
        assert_eq!(answer.status, 404);
        assert!(answer.body.contains(sentence), "{}", answer.body);
    }
}

#[tokio::test]
async fn the_tenants_colours_and_logo_are_let_in_and_nothing_else() {
    let look = Look { logo: Some(LOGO.into()), accent: Some("#0b6e4f".into()), accent_dark: Some("#7fe0bd".into()) };
    let answer = show(consent(), dress(None, &[], Some(look)), "").await;
    let html = &answer.body;
    assert!(html.contains(&format!("<img class=\"logo\" src=\"{LOGO}\" alt=\"\">")), "{html}");
    assert!(!html.contains("class=\"mark\""), "the logo stands in the place of our mark");
    let policy = answer.header("content-security-policy").unwrap();
    let styles: Vec<_> = html.split("<style>").skip(1).map(|rest| rest.split("</style>").next().unwrap()).collect();
    assert_eq!(styles.len(), 2);
    assert!(styles[1].contains("#0b6e4f") && styles[1].contains("#7fe0bd"), "{}", styles[1]);
    let hash = |style: &str| {
        let octets = openssl::sha::sha256(style.as_bytes());
        format!("'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(octets))
    };
    assert!(policy.contains(&format!("style-src {} {};", hash(styles[0]), hash(styles[1]))), "{policy}");
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
}

#[tokio::test]
async fn what_is_no_colour_and_no_picture_is_left_out() {
    for bad in ["#0b6e4f;}</style><script>alert(1)</script>", "javascript:alert(1)", "https://cdn.example/x.png"] {
        let look = Look { logo: Some(bad.into()), accent: Some(bad.into()), accent_dark: Some(bad.into()) };
        let html = show(consent(), dress(None, &[], Some(look)), "").await.body;
        assert_eq!(html.matches("<style>").count(), 1, "{bad}");
        assert!(!html.contains("<img") && !html.contains("<script") && !html.contains("cdn.example"), "{html}");
    }
}

#[tokio::test]
async fn dates_are_written_as_people_do() {
    let row = |name: &str, form| AccountRow {
        name: name.into(),
        since: Some("2027-03-01T09:05:00Z".into()),
        note: Some("Okta".into()),
        here: true,
        form,
    };
    let form = OwnForm { action: "/t/acme/account/end".into(), fields: vec![("token".into(), "t<".into())] };
    let account = Page::Account(Box::new(AccountPage {
        tenant: "Acme".into(),
        person: "Ada".into(),
        sessions: vec![row("Firefox", Some(form))],
        apps: Vec::new(),
        logins: vec![row("Okta", None)],
        connect: Vec::new(),
        factors: Vec::new(),
        enrol: None,
        app_passwords: Vec::new(),
        app_password_for: Vec::new(),
        logout: "/t/acme/logout".into(),
    }));
    for (locale, date, button, heading) in [
        (Locale::En, "1 March 2027, 09:05 UTC", "End", "Apps with access"),
        (Locale::De, "1. März 2027, 09:05 Uhr (UTC)", "Beenden", "Apps mit Zugriff"),
    ] {
        let html = show(account.clone(), dress(Some(locale), &[], None), "").await.body;
        assert!(html.contains(&format!("<time datetime=\"2027-03-01T09:05:00Z\">{date}</time>")), "{html}");
        assert!(html.contains(&format!("{button}<span class=\"unseen\">: Firefox, {date}</span></button>")), "{html}");
        assert!(html.contains("name=\"token\" value=\"t&#60;\""), "{html}");
        assert_eq!(html.matches("<form").count(), 1, "what can't be ended has no button");
        assert!(!html.contains(heading), "a section without rows is left out");
    }
}

#[tokio::test]
async fn the_logged_out_page_names_who_was_told_and_who_was_not() {
    let page = Page::LoggedOut(LoggedOutPage {
        tenant: "Acme".into(),
        told: vec!["Wiki".into(), "Okta".into()],
        not_told: vec!["Portal".into(), "an app that is gone".into(), "2 sessions elsewhere, which go on".into()],
        way_back: Some(WayBack { label: "Back to Portal".into(), href: "https://portal.example/".into() }),
    });
    let english = show(page.clone(), dress(Some(Locale::En), &[], None), "").await.body;
    let german = show(page, dress(Some(Locale::De), &[], None), "").await.body;
    let order = |html: &str, parts: &[&str]| {
        let found: Vec<_> =
            parts.iter().map(|part| html.find(part).unwrap_or_else(|| panic!("no {part}: {html}"))).collect();
        assert!(found.is_sorted(), "{parts:?}");
    };
    order(
        &english,
        &["Still open elsewhere", "<li>Portal", "<li>an app that is gone", "as well", "<li>Wiki", "<li>Okta"],
    );
    order(
        &german,
        &[
            "Anderswo noch offen",
            "<li>eine App, die es nicht",
            "<li>2 Sitzungen anderswo",
            "Dort ebenfalls",
            "<li>Wiki",
            "Zurück zu Portal",
        ],
    );
}

#[tokio::test]
async fn the_answer_may_lead_to_a_native_app() {
    for (host, forms) in [
        (Some("com.example.app:"), "form-action 'self' https: http: com.example.app:;"),
        (Some("wiki.example"), "form-action 'self' https: http:;"),
        (Some("javascript:"), "form-action 'self' https: http:;"),
        (Some("a.b: 'unsafe-inline'"), "form-action 'self' https: http:;"),
        (None, "form-action 'self' https: http:;"),
    ] {
        let Page::Consent(page) = consent() else { panic!("no consent page") };
        let page = Page::Consent(ConsentPage { host: host.map(str::to_owned), ..page });
        let answer = show(page, Dress::default(), "").await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains(forms), "{host:?}: {policy}");
        assert_eq!(answer.header("referrer-policy"), Some("same-origin"));
    }
}
