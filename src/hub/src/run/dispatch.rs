//! From a path to what answers it. All addresses of the interface's section 6
//! are here, on one page.

use std::sync::Arc;

use fedbridge_contract::downstream::{Accepted, Request};
use fedbridge_contract::http::{HttpInput, Method, Reply, Route};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::services::{TraceEvent, TraceSink};
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::snapshot::{OpenConnection, TenantSnapshot};
use super::{Hub, error_page};

/// A path that something answers.
pub struct Resolved {
    pub target: Target,
    pub route: Route,
}

/// What answers.
pub enum Target {
    /// A downstream protocol, by its place in the hub's list.
    Downstream { tenant: Arc<TenantSnapshot>, index: usize },
    /// The upstream's answer.
    Answer { tenant: Arc<TenantSnapshot>, connection: Arc<OpenConnection> },
    /// What a connection publishes about itself.
    Metadata { tenant: Arc<TenantSnapshot>, connection: Arc<OpenConnection> },
    /// A connection's own start address.
    Login { tenant: Arc<TenantSnapshot>, connection: Arc<OpenConnection> },
}

const LOGIN: Route = Route { path: "login", methods: &[Method::Get], cors: false };

/// RFC 8414 section 3.1 puts the well-known part before the issuer's path.
const RFC8414_PREFIX: &str = "/.well-known/oauth-authorization-server/t/";
const RFC8414_ROUTE: &str = ".well-known/oauth-authorization-server";

impl Hub {
    /// Finds what answers a path; `None` is 404.
    pub fn resolve(&self, path: &str) -> Option<Resolved> {
        if let Some(slug) = path.strip_prefix(RFC8414_PREFIX) {
            return self.downstream_route(self.tenant(slug)?, RFC8414_ROUTE);
        }
        let (slug, rest) = path.strip_prefix("/t/")?.split_once('/')?;
        let tenant = self.tenant(slug)?;
        match rest.strip_prefix("connections/") {
            Some(rest) => connection_route(tenant, rest),
            None => self.downstream_route(tenant, rest),
        }
    }

    /// Answers a request whose method and size the web layer has checked.
    pub async fn handle(&self, target: Target, input: HttpInput) -> Reply {
        match target {
            Target::Downstream { tenant, index } => self.downstream_request(tenant, index, &input).await,
            Target::Answer { tenant, connection } => self.answer(tenant, connection, &input).await,
            Target::Login { tenant, connection } => self.start_at_connection(tenant, &connection, &input).await,
            Target::Metadata { tenant, connection } => {
                let now = self.services.clock.now();
                let published = connection.state.as_ref().ok().and_then(|ready| ready.adapter.metadata.as_deref());
                match published.map(|published| published.document(&tenant.view, now)) {
                    Some(Ok(reply)) => reply,
                    Some(Err(error)) => error_page(500, Some(&tenant), error.public, None, None),
                    None => error_page(404, Some(&tenant), "There is no such page.", None, None),
                }
            }
        }
    }

    fn tenant(&self, slug: &str) -> Option<Arc<TenantSnapshot>> {
        self.snapshots.current().by_slug.get(slug).cloned()
    }

    fn downstream_route(&self, tenant: Arc<TenantSnapshot>, path: &str) -> Option<Resolved> {
        self.downstreams.iter().enumerate().find_map(|(index, downstream)| {
            let route = *downstream.routes().iter().find(|route| route.path == path)?;
            Some(Resolved { target: Target::Downstream { tenant: Arc::clone(&tenant), index }, route })
        })
    }

    async fn downstream_request(&self, tenant: Arc<TenantSnapshot>, index: usize, input: &HttpInput) -> Reply {
        let Some(downstream) = self.downstreams.get(index) else {
            return error_page(404, Some(&tenant), "There is no such page.", None, None);
        };
        let now = self.services.clock.now();
        let trace_id = TraceId::random(self.services.rng.as_ref());
        let mut trace = TraceLog::new();
        let request = Request { tenant: &tenant.view, input, now, trace_id };
        match downstream.accept(request, &mut trace).await {
            Accepted::Login(login) => self.start_for_app(tenant, *login, input, trace_id, trace).await,
            Accepted::Logout(logout) => self.logout(tenant, logout, input).await,
            Accepted::Reply(reply) => {
                if let Some(cause) = trace.cause() {
                    self.recorder.record(TraceEvent {
                        tenant: tenant.view.id,
                        id: trace_id,
                        at: now,
                        kind: "authorize",
                        app: None,
                        connection: None,
                        person: None,
                        outcome: Outcome::Refused,
                        cause,
                        steps: trace,
                    });
                }
                reply
            }
        }
    }
}

fn connection_route(tenant: Arc<TenantSnapshot>, path: &str) -> Option<Resolved> {
    let (slug, rest) = path.split_once('/')?;
    let connection = Arc::clone(tenant.connection(slug)?);
    if rest == LOGIN.path && connection.can_log_in {
        return Some(Resolved { target: Target::Login { tenant, connection }, route: LOGIN });
    }
    let adapter = connection.state.as_ref().ok().map(|ready| &ready.adapter)?;
    if let Some(route) = adapter.metadata.as_ref().map(|published| published.route())
        && route.path == rest
    {
        return Some(Resolved { target: Target::Metadata { tenant, connection }, route });
    }
    let route = *adapter.login.as_ref()?.routes().iter().find(|route| route.path == rest)?;
    Some(Resolved { target: Target::Answer { tenant, connection }, route })
}
