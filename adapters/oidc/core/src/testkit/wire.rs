//! The provider in memory, as the bridge's way out.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::services::{Egress, EgressError, EgressGet, EgressLimits, EgressPost, Fetched};

use super::http::{Asked, HttpAnswer, Manner};
use super::op::{Endpoint, ScriptedOp};

/// Several providers, each at its own issuer; what is asked of nobody is seen by the first one.
#[derive(Clone)]
pub struct Wires(pub Arc<Vec<ScriptedOp>>);

impl Wires {
    pub fn new(providers: &[&ScriptedOp]) -> Self {
        Self(Arc::new(providers.iter().map(|&op| op.clone()).collect()))
    }

    fn call(&self, url: &str, asked: &Asked, limits: EgressLimits) -> Result<Fetched, EgressError> {
        let fail = |cause: &str| EgressError {
            url: url.split('?').next().unwrap_or_default().to_owned(),
            cause: cause.to_owned(),
            silent: false,
        };
        let silent = |cause: &str| EgressError { silent: true, ..fail(cause) };
        let answer = self.answer(url, asked).ok_or_else(|| silent("connection refused"))?;
        match answer.manner {
            Manner::Dead => return Err(silent("connection refused")),
            Manner::Slow => return Err(silent(&format!("no complete answer within {} s", limits.timeout.as_secs()))),
            Manner::Cut => return Err(fail("end of file before message length reached")),
            Manner::Endless | Manner::Whole => {}
        }
        if answer.manner == Manner::Endless || answer.body.len() > limits.max_body {
            return Err(fail(&format!("the answer is longer than {} octets", limits.max_body)));
        }
        if (300..400).contains(&answer.status) && answer.status != 304 {
            let cause = format!("answered {}; redirects are not followed, give the final address", answer.status);
            return Err(fail(&cause));
        }
        let seconds = answer.header("cache-control").and_then(|text| text.strip_prefix("max-age=")?.parse().ok());
        let max_age = match answer.header("cache-control") {
            Some("no-store" | "no-cache") => Some(Duration::ZERO),
            _ => seconds.map(Duration::from_secs),
        };
        let HttpAnswer { status, content_type, body, .. } = answer;
        Ok(Fetched { status, content_type, etag: None, max_age, body: body.into() })
    }

    fn answer(&self, url: &str, asked: &Asked) -> Option<HttpAnswer> {
        let below = |op: &&ScriptedOp| {
            let rest = url.strip_prefix(op.issuer.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?']))
        };
        if let Some(op) = self.0.iter().find(below) {
            return Some(op.answer_http(asked));
        }
        for op in self.0.iter() {
            let known = op.state().elsewhere.iter().find(|(at, _)| at == url).map(|(_, answer)| answer.clone());
            if known.is_some() {
                op.note(Endpoint::Other, asked);
                return known;
            }
        }
        if let Some(op) = self.0.first() {
            op.note(Endpoint::Other, asked);
        }
        None
    }
}

#[async_trait]
impl Egress for Wires {
    async fn get(&self, url: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.call(url, &Asked::of("GET", url, &[], ""), limits)
    }

    async fn get_if_changed(&self, url: &str, etag: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        let headers = [("if-none-match".to_owned(), etag.to_owned())];
        self.call(url, &Asked::of("GET", url, &headers, ""), limits)
    }

    async fn post(&self, request: &EgressPost, limits: EgressLimits) -> Result<Fetched, EgressError> {
        let mut headers = request.headers.clone();
        headers.push(("content-type".to_owned(), request.content_type.clone()));
        self.call(&request.url, &Asked::of("POST", &request.url, &headers, &request.body), limits)
    }

    async fn get_with(&self, request: &EgressGet, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.call(&request.url, &Asked::of("GET", &request.url, &request.headers, ""), limits)
    }
}
