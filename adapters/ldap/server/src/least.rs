//! What learning mode has seen, as the least that the app must be allowed.

use std::collections::BTreeMap;

use fedbridge_contract::directory::Shape;
use fedbridge_ldap_core::Filter;
use fedbridge_ldap_core::attribute::Description;

use crate::layout::{GROUPS, PEOPLE};

/// What an app that asks for everything may get of people, and of groups: nothing says which of it the app reads.
const OF_PEOPLE: &[&str] = &["uid", "cn", "sn", "givenName", "displayName", "mail"];
const OF_GROUPS: &[&str] = &["cn", "member"];

/// What is shown to everybody, and searched by.
const ALWAYS: &[&str] =
    &["objectClass", "structuralObjectClass", "entryUUID", "entryDN", "hasSubordinates", "subschemaSubentry"];
const ALWAYS_SHOWN: &[&str] = &["createTimestamp", "modifyTimestamp"];

/// Entries of one search are few for most apps; a limit below this would be met by the next new colleague.
const FEW: u32 = 100;

/// The settings of an app that asks like that.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Learnt {
    pub attributes: Vec<String>,
    pub filter_attributes: Vec<String>,
    /// `None`: the whole directory.
    pub base: Option<String>,
    /// `None`: the directory's.
    pub size_limit: Option<u32>,
    /// What a person should know who reads it.
    pub remarks: Vec<String>,
}

/// `size_limit`: the directory's own, which is the most.
pub fn learnt(shapes: &[Shape], base_dn: &str, size_limit: u32) -> Learnt {
    let mut found = Found::default();
    for shape in shapes {
        found.take(shape);
    }
    let most = found.most.saturating_mul(2).max(FEW);
    let mut remarks = found.remarks;
    if shapes.is_empty() {
        remarks.push("nothing was seen: switch `learn` on, and let the app work for a while".to_owned());
    }
    Learnt {
        attributes: found.read.into_values().collect(),
        filter_attributes: found.filter.into_values().collect(),
        base: found.container.filter(|_| !found.compares).flatten().map(|container| format!("{container},{base_dn}")),
        size_limit: (found.searches && most < size_limit).then_some(most),
        remarks,
    }
}

#[derive(Default)]
struct Found {
    /// By their names in lower case.
    read: BTreeMap<String, String>,
    filter: BTreeMap<String, String>,
    /// The container of all searches; `Some(None)`: there is none.
    container: Option<Option<&'static str>>,
    searches: bool,
    compares: bool,
    most: u32,
    remarks: Vec<String>,
}

impl Found {
    fn take(&mut self, shape: &Shape) {
        match shape {
            Shape::Bind { by } if by == "name" => {
                self.remark("people bind by their user name or address, without a DN")
            }
            Shape::Bind { by } => self.remark(&format!("people bind by a DN that begins with `{by}`")),
            Shape::Search { base, filter, attributes, most, .. } => {
                self.searches = true;
                self.most = self.most.max(*most);
                let container = container_of(base);
                self.container = match self.container {
                    None => Some(container),
                    Some(there) if there == container => Some(there),
                    Some(_) => Some(None),
                };
                self.wanted(attributes, container);
                if let Ok(filter) = Filter::parse(filter) {
                    self.asked(&filter);
                }
            }
            Shape::Compare { attribute } => {
                self.compares = true;
                add(&mut self.filter, attribute, ALWAYS);
            }
            Shape::Refused { operation } => {
                self.remark(&format!("it tried to {operation}, which is never done here"));
            }
        }
    }

    fn wanted(&mut self, attributes: &[String], container: Option<&'static str>) {
        let is_all = |name: &String| name == "*";
        if attributes.is_empty() || attributes.iter().any(is_all) {
            self.remark(
                "it asks for all attributes: what it reads of them can't be seen; here stand the usual ones, take out \
                 what it can do without",
            );
            let people = OF_PEOPLE.iter().filter(|_| container != Some(GROUPS));
            for name in people.chain(OF_GROUPS.iter().filter(|_| container != Some(PEOPLE))) {
                add(&mut self.read, name, &[]);
            }
        }
        for name in attributes.iter().filter(|name| !matches!(&name[..], "*" | "+" | "1.1")) {
            if Description::of(name).is("userPassword") {
                self.remark("it asks for userPassword, which is never given out");
            } else {
                add(&mut self.read, name, &[ALWAYS, ALWAYS_SHOWN].concat());
            }
        }
    }

