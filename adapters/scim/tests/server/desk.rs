//! A desk in memory: slow, and honest about names, versions and members.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::{
    MemberChange, PushChange, PushCompleted, PushDesk, PushDone, PushOrder, PushPlace, PushRefused, Record, RecordData,
    RecordKey, RecordKind, Related,
};
use fedbridge_contract::testkit::Distinct;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use serde_json::Value;

#[derive(Default)]
pub struct Desk {
    pub state: Mutex<State>,
}

/// A change of somebody else.
pub type Faster = Box<dyn FnOnce(&mut Record) + Send>;

#[derive(Default)]
pub struct State {
    rows: BTreeMap<RecordId, Row>,
    /// Group, member.
    members: BTreeSet<(RecordId, RecordId)>,
    /// What is done before the next change, by somebody else.
    pub meanwhile: Vec<(RecordId, Faster)>,
    /// Changes that were asked for.
    pub orders: usize,
    pub down: bool,
    /// Somebody hears of what is done.
    pub heard: bool,
    /// What they were told of, by the address of the record.
    pub completed: Vec<(String, Value)>,
}

struct Row {
    place: PushPlace,
    record: Record,
    data: Kept,
}

struct Kept {
    display: String,
    unique: Option<String>,
    external_id: Option<String>,
    keys: Vec<RecordKey>,
}

impl From<&RecordData> for Kept {
    fn from(data: &RecordData) -> Self {
        Self {
            display: data.display.clone(),
            unique: data.unique.clone(),
            external_id: data.external_id.clone(),
            keys: data.keys.clone(),
        }
    }
}

impl State {
    fn of(&self, place: PushPlace, kind: RecordKind) -> impl Iterator<Item = &Row> {
        self.rows.values().filter(move |row| row.place == place && row.record.kind == kind)
    }

    fn is_taken(&self, place: PushPlace, kind: RecordKind, name: Option<&String>, but: Option<RecordId>) -> bool {
        let same = |row: &Row| row.data.unique.as_ref() == name && Some(row.record.id) != but;
        name.is_some() && self.of(place, kind).any(same)
    }

    fn related(&self, place: PushPlace, id: RecordId, direct: bool) -> Option<Related> {
        let row = self.rows.get(&id).filter(|row| row.place == place)?;
        Some(Related { id, kind: row.record.kind, display: row.data.display.clone(), direct })
    }

    fn all_there(&self, place: PushPlace, ids: &[RecordId]) -> Result<(), PushRefused> {
        let there = |id: &RecordId| self.rows.get(id).is_some_and(|row| row.place == place);
        match ids.iter().find(|id| !there(id)) {
            Some(id) => Err(PushRefused::NoSuchMember(id.to_string())),
            None => Ok(()),
        }
    }

    /// Whether anything was different.
    fn join(&mut self, place: PushPlace, group: RecordId, change: &MemberChange) -> Result<bool, PushRefused> {
        let before = self.members.clone();
        match change {
            MemberChange::Add(ids) => {
                self.all_there(place, ids)?;
                self.members.extend(ids.iter().map(|id| (group, *id)));
            }
            MemberChange::Remove(ids) => self.members.retain(|(of, member)| *of != group || !ids.contains(member)),
            MemberChange::Replace(ids) => {
                self.all_there(place, ids)?;
                self.members.retain(|(of, _)| *of != group);
                self.members.extend(ids.iter().map(|id| (group, *id)));
            }
            MemberChange::Clear => self.members.retain(|(of, _)| *of != group),
        }
        Ok(self.members != before)
    }

    fn shown(&self, row: &Row) -> Record {
        self.with_groups(row.record.clone())
    }

    fn with_groups(&self, record: Record) -> Record {
        Record { grouped: self.members.iter().any(|(_, member)| *member == record.id), ..record }
    }

    fn push(&mut self, place: PushPlace, change: PushChange, now: Timestamp) -> Result<PushDone, PushRefused> {
        match change {
            PushChange::Create { kind, data, members } => {
                if self.is_taken(place, kind, data.unique.as_ref(), None) {
                    return Err(PushRefused::Taken(None));
                }
                self.all_there(place, &members)?;
                let id = RecordId::at(now, &Distinct);
                let record = Record {
                    id,
                    kind,
                    version: 1,
                    created: now,
                    modified: now,
                    document: data.document.clone(),
                    person: None,
                    grouped: false,
                };
                self.rows.insert(id, Row { place, record: record.clone(), data: Kept::from(&*data) });
                self.members.extend(members.into_iter().map(|member| (id, member)));
                Ok(PushDone { record, changed: true })
            }
            PushChange::Update { kind, id, data, version, members, .. } => {
                if let Some(data) = &data
                    && self.is_taken(place, kind, data.unique.as_ref(), Some(id))
                {
                    return Err(PushRefused::Taken(None));
                }
                let row = self.rows.get(&id).filter(|row| row.place == place).ok_or(PushRefused::Gone)?;
                if data.is_some() && row.record.version != version {
                    return Err(PushRefused::Stale);
                }
                let mut changed = data.is_some();
                for change in &members {
                    changed |= self.join(place, id, change)?;
                }
                let row = self.rows.get_mut(&id).ok_or(PushRefused::Gone)?;
                if let Some(data) = data {
                    row.record.document = data.document.clone();
                    row.data = Kept::from(&*data);
                }
                if changed {
                    row.record.version += 1;
                    row.record.modified = now;
                }
                let record = row.record.clone();
                Ok(PushDone { record: self.with_groups(record), changed })
            }
            PushChange::Delete { id, version, .. } => {
                let row = self.rows.get(&id).filter(|row| row.place == place).ok_or(PushRefused::Gone)?;
                if version.is_some_and(|version| version != row.record.version) {
                    return Err(PushRefused::Stale);
                }
                self.members.retain(|(group, member)| *group != id && *member != id);
                let row = self.rows.remove(&id).ok_or(PushRefused::Gone)?;
                Ok(PushDone { record: row.record, changed: true })
            }
        }
    }
}

