//! Groups that the person's own entry names: memberOf and its kin.

use fedbridge_ldap_core::{Filter, Scope};

use super::{Finder, named};
use crate::directory::Trouble;
use crate::entry;
use crate::wire::Search;

impl Finder<'_, '_> {
    /// True: groups of these groups are still to be found.
    pub(super) async fn by_membership(&mut self) -> Result<bool, Trouble> {
        let names: Vec<String> = self.names().map(str::to_owned).collect();
        for dn in names {
            let name = self.name_of(&dn).await?;
            self.take(&dn, name)?;
        }
        Ok(true)
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        let attributes = self.directory.settings.flavor.membership;
        let values = attributes.iter().flat_map(|attribute| entry::with_options(self.person, attribute));
        values.filter_map(|value| std::str::from_utf8(value).ok())
    }

    /// The DN of most groups begins with their name. Others are read.
    async fn name_of(&mut self, dn: &str) -> Result<String, Trouble> {
        if let Some((attribute, value)) = entry::first_rdn(dn)
            && attribute.eq_ignore_ascii_case("cn")
        {
            return Ok(value);
        }
        let filter = Filter::Present("objectClass".to_owned());
        let search = Search::new(dn, Scope::Base, filter).attributes(["cn"]);
        let answers = self.directory.search("the name of a group", &search, self.told).await?;
        Ok(answers.entries.first().map_or_else(|| dn.to_owned(), named))
    }
}
