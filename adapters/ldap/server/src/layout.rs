//! Where things lie in a tenant's directory, and what its settings say of them.

use fedbridge_contract::ldap_directory::{GroupSchema, LdapDirectory, PeopleMayRead, PersonRdn, Posix};
use fedbridge_ldap_core::{Ava, Dn};

pub const PEOPLE: &str = "ou=people";
pub const GROUPS: &str = "ou=groups";
pub const APPS: &str = "ou=apps";

/// What a snapshot needs of the directory's settings, its names taken apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Layout {
    pub base: Dn,
    /// As it was written.
    pub base_text: String,
    pub rdn: PersonRdn,
    pub posix: Posix,
    pub schema: GroupSchema,
    pub private_groups: bool,
    pub people_may_read: PeopleMayRead,
    /// Octets of people's entries that are kept in memory.
    pub memory: u64,
}

impl Layout {
    /// `None`: the base is no DN, which the bridge file's reader does not let through.
    pub fn of(directory: &LdapDirectory) -> Option<Self> {
        let base = Dn::parse(&directory.base_dn).ok().filter(|base| !base.is_root())?;
        Some(Self {
            base,
            base_text: directory.base_dn.clone(),
            rdn: directory.rdn,
            posix: directory.posix,
            schema: directory.schema,
            private_groups: directory.private_groups && directory.posix != Posix::Off,
            people_may_read: directory.people_may_read,
            memory: directory.memory,
        })
    }

    /// Whether entries that were made by the other settings can stay, and as many of them.
    pub fn makes_the_same_entries(&self, other: &Self) -> bool {
        let what = |layout: &Self| (layout.rdn, layout.posix, layout.schema, layout.private_groups, layout.memory);
        self.base_text == other.base_text && what(self) == what(other)
    }

    /// `cn=dev,ou=groups,dc=acme`.
    pub fn dn(&self, attribute: &str, value: &[u8], container: &str) -> String {
        let mut dn = String::with_capacity(attribute.len() + value.len() + container.len() + self.base_text.len() + 8);
        dn.push_str(attribute);
        dn.push('=');
        push_escaped(value, &mut dn);
        dn.push(',');
        dn.push_str(container);
        dn.push(',');
        dn.push_str(&self.base_text);
        dn
    }

    /// `ou=people,dc=acme`.
    pub fn container(&self, name: &str) -> String {
        format!("{name},{}", self.base_text)
    }

    /// What stands before the base in a name, from the entry up. `None`: it is not below the base.
    pub fn relative<'d>(&self, dn: &'d Dn) -> Option<&'d [Vec<Ava>]> {
        dn.rdns.strip_suffix(&self.base.rdns[..])
    }
}

/// Most names need no escape: those are copied.
fn push_escaped(value: &[u8], into: &mut String) {
    let plain = |octet: &u8| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-' | b'_' | b'@');
    match std::str::from_utf8(value) {
        Ok(text) if value.iter().all(plain) => into.push_str(text),
        _ => into.push_str(&Dn::escape(value)),
    }
}

/// Whether an RDN is this container's.
pub fn is_container(rdn: &[Ava], name: &str) -> bool {
    let [ava] = rdn else { return false };
    ava.attribute == "ou" && name.strip_prefix("ou=").is_some_and(|ou| ava.value == ou.as_bytes())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn layout() -> Layout {
        let directory = LdapDirectory { base_dn: "DC=Acme,dc=example".to_owned(), ..LdapDirectory::default() };
        Layout::of(&directory).unwrap()
    }

    #[test]
    fn names_are_written_so_that_they_read_again() {
        let layout = layout();
        for value in ["ada", "Lovelace, Ada", "#1", " x ", "ä+b", "a\\b", "x\r\ny"] {
            let dn = layout.dn("cn", value.as_bytes(), GROUPS);
            let parsed = Dn::parse(&dn).unwrap();
            let [entry, container] = layout.relative(&parsed).unwrap() else { panic!("{dn}") };
            assert!(is_container(container, GROUPS) && !is_container(container, PEOPLE), "{dn}");
            assert_eq!(entry.len(), 1, "{dn}");
        }
        assert_eq!(layout.dn("uid", b"ada@acme.example", PEOPLE), "uid=ada@acme.example,ou=people,DC=Acme,dc=example");
    }

    #[test]
    fn what_is_elsewhere_is_not_below() {
        let layout = layout();
        assert!(layout.relative(&Dn::parse("uid=a,ou=people,dc=globex,dc=example").unwrap()).is_none());
        assert!(layout.relative(&Dn::parse("dc=example").unwrap()).is_none());
        assert_eq!(layout.relative(&Dn::parse("dc=ACME, dc=example").unwrap()), Some(&[][..]));
    }
}
