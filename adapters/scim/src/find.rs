//! Records by a filter: by an index where the filter has one, else by looking at all of them.

use std::ops::ControlFlow;

use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::{Record, RecordKey};
use fedbridge_scim_core::filter::{Filter, Lookup};
use fedbridge_scim_core::{Fault, ResourceKind, ScimType};

use crate::answer::Refused;
use crate::data::record_kind;
use crate::endpoint::Asked;
use crate::members::id_of;
use crate::view::Wanted;

/// Records that one key is expected to find.
const BY_KEY: u32 = 1_000;

/// Records that are read at once while all are looked at.
const AT_ONCE: u32 = 500;

/// So many are looked at for one filter that no index serves.
const LOOKED_AT: usize = 100_000;

impl Asked<'_> {
    /// Those of one kind that a filter means, found by an index. `None`: none serves it.
    pub async fn indexed(&self, kind: ResourceKind, filter: &Filter<'_>) -> Result<Option<Vec<Record>>, Refused> {
        let (desk, place, of) = (&self.endpoint.services.pushed, self.endpoint.place(), record_kind(kind));
        let key = match filter.lookup(kind) {
            None => return Ok(None),
            Some(Lookup::Nobody) => return Ok(Some(Vec::new())),
            Some(Lookup::Id(id)) => {
                let found = match id_of(&id) {
                    Some(id) => desk.record(place, of, id).await?,
                    None => None,
                };
                return self.meant(filter, found.into_iter().collect()).await.map(Some);
            }
            Some(Lookup::Member(id)) => {
                let Some(id) = id_of(&id) else { return Ok(Some(Vec::new())) };
                let mut found = Vec::new();
                for (_, groups) in desk.groups_of(place, &[id]).await? {
                    for group in groups.iter().filter(|group| group.direct) {
                        found.extend(desk.record(place, of, group.id).await?);
                    }
                }
                found.sort_by_key(|record| record.id);
                return self.meant(filter, found).await.map(Some);
            }
            Some(Lookup::UserName(name)) => RecordKey::Unique(name),
            Some(Lookup::ExternalId(id)) => RecordKey::ExternalId(id),
            Some(Lookup::Email(email)) => RecordKey::Email(email),
            Some(Lookup::DisplayName(name)) => RecordKey::Display(name),
        };
        let found = desk.look_up(place, of, &key, BY_KEY).await?;
        if found.len() >= BY_KEY as usize {
            // There may be more: all are looked at.
            return Ok(None);
        }
        self.meant(filter, found).await.map(Some)
    }

    /// Those of some records that a filter means.
    async fn meant(&self, filter: &Filter<'_>, records: Vec<Record>) -> Result<Vec<Record>, Refused> {
        let views = self.endpoint.views(records.clone(), &Wanted::by_filter(filter)).await?;
        let meant = records.into_iter().zip(views).filter(|(_, view)| filter.matches(view));
        Ok(meant.map(|(record, _)| record).collect())
    }

    /// Looks at all of one kind behind a place, and shows those that a filter means until there are enough. Gives back
    /// whether that was all.
    ///
    /// # Errors
    /// `tooMany` where more would have to be looked at than one request may.
    pub async fn look_through(
        &self,
        kind: ResourceKind,
        filter: &Filter<'_>,
        mut after: Option<RecordId>,
        mut show: impl FnMut(Record) -> ControlFlow<()>,
    ) -> Result<bool, Refused> {
        let mut looked = 0;
        loop {
            let page =
                self.endpoint.services.pushed.page(self.endpoint.place(), record_kind(kind), after, AT_ONCE).await?;
            let is_last = page.len() < AT_ONCE as usize;
            looked += page.len();
            after = page.last().map(|record| record.id);
            for record in self.meant(filter, page).await? {
                if show(record).is_break() {
                    return Ok(false);
                }
            }
            if is_last {
                return Ok(true);
            }
            if looked >= LOOKED_AT {
                let detail =
                    format!("no index serves this filter, and more than {LOOKED_AT} resources would have to be read");
                return Err(Fault::new(ScimType::TooMany, detail).into());
            }
        }
    }
}
