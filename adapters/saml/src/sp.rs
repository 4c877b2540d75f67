//! The service provider of one connection: asks an identity provider for a login
//! and checks its answer.
//!
//! Follow a login: [`request`] sends the browser out, [`acs`] or [`artifact`] takes
//! the answer in and [`complete`] runs its check: [`verify`] finds the assertion that
//! is under a verified signature, [`encrypted`] opens what is encrypted in it,
//! [`response`] and [`assertion`] read the fixed grammar, [`conditions`] and
//! [`confirmation`] check what the assertion says about itself, and [`subject`],
//! [`attributes`] and [`authn`] say who the person is.

mod acs;
mod artifact;
mod assertion;
mod attributes;
mod authn;
mod checks;
mod complete;
mod conditions;
mod confirmation;
mod decryption;
mod encrypted;
mod policy;
pub mod request;
mod response;
mod state;
mod status;
mod subject;
mod unsolicited;
mod verify;

use async_trait::async_trait;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{HttpInput, Method, Route};
use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::Services;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{
    Answer, Begun, Correlation, LoginOutcome, Start, UnsolicitedAnswer, UnsolicitedPolicy, UpstreamLogin,
};
use std::sync::Arc;
use tokio::sync::Semaphore;

use crate::settings::Settings;
use fedbridge_saml_core::metadata::IdpDescription;
use fedbridge_saml_core::names;
use fedbridge_saml_core::trust::Trust;

/// One opened connection. Immutable; a change of configuration opens a new one.
pub struct ServiceProvider {
    pub connection: ConnectionId,
    /// The bridge's entity ID at this provider.
    pub entity_id: String,
    /// The assertion consumer service's address.
    pub acs: String,
    /// Where artifacts come in.
    pub artifact: String,
    /// Where logout messages come in.
    pub slo: String,
    pub idp: IdpDescription,
    pub settings: Settings,
    /// The provider's keys as this connection uses them.
    pub trust: Trust,
    pub(crate) services: Services,
    /// At most this many answers of one connection are checked at a time.
    pub(crate) turns: Arc<Semaphore>,
}

/// A shared [`ServiceProvider`]: the capabilities of the adapter all hold one.
pub struct SharedProvider(pub Arc<ServiceProvider>);

impl ServiceProvider {
    /// Whether requests go out signed: by our setting, or because the provider asks (SAML metadata 2.4.3).
    pub fn signs_requests(&self) -> bool {
        self.settings.sign_requests || self.idp.want_authn_requests_signed
    }
}

#[async_trait]
impl UpstreamLogin for SharedProvider {
    fn routes(&self) -> &'static [Route] {
        const {
            &[
                // A Response never comes by redirect (SAML profiles 4.1.2): GET gets 405 from the router.
                Route::new(names::ACS_ROUTE, &[Method::Post]),
                Route::new(names::ARTIFACT_ROUTE, &[Method::Get, Method::Post]),
            ]
        }
    }

    async fn begin(&self, start: Start<'_>, trace: &mut TraceLog) -> Result<Begun, ProtocolError> {
        request::begin(&self.0, &start, trace)
    }

    fn correlate(&self, input: &HttpInput) -> Correlation {
        match input.route {
            names::ARTIFACT_ROUTE => artifact::correlate(input),
            _ => acs::correlate(input),
        }
    }

    async fn complete(&self, answer: Answer<'_>, minter: Minter, trace: &mut TraceLog) -> LoginOutcome {
        complete::complete(&self.0, answer, minter, trace).await
    }

    fn unsolicited(&self) -> Option<&UnsolicitedPolicy> {
        self.0.settings.unsolicited.as_ref()
    }

    async fn complete_unsolicited(
        &self,
        answer: UnsolicitedAnswer<'_>,
        minter: Minter,
        trace: &mut TraceLog,
    ) -> LoginOutcome {
        complete::complete_unsolicited(&self.0, answer, minter, trace).await
    }
}
