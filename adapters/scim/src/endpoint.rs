//! One connection's endpoint: from a path to what answers it.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::http::{FaultForm, Method, Reply, Route};
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::push::{Belonging, PushActor, PushPlace, PushRequest, PushServer};
use fedbridge_contract::services::Services;
use fedbridge_scim_core::json;
use fedbridge_scim_core::list::Query;
use fedbridge_scim_core::{Fault, ResourceKind};
use serde_json::Value;

use crate::answer::{Answered, Refused, not_found, reply};
use crate::credentials::Uses;
use crate::oauth::{self, May};
use crate::settings::Settings;

/// Below the connection's address.
pub const BASE: &str = "scim/v2";

const METHODS: &[Method] = &[Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete];
const ROUTES: &[Route] = &[
    Route::new("scim/v2/**", METHODS).with_faults(FaultForm::Scim),
    Route::new(oauth::TOKEN, &[Method::Post]).with_faults(FaultForm::Scim),
];

pub struct Endpoint {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    /// Its address, without a slash at the end.
    pub base: String,
    pub settings: Settings,
    pub uses: Uses,
    pub services: Services,
}

/// A request of somebody who may make it.
pub struct Asked<'r> {
    pub endpoint: &'r Endpoint,
    pub request: &'r PushRequest<'r>,
    pub actor: PushActor,
}

pub struct ScimServer(pub Arc<Endpoint>);

#[async_trait]
impl PushServer for ScimServer {
    fn routes(&self) -> &'static [Route] {
        ROUTES
    }

    async fn answer(&self, request: PushRequest<'_>) -> Reply {
        if request.input.route == oauth::TOKEN {
            return self.0.token(&request);
        }
        reply(self.0.answer(&request).await)
    }

    fn belonging(&self) -> &Belonging {
        &self.0.settings.belonging
    }
}

/// What stands at a path.
enum Spot<'p> {
    Root,
    Search(Vec<ResourceKind>),
    Resources(ResourceKind),
    Resource(ResourceKind, &'p str),
    Bulk,
    Me,
    Config,
    ResourceTypes(Option<&'p str>),
    Schemas(Option<&'p str>),
}

impl Spot<'_> {
    const fn methods(&self) -> &'static str {
        match self {
            Self::Root | Self::Config | Self::ResourceTypes(_) | Self::Schemas(_) | Self::Me => "GET",
            Self::Search(_) | Self::Bulk => "POST",
            Self::Resources(_) => "GET, POST",
            Self::Resource(..) => "GET, PUT, PATCH, DELETE",
        }
    }
}

impl Endpoint {
    pub fn place(&self) -> PushPlace {
        PushPlace { tenant: self.tenant, connection: self.connection }
    }

    async fn answer(&self, request: &PushRequest<'_>) -> Answered {
        let (actor, may) = self.authenticate(request)?;
        let live = request.tenant.connection_by_id(self.connection).is_some_and(|connection| connection.enabled);
        if !(request.tenant.enabled && live) {
            return Err(Fault::plain(403, "the connection is switched off").into());
        }
        let asked = Asked { endpoint: self, request, actor };
        // A URN comes as it is, or with its colons encoded (RFC 3986 section 2.2); nothing else has to be decoded.
        let rest = request.input.rest.replace("%3A", ":").replace("%3a", ":");
        let spot = spot(&rest).ok_or_else(not_found)?;
        let reads = request.input.method == Method::Get || matches!(spot, Spot::Search(_));
        if may == May::Read && !reads {
            return Err(Fault::plain(403, "the access token is for reading only (scope read)").into());
        }
        match (request.input.method, spot) {
            (Method::Get, Spot::Config) => self.service_provider_config(request.tenant),
            (Method::Get, Spot::ResourceTypes(name)) => self.resource_types(request.input, name),
            (Method::Get, Spot::Schemas(urn)) => self.schemas(request.input, urn),
            (_, Spot::Me) => Err(Fault::plain(501, "/Me means nothing here: whoever asks is no person").into()),
            (Method::Get, Spot::Root) => asked.list(&ResourceKind::ALL, asked.query()?).await,
            (Method::Post, Spot::Search(kinds)) => asked.list(&kinds, Query::from_body(asked.body()?)?).await,
            (Method::Get, Spot::Resources(kind)) => asked.list(&[kind], asked.query()?).await,
            (Method::Post, Spot::Resources(kind)) => asked.post(kind).await,
            (Method::Get, Spot::Resource(kind, id)) => asked.get(kind, id).await,
            (Method::Put, Spot::Resource(kind, id)) => asked.put(kind, id).await,
            (Method::Patch, Spot::Resource(kind, id)) => asked.patch(kind, id).await,
            (Method::Delete, Spot::Resource(kind, id)) => asked.delete(kind, id).await,
            (Method::Post, Spot::Bulk) => asked.bulk().await,
            (_, spot) => {
                let fault = Fault::plain(405, "this address does not take requests of this kind");
                Err(Refused { allow: Some(spot.methods()), ..fault.into() })
            }
        }
    }
}

impl Asked<'_> {
    /// The parameters of a GET.
    pub fn query(&self) -> Result<Query, Refused> {
        let params = self.request.input.query_params();
        Ok(Query::from_params(params.iter().map(|(name, value)| (name.as_str(), value.as_str())))?)
    }

    /// # Errors
    /// 415, or what is wrong with the body.
    pub fn body(&self) -> Result<Value, Refused> {
        let input = self.request.input;
        let media_type = input.content_type.as_deref().map(|value| value.split(';').next().unwrap_or_default().trim());
        let fits = |media_type: &str| {
            ["application/scim+json", "application/json"].iter().any(|taken| taken.eq_ignore_ascii_case(media_type))
        };
        if !media_type.is_none_or(fits) {
            return Err(Fault::plain(415, "the body has to be application/scim+json or application/json").into());
        }
        Ok(json::read(&input.body)?)
    }
}

fn spot(rest: &str) -> Option<Spot<'_>> {
    let rest = rest.trim_end_matches('/');
    let (first, second) = match rest.split_once('/') {
        Some((first, second)) => (first, Some(second)),
        None => (rest, None),
    };
    if second.is_some_and(|second| second.contains('/')) {
        return None;
    }
    let kind = ResourceKind::ALL.into_iter().find(|kind| kind.endpoint() == first);
    Some(match (first, second, kind) {
        ("", None, _) => Spot::Root,
        (".search", None, _) => Spot::Search(ResourceKind::ALL.to_vec()),
        ("Bulk", None, _) => Spot::Bulk,
        ("Me", ..) => Spot::Me,
        ("ServiceProviderConfig", None, _) => Spot::Config,
        ("ResourceTypes", name, _) => Spot::ResourceTypes(name),
        ("Schemas", urn, _) => Spot::Schemas(urn),
        (_, None, Some(kind)) => Spot::Resources(kind),
        (_, Some(".search"), Some(kind)) => Spot::Search(vec![kind]),
        (_, Some(id), Some(kind)) => Spot::Resource(kind, id),
        _ => return None,
    })
}
