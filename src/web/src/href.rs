//! Addresses that may go into a `Location` header, a link or a form.

use url::Url;

/// Schemes that run or show content with the page's own authority, or read local files.
const REFUSED: [&str; 8] = ["javascript", "vbscript", "data", "blob", "file", "filesystem", "about", "view-source"];

/// Whether a browser may be sent there: a path on this site, or an absolute address.
///
/// Which addresses are right is for the adapters to check (exact registered redirect URIs). This is
/// the last fence: visible ASCII only, so no line break gets into a header, and no scheme that runs
/// script. Schemes of native apps pass (RFC 8252 section 7.1).
pub(crate) fn may_go(address: &str) -> bool {
    if !address.bytes().all(|b| b.is_ascii_graphic()) {
        return false;
    }
    if let Some(rest) = address.strip_prefix('/') {
        // `//host` and `/\host` are other sites to a browser.
        return !rest.starts_with(['/', '\\']);
    }
    let Some((scheme, rest)) = address.split_once(':') else { return false };
    let well_formed = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    if !well_formed || REFUSED.iter().any(|refused| scheme.eq_ignore_ascii_case(refused)) {
        return false;
    }
    let web = scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http");
    // `https:host` and `https:/host` are read as hosts by browsers, and as paths by others.
    !web || (rest.starts_with("//") && Url::parse(address).is_ok())
}

/// Whether this is a scheme with its colon that a native app has for its own: a reverse domain name, so that
/// none of a browser's is among them (RFC 8252 section 7.1).
pub(crate) fn is_private_scheme(text: &str) -> bool {
    text.strip_suffix(':').is_some_and(|scheme| {
        scheme.contains('.')
            && scheme.starts_with(|c: char| c.is_ascii_lowercase())
            && scheme.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-' | b'.'))
    })
}

/// Where a form may post to: an absolute http or https address, or a path on this site.
pub(crate) fn form_target(address: &str) -> Option<FormTarget> {
    if !may_go(address) {
        return None;
    }
    if address.starts_with('/') {
        return Some(FormTarget::Here);
    }
    match Url::parse(address).ok()?.scheme() {
        "https" => Some(FormTarget::Https),
        "http" => Some(FormTarget::Http),
        _ => None,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FormTarget {
    Here,
    Https,
    Http,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lets_addresses_through_that_apps_register() {
        for address in [
            "/t/acme/logout",
            "/",
            "https://portal.example/callback?code=a&state=b%0d%0a#x",
            "http://127.0.0.1:8081/cb",
            "http://[::1]:8081/cb",
            "com.example.app:/cb",
            "myapp://cb",
        ] {
            assert!(may_go(address), "{address}");
        }
    }

    #[test]
    fn refuses_what_a_browser_would_misread() {
        for address in [
            "",
            "portal",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "\\\\evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https://",
            "https://a.example/\r\nSet-Cookie: a=b",
            "https://a.example/\nx",
            "https://ä.example/",
            " https://a.example",
            "javascript:alert(1)",
            "JavaScript:alert(1)",
            "java\tscript:alert(1)",
            "data:text/html,x",
            "vbscript:x",
            "file:///etc/passwd",
            ":x",
            "1a:x",
        ] {
            assert!(!may_go(address), "{address}");
        }
    }

    #[test]
    fn a_private_scheme_is_a_reverse_domain_name() {
        assert!(is_private_scheme("com.example.app:") && is_private_scheme("com.example-2.app+x:"));
        for text in
            ["", ":", "javascript:", "data:", "wiki.example", "com.example.app:/cb", "a.b: *", "a.b:;", "1.a:", "A.b:"]
        {
            assert!(!is_private_scheme(text), "{text}");
        }
    }

    #[test]
    fn forms_post_to_web_addresses_only() {
        assert_eq!(form_target("https://a.example/acs"), Some(FormTarget::Https));
        assert_eq!(form_target("http://localhost/acs"), Some(FormTarget::Http));
        assert_eq!(form_target("/t/acme/logout"), Some(FormTarget::Here));
        for address in ["com.example.app:/cb", "mailto:a@b.example", "javascript:x", "//x.example"] {
            assert_eq!(form_target(address), None, "{address}");
        }
    }
}
