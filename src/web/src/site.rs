//! What is the same for every answer: the scheme of the base URL, and randomness for nonces.

use std::sync::Arc;

use fedbridge_contract::loopback::is_loopback_site;
use fedbridge_contract::services::Rng;
use url::Url;

/// The base URL as the web layer needs it.
#[derive(Clone)]
pub struct Site {
    pub(crate) https: bool,
    pub(crate) rng: Arc<dyn Rng>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBaseUrl {
    #[error("the base URL must be https, or http where its host is loopback")]
    Scheme,
    #[error("the base URL must have no path, query, fragment or user name")]
    MoreThanOrigin,
}

impl Site {
    /// # Errors
    /// When the URL is more than an origin, or plain http on a host that is not loopback.
    pub fn new(base_url: &Url, rng: Arc<dyn Rng>) -> Result<Self, BadBaseUrl> {
        let https = match base_url.scheme() {
            "https" => true,
            "http" if is_loopback_site(base_url) => false,
            _ => return Err(BadBaseUrl::Scheme),
        };
        let bare = base_url.path() == "/"
            && base_url.query().is_none()
            && base_url.fragment().is_none()
            && base_url.username().is_empty()
            && base_url.password().is_none();
        if bare { Ok(Self { https, rng }) } else { Err(BadBaseUrl::MoreThanOrigin) }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    struct Zero;

    impl Rng for Zero {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(0);
        }
    }

    fn site(url: &str) -> Result<bool, BadBaseUrl> {
        Site::new(&Url::parse(url).unwrap(), Arc::new(Zero)).map(|site| site.https)
    }

    #[test]
    fn takes_https_and_loopback_only() {
        assert_eq!(site("https://login.acme.example"), Ok(true));
        for url in ["http://127.0.0.1:8080", "http://localhost", "http://[::1]:1/", "http://a.localhost"] {
            assert_eq!(site(url), Ok(false), "{url}");
        }
        for url in ["http://login.acme.example", "http://10.0.0.1", "ftp://localhost", "http://localhost.example"] {
            assert_eq!(site(url), Err(BadBaseUrl::Scheme), "{url}");
        }
        for url in ["https://a.example/x", "https://a.example/?q", "https://a.example/#f", "https://u@a.example/"] {
            assert_eq!(site(url), Err(BadBaseUrl::MoreThanOrigin), "{url}");
        }
    }
}
