//! What every app of a bridge file has, whatever it speaks.

use fedbridge_contract::text::nearest;
use serde_json::{Map, Value};

use crate::settings::complaints::Complaints;

use super::fields::Fields;

/// Slugs of the connections that may log people in to the app; `None` means all of the tenant.
pub fn connections(fields: &mut Fields<'_>, connections: &[&str], complaints: &mut Complaints) -> Option<Vec<String>> {
    let named = fields.texts("connections", complaints)?;
    for (index, (slug, place)) in named.iter().enumerate() {
        if !connections.contains(&slug.as_str()) {
            let path = format!("{}[{index}]", fields.path("connections"));
            complaints.add(place, path, no_connection(slug, connections.iter().copied()));
        }
    }
    Some(named.into_iter().map(|(slug, _)| slug).collect())
}

/// The complaint about a slug that is none of the tenant's connections.
pub fn no_connection<'a>(slug: &str, connections: impl IntoIterator<Item = &'a str>) -> String {
    let hint = nearest(slug, connections).map_or_else(String::new, |near| format!("; the nearest is `{near}`"));
    format!("the tenant has no connection `{slug}`{hint}")
}

/// The app's own claims, as they are written.
pub fn claims(fields: &mut Fields<'_>, complaints: &mut Complaints) -> Map<String, Value> {
    match fields.take("claims").map(|node| (node, node.json())) {
        None => Map::new(),
        Some((_, Value::Object(claims))) => claims,
        Some((node, _)) => {
            let message = format!("expected a map of claims, found {}", node.kind());
            complaints.add(&node.place, fields.path("claims"), message);
            Map::new()
        }
    }
}
