//! Every page, with kind and with hostile words.

use base64::Engine as _;
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::page::*;
use fedbridge_contract::password::NameIs;

use crate::support::{Answer, Bridge, HTTP, HTTPS};

const HOSTILE: [&str; 8] = [
    "\"><script>alert(1)</script>",
    "'><img src=x onerror=alert(1)>",
    "</title></style></textarea></script><svg onload=alert(1)>",
    "\" autofocus onfocus=\"alert(1)",
    "' onmouseover='alert(1)",
    "<!--<meta http-equiv=refresh content=0;url=//evil.example>-->",
    "{{ 7 * 7 }}{% raw %}${7*7}&lt;b&gt;&#x3c;",
    "\u{202e}\u{0}\r\n<b>\u{fffe}`x`=y",
];

fn trace() -> TraceId {
    "0123456789abcdef0123456789abcdef".parse().unwrap()
}

/// Every page with `words` wherever a page takes text from somebody.
fn replies(words: &str) -> Vec<(&'static str, Reply)> {
    let text = || words.to_owned();
    let way_back = || Some(WayBack { label: text(), href: "https://app.example/?a=1&b=2".into() });
    let error =
        ErrorPage { status: 403, tenant: Some(text()), sentence: text(), trace: Some(trace()), way_back: way_back() };
    let choice = || Choice { name: text(), protocol: text(), href: "/t/acme/connections/a/login".into() };
    let fields = || vec![(text(), text()), ("submit".to_owned(), text())];
    let form = || OwnForm { action: "/t/acme/account/end".into(), fields: fields() };
    let row = || AccountRow { name: text(), since: Some(text()), note: Some(text()), here: false, form: Some(form()) };
    vec![
        ("error", Reply::page(Page::Error(error))),
        (
            "chooser",
            Reply::page(Page::Chooser(ChooserPage {
                tenant: text(),
                app: Some(text()),
                choices: vec![choice(), choice()],
            })),
        ),
        (
            "confirm logout",
            Reply::page(Page::ConfirmLogout(ConfirmLogoutPage {
                tenant: text(),
                action: "/t/acme/logout".into(),
                fields: fields(),
            })),
        ),
        (
            "logged out",
            Reply::page(Page::LoggedOut(LoggedOutPage {
                tenant: text(),
                told: vec![text()],
                not_told: vec![text(), text()],
                way_back: way_back(),
            })),
        ),
        (
            "signed in",
            Reply::page(Page::SignedIn(SignedInPage {
                tenant: text(),
                person: text(),
                connection: text(),
                logout: "/t/acme/logout".into(),
            })),
        ),
        (
            "auto-post",
            ReplyKind::AutoPost { action: "https://idp.example/sso?a=1&b=\"'<".into(), fields: fields() }.into(),
        ),
        ("logging out", Reply::page(Page::LoggingOut(LoggingOutPage { tenant: text(), ..logging_out() }))),
        (
            "notice form",
            Reply::page(Page::NoticeForm(NoticeFormPage {
                action: "https://wiki.example/slo".into(),
                fields: fields(),
                framed_by: None,
            })),
        ),
        ("noticed", Reply::page(Page::Noticed(NoticedPage { tenant: text() }))),
        (
            "consent",
            Reply::page(Page::Consent(ConsentPage {
                tenant: text(),
                person: text(),
                app: text(),
                host: Some(text()),
                asks: vec![text(), "email".into(), text()],
                form: form(),
            })),
        ),
        (
            "account",
            Reply::page(Page::Account(Box::new(AccountPage {
                tenant: text(),
                person: text(),
                sessions: vec![row(), AccountRow { here: true, form: None, ..row() }],
                apps: vec![row()],
                logins: vec![row(), AccountRow { since: None, note: None, ..row() }],
                connect: vec![row()],
                factors: vec![row()],
                enrol: Some(form()),
                app_passwords: vec![row()],
                app_password_for: vec![row()],
                logout: "/t/acme/logout".into(),
            }))),
        ),
        (
            "same e-mail",
            Reply::page(Page::SameEmail(SameEmailPage {
                tenant: text(),
                identity: text(),
                connection: text(),
                before: Some(WayBack { label: text(), href: "/t/acme/account".into() }),
                onward: None,
                form: form(),
            })),
        ),
        (
            "confirm link",
            Reply::page(Page::ConfirmLink(ConfirmLinkPage {
                tenant: text(),
                account: text(),
                account_connection: text(),
                identity: text(),
                connection: text(),
                form: form(),
            })),
        ),
        ("password", Reply::page(Page::Password(Box::new(password(words, form()))))),
        (
            "new password",
            Reply::page(Page::NewPassword(NewPasswordPage {
                tenant: text(),
                person: text(),
                complaint: Some(text()),
                onward: None,
                form: form(),
            })),
        ),
        ("second factor", Reply::page(Page::SecondFactor(second_factor(words, form())))),
        ("enrol", Reply::page(Page::Enrol(Box::new(enrol(words, form()))))),
        (
            "shown",
            Reply::page(Page::Shown(ShownPage {
                tenant: text(),
                app: text(),
                secret: text(),
                next: "/t/acme/account".into(),
            })),
        ),
    ]
}

