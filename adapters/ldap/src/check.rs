//! Findings for `fedbridge check`: each server, its certificate, the service account, the bases, and whether groups can
//! be read. Nothing is changed, and nobody's password is tried.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Finding, Level, SelfCheck};
use fedbridge_ldap_core::value::time;
use fedbridge_ldap_core::{Code, Filter, Scope};

use crate::directory::{Directory, SharedDirectory, Told};
use crate::key;
use crate::settings::{Groups, How};
use crate::wire::{Answers, Entry, Search, ServerReport, WireError};

/// When a certificate that ends gets louder.
const SOON: Duration = Duration::from_secs(30 * 86_400);
const VERY_SOON: Duration = Duration::from_secs(3 * 86_400);

/// How far clocks may differ before it is said: Kerberos' limit, which domain controllers keep.
const SKEW: Duration = Duration::from_secs(300);

/// A domain controller of Active Directory says this of itself (LDAP_CAP_ACTIVE_DIRECTORY_OID).
const ACTIVE_DIRECTORY: &str = "1.2.840.113556.1.4.800";

/// How often the servers are asked at most: a running server looks every minute, and each time a wrong password of the
/// service account would count towards its lock-out.
const EVERY: Duration = Duration::from_secs(15 * 60);

/// What was found, and when by the steady clock.
pub(crate) type Checked = tokio::sync::Mutex<Option<(Duration, Vec<Finding>)>>;

/// People that are looked at to see whether groups can be read.
const SAMPLE: u32 = 5;

#[async_trait]
impl SelfCheck for SharedDirectory {
    async fn run(&self, _: &Tenant, now: Timestamp) -> Vec<Finding> {
        let directory = &self.0;
        let steady = directory.services.clock.steady();
        let mut last = directory.checked.lock().await;
        if let Some((at, found)) = &*last
            && steady.saturating_sub(*at) < EVERY
        {
            return found.clone();
        }
        let found = findings(directory, now).await;
        *last = Some((steady, found.clone()));
        found
    }
}

async fn findings(directory: &Directory, now: Timestamp) -> Vec<Finding> {
    let reports = match directory.upstream.examine().await {
        Ok(reports) => reports,
        Err(error) => return vec![problem(error.to_string())],
    };
    let mut found: Vec<Finding> = reports.iter().flat_map(|report| server(directory, report, now)).collect();
    if reports.iter().any(|report| report.root.is_ok()) {
        found.extend(contents(directory, now).await);
    }
    found
}

fn server(directory: &Directory, report: &ServerReport, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    let name = &report.server;
    let names = report.certificate.as_ref().map(|certificate| certificate.names.join(", "));
    match (&report.root, &names) {
        (Ok(_), Some(names)) => found.push(fine(format!("{name} answers; its certificate is for {names}"))),
        (Ok(_), None) => found.push(Finding::new(Level::Warning, format!("{name} answers, without TLS"))),
        (Err(error @ WireError::Insecure { .. }), Some(names)) => {
            let why = error.to_string();
            // Where the names are the reason, they are in it.
            let named = why.contains(names.as_str());
            found.push(problem(if named { why } else { format!("{why}; the certificate is for {names}") }));
        }
        (Err(error), _) => found.push(problem(error.to_string())),
    }
    if let Some(certificate) = &report.certificate
        && let Some(until) = certificate.not_after
    {
        found.push(ending(name, until, now));
    }
    let Ok(root) = &report.root else { return found };
    if let Some(text) = root.text("currentTime")
        && let Some(theirs) = time::parse(text).map(Timestamp::from_millis)
    {
        let apart = theirs.since(now).max(now.since(theirs));
        if apart > SKEW {
            let seconds = apart.as_secs();
            found.push(Finding::new(Level::Warning, format!("the clock of {name} differs from ours by {seconds} s")));
        }
    }
    let active_directory = root.values("supportedCapabilities").iter().any(|oid| oid == ACTIVE_DIRECTORY.as_bytes());
    if active_directory != directory.settings.flavor.is_active_directory() {
        let is = if active_directory { "is Active Directory" } else { "is not Active Directory" };
        let flavor = directory.settings.flavor.name;
        found.push(Finding::new(Level::Warning, format!("{name} {is}, and the flavor is {flavor}")));
    }
    found
}

