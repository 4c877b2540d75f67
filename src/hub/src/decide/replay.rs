//! A decision that can be made again from what a trace kept.

use std::sync::Arc;

use fedbridge_contract::error::Complaint;
use serde::{Deserialize, Serialize};

use super::{DecideInput, Decision, Facts, decide};
use crate::mapping::{AppRules, AppRulesSpec, Mapping, MappingSource};

/// All that a decision depends on, as plain data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayInput {
    pub facts: Facts,
    /// Shared with the mapping that decided, as the next.
    pub mapping: Arc<MappingSource>,
    pub app: Arc<AppRulesSpec>,
}

/// A replay whose rules are compiled; they may be exchanged, to preview a change.
#[derive(Debug)]
pub struct CompiledReplay {
    pub facts: Facts,
    pub mapping: Mapping,
    pub app: AppRules,
}

impl ReplayInput {
    /// What has to be kept to make this decision again.
    pub fn of(input: &DecideInput<'_>) -> Self {
        Self {
            facts: input.facts.clone(),
            mapping: Arc::clone(input.mapping.source()),
            app: Arc::clone(input.app.source()),
        }
    }

    /// # Errors
    /// Every complaint about the recorded rules, which can only differ from the
    /// day of the record when this version knows other rules.
    pub fn compile(self) -> Result<CompiledReplay, Vec<Complaint>> {
        let mapping = Mapping::from_source(Arc::unwrap_or_clone(self.mapping));
        let app = AppRules::compile(Arc::unwrap_or_clone(self.app));
        match (mapping, app) {
            (Ok(mapping), Ok(app)) => Ok(CompiledReplay { facts: self.facts, mapping, app }),
            (mapping, app) => {
                let mut complaints = mapping.err().unwrap_or_default();
                complaints.extend(app.err().unwrap_or_default());
                Err(complaints)
            }
        }
    }
}

impl CompiledReplay {
    pub fn decide(&self) -> Decision {
        decide(&DecideInput { facts: &self.facts, mapping: &self.mapping, app: &self.app })
    }
}