fn password(words: &str, form: OwnForm) -> PasswordPage {
    PasswordPage {
        tenant: words.to_owned(),
        app: Some(words.to_owned()),
        connection: words.to_owned(),
        name_is: NameIs::UserName,
        name: words.to_owned(),
        complaint: Some(words.to_owned()),
        onward: None,
        form,
        other: Some(WayBack { label: words.to_owned(), href: "/t/acme/account".into() }),
    }
}

fn second_factor(words: &str, form: OwnForm) -> SecondFactorPage {
    SecondFactorPage {
        tenant: words.to_owned(),
        person: words.to_owned(),
        totp: true,
        recovery: true,
        passkey: Some(words.to_owned()),
        complaint: Some(words.to_owned()),
        onward: None,
        form,
    }
}

fn enrol(words: &str, form: OwnForm) -> EnrolPage {
    EnrolPage {
        tenant: words.to_owned(),
        person: words.to_owned(),
        secret: words.to_owned(),
        uri: "otpauth://totp/Acme?secret=a".into(),
        passkey: Some(words.to_owned()),
        codes: vec![words.to_owned()],
        complaint: Some(words.to_owned()),
        onward: None,
        form,
    }
}

fn logging_out() -> LoggingOutPage {
    let address = |step: &str| format!("/t/acme/logout/{step}?id=1&key=2");
    LoggingOutPage {
        tenant: "Acme".into(),
        frames: vec![format!("{}&app=1", address("frame")), format!("{}&app=2", address("frame"))],
        poll: address("poll"),
        next: address("next"),
        wait_seconds: 3,
        frame_origins: vec!["https:".into()],
        framed_by: None,
    }
}

async fn show(base: &str, reply: &Reply) -> Answer {
    let reply = reply.clone();
    Bridge::start(base, move |_| reply.clone()).await.get("/t/acme/authorize").await
}

/// The tags of a document with the names of their attributes, values and text left out.
fn skeleton(html: &str) -> Vec<String> {
    let (mut tags, mut rest) = (Vec::new(), html);
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let (mut tag, mut quote, mut end) = (String::new(), None, rest.len());
        for (at, c) in rest.char_indices() {
            match quote {
                Some(open) if c == open => quote = None,
                Some(_) => {}
                None if c == '>' => {
                    end = at;
                    break;
                }
                None if c == '"' || c == '\'' => quote = Some(c),
                None => tag.push(c),
            }
        }
        rest = &rest[end..];
        if tag == "style" {
            rest = &rest[rest.find("</style>").expect("the style sheet does not end")..];
        }
        tags.push(tag);
    }
    tags
}

