//! The downstream identity provider of every tenant.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::documents::PartnerDocuments;
use fedbridge_contract::downstream::{Accepted, Downstream, Finish, Finished, Refusal, Request};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::http::{Method, Reply, Route};
use fedbridge_contract::ids::{TenantId, TraceId};
use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::logout::DownstreamLogout;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::Services;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Finding;
use fedbridge_saml_core::{names, turns};
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use crate::asked::Asked;
use crate::page::Exchange;
use crate::settings::{self, SpSettings};
use crate::visits::Visits;
use crate::{accept, answer, check, logout, metadata, resolve, start};

const GET: &[Method] = &[Method::Get];
const POST: &[Method] = &[Method::Post];
const BOTH: &[Method] = &[Method::Get, Method::Post];

const ROUTES: &[Route] = &[
    Route::new(names::IDP_METADATA_ROUTE, GET),
    Route::new(names::IDP_SSO_ROUTE, BOTH),
    Route::new(names::IDP_START_ROUTE, GET),
    Route::new(names::SLO_ROUTE, BOTH),
    Route::new(names::ARTIFACT_ROUTE, POST),
];

/// SAML's side of the apps.
pub struct SamlIdentityProvider {
    pub(crate) services: Services,
    /// Turns of each tenant for requests whose sender is not known yet.
    turns: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
    pub(crate) visits: Visits,
}

impl SamlIdentityProvider {
    pub fn new(services: Services) -> Self {
        Self { services, turns: Mutex::default(), visits: Visits::default() }
    }

    /// Turns for what arrives before anybody knows from whom it is.
    pub(crate) fn turns_of(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut all = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(tenant).or_insert_with(turns::of_a_partner))
    }
}

/// What the tenant is called as an identity provider.
pub(crate) fn entity_id(tenant: &Tenant) -> String {
    format!("{}/{}", tenant.issuer, names::IDP_METADATA_ROUTE)
}

/// Where it takes requests for a login.
pub(crate) fn sso_address(tenant: &Tenant) -> String {
    format!("{}/{}", tenant.issuer, names::IDP_SSO_ROUTE)
}

/// Where apps fetch what is behind an artifact.
pub(crate) fn artifact_address(tenant: &Tenant) -> String {
    format!("{}/{}", tenant.issuer, names::ARTIFACT_ROUTE)
}

#[async_trait]
impl Downstream for SamlIdentityProvider {
    fn kind(&self) -> AppKind {
        AppKind::SamlSp
    }

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn check_app(&self, _name: &str, settings: &Value, _secrets: usize) -> Vec<Complaint> {
        SpSettings::parse(settings, self.services.clock.now()).err().unwrap_or_default()
    }

    fn protocol_name(&self, _name: &str, settings: &Value) -> Option<String> {
        settings::entity_id(settings)
    }

    fn released_claims(&self, settings: &Value) -> Vec<String> {
        settings::released_claims(settings)
    }

    fn answers_stand(&self) -> bool {
        true
    }

    /// SAML has no scopes: what is released goes by the names of claims.
    fn registered_scopes(&self, _app: &App) -> Vec<String> {
        Vec::new()
    }

    async fn accept(&self, request: Request<'_>, trace: &mut TraceLog) -> Accepted {
        let Request { tenant, input, now, trace_id } = request;
        let kind = match input.route {
            names::ARTIFACT_ROUTE => "artifact",
            names::SLO_ROUTE => "logout",
            _ => "sso",
        };
        let exchange = Exchange { services: &self.services, tenant, input, now, trace_id, trace, app: None, kind };
        match input.route {
            names::IDP_METADATA_ROUTE => Accepted::Reply(metadata::reply(&exchange)),
            names::IDP_SSO_ROUTE => accept::handle(self, exchange).await,
            names::IDP_START_ROUTE => start::handle(exchange).await,
            names::SLO_ROUTE => logout::handle(self, exchange).await,
            names::ARTIFACT_ROUTE => resolve::handle(self, exchange).await,
            _ => Accepted::Reply(Reply::body(404, "text/plain", "There is nothing at this address.")),
        }
    }

    async fn finish(&self, finish: Finish<'_>, permit: &Permit) -> Result<Finished, Refusal> {
        answer::finish(&self.services, &finish, permit).await
    }

    async fn refuse(&self, tenant: &Arc<Tenant>, continuation: &[u8], refusal: &Refusal, trace: TraceId) -> Reply {
        answer::refuse(&self.services, tenant, continuation, refusal, trace).await
    }

    fn initiate(&self, tenant: &Tenant, app: &App, target: Option<&str>) -> Option<String> {
        start::address(tenant, app, target, self.services.clock.now())
    }

    fn host(&self, _app: &App, continuation: &[u8]) -> Option<String> {
        Url::parse(&Asked::from_bytes(continuation)?.acs).ok()?.host_str().map(str::to_owned)
    }

    fn logout(&self) -> Option<&dyn DownstreamLogout> {
        Some(self)
    }

    fn documents(&self) -> Option<&dyn PartnerDocuments> {
        Some(self)
    }

    /// Every answer is signed. Only a logout request brings something that was encrypted to us: a name.
    fn uses_key(&self, app: &App, purpose: KeyPurpose) -> bool {
        match purpose {
            KeyPurpose::Oidc | KeyPurpose::OidcClient | KeyPurpose::OidcDecryption => false,
            KeyPurpose::SamlSigning => true,
            KeyPurpose::SamlDecryption => {
                SpSettings::of(app, self.services.clock.now()).is_ok_and(|settings| !settings.sp.slo.is_empty())
            }
        }
    }

    fn check(&self, tenant: &Tenant, app: &App, now: Timestamp) -> Vec<Finding> {
        check::findings(tenant, app, now)
    }
}
