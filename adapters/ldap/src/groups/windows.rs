//! Active Directory's own ways: groups that the domain controller works out, and the one that no attribute names.

use fedbridge_ldap_core::value::sid::Sid;
use fedbridge_ldap_core::{Code, Filter, Scope};

use super::{Finder, equal};
use crate::directory::Trouble;
use crate::settings::How;
use crate::wire::Search;

/// Identifiers that one search asks about.
const AT_ONCE: usize = 50;

const TOKEN_GROUPS: &str = "tokenGroups";
const TRANSITIVE: &str = "1.2.840.113556.1.4.1941";

impl Finder<'_, '_> {
    /// All security groups, with the primary one and those of other groups (MS-ADTS section 3.1.1.4.5.19). The attribute
    /// is made for a base search alone.
    pub(super) async fn by_token(&mut self) -> Result<bool, Trouble> {
        let filter = Filter::Present("objectClass".to_owned());
        let search = Search::new(&self.person.dn, Scope::Base, filter).attributes([TOKEN_GROUPS]);
        let answers = self.directory.search("search for groups", &search, self.told).await?;
        let entry = match (answers.result.code, answers.entries.into_iter().next()) {
            (Code::SUCCESS, Some(entry)) => entry,
            (code, _) => return Err(Trouble(format!("{}: {TOKEN_GROUPS} can't be read: {code}", answers.server))),
        };
        let sids = entry.values(TOKEN_GROUPS);
        if sids.is_empty() {
            // Everybody has a primary group.
            return Err(Trouble(format!("{TOKEN_GROUPS} is empty: the service account may not read it")));
        }
        self.by_sids(sids).await?;
        // A group that is for mail alone is in no token.
        Ok(false)
    }

    /// All groups that the person is in, or a group of the person's is in.
    pub(super) async fn by_matching_rule(&mut self) -> Result<bool, Trouble> {
        let person = self.person.dn.clone();
        self.above(&person).await?;
        Ok(false)
    }

    async fn above(&mut self, dn: &str) -> Result<(), Trouble> {
        let member = Filter::Extensible {
            rule: Some(TRANSITIVE.to_owned()),
            attribute: Some("member".to_owned()),
            value: dn.as_bytes().to_vec().into(),
            dn_attributes: false,
        };
        self.search(member).await.map(drop)
    }

    /// memberOf leaves the primary group out: its number stands in primaryGroupID, and its domain in the person's SID.
    pub(super) async fn primary(&mut self) -> Result<(), Trouble> {
        let sid = self.person.values("objectSid").first();
        let number = self.person.text("primaryGroupID").and_then(|number| number.parse::<u32>().ok());
        let (Some(sid), Some(number)) = (sid, number) else {
            return Err(Trouble("the person has no objectSid or no primaryGroupID that can be read".to_owned()));
        };
        let group = Sid::from_octets(sid).and_then(|sid| sid.beside(number));
        let group = group.ok_or_else(|| Trouble("the objectSid can't be read".to_owned()))?;
        for dn in self.by_sids(&[group.octets()]).await? {
            if self.groups.how == How::MatchingRule && self.groups.nested {
                self.above(&dn).await?;
            }
        }
        Ok(())
    }

    async fn by_sids(&mut self, sids: &[Vec<u8>]) -> Result<Vec<String>, Trouble> {
        let mut new = Vec::new();
        for part in sids.chunks(AT_ONCE) {
            let names = part.iter().map(|sid| equal("objectSid", sid));
            new.extend(self.search(Filter::Or(names.collect())).await?);
        }
        Ok(new)
    }
}
