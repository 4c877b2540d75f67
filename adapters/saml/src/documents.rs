//! How the provider's metadata changes over time: what boot may put in force by itself, and what waits.

use fedbridge_contract::documents::{Examined, PartnerDocuments};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::metadata::drift::idp_drift;
use fedbridge_saml_core::metadata::hold_to_pin;
use fedbridge_saml_core::metadata::import::import;
use serde_json::Value;

use crate::factory::SamlFactory;

const SETTING: &str = "idp_metadata";

impl PartnerDocuments for SamlFactory {
    fn setting(&self) -> &'static str {
        SETTING
    }

    fn examine(
        &self,
        settings: &Value,
        before: Option<&str>,
        fetched: &str,
        now: Timestamp,
    ) -> Result<Examined, Vec<Complaint>> {
        hold_to_pin(settings, SETTING, fetched)?;
        let entity_id = settings.get("entity_id").and_then(Value::as_str);
        let after = import(fetched.as_bytes(), entity_id, now)?;
        // What was in force may have expired meanwhile; it still says who was known.
        let known = before.map(|before| import(before.as_bytes(), entity_id, Timestamp::from_seconds(0)));
        let drift = match known {
            Some(Ok(before)) => idp_drift(&before, &after),
            Some(Err(_)) | None => Vec::new(),
        };
        Ok(Examined { valid_until: after.valid_until, cache: after.cache, drift })
    }
}
