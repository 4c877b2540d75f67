//! Mappings and app rules, compiled when they are saved: section 5 of the
//! interface. Evaluating them is [`crate::decide`].

mod app_rules;
pub mod cel;
mod names;
mod preset;
mod rule;
mod shape;

use std::sync::Arc;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::trace::{RuleResult, RuleStep};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::spec::MappingSpec;
use crate::suggest::hint;
use cel::Program;

pub use app_rules::{AppRules, AppRulesSpec};
pub use preset::PRESETS;
pub use shape::LISTS;

pub(crate) use names::{NameIndex, Wanted};
pub(crate) use rule::{CelRule, Make, PlainRule};

/// A connection's mapping, ready to run.
#[derive(Debug)]
pub struct Mapping {
    source: Arc<MappingSource>,
    pub(crate) plain: Vec<PlainRule>,
    pub(crate) cel: Vec<CelRule>,
    pub(crate) deny: Vec<DenyRule>,
    /// Preset rules that an own rule replaces, as the trace shows them.
    pub(crate) replaced: Vec<RuleStep>,
}

/// What a mapping was compiled from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MappingSource {
    pub spec: MappingSpec,
    /// The connection's protocol; it chooses the preset where none is named.
    pub protocol: String,
    /// The kind of directory, for LDAP; the profile, for OpenID Connect.
    #[serde(default)]
    pub flavor: Option<String>,
}

#[derive(Debug)]
pub(crate) struct DenyRule {
    pub(crate) shown: String,
    pub(crate) reason: String,
    pub(crate) program: Program,
}

/// The most rules of one kind in one mapping.
const MAX_RULES: usize = 200;

impl Mapping {
    /// Compiles a mapping for a connection of `protocol` without a flavor.
    ///
    /// # Errors
    /// Everything that is wrong with it, with paths below `mapping`.
    pub fn compile(spec: &MappingSpec, protocol: &str) -> Result<Self, Vec<Complaint>> {
        Self::compile_for(spec, protocol, None)
    }

    /// Compiles the mapping of a connection with these settings: its flavor or profile chooses the preset where none is
    /// named.
    ///
    /// # Errors
    /// Everything that is wrong with it, with paths below `mapping`.
    pub fn of_connection(spec: &MappingSpec, protocol: &str, settings: &Value) -> Result<Self, Vec<Complaint>> {
        let kind = settings.get("flavor").or_else(|| settings.get("profile"));
        Self::compile_for(spec, protocol, kind.and_then(Value::as_str))
    }

    /// As [`Mapping::compile`], for a directory of a certain flavor, or a product of a certain profile.
    ///
    /// # Errors
    /// Everything that is wrong with it, with paths below `mapping`.
    pub fn compile_for(spec: &MappingSpec, protocol: &str, flavor: Option<&str>) -> Result<Self, Vec<Complaint>> {
        Self::from_source(MappingSource {
            spec: spec.clone(),
            protocol: protocol.to_owned(),
            flavor: flavor.map(str::to_owned),
        })
    }

    /// # Errors
    /// Everything that is wrong with it, with paths below `mapping`.
    pub fn from_source(source: MappingSource) -> Result<Self, Vec<Complaint>> {
        let mut complaints = Vec::new();
        let spec = &source.spec;
        let preset = match spec.preset.as_deref() {
            None => preset::by_protocol(&source.protocol, source.flavor.as_deref()),
            Some(name) => preset::by_name(name).unwrap_or_else(|| {
                let near = hint(name, PRESETS.iter().copied());
                complaints.push(Complaint::new("preset", format!("there is no preset called `{name}`{near}")));
                preset::none()
            }),
        };
        let mut plain = Vec::new();
        let mut replaced = Vec::new();
        for (claim, names) in preset {
            let rule = PlainRule::preset(claim, names);
            if spec.claims.contains_key(*claim) {
                replaced.push(RuleStep {
                    stage: rule.stage.to_owned(),
                    claim: rule.claim,
                    rule: rule.shown,
                    result: RuleResult::Overridden { by: "mapping".to_owned() },
                });
            } else {
                plain.push(rule);
            }
        }
        if spec.claims.len() > MAX_RULES {
            complaints.push(Complaint::new("claims", format!("a mapping has at most {MAX_RULES} rules")));
        }
        let mut cel = Vec::new();
        for (claim, written) in &spec.claims {
            match rule::parse(claim, written, rule::Owner::Mapping, &mut complaints) {
                Some(rule::Parsed::Plain(rule)) => plain.push(rule),
                Some(rule::Parsed::Cel(rule)) => cel.push(rule),
                None => {}
            }
        }
        if spec.deny_when.len() > MAX_RULES {
            complaints.push(Complaint::new("deny_when", format!("a mapping has at most {MAX_RULES} deny rules")));
        }
        let deny = spec
            .deny_when
            .iter()
            .enumerate()
            .filter_map(|(at, written)| parse_deny(at, written, &mut complaints))
            .collect();
        if complaints.is_empty() {
            Ok(Self { source: Arc::new(source), plain, cel, deny, replaced })
        } else {
            Err(complaints)
        }
    }

    pub fn source(&self) -> &Arc<MappingSource> {
        &self.source
    }

    /// Names of the claims that this mapping can make.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.plain.iter().map(|rule| rule.claim.as_str()).chain(self.cel.iter().map(|rule| rule.claim.as_str()))
    }
}

fn parse_deny(at: usize, written: &Value, complaints: &mut Vec<Complaint>) -> Option<DenyRule> {
    let path = format!("deny_when[{at}]");
    let Value::Object(fields) = written else {
        complaints.push(Complaint::new(path, "a deny rule is `{ cel: \"…\", reason: \"…\" }`"));
        return None;
    };
    for key in fields.keys().filter(|key| !["cel", "reason"].contains(&key.as_str())) {
        let near = hint(key, ["cel", "reason"]);
        complaints.push(Complaint::new(format!("{path}.{key}"), format!("a deny rule has no key `{key}`{near}")));
    }
    let reason = match fields.get("reason") {
        None => None,
        Some(Value::String(reason)) if !reason.trim().is_empty() => Some(reason.clone()),
        Some(_) => {
            complaints.push(Complaint::new(format!("{path}.reason"), "the reason is a text"));
            None
        }
    };
    let Some(Value::String(expression)) = fields.get("cel") else {
        complaints.push(Complaint::new(format!("{path}.cel"), "a deny rule needs an expression under `cel`"));
        return None;
    };
    let program = rule::compile(expression, &format!("{path}.cel"), complaints)?;
    let shown = rule::show_cel(expression);
    Some(DenyRule { reason: reason.unwrap_or_else(|| format!("denied by {shown}")), shown, program })
}
