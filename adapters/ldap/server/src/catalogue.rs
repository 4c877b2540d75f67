//! The attributes that entries of a directory have: those of the schema that are made here, and claims of the
//! tenant's own.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::matching::Rule;
use fedbridge_ldap_core::schema::{self, AttributeType};

use crate::fixed::Fixed;

/// How many attributes of its own a tenant may have. What comes beyond them is not shown.
const MOST_OWN: usize = 500;

/// The longest name of an attribute of a tenant's own.
const LONGEST_NAME: usize = 64;

/// The number of an attribute. Those of [`FIXED`] are the same everywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttributeId(u16);

impl AttributeId {
    pub const fn of_number(number: u16) -> Self {
        Self(number)
    }

    pub const fn number(self) -> u16 {
        self.0
    }
}

/// Attributes that every directory has, as the schema writes them, in the order of their numbers.
const FIXED: &[&str] = &[
    "objectClass",
    "uid",
    "cn",
    "sn",
    "givenName",
    "displayName",
    "mail",
    "telephoneNumber",
    "preferredLanguage",
    "labeledURI",
    "street",
    "l",
    "st",
    "postalCode",
    "employeeNumber",
    "description",
    "dc",
    "o",
    "ou",
    "c",
    "uidNumber",
    "gidNumber",
    "homeDirectory",
    "loginShell",
    "gecos",
    "member",
    "uniqueMember",
    "memberUid",
    "memberOf",
    "entryUUID",
    "entryDN",
    "createTimestamp",
    "modifyTimestamp",
    "hasSubordinates",
    "structuralObjectClass",
    "subschemaSubentry",
];

/// Those that the code names.
impl AttributeId {
    pub const OBJECT_CLASS: Self = fixed("objectClass");
    pub const UID: Self = fixed("uid");
    pub const CN: Self = fixed("cn");
    pub const SN: Self = fixed("sn");
    pub const DISPLAY_NAME: Self = fixed("displayName");
    pub const MAIL: Self = fixed("mail");
    pub const L: Self = fixed("l");
    pub const EMPLOYEE_NUMBER: Self = fixed("employeeNumber");
    pub const DESCRIPTION: Self = fixed("description");
    pub const DC: Self = fixed("dc");
    pub const O: Self = fixed("o");
    pub const OU: Self = fixed("ou");
    pub const C: Self = fixed("c");
    pub const UID_NUMBER: Self = fixed("uidNumber");
    pub const GID_NUMBER: Self = fixed("gidNumber");
    pub const HOME_DIRECTORY: Self = fixed("homeDirectory");
    pub const LOGIN_SHELL: Self = fixed("loginShell");
    pub const GECOS: Self = fixed("gecos");
    pub const MEMBER: Self = fixed("member");
    pub const UNIQUE_MEMBER: Self = fixed("uniqueMember");
    pub const MEMBER_UID: Self = fixed("memberUid");
    pub const MEMBER_OF: Self = fixed("memberOf");
    pub const ENTRY_UUID: Self = fixed("entryUUID");
    pub const ENTRY_DN: Self = fixed("entryDN");
    pub const CREATE_TIMESTAMP: Self = fixed("createTimestamp");
    pub const MODIFY_TIMESTAMP: Self = fixed("modifyTimestamp");
    pub const HAS_SUBORDINATES: Self = fixed("hasSubordinates");
    pub const STRUCTURAL_OBJECT_CLASS: Self = fixed("structuralObjectClass");
    pub const SUBSCHEMA_SUBENTRY: Self = fixed("subschemaSubentry");
}

/// Worked out when this is compiled.
const fn fixed(name: &str) -> AttributeId {
    let mut at = 0;
    while at < FIXED.len() && !is_same(FIXED[at].as_bytes(), name.as_bytes()) {
        at += 1;
    }
    AttributeId(at as u16)
}

const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    one.len() == other.len() && at == one.len()
}

/// Those by which entries are found without looking at each.
pub const INDEXED: &[AttributeId] =
    &[AttributeId::UID, AttributeId::CN, AttributeId::MAIL, AttributeId::UID_NUMBER, AttributeId::EMPLOYEE_NUMBER];

