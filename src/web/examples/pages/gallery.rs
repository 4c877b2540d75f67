//! Every page with sample data. The tests of the pages in a real browser show it too.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::{Locale, Look};
use fedbridge_contract::http::{Dress, HttpInput, Method, Reply, ReplyKind, Route};
use fedbridge_contract::page::*;
use fedbridge_contract::password::NameIs;
use fedbridge_web::{Dispatch, Found, Handle, Place};

pub const ROUTES: [&str; 26] = [
    "same-email",
    "error",
    "denied",
    "chooser",
    "many",
    "consent",
    "consent-bare",
    "account",
    "account-bare",
    "confirm-link",
    "confirm",
    "logged-out",
    "logged-out-bare",
    "logged-out-partly",
    "logging-out",
    "noticed",
    "signed-in",
    "auto-post",
    "long",
    "password",
    "password-again",
    "new-password",
    "factor",
    "factor-code",
    "enrol",
    "shown",
];

/// What the page of a logout asks: there is always somebody to wait for.
const POLL: &str = "poll";

/// Colours with as little contrast as is let in, and a small picture.
fn brand() -> Look {
    Look {
        logo: Some(
            "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAGAAAAAgCAIAAABiouoDAAAARUlEQVR42u3QAQ0AAAgDoKc2rlmM4b5BBDJPtkQECRIkSJAgQYIECRIkSJAgQYIECRIkSJAgQYIECRIkSJAgQYIECeoNOr70IXhQrsoXAAAAAElFTkSuQmCC"
                .into(),
        ),
        accent: Some("#767676".into()),
        accent_dark: Some("#838383".into()),
    }
}

pub struct Gallery;

impl Dispatch for Gallery {
    fn resolve(&self, place: Place<'_>) -> Option<Found> {
        let Place::Tenant { route, .. } = place else { return None };
        let path = ROUTES.into_iter().chain([POLL]).find(|known| *known == route)?;
        let route = Route::new(path, &[Method::Get, Method::Post]);
        Some(Found { route, rest: String::new(), handler: Box::new(Gallery) })
    }
}

#[async_trait]
impl Handle for Gallery {
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply {
        if input.route == POLL {
            return Reply::body(202, "text/plain", "");
        }
        let asked = |name: &str| input.query_params().into_iter().find(|(key, _)| key == name).map(|(_, value)| value);
        let dress = Dress {
            look: (asked("look").as_deref() == Some("brand")).then(|| Arc::new(brand())),
            locale: asked("lang").and_then(|tag| Locale::of_tag(&tag)),
            offered: Vec::new(),
        };
        let kind = page(input.route).map_or_else(auto_post, ReplyKind::Page);
        Reply::from(kind).dressed(dress)
    }
}

