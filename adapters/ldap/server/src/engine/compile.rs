//! From a filter to a [`Test`] for one kind of entry: names become numbers, values are prepared, and what the reader may
//! not search by is gone.

use bytes::Bytes;
use fedbridge_contract::ldap_directory::GroupSchema;
use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::matching::Rule;
use fedbridge_ldap_core::prep::{Case, prepare};
use fedbridge_ldap_core::schema::AttributeType;
use fedbridge_ldap_core::{Dn, Filter};

use super::evaluate::{Check, Test, Truth};
use crate::access::{Kind, Reader};
use crate::catalogue::{AttributeId, Meaning};
use crate::index::classes;
use crate::tree::{Located, Place, Tree};

/// Attributes whose values are names of entries here.
const NAMES: &[AttributeId] =
    &[AttributeId::MEMBER, AttributeId::UNIQUE_MEMBER, AttributeId::MEMBER_OF, AttributeId::ENTRY_DN];

/// What groups have.
const OF_GROUPS: &[AttributeId] = &[
    AttributeId::OBJECT_CLASS,
    AttributeId::CN,
    AttributeId::GID_NUMBER,
    AttributeId::MEMBER,
    AttributeId::UNIQUE_MEMBER,
    AttributeId::MEMBER_UID,
    AttributeId::ENTRY_UUID,
    AttributeId::ENTRY_DN,
    AttributeId::CREATE_TIMESTAMP,
    AttributeId::MODIFY_TIMESTAMP,
    AttributeId::HAS_SUBORDINATES,
    AttributeId::STRUCTURAL_OBJECT_CLASS,
    AttributeId::SUBSCHEMA_SUBENTRY,
];

/// What nobody but groups has.
const OF_GROUPS_ALONE: &[AttributeId] = &[AttributeId::MEMBER, AttributeId::UNIQUE_MEMBER, AttributeId::MEMBER_UID];

/// A filter for the three kinds of entries, each made when it is needed.
pub struct Compiled<'a> {
    filter: &'a Filter,
    reader: &'a Reader<'a>,
    tree: &'a Tree,
}

impl<'a> Compiled<'a> {
    pub fn new(filter: &'a Filter, reader: &'a Reader<'a>, tree: &'a Tree) -> Self {
        Self { filter, reader, tree }
    }

    pub fn for_kind(&self, kind: Kind) -> Test {
        Compiler { reader: self.reader, tree: self.tree, kind }.test(self.filter)
    }
}

/// What a compare asks (RFC 4511 section 4.10): which attributes, and whether they have the value.
///
/// # Errors
/// It can't be told. An attribute that the reader may neither read nor search by is not there.
pub fn comparison(
    reader: &Reader<'_>,
    tree: &Tree,
    kind: Kind,
    attribute: &str,
    value: &[u8],
) -> Result<(Vec<AttributeId>, Test), Incomparable> {
    let Meaning::These(mut ids) = reader.index.catalogue.meaning(attribute) else { return Err(Incomparable::NotThere) };
    ids.retain(|id| reader.may_filter(*id, kind) || reader.may_read(*id, kind));
    if ids.is_empty() {
        return Err(Incomparable::NotThere);
    }
    if ids.iter().all(|id| reader.index.catalogue.rule(*id).is_none()) {
        return Err(Incomparable::NoEquality);
    }
    match (Compiler { reader, tree, kind }).equal(&ids, value) {
        UNDEFINED => Err(Incomparable::NoSuchValue),
        test => Ok((ids, test)),
    }
}

/// Why a compare has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Incomparable {
    NotThere,
    /// Nobody can tell values of the attribute apart.
    NoEquality,
    /// The octets are no value of the attribute's syntax.
    NoSuchValue,
}

struct Compiler<'a> {
    reader: &'a Reader<'a>,
    tree: &'a Tree,
    kind: Kind,
}

const UNDEFINED: Test = Test::Is(Truth::Undefined);
const FALSE: Test = Test::Is(Truth::False);

