//! The relying party of one connection: what it was told, what it knows of the provider, and the way to both.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{HttpInput, Method, Route};
use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::{Egress, Services};
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{
    Answer, Begun, Correlation, LoginOutcome, LoginWish, Start, UnsolicitedPolicy, UpstreamLogin,
};

use crate::initiate::INITIATE_ROUTE;
use crate::jwks::KeySets;
use crate::metadata::Provider;
use crate::settings::Settings;
use crate::{callback, complete, initiate, request};

pub const CALLBACK_ROUTE: &str = "oidc/callback";
pub const JWKS_ROUTE: &str = "oidc/jwks";

/// One opened connection. Immutable; a change of configuration or of the metadata opens a new one.
pub struct RelyingParty {
    pub connection: ConnectionId,
    /// The one redirect URI that is registered at the provider.
    pub callback: String,
    /// `{issuer}/connections/{slug}`.
    pub address: String,
    pub settings: Settings,
    /// What happens to a browser that a portal of the provider sends here.
    pub(crate) initiate: Option<UnsolicitedPolicy>,
    /// The client's secrets, the one that is sent first in front.
    pub(crate) secrets: Vec<Vec<u8>>,
    /// For Okta's Users API.
    pub(crate) groups_api_token: Option<String>,
    /// What a transmitter of signals shows.
    pub(crate) signals_authorization: Option<Vec<u8>>,
    /// `None`: the metadata was not read yet.
    pub provider: Option<Provider>,
    pub(crate) services: Services,
    /// Shared by all connections, and older than this one.
    pub(crate) key_sets: Arc<KeySets>,
}

/// A shared [`RelyingParty`]: the capabilities of the adapter all hold one.
pub struct SharedParty(pub Arc<RelyingParty>);

impl RelyingParty {
    /// The provider, where its metadata is known.
    ///
    /// # Errors
    /// `temporarily_unavailable`: a look at the metadata may help.
    pub fn provider(&self) -> Result<&Provider, ProtocolError> {
        self.provider.as_ref().ok_or_else(|| {
            ProtocolError::new(
                "temporarily_unavailable",
                "The login service of your organization could not be reached yet. Try again in a minute.",
                "the metadata of the provider was not read yet",
            )
        })
    }

    /// The way to this provider, in a line of its own.
    pub(crate) fn egress(&self, tenant: &Tenant) -> Arc<dyn Egress> {
        self.services.egress_to(tenant, Party::Connection(self.connection))
    }
}

#[async_trait]
impl UpstreamLogin for SharedParty {
    fn routes(&self) -> &'static [Route] {
        const METHODS: &[Method] = &[Method::Get, Method::Post];
        const { &[Route::new(CALLBACK_ROUTE, METHODS), Route::new(INITIATE_ROUTE, METHODS)] }
    }

    async fn begin(&self, start: Start<'_>, trace: &mut TraceLog) -> Result<Begun, ProtocolError> {
        request::begin(&self.0, &start, trace).await
    }

    fn correlate(&self, input: &HttpInput) -> Correlation {
        match input.route {
            INITIATE_ROUTE => initiate::correlate(&self.0.settings, input),
            _ => callback::correlate(input),
        }
    }

    fn unsolicited(&self) -> Option<&UnsolicitedPolicy> {
        self.0.initiate.as_ref()
    }

    fn wish(&self, input: &HttpInput) -> LoginWish {
        match input.route {
            INITIATE_ROUTE => initiate::wish(input),
            _ => LoginWish::default(),
        }
    }

    async fn complete(&self, answer: Answer<'_>, minter: Minter, trace: &mut TraceLog) -> LoginOutcome {
        complete::complete(&self.0, answer, minter, trace).await
    }
}
