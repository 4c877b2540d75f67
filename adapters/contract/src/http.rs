//! HTTP as adapters see it: octets in, a [`Reply`] out. No framework types.

use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::{Locale, Look};
use crate::page::Page;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    /// Whether a body comes with it that is read.
    pub const fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put | Self::Patch)
    }
}

/// One route of an adapter, relative to where the adapter is mounted.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// For example `token` or `saml/acs`, without a leading slash. A last segment `*` stands for any
    /// one segment, `**` for any number of them, also none; what stands there comes as [`HttpInput::rest`].
    pub path: &'static str,
    pub methods: &'static [Method],
    /// Whether scripts of other origins may call it (token, userinfo, keys, discovery; never authorize).
    pub cors: bool,
    pub faults: FaultForm,
}

/// How what the web layer refuses by itself is told, behind a route that is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FaultForm {
    /// A page for a person.
    #[default]
    Page,
    /// An Error of SCIM (RFC 7644 section 3.12).
    Scim,
}

/// A request, bounded in size by the web layer before it gets here.
#[derive(Debug, Clone)]
pub struct HttpInput {
    pub method: Method,
    /// The route's path as the adapter declared it.
    pub route: &'static str,
    /// What stands for the `*` or `**` of the route; empty without one.
    pub rest: String,
    /// The raw query octets: a redirect-binding signature covers them as sent (SAML bindings 3.4.4.1).
    pub query: String,
    pub body: Bytes,
    pub content_type: Option<String>,
    pub authorization: Option<String>,
    pub origin: Option<String>,
    pub accept_language: Option<String>,
    pub if_match: Option<String>,
    pub if_none_match: Option<String>,
    /// RFC 7240.
    pub prefer: Option<String>,
    pub cookies: Vec<(String, String)>,
    /// The peer, or what a trusted proxy says it is.
    pub peer: IpAddr,
}

impl Route {
    /// A route whose faults are pages, closed to scripts of other origins.
    pub const fn new(path: &'static str, methods: &'static [Method]) -> Self {
        Self { path, methods, cors: false, faults: FaultForm::Page }
    }

    #[must_use]
    pub const fn open_to_scripts(self) -> Self {
        Self { cors: true, ..self }
    }

    #[must_use]
    pub const fn with_faults(self, faults: FaultForm) -> Self {
        Self { faults, ..self }
    }

    /// Whether `path` is this route, and what stands for its `*` or `**`.
    pub fn matches<'p>(&self, path: &'p str) -> Option<&'p str> {
        if let Some(before) = self.path.strip_suffix("/**") {
            let rest = path.strip_prefix(before)?;
            return if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') };
        }
        match self.path.strip_suffix("/*") {
            None => (path == self.path).then_some(""),
            Some(before) => {
                let last = path.strip_prefix(before)?.strip_prefix('/')?;
                (!last.is_empty() && !last.contains('/')).then_some(last)
            }
        }
    }
}

impl HttpInput {
    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether the body is `application/x-www-form-urlencoded`, parameters of the media type aside.
    pub fn is_form(&self) -> bool {
        self.content_type.as_deref().is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
    }

    /// Parameters of the query, in order, duplicates kept.
    pub fn query_params(&self) -> Vec<(String, String)> {
        form_urlencoded::parse(self.query.as_bytes()).into_owned().collect()
    }

    /// Parameters of a form body, in order, duplicates kept; empty for another media type.
    pub fn form_params(&self) -> Vec<(String, String)> {
        if self.is_form() { form_urlencoded::parse(&self.body).into_owned().collect() } else { Vec::new() }
    }
}

/// A cookie to set. The web layer adds prefix, Secure and HttpOnly as the base URL asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetCookie {
    pub name: String,
    /// Empty removes the cookie.
    pub value: String,
    pub max_age_seconds: Option<i64>,
    pub same_site: SameSite,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SameSite {
    Lax,
    /// For the short-lived correlation cookie: an ACS POST comes from another site.
    None,
}

/// An answer. Adapters never make HTML; they name a [`Page`].
#[derive(Debug, Clone)]
pub struct Reply {
    pub kind: ReplyKind,
    pub cookies: Vec<SetCookie>,
    /// How a page is shown; the browser's languages decide where no locale is given.
    pub dress: Dress,
}

/// What a page wears.
#[derive(Debug, Clone, Default)]
pub struct Dress {
    pub look: Option<Arc<Look>>,
    /// From `ui_locales`, already one that the tenant offers.
    pub locale: Option<Locale>,
    /// What the tenant offers; empty: all.
    pub offered: Vec<Locale>,
}

#[derive(Debug, Clone)]
pub enum ReplyKind {
    /// 303 See Other, so that a POST body is never sent on (RFC 9700 section 4.12).
    Redirect(String),
    /// A page that posts these fields by itself, with a button where no script runs.
    AutoPost {
        action: String,
        fields: Vec<(String, String)>,
    },
    Page(Page),
    Body(Body),
}

#[derive(Debug, Clone)]
pub struct Body {
    pub status: u16,
    pub content_type: &'static str,
    /// Further headers, names in lower case.
    pub headers: Vec<(&'static str, String)>,
    pub bytes: Bytes,
}

impl Reply {
    pub fn redirect(location: impl Into<String>) -> Self {
        ReplyKind::Redirect(location.into()).into()
    }

    pub fn page(page: Page) -> Self {
        ReplyKind::Page(page).into()
    }

    /// A JSON document with `Cache-Control: no-store`.
    pub fn json(status: u16, value: &impl serde::Serialize) -> Self {
        let bytes = serde_json::to_vec(value).unwrap_or_else(|_| b"{}".to_vec());
        ReplyKind::Body(Body {
            status,
            content_type: "application/json",
            headers: vec![("cache-control", "no-store".into())],
            bytes: bytes.into(),
        })
        .into()
    }

    pub fn body(status: u16, content_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        ReplyKind::Body(Body { status, content_type, headers: Vec::new(), bytes: bytes.into() }).into()
    }

    /// A page in this language. The hub adds what else the tenant's pages wear.
    pub fn in_language(mut self, locale: Option<Locale>) -> Self {
        self.dress.locale = locale;
        self
    }

    pub fn dressed(mut self, dress: Dress) -> Self {
        self.dress = dress;
        self
    }

    pub fn with_cookie(mut self, cookie: SetCookie) -> Self {
        self.cookies.push(cookie);
        self
    }

    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        if let ReplyKind::Body(body) = &mut self.kind {
            body.headers.push((name, value.into()));
        }
        self
    }
}

impl From<ReplyKind> for Reply {
    fn from(kind: ReplyKind) -> Self {
        Self { kind, cookies: Vec::new(), dress: Dress::default() }
    }
}
