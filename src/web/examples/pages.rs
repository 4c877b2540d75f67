//! Serves every page with sample data on a loopback port, to look at them:
//! `cargo run -p fedbridge-web --example pages`, then open the printed addresses.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::net::TcpListener;
use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind, Route};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::page::*;
use fedbridge_contract::services::Rng;
use fedbridge_web::{Dispatch, Found, Handle, Limits, Place, Site, WebConfig, serve};

const ROUTES: [&str; 13] = [
    "error",
    "denied",
    "chooser",
    "many",
    "confirm",
    "logged-out",
    "logged-out-bare",
    "logged-out-partly",
    "logging-out",
    "noticed",
    "signed-in",
    "auto-post",
    "long",
];

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:8099")?;
    for route in ROUTES {
        println!("http://127.0.0.1:8099/t/acme/{route}");
    }
    let config = WebConfig {
        site: Site::new(&url::Url::parse("http://127.0.0.1:8099").unwrap(), Arc::new(OpensslRng)).unwrap(),
        tls: None,
        trusted_proxies: Vec::new(),
        workers: 1,
        limits: Limits::default(),
        observer: Arc::new(()),
    };
    serve(config, listener, Arc::new(Gallery), std::future::pending()).await
}

struct Gallery;

impl Dispatch for Gallery {
    fn resolve(&self, place: Place<'_>) -> Option<Found> {
        let Place::Tenant { route, .. } = place else { return None };
        let path = ROUTES.into_iter().find(|known| *known == route)?;
        let route = Route { path, methods: &[Method::Get, Method::Post], cors: false };
        Some(Found { route, last_segment: String::new(), handler: Box::new(Gallery) })
    }
}

#[async_trait]
impl Handle for Gallery {
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply {
        let way_back = |label: &str| Some(WayBack { label: label.into(), href: "https://portal.acme.example/".into() });
        let page = match input.route {
            "error" => Page::Error(ErrorPage {
                status: 400,
                tenant: Some("Acme".into()),
                sentence: "The answer from your company's login was not accepted. Please log in again.".into(),
                trace: Some(TraceId::random(&OpensslRng)),
                way_back: way_back("Log in again"),
            }),
            "denied" => Page::Error(ErrorPage {
                status: 403,
                tenant: None,
                sentence: "You are not allowed to use this application.".into(),
                trace: Some(TraceId::random(&OpensslRng)),
                way_back: None,
            }),
            "chooser" => chooser(
                "Acme",
                Some("Portal"),
                &[("Okta", "saml"), ("Entra ID", "oidc"), ("Corporate directory", "ldap")],
            ),
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
            "confirm" => Page::ConfirmLogout(ConfirmLogoutPage {
                tenant: "Acme".into(),
                action: "/t/acme/logged-out".into(),
                fields: vec![("csrf".into(), "token".into())],
            }),
            "logged-out" => Page::LoggedOut(LoggedOutPage {
                tenant: "Acme".into(),
                told: Vec::new(),
                not_told: Vec::new(),
                way_back: way_back("Back to Portal"),
            }),
            "logged-out-bare" => Page::LoggedOut(LoggedOutPage {
                tenant: "Acme".into(),
                told: Vec::new(),
                not_told: Vec::new(),
                way_back: None,
            }),
            "logged-out-partly" => Page::LoggedOut(LoggedOutPage {
                tenant: "Acme".into(),
                told: Vec::new(),
                not_told: vec!["Wiki".into(), "Time sheets & expenses".into()],
                way_back: way_back("Back to Portal"),
            }),
            "logging-out" => Page::LoggingOut(LoggingOutPage {
                tenant: "Acme".into(),
                frames: vec!["/t/acme/noticed".into()],
                poll: "/t/acme/poll".into(),
                next: "/t/acme/logged-out-partly".into(),
                wait_seconds: 4,
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
            _ => {
                return ReplyKind::AutoPost {
                    action: "http://127.0.0.1:8099/t/acme/signed-in".into(),
                    fields: vec![
                        ("SAMLRequest".into(), "PHNhbWw+".into()),
                        ("submit".into(), "a field of that name".into()),
                    ],
                }
                .into();
            }
        };
        Reply::page(page)
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

struct OpensslRng;

impl Rng for OpensslRng {
    fn fill(&self, buffer: &mut [u8]) {
        openssl::rand::rand_bytes(buffer).unwrap();
    }
}
