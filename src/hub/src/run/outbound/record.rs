//! What an app was told, and why: a trace for each step that it hears of.

use fedbridge_contract::services::TraceEvent;
use fedbridge_contract::trace::{Outcome, RuleResult, RuleStep, Step, TraceLog};
use serde_json::Value;

use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

/// One step of a run, carried out.
#[derive(Debug, Clone, Default)]
pub struct ToldApp {
    /// The app's slug.
    pub app: String,
    /// A person's or a group's name there.
    pub subject: String,
    /// `update user`.
    pub what: String,
    pub why: String,
    /// What the app's own rules made.
    pub rules: TraceLog,
    /// Each with its path, the claim that it was made of, and what the app gets.
    pub values: Vec<(String, Option<String>, Option<Value>)>,
    /// Calls, and what the app answered.
    pub sent: Vec<(String, String)>,
    pub failed: Option<String>,
}

impl Hub {
    pub fn record_told(&self, tenant: &TenantSnapshot, told: ToldApp) {
        let now = self.services.clock.now();
        let mut steps = told.rules;
        steps.decide(&told.what, told.why, true);
        for (path, claim, value) in told.values {
            let rule = claim.as_ref().map_or_else(|| "set by the bridge".to_owned(), |claim| format!("from {claim}"));
            let result = match value {
                Some(value) => RuleResult::Made { value, from: claim },
                None => RuleResult::Nothing,
            };
            steps.push(Step::Rule(RuleStep { stage: "scim_app".to_owned(), claim: path, rule, result }));
        }
        for (call, answer) in told.sent {
            steps.sent(now, &call, vec![("answer", answer)]);
        }
        let (outcome, cause) = match told.failed {
            None => (Outcome::Success, String::new()),
            Some(cause) => (Outcome::Error, cause),
        };
        self.services.traces.record(TraceEvent {
            tenant: tenant.view.id,
            id: self.new_trace_id(),
            at: now,
            kind: "provisioning",
            app: Some(told.app),
            connection: None,
            person: Some(told.subject),
            peer: None,
            outcome,
            cause,
            steps,
        });
    }
}