fn ending(name: &str, until: Timestamp, now: Timestamp) -> Finding {
    let at = until.rfc3339();
    let (level, text) = match until.since(now) {
        left if left.is_zero() => (Level::Problem, format!("the certificate of {name} ended on {at}")),
        left if left <= VERY_SOON => (Level::Problem, format!("the certificate of {name} ends on {at}")),
        left if left <= SOON => (Level::Warning, format!("the certificate of {name} ends on {at}")),
        _ => (Level::Fine, format!("the certificate of {name} is good until {at}")),
    };
    Finding::new(level, text).ending(format!("server certificate of {name}"), until)
}

/// What is below the bases, as the service account sees it.
async fn contents(directory: &Directory, now: Timestamp) -> Vec<Finding> {
    let users = &directory.settings.users;
    let search = Search { size: SAMPLE, ..Search::new(&users.base, users.scope, directory.everybody.clone()) };
    let search = search.attributes(&directory.wanted);
    let people = match ask(directory, &search, now).await {
        Ok(answers) => answers,
        Err(finding) => return vec![finding],
    };
    let mut found = Vec::new();
    match people.result.code {
        Code::NO_SUCH_OBJECT => {
            let base = &users.base;
            return vec![problem(format!("users.base {base} is not there, or the service account may not see it"))];
        }
        Code::SUCCESS | Code::SIZE_LIMIT => {}
        code => return vec![problem(format!("a search for people fails with {code}: {}", people.result.text))],
    }
    if people.entries.is_empty() {
        let filter = directory.everybody.print();
        found.push(Finding::new(Level::Warning, format!("nobody below {} is found by {filter}", users.base)));
    } else if let Some(why) = people.entries.iter().find_map(|entry| key::subject(users, entry).err()) {
        found.push(problem(format!("a person has no key: {why}")));
    } else {
        found.push(fine(format!("people are found below {}", users.base)));
    }
    if let Some(groups) = &directory.settings.groups {
        found.extend(readable(directory, groups, &people.entries, now).await);
    }
    found
}

/// Whether the service account can read what groups are found by.
async fn readable(directory: &Directory, groups: &Groups, people: &[Entry], now: Timestamp) -> Option<Finding> {
    let members = groups.members.iter().map(|member| Filter::Present(member.attribute().to_owned()));
    let search = Search { size: 1, ..Search::new(&groups.base, Scope::Sub, Filter::Or(members.collect())) };
    let any = match ask(directory, &search.attributes(["cn"]), now).await {
        Ok(answers) => answers,
        Err(finding) => return Some(finding),
    };
    let base = &groups.base;
    Some(match any.result.code {
        Code::NO_SUCH_OBJECT => {
            problem(format!("groups.base {base} is not there, or the service account may not see it"))
        }
        Code::SUCCESS | Code::SIZE_LIMIT if any.entries.is_empty() => problem(format!(
            "no group with members is seen below {base}: the service account may not read groups there"
        )),
        Code::SUCCESS | Code::SIZE_LIMIT => match groups.how {
            How::TokenGroups => return token_groups(directory, people, now).await,
            _ => fine(format!("groups are found below {base}")),
        },
        code => problem(format!("a search for groups fails with {code}: {}", any.result.text)),
    })
}

async fn token_groups(directory: &Directory, people: &[Entry], now: Timestamp) -> Option<Finding> {
    let person = people.first()?;
    let filter = Filter::Present("objectClass".to_owned());
    let search = Search::new(&person.dn, Scope::Base, filter).attributes(["tokenGroups"]);
    let answers = match ask(directory, &search, now).await {
        Ok(answers) => answers,
        Err(finding) => return Some(finding),
    };
    let some = answers.entries.iter().any(|entry| !entry.values("tokenGroups").is_empty());
    Some(match some {
        true => fine("groups are worked out by tokenGroups"),
        false => problem("tokenGroups can't be read: the service account needs the right to read it of people"),
    })
}

async fn ask(directory: &Directory, search: &Search, now: Timestamp) -> Result<Answers, Finding> {
    let mut trace = TraceLog::new();
    let mut told = Told { now, trace: &mut trace };
    directory.search("check", search, &mut told).await.map_err(|trouble| problem(trouble.0))
}

fn fine(text: impl Into<String>) -> Finding {
    Finding::new(Level::Fine, text)
}

fn problem(text: impl Into<String>) -> Finding {
    Finding::new(Level::Problem, text)
}
