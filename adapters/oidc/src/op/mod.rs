//! The OpenID provider: what apps talk to.
//!
//! A login comes in at [`authorize`], goes through the hub, and leaves by [`answer`]. The
//! other endpoints each have a file, and so has each grant. Tokens are made in
//! [`access_token`], [`id_token`] and [`refresh_token`], and nowhere without a `Permit`.

mod access_token;
mod answer;
mod authn_claims;
mod authorize;
mod authorize_claims;
mod backchannel_logout;
mod client_assertion;
mod client_auth;
mod current;
mod discovery;
mod document;
mod error;
mod exchange;
mod frontchannel_logout;
mod grant_authorization_code;
mod grant_client_credentials;
mod grant_refresh_token;
mod id_token;
mod introspect;
mod jwks;
mod jwt;
mod lifetime;
mod live_token;
mod logout;
mod logout_notice;
mod logout_token;
mod memory;
mod params;
mod prompt;
pub mod redirect_uri;
mod refresh_token;
mod release;
mod remote;
mod revoke;
pub mod settings;
mod settings_authentication;
mod settings_fields;
mod token;
mod userinfo;

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::{Accepted, Downstream, Finish, Finished, Refusal, Request};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::http::{Method, Reply, Route};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::logout::DownstreamLogout;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::Services;
use fedbridge_contract::trace::TraceLog;
use serde_json::Value;

use document::Documents;
use exchange::Exchange;
use memory::append_query;
use remote::Remote;
use settings::ClientSettings;

const GET: &[Method] = &[Method::Get];
const POST: &[Method] = &[Method::Post];
const BOTH: &[Method] = &[Method::Get, Method::Post];

/// Below the issuer. The web layer maps the RFC 8414 address to the second document.
const ROUTES: &[Route] = &[
    Route::new("authorize", BOTH),
    Route::new("token", POST).open_to_scripts(),
    Route::new("userinfo", BOTH).open_to_scripts(),
    Route::new("introspect", POST),
    Route::new("revoke", POST),
    Route::new("jwks", GET).open_to_scripts(),
    Route::new("logout", BOTH),
    Route::new(".well-known/openid-configuration", GET).open_to_scripts(),
    Route::new(".well-known/oauth-authorization-server", GET).open_to_scripts(),
];

/// The downstream OpenID provider of every tenant.
pub struct OpenIdProvider {
    services: Services,
    remote: Remote,
    documents: Documents,
}

impl OpenIdProvider {
    pub fn new(services: Services) -> Self {
        Self { services, remote: Remote::new(), documents: Documents::default() }
    }
}

#[async_trait]
impl Downstream for OpenIdProvider {
    fn kind(&self) -> AppKind {
        AppKind::OidcClient
    }

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn check_app(&self, name: &str, settings: &Value, secrets: usize) -> Vec<Complaint> {
        ClientSettings::parse(name, settings, secrets).err().unwrap_or_default()
    }

    fn sector(&self, app: &App) -> String {
        ClientSettings::of(app).map_or_else(|_| app.name.clone(), |settings| settings.sector(&app.name))
    }

    fn registered_scopes(&self, app: &App) -> Vec<String> {
        ClientSettings::of(app).map(|settings| settings.scopes.clone()).unwrap_or_default()
    }

    async fn accept(&self, request: Request<'_>, trace: &mut TraceLog) -> Accepted {
        let Request { tenant, input, now, trace_id } = request;
        let services = &self.services;
        let mut exchange =
            Exchange { services, tenant, input, now, trace_id, trace, app: None, connection: None, person: None };
        let reply = match input.route {
            "authorize" => return authorize::handle(exchange, &self.remote).await,
            "logout" => return logout::handle(exchange),
            "token" => {
                let result = token::handle(&mut exchange, &self.remote).await;
                exchange.conclude("token", result)
            }
            "userinfo" => {
                let result = userinfo::handle(&mut exchange).await;
                exchange.conclude("userinfo", result)
            }
            "introspect" => {
                let result = introspect::handle(&mut exchange, &self.remote).await;
                exchange.conclude("introspect", result)
            }
            "revoke" => {
                let result = revoke::handle(&mut exchange, &self.remote).await;
                exchange.conclude("revoke", result)
            }
            "jwks" => self.documents.of(tenant).keys.reply(input),
            ".well-known/openid-configuration" | ".well-known/oauth-authorization-server" => {
                self.documents.of(tenant).metadata.reply(input)
            }
            _ => Reply::body(404, "text/plain", "There is nothing at this address."),
        };
        Accepted::Reply(reply)
    }

    async fn finish(&self, finish: Finish<'_>, permit: &Permit) -> Result<Finished, Refusal> {
        answer::finish(&finish, permit)
    }

    async fn refuse(&self, tenant: &Arc<Tenant>, continuation: &[u8], refusal: &Refusal, trace: TraceId) -> Reply {
        answer::refuse(tenant, continuation, refusal, trace)
    }

    /// OpenID Connect Core 4. `None` where the client has no `initiate_login_uri`.
    fn initiate(&self, tenant: &Tenant, app: &App, target: Option<&str>) -> Option<String> {
        let settings = ClientSettings::of(app).ok()?;
        let mut params = vec![("iss", tenant.issuer.as_str())];
        params.extend(target.map(|target| ("target_link_uri", target)));
        Some(append_query(settings.initiate_login_uri.as_deref()?, &params))
    }

    fn host(&self, _app: &App, continuation: &[u8]) -> Option<String> {
        answer::host(continuation)
    }

    fn logout(&self) -> Option<&dyn DownstreamLogout> {
        Some(self)
    }
}