/// Those that are kept in memory of everybody, whatever the limit: people are found by them, and called by them.
pub const KEYS: &[AttributeId] =
    &[AttributeId::UID, AttributeId::CN, AttributeId::MAIL, AttributeId::EMPLOYEE_NUMBER, AttributeId::DISPLAY_NAME];

/// What a description in a filter or in a list of wanted attributes means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// One, or all that are kinds of it: `name` is `cn`, `sn` and others (RFC 4512 section 2.5.1).
    These(Vec<AttributeId>),
    /// An attribute that there is, and that no entry here has: of the schema, or with options.
    Nowhere,
    /// Nobody knows what it is.
    Unknown,
}

/// Grows with the claims that are seen, and never shrinks, so that numbers stay what they are.
#[derive(Debug, Clone)]
pub struct Catalogue {
    names: Vec<Arc<str>>,
    types: Vec<Option<&'static AttributeType>>,
    /// By the name in lower case.
    by_name: HashMap<String, AttributeId>,
    /// The subschema entry of a directory with these attributes, from when it is first read.
    subschema: OnceLock<Arc<Fixed>>,
}

impl Default for Catalogue {
    fn default() -> Self {
        let mut empty =
            Self { names: Vec::new(), types: Vec::new(), by_name: HashMap::new(), subschema: OnceLock::new() };
        for name in FIXED {
            empty.insert(name);
        }
        empty
    }
}

impl Catalogue {
    pub fn name(&self, id: AttributeId) -> &str {
        self.names.get(usize::from(id.0)).map_or("", |name| name)
    }

    /// The matching rule for equality. Claims of a tenant's own are texts, compared without case.
    pub fn rule(&self, id: AttributeId) -> Option<Rule> {
        self.kind(id).map_or(Some(Rule::CaseIgnore), AttributeType::equality)
    }

