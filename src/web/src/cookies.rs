//! Cookies on the wire (RFC 6265bis).

use actix_web::http::header::{COOKIE, HeaderMap, HeaderValue};
use fedbridge_contract::http::{SameSite, SetCookie};

use crate::fault::Fault;

/// The browser keeps `__Host-` to this one host, over https and with `Path=/`.
const SECURE_PREFIX: &str = "__Host-fb-";
const PLAIN_PREFIX: &str = "fb-";

fn prefix(https: bool) -> &'static str {
    if https { SECURE_PREFIX } else { PLAIN_PREFIX }
}

/// Our cookies, by their bare names, in the order in which they came. Their number is bounded by the
/// cap on a request's headers alone: a page of somebody else that makes many logins start must not push
/// out the cookie of the login that counts.
pub(crate) fn read(headers: &HeaderMap, https: bool) -> Vec<(String, String)> {
    let prefix = prefix(https);
    headers
        .get_all(COOKIE)
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| {
            let (name, value) = pair.split_once('=')?;
            let name = name.trim().strip_prefix(prefix)?;
            Some((name.to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// A `Set-Cookie` line.
///
/// # Errors
/// [`Fault::Internal`] when name or value hold what a cookie can't: then somebody forgot to encode.
pub(crate) fn write(cookie: &SetCookie, https: bool) -> Result<HeaderValue, Fault> {
    let fits = cookie.name.bytes().all(is_name_octet) && cookie.value.bytes().all(is_value_octet);
    if cookie.name.is_empty() || !fits {
        tracing::error!("a cookie's name or value holds an octet that cookies can't have");
        return Err(Fault::Internal);
    }
    let mut line = String::with_capacity(cookie.name.len() + cookie.value.len() + 96);
    line.push_str(prefix(https));
    line.push_str(&cookie.name);
    line.push('=');
    line.push_str(&cookie.value);
    line.push_str("; Path=/; HttpOnly");
    line.push_str(match (cookie.same_site, https) {
        (SameSite::None, true) => "; Secure; SameSite=None",
        (SameSite::Lax, true) => "; Secure; SameSite=Lax",
        // Browsers refuse `None` without `Secure`.
        (_, false) => "; SameSite=Lax",
    });
    let max_age = if cookie.value.is_empty() { Some(0) } else { cookie.max_age_seconds };
    if let Some(seconds) = max_age {
        line.push_str("; Max-Age=");
        line.push_str(&seconds.to_string());
    }
    HeaderValue::try_from(line).map_err(|_| Fault::Internal)
}

fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.')
}

/// RFC 6265bis section 4.1.1, cookie-octet.
fn is_value_octet(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'"' | b',' | b';' | b'\\')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn cookie(value: &str, same_site: SameSite) -> SetCookie {
        SetCookie { name: "t1-s".into(), value: value.into(), max_age_seconds: None, same_site }
    }

    #[test]
    fn writes_by_scheme() {
        let line = |c: &SetCookie, https| write(c, https).unwrap().to_str().unwrap().to_owned();
        let session = cookie("abc", SameSite::Lax);
        assert_eq!(line(&session, true), "__Host-fb-t1-s=abc; Path=/; HttpOnly; Secure; SameSite=Lax");
        assert_eq!(line(&session, false), "fb-t1-s=abc; Path=/; HttpOnly; SameSite=Lax");
        let mut correlation = cookie("abc", SameSite::None);
        correlation.max_age_seconds = Some(600);
        assert_eq!(
            line(&correlation, true),
            "__Host-fb-t1-s=abc; Path=/; HttpOnly; Secure; SameSite=None; Max-Age=600"
        );
        assert_eq!(line(&correlation, false), "fb-t1-s=abc; Path=/; HttpOnly; SameSite=Lax; Max-Age=600");
        correlation.value.clear();
        assert!(line(&correlation, true).ends_with("; Max-Age=0"));
    }

    #[test]
    fn refuses_what_would_forge_attributes() {
        for value in ["a; Domain=evil.example", "a\r\nSet-Cookie: b=c", "a b", "a,b", "\"a\"", "ä", "a\\b"] {
            assert_eq!(write(&cookie(value, SameSite::Lax), true), Err(Fault::Internal), "{value}");
        }
        let mut nameless = cookie("a", SameSite::Lax);
        nameless.name = "a=b".into();
        assert_eq!(write(&nameless, true), Err(Fault::Internal));
        nameless.name.clear();
        assert_eq!(write(&nameless, true), Err(Fault::Internal));
    }

    #[test]
    fn reads_only_its_own() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=b; __Host-fb-t1-s=x=y;fb-t1-s=plain"));
        headers.append(COOKIE, HeaderValue::from_static("__Host-fb-t2-s=z; __Host-fb; broken"));
        let pair = |n: &str, v: &str| (n.to_owned(), v.to_owned());
        assert_eq!(read(&headers, true), [pair("t1-s", "x=y"), pair("t2-s", "z")]);
        assert_eq!(read(&headers, false), [pair("t1-s", "plain")]);
    }
}
