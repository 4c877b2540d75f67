//! What stands around a directory that is only read: a gate that knows of no kill, a desk where nobody binds, a client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;

use crate::config::{App, Tenant};
use crate::directory::{BindAnswer, BindDesk, PassThrough, Peer, PersonBind};
use crate::epoch::Epoch;
use crate::grant::Grant;
use crate::ids::{ConnectionId, TenantId};
use crate::listener::WireFacts;
use crate::password::Password;
use crate::proof::Permit;
use crate::services::{Gate, GateRefusal};
use crate::trace::TraceLog;

/// Knows of no kill, and permits nothing.
pub struct NoKills;

#[async_trait]
impl Gate for NoKills {
    async fn app(&self, _: &Tenant, _: &App) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::AppDisabled)
    }

    async fn grant(&self, _: &Tenant, _: &App, _: &Grant) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::AppDisabled)
    }

    async fn app_token(&self, _: &Tenant, _: &App, _: Epoch) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::AppDisabled)
    }

    fn epoch(&self) -> Epoch {
        Epoch(0)
    }
}

/// Nobody binds here. An upstream's subtree is there for every connection, where there is one.
#[derive(Default)]
pub struct ShutDesk(pub Option<Arc<dyn PassThrough>>);

impl ShutDesk {
    fn no() -> BindAnswer {
        BindAnswer::No("nobody binds here".to_owned())
    }
}

#[async_trait]
impl BindDesk for ShutDesk {
    async fn app(&self, _: &Tenant, _: &App, _: &Password, _: Peer) -> BindAnswer {
        Self::no()
    }

    async fn person(&self, _: PersonBind<'_>, _: &mut TraceLog) -> BindAnswer {
        Self::no()
    }

    async fn still(&self, _: &PersonBind<'_>) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::PersonDisabled)
    }

    async fn change(&self, _: PersonBind<'_>, _: &Password, _: &mut TraceLog) -> BindAnswer {
        Self::no()
    }

    fn pass_through(&self, _: TenantId, _: ConnectionId) -> Option<Arc<dyn PassThrough>> {
        self.0.clone()
    }
}

/// Somebody on this machine who came with TLS.
pub fn local_client() -> WireFacts {
    WireFacts {
        peer: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4000),
        encrypted: true,
        server_name: None,
        client_certificate: None,
        can_upgrade: false,
    }
}
