//! From [`Reply`] to an HTTP response.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
    SET_COOKIE,
};
use bytes::Bytes;
use fedbridge_contract::http::{Body, Reply, ReplyKind};
use fedbridge_contract::page::Page;
use fedbridge_contract::services::random_text;

use crate::dress::Worn;
use crate::fault::Fault;
use crate::headers::{self, PageNeeds};
use crate::href;
use crate::pages;
use crate::site::Site;

const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");

/// Renders a reply. The browser's languages count for pages whose dress names no language.
///
/// # Errors
/// [`Fault::Internal`] when it holds what must not go out: an address that a browser would misread, a
/// header or cookie that would forge another.
pub(crate) fn render(reply: Reply, accept_language: Option<&str>, site: &Site) -> Result<HttpResponse, Fault> {
    let worn = || Worn::choose(&reply.dress, accept_language);
    let mut response = match reply.kind {
        ReplyKind::Body(body) => from_body(body)?,
        ReplyKind::Redirect(location) => redirect(location)?,
        ReplyKind::AutoPost { action, fields } => auto_post(&action, &fields, &worn(), site)?,
        ReplyKind::Page(page) => from_page(&page, &worn(), site)?,
    };
    if !reply.cookies.is_empty() {
        // What sets a cookie belongs to one person.
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        for cookie in &reply.cookies {
            response.headers_mut().append(SET_COOKIE, crate::cookies::write(cookie, site.https)?);
        }
    }
    Ok(response)
}

/// A response with nothing but status and body.
pub(crate) fn bare(status: u16, body: impl Into<Bytes>) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::with_body(status, BoxBody::new(body.into()))
}

fn from_body(body: Body) -> Result<HttpResponse, Fault> {
    if !(200..=599).contains(&body.status) {
        tracing::error!(status = body.status, "an adapter answered with a status that is no answer");
        return Err(Fault::Internal);
    }
    let mut response = bare(body.status, body.bytes);
    let out = response.headers_mut();
    out.insert(CONTENT_TYPE, HeaderValue::from_static(body.content_type));
    for (name, value) in body.headers {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad_header(name))?;
        if headers::is_ours(&name) {
            return Err(bad_header(name.as_str()));
        }
        let value = HeaderValue::try_from(value).map_err(|_| bad_header(name.as_str()))?;
        out.append(name, value);
    }
    if !out.contains_key(CACHE_CONTROL) {
        out.insert(CACHE_CONTROL, NO_STORE);
    }
    Ok(response)
}

fn bad_header(name: &str) -> Fault {
    tracing::error!(header = name, "an adapter set a header that can't go out");
    Fault::Internal
}

/// 303: the browser follows with GET and never sends a body on (RFC 9700 section 4.12).
fn redirect(location: String) -> Result<HttpResponse, Fault> {
    if !href::may_go(&location) {
        tracing::error!("a redirect was refused: its address is not one that a browser may be sent to");
        return Err(Fault::Internal);
    }
    let mut response = bare(303, Bytes::new());
    let location = HeaderValue::try_from(location).map_err(|_| Fault::Internal)?;
    response.headers_mut().insert(LOCATION, location);
    response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    Ok(response)
}

fn auto_post(action: &str, fields: &[(String, String)], worn: &Worn, site: &Site) -> Result<HttpResponse, Fault> {
    let Some(target) = href::form_target(action) else {
        tracing::error!("a form was refused: its address is neither http nor https");
        return Err(Fault::Internal);
    };
    let nonce = random_text::<16>(site.rng.as_ref());
    let html = pages::auto_post(action, fields, worn, &nonce)?;
    html_response(200, html, &PageNeeds::AutoPost { nonce, target }, worn, site)
}

fn from_page(page: &Page, worn: &Worn, site: &Site) -> Result<HttpResponse, Fault> {
    let status = match page {
        Page::Error(error) if (400..=599).contains(&error.status) => error.status,
        Page::Error(_) => 500,
        _ => 200,
    };
    let nonce = random_text::<16>(site.rng.as_ref());
    let html = pages::page(page, worn, &nonce)?;
    let needs = match page {
        Page::ConfirmLogout(_) | Page::Account(_) | Page::ConfirmLink(_) => PageNeeds::OwnForm { onward: None },
        Page::Consent(page) => PageNeeds::OwnForm { onward: private(&page.host) },
        Page::SameEmail(page) => PageNeeds::OwnForm { onward: private(&page.onward) },
        Page::Password(page) => PageNeeds::OwnForm { onward: private(&page.onward) },
        Page::NewPassword(page) => PageNeeds::OwnForm { onward: private(&page.onward) },
        Page::SecondFactor(page) => PageNeeds::ScriptedForm { nonce, onward: private(&page.onward) },
        Page::Enrol(page) => PageNeeds::ScriptedForm { nonce, onward: private(&page.onward) },
        Page::LoggingOut(page) => {
            PageNeeds::Frames { nonce, sources: page.frame_origins.clone(), framed_by: page.framed_by.clone() }
        }
        Page::NoticeForm(form) => {
            let target = href::form_target(&form.action).ok_or(Fault::Internal)?;
            PageNeeds::FramedPost { nonce, target, framed_by: form.framed_by.clone() }
        }
        Page::Noticed(_) => PageNeeds::Framed,
        Page::Error(_) | Page::Chooser(_) | Page::LoggedOut(_) | Page::SignedIn(_) | Page::Shown(_) => {
            PageNeeds::Nothing
        }
    };
    html_response(status, html, &needs, worn, site)
}

/// The scheme of a native app, where the answer goes to one.
fn private(onward: &Option<String>) -> Option<String> {
    onward.clone().filter(|host| href::is_private_scheme(host))
}

fn html_response(
    status: u16,
    html: String,
    needs: &PageNeeds,
    worn: &Worn,
    site: &Site,
) -> Result<HttpResponse, Fault> {
    let mut response = bare(status, html);
    let out = response.headers_mut();
    let policy = headers::page_policy(needs, worn.paint.as_ref(), site.https);
    out.insert(CONTENT_TYPE, HTML);
    out.insert(CACHE_CONTROL, NO_STORE);
    out.insert(CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).map_err(|_| Fault::Internal)?);
    if let PageNeeds::OwnForm { .. } | PageNeeds::ScriptedForm { .. } = needs {
        // Under `no-referrer` a browser posts with `Origin: null`, even to ourselves (Fetch, "append a
        // request Origin header"), and the receiver could not check it. To other sites this says as little.
        out.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    }
    Ok(response)
}
