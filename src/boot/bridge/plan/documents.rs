//! Documents that were fetched: settings keep the address, and the text stands beside them, where a
//! later look can renew it without changing what the file owns.

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_hub::spec::{ConfigChange, TenantConfiguration};
use serde_json::Value;

use crate::documents::seed::{fresh, taken};

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
                let document = fresh(tenant, party, url, xml, self.now);
                self.changes.documents.push(ConfigChange::PutDocument(document));
            }
            (None, Some(_)) => self.changes.documents.push(ConfigChange::DeleteDocument { tenant, party }),
            (None, None) => {}
        }
        settings
    }
}
