//! Headers that every answer carries, and the content security policies.

use std::sync::LazyLock;

use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, CONTENT_SECURITY_POLICY, HeaderMap, HeaderName, HeaderValue,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::http::Method;
use url::Url;

use crate::dress::Paint;
use crate::href::FormTarget;
use crate::pages::STYLE;

/// For answers that are no page: nothing in them may load, run or be framed.
const CSP_BARE: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// The inline style sheet of all pages, by its hash (CSP 3 section 2.3.1).
static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", STANDARD.encode(openssl::sha::sha256(STYLE.as_bytes()))));

/// What a page's policy allows beyond its style sheets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PageNeeds {
    /// Links only.
    Nothing,
    /// A form that a person sends to us. The answer may lead to a native app, by this scheme of its own.
    OwnForm { onward: Option<String> },
    /// The same, filled in by the script with this nonce.
    ScriptedForm { nonce: String, onward: Option<String> },
    /// A form that sends itself, by the script with this nonce.
    AutoPost { nonce: String, target: FormTarget },
    /// Frames that tell apps, a script with this nonce that asks us how far they are, and perhaps
    /// somebody who shows the page in a frame.
    Frames { nonce: String, sources: Vec<String>, framed_by: Option<String> },
    /// A form that sends itself, in a frame of ours.
    FramedPost { nonce: String, target: FormTarget, framed_by: Option<String> },
    /// Nothing to see and nothing to press: anybody may frame it.
    Framed,
}

/// The policy of a page, which lets the tenant's colours in where it has any.
///
/// `form-action` names schemes, not the one origin that the form posts to: Chromium applies it to
/// every redirect that follows the post as well. Identity providers answer a posted AuthnRequest with
/// redirects to their own login hosts, apps redirect after `form_post`, and our own logout form leads to the app's
/// address. What remains forbidden is what a form could harm with: `javascript:`, `data:` and their
/// like, and plain http from a page that posts to https.
pub(crate) fn page_policy(needs: &PageNeeds, paint: Option<&Paint>, https: bool) -> String {
    let (frames, ancestors) = framing(needs);
    let onward = match needs {
        PageNeeds::OwnForm { onward: Some(scheme) } | PageNeeds::ScriptedForm { onward: Some(scheme), .. } => {
            format!(" {scheme}")
        }
        _ => String::new(),
    };
    let (script, forms) = match needs {
        PageNeeds::Nothing | PageNeeds::Framed => (String::new(), "'none'"),
        PageNeeds::Frames { nonce, .. } => (format!("script-src 'nonce-{nonce}'; connect-src 'self'; "), "'none'"),
        // A native app's address after logout is http on loopback (RFC 8252 section 7.3).
        PageNeeds::OwnForm { .. } => (String::new(), "'self' https: http:"),
        PageNeeds::ScriptedForm { nonce, .. } => (format!("script-src 'nonce-{nonce}'; "), "'self' https: http:"),
        PageNeeds::AutoPost { nonce, target } | PageNeeds::FramedPost { nonce, target, .. } => (
            format!("script-src 'nonce-{nonce}'; "),
            match target {
                FormTarget::Https => "https:",
                FormTarget::Http => "https: http:",
                FormTarget::Here if https => "'self' https:",
                FormTarget::Here => "'self' https: http:",
            },
        ),
    };
    let style = STYLE_SOURCE.as_str();
    let paint = paint.map_or_else(String::new, |paint| format!(" {}", paint.source));
    format!(
        "default-src 'none'; {script}{frames}style-src {style}{paint}; img-src data:; form-action {forms}{onward}; \
         {ancestors}; base-uri 'none'"
    )
}

const UNFRAMED: &str = "frame-ancestors 'none'";

/// What a page frames, and who frames it. An app's frame may go on to further hosts of its own, so the
/// frames' sources can be schemes. What is no scheme and no origin is left out.
fn framing(needs: &PageNeeds) -> (String, String) {
    let outer = |framed_by: &Option<String>| framed_by.as_deref().and_then(source).map(|origin| format!(" {origin}"));
    match needs {
        PageNeeds::Frames { sources, framed_by, .. } => {
            let sources: String =
                sources.iter().filter_map(|text| source(text)).map(|text| format!(" {text}")).collect();
            let ancestors =
                outer(framed_by).map_or_else(|| UNFRAMED.to_owned(), |origin| format!("frame-ancestors{origin}"));
            (format!("frame-src 'self'{sources}; "), ancestors)
        }
        PageNeeds::FramedPost { framed_by, .. } => {
            (String::new(), format!("frame-ancestors 'self'{}", outer(framed_by).unwrap_or_default()))
        }
        PageNeeds::Framed => (String::new(), "frame-ancestors *".to_owned()),
        PageNeeds::Nothing
        | PageNeeds::OwnForm { .. }
        | PageNeeds::ScriptedForm { .. }
        | PageNeeds::AutoPost { .. } => (String::new(), UNFRAMED.to_owned()),
    }
}

fn source(text: &str) -> Option<String> {
    if matches!(text, "https:" | "http:") {
        return Some(text.to_owned());
    }
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    Some(url.origin().ascii_serialization())
}

/// Sets what every answer carries, and keeps a policy that is already there.
pub(crate) fn secure(headers: &mut HeaderMap, https: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if !headers.contains_key(REFERRER_POLICY) {
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    if !headers.contains_key(CONTENT_SECURITY_POLICY) {
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(CSP_BARE));
    }
    // It can't name an origin, so a page that may be framed goes without.
    let policy = headers.get(CONTENT_SECURITY_POLICY).and_then(|policy| policy.to_str().ok());
    if policy.is_none_or(|policy| policy.contains(UNFRAMED)) {
        headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    }
    if https {
        // One year. Without includeSubDomains: the bridge speaks for its own host only.
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

/// Lets scripts of any origin read the answer. No credentials: with `*` browsers send no cookie,
/// so only what a script itself holds (a code, a token) opens anything.
pub(crate) fn open_to_scripts(headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("WWW-Authenticate"));
}

/// The answer to a preflight (Fetch section 3.3.2).
pub(crate) fn preflight(headers: &mut HeaderMap, methods: &'static [Method]) {
    open_to_scripts(headers);
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, allow(methods));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type"));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
}

/// The methods of a route, for `Allow`; HEAD comes with GET.
pub(crate) fn allow(methods: &[Method]) -> HeaderValue {
    let names = methods.iter().map(|method| match method {
        Method::Get => "GET, HEAD",
        Method::Post => "POST",
        Method::Put => "PUT",
        Method::Patch => "PATCH",
        Method::Delete => "DELETE",
        Method::Options => "OPTIONS",
    });
    let names = names.collect::<Vec<_>>().join(", ");
    HeaderValue::from_str(&names).unwrap_or(HeaderValue::from_static("OPTIONS"))
}

/// Headers that only the web layer sets: an adapter that names one is overruled.
pub(crate) fn is_ours(name: &HeaderName) -> bool {
    use actix_web::http::header as h;
    [
        h::CONTENT_LENGTH,
        h::CONTENT_TYPE,
        h::SET_COOKIE,
        h::TRANSFER_ENCODING,
        h::CONNECTION,
        CONTENT_SECURITY_POLICY,
        REFERRER_POLICY,
        ACCESS_CONTROL_ALLOW_ORIGIN,
    ]
    .contains(name)
}
