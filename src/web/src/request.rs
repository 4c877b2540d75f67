//! From an HTTP request to [`HttpInput`].

use std::net::{IpAddr, Ipv4Addr};

use actix_web::HttpRequest;
use actix_web::http::Method as HttpMethod;
use actix_web::http::header::{
    ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH,
    ORIGIN,
};
use bytes::Bytes;
use fedbridge_contract::http::{HttpInput, Method, Route};

use crate::cookies;
use crate::fault::Fault;
use crate::peer::{Network, peer};
use crate::server::Limits;

/// RFC 7240.
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The method as routes know it; HEAD is a GET whose body is not sent.
pub(crate) fn method(request: &HttpRequest) -> Option<Method> {
    match *request.method() {
        HttpMethod::GET | HttpMethod::HEAD => Some(Method::Get),
        HttpMethod::POST => Some(Method::Post),
        HttpMethod::PUT => Some(Method::Put),
        HttpMethod::PATCH => Some(Method::Patch),
        HttpMethod::DELETE => Some(Method::Delete),
        HttpMethod::OPTIONS => Some(Method::Options),
        _ => None,
    }
}

/// Checks the size of the head. The parser below stops at 96 headers and 128 KiB by itself.
pub(crate) fn check_head(request: &HttpRequest, limits: &Limits) -> Result<(), Fault> {
    let target = request.uri().path_and_query().map_or(0, |both| both.as_str().len());
    if target > limits.max_target {
        return Err(Fault::TargetTooLong);
    }
    let headers: usize = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers > limits.max_headers {
        return Err(Fault::HeadersTooLarge);
    }
    Ok(())
}

/// Refuses compressed bodies.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), Fault> {
    let plain = |value: &actix_web::http::header::HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(CONTENT_ENCODING).all(plain) { Ok(()) } else { Err(Fault::Encoded) }
}

/// Host, Forwarded and their like are not read: addresses come from the base URL alone.
pub(crate) fn input(
    request: &HttpRequest,
    method: Method,
    route: &Route,
    rest: String,
    body: Bytes,
    https: bool,
    trusted: &[Network],
) -> Result<HttpInput, Fault> {
    let headers = request.headers();
    // Without a socket (never on a TCP listener) nobody is trusted.
    let socket = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |address| address.ip());
    Ok(HttpInput {
        method,
        route: route.path,
        rest,
        query: request.query_string().to_owned(),
        body,
        content_type: single(headers, CONTENT_TYPE)?,
        authorization: single(headers, AUTHORIZATION)?,
        origin: single(headers, ORIGIN)?,
        accept_language: first(headers, ACCEPT_LANGUAGE),
        if_match: list(headers, IF_MATCH)?,
        if_none_match: list(headers, IF_NONE_MATCH)?,
        prefer: list(headers, PREFER)?,
        cookies: cookies::read(headers, https),
        peer: peer(socket, headers, trusted),
    })
}

/// A header that decides something: twice would let two readers see two things.
fn single(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, Fault> {
    let mut values = headers.get_all(name);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Fault::BadHeader);
    }
    value.to_str().map(|text| Some(text.to_owned())).map_err(|_| Fault::BadHeader)
}

/// A header that is a list, which may come in several lines (RFC 9110 section 5.3).
fn list(headers: &HeaderMap, name: HeaderName) -> Result<Option<String>, Fault> {
    let mut whole: Option<String> = None;
    for value in headers.get_all(name) {
        let text = value.to_str().map_err(|_| Fault::BadHeader)?;
        whole = Some(whole.map_or_else(|| text.to_owned(), |before| format!("{before}, {text}")));
    }
    Ok(whole)
}

fn first(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
