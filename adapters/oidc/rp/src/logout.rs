//! Logout with the provider of a connection: we ask it (RP-Initiated Logout 1.0), or it asks us, server to server
//! ([`logout_token`](crate::logout_token)), in a frame ([`front_channel`](crate::front_channel)), or for all that a
//! person was given ([`token_revocation`](crate::token_revocation), [`security_event`](crate::security_event)).

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{HttpInput, Method, Reply, Route};
use fedbridge_contract::logout::{
    LogoutEnd, LogoutMessage, LogoutStart, Notice, NoticeId, Party, ReceivedLogout, Told, UpstreamLogout,
};
use fedbridge_contract::page::{ErrorPage, LoggedOutPage, NoticedPage, Page};
use fedbridge_contract::services::Fetched;
use fedbridge_contract::silence::silence;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Challenge;
use openssl::memcmp;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::checks::{Checked, refuse, require};
use crate::metadata::Keys;
use crate::parameters::{once, parameter};
use crate::party::{RelyingParty, SharedParty};
use crate::settings::Discovery;
use crate::{front_channel, logout_token, security_event, token_revocation};

pub const LOGGED_OUT_ROUTE: &str = "oidc/logged-out";
pub const BACK_CHANNEL_ROUTE: &str = "oidc/backchannel-logout";
pub const FRONT_CHANNEL_ROUTE: &str = "oidc/frontchannel-logout";
pub const SIGNALS_ROUTE: &str = "signals/events";
pub const TOKEN_REVOCATION_ROUTE: &str = "global-token-revocation";

/// The longest address that the browser is sent to; with more, the parameters are posted.
const MAX_ADDRESS: usize = 2000;

const RPIL: &str = "RP-Initiated Logout 1.0, 3";

/// What a login keeps for the request that ends its session at the provider.
#[derive(Deserialize)]
struct LogoutHints {
    id_token: Option<String>,
    /// Microsoft's optional claim `login_hint`, which goes back as `logout_hint`.
    login_hint: Option<String>,
}

/// Who asked for a logout, and so how it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AskedBy {
    BackChannel,
    Frame,
    TokenRevocation,
    SecurityEvent,
}

impl AskedBy {
    pub fn continuation(self) -> Vec<u8> {
        // One word: this can always be written.
        serde_json::to_vec(&self).unwrap_or_default()
    }
}

#[async_trait]
impl UpstreamLogout for SharedParty {
    fn routes(&self) -> &'static [Route] {
        const {
            &[
                Route::new(LOGGED_OUT_ROUTE, &[Method::Get]),
                Route::new(BACK_CHANNEL_ROUTE, &[Method::Post]),
                Route::new(FRONT_CHANNEL_ROUTE, &[Method::Get]),
                Route::new(TOKEN_REVOCATION_ROUTE, &[Method::Post]),
                Route::new(SIGNALS_ROUTE, &[Method::Post]),
            ]
        }
    }

    async fn notice(&self, start: LogoutStart<'_>, trace: &mut TraceLog) -> Result<Notice, ProtocolError> {
        let party = &self.0;
        let Some((endpoint, hints)) = destination(party, &start) else {
            let why = "the provider is not told: it publishes no address for that, the connection says so, or the \
                       session is older than its settings";
            trace.decide("Logout at the login provider", why, true);
            return Ok(Notice::Nothing);
        };
        let parameters = parameters(party, &hints, &start);
        let facts = vec![
            ("endpoint", endpoint.to_string()),
            ("id_token_hint", hints.id_token.is_some().to_string()),
            ("id", start.id.to_string()),
        ];
        trace.sent(start.now, "logout request", facts);
        Ok(Notice::Front(challenge(endpoint, parameters)))
    }

    async fn silence(&self, start: LogoutStart<'_>) -> Option<String> {
        let party = &self.0;
        let (endpoint, _) = destination(party, &start)?;
        let discovery = match &party.settings.discovery {
            Discovery::At { url, .. } => Url::parse(url).ok(),
            Discovery::Off => None,
        };
        let keys = match &party.provider.as_ref()?.keys {
            Keys::At(url) => Some(url),
            Keys::Given(_) => None,
        };
        let documents: Vec<_> = discovery.iter().chain(keys).collect();
        silence(party.egress(start.tenant).as_ref(), endpoint, &documents).await
    }

    async fn told(&self, _start: LogoutStart<'_>, _answer: &Fetched) -> Told {
        // No provider is told by a call of our server.
        Told::Refused
    }

    async fn receive(&self, message: LogoutMessage<'_>, trace: &mut TraceLog) -> ReceivedLogout {
        let party = &self.0;
        match message.input.route {
            BACK_CHANNEL_ROUTE => logout_token::receive(party, message, trace).await,
            FRONT_CHANNEL_ROUTE => front_channel::receive(party, message, trace),
            TOKEN_REVOCATION_ROUTE => token_revocation::receive(party, message, trace).await,
            SIGNALS_ROUTE => security_event::receive(party, message, trace).await,
            _ => match answered(party, message.tenant, message.input, trace) {
                Ok(id) => ReceivedLogout::Answer { id, told: Told::Done },
                Err(_) => ReceivedLogout::Reply(unknown_answer(message.tenant)),
            },
        }
    }

    async fn conclude(&self, tenant: &Arc<Tenant>, continuation: &[u8], end: LogoutEnd) -> Reply {
        match serde_json::from_slice::<AskedBy>(continuation) {
            Ok(AskedBy::BackChannel) => logout_token::conclude(end),
            Ok(AskedBy::TokenRevocation) => token_revocation::conclude(end),
            Ok(AskedBy::SecurityEvent) => security_event::conclude(end),
            Ok(AskedBy::Frame) => Reply::page(Page::Noticed(NoticedPage { tenant: tenant.display_name.clone() })),
            Err(_) => {
                let tenant = tenant.display_name.clone();
                let page = LoggedOutPage { tenant, told: Vec::new(), not_told: Vec::new(), way_back: None };
                Reply::page(Page::LoggedOut(page))
            }
        }
    }
}