    /// `None`: of the tenant's own.
    pub fn kind(&self, id: AttributeId) -> Option<&'static AttributeType> {
        self.types.get(usize::from(id.0)).copied().flatten()
    }

    /// Whether it is shown on request only (RFC 3673).
    pub fn is_operational(&self, id: AttributeId) -> bool {
        self.kind(id).is_some_and(AttributeType::is_operational)
    }

    pub fn all(&self) -> impl Iterator<Item = AttributeId> {
        (0..self.names.len()).filter_map(|number| u16::try_from(number).ok().map(AttributeId))
    }

    /// Attributes beside those that are the same everywhere.
    pub fn own(&self) -> impl Iterator<Item = AttributeId> {
        self.all().skip(FIXED.len())
    }

    /// By its name in any case, or by its OID, without options.
    pub fn find(&self, name: &str) -> Option<AttributeId> {
        if let Some(id) = self.by_name.get(&name.to_ascii_lowercase()) {
            return Some(*id);
        }
        // By another name of its, or by OID.
        let known = schema::attribute(name)?;
        self.by_name.get(&known.name().to_ascii_lowercase()).copied()
    }

    /// The number of an attribute, a new one where it has none. `None`: the name is no name of an attribute, or
    /// there are too many.
    pub fn intern(&mut self, name: &str) -> Option<AttributeId> {
        if let Some(id) = self.find(name) {
            return Some(id);
        }
        let is_descriptor = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-')
            && name.len() <= LONGEST_NAME;
        // Nothing that is called like a password is one of a person's claims.
        let is_secret = ["userPassword", "unicodePwd"].iter().any(|secret| name.eq_ignore_ascii_case(secret));
        let has_room = self.names.len() < FIXED.len() + MOST_OWN;
        (is_descriptor && !is_secret && has_room).then(|| self.insert(name))
    }

    pub fn meaning(&self, description: &str) -> Meaning {
        let described = Description::of(description);
        if described.options().next().is_some() {
            // No entry has an attribute with options.
            let exists = self.find(described.base).is_some() || described.known().is_some();
            return if exists { Meaning::Nowhere } else { Meaning::Unknown };
        }
        if let Some(id) = self.by_name.get(&described.base.to_ascii_lowercase()) {
            return Meaning::These(vec![*id]);
        }
        let Some(known) = described.known() else { return Meaning::Unknown };
        let kinds = (0..self.types.len())
            .filter(|at| self.types.get(*at).copied().flatten().is_some_and(|kind| kind.is_a(known)));
        let kinds: Vec<_> = kinds.filter_map(|at| u16::try_from(at).ok().map(AttributeId)).collect();
        if kinds.is_empty() { Meaning::Nowhere } else { Meaning::These(kinds) }
    }

    pub fn subschema(&self, make: impl FnOnce(&Self) -> Fixed) -> &Arc<Fixed> {
        self.subschema.get_or_init(|| Arc::new(make(self)))
    }

    fn insert(&mut self, name: &str) -> AttributeId {
        self.subschema = OnceLock::new();
        let kind = schema::attribute(name);
        let name = kind.map_or(name, |kind| kind.name());
        // Far fewer than 65,536.
        let id = AttributeId(self.names.len() as u16);
        self.names.push(Arc::from(name));
        self.types.push(kind);
        self.by_name.insert(name.to_ascii_lowercase(), id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_here_is_in_the_schema() {
        let catalogue = Catalogue::default();
        for (number, name) in FIXED.iter().enumerate() {
            let id = AttributeId(u16::try_from(number).unwrap());
            assert_eq!(catalogue.find(name), Some(id), "{name}");
            assert!(catalogue.kind(id).is_some(), "{name} is not in the schema");
            assert_eq!(catalogue.name(id), *name, "as the schema writes it");
            assert_eq!(fixed(name), id);
        }
        for id in INDEXED.iter().filter(|id| **id != AttributeId::UID_NUMBER) {
            assert!(KEYS.contains(id), "{} is found without the entry", catalogue.name(*id));
        }
    }

    #[test]
    fn names_oids_and_kinds() {
        let mut catalogue = Catalogue::default();
        assert_eq!(catalogue.meaning("CN"), Meaning::These(vec![AttributeId::CN]));
        assert_eq!(catalogue.meaning("2.5.4.3"), Meaning::These(vec![AttributeId::CN]));
        assert_eq!(catalogue.meaning("commonName"), Meaning::These(vec![AttributeId::CN]));
        assert_eq!(catalogue.meaning("cn;lang-en"), Meaning::Nowhere);
        assert_eq!(catalogue.meaning("nobodyKnowsThis"), Meaning::Unknown);
        assert_eq!(catalogue.meaning("nobodyKnowsThis;x"), Meaning::Unknown);
        let Meaning::These(names) = catalogue.meaning("name") else { panic!("name is a kind of its own") };
        assert!(names.contains(&AttributeId::CN) && names.contains(&AttributeId::SN), "{names:?}");
        assert!(!names.contains(&AttributeId::MAIL));
        let tier = catalogue.intern("costCenter").unwrap();
        assert_eq!(catalogue.intern("COSTCENTER"), Some(tier));
        assert_eq!(catalogue.meaning("costcenter"), Meaning::These(vec![tier]));
        assert_eq!(catalogue.own().collect::<Vec<_>>(), [tier]);
        assert_eq!(catalogue.rule(tier), Some(Rule::CaseIgnore));
    }

    #[test]
    fn a_password_is_no_attribute() {
        let mut catalogue = Catalogue::default();
        for name in ["userPassword", "USERPASSWORD", "unicodePwd", "", "1x", "a b", "a;b", &"x".repeat(65)] {
            assert_eq!(catalogue.intern(name), None, "{name}");
        }
    }

    #[test]
    fn a_tenant_has_so_many_attributes_and_no_more() {
        let mut catalogue = Catalogue::default();
        let interned = (0..2 * MOST_OWN).filter_map(|number| catalogue.intern(&format!("own{number}"))).count();
        assert_eq!(interned, MOST_OWN);
        assert!(catalogue.intern("own1").is_some(), "those that there are stay");
    }
}