fn page(route: &str) -> Option<Page> {
    let way_back = |label: &str| Some(WayBack { label: label.into(), href: "https://portal.acme.example/".into() });
    Some(match route {
        "error" => Page::Error(ErrorPage {
            status: 400,
            tenant: Some("Acme".into()),
            sentence: "The answer of your login provider could not be accepted.".into(),
            trace: "0123456789abcdef0123456789abcdef".parse().ok(),
            way_back: way_back("Try again"),
        }),
        "denied" => Page::Error(ErrorPage {
            status: 403,
            tenant: None,
            sentence: "You may not log in to this application.".into(),
            trace: "0123456789abcdef0123456789abcdef".parse().ok(),
            way_back: None,
        }),
        "chooser" => {
            chooser("Acme", Some("Portal"), &[("Okta", "saml"), ("Entra ID", "oidc"), ("Corporate directory", "ldap")])
        }
        "many" => {
            let names: Vec<String> = (1..=14).map(|n| format!("Branch office {n}")).collect();
            let list: Vec<_> = names.iter().map(|name| (name.as_str(), "saml")).collect();
            chooser("Acme International Holdings and Partners", None, &list)
        }
        "long" => chooser(
            "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
            Some("A portal with quite a long name that goes on and on for the sake of it"),
            &[
                ("AVeryLongNameWithoutAnySpaceThatWouldOverflowAnyPhoneScreenIfItWereNotBroken", "oidc"),
                ("日本支社", "saml"),
                ("<b>bold</b> & \"quoted\"", "fake"),
            ],
        ),
        "consent" => Page::Consent(consent(
            "Time sheets & expenses",
            &["openid", "profile", "email", "groups", "offline_access", "api:read"],
        )),
        "consent-bare" => Page::Consent(ConsentPage { host: None, ..consent("Wiki", &[]) }),
        "account" => Page::Account(Box::new(account())),
        "account-bare" => Page::Account(Box::new(AccountPage {
            apps: Vec::new(),
            connect: Vec::new(),
            factors: Vec::new(),
            enrol: None,
            app_passwords: Vec::new(),
            app_password_for: Vec::new(),
            sessions: account().sessions.into_iter().take(1).collect(),
            logins: account().logins.into_iter().take(1).collect(),
            ..account()
        })),
        "confirm-link" => Page::ConfirmLink(ConfirmLinkPage {
            tenant: "Acme".into(),
            account: "ada.lovelace@acme.example".into(),
            account_connection: "Okta".into(),
            identity: "ada@subsidiary-with-a-long-name.acme.example".into(),
            connection: "Entra ID".into(),
            form: form(),
        }),
        "same-email" => Page::SameEmail(SameEmailPage {
            tenant: "Acme".into(),
            identity: "ada@subsidiary-with-a-long-name.acme.example".into(),
            connection: "Entra ID".into(),
            before: way_back("Log in with Acme Keycloak, as before"),
            onward: None,
            form: form(),
        }),
        "confirm" => Page::ConfirmLogout(ConfirmLogoutPage {
            tenant: "Acme".into(),
            action: "/t/acme/logged-out".into(),
            fields: vec![("csrf".into(), "token".into())],
        }),
        "logged-out" => logged_out(&[], &[], way_back("Back to Portal")),
        "logged-out-bare" => logged_out(&[], &[], None),
        "logged-out-partly" => {
            logged_out(&["Portal", "Okta"], &["Time sheets & expenses", "Entra ID"], way_back("Back to Portal"))
        }
        "logging-out" => Page::LoggingOut(LoggingOutPage {
            tenant: "Acme".into(),
            frames: vec!["/t/acme/noticed".into()],
            poll: "/t/acme/poll".into(),
            next: "/t/acme/logged-out-partly".into(),
            wait_seconds: 60,
            frame_origins: vec!["https:".into(), "http:".into()],
            framed_by: None,
        }),
        "noticed" => Page::Noticed(NoticedPage { tenant: "Acme".into() }),
        "signed-in" => Page::SignedIn(SignedInPage {
            tenant: "Acme".into(),
            person: "Ada Lovelace".into(),
            connection: "Okta".into(),
            logout: "/t/acme/confirm".into(),
        }),
        "password" => Page::Password(Box::new(password())),
        "password-again" => Page::Password(Box::new(PasswordPage {
            name: "ada.lovelace".into(),
            complaint: Some("The user name or password is not right.".into()),
            ..password()
        })),
        "new-password" => Page::NewPassword(NewPasswordPage {
            tenant: "Acme".into(),
            person: "ada.lovelace".into(),
            complaint: Some("The two new passwords are not the same.".into()),
            onward: None,
            form: form(),
        }),
        "factor" => Page::SecondFactor(factor(Some(PASSKEY))),
        "factor-code" => Page::SecondFactor(SecondFactorPage {
            complaint: Some("This code is not right, or was used before.".into()),
            ..factor(None)
        }),
        "enrol" => Page::Enrol(Box::new(EnrolPage {
            tenant: "Acme".into(),
            person: "ada.lovelace".into(),
            secret: "JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP".into(),
            uri: "otpauth://totp/Acme:ada.lovelace?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Acme".into(),
            passkey: Some(NEW_PASSKEY.into()),
            codes: (0..8).map(|n| format!("abcde-fgh{n}j")).collect(),
            complaint: None,
            onward: None,
            form: form(),
        })),
        "shown" => Page::Shown(ShownPage {
            tenant: "Acme".into(),
            app: "Jenkins".into(),
            secret: "abcde-fghij-klmno-pqrst-uvwxy-z2345".into(),
            next: "/t/acme/account".into(),
        }),
        _ => return None,
    })
}

