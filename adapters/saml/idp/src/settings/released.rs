//! Which claims the settings let out.

use fedbridge_contract::reader::Reader;
use serde_json::{Map, Value};

use super::choices::{AttributeSource, attributes, name_id};

/// The claims that answers to the service provider are made of: those of its attributes and of its NameID.
/// Nothing else may be released to it. Reads what it can; complaints are [`super::SpSettings::parse`]'s.
pub fn released_claims(settings: &Value) -> Vec<String> {
    let empty = Map::new();
    let object = settings.as_object().unwrap_or(&empty);
    let mut reader = Reader::new();
    let mut claims: Vec<String> = attributes(&mut reader, object)
        .into_iter()
        .filter_map(|rule| match rule.source {
            AttributeSource::Claim(claim) => Some(claim),
            AttributeSource::Constant(_) => None,
        })
        .collect();
    claims.extend(name_id(&mut reader, object).source.claims().into_iter().map(str::to_owned));
    claims.sort();
    claims.dedup();
    claims
}
