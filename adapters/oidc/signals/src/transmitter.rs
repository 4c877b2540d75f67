//! The transmitter of every tenant: from a request to what answers it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::{Accepted, Downstream, Finish, Finished, Refusal, RefusalKind, Request};
use fedbridge_contract::error::{Complaint, StoreError};
use fedbridge_contract::http::{Method, Reply, Route};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::keys::KeyError;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::Services;
use fedbridge_contract::signals::{Hears, Signal, SignalTransmitter, Stream};
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};

use crate::answer::Refused;
use crate::poll::Waiting;
use crate::settings::Settings;
use crate::{auth, configuration, poll, stream, subjects, token};

/// How long what comes of no change waits for a receiver.
pub const KEPT: Duration = Duration::from_secs(72 * 60 * 60);

const GET: &[Method] = &[Method::Get];
const POST: &[Method] = &[Method::Post];
const GET_AND_POST: &[Method] = &[Method::Get, Method::Post];
const ALL: &[Method] = &[Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];

/// Below the issuer. The web layer knows the configuration's other address, before the issuer's path.
const ROUTES: &[Route] = &[
    Route::new(".well-known/ssf-configuration", GET).open_to_scripts(),
    Route::new("signals/stream", ALL),
    Route::new("signals/status", GET_AND_POST),
    Route::new("signals/verify", POST),
    Route::new("signals/subjects/add", POST),
    Route::new("signals/subjects/remove", POST),
    Route::new("signals/poll", POST),
];

pub struct Transmitter {
    services: Services,
    waiting: Waiting,
}

impl Transmitter {
    pub fn new(services: Services) -> Self {
        Self { services, waiting: Waiting::default() }
    }

    async fn answer(&self, request: &Request<'_>) -> Result<Reply, Refused> {
        let app = auth::receiver(&self.services, request).await?;
        let settings = Settings::of(app).ok_or(Refused::Unavailable)?;
        let asked =
            Asked { services: &self.services, waiting: &self.waiting, request, app, settings: settings.as_ref() };
        match request.input.route {
            "signals/stream" => stream::stream(&asked).await,
            "signals/status" => stream::status(&asked).await,
            "signals/verify" => stream::verify(&asked).await,
            "signals/subjects/add" => subjects::add(&asked).await,
            "signals/subjects/remove" => subjects::remove(&asked).await,
            "signals/poll" => poll::poll(&asked).await,
            _ => Err(Refused::NoStream),
        }
    }
}

/// A request of a receiver that has said who it is.
pub struct Asked<'a> {
    pub services: &'a Services,
    pub waiting: &'a Waiting,
    pub request: &'a Request<'a>,
    pub app: &'a Arc<App>,
    pub settings: &'a Settings,
}

impl Asked<'_> {
    /// The stream in force.
    pub async fn stream(&self) -> Result<Option<Stream>, StoreError> {
        let kept = self.services.signals.stream(self.request.tenant.id, self.app.id).await?;
        Ok(stream::in_force(self.app, self.settings, kept))
    }

    /// The same, where it is the one that a body names.
    pub async fn named(&self, body: &Map<String, Value>) -> Result<Stream, Refused> {
        let found = self.stream().await?.ok_or(Refused::NoStream)?;
        match body.get("stream_id").and_then(Value::as_str) {
            Some(id) if id == found.id => Ok(found),
            Some(_) => Err(Refused::NoStream),
            None => Err(Refused::Malformed("The stream_id is missing.")),
        }
    }

    pub async fn keep(&self, stream: &Stream) -> Result<(), StoreError> {
        self.services.signals.keep_stream(self.request.tenant.id, self.app.id, stream).await
    }

    pub fn body(&self) -> Result<Map<String, Value>, Refused> {
        strict_json::object(&self.request.input.body).map_err(|_| Refused::Malformed("The body is not strict JSON."))
    }
}

#[async_trait]
impl Downstream for Transmitter {
    fn kind(&self) -> AppKind {
        AppKind::SignalReceiver
    }

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn check_app(&self, _: &str, settings: &Value, secrets: usize) -> Vec<Complaint> {
        Settings::parse(settings, secrets).err().unwrap_or_default()
    }

    fn protocol_name(&self, _: &str, _: &Value) -> Option<String> {
        None
    }

    fn registered_scopes(&self, _: &App) -> Vec<String> {
        Vec::new()
    }

    async fn accept(&self, request: Request<'_>, _: &mut TraceLog) -> Accepted {
        if request.input.route == ".well-known/ssf-configuration" {
            return Accepted::Reply(configuration::document(request.tenant));
        }
        Accepted::Reply(match self.answer(&request).await {
            Ok(reply) => reply,
            Err(refused) => {
                self.services.counters.refused("signals", refused.code());
                refused.reply()
            }
        })
    }

    /// Nobody logs in to a receiver.
    async fn finish(&self, _: Finish<'_>, _: &Permit) -> Result<Finished, Refusal> {
        Err(Refusal::new(RefusalKind::AccessDenied, "Nobody can log in there."))
    }

    async fn refuse(&self, _: &Arc<Tenant>, _: &[u8], _: &Refusal, _: TraceId) -> Reply {
        Reply::body(404, "text/plain", "There is nothing at this address.")
    }

    fn signals(&self) -> Option<&dyn SignalTransmitter> {
        Some(self)
    }
}

impl SignalTransmitter for Transmitter {
    fn hears(&self, app: &App) -> Option<Hears> {
        Settings::of(app).map(|settings| settings.hears.clone())
    }

    fn stream(&self, app: &App, kept: Option<Stream>) -> Option<Stream> {
        stream::in_force(app, Settings::of(app)?.as_ref(), kept)
    }

    fn written_url(&self, app: &App) -> Option<String> {
        Settings::of(app)?.push_url.clone()
    }

    fn token(&self, tenant: &Tenant, app: &App, signal: &Signal) -> Result<String, KeyError> {
        let unread = || KeyError { kid: "none".into(), cause: "the receiver's settings can't be read".into() };
        token::mint(tenant, app, Settings::of(app).ok_or_else(unread)?.as_ref(), signal)
    }
}
