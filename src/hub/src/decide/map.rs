//! The mapping of one login: attributes to claims, and the connection's word on
//! whether this person may log in.

use fedbridge_contract::claims::Claims;
use fedbridge_contract::trace::{RuleResult, RuleStep, Step, TraceLog, clip};
use serde_json::Value;

use super::{Denial, DenialKind, Facts, NormalizedIdentity, email, sources};
use crate::mapping::cel::Variables;
use crate::mapping::{CelRule, DenyRule, Make, Mapping, NameIndex, PlainRule, Wanted};

#[derive(Debug, Clone, PartialEq)]
pub struct MapOutcome {
    pub identity: NormalizedIdentity,
    pub denial: Option<Denial>,
    pub trace: TraceLog,
}

/// Maps one login: `from` and `value`, then what was pushed, then `cel`, then `deny_when`.
///
/// Rules of one stage see the claims of the stages before it, not each other's.
/// A rule that fails denies the login, but the other rules of its stage still
/// run, so that the trace shows all that is wrong. A preset's rule can't fail: a
/// value that does not fit its claim is left out, and the trace says so.
pub fn map(facts: &Facts, mapping: &Mapping) -> MapOutcome {
    let mut run = Run { facts, claims: Claims::default(), index: None, trace: TraceLog::new(), failure: None };
    for step in &mapping.replaced {
        run.trace.push(Step::Rule(step.clone()));
    }
    for rule in &mapping.plain {
        run.plain(rule);
    }
    let mut domains = &facts.connection.domains;
    if let Some(pushed) = &facts.pushed
        && sources::merge(&mut run.claims, pushed, &mut run.trace)
    {
        domains = &pushed.domains;
    }
    let mut lowered = email::says_no(&run.claims);
    let mut verified = email::settle(&mut run.claims, domains, lowered);
    if !mapping.cel.is_empty() {
        let made = run_cel(facts, &run.claims, &mapping.cel, &mut run.trace, &mut run.failure);
        if made.iter().any(|(claim, _)| *claim == "email") {
            domains = &facts.connection.domains;
        }
        lowered |= made.iter().any(|(claim, value)| *claim == "email_verified" && *value == Some(Value::Bool(false)));
        merge(&mut run.claims, made);
        verified = email::settle(&mut run.claims, domains, lowered);
    }
    if let Some(why) = verified {
        run.trace.decide("email_verified", why, true);
    }
    let denial = match run.failure.take() {
        Some(failure) => Some(failure),
        None => deny(facts, &run.claims, &mapping.deny, &mut run.trace),
    };
    let outcome = match &denial {
        Some(denial) => denial.reason.clone(),
        None if mapping.deny.is_empty() => "the connection has no deny rules".to_owned(),
        None => "no deny rule applies".to_owned(),
    };
    run.trace.decide("login policy", outcome, denial.is_none());
    let identity = NormalizedIdentity {
        subject: facts.subject.key.clone(),
        display: facts.subject.display.clone(),
        stable: facts.subject.stable,
        claims: run.claims,
    };
    MapOutcome { identity, denial, trace: run.trace }
}

struct Run<'a> {
    facts: &'a Facts,
    claims: Claims,
    /// Made at the first rule that finds nothing.
    index: Option<NameIndex<'a>>,
    trace: TraceLog,
    failure: Option<Denial>,
}

