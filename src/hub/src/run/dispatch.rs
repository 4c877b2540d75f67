//! From a tenant, a connection and a route to what answers it. The grammar of
//! paths is the web layer's.

use std::sync::Arc;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::downstream::{Accepted, Request};
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind, Route};
use fedbridge_contract::logout::Party;
use fedbridge_contract::push::PushRequest;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::LoginWish;

use super::logout::{Heard, LogoutStep, LogoutWish};
use super::own::OwnPage;
use super::snapshot::{OpenConnection, TenantSnapshot};
use super::{Hub, error_page};

/// A path that something answers.
pub struct Resolved {
    pub target: Target,
    pub route: Route,
    /// What stands for the `*` of the route; empty without one.
    pub rest: String,
}

/// What answers.
pub enum Target {
    /// A downstream protocol, by its place in the hub's list.
    Downstream { tenant: Arc<TenantSnapshot>, index: usize },
    /// The upstream's answer.
    Answer { tenant: Arc<TenantSnapshot>, connection: Arc<OpenConnection> },
    /// What a connection publishes about itself.
    Metadata { tenant: Arc<TenantSnapshot>, connection: Arc<OpenConnection> },
    /// A logout under way: its frames, and what comes after them.
    Logout { tenant: Arc<TenantSnapshot>, step: LogoutStep },
    /// The upstream's logout requests, and its answers to ours.
    UpstreamLogout { tenant: Arc<TenantSnapshot>, connection: Arc<OpenConnection> },
    /// The upstream pushes its people.
    Push { tenant: Arc<TenantSnapshot>, connection: Arc<OpenConnection> },
    /// A page of the hub's own.
    Own { tenant: Arc<TenantSnapshot>, page: OwnPage },
    /// A connection's own start address.
    Login { tenant: Arc<TenantSnapshot>, connection: Arc<OpenConnection> },
}

impl Target {
    fn tenant(&self) -> &Arc<TenantSnapshot> {
        match self {
            Self::Downstream { tenant, .. }
            | Self::Answer { tenant, .. }
            | Self::Metadata { tenant, .. }
            | Self::Logout { tenant, .. }
            | Self::UpstreamLogout { tenant, .. }
            | Self::Push { tenant, .. }
            | Self::Own { tenant, .. }
            | Self::Login { tenant, .. } => tenant,
        }
    }
}

const LOGIN: Route = Route::new("login", &[Method::Get]);

/// RFC 8414's document; the web layer knows its own address.
const AUTHORIZATION_SERVER_METADATA: &str = ".well-known/oauth-authorization-server";

/// That of the Shared Signals Framework; likewise.
const SIGNALS_CONFIGURATION: &str = ".well-known/ssf-configuration";

impl Hub {
    /// What answers `{issuer}/{route}`; `None` is 404.
    pub fn tenant_route(&self, tenant: &str, route: &str) -> Option<Resolved> {
        let tenant = self.tenant(tenant)?;
        if let Some((route, step)) = LogoutStep::at(route) {
            return Some(Resolved { target: Target::Logout { tenant, step }, route, rest: String::new() });
        }
        if let Some((route, page)) = OwnPage::at(route) {
            return Some(Resolved { target: Target::Own { tenant, page }, route, rest: String::new() });
        }
        self.downstreams.iter().enumerate().find_map(|(index, downstream)| {
            let (route, rest) = matching(downstream.routes(), route)?;
            Some(Resolved { target: Target::Downstream { tenant: Arc::clone(&tenant), index }, route, rest })
        })
    }

    /// What answers `{issuer}/connections/{connection}/{route}`; `None` is 404.
    pub fn connection_route(&self, tenant: &str, connection: &str, route: &str) -> Option<Resolved> {
        let tenant = self.tenant(tenant)?;
        let connection = Arc::clone(tenant.connection(connection)?);
        if route == LOGIN.path && connection.can_log_in {
            let target = Target::Login { tenant, connection };
            return Some(Resolved { target, route: LOGIN, rest: String::new() });
        }
        let adapter = connection.state.as_ref().ok().map(|ready| &ready.adapter)?;
        if let Some(published) = adapter.metadata.as_ref().map(|published| published.route())
            && let Some((route, rest)) = matching(&[published], route)
        {
            return Some(Resolved { target: Target::Metadata { tenant, connection }, route, rest });
        }
        if let Some((route, rest)) = adapter.logout.as_ref().and_then(|logout| matching(logout.routes(), route)) {
            return Some(Resolved { target: Target::UpstreamLogout { tenant, connection }, route, rest });
        }
        if let Some((route, rest)) = adapter.push.as_ref().and_then(|push| matching(push.routes(), route)) {
            return Some(Resolved { target: Target::Push { tenant, connection }, route, rest });
        }
        let (route, rest) = matching(adapter.login.as_ref()?.routes(), route)?;
        Some(Resolved { target: Target::Answer { tenant, connection }, route, rest })
    }

    /// What answers the RFC 8414 address of a tenant.
    pub fn authorization_server_metadata(&self, tenant: &str) -> Option<Resolved> {
        self.tenant_route(tenant, AUTHORIZATION_SERVER_METADATA)
    }

