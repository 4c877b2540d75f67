//! Golden cases: each file in `fixtures/mapping` holds an input above a line of
//! four hyphens and what a login with it gives below. With `BLESS=1` the test
//! writes what it gets; read the difference before you commit it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use fedbridge_contract::identity::{Attributes, UpstreamSubject};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{RuleResult, Step};
use fedbridge_hub::decide::{
    ClientFacts, ConnectionFacts, DecideInput, Decision, Facts, PushedFacts, ReplayInput, RequestFacts, Verdict, decide,
};
use fedbridge_hub::mapping::{AppRules, AppRulesSpec, Mapping};
use fedbridge_hub::spec::MappingSpec;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What the case shows.
    #[serde(rename = "about")]
    _about: String,
    protocol: String,
    flavor: Option<String>,
    #[serde(default)]
    mapping: MappingSpec,
    #[serde(default)]
    attributes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    ignore_case: bool,
    #[serde(default)]
    domains: Vec<String>,
    #[serde(default)]
    registered: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    asked: Vec<String>,
    user: Option<Value>,
    pushed: Option<PushedFacts>,
    ip: Option<String>,
    acr: Option<String>,
    #[serde(default)]
    app: AppRulesSpec,
    /// Show the steps of preset rules too.
    #[serde(default)]
    all_steps: bool,
}

impl Case {
    fn facts(&self) -> Facts {
        let mut attributes = if self.ignore_case { Attributes::ignoring_case() } else { Attributes::new() };
        for (name, values) in &self.attributes {
            attributes.declare(name);
            for value in values {
                attributes.push(name, value);
            }
        }
        Facts {
            attributes,
            subject: UpstreamSubject { key: "k:eve".to_owned(), display: "eve".to_owned(), stable: true, scope: None },
            connection: ConnectionFacts { slug: "okta".to_owned(), domains: self.domains.clone() },
            client: Some(ClientFacts { name: "portal".to_owned(), scopes: self.registered.clone() }),
            user: self.user.clone(),
            pushed: self.pushed.clone(),
            request: RequestFacts {
                ip: self.ip.clone(),
                time: Timestamp::from_seconds(1_800_000_000),
                scopes: self.scopes.clone(),
                acr: self.acr.clone(),
                claims: self.asked.clone(),
            },
        }
    }
}

