//! What an app adds for itself, and what it may see besides its scopes.

use std::collections::BTreeSet;
use std::sync::Arc;

use fedbridge_contract::claims::PROTOCOL_CLAIMS;
use fedbridge_contract::error::Complaint;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::rule::{self, CelRule, Owner, Parsed, PlainRule};
use crate::spec::AppSpec;

/// An app's rules, ready to run.
#[derive(Debug, Default)]
pub struct AppRules {
    source: Arc<AppRulesSpec>,
    pub(crate) release: BTreeSet<String>,
    pub(crate) groups: Vec<String>,
    pub(crate) plain: Vec<PlainRule>,
    pub(crate) cel: Vec<CelRule>,
}

/// What they are compiled from.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AppRulesSpec {
    /// Claims that the app gets, besides what scopes release.
    #[serde(default)]
    pub release: Vec<String>,
    /// The app's own rules, by claim; what they make is always released.
    #[serde(default)]
    pub claims: Map<String, Value>,
    /// Only members of one of these groups may log in through it; empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
}

impl From<&AppSpec> for AppRulesSpec {
    fn from(spec: &AppSpec) -> Self {
        Self { release: spec.release.clone(), claims: spec.claims.clone(), groups: spec.groups.clone() }
    }
}

impl AppRules {
    /// # Errors
    /// Everything that is wrong, with paths below the app: `claims.tier.cel`, `release[0]`.
    pub fn compile(source: impl Into<AppRulesSpec>) -> Result<Self, Vec<Complaint>> {
        let source = source.into();
        let mut complaints = Vec::new();
        for (at, claim) in source.release.iter().enumerate() {
            if PROTOCOL_CLAIMS.contains(&claim.as_str()) {
                let message = format!("`{claim}` is a claim of the protocol; it needs no release");
                complaints.push(Complaint::new(format!("release[{at}]"), message));
            } else if claim.is_empty() {
                complaints.push(Complaint::new(format!("release[{at}]"), "a claim's name is not empty"));
            }
        }
        let mut plain = Vec::new();
        let mut cel = Vec::new();
        for (claim, written) in &source.claims {
            match rule::parse(claim, written, Owner::App, &mut complaints) {
                Some(Parsed::Plain(rule)) => plain.push(rule),
                Some(Parsed::Cel(rule)) => cel.push(rule),
                None => {}
            }
        }
        let release = source.release.iter().cloned().collect();
        if !complaints.is_empty() {
            return Err(complaints);
        }
        let groups = source.groups.clone();
        Ok(Self { source: Arc::new(source), release, groups, plain, cel })
    }

    pub fn source(&self) -> &Arc<AppRulesSpec> {
        &self.source
    }
}
