//! The hosts that a tenant allows: names, or `*.` and a name below which all are meant.

use std::net::Ipv6Addr;

use url::{Host, Url};

/// Whether one of the patterns covers the host of this address. Compared are A-labels in lower case, as `Url` has
/// them; names are not resolved.
pub fn allow(patterns: &[String], url: &Url) -> bool {
    covered(patterns, url.host_str().unwrap_or_default())
}

/// The same for a host that is no part of an address; an IPv6 address without brackets.
pub fn allow_name(patterns: &[String], host: &str) -> bool {
    let literal = host.parse::<Ipv6Addr>().map(Host::Ipv6);
    let host = literal.map_or_else(|_| Host::parse(host), Ok);
    host.is_ok_and(|host: Host| covered(patterns, &host.to_string()))
}

fn covered(patterns: &[String], host: &str) -> bool {
    patterns.iter().any(|pattern| match pattern.strip_prefix('*') {
        Some(below) => host.len() > below.len() && host.ends_with(below),
        None => host == pattern,
    })
}

/// A pattern in the form in which it is compared.
///
/// # Errors
/// A sentence about what it is instead.
pub fn pattern(text: &str) -> Result<String, String> {
    let wrong = || format!("`{text}` is not a host: write it like login.example, or *.example for all below it");
    let (star, name) = text.strip_prefix("*.").map_or(("", text), |name| ("*.", name));
    let host = Host::parse(name).map_err(|_| wrong())?;
    match host {
        Host::Domain(name) if name.is_empty() || name.contains('*') || name.ends_with('.') => Err(wrong()),
        Host::Domain(name) => Ok(format!("{star}{name}")),
        address if star.is_empty() => Ok(address.to_string()),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_and_what_is_below_them() {
        let patterns =
            ["login.example", "*.okta.example", "*.Bücher.example", "[::1]"].map(|text| pattern(text).unwrap());
        let allowed = |url: &str| allow(&patterns, &Url::parse(url).unwrap());
        for good in [
            "https://login.example/a",
            "https://LOGIN.example:8443/",
            "https://acme.okta.example/",
            "https://a.b.okta.example/",
            "https://shop.xn--bcher-kva.example/",
            "https://shop.bücher.example/",
            "https://[::1]/",
        ] {
            assert!(allowed(good), "{good}");
        }
        for bad in [
            "https://okta.example/",
            "https://evilokta.example/",
            "https://login.example.evil.example/",
            "https://login.example./",
            "https://evil.example/login.example",
            "https://login.example@evil.example/",
            "https://evil.example#login.example",
            "https://xlogin.example/",
            "https://[::2]/",
            "https://127.0.0.1/",
        ] {
            assert!(!allowed(bad), "{bad}");
        }
        for good in ["login.example", "DC1.Okta.Example", "shop.bücher.example", "::1", "0:0::1"] {
            assert!(allow_name(&patterns, good), "{good}");
        }
        for bad in ["", "okta.example", "login.example.", "login.example:636", "::2", "127.0.0.1"] {
            assert!(!allow_name(&patterns, bad), "{bad}");
        }
    }

    #[test]
    fn patterns_are_hosts() {
        for bad in [
            "",
            "*",
            "*.",
            "*.*.example",
            "a.*.example",
            "https://a.example",
            "a.example/x",
            "a example",
            "a.example.",
            "*.127.0.0.1",
            "a:80",
        ] {
            assert!(pattern(bad).is_err(), "{bad}");
        }
        assert_eq!(pattern("MÜNCHEN.example").unwrap(), "xn--mnchen-3ya.example");
        assert_eq!(pattern("127.0.0.1").unwrap(), "127.0.0.1");
    }
}