#[test]
fn every_case_gives_what_its_file_says() {
    let bless = std::env::var_os("BLESS").is_some();
    let files = case_files();
    assert!(files.len() >= 25, "only {} cases", files.len());
    let mut wrong = String::new();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let (input, expected) = text.split_once("\n----\n").unwrap_or((text.trim_end(), ""));
        let case: Case = serde_json::from_str(input).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let actual = outcome(&case);
        if bless {
            fs::write(&file, format!("{}\n----\n{actual}", input.trim_end())).unwrap();
        } else if actual != expected {
            writeln!(wrong, "{}\n--- expected\n{expected}--- got\n{actual}", file.display()).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_recorded_decision_is_made_again_the_same() {
    let mut replayed = 0;
    for file in case_files() {
        let text = fs::read_to_string(&file).unwrap();
        let case: Case = serde_json::from_str(text.split("\n----\n").next().unwrap()).unwrap();
        let Ok((mapping, app)) = compile(&case) else { continue };
        let facts = case.facts();
        let input = DecideInput { facts: &facts, mapping: &mapping, app: &app };
        let live = decide(&input);
        let recorded = serde_json::to_vec(&ReplayInput::of(&input)).unwrap();
        let replay: ReplayInput = serde_json::from_slice(&recorded).unwrap();
        let again = replay.compile().unwrap().decide();
        assert_eq!(live, again, "{}", file.display());
        assert_eq!(serde_json::to_string(&live).unwrap(), serde_json::to_string(&again).unwrap());
        let read: Decision = serde_json::from_slice(&serde_json::to_vec(&live).unwrap()).unwrap();
        assert_eq!(read, live);
        replayed += 1;
    }
    assert!(replayed >= 20, "only {replayed}");
}

#[test]
fn what_is_withheld_or_not_granted_never_appears() {
    for file in case_files() {
        let text = fs::read_to_string(&file).unwrap();
        let case: Case = serde_json::from_str(text.split("\n----\n").next().unwrap()).unwrap();
        let Ok((mapping, app)) = compile(&case) else { continue };
        let mut facts = case.facts();
        // All subsets of the scopes, with and without asking for everything by name.
        let scopes = ["profile", "email", "address", "phone", "groups"];
        for subset in 0..32u32 {
            for ask in [false, true] {
                let granted: Vec<String> =
                    (0..5).filter(|bit| subset >> bit & 1 == 1).map(|bit| scopes[bit].to_owned()).collect();
                facts.request.scopes = granted.clone();
                facts.client.as_mut().unwrap().scopes = granted;
                let names = ["email", "groups", "name", "department", "phone_number", "email_verified", "address"];
                facts.request.claims = if ask { names.map(str::to_owned).to_vec() } else { Vec::new() };
                let decision = decide(&DecideInput { facts: &facts, mapping: &mapping, app: &app });
                let Verdict::Allowed { released } = &decision.verdict else { continue };
                let withheld = decision.trace.steps().iter().filter_map(|step| match step {
                    Step::Rule(rule) if matches!(rule.result, RuleResult::Withheld { .. }) => Some(rule.claim.as_str()),
                    _ => None,
                });
                for claim in withheld {
                    assert_eq!(released.get(claim), None, "{}: {claim}", file.display());
                }
                for (claim, _) in released.iter() {
                    let own = case.app.claims.contains_key(claim) || case.app.release.contains(claim);
                    let own = own || claim == "email_verified" && case.app.claims.contains_key("email");
                    let by_scope = facts.request.scopes.iter().any(|scope| scope_releases(scope, claim));
                    assert!(own || by_scope, "{}: {claim} leaks with {:?}", file.display(), facts.request.scopes);
                }
            }
        }
    }
}

/// OpenID Connect Core 5.4, written down a second time on purpose.
fn scope_releases(scope: &str, claim: &str) -> bool {
    match scope {
        "email" => ["email", "email_verified"].contains(&claim),
        "phone" => ["phone_number", "phone_number_verified"].contains(&claim),
        "address" => claim == "address",
        "groups" => claim == "groups",
        "profile" => "name family_name given_name middle_name nickname preferred_username profile picture website \
                      gender birthdate zoneinfo locale updated_at"
            .split_whitespace()
            .any(|known| known == claim),
        _ => false,
    }
}

fn case_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/mapping");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "case"))
        .collect();
    files.sort();
    files
}

fn compile(case: &Case) -> Result<(Mapping, AppRules), String> {
    let mapping = Mapping::compile_for(&case.mapping, &case.protocol, case.flavor.as_deref());
    let app = AppRules::compile(case.app.clone());
    match (mapping, app) {
        (Ok(mapping), Ok(app)) => Ok((mapping, app)),
        (mapping, app) => {
            let mut lines = String::new();
            for complaint in mapping.err().unwrap_or_default() {
                writeln!(lines, "mapping: {complaint}").unwrap();
            }
            for complaint in app.err().unwrap_or_default() {
                writeln!(lines, "app: {complaint}").unwrap();
            }
            Err(lines)
        }
    }
}

fn outcome(case: &Case) -> String {
    let (mapping, app) = match compile(case) {
        Ok(rules) => rules,
        Err(complaints) => return complaints,
    };
    let decision = decide(&DecideInput { facts: &case.facts(), mapping: &mapping, app: &app });
    let mut out = match &decision.verdict {
        Verdict::Allowed { released } => format!("{}\n", serde_json::to_string_pretty(released).unwrap()),
        Verdict::Denied(denial) => format!("denied ({:?}): {}\n", denial.kind, denial.reason),
    };
    for step in decision.trace.steps() {
        match step {
            Step::Rule(rule) => {
                let quiet = rule.stage == "preset"
                    && !matches!(rule.result, RuleResult::Made { .. } | RuleResult::Failed { .. });
                if quiet && !case.all_steps {
                    continue;
                }
                let claim = if rule.claim.is_empty() { String::new() } else { format!(" {}", rule.claim) };
                writeln!(out, "{}{claim}: {} | {}", rule.stage, result(&rule.result), rule.rule).unwrap();
            }
            Step::Decision { what, outcome, allowed } => {
                let word = if *allowed { "yes" } else { "no" };
                writeln!(out, "{what}: {word}: {outcome}").unwrap();
            }
            other => panic!("unexpected step {other:?}"),
        }
    }
    out
}

fn result(result: &RuleResult) -> String {
    match result {
        RuleResult::Made { value, from: Some(from) } => format!("made {value} from {from}"),
        RuleResult::Made { value, from: None } => format!("made {value}"),
        RuleResult::NotMatched { nearest: Some(nearest), .. } => format!("not there; there is {nearest}"),
        RuleResult::NotMatched { nearest: None, .. } => "not there".to_owned(),
        RuleResult::Nothing => "nothing".to_owned(),
        RuleResult::Failed { error } => format!("failed: {error}"),
        RuleResult::Overridden { by } => format!("overridden by {by}"),
        RuleResult::Withheld { why } => format!("withheld: {why}"),
    }
}
