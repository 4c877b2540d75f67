//! Asking the provider again, without a browser: by the refresh token (OpenID Connect Core 12), else at userinfo.
//! And giving the tokens back at the end (RFC 7009).

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::identity::{Attributes, UpstreamTokens};
use fedbridge_contract::services::EgressPost;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{AskedAgain, StillThere, UpstreamRefresh};
use serde_json::{Map, Value, json};

use crate::checks::{Checked, Stop};
use crate::client_auth::authenticate;
use crate::id_token::PreviousToken;
use crate::merge::merge;
use crate::party::SharedParty;
use crate::provider_call::CallRefused;
use crate::token::{TokenKind, Validator};
use crate::token_endpoint::{self, TokenResponse};
use crate::userinfo::NoClaims;
use crate::{attributes, groups, userinfo};

/// What checking a renewed ID token may take, with all that is fetched for it. With the call itself this stays below
/// what the hub waits: whoever is cut off here loses a refresh token that can't be asked for again.
const CHECKING: Duration = Duration::from_secs(2);

#[async_trait]
impl UpstreamRefresh for SharedParty {
    fn interval(&self) -> Option<Duration> {
        self.0.settings.revalidate
    }

    async fn ask(&self, asked: AskedAgain<'_>, trace: &mut TraceLog) -> StillThere {
        let party = &*self.0;
        let Some(provider) = &party.provider else {
            return unknown("the metadata of the provider was not read yet");
        };
        let Ok(previous) = serde_json::from_value::<PreviousToken>(asked.tokens.memory.clone()) else {
            return unknown("what was kept of the login is in another form");
        };
        let validator = Validator { party, provider, tenant: asked.tenant, now: asked.now };
        match &asked.tokens.refresh_token {
            Some(token) => renew(&validator, asked.tokens, token, &previous, trace).await,
            None => ask_userinfo(&validator, asked.tokens, &previous, trace).await,
        }
    }

    fn revocation(&self, tenant: &Tenant, tokens: &UpstreamTokens, now: Timestamp) -> Option<EgressPost> {
        let party = &self.0;
        if party.settings.revoke_at_logout == Some(false) {
            return None;
        }
        let endpoint = party.provider.as_ref()?.revocation_endpoint.as_ref()?;
        // A refresh token's end is that of the access tokens made with it (RFC 7009 section 2.1).
        let (token, hint) = match (&tokens.refresh_token, &tokens.access_token) {
            (Some(token), _) => (token, "refresh_token"),
            (None, Some(token)) => (token, "access_token"),
            (None, None) => return None,
        };
        let form = [("token", token.clone()), ("token_type_hint", hint.to_owned())];
        let sent = authenticate(party, tenant, 0, now, &form).ok()?;
        Some(EgressPost {
            url: endpoint.to_string(),
            content_type: "application/x-www-form-urlencoded".to_owned(),
            headers: sent.headers(),
            body: sent.body(),
        })
    }
}

/// Uses the refresh token, once. Where nothing comes back it is not tried again at once: the provider may have
/// replaced it already, and takes a second use for theft.
async fn renew(
    validator: &Validator<'_>,
    kept: &UpstreamTokens,
    token: &str,
    previous: &PreviousToken,
    trace: &mut TraceLog,
) -> StillThere {
    let Validator { party, provider, tenant, now } = *validator;
    let form = [("grant_type", "refresh_token".to_owned()), ("refresh_token", token.to_owned())];
    let body = match token_endpoint::call(party, provider, tenant, &form, now, trace).await {
        Ok(body) => body,
        Err(CallRefused::Error(code)) if party.settings.profile.refresh_over.contains(&code.as_str()) => {
            return gone(&format!("the refresh token is over: {code}"));
        }
        Err(_) => return unknown(&cause(trace)),
    };
    let Ok(response) = TokenResponse::read(&body, now, trace) else { return unknown(&cause(trace)) };
    let mut tokens = UpstreamTokens {
        refresh_token: response.refresh_token.or_else(|| kept.refresh_token.clone()),
        access_token: response.access_token,
        access_expires: response.access_expires,
        memory: kept.memory.clone(),
    };
    // It need not give one (OpenID Connect Core 12.2).
    let Some(id_token) = response.id_token else { return StillThere::Yes { attributes: None, tokens } };
    let access_token = tokens.access_token.clone();
    let checked = renewed(validator, &id_token, access_token.as_deref(), previous, trace);
    match tokio::time::timeout(CHECKING, checked).await {
        Ok(Ok((attributes, next))) => {
            tokens.memory = json!(next);
            StillThere::Yes { attributes, tokens }
        }
        // The provider took the refresh token, and may have replaced it: what came must not be lost because its keys
        // can't be had at the moment.
        Ok(Err(Stop::KeyUnknown)) | Err(_) => {
            trace.decide("renewed ID token", "it could not be checked in time, and nothing in it is used", true);
            StillThere::Yes { attributes: None, tokens }
        }
        Ok(Err(_)) => gone(&cause(trace)),
    }
}

