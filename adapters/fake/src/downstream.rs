//! A scripted downstream protocol. An app asks with `?app=NAME`, is sent to `http://NAME.example/`,
//! joins the session, and hears of its end as its settings say:
//!
//! ```yaml
//! notice: back        # or: front, frame, nothing; without it the app never joins
//! ```

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::{
    Accepted, ConnectionHints, ConsentWish, Downstream, Finish, Finished, LoginRequest, Refusal, Request,
};
use fedbridge_contract::error::{Complaint, ProtocolError};
use fedbridge_contract::http::{HttpInput, Method, Reply, Route};
use fedbridge_contract::identity::OneTimeKey;
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::logout::{
    Channel, DownstreamLogout, LogoutCall, LogoutEnd, LogoutSelector, Manner, Notice, Participant, PeerLogout, Told,
};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{EgressPost, Fetched, TraceEvent, TraceSink};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_contract::upstream::{Challenge, LoginWish};
use serde_json::{Value, json};

use crate::{logout, param};

/// Apps of this protocol take the place of SAML's service providers.
pub struct FakeDownstream {
    traces: Arc<dyn TraceSink>,
}

impl FakeDownstream {
    /// Refusals of what apps ask for are recorded in `traces`.
    pub fn new(traces: Arc<dyn TraceSink>) -> Self {
        Self { traces }
    }

    /// Records that a request led to nothing: the last step says why.
    fn record_refusal(&self, request: &Request<'_>, trace: &mut TraceLog) {
        self.traces.record(TraceEvent {
            tenant: request.tenant.id,
            id: request.trace_id,
            at: request.now,
            kind: "sso",
            app: None,
            connection: None,
            person: None,
            peer: Some(request.input.peer),
            outcome: Outcome::Refused,
            cause: trace.cause().unwrap_or_default(),
            steps: std::mem::take(trace),
        });
    }
}

const ROUTES: &[Route] = &[Route::new("fake/login", &[Method::Get]), Route::new("fake/slo", &[Method::Get])];

#[async_trait]
impl Downstream for FakeDownstream {
    fn kind(&self) -> AppKind {
        AppKind::SamlSp
    }

    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    fn check_app(&self, _: &str, _: &Value, _: usize) -> Vec<Complaint> {
        Vec::new()
    }

    fn answers_stand(&self) -> bool {
        true
    }

    fn registered_scopes(&self, _: &App) -> Vec<String> {
        Vec::new()
    }

    async fn accept(&self, request: Request<'_>, trace: &mut TraceLog) -> Accepted {
        let input = request.input;
        if let Some(id) = param(input, "answer").and_then(|id| id.parse().ok()) {
            return Accepted::LogoutAnswer { id, told: logout::told(input) };
        }
        let app = param(input, "app").and_then(|name| request.tenant.app(AppKind::SamlSp, &name).cloned());
        let Some(app) = app else {
            trace.check("a known app", "", "its name", "unknown", false);
            self.record_refusal(&request, trace);
            return Accepted::Reply(Reply::body(400, "text/plain", "unknown app"));
        };
        if input.route == ROUTES[1].path {
            return Accepted::PeerLogout { app: app.id, request: Box::new(asks_out(&app, input, request.now)) };
        }
        Accepted::Login(Box::new(LoginRequest {
            app: app.id,
            wish: LoginWish {
                passive: param(input, "passive").is_some(),
                ui_locales: param(input, "ui_locales"),
                ..LoginWish::default()
            },
            hints: ConnectionHints { connection: param(input, "connection"), ..ConnectionHints::default() },
            scope: Vec::new(),
            requested_claims: Vec::new(),
            expected_sub: None,
            choose: false,
            consent: match param(input, "consent").as_deref() {
                Some("remember") => ConsentWish::Remembered,
                Some("always") => ConsentWish::Always,
                _ => ConsentWish::NotNeeded,
            },
            again: format!("{}/fake/login?{}", request.tenant.issuer, input.query),
            retry: None,
            once: once(input, request.now),
            continuation: app.name.clone().into_bytes(),
        }))
    }

    async fn finish(&self, finish: Finish<'_>, _: &Permit) -> Result<Finished, Refusal> {
        let participant = finish.app.settings.get("notice").map(|_| Participant {
            app: finish.app.id,
            key: finish.identity.sub.clone(),
            index: Some(finish.identity.session.to_string()),
            memory: json!({ "sub": finish.identity.sub }),
        });
        let reply = at(&finish.app.name, &format!("in?sub={}", finish.identity.sub));
        Ok(Finished { reply, grant: None, participant, name_id: None, steps: TraceLog::new() })
    }

    async fn refuse(&self, _: &Arc<Tenant>, continuation: &[u8], refusal: &Refusal, _: TraceId) -> Reply {
        at(&String::from_utf8_lossy(continuation), &format!("refused?kind={:?}", refusal.kind))
    }

    fn initiate(&self, _: &Tenant, app: &App, target: Option<&str>) -> Option<String> {
        Some(format!("http://{}.example/start?target={}", app.name, target.unwrap_or("none")))
    }

    fn logout(&self) -> Option<&dyn DownstreamLogout> {
        Some(self)
    }
}

#[async_trait]
impl DownstreamLogout for FakeDownstream {
    async fn notice(&self, call: LogoutCall<'_>) -> Result<Notice, ProtocolError> {
        let address = format!("http://{}.example/slo?id={}", call.app.name, call.id);
        Ok(match call.app.settings["notice"].as_str() {
            Some("back") => Notice::Back(EgressPost {
                url: address,
                content_type: "text/plain".into(),
                headers: Vec::new(),
                body: call.participant.key.clone(),
            }),
            Some("front") => Notice::Front(Challenge::Redirect(address)),
            Some("post") => {
                let fields = vec![("id".to_owned(), call.id.to_string())];
                Notice::Front(Challenge::AutoPost { action: address, fields })
            }
            Some("frame") => Notice::Frame(address),
            _ => Notice::Nothing,
        })
    }

    fn frame_origin(&self, app: &App) -> Option<String> {
        (app.settings["notice"] == "frame").then(|| format!("http://{}.example", app.name))
    }

    async fn told(&self, _: LogoutCall<'_>, answer: &Fetched) -> Told {
        match answer.status {
            200 => Told::Done,
            500.. => Told::Silent,
            _ => Told::Refused,
        }
    }

    async fn conclude(&self, _: &Arc<Tenant>, continuation: &[u8], end: LogoutEnd) -> Reply {
        at(&String::from_utf8_lossy(continuation), &format!("out?end={end:?}"))
    }
}

fn asks_out(app: &App, input: &HttpInput, now: Timestamp) -> PeerLogout {
    PeerLogout {
        selector: LogoutSelector::Participant {
            app: app.id,
            key: param(input, "key").unwrap_or_default(),
            indexes: param(input, "index").into_iter().collect(),
        },
        channel: if param(input, "back").is_some() { Channel::Back } else { Channel::Front },
        once: once(input, now),
        continuation: app.name.clone().into_bytes(),
        framed_by: None,
        manner: Manner::default(),
    }
}

pub(crate) fn once(input: &HttpInput, now: Timestamp) -> Vec<OneTimeKey> {
    let expires = now + Duration::from_secs(600);
    param(input, "id").map(|key| OneTimeKey { purpose: "fake.request", key, expires }).into_iter().collect()
}

fn at(app: &str, path: &str) -> Reply {
    Reply::redirect(format!("http://{app}.example/{path}"))
}
