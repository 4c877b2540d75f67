//! Groups that name the person as a member.

use fedbridge_ldap_core::Filter;

use super::{Finder, equal};
use crate::directory::Trouble;
use crate::entry;
use crate::settings::Member;

impl Finder<'_, '_> {
    /// True: groups of these groups are still to be found.
    pub(super) async fn by_search(&mut self) -> Result<bool, Trouble> {
        let mut names: Vec<Filter> = Vec::new();
        for member in &self.groups.members {
            names.extend(self.as_member(*member));
        }
        if !names.is_empty() {
            self.search(Filter::Or(names)).await?;
        }
        if self.groups.members.contains(&Member::Url) {
            self.by_url().await?;
        }
        Ok(true)
    }

    /// How groups of this kind name the person.
    fn as_member(&self, member: Member) -> Vec<Filter> {
        let (dn, attribute) = (&self.person.dn, member.attribute());
        match member {
            Member::Dn => vec![equal(attribute, dn)],
            Member::UniqueDn => {
                // A name with a bit string is another one than the name alone (RFC 4517 section 4.2.31).
                let bits = entry::texts(entry::with_options(self.person, "x500UniqueIdentifier"));
                let with_bits = bits.into_iter().map(|bits| equal(attribute, format!("{dn}#{bits}")));
                std::iter::once(equal(attribute, dn)).chain(with_bits).collect()
            }
            Member::Uid => entry::with_options(self.person, "uid").map(|uid| equal(attribute, uid)).collect(),
            Member::Url => Vec::new(),
        }
    }
}
