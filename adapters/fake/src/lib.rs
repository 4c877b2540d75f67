//! A scripted adapter: the smallest one that does everything the contract asks
//! for. Read it before you write a real one; tests use it to drive the hub.
//!
//! Its upstream is itself: [`begin`](UpstreamLogin::begin) sends the browser to
//! `{connection}/fake/answer`, and whoever gets there with the handle is the
//! person of the settings. It is never part of a released registry.
//!
//! ```yaml
//! protocol: fake
//! subject: alice
//! attributes: { mail: [alice@acme.example] }
//! refuse: null        # or: login_required, denied, broken
//! ```

use std::collections::BTreeMap;

use async_trait::async_trait;
use fedbridge_contract::error::{Complaint, ProtocolError};
use fedbridge_contract::factory::{AdapterFactory, Field, Open};
use fedbridge_contract::http::{HttpInput, Method, Route};
use fedbridge_contract::identity::{
    Attributes, AuthenticatedIdentity, AuthnFacts, Onward, UpstreamSession, UpstreamSubject,
};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{
    Adapter, Answer, Begun, Challenge, Correlation, LoginOutcome, Start, UpstreamLogin, UpstreamRefusal,
    UpstreamRefusalKind,
};
use serde::Deserialize;
use serde_json::Value;

/// Opens fake connections.
pub struct FakeFactory;

impl AdapterFactory for FakeFactory {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        &[
            Field { name: "subject", help: "who logs in", required: true, secret: false },
            Field { name: "attributes", help: "names with lists of values", required: false, secret: false },
            Field { name: "refuse", help: "login_required, denied or broken", required: false, secret: false },
        ]
    }

    /// Strict: an unknown field is a complaint. No network.
    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let login = FakeLogin::open(&input.address, input.settings).map_err(|complaint| vec![complaint])?;
        Ok(Adapter { login: Some(Box::new(login)), ..Adapter::default() })
    }
}

impl FakeLogin {
    fn open(address: &str, settings: &Value) -> Result<Self, Complaint> {
        let script = serde_json::from_value(settings.clone())
            .map_err(|error| Complaint::new("", format!("the fake's settings can't be read: {error}")))?;
        Ok(Self { answer: format!("{address}/{}", ROUTES[0].path), script })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    subject: String,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
    refuse: Option<Refuse>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Refuse {
    LoginRequired,
    Denied,
    Broken,
}

struct FakeLogin {
    answer: String,
    script: Script,
}

const ROUTES: &[Route] = &[Route { path: "fake/answer", methods: &[Method::Get], cors: false }];

#[async_trait]
impl UpstreamLogin for FakeLogin {
    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    async fn begin(&self, start: Start<'_>, trace: &mut TraceLog) -> Result<Begun, ProtocolError> {
        trace.sent(start.now, "fake request", vec![("to", self.answer.clone())]);
        Ok(Begun {
            challenge: Challenge::Redirect(format!("{}?handle={}", self.answer, start.handle)),
            state: b"fake".to_vec(),
        })
    }

    /// The handle only routes; the hub checks the browser before `complete` is called.
    fn correlate(&self, input: &HttpInput) -> Correlation {
        match input.query_params().into_iter().find(|(name, _)| name == "handle") {
            Some((_, handle)) => Correlation::Handle(handle),
            None => Correlation::Unsolicited { target: None },
        }
    }

    async fn complete(&self, answer: Answer<'_>, minter: Minter, trace: &mut TraceLog) -> LoginOutcome {
        trace.received(answer.now, "fake answer", true, vec![("subject", self.script.subject.clone())]);
        match self.script.refuse {
            Some(Refuse::LoginRequired) => return refused(UpstreamRefusalKind::LoginRequired),
            Some(Refuse::Denied) => return refused(UpstreamRefusalKind::Denied),
            _ => {}
        }
        let sound = self.script.refuse.is_none() && answer.state == b"fake";
        if !trace.check("the answer is sound", "", "sound", if sound { "sound" } else { "broken" }, sound) {
            return LoginOutcome::Rejected(ProtocolError::new("broken", "The answer is broken.", "scripted"));
        }
        let mut attributes = Attributes::new();
        for (name, values) in &self.script.attributes {
            attributes.declare(name);
            values.iter().for_each(|value| attributes.push(name, value));
        }
        LoginOutcome::Authenticated(Box::new(AuthenticatedIdentity {
            subject: UpstreamSubject {
                key: self.script.subject.clone(),
                display: self.script.subject.clone(),
                stable: true,
            },
            attributes,
            authn: AuthnFacts {
                auth_time: answer.now,
                acr: None,
                amr: vec!["user".into()],
                authority: None,
                authorities: Vec::new(),
            },
            session: UpstreamSession::default(),
            onward: Onward::Unrestricted,
            once: Vec::new(),
            // The last step, when every check has passed.
            proof: minter.mint(),
        }))
    }
}

fn refused(kind: UpstreamRefusalKind) -> LoginOutcome {
    LoginOutcome::UpstreamRefused(UpstreamRefusal { kind, upstream_code: "scripted".into() })
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;

    use fedbridge_contract::config::Tenant;
    use fedbridge_contract::ids::{ConnectionId, TenantId};
    use fedbridge_contract::testkit;
    use fedbridge_contract::time::Timestamp;
    use serde_json::json;

    use super::*;

    /// The scripted upstream says yes: the browser comes to the very address of the challenge.
    fn answer(challenge: &Challenge) -> HttpInput {
        let Challenge::Redirect(location) = challenge else { panic!("the fake redirects") };
        HttpInput {
            method: Method::Get,
            route: ROUTES[0].path,
            last_segment: String::new(),
            query: location.split_once('?').unwrap().1.to_owned(),
            body: Default::default(),
            content_type: None,
            authorization: None,
            origin: None,
            accept_language: None,
            if_none_match: None,
            cookies: Vec::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    #[tokio::test]
    async fn keeps_the_contract() {
        let id = |text: &str| text.parse::<ConnectionId>().unwrap();
        let tenant: TenantId = "00000000000000000000000000000001".parse().unwrap();
        let tenant = Tenant::new(
            tenant,
            "acme".into(),
            "Acme".into(),
            true,
            "http://127.0.0.1",
            Vec::new(),
            Vec::new(),
            Arc::default(),
        );
        let fake = FakeLogin::open("http://127.0.0.1/t/acme/connections/fake", &json!({ "subject": "alice" })).unwrap();
        let connection = id("00000000000000000000000000000002");
        testkit::upstream_login(&fake, &tenant, connection, Timestamp::from_seconds(1), answer).await;
    }

    #[test]
    fn an_unknown_field_is_a_complaint() {
        assert!(FakeLogin::open("", &json!({ "subject": "alice", "colour": "red" })).is_err());
    }
}
