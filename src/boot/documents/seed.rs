//! Stores of earlier versions keep the text of a document inside the settings that name its address. It
//! moves to where documents stand, so that it is renewed from the first start on and nobody must apply.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ApplyError, ConfigStore, NewDocument, StoredDocument};
use fedbridge_hub::spec::{ConfigChange, Configuration};
use serde_json::Value;

/// Moves every such text. Gives back how many there were.
///
/// # Errors
/// The store does not answer. Where somebody else changes the configuration at the same moment nothing is
/// moved; the next start does it.
pub async fn seed(store: &dyn ConfigStore, now: Timestamp) -> Result<usize, StoreError> {
    let configuration = store.load().await?;
    let changes = changes(&configuration, now);
    if changes.is_empty() {
        return Ok(0);
    }
    let documents = changes.iter().filter(|change| matches!(change, ConfigChange::PutDocument(_))).count();
    match store.apply(configuration.version, &changes).await {
        Ok(_) => Ok(documents),
        Err(ApplyError::Conflict) => Ok(0),
        Err(ApplyError::Store(cause)) => Err(cause),
        Err(other @ ApplyError::HasPeople { .. }) => Err(StoreError(other.to_string())),
    }
}

fn changes(configuration: &Configuration, now: Timestamp) -> Vec<ConfigChange> {
    let mut changes = Vec::new();
    for tenant in configuration.tenants.values() {
        let mut moved = |id: TenantId, party: Party, settings: &mut Value| {
            let Some((url, xml)) = taken(settings) else { return false };
            if !tenant.documents.iter().any(|document| document.party == party) {
                changes.push(ConfigChange::PutDocument(fresh(id, party, url, xml, now)));
            }
            true
        };
        let mut objects = Vec::new();
        for connection in &tenant.connections {
            let mut connection = connection.clone();
            if moved(connection.tenant, Party::Connection(connection.id), &mut connection.spec.settings) {
                objects.push(ConfigChange::PutConnection(connection));
            }
        }
        for app in &tenant.apps {
            let mut app = app.clone();
            if moved(app.tenant, Party::App(app.id), &mut app.spec.settings) {
                objects.push(ConfigChange::PutApp(app));
            }
        }
        changes.extend(objects);
    }
    changes
}

/// A document as it is just after it was fetched. The server looks at once: for the tag, and for how long
/// it may keep it.
pub fn fresh(tenant: TenantId, party: Party, url: String, xml: String, now: Timestamp) -> StoredDocument {
    let current = NewDocument { xml, etag: None, valid_until: None, fetched: now, next_look: now };
    StoredDocument {
        tenant,
        party,
        url,
        current,
        last_look: now,
        next_look: now,
        failures: 0,
        last_failure: None,
        held: None,
    }
}

/// Takes the text out of the setting that has an address for it.
pub fn taken(settings: &mut Value) -> Option<(String, String)> {
    let mut found = None;
    for setting in settings.as_object_mut()?.values_mut().filter_map(Value::as_object_mut) {
        let Some(url) = setting.get("url").and_then(Value::as_str).map(str::to_owned) else { continue };
        if let Some(Value::String(xml)) = setting.shift_remove("xml") {
            found = Some((url, xml));
        }
    }
    found
}
