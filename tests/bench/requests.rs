//! The single requests: client_credentials, refresh, introspection, userinfo, JWKS.

use std::sync::Arc;

use anyhow::Context as _;
use anyhow::ensure;

use crate::chain::{APP, Company, LoggedIn, SERVICE, TENANT, basic, encoded};
use crate::http;
use crate::load::Call;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    ClientCredentials,
    Refresh,
    Introspection,
    Userinfo,
    Jwks,
}

impl Kind {
    pub const ALL: [Self; 5] =
        [Self::ClientCredentials, Self::Refresh, Self::Introspection, Self::Userinfo, Self::Jwks];

    pub fn name(self) -> &'static str {
        match self {
            Self::ClientCredentials => "client_credentials",
            Self::Refresh => "refresh",
            Self::Introspection => "introspection",
            Self::Userinfo => "userinfo",
            Self::Jwks => "jwks",
        }
    }

    /// One call for each connection. `people` are logged in, at least one for each connection.
    pub fn calls(self, company: &Company, people: &[Arc<LoggedIn>], connections: usize) -> Vec<Call> {
        (0..connections).map(|line| self.call(company, people, line)).collect()
    }

    fn call(self, company: &Company, people: &[Arc<LoggedIn>], line: usize) -> Call {
        let host = &company.host;
        let token = format!("/t/{TENANT}/token");
        match self {
            Self::ClientCredentials => {
                let request = http::post(host, &token, &basic(SERVICE), "grant_type=client_credentials&scope=api");
                same(vec![request], "\"access_token\":\"ey", line)
            }
            Self::Jwks => same(vec![http::get(host, &format!("/t/{TENANT}/jwks"), "")], "\"keys\":[", line),
            Self::Introspection => {
                let path = format!("/t/{TENANT}/introspect");
                let request = |person: &Arc<LoggedIn>| {
                    let body = format!("token={}", encoded(&person.access_token));
                    http::post(host, &path, &basic(APP), &body)
                };
                same(people.iter().map(request).collect(), "\"active\":true", line)
            }
            Self::Userinfo => {
                let request = |person: &Arc<LoggedIn>| company.userinfo(&person.access_token);
                same(people.iter().map(request).collect(), "\"email\":\"person-", line)
            }
            Self::Refresh => refresh(host.clone(), token, people[line % people.len()].refresh_token.clone()),
        }
    }
}

/// These requests in turn; each answer must have this text.
fn same(requests: Vec<Vec<u8>>, expected: &'static str, line: usize) -> Call {
    let mut turn = line;
    Box::new(move |connection| {
        turn += 1;
        let answer = connection.call(&requests[turn % requests.len()])?.expect(200)?;
        ensure!(answer.contains(expected), "the answer has no {expected}: {}", String::from_utf8_lossy(answer.body));
        Ok(())
    })
}

/// Each refresh uses the token of the one before.
fn refresh(host: String, path: String, mut token: String) -> Call {
    Box::new(move |connection| {
        let body = format!("grant_type=refresh_token&refresh_token={}", encoded(&token));
        let request = http::post(&host, &path, &basic(APP), &body);
        let answer = connection.call(&request)?.expect(200)?;
        let text = std::str::from_utf8(answer.body)?;
        let (_, rest) = text.split_once("\"refresh_token\":\"").context("the answer has no refresh token")?;
        let (fresh, _) = rest.split_once('"').context("the answer is cut off")?;
        ensure!(fresh != token, "the refresh token was not rotated");
        token = fresh.to_owned();
        Ok(())
    })
}
