//! From an answer to the identity: the code is redeemed, and everything that comes of it is checked, in this order.

use std::sync::Arc;

use fedbridge_contract::identity::{AuthenticatedIdentity, Onward, UpstreamSession, UpstreamTokens};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Answer, LoginOutcome};
use serde_json::json;

use crate::checks::{Checked, Stop, not_accepted, refuse, require, require_equal};
use crate::id_token::{CameBeside, LoginToken};
use crate::issuer::IssuerRule;
use crate::merge::merge;
use crate::metadata::Provider;
use crate::party::RelyingParty;
use crate::state::RequestState;
use crate::token::{TokenKind, Validator};
use crate::token_endpoint::{self, TokenResponse};
use crate::{attributes, authn, callback, groups, subject, userinfo};

/// Checks the answer to a request of ours and says how the login went.
pub async fn complete(
    party: &Arc<RelyingParty>,
    answer: Answer<'_>,
    minter: Minter,
    trace: &mut TraceLog,
) -> LoginOutcome {
    match check(party, &answer, trace).await {
        Ok(login) => LoginOutcome::Authenticated(Box::new(login.identity(minter))),
        Err(Stop::Refused(refusal)) => LoginOutcome::UpstreamRefused(refusal),
        Err(Stop::Rejected) => LoginOutcome::Rejected(not_accepted(trace)),
        Err(Stop::KeyUnknown) => LoginOutcome::KeyUnknown(not_accepted(trace)),
    }
}

/// An identity without the proof.
struct Login {
    subject: fedbridge_contract::identity::UpstreamSubject,
    attributes: fedbridge_contract::identity::Attributes,
    authn: fedbridge_contract::identity::AuthnFacts,
    session: UpstreamSession,
    tokens: Option<UpstreamTokens>,
}

impl Login {
    fn identity(self, minter: Minter) -> AuthenticatedIdentity {
        AuthenticatedIdentity {
            subject: self.subject,
            attributes: self.attributes,
            authn: self.authn,
            session: self.session,
            onward: Onward::Unrestricted,
            once: Vec::new(),
            tokens: self.tokens,
            proof: minter.mint(),
        }
    }
}

async fn check(party: &RelyingParty, answer: &Answer<'_>, trace: &mut TraceLog) -> Checked<Login> {
    trace.received(answer.now, "authorization response", false, callback::facts(answer.input));
    let asked = outstanding(party, answer, trace)?;
    let provider = match party.provider() {
        Ok(provider) => provider,
        Err(error) => return refuse(trace, "Provider", "", "metadata that was read", error.cause),
    };
    let issuer = IssuerRule::of(&party.settings, provider);
    let code = callback::code(party, &issuer, answer.input, trace)?;
    let response = redeem(party, provider, answer, &asked, &code, trace).await?;
    let came = "an ID token came";
    let source = "OpenID Connect Core 3.1.3.3";
    let Some(token) = &response.id_token else {
        // An access token shows that somebody may do something, never who is here (RFC 9700 section 4.6).
        return refuse(trace, came, source, "one", "none");
    };
    require(trace, came, source, "one", "one", true)?;
    let validator = Validator { party, provider, tenant: answer.tenant, now: answer.now };
    let verified = validator.id_token(token, TokenKind::Id, trace).await?;
    let beside = CameBeside { code: &code, access_token: response.access_token.as_deref() };
    let login = verified.of_login(&asked, &beside, &validator, trace)?;
    let more = match userinfo::wanted(&party.settings, &login.claims) {
        true => userinfo::ask(&validator, response.access_token.as_deref(), &login.subject, trace).await?,
        false => None,
    };
    let subject = subject::find(&party.settings, &login.claims, trace)?;
    let mut claims = merge(login.claims.clone(), more);
    groups::complete(&validator, &login.claims, &mut claims, trace).await?;
    Ok(Login {
        subject,
        attributes: attributes::of(&party.settings, &claims, trace)?,
        authn: authn::facts(&provider.issuer, &login),
        session: session(party, provider, &login, token),
        tokens: kept(party, &login, &response),
    })
}

/// The request that the answer must be for. Only the connection that asked may take it, and only while it stands for
/// the same issuer.
fn outstanding(party: &RelyingParty, answer: &Answer<'_>, trace: &mut TraceLog) -> Checked<RequestState> {
    let (name, source) = ("Outstanding request", "RFC 9700 4.4");
    let Some(asked) = RequestState::from_bytes(answer.state) else {
        return refuse(trace, name, source, "one of this connection", "none");
    };
    let same = asked.connection == party.connection;
    let actual = if same { "this connection" } else { "another connection" };
    require(trace, name, source, "one of this connection", actual, same)?;
    require_equal(trace, "the issuer that was asked", source, &party.settings.issuer, Some(&asked.issuer))?;
    Ok(asked)
}

/// Redeems the code at the token endpoint of this connection, once: where the answer is checked a second time, what
/// came is read again.
async fn redeem(
    party: &RelyingParty,
    provider: &Provider,
    answer: &Answer<'_>,
    asked: &RequestState,
    code: &str,
    trace: &mut TraceLog,
) -> Checked<TokenResponse> {
    if answer.fetched.get().is_none() {
        let form = [
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", asked.redirect_uri.clone()),
            ("code_verifier", asked.verifier.clone()),
        ];
        let called = token_endpoint::call(party, provider, answer.tenant, &form, answer.now, trace).await;
        let body = called.map_err(|_| Stop::Rejected)?;
        let _ = answer.fetched.set(body);
    }
    TokenResponse::read(answer.fetched.get().map_or(&[], Vec::as_slice), answer.now, trace)
}

fn session(party: &RelyingParty, provider: &Provider, login: &LoginToken, token: &str) -> UpstreamSession {
    let text = |name: &str| login.claims.get(name).and_then(|value| value.as_str()).map(str::to_owned);
    // Kept only where it can be said again: as id_token_hint, at the end of the session.
    let told = party.settings.logout && provider.end_session_endpoint.is_some();
    UpstreamSession {
        index: text("sid").filter(|sid| !sid.is_empty()),
        not_on_or_after: None,
        logout_key: Some(subject::logout_key(&party.settings, &login.subject)),
        logout_state: told.then(|| json!({ "id_token": token, "login_hint": text("login_hint") }).to_string()),
    }
}

fn kept(party: &RelyingParty, login: &LoginToken, response: &TokenResponse) -> Option<UpstreamTokens> {
    if !party.settings.keeps_tokens() {
        return None;
    }
    Some(UpstreamTokens {
        refresh_token: response.refresh_token.clone(),
        access_token: response.access_token.clone(),
        access_expires: response.access_expires,
        memory: json!(login.to_repeat),
    })
}
