//! Reading: one resource, lists and searches (RFC 7644 section 3.4).

use std::ops::ControlFlow;

use fedbridge_contract::push::Record;
use fedbridge_scim_core::filter::{Filter, Strange};
use fedbridge_scim_core::list::{Paging, Query, Standing, response};
use fedbridge_scim_core::projection::Projection;
use fedbridge_scim_core::{Fault, ResourceKind, version};
use serde_json::Value;

use crate::answer::{Answer, Answered, Refused, not_found};
use crate::cursor::Cursor;
use crate::data::record_kind;
use crate::endpoint::Asked;
use crate::members::id_of;
use crate::view::Wanted;

/// Resources of one answer: where nothing is said, and at most.
pub const PAGE: u64 = 100;
pub const MOST: u64 = 1_000;

impl Asked<'_> {
    pub async fn get(&self, kind: ResourceKind, id: &str) -> Answered {
        let query = self.query()?;
        let projection = self.projection(&query, kind)?;
        let record = self.record(kind, id).await?;
        if self.request.input.if_none_match.as_deref().is_some_and(|tags| version::names(tags, record.version)) {
            return Ok(Answer { etag: Some(version::tag(record.version)), ..Answer::empty(304) });
        }
        self.shown(200, kind, record, &projection).await
    }

    /// # Errors
    /// 404.
    pub async fn record(&self, kind: ResourceKind, id: &str) -> Result<Record, Refused> {
        let id = id_of(id).ok_or_else(not_found)?;
        let found = self.endpoint.services.pushed.record(self.endpoint.place(), record_kind(kind), id).await?;
        Ok(found.ok_or_else(not_found)?)
    }

    pub fn projection(&self, query: &Query, kind: ResourceKind) -> Result<Projection<'_>, Fault> {
        let schemas = &self.endpoint.settings.schemas;
        Projection::read(query.attributes.as_deref(), query.excluded.as_deref(), schemas, kind)
    }

    /// One resource as an answer.
    pub async fn shown(
        &self,
        status: u16,
        kind: ResourceKind,
        record: Record,
        projection: &Projection<'_>,
    ) -> Answered {
        let (etag, location) = (version::tag(record.version), self.endpoint.location(kind, record.id));
        let views = self.endpoint.views(vec![record], &Wanted::by_projection(projection, kind)).await?;
        let body = views.into_iter().next().map(|view| Value::Object(projection.apply(view)));
        Ok(Answer { status, body, etag: Some(etag), location: Some(location), txn: None })
    }

    /// Resources of some kinds, those of the first one first.
    pub async fn list(&self, kinds: &[ResourceKind], query: Query) -> Answered {
        let most = query.count.unwrap_or(PAGE).min(MOST);
        let (found, total, standing) = match &query.paging {
            Paging::Index(start) => self.by_index(kinds, &query, (*start, most)).await?,
            Paging::Cursor(cursor) => self.by_cursor(kinds, &query, (cursor.as_deref(), most)).await?,
        };
        let mut resources = Vec::new();
        for (kind, records) in found {
            let projection = self.projection(&query, kind)?;
            let views = self.endpoint.views(records, &Wanted::by_projection(&projection, kind)).await?;
            resources.extend(views.into_iter().map(|view| Value::Object(projection.apply(view))));
        }
        Ok(Answer::ok(response(total, resources, &standing)))
    }

    async fn by_index(&self, kinds: &[ResourceKind], query: &Query, (start, most): (u64, u64)) -> Page {
        let (desk, place) = (&self.endpoint.services.pushed, self.endpoint.place());
        let (mut found, mut total, mut left) = (Vec::new(), 0, most);
        let mut skip = start.saturating_sub(1);
        for &kind in kinds {
            let (all, records) = match self.filter(query, kind, kinds)? {
                None => {
                    let all = desk.count(place, record_kind(kind)).await?;
                    let records = match (left, skip < all) {
                        (1.., true) => {
                            let left = u32::try_from(left).unwrap_or(u32::MAX);
                            desk.page_at(place, record_kind(kind), skip, left).await?
                        }
                        _ => Vec::new(),
                    };
                    (all, records)
                }
                Some(filter) => {
                    // All are counted, and only those of the page are kept.
                    let (mut all, mut records) = (0, Vec::new());
                    let mut show = |record| {
                        if all >= skip && (records.len() as u64) < left {
                            records.push(record);
                        }
                        all += 1;
                        ControlFlow::Continue(())
                    };
                    match self.indexed(kind, &filter).await? {
                        Some(found) => drop(found.into_iter().try_for_each(show)),
                        None => drop(self.look_through(kind, &filter, None, &mut show).await?),
                    }
                    (all, records)
                }
            };
            total += all;
            skip = skip.saturating_sub(all);
            left = left.saturating_sub(records.len() as u64);
            found.push((kind, records));
        }
        Ok((found, Some(total), Standing::Index(start)))
    }

    async fn by_cursor(&self, kinds: &[ResourceKind], query: &Query, (cursor, most): (Option<&str>, u64)) -> Page {
        let asked = signature(kinds, query);
        let mut at = match cursor {
            Some(cursor) => self.read_cursor(cursor, &asked)?,
            None => Cursor { kind: 0, after: None },
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        if most == 0 {
            let next = Some(self.cursor(at, &asked));
            return Ok((Vec::new(), None, Standing::Cursors { next, previous: None }));
        }
        let (mut found, mut count) = (Vec::new(), 0);
        while let Some(&kind) = kinds.get(usize::from(at.kind)) {
            let (records, is_all) = self.behind(kind, kinds, query, (at, most - count)).await?;
            count += records.len();
            let last = records.last().map(|record| record.id).or(at.after);
            found.push((kind, records));
            if !is_all {
                let next = Some(self.cursor(Cursor { after: last, ..at }, &asked));
                return Ok((found, None, Standing::Cursors { next, previous: None }));
            }
            at = Cursor { kind: at.kind.saturating_add(1), after: None };
            if count == most && usize::from(at.kind) < kinds.len() {
                let next = Some(self.cursor(at, &asked));
                return Ok((found, None, Standing::Cursors { next, previous: None }));
            }
        }
        Ok((found, None, Standing::Cursors { next: None, previous: None }))
    }

    /// Some of one kind behind a place, and whether there are no more.
    async fn behind(
        &self,
        kind: ResourceKind,
        kinds: &[ResourceKind],
        query: &Query,
        (at, most): (Cursor, usize),
    ) -> Result<(Vec<Record>, bool), Refused> {
        let is_behind = |record: &Record| at.after.is_none_or(|after| record.id > after);
        match self.filter(query, kind, kinds)? {
            None => {
                let one_more = u32::try_from(most).unwrap_or(u32::MAX).saturating_add(1);
                let desk = &self.endpoint.services.pushed;
                let mut page = desk.page(self.endpoint.place(), record_kind(kind), at.after, one_more).await?;
                let is_all = page.len() <= most;
                page.truncate(most);
                Ok((page, is_all))
            }
            Some(filter) => match self.indexed(kind, &filter).await? {
                Some(all) => {
                    let mut found: Vec<_> = all.into_iter().filter(is_behind).collect();
                    let is_all = found.len() <= most;
                    found.truncate(most);
                    Ok((found, is_all))
                }
                None => {
                    let mut found = Vec::new();
                    let show = |record| {
                        // One more is there, so this is not all.
                        if found.len() == most {
                            return ControlFlow::Break(());
                        }
                        found.push(record);
                        ControlFlow::Continue(())
                    };
                    let is_all = self.look_through(kind, &filter, at.after, show).await?;
                    Ok((found, is_all))
                }
            },
        }
    }

    fn filter(&self, query: &Query, kind: ResourceKind, kinds: &[ResourceKind]) -> Result<Option<Filter<'_>>, Fault> {
        let strange = if kinds.len() > 1 { Strange::Absent } else { Strange::Refused };
        let schemas = &self.endpoint.settings.schemas;
        query.filter.as_deref().map(|text| Filter::parse(text, schemas, kind, strange)).transpose()
    }
}

/// What was found by kind, how many there are in all where that is known, and where the page stands.
type Page = Result<(Vec<(ResourceKind, Vec<Record>)>, Option<u64>, Standing), Refused>;

/// What a cursor is good for. How much a page has may change on the way.
fn signature(kinds: &[ResourceKind], query: &Query) -> String {
    let kinds: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    format!("{}\n{}", kinds.join(","), query.filter.as_deref().unwrap_or_default())
}
