//! Documents that were fetched: settings keep the address, and the text stands beside them, where a
//! later look can renew it without changing what the file owns.

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_hub::ports::{NewDocument, StoredDocument};
use fedbridge_hub::spec::{ConfigChange, TenantConfiguration};
use serde_json::Value;

use super::objects::Planner;

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
        match (taken(&mut settings), there) {
            // What the store has is as new, or newer.
            (Some((url, _)), Some(there)) if there.url == url => {}
            (Some((url, xml)), _) => {
                let now = self.now;
                // The server looks at once: for the tag, and for how long it may keep the document.
                let current = NewDocument { xml, etag: None, valid_until: None, fetched: now, next_look: now };
                self.changes.documents.push(ConfigChange::PutDocument(StoredDocument {
                    tenant,
                    party,
                    url,
                    current,
                    last_look: now,
                    next_look: now,
                    failures: 0,
                    last_failure: None,
                    held: None,
                }));
            }
            (None, Some(_)) => self.changes.documents.push(ConfigChange::DeleteDocument { tenant, party }),
            (None, None) => {}
        }
        settings
    }
}

/// Takes the text out of the setting that has an address for it.
fn taken(settings: &mut Value) -> Option<(String, String)> {
    let mut found = None;
    for setting in settings.as_object_mut()?.values_mut().filter_map(Value::as_object_mut) {
        let Some(url) = setting.get("url").and_then(Value::as_str).map(str::to_owned) else { continue };
        if let Some(Value::String(xml)) = setting.shift_remove("xml") {
            found = Some((url, xml));
        }
    }
    found
}