#[tokio::test]
async fn hostile_words_change_nothing_but_words() {
    let kind = replies("Acme");
    for words in HOSTILE {
        for ((name, benign), (_, hostile)) in kind.iter().zip(replies(words)) {
            let (benign, hostile) = (show(HTTPS, benign).await, show(HTTPS, &hostile).await);
            assert_eq!(hostile.status, benign.status, "{name}");
            assert_eq!(skeleton(&hostile.body), skeleton(&benign.body), "{name} with {words:?}");
            if words.contains('<') {
                assert!(!hostile.body.contains(words), "{name} holds {words:?} as it is");
            }
        }
    }
}

#[tokio::test]
async fn pages_say_what_they_must() {
    for (name, reply) in replies("Zoë & Söhne") {
        let answer = show(HTTP, &reply).await;
        assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{name}");
        assert_eq!(answer.status, if name == "error" { 403 } else { 200 }, "{name}");
        let html = &answer.body;
        for part in ["<!doctype html>", "<html lang=\"en\">", "name=\"viewport\"", "<main>", "<h1>", "<title>"] {
            assert!(html.contains(part), "{name} has no {part}");
        }
        assert_eq!(html.matches("<h1>").count(), 1, "{name}");
        let scripted = ["auto-post", "notice form", "logging out", "second factor", "enrol"].contains(&name);
        assert!(html.contains("Zoë &#38; Söhne"), "{name}");
        assert_eq!(html.contains("<script"), scripted, "{name}");
    }
    let error = show(HTTP, &replies("x")[0].1).await;
    assert!(error.body.contains("0123456789abcdef0123456789abcdef"));
    assert!(error.body.contains("href=\"https://app.example/?a=1&#38;b=2\""));
}

#[tokio::test]
async fn no_page_links_to_a_script() {
    let way_back = || Some(WayBack { label: "Back".into(), href: "javascript:alert(1)".into() });
    let error = ErrorPage { status: 400, tenant: None, sentence: "No.".into(), trace: None, way_back: way_back() };
    let logged_out =
        LoggedOutPage { tenant: "Acme".into(), told: Vec::new(), not_told: Vec::new(), way_back: way_back() };
    for page in [Page::Error(error), Page::LoggedOut(logged_out)] {
        let answer = show(HTTP, &Reply::page(page)).await;
        assert!(!answer.body.contains("javascript:") && !answer.body.contains("Back"), "{}", answer.body);
    }
    let chooser = ChooserPage {
        tenant: "Acme".into(),
        app: None,
        choices: vec![Choice { name: "a".into(), protocol: "saml".into(), href: "javascript:alert(1)".into() }],
    };
    let signed_in = SignedInPage {
        tenant: "Acme".into(),
        person: "Ada".into(),
        connection: "Okta".into(),
        logout: "data:text/html,x".into(),
    };
    let confirm = ConfirmLogoutPage { tenant: "Acme".into(), action: "javascript:alert(1)".into(), fields: Vec::new() };
    let form = || OwnForm { action: "javascript:alert(1)".into(), fields: Vec::new() };
    let row = AccountRow { name: "a".into(), since: None, note: None, here: false, form: Some(form()) };
    let empty = AccountPage {
        tenant: "Acme".into(),
        person: "Ada".into(),
        sessions: Vec::new(),
        apps: Vec::new(),
        logins: Vec::new(),
        connect: Vec::new(),
        factors: Vec::new(),
        enrol: None,
        app_passwords: Vec::new(),
        app_password_for: Vec::new(),
        logout: "/t/acme/logout".into(),
    };
    let accounts = [
        AccountPage { sessions: vec![row.clone()], ..empty.clone() },
        AccountPage { apps: vec![row.clone()], ..empty.clone() },
        AccountPage { logins: vec![row.clone()], ..empty.clone() },
        AccountPage { connect: vec![row.clone()], ..empty.clone() },
        AccountPage { factors: vec![row.clone()], ..empty.clone() },
        AccountPage { enrol: Some(form()), ..empty.clone() },
        AccountPage { app_passwords: vec![row.clone()], ..empty.clone() },
        AccountPage { app_password_for: vec![row], ..empty.clone() },
        AccountPage { logout: "javascript:alert(1)".into(), ..empty },
    ];
    let consent = ConsentPage {
        tenant: "Acme".into(),
        person: "Ada".into(),
        app: "Wiki".into(),
        host: None,
        asks: Vec::new(),
        form: form(),
    };
    let link = ConfirmLinkPage {
        tenant: "Acme".into(),
        account: "Ada".into(),
        account_connection: "Okta".into(),
        identity: "ada".into(),
        connection: "Entra".into(),
        form: form(),
    };
    let same_email = SameEmailPage {
        tenant: "Acme".into(),
        identity: "ada".into(),
        connection: "Entra".into(),
        before: None,
        onward: None,
        form: form(),
    };
    let own = OwnForm { action: "/t/acme/factor/enrol".into(), fields: Vec::new() };
    let forms = ["javascript:alert(1)", "//evil.example", "mailto:a@b.example", ""];
    let mut replies: Vec<Reply> = [
        Page::Chooser(chooser),
        Page::SignedIn(signed_in),
        Page::ConfirmLogout(confirm),
        Page::Consent(consent),
        Page::ConfirmLink(link),
        Page::SameEmail(same_email),
        Page::Password(Box::new(password("a", form()))),
        Page::SecondFactor(second_factor("a", form())),
        Page::Enrol(Box::new(enrol("a", form()))),
        Page::Enrol(Box::new(EnrolPage { uri: "javascript:alert(1)".into(), ..enrol("a", own) })),
    ]
    .into_iter()
    .chain(accounts.map(|page| Page::Account(Box::new(page))))
    .map(Reply::page)
    .collect();
    replies.extend(forms.map(|action| ReplyKind::AutoPost { action: action.into(), fields: Vec::new() }.into()));
    for reply in replies {
        let answer = show(HTTP, &reply).await;
        assert_eq!(answer.status, 500, "{reply:?}");
        assert!(!answer.body.contains("alert"));
    }
}

