//! Documents that were fetched: settings keep the address, and the text stands beside them, where a
//! later look can renew it without changing what the file owns.

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_hub::spec::{ConfigChange, TenantConfiguration};
use serde_json::Value;

use crate::documents::seed::{fresh, taken};

use super::objects::Planner;
use crate::bridge::discovery;

impl Planner<'_> {
    /// The settings without what was fetched, and the change that keeps that.
    pub(super) fn keep_document(
        &mut self,
        tenant: TenantId,
        party: Party,
        settings: &Value,
        old: Option<&TenantConfiguration>,
    ) -> Value {
        let there = old.and_then(|old| old.documents.iter().find(|document| document.party == party));
        let mut settings = settings.clone();
        // One that the server has still to read has no text.
        let found = taken(&mut settings).or_else(|| Some((pointed(&settings)?, String::new())));
        match (found, there) {
            // What the store has is as new, or newer.
            (Some((url, _)), Some(there)) if there.url == url => {}
            (Some((url, xml)), _) => {
                let document = fresh(tenant, party, url, xml, self.now);
                self.changes.documents.push(ConfigChange::PutDocument(document));
            }
            (None, Some(_)) => self.changes.documents.push(ConfigChange::DeleteDocument { tenant, party }),
            (None, None) => {}
        }
        settings
    }
}

/// Where the setting leads that names a document without its text.
fn pointed(settings: &Value) -> Option<String> {
    settings.get(discovery::SETTING)?.get("url")?.as_str().map(str::to_owned)
}
