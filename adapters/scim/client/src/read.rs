//! What an app answers, read with care: it may leave out, repeat or make up.

use serde_json::{Map, Value, json};

use crate::path::member;

/// A user or a group as the app has it.
#[derive(Debug, Clone, PartialEq)]
pub struct RemoteResource {
    /// The app's own, opaque.
    pub id: String,
    pub document: Map<String, Value>,
}

/// The longest id that is kept, in octets.
const LONGEST_ID: usize = 512;

impl RemoteResource {
    /// `None`: it has no id that could be used.
    pub fn read(value: Value) -> Option<Self> {
        let Value::Object(document) = value else { return None };
        let id = match member(&document, "id")? {
            Value::String(id) => id.clone(),
            // Some count, though RFC 7643 section 3.1 wants a text.
            Value::Number(id) => id.to_string(),
            _ => return None,
        };
        // A path with dots alone in it leads elsewhere, however they are written.
        let leads_there = !matches!(id.as_str(), "" | "." | "..");
        (leads_there && id.len() <= LONGEST_ID).then_some(Self { id, document })
    }

    /// With these attributes alone; of members only their ids. What an app says besides is not worth the memory, where all
    /// that it has is read.
    #[must_use]
    pub fn with_only(self, names: &[&str]) -> Self {
        let kept = |name: &str| names.iter().any(|it| it.eq_ignore_ascii_case(name));
        let mut document: Map<String, Value> = self.document.into_iter().filter(|(name, _)| kept(name)).collect();
        for (_, members) in document.iter_mut().filter(|(name, _)| name.eq_ignore_ascii_case("members")) {
            for one in members.as_array_mut().into_iter().flatten() {
                let id = one.get_mut("value").map(Value::take).unwrap_or_default();
                *one = json!({ "value": id });
            }
        }
        Self { id: self.id, document }
    }

    /// About how many octets of memory it takes.
    pub fn weight(&self) -> usize {
        self.id.len() + self.document.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>()
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        member(&self.document, name)?.as_str().filter(|text| !text.is_empty())
    }

    /// Ids of a group's members, in the app's own order.
    pub fn members(&self) -> Vec<&str> {
        let all = member(&self.document, "members").and_then(Value::as_array);
        all.into_iter().flatten().filter_map(|one| one.get("value")?.as_str()).collect()
    }
}

fn weight(value: &Value) -> usize {
    /// Of any value, with its place in what holds it.
    const EACH: usize = 64;
    let inside = match value {
        Value::String(text) => text.len(),
        Value::Array(all) => all.iter().map(weight).sum(),
        Value::Object(members) => members.iter().map(|(name, value)| name.len() + weight(value)).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    };
    EACH + inside
}

/// One page of a list (RFC 7644 section 3.4.2).
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    pub resources: Vec<RemoteResource>,
    /// Of all pages, where the app says so.
    pub total: Option<u64>,
    /// How many there were, with those that could not be read.
    pub count: usize,
}

impl Page {
    /// `None`: it is no list.
    pub fn read(body: Value) -> Option<Self> {
        let Value::Object(mut members) = body else { return None };
        let total = member(&members, "totalResults").and_then(Value::as_u64);
        let name = members.keys().find(|name| name.eq_ignore_ascii_case("Resources")).cloned();
        let all = match name.and_then(|name| members.shift_remove(&name)) {
            Some(Value::Array(all)) => all,
            // No results may come without the list.
            None | Some(Value::Null) if total.is_some() => Vec::new(),
            _ => return None,
        };
        let count = all.len();
        Some(Self { resources: all.into_iter().filter_map(RemoteResource::read).collect(), total, count })
    }
}

/// The app's own words about a refusal (RFC 7644 section 3.12): its code, and a sentence.
pub fn refusal(body: &[u8]) -> (Option<String>, String) {
    let Ok(Value::Object(error)) = serde_json::from_slice::<Value>(body) else { return (None, String::new()) };
    let text = |name| member(&error, name).and_then(Value::as_str).map(str::to_owned);
    (text("scimType"), text("detail").unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_what_is_looked_at_is_kept() {
        let there =
            json!({ "id": "a", "displayName": "x", "Members": [{ "value": "u", "display": "long" }, 3], "photo": "p" });
        let there = RemoteResource::read(there).unwrap();
        let kept = there.clone().with_only(&["displayname", "members"]);
        assert_eq!(
            kept.document,
            *json!({ "displayName": "x", "Members": [{ "value": "u" }, { "value": null }] }).as_object().unwrap()
        );
        assert!(kept.weight() > "displayNamexMembersvalueu".len());
        assert_eq!(kept.members(), there.members());
        let nowhere = [".", "..", ""].map(|id| RemoteResource::read(json!({ "id": id })));
        assert_eq!(nowhere, [None, None, None]);
    }

    #[test]
    fn lists_come_in_several_forms() {
        let page = Page::read(json!({ "totalResults": 3, "Resources": [{ "id": "a" }, { "id": 7 }, { "name": "x" }] }));
        let page = page.unwrap();
        assert_eq!(page.resources.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["a", "7"]);
        assert_eq!((page.total, page.count), (Some(3), 3));
        assert_eq!(Page::read(json!({ "totalResults": 0 })).unwrap().count, 0);
        assert_eq!(Page::read(json!({ "Resources": "no" })), None);
        assert_eq!(Page::read(json!([])), None);
        assert_eq!(refusal(b"{\"scimType\":\"uniqueness\",\"detail\":\"d\"}"), (Some("uniqueness".into()), "d".into()));
        assert_eq!(refusal(b"<html>"), (None, String::new()));
    }
}
