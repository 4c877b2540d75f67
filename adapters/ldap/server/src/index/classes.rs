//! Object classes of entries (RFC 4512 section 2.4).

use std::collections::HashSet;
use std::sync::LazyLock;

use fedbridge_ldap_core::schema;

use super::person::Person;

const PERSON: &[&str] = &["top", "person", "organizationalPerson", "inetOrgPerson"];
const POSIX: &[&str] = &["top", "person", "organizationalPerson", "inetOrgPerson", "posixAccount", "shadowAccount"];
const EXTENDED: &[&str] = &["top", "person", "organizationalPerson", "inetOrgPerson", "extensibleObject"];
const EXTENDED_POSIX: &[&str] =
    &["top", "person", "organizationalPerson", "inetOrgPerson", "posixAccount", "shadowAccount", "extensibleObject"];

/// What every person is, and what some are besides.
pub const EVERY_PERSON: &[&str] = PERSON;
pub const SOME_PEOPLE: &[&str] = &["posixAccount", "shadowAccount", "extensibleObject"];

pub const STRUCTURAL_PERSON: &str = "inetOrgPerson";
pub const STRUCTURAL_GROUP: &str = "groupOfNames";

/// A group is called by each of the names that old apps look for. The schema that is published says so:
/// `groupOfUniqueNames` and `posixGroup` stand beside a structural class there.
pub const GROUP: &[&str] = &["top", "groupOfNames", "groupOfUniqueNames"];
pub const POSIX_GROUP: &[&str] = &["top", "groupOfNames", "groupOfUniqueNames", "posixGroup"];

pub fn of_person(person: &Person) -> &'static [&'static str] {
    match (person.is_posix(), person.is_extended) {
        (false, false) => PERSON,
        (true, false) => POSIX,
        (false, true) => EXTENDED,
        (true, true) => EXTENDED_POSIX,
    }
}

/// Whether the classes of people have this attribute.
pub fn allow(attribute: &str) -> bool {
    static ALLOWED: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
        let classes = POSIX.iter().filter_map(|name| schema::object_class(name));
        classes.flat_map(|class| class.must.iter().chain(class.may)).copied().collect()
    });
    ALLOWED.contains(attribute)
}
