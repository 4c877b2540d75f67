//! The bearer token of a call: the one of the settings, or one that the app's authorization server gives (RFC 6749
//! section 4.4).

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::services::{EgressLimits, EgressPost};
use fedbridge_contract::trace::clip;
use serde_json::Value;
use tokio::sync::Mutex;

use super::{CallFailed, Client, Secret};
use crate::settings::ClientCredentials;

/// So long before its end a token is not used any more.
const MARGIN: Duration = Duration::from_secs(30);

/// Where the server does not say how long its token lives.
const UNSAID: u64 = 300;

/// No token is used for longer, whatever its server says.
const LONGEST: u64 = 86_400;

const LIMITS: EgressLimits = EgressLimits { max_body: 64 * 1024, timeout: Duration::from_secs(10) };

/// What the authorization server gave last.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Option<Token>>);

struct Token {
    text: String,
    /// By the steady clock.
    until: Duration,
}

impl Tokens {
    /// Whether another token may help where this one was refused.
    pub async fn forget(&self, refused: &str) -> bool {
        let mut held = self.0.lock().await;
        match held.as_ref() {
            Some(token) if token.text == refused => {
                *held = None;
                true
            }
            // Somebody else has a new one already.
            Some(_) => true,
            None => false,
        }
    }
}

impl Client {
    pub(super) async fn token(&self) -> Result<String, CallFailed> {
        let (grant, secret) = match (&self.settings.grant, &self.secret) {
            (Some(grant), Secret::Client(secret)) => (grant, secret),
            (_, Secret::Bearer(token) | Secret::Client(token)) => return Ok(token.clone()),
        };
        let mut held = self.tokens.0.lock().await;
        if let Some(token) = held.as_ref().filter(|token| token.until > self.clock.steady()) {
            return Ok(token.text.clone());
        }
        let token = self.ask(grant, secret).await?;
        let text = token.text.clone();
        *held = Some(token);
        Ok(text)
    }

    async fn ask(&self, grant: &ClientCredentials, secret: &str) -> Result<Token, CallFailed> {
        let failed = |why: String| CallFailed::NotCalled(format!("no token from the token_endpoint: {}", clip(why)));
        let mut form = vec![("grant_type", "client_credentials")];
        form.extend(grant.scope.iter().map(|scope| ("scope", scope.as_str())));
        // Both sides are form-encoded first (RFC 6749 section 2.3.1).
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let both = STANDARD.encode(format!("{}:{}", encode(&grant.client_id), encode(secret)));
        let request = EgressPost {
            url: grant.token_endpoint.clone(),
            content_type: "application/x-www-form-urlencoded".to_owned(),
            headers: vec![
                ("accept".to_owned(), "application/json".to_owned()),
                ("authorization".to_owned(), format!("Basic {both}")),
            ],
            body: form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish(),
        };
        let began = self.clock.steady();
        let answer = self.egress.post(&request, LIMITS).await.map_err(|error| failed(error.to_string()))?;
        if answer.status != 200 {
            return Err(failed(format!("it answered {}", answer.status)));
        }
        let body: Value = serde_json::from_slice(&answer.body).map_err(|_| failed("its answer is no JSON".into()))?;
        let bearer = body.get("token_type").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case("bearer"));
        match body.get("access_token").and_then(Value::as_str) {
            Some(text) if bearer && text.bytes().all(|octet| octet.is_ascii_graphic()) => {
                let life = body.get("expires_in").and_then(Value::as_u64).unwrap_or(UNSAID).min(LONGEST);
                let until = began + Duration::from_secs(life).saturating_sub(MARGIN);
                Ok(Token { text: text.to_owned(), until })
            }
            _ => Err(failed("its answer holds no bearer token".into())),
        }
    }
}
