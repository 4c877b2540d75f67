//! What of a filter a store can look up by an index; the rest is evaluated on what was found.

use super::{Filter, Literal, Operator, leaf};
use crate::path::Target;
use crate::schema::ResourceKind;

/// One resource at most, or a few. Whoever matches the filter is among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lookup {
    Id(String),
    /// Folded.
    UserName(String),
    ExternalId(String),
    /// Folded.
    Email(String),
    /// Of a group, folded.
    DisplayName(String),
    /// Groups with this member.
    Member(String),
    /// Nobody matches.
    Nobody,
}

/// What of a group's members a filter has to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MembersAsked {
    Nothing,
    /// Whether these are among them.
    Whether(Vec<String>),
    All,
}

impl Filter<'_> {
    /// The best way to find whoever matches.
    pub fn lookup(&self, kind: ResourceKind) -> Option<Lookup> {
        match self {
            Self::And(all) => all.iter().filter_map(|one| one.lookup(kind)).min_by_key(cost),
            Self::Never => Some(Lookup::Nobody),
            Self::Value { target, inner } if target.is_core("emails") => inner.equal_to("value").map(Lookup::Email),
            Self::Value { target, inner } if target.is_core("members") => inner.equal_to("value").map(Lookup::Member),
            Self::Compare { target, operator: Operator::Eq, value: Literal::Text { compared, .. } } => {
                let text = compared.clone();
                match (target.attribute.name.as_str(), target.extension, leaf(target).name.as_str()) {
                    (_, Some(_), _) => None,
                    ("id", ..) => Some(Lookup::Id(text)),
                    ("userName", ..) => Some(Lookup::UserName(text)),
                    ("externalId", ..) => Some(Lookup::ExternalId(text)),
                    ("emails", _, "value") => Some(Lookup::Email(text)),
                    ("members", _, "value") => Some(Lookup::Member(text)),
                    ("displayName", ..) if kind == ResourceKind::Group => Some(Lookup::DisplayName(text)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Which of a group's members decide.
    pub fn members_asked(&self) -> MembersAsked {
        let mut asked = Vec::new();
        match self.gather(&mut asked) {
            false => MembersAsked::All,
            true if asked.is_empty() => MembersAsked::Nothing,
            true => MembersAsked::Whether(asked),
        }
    }

    /// Whether the groups that a user is in decide.
    pub fn asks_for_groups(&self) -> bool {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().any(Self::asks_for_groups),
            Self::Not(inner) => inner.asks_for_groups(),
            Self::Compare { target, .. } | Self::Present(target) | Self::Value { target, .. } => {
                target.is_core("groups")
            }
            Self::Extended(_) | Self::Never => false,
        }
    }

    /// False: more than the equality of ids is asked of members.
    fn gather(&self, asked: &mut Vec<String>) -> bool {
        match self {
            Self::And(all) | Self::Or(all) => all.iter().all(|one| one.gather(asked)),
            Self::Not(inner) => inner.gather(asked),
            Self::Compare { target, operator, value } if target.is_core("members") => match (operator, value) {
                (Operator::Eq | Operator::Ne, Literal::Text { compared, .. }) if leaf(target).name == "value" => {
                    asked.push(compared.clone());
                    true
                }
                _ => false,
            },
            Self::Value { target, inner } if target.is_core("members") => match inner.equal_to("value") {
                Some(id) if matches!(**inner, Self::Compare { .. }) => {
                    asked.push(id);
                    true
                }
                _ => false,
            },
            Self::Present(Target { attribute, extension: None, .. }) => attribute.name != "members",
            Self::Compare { .. } | Self::Present(_) | Self::Value { .. } | Self::Extended(_) | Self::Never => true,
        }
    }

    /// In brackets: the text that a part must be equal to.
    pub(crate) fn equal_to(&self, part: &str) -> Option<String> {
        match self {
            Self::And(all) => all.iter().find_map(|one| one.equal_to(part)),
            Self::Compare { target, operator: Operator::Eq, value: Literal::Text { compared, .. } }
                if target.attribute.name == part =>
            {
                Some(compared.clone())
            }
            _ => None,
        }
    }
}

fn cost(lookup: &Lookup) -> u8 {
    match lookup {
        Lookup::Nobody => 0,
        Lookup::Id(_) => 1,
        Lookup::UserName(_) => 2,
        Lookup::ExternalId(_) => 3,
        Lookup::Email(_) => 4,
        Lookup::DisplayName(_) => 5,
        Lookup::Member(_) => 6,
    }
}