/// Checks a renewed ID token against the one before, and reads the attributes as they are now.
async fn renewed(
    validator: &Validator<'_>,
    id_token: &str,
    access_token: Option<&str>,
    previous: &PreviousToken,
    trace: &mut TraceLog,
) -> Checked<(Option<Attributes>, PreviousToken)> {
    let verified = validator.id_token(id_token, TokenKind::Renewed, trace).await?;
    let (claims, next) = verified.renewal(previous, trace)?;
    let attributes = attributes_now(validator, access_token, claims, &next.sub, trace).await?;
    Ok((attributes, next))
}

/// The attributes from the same sources as at the login; none where one of them is silent, for half of them could
/// let somebody in who is to be kept out. What userinfo says about somebody else ends the session, as it would end a
/// login.
async fn attributes_now(
    validator: &Validator<'_>,
    access_token: Option<&str>,
    claims: Map<String, Value>,
    subject: &str,
    trace: &mut TraceLog,
) -> Checked<Option<Attributes>> {
    let settings = &validator.party.settings;
    let mut more = None;
    if userinfo::wanted(settings, &claims) {
        more = match userinfo::ask(validator, access_token, subject, trace).await {
            Ok(more) => more,
            Err(NoClaims::Stopped(_)) => return Ok(None),
            Err(other @ NoClaims::SomebodyElse) => return Err(other.into()),
        };
    }
    let mut all = merge(claims.clone(), more);
    let complete = groups::complete(validator, &claims, &mut all, trace).await;
    Ok(complete.and_then(|()| attributes::of(settings, &all, trace)).ok())
}

/// Asks userinfo whether the access token still stands for the person.
async fn ask_userinfo(
    validator: &Validator<'_>,
    kept: &UpstreamTokens,
    previous: &PreviousToken,
    trace: &mut TraceLog,
) -> StillThere {
    let alive = kept.access_expires.is_none_or(|until| validator.now < until);
    if !alive {
        return unknown("the access token has ended, and there is no refresh token: ask for offline_access");
    }
    let answer = match userinfo::call(validator, kept.access_token.as_deref(), trace).await {
        Ok(Some(answer)) => answer,
        Ok(None) => return unknown("there is no refresh token, and nothing to ask userinfo with"),
        Err(_) => return unknown(&cause(trace)),
    };
    if answer.status == 401 && kept.access_expires.is_some() {
        // In its time a token ends only because somebody ended it (RFC 6750 section 3.1).
        trace.check("userinfo: status", "RFC 6750 3.1", "200", "401", false);
        return gone("userinfo takes the access token no more");
    }
    match userinfo::read(validator, &answer, &previous.sub, trace).await {
        Ok(_) => StillThere::Yes { attributes: None, tokens: kept.clone() },
        Err(NoClaims::SomebodyElse) => gone(&cause(trace)),
        Err(NoClaims::Stopped(_)) => unknown(&cause(trace)),
    }
}

fn cause(trace: &TraceLog) -> String {
    trace.cause().unwrap_or_else(|| "the answer could not be checked".to_owned())
}

fn gone(cause: &str) -> StillThere {
    let sentence = "Your organization's login service has ended this login. Please log in again.";
    StillThere::No(ProtocolError::new("login_required", sentence, cause))
}

fn unknown(cause: &str) -> StillThere {
    let sentence = "Your organization's login service could not be asked. Please try again later.";
    StillThere::Unknown(ProtocolError::new("temporarily_unavailable", sentence, cause))
}