impl Compiler<'_> {
    /// As deep as the filter, which was measured when it was read.
    fn test(&self, filter: &Filter) -> Test {
        match filter {
            Filter::And(filters) => self.all(filters),
            Filter::Or(filters) => self.any(filters),
            Filter::Not(filter) => match self.test(filter) {
                Test::Is(truth) => Test::Is(truth.not()),
                test => Test::Not(Box::new(test)),
            },
            Filter::Present(attribute) => {
                let present = |id| self.has(id, Check::Present);
                self.with(attribute, |_| Some(()), |ids| one_of(ids.into_iter().map(present).collect()))
            }
            Filter::Equal(attribute, value) | Filter::Approximately(attribute, value) => {
                self.equality(attribute, value)
            }
            Filter::Substrings(attribute, pieces) => {
                let of_kind = |kind: Option<&AttributeType>| {
                    let rule = kind.map_or(Some(Rule::CaseIgnore), AttributeType::substrings)?;
                    rule.prepare_pieces(pieces)
                };
                let of = |id| Some(Check::Pieces(of_kind(self.reader.index.catalogue.kind(id))?));
                self.with(attribute, |kind| of_kind(Some(kind)).map(drop), |ids| self.each(&ids, of))
            }
            Filter::AtLeast(attribute, value) => self.ordered(attribute, value, Check::AtLeast),
            Filter::AtMost(attribute, value) => self.ordered(attribute, value, Check::AtMost),
            Filter::Extensible { rule, attribute, value, dn_attributes } => {
                self.extensible(rule.as_deref(), attribute.as_deref(), value, *dn_attributes)
            }
        }
    }

    /// What is false decides, and what is true is left out (RFC 4526 for none at all).
    fn all(&self, filters: &[Filter]) -> Test {
        let mut tests = Vec::with_capacity(filters.len());
        for filter in filters {
            match self.test(filter) {
                FALSE => return FALSE,
                Test::Is(Truth::True) => {}
                test => tests.push(test),
            }
        }
        match tests.pop() {
            None => Test::Is(Truth::True),
            Some(only) if tests.is_empty() => only,
            Some(last) => {
                tests.push(last);
                Test::All(tests)
            }
        }
    }

    fn any(&self, filters: &[Filter]) -> Test {
        let mut tests = Vec::with_capacity(filters.len());
        for filter in filters {
            match self.test(filter) {
                Test::Is(Truth::True) => return Test::Is(Truth::True),
                FALSE => {}
                test => tests.push(test),
            }
        }
        match tests.pop() {
            None => FALSE,
            Some(only) if tests.is_empty() => only,
            Some(last) => {
                tests.push(last);
                Test::Any(tests)
            }
        }
    }

    /// Attributes that the reader may search by. One that is denied is like one that nobody knows: undefined, and so
    /// is its opposite, as RFC 4511 section 4.5.1.7 has it of what the server can't tell. One that no entry has is
    /// false, as far as `can_be` says that it could be asked for at all.
    fn with(
        &self,
        attribute: &str,
        can_be: impl FnOnce(&'static AttributeType) -> Option<()>,
        make: impl FnOnce(Vec<AttributeId>) -> Test,
    ) -> Test {
        match self.reader.index.catalogue.meaning(attribute) {
            Meaning::These(ids) => {
                let ids: Vec<_> = ids.into_iter().filter(|id| self.reader.may_filter(*id, self.kind)).collect();
                if ids.is_empty() { UNDEFINED } else { make(ids) }
            }
            Meaning::Nowhere => {
                let described = Description::of(attribute);
                let may_ask = match (self.reader.index.catalogue.find(described.base), described.known()) {
                    // No entry has it with options.
                    (Some(id), _) => self.reader.may_filter(id, self.kind),
                    (None, Some(kind)) => self.reader.may_filter_absent(kind),
                    (None, None) => false,
                };
                let can_be = may_ask && described.known().is_none_or(|kind| can_be(kind).is_some());
                if can_be { FALSE } else { UNDEFINED }
            }
            Meaning::Unknown => UNDEFINED,
        }
    }

    fn equality(&self, attribute: &str, value: &[u8]) -> Test {
        let can_be = |kind: &AttributeType| kind.equality()?.prepare(value).map(drop);
        self.with(attribute, can_be, |ids| self.equal(&ids, value))
    }

    fn equal(&self, ids: &[AttributeId], value: &[u8]) -> Test {
        let tests = ids.iter().map(|id| self.equal_to(*id, value)).collect::<Vec<_>>();
        one_of(tests)
    }

    fn equal_to(&self, id: AttributeId, value: &[u8]) -> Test {
        let Some(rule) = self.reader.index.catalogue.rule(id) else { return UNDEFINED };
        let Some(prepared) = rule.prepare(value) else { return UNDEFINED };
        if NAMES.contains(&id) {
            return self.named(id, value);
        }
        if id == AttributeId::MEMBER_UID {
            return self.member_uid(value, &prepared);
        }
        if id == AttributeId::OBJECT_CLASS {
            return self.class(&prepared);
        }
        self.has(id, Check::Equal(Bytes::copy_from_slice(&prepared)))
    }

    /// What entries of this kind never have is false, and what they always have is true: then nobody is looked at.
    fn has(&self, id: AttributeId, check: Check) -> Test {
        if id == AttributeId::OBJECT_CLASS && check == Check::Present {
            return Test::Is(Truth::True);
        }
        let can_have = match self.kind {
            Kind::Plain => true,
            Kind::Group => OF_GROUPS.contains(&id),
            Kind::Person => !OF_GROUPS_ALONE.contains(&id),
        };
        if can_have { Test::Has(vec![id], check) } else { FALSE }
    }

    /// Classes are few, and most of them are those of every entry of a kind.
    fn class(&self, prepared: &[u8]) -> Test {
        let is_in = |names: &[&str]| names.iter().any(|name| name.as_bytes() == prepared);
        let some = match self.kind {
            Kind::Plain => true,
            Kind::Person if is_in(classes::EVERY_PERSON) => return Test::Is(Truth::True),
            Kind::Person => is_in(classes::SOME_PEOPLE),
            Kind::Group if is_in(classes::GROUP) => return Test::Is(Truth::True),
            Kind::Group => is_in(classes::POSIX_GROUP),
        };
        let check = Check::Equal(Bytes::copy_from_slice(prepared));
        if some { Test::Has(vec![AttributeId::OBJECT_CLASS], check) } else { FALSE }
    }

    /// A value that is the name of an entry: it is looked up once, and not compared with each.
    fn named(&self, id: AttributeId, value: &[u8]) -> Test {
        let dn = std::str::from_utf8(value).ok().and_then(|text| Dn::parse(text).ok());
        let Some(dn) = dn else { return FALSE };
        let Located::At(place) = self.tree.locate(&dn, self.reader.index) else { return FALSE };
        if !self.reader.sees(place) {
            return FALSE;
        }
        match (id, place, self.kind) {
            (AttributeId::ENTRY_DN, ..) => Test::At(place),
            (AttributeId::MEMBER_OF, Place::Group(group), Kind::Person) => Test::InGroup(group),
            (AttributeId::MEMBER | AttributeId::UNIQUE_MEMBER, Place::Person(person), Kind::Group) => {
                Test::Holds(person)
            }
            _ => FALSE,
        }
    }

    /// Capitals count (RFC 2307 section 3), though not in the user name that is meant.
    fn member_uid(&self, value: &[u8], prepared: &[u8]) -> Test {
        if self.kind != Kind::Group || self.reader.index.layout.schema != GroupSchema::Rfc2307 {
            return FALSE;
        }
        let Some((place, person)) = self.reader.index.people.owner(&prepare(value, Case::Ignore)) else { return FALSE };
        let is_it = person.user_name().is_some_and(|name| *prepare(name, Case::Exact) == *prepared);
        if is_it && self.reader.sees_person(place, person) {
            // Of a group that has no number, members are not named like that.
            Test::All(vec![Test::Holds(place), Test::Has(vec![AttributeId::GID_NUMBER], Check::Present)])
        } else {
            FALSE
        }
    }

    fn ordered(&self, attribute: &str, value: &[u8], make: fn(Rule, Bytes) -> Check) -> Test {
        let can_be = |kind: &AttributeType| kind.ordering()?.prepare(value).map(drop);
        let of = |id| {
            let rule = self.reader.index.catalogue.kind(id)?.ordering()?;
            Some(make(rule, Bytes::copy_from_slice(&rule.prepare(value)?)))
        };
        self.with(attribute, can_be, |ids| self.each(&ids, of))
    }

    fn each(&self, ids: &[AttributeId], check: impl Fn(AttributeId) -> Option<Check>) -> Test {
        let tests = ids.iter().map(|id| check(*id).map_or(UNDEFINED, |check| self.has(*id, check)));
        one_of(tests.collect())
    }

    fn extensible(&self, rule: Option<&str>, attribute: Option<&str>, value: &Bytes, dn_attributes: bool) -> Test {
        let rule = match rule.map(Rule::named) {
            Some(None) => return UNDEFINED,
            Some(Some(rule)) => Some(rule),
            None => None,
        };
        let test = match (attribute, rule) {
            (Some(attribute), None) => self.equality(attribute, value),
            (Some(attribute), Some(rule)) => {
                let can_be = |kind: &AttributeType| {
                    let own = kind.equality()?;
                    rule.prepare(value).filter(|_| applies(rule, own)).map(drop)
                };
                let of = |ids: Vec<AttributeId>| ids.iter().map(|id| self.by_rule(*id, rule, value)).collect();
                self.with(attribute, can_be, |ids| one_of(of(ids)))
            }
            (None, Some(rule)) => {
                let catalogue = &self.reader.index.catalogue;
                let all = catalogue.all().filter(|id| self.reader.may_filter(*id, self.kind));
                // Attributes that the rule is not for say nothing here.
                let tests = all.map(|id| self.by_rule(id, rule, value)).filter(|test| *test != UNDEFINED);
                let tests: Vec<_> = tests.collect();
                if tests.is_empty() { UNDEFINED } else { one_of(tests) }
            }
            (None, None) => UNDEFINED,
        };
        if dn_attributes { one_of(vec![test, self.in_name(rule, attribute, value)]) } else { test }
    }

    /// The attribute's values by another rule than its own, as far as the rule is for its syntax.
    fn by_rule(&self, id: AttributeId, rule: Rule, value: &Bytes) -> Test {
        let Some(own) = self.reader.index.catalogue.rule(id) else { return UNDEFINED };
        if !applies(rule, own) {
            return UNDEFINED;
        }
        if rule == own || rule == Rule::InChain {
            // Whoever is in a group by way of others is a member here: a connection's `groups.nested` follows the chain
            // where the groups are, so it is as long as one membership.
            return self.equal_to(id, value);
        }
        match rule.prepare(value) {
            Some(prepared) => self.has(id, Check::By(rule, Bytes::copy_from_slice(&prepared))),
            None => UNDEFINED,
        }
    }

    /// `:dn:` asks the parts of the entry's name, too. Below the containers each entry has one part of its own; the
    /// others are the same for all.
    fn in_name(&self, rule: Option<Rule>, attribute: Option<&str>, value: &Bytes) -> Test {
        let layout = &self.reader.index.layout;
        let Some(id) = attribute.and_then(|attribute| self.reader.index.catalogue.find(attribute)) else {
            return FALSE;
        };
        let own = self.reader.index.catalogue.rule(id);
        let rule = rule.or(own).filter(|rule| own.is_some_and(|own| applies(*rule, own)));
        let Some((rule, prepared)) = rule.and_then(|rule| Some((rule, rule.prepare(value)?))) else { return UNDEFINED };
        let name = self.reader.index.catalogue.name(id).to_ascii_lowercase();
        let is_in = |rdns: &[Vec<fedbridge_ldap_core::Ava>]| {
            let mut avas = rdns.iter().flatten();
            avas.any(|ava| ava.attribute == name && rule.holds(&ava.value, &prepared) == Some(true))
        };
        if is_in(&layout.base.rdns) {
            return Test::Is(Truth::True);
        }
        let container = match self.kind {
            Kind::Person => "people",
            Kind::Group => "groups",
            Kind::Plain => return FALSE,
        };
        (id == AttributeId::OU && rule.holds(container.as_bytes(), &prepared) == Some(true)).into()
    }
}

impl From<bool> for Test {
    fn from(is: bool) -> Self {
        Self::Is(is.into())
    }
}

/// Whether a rule is for values that have this one for equality (RFC 4517 section 4.1: of the same syntax).
fn applies(rule: Rule, own: Rule) -> bool {
    let is_text = |rule| matches!(rule, Rule::CaseIgnore | Rule::CaseExact | Rule::CaseIgnoreIa5 | Rule::CaseExactIa5);
    match rule {
        Rule::BitAnd | Rule::BitOr => own == Rule::Integer,
        Rule::InChain => matches!(own, Rule::DistinguishedName | Rule::UniqueMember),
        Rule::CaseIgnore | Rule::CaseExact | Rule::CaseIgnoreIa5 | Rule::CaseExactIa5 => is_text(own),
        _ => rule == own,
    }
}

fn one_of(mut tests: Vec<Test>) -> Test {
    if tests.contains(&Test::Is(Truth::True)) {
        return Test::Is(Truth::True);
    }
    tests.retain(|test| *test != FALSE);
    match tests.pop() {
        None => FALSE,
        Some(only) if tests.is_empty() => only,
        Some(last) => {
            tests.push(last);
            Test::Any(tests)
        }
    }
}