/// Where the browser goes, and what it takes along. `None`: the provider is not told.
fn destination<'a>(party: &'a RelyingParty, start: &LogoutStart<'_>) -> Option<(&'a Url, LogoutHints)> {
    let endpoint = party.provider.as_ref()?.end_session_endpoint.as_ref().filter(|_| party.settings.logout)?;
    let hints = serde_json::from_str(start.session.logout_state.as_deref()?).ok()?;
    Some((endpoint, hints))
}

/// RP-Initiated Logout 1.0, section 2.
fn parameters(party: &RelyingParty, hints: &LogoutHints, start: &LogoutStart<'_>) -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    all.extend(hints.id_token.clone().map(|token| ("id_token_hint", token)));
    all.extend(hints.login_hint.clone().map(|hint| ("logout_hint", hint)));
    all.push(("client_id", party.settings.client_id.clone()));
    all.push(("post_logout_redirect_uri", format!("{}/{LOGGED_OUT_ROUTE}", party.address)));
    all.push(("state", state(party, start.tenant, start.id)));
    all
}

fn challenge(endpoint: &Url, parameters: Vec<(&'static str, String)>) -> Challenge {
    let mut location = endpoint.clone();
    location.query_pairs_mut().extend_pairs(&parameters);
    if location.as_str().len() <= MAX_ADDRESS {
        return Challenge::Redirect(location.into());
    }
    let fields = parameters.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Challenge::AutoPost { action: endpoint.to_string(), fields }
}

/// The notice that an answer belongs to, and a seal, so that nobody answers for the provider who was not sent there
/// by us.
fn state(party: &RelyingParty, tenant: &Tenant, id: NoticeId) -> String {
    let id = id.to_string();
    let message = format!("{} {id}", party.connection);
    let seal = party.services.tokens.mac(tenant.id, "oidc logout state", message.as_bytes());
    format!("{id}.{}", URL_SAFE_NO_PAD.encode(seal))
}

/// The browser is back from the provider, with our `state`. The provider says nothing else, so nothing is checked
/// of what it did.
fn answered(party: &RelyingParty, tenant: &Tenant, input: &HttpInput, trace: &mut TraceLog) -> Checked<NoticeId> {
    const NAME: &str = "state of the logout";
    let parameters = input.query_params();
    once(&parameters, &["state"], trace)?;
    let expected = "that of a request to this provider";
    let Some(state) = parameter(&parameters, "state") else { return refuse(trace, NAME, RPIL, expected, "none") };
    let id = state.split('.').next().and_then(|id| id.parse::<NoticeId>().ok());
    let Some(id) = id.filter(|id| id.party == Party::Connection(party.connection)) else {
        return refuse(trace, NAME, RPIL, expected, "another");
    };
    let own = self::state(party, tenant, id);
    let ours = own.len() == state.len() && memcmp::eq(own.as_bytes(), state.as_bytes());
    require(trace, NAME, RPIL, expected, if ours { expected } else { "another" }, ours)?;
    Ok(id)
}

/// Whoever comes here without a logout of ours may never have been logged in; our own part is done before anybody
/// is sent to the provider.
fn unknown_answer(tenant: &Tenant) -> Reply {
    Reply::page(Page::Error(ErrorPage {
        status: 400,
        tenant: Some(tenant.display_name.clone()),
        sentence: "This answer of your login service belongs to no logout that was begun here.".to_owned(),
        trace: None,
        way_back: None,
    }))
}
