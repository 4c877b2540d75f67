//! OAuth client credentials (RFC 6749 section 4.4): a client of the connection gets access tokens for its endpoint, and for
//! nothing else. A token says in itself until when it is good and what it may do, under a seal that hangs on the secret:
//! with the secret goes every token that it was given for.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fedbridge_contract::http::Reply;
use fedbridge_contract::push::PushRequest;
use fedbridge_contract::time::{Timestamp, delay_seconds};
use openssl::memcmp;
use openssl::sha::sha256;
use serde_json::json;

use crate::credentials::{Credential, shown};
use crate::endpoint::Endpoint;

/// Below the connection's address.
pub const TOKEN: &str = "scim/token";

/// How long an access token is good.
const LIFETIME: Duration = Duration::from_secs(60 * 60);

/// What tells our access tokens from secrets.
const PREFIX: &str = "fbscim_";

/// The client of a connection, where there is one.
pub struct OauthClient {
    pub id: String,
    /// Two while it changes from one to the other.
    pub secrets: Vec<Credential>,
    pub may: May,
}

/// What a token is good for: its scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum May {
    Read,
    Write,
}

impl May {
    pub const ALL: [(&'static str, Self); 2] = [("read", Self::Read), ("write", Self::Write)];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, may)| *may == self).map_or("read", |(word, _)| word)
    }
}

/// Why there is no token (RFC 6749 section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NoToken {
    InvalidRequest(&'static str),
    InvalidClient,
    /// The secret is the client's, and past its date.
    SecretIsOver,
    UnsupportedGrantType,
    InvalidScope,
    /// Too many wrong secrets, and how long to wait, in seconds.
    TooMany(u64),
}

impl Endpoint {
    /// Answers a request to the token endpoint.
    pub fn token(&self, request: &PushRequest<'_>) -> Reply {
        match self.try_token(request) {
            Ok((token, may)) => Reply::json(
                200,
                &json!({
                    "access_token": token,
                    "token_type": "Bearer",
                    "expires_in": LIFETIME.as_secs(),
                    "scope": may.word(),
                }),
            ),
            Err(no) => {
                self.services.counters.refused("scim", no.error());
                no.reply()
            }
        }
    }

    fn try_token(&self, request: &PushRequest<'_>) -> Result<(String, May), NoToken> {
        let Some(client) = &self.settings.oauth else {
            return Err(NoToken::InvalidRequest("the connection has no OAuth client"));
        };
        if !request.input.is_form() {
            return Err(NoToken::InvalidRequest("the body has to be application/x-www-form-urlencoded"));
        }
        let params = request.input.form_params();
        let one = |name: &str| -> Result<Option<&str>, NoToken> {
            let mut found = params.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
            match (found.next(), found.next()) {
                (_, Some(_)) => Err(NoToken::InvalidRequest("a parameter comes twice")),
                (value, None) => Ok(value.filter(|value| !value.is_empty())),
            }
        };
        let shown = match request.input.authorization.as_deref() {
            Some(header) => basic(header).ok_or(NoToken::InvalidClient)?,
            None => {
                let part = |name| one(name).map(|value| value.unwrap_or_default().to_owned());
                (part("client_id")?, part("client_secret")?)
            }
        };
        let credential = client.secret(&shown).ok_or_else(|| self.wrong_secret(request))?;
        if credential.is_over(request.now) {
            return Err(NoToken::SecretIsOver);
        }
        self.uses.note(credential, &self.services, request.now);
        match one("grant_type")? {
            Some("client_credentials") => {}
            Some(_) => return Err(NoToken::UnsupportedGrantType),
            None => return Err(NoToken::InvalidRequest("grant_type is missing")),
        }
        let asked = match one("scope")? {
            None => client.may,
            Some(text) => scope(text)?,
        };
        if asked == May::Write && client.may == May::Read {
            return Err(NoToken::InvalidScope);
        }
        Ok((self.sealed(request.now + LIFETIME, asked, &credential.secret), asked))
    }

    fn wrong_secret(&self, request: &PushRequest<'_>) -> NoToken {
        let account = format!("scim {}", self.connection);
        match self.services.throttle.failed(self.tenant, &account, request.input.peer, request.now) {
            Some(wait) => NoToken::TooMany(delay_seconds(wait)),
            None => NoToken::InvalidClient,
        }
    }