impl Run<'_> {
    fn plain(&mut self, rule: &PlainRule) {
        let result = match &rule.make {
            Make::Value(value) => self.made(rule, Ok(Some(value.clone()).filter(|value| !value.is_null())), None),
            Make::From(wanted) => match self.first_present(wanted) {
                Found::Values { name, values } => self.made(rule, rule.shape.read_texts(values), Some(name)),
                Found::Empty => RuleResult::Nothing,
                Found::Absent => self.not_matched(rule, wanted),
            },
        };
        self.trace.push(step(rule.stage, &rule.claim, &rule.shown, result));
    }

    /// The first name that has a value. An attribute whose values are all empty counts as absent.
    fn first_present<'w>(&self, wanted: &'w [Wanted]) -> Found<'_, 'w> {
        let mut there = false;
        for Wanted { name, .. } in wanted {
            let values = self.facts.attributes.get(name);
            if values.iter().any(|value| !value.is_empty()) {
                return Found::Values { name, values };
            }
            there |= !values.is_empty() || self.facts.attributes.contains(name);
        }
        if there { Found::Empty } else { Found::Absent }
    }

    fn made(&mut self, rule: &PlainRule, made: Result<Option<Value>, String>, from: Option<&str>) -> RuleResult {
        match made {
            Ok(Some(value)) => {
                self.claims.set(rule.claim.as_str(), value.clone());
                RuleResult::Made { value, from: from.map(str::to_owned) }
            }
            Ok(None) => RuleResult::Nothing,
            Err(error) => {
                if rule.is_explicit() {
                    fail(&mut self.failure, &rule.claim, &error);
                } else if rule.claim == "email_verified" {
                    // Whatever is no yes is a no: left out, it would leave the word to the domain alone.
                    self.claims.set("email_verified", Value::Bool(false));
                }
                RuleResult::Failed { error: clip(error) }
            }
        }
    }

    fn not_matched(&mut self, rule: &PlainRule, wanted: &[Wanted]) -> RuleResult {
        let index = self.index.get_or_insert_with(|| NameIndex::new(&self.facts.attributes));
        RuleResult::NotMatched {
            nearest: index.nearest(wanted, rule.is_explicit()).map(|name| clip(name.to_owned())),
            wanted: wanted.iter().map(|wanted| wanted.name.clone()).collect(),
        }
    }
}

enum Found<'f, 'w> {
    Values { name: &'w str, values: &'f [String] },
    Empty,
    Absent,
}

/// What each expression made: `None` takes the claim away.
pub(super) type MadeByCel<'r> = Vec<(&'r str, Option<Value>)>;

/// Runs all expressions of one stage over the same claims.
pub(super) fn run_cel<'r>(
    facts: &Facts,
    claims: &Claims,
    rules: &'r [CelRule],
    trace: &mut TraceLog,
    failure: &mut Option<Denial>,
) -> MadeByCel<'r> {
    let variables = Variables::new(facts, claims);
    let mut all = Vec::with_capacity(rules.len());
    for rule in rules {
        let result = match rule.program.run(&variables).and_then(|value| rule.shape.read_json(value)) {
            Ok(value) => {
                all.push((rule.claim.as_str(), value.clone()));
                value.map_or(RuleResult::Nothing, |value| RuleResult::Made { value, from: None })
            }
            Err(error) => {
                fail(failure, &rule.claim, &error);
                RuleResult::Failed { error: clip(error) }
            }
        };
        trace.push(step(rule.stage, &rule.claim, &rule.shown, result));
    }
    all
}

pub(super) fn merge(claims: &mut Claims, made: MadeByCel<'_>) {
    for (claim, value) in made {
        claims.set(claim, value.unwrap_or(Value::Null));
    }
}

/// The first deny rule that applies, or that can't say whether it does.
fn deny(facts: &Facts, claims: &Claims, rules: &[DenyRule], trace: &mut TraceLog) -> Option<Denial> {
    if rules.is_empty() {
        return None;
    }
    let variables = Variables::new(facts, claims);
    for rule in rules {
        let (result, denial) = match rule.program.run(&variables) {
            Ok(Value::Bool(false)) => (RuleResult::Nothing, None),
            Ok(Value::Bool(true)) => (
                RuleResult::Made { value: Value::Bool(true), from: None },
                Some(Denial { kind: DenialKind::Policy, reason: rule.reason.clone() }),
            ),
            Ok(_) => failed_deny("a deny rule has to be true or false".to_owned()),
            Err(error) => failed_deny(error),
        };
        trace.push(step("deny_when", "", &rule.shown, result));
        if denial.is_some() {
            return denial;
        }
    }
    None
}

fn failed_deny(error: String) -> (RuleResult, Option<Denial>) {
    let reason = format!("a deny rule failed: {error}");
    (RuleResult::Failed { error: clip(error) }, Some(Denial { kind: DenialKind::RuleFailed, reason }))
}

/// Keeps the first failure as the reason.
pub(super) fn fail(failure: &mut Option<Denial>, claim: &str, error: &str) {
    failure.get_or_insert_with(|| Denial {
        kind: DenialKind::RuleFailed,
        reason: format!("the rule for `{claim}` failed: {error}"),
    });
}

pub(super) fn step(stage: &str, claim: &str, rule: &str, result: RuleResult) -> Step {
    Step::Rule(RuleStep { stage: stage.to_owned(), claim: claim.to_owned(), rule: rule.to_owned(), result })
}
