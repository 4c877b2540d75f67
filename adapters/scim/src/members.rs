//! Members of groups, from what clients write to records.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::{MemberChange, Related};
use fedbridge_scim_core::{Fault, patch};
use serde_json::Value;

use crate::answer::Refused;
use crate::endpoint::Endpoint;

/// Members that are read at once.
const AT_ONCE: u32 = 1_000;

/// An id of ours; `None`: no record has such an id.
pub fn id_of(text: &str) -> Option<RecordId> {
    // In one spelling alone, because ids are compared exactly (RFC 7643 section 3.1).
    text.parse::<RecordId>().ok().filter(|id| id.to_string() == text)
}

/// # Errors
/// `invalidValue` for what can't be a member.
pub fn ids_of(texts: &[String]) -> Result<Vec<RecordId>, Fault> {
    let id = |text: &String| {
        id_of(text).ok_or_else(|| Fault::value(format!("there is no resource {text:?} that could be a member")))
    };
    texts.iter().map(id).collect()
}

impl Endpoint {
    pub async fn all_members(&self, group: RecordId) -> Result<Vec<Related>, StoreError> {
        let mut all: Vec<Related> = Vec::new();
        loop {
            let after = all.last().map(|member| member.id);
            let page = self.services.pushed.members(self.place(), group, after, AT_ONCE).await?;
            let is_last = page.len() < AT_ONCE as usize;
            all.extend(page);
            if is_last {
                return Ok(all);
            }
        }
    }

    /// What a patch asks for, by records. Who is to be removed and is nobody is removed already.
    ///
    /// # Errors
    /// `invalidValue` for what can't be a member; the store does not answer.
    pub async fn member_changes(
        &self,
        group: RecordId,
        changes: Vec<patch::MemberChange<'_>>,
    ) -> Result<Vec<MemberChange>, Refused> {
        let mut asked = Vec::with_capacity(changes.len());
        // Read once, however many operations ask for it.
        let mut there: Option<Vec<Related>> = None;
        for change in changes {
            asked.push(match change {
                patch::MemberChange::Add(ids) => MemberChange::Add(ids_of(&ids)?),
                patch::MemberChange::Replace(ids) => MemberChange::Replace(ids_of(&ids)?),
                patch::MemberChange::Clear => MemberChange::Clear,
                patch::MemberChange::Remove(ids) => {
                    MemberChange::Remove(ids.iter().filter_map(|id| id_of(id)).collect())
                }
                patch::MemberChange::RemoveWhere(filter) => {
                    let all = match there.take() {
                        Some(all) => all,
                        None => self.all_members(group).await?,
                    };
                    let all = there.insert(all);
                    let means = |member: &&Related| {
                        matches!(self.member(member, true), Value::Object(members) if filter.matches(&members))
                    };
                    MemberChange::Remove(all.iter().filter(means).map(|member| member.id).collect())
                }
            });
        }
        Ok(asked)
    }
}
