//! Groups: names that stand in people's `groups`, and who is in them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::{
    Changed, MemberChange, PushDone, PushPlace, PushRefused, Record, RecordData, RecordKind,
};

use super::change::Pushing;
use super::origins;
use super::user::changed;
use crate::ports::{PushUnit, RecordWrite};
use crate::run::Hub;

/// Members that are read at once.
const AT_ONCE: u32 = 1_000;

impl Hub {
    pub(super) async fn create_group(
        self: &Arc<Self>,
        at: &Pushing<'_>,
        data: RecordData,
        members: Vec<RecordId>,
    ) -> Result<PushDone, PushRefused> {
        let id = RecordId::at(at.now, self.services.rng.as_ref());
        let new = self.new_record(at, (id, RecordKind::Group), data, origins::of_new(at));
        let record = Record {
            id,
            kind: RecordKind::Group,
            version: 1,
            created: at.now,
            modified: at.now,
            document: new.document.clone(),
            person: None,
            grouped: false,
        };
        let mut writes = vec![RecordWrite::Insert(Box::new(new))];
        if !members.is_empty() {
            writes.push(RecordWrite::AddMembers { group: id, members: members.clone() });
            writes.push(RecordWrite::RestateThese { ids: members.clone() });
        }
        self.commit_change(at, unit(at, writes)).await?;
        self.restate_now(at, &members).await;
        Ok(PushDone { record, changed: true })
    }

    /// `data` with the version on which it was computed.
    pub(super) async fn update_group(
        self: &Arc<Self>,
        at: &Pushing<'_>,
        id: RecordId,
        data: Option<(RecordData, i64)>,
        (changes, members): (&[Changed], Vec<MemberChange>),
    ) -> Result<PushDone, PushRefused> {
        let stored = self.pushed_record(at, RecordKind::Group, id).await?;
        let Joining { come, go } = self.joining(at.place, id, &members).await?;
        if data.is_none() && come.is_empty() && go.is_empty() {
            return Ok(PushDone { record: stored.record, changed: false });
        }
        let (mut writes, mut is_renamed) = (Vec::new(), false);
        let mut record = stored.record.clone();
        match data {
            Some((data, version)) if version == stored.record.version => {
                is_renamed = data.group_name != stored.group_name;
                let origins = origins::of_changed(at, stored.origins.clone(), changes);
                let new = self.new_record(at, (id, RecordKind::Group), data, origins);
                record = changed(&stored, &new, at);
                writes.push(RecordWrite::Update { seen: stored.seen(), new: Box::new(new) });
            }
            Some(_) => return Err(PushRefused::Stale),
            None => writes.push(RecordWrite::Touch { id }),
        }
        let others: Vec<_> = come.iter().chain(&go).copied().collect();
        if !come.is_empty() {
            writes.push(RecordWrite::AddMembers { group: id, members: come });
        }
        if !go.is_empty() {
            writes.push(RecordWrite::RemoveMembers { group: id, members: go });
        }
        if !others.is_empty() {
            writes.push(RecordWrite::RestateThese { ids: others.clone() });
        }
        if is_renamed {
            writes.push(RecordWrite::Restate { group: id });
        }
        let pushed = self.commit_change(at, unit(at, writes)).await?;
        if let Some((_, version)) = pushed.versions.first() {
            record.version = *version;
            record.modified = at.now;
        }
        self.restate_now(at, &others).await;
        Ok(PushDone { record, changed: true })
    }

    pub(super) async fn delete_group(
        self: &Arc<Self>,
        at: &Pushing<'_>,
        id: RecordId,
        version: Option<i64>,
    ) -> Result<PushDone, PushRefused> {
        let stored = self.pushed_record(at, RecordKind::Group, id).await?;
        let first = self.pushed.members(at.place, id, None, AT_ONCE).await?;
        // Marked before they are members no more.
        let writes = vec![RecordWrite::Restate { group: id }, RecordWrite::Delete { id, version }];
        self.commit_change(at, unit(at, writes)).await?;
        let members: Vec<_> = first.iter().map(|member| member.id).collect();
        self.restate_now(at, &members).await;
        Ok(PushDone { record: stored.record, changed: true })
    }

