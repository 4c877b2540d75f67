//! How a service provider's metadata changes over time: what boot may put in force by itself, and what
//! waits.

use fedbridge_contract::documents::{Examined, PartnerDocuments};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::metadata::drift::sp_drift;
use fedbridge_saml_core::metadata::{hold_to_pin, import_sp};
use serde_json::{Map, Value};

use crate::provider::SamlIdentityProvider;
use crate::settings::{METADATA, SpSettings};

impl PartnerDocuments for SamlIdentityProvider {
    fn setting(&self) -> &'static str {
        METADATA
    }

    fn examine(
        &self,
        settings: &Value,
        before: Option<&str>,
        fetched: &str,
        now: Timestamp,
    ) -> Result<Examined, Vec<Complaint>> {
        hold_to_pin(settings, METADATA, fetched)?;
        // With the settings that there are, it must make a whole: encryption without a key does not.
        let after = SpSettings::parse(&with_document(settings, fetched), now)?.sp;
        let entity_id = settings.get("entity_id").and_then(Value::as_str);
        // What was in force may have expired meanwhile; it still says who was known.
        let known = before.and_then(|before| import_sp(before.as_bytes(), entity_id, Timestamp::from_millis(0)).ok());
        let drift = known.map(|before| sp_drift(&before, &after)).unwrap_or_default();
        Ok(Examined { valid_until: after.valid_until, cache: after.cache, drift })
    }
}

fn with_document(settings: &Value, xml: &str) -> Value {
    let mut settings = settings.as_object().cloned().unwrap_or_default();
    let mut metadata = match settings.get(METADATA) {
        Some(Value::Object(metadata)) => metadata.clone(),
        _ => Map::new(),
    };
    metadata.insert("xml".into(), Value::String(xml.to_owned()));
    settings.insert(METADATA.into(), Value::Object(metadata));
    Value::Object(settings)
}
