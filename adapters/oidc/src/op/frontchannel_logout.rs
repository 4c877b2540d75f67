//! Telling an app by a frame in the browser that a session is over (OpenID Connect Front-Channel Logout 1.0).
//!
//! Nobody answers, and browsers that keep cookies from frames of other sites (most do by now) open the
//! address without the app's cookie. An app then finds its session by `sid`, or not at all; the back channel
//! has neither weakness.

use super::memory::append_query;

/// What the frame opens (section 3): `iss` and `sid` always, as with the ID token.
pub(crate) fn address(registered: &str, issuer: &str, sid: &str) -> String {
    append_query(registered, &[("iss", issuer), ("sid", sid)])
}

/// The one origin that the frame shows.
pub(crate) fn origin(registered: &str) -> Option<String> {
    Some(url::Url::parse(registered).ok()?.origin().ascii_serialization())
}
