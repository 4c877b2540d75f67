//! Tokens that upstreams gave us end with the session (RFC 7009), where they say how.

use std::sync::Arc;

use fedbridge_contract::ids::SessionId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::{Egress, egress_to};
use fedbridge_contract::time::Timestamp;
use futures_util::future::join_all;

use super::CALL;
use crate::ports::KeptTokens;
use crate::run::Hub;
use crate::run::revalidate::adapters_own;
use crate::run::snapshot::{Snapshots, TenantSnapshot};

/// What came of one upstream's tokens: of whom they were, in words, and whether they are gone there.
pub(in crate::run) struct Revoked {
    pub connection: String,
    pub outcome: String,
    pub done: bool,
}

impl Hub {
    /// What is kept for ended sessions, and nobody needs any more.
    pub(super) async fn given_up(&self, tenant: &TenantSnapshot, sessions: &[SessionId]) -> Vec<KeptTokens> {
        let now = self.services.clock.now();
        let all = sessions.iter().map(|&session| self.upstream_tokens.give_up(tenant.view.id, session, now));
        let mut kept = Vec::new();
        for one in join_all(all).await {
            match one {
                Ok(tokens) => kept.extend(tokens),
                Err(error) => tracing::warn!(%error, "an upstream's tokens could not be given up"),
            }
        }
        kept
    }

    /// Tells the upstreams, all at once. It takes no longer than notices to apps do.
    pub(in crate::run) async fn revoke_tokens(
        &self,
        tenant: &Arc<TenantSnapshot>,
        kept: Vec<KeptTokens>,
    ) -> Vec<Revoked> {
        revoke_all(&self.services.egress, &self.snapshots, tenant, kept, self.services.clock.now()).await
    }
}

/// Tells the upstreams, all at once. Those that have no address for it are left out.
pub(in crate::run) async fn revoke_all(
    egress: &Arc<dyn Egress>,
    snapshots: &Snapshots,
    tenant: &TenantSnapshot,
    kept: Vec<KeptTokens>,
    now: Timestamp,
) -> Vec<Revoked> {
    let all = join_all(kept.into_iter().map(|kept| revoke(egress, snapshots, tenant, kept, now))).await;
    all.into_iter().flatten().collect()
}

async fn revoke(
    egress: &Arc<dyn Egress>,
    snapshots: &Snapshots,
    tenant: &TenantSnapshot,
    kept: KeptTokens,
    now: Timestamp,
) -> Option<Revoked> {
    let open = tenant.connections.get(&kept.connection)?;
    let side = open.state.as_ref().ok()?.adapter.refresh.as_deref()?;
    let post = side.revocation(&tenant.view, &adapters_own(kept.tokens), now)?;
    let (party, connection) = (Party::Connection(kept.connection), open.view.display_name.clone());
    if snapshots.lapsed(tenant.view.id, party).is_some() {
        // Nobody knows whether the address is the upstream's yet, and a token must go to nobody else.
        let outcome = "not revoked there: its metadata has lapsed".to_owned();
        return Some(Revoked { connection, outcome, done: false });
    }
    let egress = egress_to(egress, &tenant.view, party);
    let (outcome, done) = match egress.post(&post, CALL).await {
        // RFC 7009, section 2.2: 200 also where the token is not known.
        Ok(answer) if answer.status == 200 => ("revoked there".to_owned(), true),
        Ok(answer) => (format!("not revoked there: status {}", answer.status), false),
        Err(error) => (format!("not revoked there: {}", error.cause), false),
    };
    Some(Revoked { connection, outcome, done })
}