#[tokio::test]
async fn an_error_page_has_an_error_status() {
    for (asked, got) in [(400, 400), (503, 503), (200, 500), (0, 500), (700, 500)] {
        let page = ErrorPage { status: asked, tenant: None, sentence: "No.".into(), trace: None, way_back: None };
        assert_eq!(show(HTTP, &Reply::page(Page::Error(page))).await.status, got);
    }
}

#[tokio::test]
async fn only_the_style_sheet_of_the_page_is_let_in() {
    for (name, reply) in replies("Acme") {
        let answer = show(HTTP, &reply).await;
        let (_, after) = answer.body.split_once("<style>").unwrap();
        let (style, _) = after.split_once("</style>").unwrap();
        let hash = base64::engine::general_purpose::STANDARD.encode(openssl::sha::sha256(style.as_bytes()));
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains(&format!("style-src 'sha256-{hash}';")), "{name}: {policy}");
        let scripted = ["auto-post", "notice form", "logging out", "second factor", "enrol"].contains(&name);
        assert_eq!(policy.contains("script-src"), scripted, "{name}: {policy}");
    }
}

#[tokio::test]
async fn each_auto_post_page_has_a_nonce_of_its_own() {
    let reply = || ReplyKind::AutoPost { action: "https://idp.example/sso".into(), fields: Vec::new() };
    let bridge = Bridge::start(HTTPS, move |_| reply().into()).await;
    let mut nonces = Vec::new();
    for _ in 0..3 {
        let answer = bridge.get("/t/acme/authorize").await;
        let policy = answer.header("content-security-policy").unwrap();
        let (_, rest) = policy.split_once("script-src 'nonce-").unwrap();
        let (nonce, _) = rest.split_once('\'').unwrap();
        assert_eq!(nonce.len(), 22, "128 bits");
        assert_eq!(answer.body.matches("<script").count(), 1);
        assert!(answer.body.contains(&format!("<script nonce=\"{nonce}\">")));
        assert!(answer.body.contains("<noscript>") && answer.body.contains("<button"));
        nonces.push(nonce.to_owned());
    }
    nonces.dedup();
    assert_eq!(nonces.len(), 3);
}