    /// What answers the address of a tenant's configuration of signals.
    pub fn signals_configuration(&self, tenant: &str) -> Option<Resolved> {
        self.tenant_route(tenant, SIGNALS_CONFIGURATION)
    }

    /// Answers a request whose method and size the web layer has checked.
    pub async fn handle(&self, target: Target, input: HttpInput) -> Reply {
        let tenant = Arc::clone(target.tenant());
        let reply = self.answer_to(target, &input).await;
        dressed(reply, &tenant.view, &input)
    }

    async fn answer_to(&self, target: Target, input: &HttpInput) -> Reply {
        match target {
            Target::Downstream { tenant, index } => self.downstream_request(tenant, index, input).await,
            // In boxes: a login's state is large, and every request would make room for it.
            Target::Answer { tenant, connection } => Box::pin(self.answer(tenant, connection, input)).await,
            Target::Login { tenant, connection } => match Self::parked_handle(input) {
                Some(handle) => Box::pin(self.take_up(tenant, connection, &handle, input)).await,
                None => {
                    let (wish, trace) = (LoginWish::default(), TraceLog::new());
                    Box::pin(self.start_at_connection(tenant, &connection, None, wish, input, trace)).await
                }
            },
            Target::Logout { tenant, step } => Box::pin(self.logout_step(tenant, step, input)).await,
            Target::UpstreamLogout { tenant, connection } => {
                Box::pin(self.upstream_logout(tenant, &connection, input)).await
            }
            Target::Push { tenant, connection } => {
                let push = connection.state.as_ref().ok().and_then(|ready| ready.adapter.push.as_deref());
                let Some(push) = push else {
                    return error_page(404, Some(&tenant), "There is no such page.", None, None);
                };
                let (now, trace_id) = (self.services.clock.now(), self.new_trace_id());
                push.answer(PushRequest { tenant: &tenant.view, input, now, trace_id }).await
            }
            Target::Own { tenant, page } => match page {
                OwnPage::Consent => Box::pin(self.consent_answered(tenant, input)).await,
                OwnPage::SomebodyElse => Box::pin(self.is_somebody_else(tenant, input)).await,
                OwnPage::Account => Box::pin(self.account(tenant, input)).await,
                OwnPage::Act(act) => Box::pin(self.act(tenant, act, input)).await,
                OwnPage::Password => Box::pin(self.password_typed(tenant, input)).await,
                OwnPage::NewPassword => Box::pin(self.new_password_typed(tenant, input)).await,
                OwnPage::Factor => Box::pin(self.factor_shown(tenant, input)).await,
                OwnPage::Enrol => Box::pin(self.factor_proposed(tenant, input)).await,
            },
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

    pub(super) fn tenant(&self, slug: &str) -> Option<Arc<TenantSnapshot>> {
        self.snapshots.current().named(slug).cloned()
    }

    async fn downstream_request(&self, tenant: Arc<TenantSnapshot>, index: usize, input: &HttpInput) -> Reply {
        let Some(downstream) = self.downstreams.get(index) else {
            return error_page(404, Some(&tenant), "There is no such page.", None, None);
        };
        let now = self.services.clock.now();
        let trace_id = self.new_trace_id();
        let mut trace = TraceLog::new();
        let request = Request { tenant: &tenant.view, input, now, trace_id };
        match downstream.accept(request, &mut trace).await {
            Accepted::Login(login) => Box::pin(self.start_for_app(tenant, *login, input, trace_id, trace)).await,
            Accepted::Logout(request) => {
                let wish = LogoutWish { request, trace_id, trace };
                Box::pin(self.logout(tenant, wish, input)).await
            }
            Accepted::PeerLogout { app, request } => {
                let heard = Heard { party: Party::App(app), trace_id, trace };
                Box::pin(self.peer_logout(tenant, heard, *request, input)).await
            }
            Accepted::LogoutAnswer { id, told } => {
                let heard = Heard { party: id.party, trace_id, trace };
                Box::pin(self.app_answered(tenant, heard, id, told, input)).await
            }
            Accepted::Reply(reply) => reply,
        }
    }
}

/// Pages wear what the tenant's do. Whoever made one may know the language better: a login remembers what its
/// app asked for.
fn dressed(mut reply: Reply, tenant: &Tenant, input: &HttpInput) -> Reply {
    if let ReplyKind::Page(_) | ReplyKind::AutoPost { .. } = reply.kind {
        let asked = input.query_params().into_iter().chain(input.form_params()).find(|(name, _)| name == "ui_locales");
        let asked = || tenant.locale(asked.as_ref().map(|(_, tags)| tags.as_str()));
        reply.dress = tenant.dress(reply.dress.locale.or_else(asked));
    }
    reply
}

/// The route that a path is, and what stands for its `*`.
fn matching(routes: &[Route], path: &str) -> Option<(Route, String)> {
    routes.iter().find_map(|route| Some((*route, route.matches(path)?.to_owned())))
}
