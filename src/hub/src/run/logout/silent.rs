//! Upstreams that only a browser can tell. From one that is dead no browser comes back: the next one would never be
//! told, and nobody would read what came of the logout. So our server asks first whether they answer, and leaves out
//! those that are silent.

use fedbridge_contract::ids::{ConnectionId, LogoutId};
use fedbridge_contract::logout::{Channel, Told};
use futures_util::future::join_all;

use super::Run;
use super::upstream::{BROWSER, logout_side, upstream_name};
use crate::run::Hub;
use crate::run::record::UpstreamPart;
use crate::run::snapshot::TenantSnapshot;

/// An upstream that gives no sign of life, and how that showed.
pub(super) struct Silent {
    connection: ConnectionId,
    cause: String,
}

impl Run {
    /// Whether this upstream of this session is still to be told.
    pub(super) fn is_to_tell(&self, logout: LogoutId, connection: ConnectionId) -> bool {
        let asked = self.record.asker.connection() == Some(connection);
        !asked && !self.upstreams.iter().any(|(of, to, _)| (*of, *to) == (logout, connection))
    }

    /// Where the browser may still have to go.
    pub(super) fn ahead(&self) -> Vec<UpstreamPart> {
        if self.channel == Channel::Back {
            return Vec::new();
        }
        let all = self.record.upstreams.iter();
        all.filter(|part| self.is_to_tell(self.id, part.connection)).cloned().collect()
    }
}

impl Hub {
    /// Asks all of them at once. It takes no longer than calls to apps do, so it may go beside them.
    pub(super) async fn silent(
        &self,
        tenant: &TenantSnapshot,
        logout: LogoutId,
        ahead: Vec<UpstreamPart>,
    ) -> Vec<Silent> {
        let all = ahead.into_iter().map(|part| async move {
            let side = logout_side(tenant.connections.get(&part.connection)?)?;
            let cause = side.silence(self.call_to(tenant, logout, &part)).await?;
            Some(Silent { connection: part.connection, cause })
        });
        join_all(all).await.into_iter().flatten().collect()
    }

    /// Nobody is sent there, and they count as not told.
    pub(super) async fn leave_out(&self, run: &mut Run, silent: Vec<Silent>) {
        for Silent { connection, cause } in silent {
            let name = upstream_name(&run.tenant, connection);
            run.steps.decide("upstream", format!("the browser is not sent to {name}, which is silent: {cause}"), false);
            self.upstream_told(run, (run.id, connection), Told::Silent, BROWSER).await;
        }
    }
}