    fn asked(&mut self, filter: &Filter) {
        match filter {
            Filter::And(filters) | Filter::Or(filters) => filters.iter().for_each(|filter| self.asked(filter)),
            Filter::Not(filter) => self.asked(filter),
            Filter::Equal(name, _)
            | Filter::AtLeast(name, _)
            | Filter::AtMost(name, _)
            | Filter::Approximately(name, _)
            | Filter::Present(name)
            | Filter::Substrings(name, _)
            | Filter::Extensible { attribute: Some(name), .. } => add(&mut self.filter, name, ALWAYS),
            Filter::Extensible { attribute: None, .. } => {
                self.remark("it searches by a rule without an attribute: that is by all that it may search by");
            }
        }
    }

    fn remark(&mut self, text: &str) {
        if !self.remarks.iter().any(|there| there == text) {
            self.remarks.push(text.to_owned());
        }
    }
}

/// The container that a search stays in; `None`: none.
fn container_of(base: &str) -> Option<&'static str> {
    let is_in = |container: &&&str| base == **container || base.ends_with(&format!(",{container}"));
    [PEOPLE, GROUPS].iter().find(is_in).copied()
}

/// Each once, under the schema's name, without options.
fn add(to: &mut BTreeMap<String, String>, name: &str, except: &[&str]) {
    let described = Description::of(name);
    if described.is("userPassword") || except.iter().any(|except| described.is(except)) {
        return;
    }
    let name = described.known().map_or(described.base, |known| known.name());
    let is_name = name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.'));
    if is_name {
        to.insert(name.to_ascii_lowercase(), name.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(base: &str, filter: &str, attributes: &[&str], most: u32) -> Shape {
        Shape::Search {
            base: base.to_owned(),
            scope: 2,
            filter: filter.to_owned(),
            attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
            controls: Vec::new(),
            most,
        }
    }

    #[test]
    fn the_least_that_the_app_needs() {
        let shapes = [
            Shape::Bind { by: "uid".to_owned() },
            search("ou=people", "(&(objectClass=?)(UID=?))", &["uid", "MAIL", "entryUUID", "1.1"], 1),
            search("uid=?,ou=people", "(objectClass=*)", &["commonName", "mail;lang-en", "modifyTimestamp"], 1),
        ];
        let found = learnt(&shapes, "dc=acme", 5000);
        assert_eq!(found.attributes, ["cn", "mail", "uid"]);
        assert_eq!(found.filter_attributes, ["uid"]);
        assert_eq!(found.base.as_deref(), Some("ou=people,dc=acme"));
        assert_eq!(found.size_limit, Some(100));
        assert_eq!(found.remarks, ["people bind by a DN that begins with `uid`"]);
    }

    #[test]
    fn people_and_groups_are_the_whole_directory() {
        let shapes = [
            search("ou=people", "(uid=?)", &["uid"], 300),
            search("ou=groups", "(|(member=?)(memberUid=?))", &["cn"], 8),
        ];
        let found = learnt(&shapes, "dc=acme", 500);
        assert_eq!((found.base, found.size_limit), (None, None));
        assert_eq!(found.filter_attributes, ["member", "memberUid", "uid"]);
        let compares = [search("ou=people", "(uid=?)", &["uid"], 1), Shape::Compare { attribute: "member".to_owned() }];
        let found = learnt(&compares, "dc=acme", 500);
        assert_eq!((found.base, found.filter_attributes), (None, vec!["member".to_owned(), "uid".to_owned()]));
    }

    #[test]
    fn what_can_not_be_seen_is_said() {
        let shapes = [
            search("ou=groups", "(cn=?*?)", &[], 1),
            search("", "(uid=?)", &["userPassword", "*"], 1),
            Shape::Refused { operation: "modify".to_owned() },
        ];
        let found = learnt(&shapes, "dc=acme", 5000);
        assert!(!found.attributes.iter().any(|name| name.eq_ignore_ascii_case("userPassword")), "{found:?}");
        assert!(
            found.attributes.iter().any(|name| name == "member") && found.attributes.iter().any(|name| name == "mail")
        );
        assert_eq!(found.remarks.len(), 3, "{:?}", found.remarks);
        assert_eq!(learnt(&[], "dc=acme", 5000).remarks.len(), 1);
    }
}
