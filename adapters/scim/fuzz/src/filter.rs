//! Reads filters, and asks who matches them.

use fedbridge_scim_core::ResourceKind;
use fedbridge_scim_core::filter::{Filter, LONGEST, Lookup, MembersAsked, Strange, folded};
use serde_json::{Map, Value, json};

use crate::world::{SCHEMAS, draft, somebody};

/// The first line is a filter, the rest a user or a group, perhaps.
///
/// # Panics
/// An index or a shortened view would find others than the filter means, or `not` is not the opposite.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let (text, body) = text.split_once('\n').unwrap_or((text, ""));
    let body = fedbridge_scim_core::json::read(body.as_bytes()).ok();
    for kind in ResourceKind::ALL {
        let absent = Filter::parse(text, &SCHEMAS, kind, Strange::Absent);
        let Ok(filter) = Filter::parse(text, &SCHEMAS, kind, Strange::Refused) else {
            if let Ok(absent) = absent {
                means(&absent, kind, &view(kind, body.clone()));
            }
            continue;
        };
        assert!(text.len() <= LONGEST, "too long, and read");
        assert_eq!(absent.as_ref(), Ok(&filter), "what is known is read in two ways");
        let view = view(kind, body.clone());
        means(&filter, kind, &view);
        let opposite = format!("not ({text})");
        if let Ok(opposite) = Filter::parse(&opposite, &SCHEMAS, kind, Strange::Refused) {
            assert_ne!(opposite.matches(&view), filter.matches(&view), "not the opposite: {text}");
        }
    }
}

/// A resource with all that a view adds.
fn view(kind: ResourceKind, body: Option<Value>) -> Map<String, Value> {
    let sent = body.and_then(|body| draft(kind, body));
    let members =
        sent.as_ref().and_then(|draft| draft.members.clone()).unwrap_or_else(|| vec!["u1".into(), "U2".into()]);
    let mut view = sent.map_or_else(|| somebody(kind), |draft| draft.resource).document;
    view.insert("id".into(), json!("0190-a"));
    view.insert("schemas".into(), json!([kind.urn()]));
    view.insert("meta".into(), json!({ "resourceType": kind.name(), "created": "2026-11-23T04:42:34.5+01:00" }));
    match kind {
        ResourceKind::User => drop(view.insert("groups".into(), json!([{ "value": "g1", "display": "Ops" }]))),
        ResourceKind::Group if members.is_empty() => {}
        ResourceKind::Group => {
            let members: Value = members.iter().map(|id| json!({ "value": id, "type": "User" })).collect();
            view.insert("members".into(), members);
        }
    }
    view
}

fn means(filter: &Filter<'_>, kind: ResourceKind, view: &Map<String, Value>) {
    let matches = filter.matches(view);
    if let (true, Some(lookup)) = (matches, filter.lookup(kind)) {
        assert!(finds(&lookup, view), "{lookup:?} does not find {view:?}");
    }
    let without = |name: &str| {
        let mut view = view.clone();
        view.shift_remove(name);
        view
    };
    if !filter.asks_for_groups() {
        assert_eq!(filter.matches(&without("groups")), matches, "groups decide");
    }
    match filter.members_asked() {
        MembersAsked::All => {}
        MembersAsked::Nothing => assert_eq!(filter.matches(&without("members")), matches, "members decide"),
        MembersAsked::Whether(ids) => {
            let mut fewer = without("members");
            let asked = |member: &&Value| ids.iter().any(|id| member["value"] == id.as_str());
            let members: Vec<_> = values(view, "members").filter(asked).cloned().collect();
            if !members.is_empty() {
                fewer.insert("members".into(), members.into());
            }
            assert_eq!(filter.matches(&fewer), matches, "other members decide than {ids:?}");
        }
    }
}

/// Whether a store that looks up so would come upon the resource.
fn finds(lookup: &Lookup, view: &Map<String, Value>) -> bool {
    let text = |name: &str| view.get(name).and_then(Value::as_str);
    let is_folded = |name: &str, wanted: &String| text(name).is_some_and(|text| folded(text) == *wanted);
    match lookup {
        Lookup::Id(id) => text("id") == Some(id),
        Lookup::ExternalId(id) => text("externalId") == Some(id),
        Lookup::UserName(name) => is_folded("userName", name),
        Lookup::DisplayName(name) => is_folded("displayName", name),
        Lookup::Email(address) => values(view, "emails")
            .any(|email| email.get("value").and_then(Value::as_str).is_some_and(|value| folded(value) == *address)),
        Lookup::Member(id) => values(view, "members").any(|member| member["value"] == id.as_str()),
        Lookup::Nobody => false,
    }
}

fn values<'v>(view: &'v Map<String, Value>, name: &str) -> impl Iterator<Item = &'v Value> {
    view.get(name).and_then(Value::as_array).into_iter().flatten()
}