    fn sealed(&self, expires: Timestamp, may: May, secret: &[u8]) -> String {
        let mut octets = expires.millis().to_be_bytes().to_vec();
        octets.push(u8::from(may == May::Write));
        let seal = self.token_seal(&octets, secret);
        octets.extend(seal);
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(octets))
    }

    /// What an access token of this connection may do, and whose it is. `None`: it is none, or not any more.
    pub fn access_token(&self, text: &str, now: Timestamp) -> Option<(String, May)> {
        let client = self.settings.oauth.as_ref()?;
        let octets = URL_SAFE_NO_PAD.decode(text.strip_prefix(PREFIX)?).ok()?;
        let (said, seal) = octets.split_at_checked(9)?;
        let is_sealed = |credential: &&Credential| {
            let own = self.token_seal(said, &credential.secret);
            seal.len() == own.len() && memcmp::eq(seal, &own)
        };
        client.secrets.iter().find(is_sealed).filter(|credential| !credential.is_over(now))?;
        let expires = said.first_chunk::<8>().map(|octets| i64::from_be_bytes(*octets))?;
        // A client that may less by now may no more with a token from before.
        let may = if said.last() == Some(&1) { client.may } else { May::Read };
        (now < Timestamp::from_millis(expires)).then(|| (format!("oauth {}", client.id), may))
    }

    fn token_seal(&self, said: &[u8], secret: &[u8]) -> [u8; 32] {
        let connection = self.connection.to_string();
        let message = [said, connection.as_bytes(), &sha256(secret)].concat();
        self.services.tokens.mac(self.tenant, "scim access token", &message)
    }
}

impl OauthClient {
    /// The secret that was shown, where it is one of this client's.
    fn secret(&self, (id, secret): &(String, String)) -> Option<&Credential> {
        let found = shown(&self.secrets, secret);
        let named = memcmp::eq(&sha256(id.as_bytes()), &sha256(self.id.as_bytes()));
        found.filter(|_| named)
    }
}

/// The most that a list of words asks for.
fn scope(text: &str) -> Result<May, NoToken> {
    let mut may = None;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let (_, asked) = May::ALL.iter().find(|(known, _)| *known == word).ok_or(NoToken::InvalidScope)?;
        may = Some(if may == Some(May::Write) { May::Write } else { *asked });
    }
    may.ok_or(NoToken::InvalidScope)
}

/// Name and secret, each form-encoded before they were put together (RFC 6749 section 2.3.1).
fn basic(header: &str) -> Option<(String, String)> {
    let (scheme, encoded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    Some((decoded(id)?, decoded(secret)?))
}

fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digits = [rest.next()?, rest.next()?];
                u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?
            }
            other => other,
        });
    }
    String::from_utf8(octets).ok()
}

impl NoToken {
    const fn error(self) -> &'static str {
        match self {
            Self::InvalidRequest(_) => "invalid_request",
            Self::InvalidClient | Self::SecretIsOver | Self::TooMany(_) => "invalid_client",
            Self::UnsupportedGrantType => "unsupported_grant_type",
            Self::InvalidScope => "invalid_scope",
        }
    }

    fn reply(self) -> Reply {
        let (status, description) = match self {
            Self::InvalidRequest(why) => (400, why),
            Self::InvalidClient => (401, "the client or its secret is wrong"),
            Self::SecretIsOver => (401, "the client's secret is past its date; an administrator has a new one"),
            Self::UnsupportedGrantType => (400, "the grant type here is client_credentials"),
            Self::InvalidScope => (400, "the scopes here are read and write, as far as the client may"),
            Self::TooMany(_) => (429, "too many wrong secrets came from there"),
        };
        let reply = Reply::json(status, &json!({ "error": self.error(), "error_description": description }));
        match self {
            Self::InvalidClient | Self::SecretIsOver => reply.with_header("www-authenticate", "Basic realm=\"scim\""),
            Self::TooMany(seconds) => reply.with_header("retry-after", seconds.to_string()),
            _ => reply,
        }
    }
}
