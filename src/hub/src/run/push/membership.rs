//! Which groups somebody is in, by way of others too.

use std::collections::{HashMap, HashSet};

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::{PushPlace, Related};

use crate::ports::StoredRecord;
use crate::run::Hub;

/// Groups of one member that count; and how often groups are asked for theirs.
const MOST: usize = 1_000;
const DEPTH: usize = 20;

impl Hub {
    /// Groups that are in themselves are looked at once.
    pub(super) async fn pushed_groups_of(
        &self,
        place: PushPlace,
        members: &[RecordId],
    ) -> Result<Vec<(RecordId, Vec<Related>)>, StoreError> {
        let mut above: HashMap<RecordId, Vec<Related>> = HashMap::new();
        let mut look: Vec<RecordId> = members.to_vec();
        for _ in 0..DEPTH {
            look.sort_unstable();
            look.dedup();
            look.retain(|id| !above.contains_key(id));
            if look.is_empty() {
                break;
            }
            look.iter().for_each(|id| drop(above.insert(*id, Vec::new())));
            let mut next = Vec::new();
            for (member, group) in self.pushed.groups_of(place, &look).await? {
                next.push(group.id);
                above.entry(member).or_default().push(group);
            }
            look = next;
        }
        Ok(members.iter().map(|member| (*member, upwards(*member, &above))).collect())
    }

    /// The same of a record that was just read, which says whether there are any.
    pub(super) async fn names_of_groups(
        &self,
        place: PushPlace,
        stored: &StoredRecord,
    ) -> Result<Vec<String>, StoreError> {
        match stored.record.grouped {
            true => self.pushed_group_names(place, stored.record.id).await,
            false => Ok(Vec::new()),
        }
    }

    /// The names that stand in somebody's `groups`.
    pub(in crate::run) async fn pushed_group_names(
        &self,
        place: PushPlace,
        member: RecordId,
    ) -> Result<Vec<String>, StoreError> {
        let groups = self.pushed_groups_of(place, &[member]).await?;
        Ok(groups.into_iter().flat_map(|(_, groups)| groups).map(|group| group.display).collect())
    }
}

/// The nearest groups first. Pure.
fn upwards(member: RecordId, above: &HashMap<RecordId, Vec<Related>>) -> Vec<Related> {
    let (mut found, mut seen) = (Vec::new(), HashSet::from([member]));
    let mut level = vec![member];
    let mut direct = true;
    while !level.is_empty() && found.len() < MOST {
        let mut next = Vec::new();
        for group in level.iter().filter_map(|id| above.get(id)).flatten() {
            if seen.insert(group.id) {
                next.push(group.id);
                found.push(Related { direct, ..group.clone() });
            }
        }
        (level, direct) = (next, false);
    }
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use fedbridge_contract::push::RecordKind;

    use super::*;

    #[test]
    fn groups_of_groups_are_found_and_circles_end() {
        let id = |number: u128| RecordId::from_octets(number.to_be_bytes());
        let group =
            |number| Related { id: id(number), kind: RecordKind::Group, display: number.to_string(), direct: true };
        // 1 is in 2 and 3, 2 is in 3, 3 is in 2 and in 4.
        let above = HashMap::from([
            (id(1), vec![group(2), group(3)]),
            (id(2), vec![group(3)]),
            (id(3), vec![group(2), group(4)]),
        ]);
        let of = |number| upwards(id(number), &above).into_iter().map(|it| (it.display, it.direct)).collect::<Vec<_>>();
        assert_eq!(of(1), [("2".into(), true), ("3".into(), true), ("4".into(), false)]);
        assert_eq!(of(2), [("3".into(), true), ("4".into(), false)], "nobody is in a group by being it");
        assert!(of(4).is_empty());
    }
}
