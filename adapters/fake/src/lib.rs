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
//! scope: null         # or who gives subjects out, as an OpenID provider's issuer
//! undated: false      # or true: it does not say when somebody authenticated
//! session: null       # or the upstream's name for its session
//! tokens: null        # or: { every: 900, says: yes }; says: no, silent; the upstream is asked again with them
//! refuse: null        # or: login_required, denied, broken, key_unknown
//! logout: null        # or: front, back
//! life: null          # or an address that is asked whether the upstream lives, before a browser goes there
//! unsolicited: null   # or: { app: portal, accept: false, targets: [...] }
//! passwords: null     # or accounts by name: { ann: { password: …, says: disabled | expired | must_change | silent } }
//! lock: null          # or: { after: 5, known: true }; wrong passwords lock an account
//! ```
//!
//! With `passwords` people type them on our page, and the browser goes nowhere.
//!
//! Whoever adds `&as=bob` to the address of the answer is bob.

mod downstream;
mod logout;
mod password;
mod refresh;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::error::{Complaint, ProtocolError};
use fedbridge_contract::factory::{AdapterFactory, Field, Open};
use fedbridge_contract::http::{HttpInput, Method, Route};
use fedbridge_contract::identity::{
    Attributes, AuthenticatedIdentity, AuthnFacts, OneTimeKey, Onward, UpstreamSession, UpstreamSubject, UpstreamTokens,
};
use fedbridge_contract::logout::UpstreamLogout;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{
    Adapter, Answer, Begun, Challenge, Correlation, LoginOutcome, Start, UnsolicitedAnswer, UnsolicitedMode,
    UnsolicitedPolicy, UpstreamLogin, UpstreamRefresh, UpstreamRefusal, UpstreamRefusalKind,
};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use logout::{FakeChannel, FakeLogout};
use password::{FakeAccount, FakeLock, FakePasswords};
use refresh::{FakeRefresh, FakeTokens};

pub use downstream::FakeDownstream;

/// Opens fake connections.
pub struct FakeFactory;

const FIELDS: &[Field] = &[
    Field::new("subject", "who logs in").required(),
    Field::new("attributes", "names with lists of values"),
    Field::new("scope", "who gives subjects out"),
    Field::new("acr", "the context class of the login"),
    Field::new("amr", "its methods"),
    Field::new("undated", "whether it keeps silent about when somebody authenticated"),
    Field::new("session", "the upstream's name for its session"),
    Field::new("tokens", "every and says"),
    Field::new("refuse", "login_required, denied, broken, key_unknown or unread"),
    Field::new("logout", "front or back"),
    Field::new("life", "the address that says whether the upstream lives"),
    Field::new("unsolicited", "app, accept and targets"),
    Field::new("passwords", "accounts by name, each with password, says and attributes"),
    Field::new("lock", "after and known"),
];

impl AdapterFactory for FakeFactory {
    fn kind(&self) -> &'static str {
        "fake"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        FIELDS
    }

    /// Strict: an unknown field is a complaint. No network.
    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let login = FakeLogin::open(&input.address, input.settings).map_err(|complaint| vec![complaint])?;
        let logout: Option<Box<dyn UpstreamLogout>> = match login.script.logout {
            Some(channel) => {
                let (address, connection, life) = (input.address.clone(), input.connection, login.script.life.clone());
                Some(Box::new(FakeLogout { address, connection, channel, life, services: input.services.clone() }))
            }
            None => None,
        };
        let refresh: Option<Box<dyn UpstreamRefresh>> = match &login.script.tokens {
            Some(script) => Some(Box::new(FakeRefresh {
                address: input.address,
                script: script.clone(),
                attributes: login.attributes(),
                egress: Arc::clone(&input.services.egress),
            })),
            None => None,
        };
        if let Some(accounts) = &login.script.passwords {
            let password = FakePasswords::new(accounts, login.script.lock);
            return Ok(Adapter { password: Some(Box::new(password)), logout, refresh, ..Adapter::default() });
        }
        Ok(Adapter { login: Some(Box::new(login)), logout, refresh, ..Adapter::default() })
    }
}

