//! What is asked for. What one endpoint gives is used up at the next: codes, tokens, sessions.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, ensure};

use super::site::{Person, Stage};
use crate::chain::{APP, Flow, SERVICE, Steps, Upstream as _, encoded};
use crate::http::{self, Connection};
use crate::load::Call;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// All requests of a login by SAML.
    Login,
    /// With a session that will do.
    Authorize,
    Code,
    Refresh,
    Revocation,
    Introspection,
    Userinfo,
    Account,
    ClientCredentials,
    Discovery,
    Jwks,
    Logout,
}

impl Endpoint {
    /// In this order each finds what it needs.
    pub const ALL: [Self; 12] = [
        Self::Login,
        Self::Authorize,
        Self::Code,
        Self::Refresh,
        Self::Revocation,
        Self::Introspection,
        Self::Userinfo,
        Self::Account,
        Self::ClientCredentials,
        Self::Discovery,
        Self::Jwks,
        Self::Logout,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Login => "login (4 requests)",
            Self::Authorize => "authorize, session",
            Self::Code => "token by code",
            Self::Refresh => "refresh",
            Self::Revocation => "revocation",
            Self::Introspection => "introspection",
            Self::Userinfo => "userinfo",
            Self::Account => "account page",
            Self::ClientCredentials => "client_credentials",
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
            Self::Logout => "logout",
        }
    }

    /// Requests in each round. What writes is asked as often everywhere, so that all installations grow alike.
    pub fn count(self) -> usize {
        match self {
            Self::Login | Self::Logout => 96,
            Self::Authorize | Self::Code | Self::Refresh | Self::Revocation => 480,
            Self::Account => 400,
            Self::ClientCredentials => 1_600,
            Self::Introspection | Self::Userinfo => 2_400,
            // They take microseconds, and what runs beside them must not count.
            Self::Discovery | Self::Jwks => 20_000,
        }
    }

    /// Whether it leaves a trace, which is written a moment later.
    pub fn is_recorded(self) -> bool {
        matches!(self, Self::Login | Self::Authorize | Self::Logout)
    }

    /// What one connection asks again and again.
    pub fn call(self, stage: &Arc<Stage>) -> Call {
        let stage = Arc::clone(stage);
        match self {
            Self::Login => Box::new(move |connection| {
                let person = stage.log_in(connection, stage.next())?;
                put(&stage.leaving, person);
                Ok(())
            }),
            Self::Authorize => Box::new(move |connection| authorize(&stage, connection)),
            Self::Code => Box::new(move |connection| redeem(&stage, connection)),
            Self::Refresh => Box::new(move |connection| refresh(&stage, connection)),
            Self::Revocation => Box::new(move |connection| revoke(&stage, connection)),
            Self::Introspection => reading("\"active\":true", move || {
                let person = stage.somebody();
                let body = format!("token={}", encoded(&person.login.access_token));
                person.company.post("introspect", APP, &body)
            }),
            Self::Userinfo => reading("\"email\":\"person-", move || {
                let person = stage.somebody();
                person.company.userinfo(&person.login.access_token)
            }),
            Self::Account => reading("<form", move || {
                let person = stage.somebody();
                person.get("account", &person.cookie_field())
            }),
            Self::ClientCredentials => reading("\"access_token\":\"ey", move || {
                stage.somebody().company.post("token", SERVICE, "grant_type=client_credentials&scope=api")
            }),
            Self::Discovery => {
                reading("\"token_endpoint\":", move || stage.somebody().get(".well-known/openid-configuration", ""))
            }
            Self::Jwks => reading("\"keys\":[", move || stage.somebody().get("jwks", "")),
            Self::Logout => Box::new(move |connection| log_out(&stage, connection)),
        }
    }
}

/// The answer must have this text.
fn reading(expected: &'static str, request: impl Fn() -> Vec<u8> + Send + 'static) -> Call {
    Box::new(move |connection| {
        let answer = connection.call(&request())?.expect(200)?;
        ensure!(answer.contains(expected), "the answer has no {expected}: {}", String::from_utf8_lossy(answer.body));
        Ok(())
    })
}

fn authorize(stage: &Stage, connection: &mut Connection) -> anyhow::Result<()> {
    let (person, flow) = (stage.somebody(), Flow::new());
    let request = person.company.authorize(stage.upstream.slug(), &flow, &person.cookie_field());
    let answer = connection.call(&request)?.expect(303)?;
    let code = flow.code(&answer.location()?)?;
    put(&stage.codes, (person, flow, code));
    Ok(())
}

fn redeem(stage: &Stage, connection: &mut Connection) -> anyhow::Result<()> {
    let (person, flow, code) = take(&stage.codes)?;
    let answer = connection.call(&person.company.redeem(&flow, &code))?.expect(200)?;
    let tokens = flow.tokens(answer.body, String::new())?;
    put(&stage.fresh, (person, tokens.refresh_token));
    Ok(())
}

fn refresh(stage: &Stage, connection: &mut Connection) -> anyhow::Result<()> {
    let (person, token) = take(&stage.fresh)?;
    let body = format!("grant_type=refresh_token&refresh_token={}", encoded(&token));
    let answer = connection.call(&person.company.post("token", APP, &body))?.expect(200)?;
    let text = std::str::from_utf8(answer.body)?;
    let (_, rest) = text.split_once("\"refresh_token\":\"").context("the answer has no refresh token")?;
    let (next, _) = rest.split_once('"').context("the answer is cut off")?;
    ensure!(next != token, "the refresh token was not rotated");
    put(&stage.refreshed, (person, next.to_owned()));
    Ok(())
}

fn revoke(stage: &Stage, connection: &mut Connection) -> anyhow::Result<()> {
    let (person, token) = take(&stage.refreshed)?;
    let body = format!("token={}", encoded(&token));
    connection.call(&person.company.post("revoke", APP, &body))?.expect(200)?;
    Ok(())
}

fn log_out(stage: &Stage, connection: &mut Connection) -> anyhow::Result<()> {
    let person = take(&stage.leaving)?;
    let target = format!("logout?id_token_hint={}", person.login.id_token);
    let answer = connection.call(&person.get(&target, &person.cookie_field()))?.expect(200)?;
    ensure!(answer.contains("logged out"), "nobody was logged out: {}", String::from_utf8_lossy(answer.body));
    Ok(())
}

impl Person {
    fn get(&self, target: &str, fields: &str) -> Vec<u8> {
        http::get(&self.company.host, &format!("/t/{}/{target}", self.company.tenant), fields)
    }

    fn cookie_field(&self) -> String {
        format!("cookie: {}\r\n", self.login.cookies)
    }
}

impl Stage {
    /// A login of somebody new, at a company in turn.
    pub fn log_in(&self, connection: &mut Connection, number: usize) -> anyhow::Result<Arc<Person>> {
        let company = self.companies[number % self.companies.len()].clone();
        let person = crate::upstream::person(number);
        let login = company.login(connection, &*self.upstream, &person, &Steps::default())?;
        Ok(Arc::new(Person { company, login }))
    }
}

fn put<T>(list: &Mutex<Vec<T>>, item: T) {
    list.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}

fn take<T>(list: &Mutex<Vec<T>>) -> anyhow::Result<T> {
    let taken = list.lock().unwrap_or_else(PoisonError::into_inner).pop();
    taken.context("what the endpoint before gave is used up")
}
