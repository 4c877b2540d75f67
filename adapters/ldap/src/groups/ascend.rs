//! From groups to the groups that they are in: level by level, each group once, so that a circle has an end.

use fedbridge_ldap_core::Filter;

use super::{Finder, equal};
use crate::directory::Trouble;
use crate::settings::Member;

/// Groups that one search asks about.
const AT_ONCE: usize = 25;

impl Finder<'_, '_> {
    pub(super) async fn ascend(&mut self) -> Result<(), Trouble> {
        let of_dns = |member: &&Member| matches!(member, Member::Dn | Member::UniqueDn);
        let attributes: Vec<_> = self.groups.members.iter().filter(of_dns).map(|member| member.attribute()).collect();
        let mut level: Vec<String> = self.found.values().map(|group| group.dn.clone()).collect();
        level.sort_unstable();
        while !level.is_empty() && !attributes.is_empty() {
            let mut above = Vec::new();
            for part in level.chunks(AT_ONCE) {
                let names = part.iter().flat_map(|dn| attributes.iter().map(move |attribute| equal(attribute, dn)));
                above.extend(self.search(Filter::Or(names.collect())).await?);
            }
            if !above.is_empty() {
                self.deepest += 1;
            }
            if self.deepest > self.groups.depth {
                let why = format!("there are groups in groups beyond groups.depth, {}", self.groups.depth);
                return Err(Trouble(why));
            }
            level = above;
        }
        Ok(())
    }
}
