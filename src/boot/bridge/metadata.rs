//! `idp_metadata`: a file, an address that is fetched now, or the text itself.

use std::time::Duration;

use fedbridge_contract::services::EgressLimits;
use serde_json::{Value, json};

use crate::settings::complaints::Complaints;
use crate::settings::values::duration;

use super::Context;
use super::fields::Fields;
use super::node::Node;
use super::secrets::read_beside;

/// Federations publish aggregates of many megabytes; a single provider needs far less.
const LIMITS: EgressLimits = EgressLimits { max_body: 32 * 1024 * 1024, timeout: Duration::from_secs(10) };

/// The setting with the document in it: `{ xml }`, or `{ url, refresh, xml }`.
pub async fn read(node: &Node, path: &str, context: &Context<'_>, complaints: &mut Complaints) -> Option<Value> {
    let before = complaints.len();
    let mut fields = Fields::of(node, path, complaints)?;
    let file = fields.text("file", complaints);
    let url = fields.text("url", complaints);
    let xml = fields.text("xml", complaints);
    let refresh = fields.text("refresh", complaints);
    if let Some(Err(message)) = refresh.as_deref().map(duration) {
        complaints.add(node.place_of("refresh"), fields.path("refresh"), message);
    }
    if refresh.is_some() && url.is_none() {
        complaints.add(node.place_of("refresh"), fields.path("refresh"), "only a `url` can be refreshed; remove it");
    }
    fields.finish(complaints);
    match (file, url, xml) {
        (Some(file), None, None) => match read_beside(node, &file) {
            Ok(xml) => Some(json!({ "xml": xml })),
            Err(message) => {
                complaints.add(node.place_of("file"), format!("{path}.file"), message);
                None
            }
        },
        (None, Some(url), None) => {
            let xml = fetch(&url, context).await;
            let xml =
                xml.map_err(|message| complaints.add(node.place_of("url"), format!("{path}.url"), message)).ok()?;
            Some(match refresh {
                Some(refresh) => json!({ "url": url, "refresh": refresh, "xml": xml }),
                None => json!({ "url": url, "xml": xml }),
            })
        }
        (None, None, Some(xml)) => Some(json!({ "xml": xml })),
        _ => {
            if complaints.len() == before {
                complaints.add(&node.place, path, "expected one of { file: PATH }, { url: ADDRESS } or { xml: TEXT }");
            }
            None
        }
    }
}

async fn fetch(url: &str, context: &Context<'_>) -> Result<String, String> {
    let fetched = context.services.egress.get(url, LIMITS).await.map_err(|error| {
        // The error names the address itself.
        format!("the metadata can't be fetched: {error}")
    })?;
    if fetched.status != 200 {
        return Err(format!("the metadata can't be fetched: {url} answered with status {}", fetched.status));
    }
    String::from_utf8(fetched.body.to_vec()).map_err(|_| format!("the document at {url} is not UTF-8 text"))
}
