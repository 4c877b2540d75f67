//! The one way out of the process (threats 34): https only, special-use
//! addresses refused after resolution, the resolved address pinned, no
//! redirects, size and time capped.

mod address;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::services::{Egress, EgressError, EgressLimits, EgressPost, Fetched};
use futures_util::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, IF_NONE_MATCH};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode};
use url::{Host, Url};

pub use address::is_special_use;

/// The egress client. `allow_loopback` also permits plain http, to loopback alone.
pub struct Client {
    http: reqwest::Client,
    allow_loopback: bool,
}

impl Client {
    pub fn new(allow_loopback: bool) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(GuardedResolver { allow_loopback }))
            .user_agent(concat!("fedbridge/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http, allow_loopback })
    }

    /// Everything that can be said before a name is resolved.
    fn permitted(&self, url: &str) -> Result<Url, String> {
        let parsed = Url::parse(url).map_err(|error| format!("not an address: {error}"))?;
        if !parsed.username().is_empty() || parsed.password().is_some() {
            return Err("an address with a user name or password is not fetched".into());
        }
        let literal = match parsed.host() {
            Some(Host::Ipv4(ip)) => Some(IpAddr::V4(ip)),
            Some(Host::Ipv6(ip)) => Some(IpAddr::V6(ip)),
            Some(Host::Domain(_)) => None,
            None => return Err("the address has no host".into()),
        };
        // An IP literal never passes the resolver, so it is judged here.
        if let Some(ip) = literal {
            refuse_special_use(ip, self.allow_loopback)?;
        }
        match parsed.scheme() {
            "https" => Ok(parsed),
            "http" if self.allow_loopback && is_loopback_host(&parsed) => Ok(parsed),
            "http" => {
                Err("plain http is not fetched; use https (egress.allow_loopback permits it for loopback)".into())
            }
            other => Err(format!("the scheme `{other}` is not fetched; use https")),
        }
    }
}

#[async_trait]
impl Egress for Client {
    async fn get(&self, url: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.send(url, limits, |http, url| http.get(url)).await
    }

    async fn get_if_changed(&self, url: &str, etag: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.send(url, limits, |http, url| http.get(url).header(IF_NONE_MATCH, etag)).await
    }

    async fn post(&self, request: &EgressPost, limits: EgressLimits) -> Result<Fetched, EgressError> {
        let build = |http: &reqwest::Client, url| {
            let named = http.post(url).header(CONTENT_TYPE, &request.content_type);
            request
                .headers
                .iter()
                .fold(named, |made, (name, value)| made.header(name, value))
                .body(request.body.clone())
        };
        self.send(&request.url, limits, build).await
    }
}

impl Client {
    async fn send(
        &self,
        url: &str,
        limits: EgressLimits,
        build: impl FnOnce(&reqwest::Client, Url) -> RequestBuilder + Send,
    ) -> Result<Fetched, EgressError> {
        let fail = |cause: String| EgressError { url: without_query(url), cause };
        let request = build(&self.http, self.permitted(url).map_err(fail)?);
        let fetch = async {
            let response = request.send().await.map_err(|error| describe(&error))?;
            let status = response.status();
            if status.is_redirection() && status != StatusCode::NOT_MODIFIED {
                return Err(format!("answered {status}; redirects are not followed, give the final address"));
            }
            let header =
                |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
            let (content_type, etag) = (header("content-type"), header("etag"));
            let mut body = Vec::new();
            let mut chunks = response.bytes_stream();
            while let Some(chunk) = chunks.next().await {
                let chunk = chunk.map_err(|error| describe(&error))?;
                if body.len() + chunk.len() > limits.max_body {
                    return Err(format!("the answer is longer than {} octets", limits.max_body));
                }
                body.extend_from_slice(&chunk);
            }
            Ok(Fetched { status: status.as_u16(), content_type, etag, max_age: None, body: body.into() })
        };
        match tokio::time::timeout(limits.timeout, fetch).await {
            Ok(result) => result.map_err(fail),
            Err(_) => Err(fail(format!("no complete answer within {} s", limits.timeout.as_secs()))),
        }
    }
}