const PASSKEY: &str = r#"{"challenge":"AAAA","allowCredentials":[],"userVerification":"preferred"}"#;
const NEW_PASSKEY: &str = r#"{"challenge":"AAAA","rp":{"name":"Acme"},"user":{"id":"AAAA","name":"ada","displayName":"ada"},"pubKeyCredParams":[{"type":"public-key","alg":-7}],"excludeCredentials":[]}"#;

fn password() -> PasswordPage {
    PasswordPage {
        tenant: "Acme".into(),
        app: Some("Time sheets & expenses".into()),
        connection: "Corporate directory".into(),
        name_is: NameIs::UserNameOrEmail,
        name: String::new(),
        complaint: None,
        onward: None,
        form: form(),
        other: Some(WayBack { label: "Log in another way".into(), href: "/t/acme/chooser".into() }),
    }
}

fn factor(passkey: Option<&str>) -> SecondFactorPage {
    SecondFactorPage {
        tenant: "Acme".into(),
        person: "ada.lovelace".into(),
        totp: true,
        recovery: true,
        passkey: passkey.map(Into::into),
        complaint: None,
        onward: None,
        form: form(),
    }
}

fn auto_post() -> ReplyKind {
    ReplyKind::AutoPost {
        action: "/t/acme/signed-in".into(),
        fields: vec![("SAMLRequest".into(), "PHNhbWw+".into()), ("submit".into(), "a field of that name".into())],
    }
}

fn chooser(tenant: &str, app: Option<&str>, list: &[(&str, &str)]) -> Page {
    let choices = list
        .iter()
        .map(|(name, protocol)| Choice {
            name: (*name).into(),
            protocol: (*protocol).into(),
            href: "/t/acme/signed-in".into(),
        })
        .collect();
    Page::Chooser(ChooserPage { tenant: tenant.into(), app: app.map(Into::into), choices })
}

fn consent(app: &str, asks: &[&str]) -> ConsentPage {
    ConsentPage {
        tenant: "Acme".into(),
        person: "Ada Lovelace".into(),
        app: app.into(),
        host: Some("sheets.portal.acme.example".into()),
        asks: asks.iter().map(|&ask| ask.to_owned()).collect(),
        form: form(),
    }
}

fn account() -> AccountPage {
    let row = |name: &str, since: &str, note: Option<&str>, here: bool, form: Option<OwnForm>| AccountRow {
        name: name.into(),
        since: (!since.is_empty()).then(|| since.to_owned()),
        note: note.map(str::to_owned),
        here,
        form,
    };
    AccountPage {
        tenant: "Acme".into(),
        person: "ada.lovelace@acme.example".into(),
        sessions: vec![
            row("Okta", "2026-11-22T08:01:00Z", None, true, Some(form())),
            row("Entra ID", "2026-11-21T17:45:12Z", Some("Portal, Wiki"), false, Some(form())),
        ],
        apps: vec![
            row("Time sheets & expenses", "2026-03-05T10:00:00Z", Some("offline_access"), false, Some(form())),
            row("Wiki", "2026-10-31T23:59:59Z", None, false, Some(form())),
        ],
        logins: vec![
            row("Okta", "2025-01-02T03:04:05Z", Some("ada.lovelace@acme.example"), true, None),
            row(
                "Entra ID",
                "2026-02-28T12:00:00Z",
                Some("ada@subsidiary-with-a-long-name.acme.example"),
                false,
                Some(form()),
            ),
        ],
        connect: vec![row("Corporate directory", "", None, false, Some(form()))],
        factors: vec![row("Authenticator app", "2026-10-31T23:59:59Z", None, false, Some(form()))],
        enrol: Some(form()),
        app_passwords: vec![row("Jenkins", "2026-10-31T23:59:59Z", Some("laptop"), false, Some(form()))],
        app_password_for: vec![row("Jenkins", "", None, false, Some(form()))],
        logout: "/t/acme/confirm".into(),
    }
}

fn logged_out(told: &[&str], not_told: &[&str], way_back: Option<WayBack>) -> Page {
    let names = |list: &[&str]| list.iter().map(|&name| name.to_owned()).collect();
    Page::LoggedOut(LoggedOutPage { tenant: "Acme".into(), told: names(told), not_told: names(not_told), way_back })
}

fn form() -> OwnForm {
    OwnForm { action: "/t/acme/signed-in".into(), fields: vec![("token".into(), "token".into())] }
}
