//! A record as a client sees it (RFC 7643 section 3).

use std::collections::HashMap;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::{Record, Related};
use fedbridge_scim_core::filter::{Filter, MembersAsked};
use fedbridge_scim_core::projection::Projection;
use fedbridge_scim_core::resource::Resource;
use fedbridge_scim_core::{ResourceKind, version};
use serde_json::{Map, Value, json};

use crate::data::resource_kind;
use crate::endpoint::Endpoint;
use crate::members::id_of;

/// What of a record has to be found out elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub members: MembersAsked,
    /// With their names.
    pub named: bool,
    pub groups: bool,
}

impl Wanted {
    pub fn by_filter(filter: &Filter<'_>) -> Self {
        Self { members: filter.members_asked(), named: true, groups: filter.asks_for_groups() }
    }

    pub fn by_projection(projection: &Projection<'_>, kind: ResourceKind) -> Self {
        let members = kind == ResourceKind::Group && projection.wants("members");
        let members = if members { MembersAsked::All } else { MembersAsked::Nothing };
        let groups = kind == ResourceKind::User && projection.wants("groups");
        Self { members, named: projection.names("members", "display"), groups }
    }
}

impl Endpoint {
    pub fn location(&self, kind: ResourceKind, id: RecordId) -> String {
        format!("{}/{}/{id}", self.base, kind.endpoint())
    }

    /// Records as they are shown, in the same order, with what is wanted besides.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn views(&self, records: Vec<Record>, wanted: &Wanted) -> Result<Vec<Map<String, Value>>, StoreError> {
        let mut groups = HashMap::new();
        let grouped: Vec<_> = records.iter().filter(|record| record.grouped).map(|record| record.id).collect();
        if wanted.groups && !grouped.is_empty() {
            groups.extend(self.services.pushed.groups_of(self.place(), &grouped).await?);
        }
        let mut views = Vec::with_capacity(records.len());
        for record in records {
            let (id, kind) = (record.id, resource_kind(record.kind));
            let mut view = self.view(record);
            if let Some(groups) = groups.remove(&id).filter(|groups| !groups.is_empty()) {
                view.insert("groups".to_owned(), groups.iter().map(|group| self.group_of(group)).collect());
            }
            if kind == ResourceKind::Group {
                let members = self.members_shown(id, wanted).await?;
                if !members.is_empty() {
                    view.insert("members".to_owned(), Value::Array(members));
                }
            }
            views.push(view);
        }
        Ok(views)
    }

    /// Without members and groups.
    fn view(&self, record: Record) -> Map<String, Value> {
        let kind = resource_kind(record.kind);
        let resource = Resource { kind, document: members_of(record.document) };
        let mut view = Map::new();
        view.insert("schemas".to_owned(), resource.schemas().into_iter().collect());
        view.insert("id".to_owned(), record.id.to_string().into());
        view.extend(resource.document);
        view.insert(
            "meta".to_owned(),
            json!({
                "resourceType": kind.name(),
                "created": record.created.rfc3339(),
                "lastModified": record.modified.rfc3339(),
                "location": self.location(kind, record.id),
                "version": version::tag(record.version),
            }),
        );
        view
    }

    async fn members_shown(&self, group: RecordId, wanted: &Wanted) -> Result<Vec<Value>, StoreError> {
        match &wanted.members {
            MembersAsked::Nothing => Ok(Vec::new()),
            MembersAsked::Whether(ids) => {
                let ids: Vec<_> = ids.iter().filter_map(|id| id_of(id)).collect();
                let found = self.services.pushed.has_members(self.place(), group, &ids).await?;
                Ok(found.into_iter().map(|id| json!({ "value": id.to_string() })).collect())
            }
            MembersAsked::All => {
                let all = self.all_members(group).await?;
                Ok(all.iter().map(|member| self.member(member, wanted.named)).collect())
            }
        }
    }

    /// RFC 7643 section 8.7.1 has no name there, so it is shown where it is asked for.
    pub fn member(&self, member: &Related, named: bool) -> Value {
        let kind = resource_kind(member.kind);
        let mut shown = json!({
            "value": member.id.to_string(),
            "$ref": self.location(kind, member.id),
            "type": kind.name(),
        });
        if named {
            shown["display"] = member.display.clone().into();
        }
        shown
    }

    fn group_of(&self, group: &Related) -> Value {
        json!({
            "value": group.id.to_string(),
            "$ref": self.location(ResourceKind::Group, group.id),
            "type": if group.direct { "direct" } else { "indirect" },
            "display": group.display,
        })
    }
}

/// The document as it is kept.
pub fn members_of(document: Value) -> Map<String, Value> {
    match document {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