#[tokio::test]
async fn forms_may_post_where_the_page_says() {
    for (action, forms) in [
        ("https://idp.example/sso", "form-action https:;"),
        ("http://127.0.0.1:8081/sso", "form-action https: http:;"),
        ("/t/acme/next", "form-action 'self' https:;"),
    ] {
        let reply = ReplyKind::AutoPost { action: action.into(), fields: Vec::new() }.into();
        let answer = show(HTTPS, &reply).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains(forms), "{action}: {policy}");
    }
    let answer = show(HTTPS, &replies("x")[2].1).await;
    assert_eq!(answer.header("referrer-policy"), Some("same-origin"), "else the form's Origin would be null");
    let links = show(HTTPS, &replies("x")[1].1).await;
    assert!(links.header("content-security-policy").unwrap().contains("form-action 'none'"));
}

#[tokio::test]
async fn only_pages_of_a_logout_may_be_framed() {
    for (name, reply) in replies("Acme") {
        let answer = show(HTTPS, &reply).await;
        let policy = answer.header("content-security-policy").unwrap();
        let (_, ancestors) = policy.split_once("frame-ancestors ").unwrap();
        let (ancestors, _) = ancestors.split_once(';').unwrap();
        let expected = match name {
            "notice form" => "'self'",
            "noticed" => "*",
            _ => "'none'",
        };
        assert_eq!(ancestors, expected, "{name}: {policy}");
        let denied = answer.header("x-frame-options");
        assert_eq!(denied, (expected == "'none'").then_some("DENY"), "{name}: that header can name nobody");
        assert_eq!(policy.contains("frame-src"), name == "logging out", "{name}: {policy}");
    }
}

#[tokio::test]
async fn a_logout_in_frames_works_without_script_and_stays_in_its_frames() {
    let answer = show(HTTPS, &Reply::page(Page::LoggingOut(logging_out()))).await;
    let policy = answer.header("content-security-policy").unwrap();
    for part in ["frame-src 'self' https:;", "connect-src 'self';", "form-action 'none'", "script-src 'nonce-"] {
        assert!(policy.contains(part), "{policy}");
    }
    let html = &answer.body;
    assert_eq!(html.matches("<iframe").count(), 2);
    assert_eq!(html.matches("sandbox=\"allow-scripts allow-forms allow-same-origin\"").count(), 2);
    assert_eq!(html.matches("title=\"Logout of an application\"").count(), 2);
    let refresh = "<noscript><meta http-equiv=\"refresh\" content=\"3;url=/t/acme/logout/next?id=1&#38;key=2\">";
    assert!(html.contains(refresh), "{html}");
    assert!(html.contains("href=\"/t/acme/logout/next?id=1&#38;key=2\""), "somebody who does not want to wait: {html}");
    for bad in ["javascript:alert(1)", "//evil.example/"] {
        let page = LoggingOutPage { frames: vec![bad.into()], ..logging_out() };
        assert_eq!(show(HTTPS, &Reply::page(Page::LoggingOut(page))).await.status, 500);
    }
}

#[tokio::test]
async fn a_policy_names_origins_and_nothing_else() {
    for (framed_by, ancestors) in [
        ("https://idp.example/slo?x=1", "frame-ancestors https://idp.example;"),
        ("https://idp.example:8443", "frame-ancestors https://idp.example:8443;"),
        ("https://idp.example; script-src *", "frame-ancestors 'none';"),
        ("*", "frame-ancestors 'none';"),
        ("javascript:alert(1)", "frame-ancestors 'none';"),
    ] {
        let page = LoggingOutPage {
            framed_by: Some(framed_by.into()),
            frame_origins: vec![framed_by.into(), "'unsafe-inline'".into()],
            ..logging_out()
        };
        let answer = show(HTTPS, &Reply::page(Page::LoggingOut(page))).await;
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains(ancestors), "{framed_by}: {policy}");
        assert!(!policy.contains('*') && !policy.contains("unsafe-inline"), "{framed_by}: {policy}");
        assert_eq!(answer.header("x-frame-options").is_some(), ancestors.contains("'none'"), "{framed_by}");
    }
}
