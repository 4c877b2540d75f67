//! The web layer's port to the hub.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_hub::run::{Hub, Target};
use fedbridge_web::{Dispatch, Found, Handle, Place};

/// The hub behind the web layer.
pub struct Front(pub Arc<Hub>);

impl Dispatch for Front {
    fn resolve(&self, place: Place<'_>) -> Option<Found> {
        let resolved = match place {
            Place::Tenant { tenant, route } => self.0.tenant_route(tenant, route),
            Place::Connection { tenant, connection, route } => self.0.connection_route(tenant, connection, route),
            Place::AuthorizationServerMetadata { tenant } => self.0.authorization_server_metadata(tenant),
            Place::SignalsConfiguration { tenant } => self.0.signals_configuration(tenant),
        }?;
        let handler = Box::new(Pending { hub: Arc::clone(&self.0), target: resolved.target });
        Some(Found { route: resolved.route, rest: resolved.rest, handler })
    }
}

struct Pending {
    hub: Arc<Hub>,
    target: Target,
}

#[async_trait]
impl Handle for Pending {
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply {
        self.hub.handle(self.target, input).await
    }
}
