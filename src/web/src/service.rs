//! One request from head to answer.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use actix_web::http::Method as HttpMethod;
use actix_web::http::header::{ACCEPT_LANGUAGE, ACCESS_CONTROL_REQUEST_METHOD, ALLOW, ORIGIN};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use fedbridge_contract::http::{FaultForm, Reply, Route};
use futures_util::FutureExt as _;
use tokio::time::Instant;

use crate::dispatch::{Dispatch, Found};
use crate::fault::Fault;
use crate::observe::{Observe, Served};
use crate::peer::Network;
use crate::place::Place;
use crate::server::Limits;
use crate::site::Site;
use crate::{body, headers, reply, request};

/// What all workers share.
pub(crate) struct Service {
    pub site: Site,
    pub limits: Limits,
    pub trusted_proxies: Vec<Network>,
    pub dispatch: Arc<dyn Dispatch>,
    pub observer: Arc<dyn Observe>,
}

/// Answers, whatever happens: a panic below becomes a page too.
pub(crate) async fn answer(service: Arc<Service>, request: HttpRequest, payload: web::Payload) -> HttpResponse {
    let started = Instant::now();
    let mut route = None;
    let work = AssertUnwindSafe(service.answer(&request, payload, &mut route)).catch_unwind().await;
    let outcome = work.unwrap_or_else(|_| {
        tracing::error!(route = name(route), "a handler panicked; the client got status 500");
        Err(Fault::Internal)
    });
    let form = route.map(|route| route.faults).unwrap_or_default();
    let mut response = outcome.unwrap_or_else(|fault| refuse(&service.site, languages(&request), fault, form));
    if route.is_some_and(|route| route.cors) {
        headers::open_to_scripts(response.headers_mut());
    }
    headers::secure(response.headers_mut(), service.site.https);
    service.take_note(&request, route, &response, started);
    response
}

impl Service {
    async fn answer(
        &self,
        request: &HttpRequest,
        payload: web::Payload,
        matched: &mut Option<Route>,
    ) -> Result<HttpResponse, Fault> {
        request::check_head(request, &self.limits)?;
        let place = Place::parse(request.path()).ok_or(Fault::NotFound)?;
        let Found { route, rest, handler } = self.dispatch.resolve(place).ok_or(Fault::NotFound)?;
        *matched = Some(route);
        let method = request::method(request).ok_or(Fault::MethodNotAllowed(route.methods))?;
        if !route.methods.contains(&method) {
            return if route.cors && is_preflight(request) {
                Ok(preflight(&route))
            } else {
                Err(Fault::MethodNotAllowed(route.methods))
            };
        }
        let body = if method.has_body() {
            request::check_encoding(request.headers())?;
            let mut payload = payload.into_inner();
            body::read(&mut payload, request.headers(), self.limits.max_body, self.limits.body_timeout).await?
        } else {
            Bytes::new()
        };
        let input = request::input(request, method, &route, rest, body, self.site.https, &self.trusted_proxies)?;
        reply::render(handler.handle(input).await, languages(request), &self.site)
    }

    /// Neither query, headers nor body get into the log: they hold codes, tokens and hints.
    fn take_note(&self, request: &HttpRequest, route: Option<Route>, response: &HttpResponse, started: Instant) {
        let tenant = route.and_then(|_| Place::parse(request.path())).map(|place| place.tenant());
        let served = Served {
            route: name(route),
            tenant,
            method: method_name(request.method()),
            status: response.status().as_u16(),
            elapsed: started.elapsed(),
        };
        self.observer.served(&served);
        let micros = u64::try_from(served.elapsed.as_micros()).unwrap_or(u64::MAX);
        let Served { route, method, status, .. } = served;
        let tenant = tenant.unwrap_or("-");
        if status >= 500 {
            tracing::info!(method, route, tenant, status, micros, "request");
        } else {
            tracing::debug!(method, route, tenant, status, micros, "request");
        }
    }
}

fn refuse(site: &Site, languages: Option<&str>, fault: Fault, form: FaultForm) -> HttpResponse {
    let told = match form {
        FaultForm::Page => Reply::page(fault.page()),
        FaultForm::Scim => fault.scim(),
    };
    let mut response = reply::render(told, languages, site)
        .unwrap_or_else(|_| reply::bare(fault.status(), "This request can't be answered.\n"));
    if let Fault::MethodNotAllowed(methods) = fault {
        response.headers_mut().insert(ALLOW, headers::allow(methods));
    }
    if fault.closes() {
        response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    }
    response
}

/// What the browser's person reads.
fn languages(request: &HttpRequest) -> Option<&str> {
    request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok())
}

fn is_preflight(request: &HttpRequest) -> bool {
    *request.method() == HttpMethod::OPTIONS
        && request.headers().contains_key(ORIGIN)
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight(route: &Route) -> HttpResponse {
    let mut response = reply::bare(204, Bytes::new());
    headers::preflight(response.headers_mut(), route.methods);
    response
}

fn name(route: Option<Route>) -> &'static str {
    route.map_or("unmatched", |route| route.path)
}

fn method_name(method: &HttpMethod) -> &'static str {
    match *method {
        HttpMethod::GET => "GET",
        HttpMethod::HEAD => "HEAD",
        HttpMethod::POST => "POST",
        HttpMethod::PUT => "PUT",
        HttpMethod::PATCH => "PATCH",
        HttpMethod::DELETE => "DELETE",
        HttpMethod::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