    /// Who comes and who goes by some changes, in order. Only who is asked for is looked at, unless all are.
    async fn joining(
        &self,
        place: PushPlace,
        group: RecordId,
        changes: &[MemberChange],
    ) -> Result<Joining, StoreError> {
        let named = changes.iter().flat_map(|change| match change {
            MemberChange::Add(ids) | MemberChange::Remove(ids) | MemberChange::Replace(ids) => ids.as_slice(),
            MemberChange::Clear => &[],
        });
        let named: BTreeSet<_> = named.copied().collect();
        let all = changes.iter().any(|change| matches!(change, MemberChange::Replace(_) | MemberChange::Clear));
        let before: BTreeSet<_> = if all {
            self.pushed_members(place, group).await?.into_iter().collect()
        } else {
            let named: Vec<_> = named.iter().copied().collect();
            self.pushed.has_members(place, group, &named).await?.into_iter().collect()
        };
        Ok(joined(&before, changes))
    }

    async fn pushed_members(&self, place: PushPlace, group: RecordId) -> Result<Vec<RecordId>, StoreError> {
        let mut all: Vec<RecordId> = Vec::new();
        loop {
            let page = self.pushed.members(place, group, all.last().copied(), AT_ONCE).await?;
            let is_last = page.len() < AT_ONCE as usize;
            all.extend(page.into_iter().map(|member| member.id));
            if is_last {
                return Ok(all);
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Joining {
    come: Vec<RecordId>,
    go: Vec<RecordId>,
}

/// Pure. `before` has at least those whom the changes name, or everybody where all are meant.
fn joined(before: &BTreeSet<RecordId>, changes: &[MemberChange]) -> Joining {
    let mut is_in: HashMap<RecordId, bool> = before.iter().map(|id| (*id, true)).collect();
    for change in changes {
        match change {
            MemberChange::Add(ids) => is_in.extend(ids.iter().map(|id| (*id, true))),
            MemberChange::Remove(ids) => is_in.extend(ids.iter().map(|id| (*id, false))),
            MemberChange::Clear => is_in.values_mut().for_each(|is_in| *is_in = false),
            MemberChange::Replace(ids) => {
                is_in.values_mut().for_each(|is_in| *is_in = false);
                is_in.extend(ids.iter().map(|id| (*id, true)));
            }
        }
    }
    let mut come: Vec<_> =
        is_in.iter().filter(|(id, is_in)| **is_in && !before.contains(id)).map(|(id, _)| *id).collect();
    let mut go: Vec<_> =
        is_in.iter().filter(|(id, is_in)| !**is_in && before.contains(id)).map(|(id, _)| *id).collect();
    come.sort_unstable();
    go.sort_unstable();
    Joining { come, go }
}

fn unit(at: &Pushing<'_>, writes: Vec<RecordWrite>) -> PushUnit {
    PushUnit { place: at.place, writes, commands: Vec::new(), ends: Vec::new(), txn: Some(at.txn), now: at.now }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_comes_and_goes_is_written() {
        let id = |number: u128| RecordId::from_octets(number.to_be_bytes());
        let ids = |numbers: &[u128]| numbers.iter().map(|number| id(*number)).collect::<Vec<_>>();
        let before: BTreeSet<_> = ids(&[1, 2]).into_iter().collect();
        let of = |changes: &[MemberChange]| {
            let Joining { come, go } = joined(&before, changes);
            (come, go)
        };
        use MemberChange::{Add, Clear, Remove, Replace};
        assert_eq!(of(&[Add(ids(&[1, 3]))]), (ids(&[3]), ids(&[])));
        assert_eq!(of(&[Remove(ids(&[1, 9]))]), (ids(&[]), ids(&[1])));
        assert_eq!(of(&[Replace(ids(&[2, 3]))]), (ids(&[3]), ids(&[1])));
        assert_eq!(of(&[Clear, Add(ids(&[1]))]), (ids(&[]), ids(&[2])));
        assert_eq!(of(&[Add(ids(&[3])), Remove(ids(&[3]))]), (ids(&[]), ids(&[])));
    }
}
