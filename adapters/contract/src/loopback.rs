//! This very machine, where plain http is taken in the place of https. What an IP address is that a name was
//! resolved to is another question: the way out asks it.

use url::{Host, Url};

/// Whether the host is a loopback address, or `localhost` itself. A name under `localhost` is whatever a
/// resolver makes of it, so it is not for what our own server calls and not for what an app registers.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The same for sites that a browser opens: it takes each name under `localhost` to this machine too
/// (RFC 6761 section 6.3).
pub fn is_loopback_site(url: &Url) -> bool {
    is_loopback(url) || matches!(url.host(), Some(Host::Domain(name)) if name.ends_with(".localhost"))
}

/// Whether an address is https, or plain http to this very machine.
pub fn is_https_or_loopback(url: &Url) -> bool {
    url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_machine() {
        for (url, loopback, site) in [
            ("http://localhost", true, true),
            ("http://LOCALHOST:8080/x", true, true),
            ("http://127.0.0.1", true, true),
            ("http://127.9.9.9", true, true),
            ("http://[::1]:1", true, true),
            ("http://a.localhost", false, true),
            ("http://localhost.example", false, false),
            ("http://notlocalhost", false, false),
            ("http://10.0.0.1", false, false),
            ("http://[::ffff:127.0.0.1]", false, false),
            ("http://0.0.0.0", false, false),
            ("urn:localhost", false, false),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!((is_loopback(&parsed), is_loopback_site(&parsed)), (loopback, site), "{url}");
        }
    }

    #[test]
    fn plain_http_goes_to_this_machine_alone() {
        for (url, allowed) in [
            ("https://app.example/x", true),
            ("http://localhost/x", true),
            ("http://app.example/x", false),
            ("http://a.localhost/x", false),
            ("ftp://localhost/x", false),
            ("data:text/plain,x", false),
        ] {
            assert_eq!(is_https_or_loopback(&Url::parse(url).unwrap()), allowed, "{url}");
        }
    }
}
