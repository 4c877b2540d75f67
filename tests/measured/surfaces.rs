//! The places where a node could still honour what was killed.

use std::path::Path;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};

use crate::support::ldap::client::Client as LdapClient;
use crate::support::scripted::{App, REDIRECT, SECRET, VERIFIER};

/// Keeps its connections, unlike a browser of the tests: what is measured is the server.
pub fn client(patience: Duration) -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().timeout(patience).build().unwrap()
}

/// What a node is asked with.
#[derive(Debug, Clone)]
pub enum Surface {
    Introspection(String),
    Userinfo(String),
    /// A refresh token, replaced by its successor when it was good.
    Refresh(String),
    /// Codes of one kind: each can be asked with once.
    Code(Vec<String>),
    /// The cookies of a browser.
    Session(String),
    /// The same, at an app that speaks SAML.
    Sso(String),
    /// A person's password for an app, by way of this app.
    Bind(Box<Bind>),
    /// The app's own secret, which needs no database at all.
    Own,
}

#[derive(Debug, Clone)]
pub struct Bind {
    pub url: String,
    /// The app's DN and password, then the person's.
    pub binds: [(String, String); 2],
}

/// What came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said {
    Accepted,
    Refused,
    /// 503: it can't tell.
    Unsure,
    /// No answer in time.
    Nothing,
}

impl Surface {
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Introspection(_) => "introspection",
            Self::Userinfo(_) => "userinfo",
            Self::Refresh(_) => "refresh",
            Self::Code(_) => "code",
            Self::Session(_) => "session",
            Self::Sso(_) => "SAML single sign-on",
            Self::Bind(_) => "LDAP bind",
            Self::Own => "client credentials",
        }
    }

    /// Asks a node once. `None`: there is nothing left to ask with.
    pub async fn ask(&mut self, client: &Client, app: &App) -> Option<Said> {
        if let Self::Bind(bind) = self {
            return Some(bind.ask().await);
        }
        let request = self.request(client, app)?;
        let Ok(answer) = request.send().await else { return Some(Said::Nothing) };
        let status = answer.status().as_u16();
        let location = answer.headers().get(LOCATION).map(|value| value.to_str().unwrap().to_owned());
        let Ok(body) = answer.text().await else { return Some(Said::Nothing) };
        if status == 503 {
            return Some(Said::Unsure);
        }
        let good = match self {
            Self::Introspection(_) => {
                assert_eq!(status, 200, "{body}");
                body.contains("\"active\":true")
            }
            Self::Sso(_) => body.contains("SAMLResponse"),
            Self::Session(_) => location.unwrap_or_else(|| panic!("no redirect: {status} {body}")).contains("code="),
            Self::Refresh(token) if status == 200 => {
                let tokens: serde_json::Value = serde_json::from_str(&body).unwrap();
                tokens["refresh_token"].as_str().unwrap().clone_into(token);
                true
            }
            Self::Refresh(_) | Self::Code(_) if status != 200 => {
                assert!(body.contains("invalid_grant"), "{status} {body}");
                false
            }
            _ => status == 200,
        };
        Some(if good { Said::Accepted } else { Said::Refused })
    }

    fn request(&mut self, client: &Client, app: &App) -> Option<RequestBuilder> {
        let token = |fields: &[(&str, &str)]| form(client, &format!("{}/token", app.at), true, fields);
        Some(match self {
            Self::Introspection(access) => {
                form(client, &format!("{}/introspect", app.at), true, &[("token", access.as_str())])
            }
            Self::Userinfo(access) => {
                form(client, &format!("{}/userinfo", app.at), false, &[("access_token", access.as_str())])
            }
            Self::Refresh(refresh) => token(&[("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())]),
            Self::Code(codes) => {
                let code = codes.pop()?;
                let fields = [("code", code.as_str()), ("redirect_uri", REDIRECT), ("code_verifier", VERIFIER)];
                token(&[&[("grant_type", "authorization_code")], &fields[..]].concat())
            }
            Self::Session(cookies) => client.get(app.authorize_url("&prompt=none")).header(COOKIE, cookies.as_str()),
            Self::Sso(cookies) => client.get(format!("{}/saml/start/wiki", app.at)).header(COOKIE, cookies.as_str()),
            Self::Bind(_) => return None,
            Self::Own => token(&[("grant_type", "client_credentials"), ("scope", "api")]),
        })
    }
}

impl Bind {
    async fn ask(&self) -> Said {
        let this = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let mut client = LdapClient::open(&this.url, Path::new(""))?;
            let [app, person] = &this.binds;
            let of_app = client.bind(&app.0, &app.1)?.code;
            // Busy or unavailable: it can't tell.
            if of_app != 0 {
                return Ok(of_app);
            }
            Ok::<_, std::io::Error>(client.bind(&person.0, &person.1)?.code)
        });
        match asked.await.unwrap() {
            Ok(0) => Said::Accepted,
            Ok(49 | 32 | 53) => Said::Refused,
            Ok(51 | 52) => Said::Unsure,
            Ok(other) => panic!("a bind is answered with {other}"),
            Err(_) => Said::Nothing,
        }
    }
}

fn form(client: &Client, url: &str, as_app: bool, fields: &[(&str, &str)]) -> RequestBuilder {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    if as_app {
        body.extend_pairs([("client_id", "app"), ("client_secret", SECRET)]);
    }
    body.extend_pairs(fields);
    client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body.finish())
}
