//! The groups of a person: found by what the server offers, followed through groups of groups, within a budget.
//!
//! [`member_of`] reads the person's entry, [`search`] looks for groups that name the person, [`dynamic`] asks whether a
//! group's own search finds them, [`windows`] asks Active Directory, and [`ascend`] goes from groups to theirs.

mod ascend;
mod dynamic;
mod member_of;
mod search;
mod windows;

use std::collections::HashMap;
use std::time::Duration;

use fedbridge_ldap_core::{Code, Dn, Filter, Scope};

use crate::directory::{Directory, Told, Trouble, millis};
use crate::entry;
use crate::settings::{Groups, How, OnFailure};
use crate::wire::{Entry, Search};

/// A group that somebody is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub dn: String,
    pub name: String,
}

/// Entries of a page.
const PAGE: u32 = 500;

/// The groups of a person, by name. `None`: the connection looks for none, or goes on without them.
///
/// # Errors
/// They could not be found out, and the connection lets nobody in without them.
pub(crate) async fn of(
    directory: &Directory,
    person: &Entry,
    told: &mut Told<'_>,
) -> Result<Option<Vec<Group>>, Trouble> {
    let Some(groups) = &directory.settings.groups else { return Ok(None) };
    let began = directory.services.clock.steady();
    let found = {
        let mut finder =
            Finder { directory, groups, person, told: &mut *told, found: HashMap::new(), outside: 0, deepest: 0 };
        let all = finder.all();
        match tokio::time::timeout(groups.budget, all).await {
            Ok(Ok(())) => Ok(finder),
            Ok(Err(trouble)) => Err(trouble),
            Err(_) => {
                Err(Trouble(format!("finding the groups took longer than groups.budget, {}", millis(groups.budget))))
            }
        }
        .map(Finder::result)
    };
    let took = directory.services.clock.steady().saturating_sub(began);
    match found {
        Ok((list, how)) => {
            told.trace.decide("Groups", format!("{how}, {}", millis(took)), true);
            Ok(Some(list))
        }
        Err(Trouble(why)) => failed(groups.on_failure, why, took, told),
    }
}

fn failed(policy: OnFailure, why: String, took: Duration, told: &mut Told<'_>) -> Result<Option<Vec<Group>>, Trouble> {
    let took = millis(took);
    match policy {
        OnFailure::Deny => {
            told.trace.check(
                "Groups",
                "connection setting groups.fail",
                "all groups",
                format!("{why} ({took})"),
                false,
            );
            Err(Trouble(why))
        }
        OnFailure::Without => {
            told.trace.decide("Groups", format!("none, as groups.fail says: {why} ({took})"), true);
            Ok(None)
        }
    }
}

/// One look for the groups of one person.
struct Finder<'f, 't> {
    directory: &'f Directory,
    groups: &'f Groups,
    person: &'f Entry,
    told: &'f mut Told<'t>,
    /// By the DN as it is compared.
    found: HashMap<Dn, Group>,
    /// Groups that lie outside of the base.
    outside: usize,
    /// Levels of groups above the direct ones that had any.
    deepest: usize,
}

impl Finder<'_, '_> {
    async fn all(&mut self) -> Result<(), Trouble> {
        let ascends = match self.groups.how {
            How::TokenGroups => self.by_token().await?,
            How::MatchingRule => self.by_matching_rule().await?,
            How::MemberOf => self.by_membership().await?,
            How::Search => self.by_search().await?,
            // What names a person's groups leaves some kinds out, and a search what may not be read.
            How::Automatic => self.by_membership().await? | self.by_search().await?,
        };
        if self.directory.settings.flavor.primary_group && self.groups.how != How::TokenGroups {
            self.primary().await?;
        }
        if ascends && self.groups.nested { self.ascend().await } else { Ok(()) }
    }

    fn result(self) -> (Vec<Group>, String) {
        let mut how = format!("{} by {}", self.found.len(), self.groups.how.name());
        if self.deepest > 0 {
            how.push_str(&format!(", {} levels up", self.deepest));
        }
        if self.outside > 0 {
            how.push_str(&format!("; {} outside of {} do not count", self.outside, self.groups.base));
        }
        let mut list: Vec<Group> = self.found.into_values().collect();
        list.sort_by(|one, other| (&one.name, &one.dn).cmp(&(&other.name, &other.dn)));
        (list, how)
    }

    /// Takes a group in. True: it is new, and below the base.
    fn take(&mut self, dn: &str, name: String) -> Result<bool, Trouble> {
        let below = Dn::parse(dn).ok().filter(|dn| dn.is_under(&self.groups.base_dn));
        let Some(parsed) = below else {
            self.outside += 1;
            return Ok(false);
        };
        if self.found.contains_key(&parsed) {
            return Ok(false);
        }
        if self.found.len() == self.groups.most {
            return Err(Trouble(format!("there are more groups than groups.most, {}", self.groups.most)));
        }
        self.found.insert(parsed, Group { dn: dn.to_owned(), name });
        Ok(true)
    }

    /// Groups below the base that a filter finds; those that are new.
    async fn search(&mut self, filter: Filter) -> Result<Vec<String>, Trouble> {
        let search = Search::new(&self.groups.base, Scope::Sub, filter).attributes(["cn"]);
        let search = Search { page: Some(PAGE), ..search };
        let mut new = Vec::new();
        for group in self.entries(&search).await? {
            let name = named(&group);
            if self.take(&group.dn, name)? {
                new.push(group.dn);
            }
        }
        Ok(new)
    }

    async fn entries(&mut self, search: &Search) -> Result<Vec<Entry>, Trouble> {
        let answers = self.directory.search("search for groups", search, self.told).await?;
        match answers.result.code {
            Code::SUCCESS => Ok(answers.entries),
            Code::NO_SUCH_OBJECT => Err(Trouble(format!("the base {} is not there, or may not be seen", search.base))),
            code => Err(Trouble(format!("{}: a search for groups fails with {code}", answers.server))),
        }
    }
}

/// What a group is called: its cn, or what its DN begins with.
fn named(group: &Entry) -> String {
    let first = group.text("cn").map(str::to_owned);
    first.or_else(|| entry::first_rdn(&group.dn).map(|(_, value)| value)).unwrap_or_else(|| group.dn.clone())
}

fn equal(attribute: &str, value: impl AsRef<[u8]>) -> Filter {
    Filter::Equal(attribute.to_owned(), value.as_ref().to_vec().into())
}
