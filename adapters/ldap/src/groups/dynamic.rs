//! Groups without a list of members: a search in an LDAP URL finds them (groupOfURLs).

use fedbridge_ldap_core::{Dn, Filter, Scope};

use super::{Finder, PAGE, named};
use crate::directory::Trouble;
use crate::entry;
use crate::settings::Member;
use crate::wire::Search;

/// The most URLs that are looked at.
const MOST_URLS: usize = 200;

impl Finder<'_, '_> {
    /// Takes the groups in one of whose searches the person is found. Each is asked of the person's entry alone.
    pub(super) async fn by_url(&mut self) -> Result<(), Trouble> {
        let attribute = Member::Url.attribute();
        let search = Search::new(&self.groups.base, Scope::Sub, Filter::Present(attribute.to_owned()));
        let search = Search { page: Some(PAGE), ..search.attributes(["cn", attribute]) };
        let mut looked = 0;
        for group in self.entries(&search).await? {
            for url in entry::texts(entry::with_options(&group, attribute)) {
                looked += 1;
                if looked > MOST_URLS {
                    return Err(Trouble(format!("there are more than {MOST_URLS} groups with {attribute}")));
                }
                let Some(members) = Members::parse(url) else {
                    return Err(Trouble(format!("{}: {attribute} is no LDAP URL", group.dn)));
                };
                if members.may_be(&self.person.dn) && self.matches(&members.filter).await? {
                    self.take(&group.dn, named(&group))?;
                    break;
                }
            }
        }
        Ok(())
    }

    async fn matches(&mut self, filter: &Filter) -> Result<bool, Trouble> {
        let search = Search::new(&self.person.dn, Scope::Base, filter.clone()).attributes([Search::NO_ATTRIBUTES]);
        Ok(!self.entries(&search).await?.is_empty())
    }
}

/// `ldap:///ou=people,dc=acme??sub?(departmentNumber=7)` (RFC 4516).
struct Members {
    base: Dn,
    scope: Scope,
    filter: Filter,
}

impl Members {
    fn parse(url: &str) -> Option<Self> {
        // Whatever host it names, this directory is asked.
        let (scheme, rest) = url.split_once("://")?;
        if !scheme.eq_ignore_ascii_case("ldap") && !scheme.eq_ignore_ascii_case("ldaps") {
            return None;
        }
        let (_, rest) = rest.split_once('/')?;
        let mut parts = rest.split('?');
        let base = Dn::parse(&decoded(parts.next()?)?).ok()?;
        let _attributes = parts.next();
        let scope = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
            "" | "base" => Scope::Base,
            "one" => Scope::One,
            "sub" => Scope::Sub,
            _ => return None,
        };
        let filter = decoded(parts.next().unwrap_or_default())?;
        let filter = if filter.is_empty() { "(objectClass=*)" } else { &filter };
        Some(Self { base, scope, filter: Filter::parse(filter).ok()? })
    }

    /// Whether an entry is where the search looks.
    fn may_be(&self, dn: &str) -> bool {
        let Ok(dn) = Dn::parse(dn) else { return false };
        let depth = dn.rdns.len().checked_sub(self.base.rdns.len());
        dn.is_under(&self.base)
            && match self.scope {
                Scope::Base => depth == Some(0),
                Scope::One => depth == Some(1),
                Scope::Sub => true,
                Scope::Subordinate => depth > Some(0),
            }
    }
}

/// RFC 3986 section 2.1.
fn decoded(text: &str) -> Option<String> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let (pair, behind) = rest.split_at_checked(2)?;
        let digits = std::str::from_utf8(pair).ok().filter(|pair| pair.bytes().all(|c| c.is_ascii_hexdigit()))?;
        octets.push(u8::from_str_radix(digits, 16).ok()?);
        rest = behind;
    }
    String::from_utf8(octets).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_and_who() {
        let members = Members::parse("ldap:///ou=people,dc=acme??sub?(departmentNumber=7)").unwrap();
        assert_eq!(members.filter.print(), "(departmentNumber=7)");
        assert!(members.may_be("uid=a,ou=x,OU=People, dc=acme") && !members.may_be("uid=a,ou=other,dc=acme"));
        let one = Members::parse("LDAP://host/ou=my%20people,dc=acme?cn?one").unwrap();
        assert!(one.may_be("uid=a,ou=my people,dc=acme") && !one.may_be("uid=a,ou=x,ou=my people,dc=acme"));
        let base = Members::parse("ldap:///uid=a,dc=acme").unwrap();
        assert!(base.may_be("uid=a,dc=acme") && !base.may_be("uid=b,uid=a,dc=acme"));
        for bad in [
            "",
            "http:///dc=acme",
            "ldap://host",
            "ldap:///x",
            "ldap:///dc=a??all",
            "ldap:///dc=a??sub?uid=a)",
            "ldap:///dc=%zz",
        ] {
            assert!(Members::parse(bad).is_none(), "{bad}");
        }
    }
}
