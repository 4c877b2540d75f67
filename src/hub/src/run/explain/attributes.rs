//! A pushed document, attribute by attribute, each with the change that made it what it is.

use std::collections::BTreeMap;

use fedbridge_contract::push::Origins;
use serde::Serialize;
use serde_json::{Map, Value};

use super::Origin;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttributeTruth {
    /// `userName`, `name.familyName`, or a URN with an attribute.
    pub path: String,
    /// `None`: that change has taken it away.
    pub stored: Option<Value>,
    /// `None`: it was stored before changes were noted.
    pub origin: Option<Origin>,
}

/// In the order of the paths. What is gone and what is never shown (a password) has a change and no value.
pub(super) fn table(document: &Value, origins: &Origins) -> Vec<AttributeTruth> {
    let mut leaves = BTreeMap::new();
    let empty = Map::new();
    collect(document.as_object().unwrap_or(&empty), "", &mut leaves);
    for path in origins.keys().filter(|path| !path.is_empty()) {
        // Of a whole that has parts, the parts are shown.
        if !leaves.keys().any(|leaf: &String| leaf == path || covers(path, leaf)) {
            leaves.insert(path.clone(), None);
        }
    }
    let row = |(path, stored): (String, Option<Value>)| AttributeTruth { origin: origin(&path, origins), path, stored };
    leaves.into_iter().map(row).collect()
}

fn collect(object: &Map<String, Value>, prefix: &str, leaves: &mut BTreeMap<String, Option<Value>>) {
    for (name, value) in object.iter().filter(|(name, _)| *name != "schemas") {
        match value {
            Value::Object(inner) if name.contains(':') => collect(inner, &format!("{name}:"), leaves),
            Value::Object(inner) => collect(inner, &format!("{prefix}{name}."), leaves),
            other => {
                leaves.insert(format!("{prefix}{name}"), Some(other.clone()));
            }
        }
    }
}

/// The longest path that covers it.
fn origin(path: &str, origins: &Origins) -> Option<Origin> {
    let covering = origins.iter().filter(|(known, _)| known.is_empty() || *known == path || covers(known, path));
    covering.max_by_key(|(known, _)| known.len()).map(|(_, origin)| origin.clone())
}

fn covers(whole: &str, part: &str) -> bool {
    part.strip_prefix(whole).is_some_and(|rest| rest.starts_with(['.', ':', '[']))
}

#[cfg(test)]
mod tests {
    use fedbridge_contract::ids::TraceId;
    use fedbridge_contract::time::Timestamp;
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn each_attribute_has_the_change_that_touched_it_last() {
        let origin = |number: u128| Origin {
            at: Timestamp::from_millis(number as i64),
            txn: TraceId::from_uuid(Uuid::from_u128(number)),
            by: "token 1".into(),
        };
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let origins = Origins::from([
            (String::new(), origin(1)),
            ("name.familyName".to_owned(), origin(2)),
            ("title".to_owned(), origin(3)),
            (format!("{urn}:manager"), origin(4)),
            ("password".to_owned(), origin(5)),
        ]);
        let document = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": "ada",
            "name": { "givenName": "Ada", "familyName": "L" },
            urn: { "department": "it", "manager": { "value": "m" } },
        });
        let rows: Vec<_> = table(&document, &origins)
            .into_iter()
            .map(|row| (row.path, row.stored, row.origin.map(|origin| origin.at.millis())))
            .collect();
        let wanted = [
            ("name.familyName".to_owned(), Some(json!("L")), Some(2)),
            ("name.givenName".to_owned(), Some(json!("Ada")), Some(1)),
            ("password".to_owned(), None, Some(5)),
            ("title".to_owned(), None, Some(3)),
            (format!("{urn}:department"), Some(json!("it")), Some(1)),
            (format!("{urn}:manager.value"), Some(json!("m")), Some(4)),
            ("userName".to_owned(), Some(json!("ada")), Some(1)),
        ];
        let mut wanted = wanted.to_vec();
        wanted.sort_by(|one, other| one.0.cmp(&other.0));
        assert_eq!(rows, wanted);
        assert_eq!(table(&json!({ "userName": "ada" }), &Origins::new())[0].origin, None);
    }
}
