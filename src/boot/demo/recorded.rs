//! What the two tenants recorded of the demo's visit.

use anyhow::Context as _;
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ConfigStore as _, TraceFilter, TraceStore as _, TraceSummary};
use fedbridge_store::SystemStore;

use super::tenants::{CORP, DEMO};

pub struct Recorded {
    pub corp: Visit,
    pub demo: Visit,
}

/// One tenant's part.
pub struct Visit {
    pub login: TraceId,
    pub logout: TraceId,
}

/// More than one visit makes.
const MOST: u32 = 20;

impl Recorded {
    /// # Errors
    /// When the store does not answer, or a part is missing.
    pub async fn since(begun: Timestamp, store: &SystemStore) -> anyhow::Result<Self> {
        let configuration = store.load().await?;
        let visit = async |slug: &str| {
            let tenant = configuration.tenants.values().find(|tenant| tenant.tenant.spec.slug == slug);
            let tenant = tenant.with_context(|| format!("the tenant {slug} is gone"))?.tenant.id;
            let filter =
                TraceFilter { tenant: Some(tenant), since: Some(begun), limit: MOST, ..TraceFilter::default() };
            let found = store.list(&filter).await?;
            anyhow::Ok(Visit { login: first(&found, "login")?, logout: first(&found, "logout")? })
        };
        anyhow::Ok(Self { corp: visit(CORP).await?, demo: visit(DEMO).await? })
    }
}

/// The first trace of a kind; the list has the newest first.
fn first(found: &[TraceSummary], kind: &str) -> anyhow::Result<TraceId> {
    let first = found.iter().rev().find(|trace| trace.kind == kind);
    Ok(first.with_context(|| format!("the demo's {kind} was not recorded"))?.id)
}