/// Resolves names and lets through only addresses that may be connected to. The
/// connection uses these very addresses, so a second look-up can't change them.
struct GuardedResolver {
    allow_loopback: bool,
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_loopback = self.allow_loopback;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                refuse_special_use(address.ip(), allow_loopback)?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

fn refuse_special_use(ip: IpAddr, allow_loopback: bool) -> Result<(), String> {
    let loopback = address::is_loopback(ip);
    if loopback && allow_loopback {
        return Ok(());
    }
    if is_special_use(ip) {
        let hint = if loopback { " (egress.allow_loopback permits loopback)" } else { "" };
        return Err(format!("the host is at a special-use address and is not connected to{hint}"));
    }
    Ok(())
}

fn is_loopback_host(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

/// The query may hold a secret and is left out of errors.
fn without_query(url: &str) -> String {
    url.split(['?', '#']).next().unwrap_or_default().to_owned()
}

/// The innermost cause, which is the one that helps; the outer ones repeat the address.
fn describe(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const LIMITS: EgressLimits = EgressLimits { max_body: 100, timeout: std::time::Duration::from_secs(2) };

    #[tokio::test]
    async fn refuses_what_is_not_public_https() {
        let client = Client::new(false).unwrap();
        for url in [
            "http://example.com/",
            "ftp://example.com/",
            "gopher://example.com/",
            "file:///etc/passwd",
            "https://user:pass@example.com/",
            "https://127.0.0.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://localhost/",
            "https://[::1]/",
            "https://[::ffff:127.0.0.1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://10.0.0.1/",
            "https://[fd00::1]/",
            "https:///nothing",
        ] {
            let refused = client.get(url, LIMITS).await;
            assert!(refused.is_err(), "{url} was fetched");
        }
    }

    #[tokio::test]
    async fn loopback_by_setting_only_and_capped() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    let read = socket.read(&mut buffer).await.unwrap_or(0);
                    let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
                    let answer = if request.starts_with("GET /redirect") {
                        "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n"
                            .to_owned()
                    } else if request.starts_with("GET /big") {
                        format!("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n{}", "x".repeat(101))
                    } else if request.contains("if-none-match: \"1\"") {
                        "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned()
                    } else if request.starts_with("POST /back") {
                        let seen = request.contains("content-type: text/xml") && request.contains("soapaction: x");
                        let sent = request.ends_with("<a/>");
                        format!(
                            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
                            if seen && sent { "ok" } else { "no" }
                        )
                    } else if request.starts_with("GET /slow") {
                        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
                        String::new()
                    } else {
                        "HTTP/1.1 200 OK\r\netag: \"1\"\r\ncontent-length: 2\r\n\r\nok".to_owned()
                    };
                    let _ = socket.write_all(answer.as_bytes()).await;
                });
            }
        });
        let at = |path: &str| format!("http://127.0.0.1:{port}{path}");
        let closed = Client::new(false).unwrap();
        assert!(closed.get(&at("/"), LIMITS).await.is_err());
        let open = Client::new(true).unwrap();
        let fetched = open.get(&at("/"), LIMITS).await.unwrap();
        assert_eq!((fetched.status, &fetched.body[..], fetched.etag.as_deref()), (200, &b"ok"[..], Some("\"1\"")));
        assert!(open.get(&at("/redirect"), LIMITS).await.unwrap_err().cause.contains("redirects are not followed"));
        assert!(open.get(&at("/big"), LIMITS).await.unwrap_err().cause.contains("longer than 100"));
        assert!(open.get(&at("/slow"), LIMITS).await.unwrap_err().cause.contains("within 2 s"));
        assert_eq!(open.get_if_changed(&at("/"), "\"1\"", LIMITS).await.unwrap().status, 304);
        assert_eq!(open.get_if_changed(&at("/"), "\"0\"", LIMITS).await.unwrap().status, 200);
        let post = |url: String| EgressPost {
            url,
            content_type: "text/xml".into(),
            headers: vec![("soapaction".into(), "x".into())],
            body: "<a/>".into(),
        };
        assert_eq!(&open.post(&post(at("/back")), LIMITS).await.unwrap().body[..], b"ok");
        assert!(closed.post(&post(at("/back")), LIMITS).await.is_err());
        let named = open.get(&format!("http://localhost:{port}/?token=secret"), LIMITS).await;
        assert!(named.is_ok() || !named.unwrap_err().to_string().contains("secret"));
    }
}