impl Desk {
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// So many more like the first record, of other names.
    pub fn crowd(&self, count: usize, now: Timestamp) {
        let mut state = self.state.lock().unwrap();
        let first = state.rows.values().next().unwrap();
        let (place, record) = (first.place, first.record.clone());
        for number in 0..count {
            let id = RecordId::at(now, &Distinct);
            let data = Kept { display: format!("u{number}"), unique: None, external_id: None, keys: Vec::new() };
            state.rows.insert(id, Row { place, record: Record { id, ..record.clone() }, data });
        }
    }

    fn read<T>(&self, work: impl FnOnce(&State) -> T) -> Result<T, StoreError> {
        let state = self.state.lock().unwrap();
        if state.down { Err(StoreError("down".into())) } else { Ok(work(&state)) }
    }
}

#[async_trait]
impl PushDesk for Desk {
    async fn record(&self, place: PushPlace, kind: RecordKind, id: RecordId) -> Result<Option<Record>, StoreError> {
        self.read(|state| state.of(place, kind).find(|row| row.record.id == id).map(|row| state.shown(row)))
    }

    async fn look_up(
        &self,
        place: PushPlace,
        kind: RecordKind,
        key: &RecordKey,
        most: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let has = |row: &&Row| match key {
            RecordKey::Unique(name) => row.data.unique.as_ref() == Some(name),
            RecordKey::ExternalId(id) => row.data.external_id.as_ref() == Some(id),
            key => row.data.keys.contains(key),
        };
        self.read(|state| state.of(place, kind).filter(has).take(most as usize).map(|row| state.shown(row)).collect())
    }

    async fn page(
        &self,
        place: PushPlace,
        kind: RecordKind,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let behind = |row: &&Row| after.is_none_or(|after| row.record.id > after);
        self.read(|state| {
            state.of(place, kind).filter(behind).take(most as usize).map(|row| state.shown(row)).collect()
        })
    }

    async fn page_at(
        &self,
        place: PushPlace,
        kind: RecordKind,
        skip: u64,
        most: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let (skip, most) = (skip as usize, most as usize);
        self.read(|state| state.of(place, kind).skip(skip).take(most).map(|row| state.shown(row)).collect())
    }

    async fn count(&self, place: PushPlace, kind: RecordKind) -> Result<u64, StoreError> {
        self.read(|state| state.of(place, kind).count() as u64)
    }

    async fn members(
        &self,
        place: PushPlace,
        group: RecordId,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<Related>, StoreError> {
        self.read(|state| {
            let of = state.members.iter().filter(|(of, member)| *of == group && after.is_none_or(|it| *member > it));
            of.take(most as usize).filter_map(|(_, member)| state.related(place, *member, true)).collect()
        })
    }

    async fn has_members(
        &self,
        place: PushPlace,
        group: RecordId,
        of: &[RecordId],
    ) -> Result<Vec<RecordId>, StoreError> {
        self.read(|state| {
            of.iter()
                .copied()
                .filter(|id| state.members.contains(&(group, *id)) && state.related(place, group, true).is_some())
                .collect()
        })
    }

    async fn groups_of(
        &self,
        place: PushPlace,
        members: &[RecordId],
    ) -> Result<Vec<(RecordId, Vec<Related>)>, StoreError> {
        self.read(|state| {
            let groups = |id: &RecordId| {
                let (mut found, mut look) = (Vec::new(), vec![(*id, true)]);
                let mut seen = BTreeSet::new();
                while let Some((id, direct)) = look.pop() {
                    for (group, _) in state.members.iter().filter(|(_, member)| *member == id) {
                        if seen.insert(*group) {
                            found.extend(state.related(place, *group, direct));
                            look.push((*group, false));
                        }
                    }
                }
                (*id, found)
            };
            members.iter().map(groups).collect()
        })
    }

    async fn completed(&self, done: PushCompleted<'_>) -> Result<bool, StoreError> {
        let mut state = self.state.lock().unwrap();
        if state.heard {
            state.completed.push((done.uri, done.outcome));
        }
        Ok(state.heard)
    }

    async fn push(&self, order: PushOrder<'_>, _trace: &mut TraceLog) -> Result<PushDone, PushRefused> {
        let mut state = self.state.lock().unwrap();
        if state.down {
            return Err(PushRefused::Store("down".into()));
        }
        state.orders += 1;
        for (id, change) in std::mem::take(&mut state.meanwhile) {
            if let Some(row) = state.rows.get_mut(&id) {
                change(&mut row.record);
                row.record.version += 1;
            }
        }
        // Whole or not at all.
        let before = state.members.clone();
        let place = PushPlace { tenant: order.tenant.id, connection: order.connection };
        let done = state.push(place, order.change, order.now);
        if done.is_err() {
            state.members = before;
        }
        done
    }
}