impl FakeLogin {
    fn open(address: &str, settings: &Value) -> Result<Self, Complaint> {
        let script: Script = serde_json::from_value(settings.clone())
            .map_err(|error| Complaint::new("", format!("the fake's settings can't be read: {error}")))?;
        let policy = script.unsolicited.as_ref().map(|unsolicited| UnsolicitedPolicy {
            app: (AppKind::SamlSp, unsolicited.app.clone()),
            mode: if unsolicited.accept { UnsolicitedMode::Accept } else { UnsolicitedMode::Bounce },
            targets: unsolicited.targets.clone(),
        });
        Ok(Self { answer: format!("{address}/{}", ROUTES[0].path), script, policy })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Script {
    subject: String,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
    scope: Option<String>,
    acr: Option<String>,
    amr: Option<Vec<String>>,
    #[serde(default)]
    undated: bool,
    session: Option<String>,
    tokens: Option<FakeTokens>,
    refuse: Option<Refuse>,
    logout: Option<FakeChannel>,
    life: Option<Url>,
    unsolicited: Option<Unsolicited>,
    passwords: Option<BTreeMap<String, FakeAccount>>,
    lock: Option<FakeLock>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsolicited {
    app: String,
    #[serde(default)]
    accept: bool,
    #[serde(default)]
    targets: Vec<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum Refuse {
    LoginRequired,
    Denied,
    Broken,
    KeyUnknown,
    /// Nothing is known of the upstream yet, so there is no request either.
    Unread,
}

struct FakeLogin {
    answer: String,
    script: Script,
    policy: Option<UnsolicitedPolicy>,
}

const ROUTES: &[Route] = &[Route::new("fake/answer", &[Method::Get])];

#[async_trait]
impl UpstreamLogin for FakeLogin {
    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    async fn begin(&self, start: Start<'_>, trace: &mut TraceLog) -> Result<Begun, ProtocolError> {
        if matches!(self.script.refuse, Some(Refuse::Unread)) {
            return Err(ProtocolError::new("temporarily_unavailable", "Please wait.", "nothing was read yet"));
        }
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
            None => Correlation::Unsolicited { target: param(input, "target") },
        }
    }

    async fn complete(&self, answer: Answer<'_>, minter: Minter, trace: &mut TraceLog) -> LoginOutcome {
        self.verify(answer.state, answer.input, Vec::new(), answer.now, minter, trace)
    }

    fn unsolicited(&self) -> Option<&UnsolicitedPolicy> {
        self.policy.as_ref()
    }

    async fn complete_unsolicited(
        &self,
        answer: UnsolicitedAnswer<'_>,
        minter: Minter,
        trace: &mut TraceLog,
    ) -> LoginOutcome {
        let once = param(answer.input, "id").map(|key| OneTimeKey {
            purpose: "fake.answer",
            key,
            expires: answer.now + Duration::from_secs(600),
        });
        self.verify(b"fake", answer.input, once.into_iter().collect(), answer.now, minter, trace)
    }
}

impl FakeLogin {
    fn attributes(&self) -> Attributes {
        let mut attributes = Attributes::new();
        for (name, values) in &self.script.attributes {
            attributes.declare(name);
            values.iter().for_each(|value| attributes.push(name, value));
        }
        attributes
    }

    fn verify(
        &self,
        state: &[u8],
        input: &HttpInput,
        once: Vec<OneTimeKey>,
        now: Timestamp,
        minter: Minter,
        trace: &mut TraceLog,
    ) -> LoginOutcome {
        let subject = param(input, "as").unwrap_or_else(|| self.script.subject.clone());
        trace.received(now, "fake answer", true, vec![("subject", subject.clone())]);
        match self.script.refuse {
            Some(Refuse::LoginRequired) => return refused(UpstreamRefusalKind::LoginRequired),
            Some(Refuse::Denied) => return refused(UpstreamRefusalKind::Denied),
            Some(Refuse::KeyUnknown) => {
                trace.check("the key is known", "", "known", "unknown", false);
                return LoginOutcome::KeyUnknown(ProtocolError::new("key", "The key is unknown.", "scripted"));
            }
            _ => {}
        }
        let sound = self.script.refuse.is_none() && state == b"fake";
        if !trace.check("the answer is sound", "", "sound", if sound { "sound" } else { "broken" }, sound) {
            return LoginOutcome::Rejected(ProtocolError::new("broken", "The answer is broken.", "scripted"));
        }
        let tokens = self.script.tokens.as_ref().map(|_| UpstreamTokens {
            refresh_token: Some(format!("upstream-refresh-token-of-{subject}")),
            access_token: None,
            access_expires: None,
            memory: json!({ "sub": subject }),
        });
        LoginOutcome::Authenticated(Box::new(AuthenticatedIdentity {
            subject: UpstreamSubject {
                key: subject.clone(),
                display: subject.clone(),
                stable: true,
                scope: self.script.scope.clone(),
            },
            attributes: self.attributes(),
            authn: AuthnFacts {
                auth_time: now,
                auth_time_said: !self.script.undated,
                acr: self.script.acr.clone(),
                amr: self.script.amr.clone().unwrap_or_else(|| vec!["user".into()]),
                authority: None,
                authorities: Vec::new(),
            },
            session: UpstreamSession {
                logout_key: self.script.logout.map(|_| subject),
                index: self.script.session.clone(),
                ..UpstreamSession::default()
            },
            onward: Onward::Unrestricted,
            once,
            tokens,
            // The last step, when every check has passed.
            proof: minter.mint(),
        }))
    }
}

/// A parameter of the query.
fn param(input: &HttpInput, name: &str) -> Option<String> {
    input.query_params().into_iter().find(|(key, _)| key == name).map(|(_, value)| value)
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
            rest: String::new(),
            query: location.split_once('?').unwrap().1.to_owned(),
            body: Default::default(),
            content_type: None,
            authorization: None,
            origin: None,
            accept_language: None,
            if_match: None,
            if_none_match: None,
            prefer: None,
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
