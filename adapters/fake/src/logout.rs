//! The scripted upstream's side of logout. Its messages are query parameters:
//! `?logout=SUBJECT` asks, `?answer=ID&told=done` answers. It asks for a session alone by `?sid=INDEX`, for a
//! person by `?person=SUBJECT` or `?email=ADDRESS`; `&manner=here,everything,at_once` says how, and
//! `in`, `out`, `compliant`, `not-compliant` what else; `&id=` counts once.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{HttpInput, Method, Reply, Route};
use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::logout::{
    Channel, DeviceWord, LogoutEnd, LogoutMessage, LogoutSelector, LogoutStart, Manner, Named, Notice, Party,
    PeerLogout, ReceivedLogout, Standing, Told, UpstreamLogout,
};
use fedbridge_contract::services::{EgressPost, Fetched, Services};
use fedbridge_contract::silence::silence;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Challenge;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::downstream::once;
use crate::param;

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
pub enum FakeChannel {
    Front,
    Back,
}

pub struct FakeLogout {
    pub address: String,
    pub connection: ConnectionId,
    pub channel: FakeChannel,
    /// Where to look whether it lives, before a browser goes there.
    pub life: Option<Url>,
    pub services: Services,
}

#[async_trait]
impl UpstreamLogout for FakeLogout {
    fn routes(&self) -> &'static [Route] {
        const { &[Route::new("fake/logout", &[Method::Get])] }
    }

    async fn notice(&self, start: LogoutStart<'_>, trace: &mut TraceLog) -> Result<Notice, ProtocolError> {
        trace.sent(start.now, "fake logout request", vec![("id", start.id.to_string())]);
        Ok(match self.channel {
            // As everywhere in the fake, the upstream is itself, and says yes.
            FakeChannel::Front => {
                let location = format!("{}/fake/logout?answer={}&told=done", self.address, start.id);
                Notice::Front(Challenge::Redirect(location))
            }
            FakeChannel::Back => Notice::Back(EgressPost {
                url: format!("{}/fake/logout", self.address),
                content_type: "text/plain".into(),
                headers: Vec::new(),
                body: start.id.to_string(),
            }),
        })
    }

    async fn silence(&self, start: LogoutStart<'_>) -> Option<String> {
        let life = self.life.as_ref()?;
        let egress = self.services.egress_to(start.tenant, Party::Connection(self.connection));
        silence(egress.as_ref(), life, &[life]).await
    }

    async fn told(&self, _: LogoutStart<'_>, answer: &Fetched) -> Told {
        if answer.status == 200 { Told::Done } else { Told::Refused }
    }

    async fn receive(&self, message: LogoutMessage<'_>, trace: &mut TraceLog) -> ReceivedLogout {
        trace.received(message.now, "fake logout message", true, Vec::new());
        let read = |name: &str| param(message.input, name);
        if let Some(id) = read("answer").and_then(|id| id.parse().ok()) {
            return ReceivedLogout::Answer { id, told: told(message.input) };
        }
        let Some(selector) = self.selector(&read) else {
            trace.check("a logout message", "", "a request or an answer", "neither", false);
            return ReceivedLogout::Reply(Reply::body(400, "text/plain", "neither"));
        };
        let manner = read("manner").unwrap_or_default();
        ReceivedLogout::Request(Box::new(PeerLogout {
            selector,
            channel: if read("back").is_some() { Channel::Back } else { Channel::Front },
            once: once(message.input, message.now),
            continuation: b"upstream".to_vec(),
            framed_by: read("framed_by"),
            manner: Manner {
                only_here: manner.contains("here"),
                everything: manner.contains("everything"),
                at_once: manner.contains("at_once"),
                // Whole words: "everything" has "in" in it.
                said: read("said").and_then(|seconds| seconds.parse().ok()).map(Timestamp::from_seconds),
                device: ["compliant", "not-compliant"]
                    .into_iter()
                    .find(|word| manner.split(',').any(|it| it == *word))
                    .map(|word| DeviceWord {
                        device: Some(json!({ "format": "opaque", "id": "laptop" })),
                        compliant: word == "compliant",
                    }),
                standing: match manner.split(',').find(|word| ["in", "out"].contains(word)) {
                    Some("out") => Standing::Out,
                    Some(_) => Standing::In,
                    None => Standing::AsItIs,
                },
            },
        }))
    }

    async fn conclude(&self, _: &Arc<Tenant>, continuation: &[u8], end: LogoutEnd) -> Reply {
        Reply::redirect(format!("http://idp.example/out?for={}&end={end:?}", String::from_utf8_lossy(continuation)))
    }
}

impl FakeLogout {
    fn selector(&self, read: &impl Fn(&str) -> Option<String>) -> Option<LogoutSelector> {
        let connection = self.connection;
        let person = |named| LogoutSelector::Person { connection, named };
        read("logout")
            .map(|key| LogoutSelector::Upstream { connection, key, indexes: Vec::new() })
            .or_else(|| read("sid").map(|index| LogoutSelector::UpstreamIndex { connection, index }))
            .or_else(|| read("person").map(|key| person(Named::Subject(key))))
            .or_else(|| read("email").map(|address| person(Named::Email(address))))
    }
}

pub fn told(input: &HttpInput) -> Told {
    match param(input, "told").as_deref() {
        Some("done") => Told::Done,
        Some("partial") => Told::Partial,
        Some("refused") => Told::Refused,
        _ => Told::Silent,
    }
}
