//! The scripted upstream, asked again. The call goes to `{connection}/fake/token`, and what comes of it is in the
//! settings: `says` is yes, no or silent.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::identity::{Attributes, UpstreamTokens};
use fedbridge_contract::services::{Egress, EgressLimits, EgressPost};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{AskedAgain, StillThere, UpstreamRefresh};
use serde::Deserialize;

#[derive(Deserialize, Clone)]
#[serde(deny_unknown_fields)]
pub struct FakeTokens {
    /// In seconds.
    every: u64,
    #[serde(default)]
    says: Says,
    /// Nobody goes on while it is silent.
    #[serde(default)]
    strict: bool,
    /// Each answer brings another refresh token.
    #[serde(default)]
    rotates: bool,
}

#[derive(Deserialize, Clone, Copy, Default)]
#[serde(rename_all = "snake_case")]
enum Says {
    #[default]
    Yes,
    No,
    Silent,
}

pub struct FakeRefresh {
    pub address: String,
    pub script: FakeTokens,
    pub attributes: Attributes,
    pub egress: Arc<dyn Egress>,
}

const LIMITS: EgressLimits = EgressLimits { max_body: 1024, timeout: Duration::from_secs(3) };

#[async_trait]
impl UpstreamRefresh for FakeRefresh {
    fn interval(&self) -> Option<Duration> {
        Some(Duration::from_secs(self.script.every))
    }

    fn patience(&self) -> Option<Duration> {
        (!self.script.strict).then_some(Duration::from_secs(24 * 3600))
    }

    async fn ask(&self, asked: AskedAgain<'_>, trace: &mut TraceLog) -> StillThere {
        trace.sent(asked.now, "fake refresh", vec![("subject", asked.subject.display.clone())]);
        let own = asked.tokens.memory["sub"] == asked.subject.key.as_str();
        let answer = self.egress.post(&self.post("token", asked.tokens), LIMITS).await;
        match (self.script.says, answer) {
            (Says::No, _) => StillThere::No(error("the upstream says invalid_grant")),
            (Says::Silent, _) | (_, Err(_)) => StillThere::Unknown(error("the upstream says nothing")),
            (Says::Yes, Ok(_)) if !own => StillThere::Unknown(error("these are not the tokens that it gave")),
            (Says::Yes, Ok(_)) => {
                let mut tokens = asked.tokens.clone();
                if self.script.rotates {
                    tokens.refresh_token = tokens.refresh_token.map(|token| format!("next-{token}"));
                }
                StillThere::Yes { attributes: Some(self.attributes.clone()), tokens }
            }
        }
    }

    fn revocation(&self, _: &Tenant, tokens: &UpstreamTokens, _: Timestamp) -> Option<EgressPost> {
        Some(self.post("revoke", tokens))
    }
}

impl FakeRefresh {
    fn post(&self, what: &str, tokens: &UpstreamTokens) -> EgressPost {
        EgressPost {
            url: format!("{}/fake/{what}", self.address),
            content_type: "text/plain".into(),
            headers: Vec::new(),
            body: tokens.refresh_token.clone().unwrap_or_default(),
        }
    }
}

fn error(cause: &str) -> ProtocolError {
    ProtocolError::new("refresh", "The login provider was asked again.", cause)
}
