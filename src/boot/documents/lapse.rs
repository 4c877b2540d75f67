//! Documents that may not be used any more because every look at them has failed for too long. Each node works that out
//! for itself, from what the store knows of the last good look.

use std::time::Duration;

use fedbridge_contract::documents::PartnerDocuments;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::DocumentStanding;
use fedbridge_hub::run::Lapsed;

use super::Keeper;

/// Whether a document is out of force that was confirmed at this time, and that so many looks failed at since then.
/// A look that is only due later than usual is no failure.
pub fn has_lapsed(outlasts: Option<Duration>, confirmed: Timestamp, failures: u32, now: Timestamp) -> bool {
    failures > 0 && outlasts.is_some_and(|outlasts| now.since(confirmed) >= outlasts)
}

impl Keeper {
    /// Whether no login can begin at this partner before a look succeeds.
    pub(super) fn stops_logins(&self, tenant: TenantId, party: Party) -> bool {
        self.waits(tenant, party) || self.snapshots.lapsed(tenant, party).is_some()
    }

    /// Those of the documents that have lapsed. One that was never read is not among them: nothing of it is in force.
    pub(super) fn lapsed(&self, standings: &[DocumentStanding], now: Timestamp) -> Lapsed {
        let lapsed = standings.iter().filter(|standing| {
            let DocumentStanding { tenant, party, confirmed, failures, .. } = **standing;
            // Most have no failures: their settings need not be looked for.
            failures > 0
                && !self.waits(tenant, party)
                && self.reader(tenant, party).is_ok_and(|reader| {
                    let outlasts = reader.documents().and_then(PartnerDocuments::outlasts);
                    has_lapsed(outlasts, confirmed, failures, now)
                })
        });
        lapsed.map(|standing| ((standing.tenant, standing.party), standing.confirmed)).collect()
    }
}
