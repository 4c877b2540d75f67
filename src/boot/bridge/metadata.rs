//! `idp_metadata` and `sp_metadata`: a file, an address, or the text itself. An address that the store
//! has a document of is not fetched: that is the server's to do, on its schedule.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::documents::PartnerDocuments;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::{EgressLimits, Lane};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::spec::Configuration;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::documents::unread;
use crate::settings::complaints::Complaints;

use super::fields::Fields;
use super::node::Node;
use super::secrets::read_beside;
use super::tenants::Scope;

/// Federations publish aggregates of many megabytes; a single provider needs far less.
const LIMITS: EgressLimits = EgressLimits { max_body: 32 * 1024 * 1024, timeout: Duration::from_secs(10) };

/// Texts of documents by their addresses, as a tenant of the store has them.
#[derive(Default)]
pub struct Known(BTreeMap<String, String>);

impl Known {
    /// What the tenant that is called `slug` now, or was called `was`, has fetched.
    pub fn of(configuration: &Configuration, slug: &str, was: Option<&str>) -> Self {
        let find = |name: &str| configuration.tenants.values().find(|tenant| tenant.tenant.spec.slug == name);
        let Some(tenant) = find(slug).or_else(|| was.and_then(find)) else { return Self::default() };
        let read = tenant.documents.iter().filter(|document| !unread(document));
        Self(read.map(|document| (document.url.clone(), document.current.xml.clone())).collect())
    }

    /// The text that was fetched from there.
    pub fn text(&self, url: &str) -> Option<&str> {
        self.0.get(url).map(String::as_str)
    }
}

/// The setting with the document in it: `{ xml }`, or `{ url, refresh, xml }`, and `signed_by` in either.
pub async fn read(node: &Node, path: &str, scope: &Scope<'_>, complaints: &mut Complaints) -> Option<Value> {
    let before = complaints.len();
    let mut fields = Fields::of(node, path, complaints)?;
    let file = fields.text("file", complaints);
    let url = fields.text("url", complaints);
    let xml = fields.text("xml", complaints);
    let refresh = fields.duration("refresh", complaints);
    if refresh.is_some() && url.is_none() {
        complaints.add(node.place_of("refresh"), fields.path("refresh"), "only a `url` can be refreshed; remove it");
    }
    let signed_by = signed_by(&mut fields, complaints);
    fields.finish(complaints);
    let mut setting = match (file, url, xml) {
        (Some(file), None, None) => match read_beside(node, &file) {
            Ok(xml) => Some(json!({ "xml": xml })),
            Err(message) => {
                complaints.add(node.place_of("file"), format!("{path}.file"), message);
                None
            }
        },
        (None, Some(url), None) => {
            let xml = match scope.documents.text(&url) {
                Some(known) => Ok(known.to_owned()),
                None => fetch(&url, scope).await,
            };
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
    }?;
    if let (Some(pem), Value::Object(setting)) = (signed_by, &mut setting) {
        setting.insert("signed_by".into(), Value::String(pem));
    }
    Some(setting)
}

/// What stands against a document whose `signed_by` names who must have signed it. Later ones are judged
/// when they are fetched; this is the first, which comes with the file.
pub fn signed(documents: Option<&dyn PartnerDocuments>, settings: &Value, now: Timestamp) -> Vec<Complaint> {
    let Some(documents) = documents else { return Vec::new() };
    let setting = settings.get(documents.setting());
    let text = |name| setting.and_then(|setting| setting.get(name)).and_then(Value::as_str);
    match (text("signed_by"), text("xml")) {
        (Some(_), Some(xml)) => documents.examine(settings, None, xml, now).err().unwrap_or_default(),
        _ => Vec::new(),
    }
}

/// Certificates whose keys must have signed the document: `{ file: PATH }`, or their PEM itself.
fn signed_by(fields: &mut Fields<'_>, complaints: &mut Complaints) -> Option<String> {
    let node = fields.take("signed_by")?;
    if let Some(pem) = node.text() {
        return Some(pem.to_owned());
    }
    let path = fields.path("signed_by");
    let mut inner = Fields::of(node, path, complaints)?;
    let file = inner.required("file", complaints);
    let path = inner.path("file");
    inner.finish(complaints);
    let pem = read_beside(node, &file?);
    pem.map_err(|message| complaints.add(node.place_of("file"), path, message)).ok()
}

async fn fetch(url: &str, scope: &Scope<'_>) -> Result<String, String> {
    let egress = &scope.context.services.egress;
    // Whose it will be is not known yet; which hosts are allowed is.
    let party = Party::Connection(ConnectionId::from_uuid(Uuid::nil()));
    let lane = Lane { tenant: TenantId::from_uuid(Uuid::nil()), party, hosts: scope.egress_hosts.clone() };
    let egress = egress.lane(lane).unwrap_or_else(|| Arc::clone(egress));
    let fetched = egress.get(url, LIMITS).await.map_err(|error| {
        // The error names the address itself.
        format!("the metadata can't be fetched: {error}")
    })?;
    if fetched.status != 200 {
        return Err(format!("the metadata can't be fetched: {url} answered with status {}", fetched.status));
    }
    String::from_utf8(fetched.body.to_vec()).map_err(|_| format!("the document at {url} is not UTF-8 text"))
}
