//! What of a request reaches the hub, and what does not.

use fedbridge_contract::http::Method;
use fedbridge_web::Network;

use crate::support::{Bridge, CLOSE, HTTP, HTTPS, fine};

#[tokio::test]
async fn passes_a_request_on_as_it_came() {
    let bridge = Bridge::start(HTTP, fine).await;
    let query = "SAMLRequest=a%2Bb%2fc&RelayState=&RelayState=x+y&%E4";
    let body = "grant_type=authorization_code&code=a%20b";
    let head = format!(
        "POST /t/acme/connections/okta/saml/acs?{query} HTTP/1.1\r\n{CLOSE}Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\
         Authorization: Basic YTpi\r\nOrigin: https://idp.example\r\nAccept-Language: de\r\nIf-None-Match: \"v1\"\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    assert_eq!(bridge.send(&head, body.as_bytes()).await.status, 200);
    let input = bridge.last();
    assert_eq!((input.method, input.route), (Method::Post, "saml/acs"));
    assert_eq!(input.query, query, "a signature covers these octets");
    assert_eq!(&input.body[..], body.as_bytes());
    assert!(input.is_form());
    assert_eq!(input.authorization.as_deref(), Some("Basic YTpi"));
    assert_eq!(input.origin.as_deref(), Some("https://idp.example"));
    assert_eq!(input.accept_language.as_deref(), Some("de"));
    assert_eq!(input.if_none_match.as_deref(), Some("\"v1\""));
    assert!(input.peer.is_loopback());
}

#[tokio::test]
async fn joins_a_body_that_comes_in_chunks() {
    let bridge = Bridge::start(HTTP, fine).await;
    let head = format!("POST /t/acme/token HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\n");
    assert_eq!(bridge.send(&head, b"3\r\na=b\r\n2\r\n&c\r\n2\r\n=d\r\n0\r\n\r\n").await.status, 200);
    assert_eq!(&bridge.last().body[..], b"a=b&c=d");
}

#[tokio::test]
async fn answers_head_like_get_without_the_body() {
    let bridge = Bridge::start(HTTP, fine).await;
    let answer = bridge.send(&format!("HEAD /t/acme/jwks HTTP/1.1\r\n{CLOSE}\r\n"), b"").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert_eq!(answer.header("content-length"), Some("4"));
    assert_eq!(bridge.last().method, Method::Get);
}

#[tokio::test]
async fn refuses_methods_that_a_route_does_not_take() {
    let bridge = Bridge::start(HTTP, fine).await;
    for (method, path, allow) in [
        ("GET", "token", "POST"),
        ("HEAD", "token", "POST"),
        ("POST", "jwks", "GET, HEAD"),
        ("DELETE", "authorize", "GET, HEAD, POST"),
        ("PUT", "authorize", "GET, HEAD, POST"),
        ("TRACE", "authorize", "GET, HEAD, POST"),
        ("BREW", "authorize", "GET, HEAD, POST"),
        ("OPTIONS", "authorize", "GET, HEAD, POST"),
        // Not a preflight: it says neither origin nor method.
        ("OPTIONS", "token", "POST"),
    ] {
        let answer = bridge.send(&format!("{method} /t/acme/{path} HTTP/1.1\r\n{CLOSE}\r\n"), b"").await;
        assert_eq!((answer.status, answer.header("allow")), (405, Some(allow)), "{method} {path}");
    }
    assert_eq!(bridge.reached(), 0);
}

#[tokio::test]
async fn a_route_may_take_whatever_stands_below_it() {
    let bridge = Bridge::start(HTTP, fine).await;
    let base = "/t/acme/connections/okta/scim/v2";
    for (path, rest) in [("", ""), ("/Users", "Users"), ("/Users/a", "Users/a")] {
        assert_eq!(bridge.get(&format!("{base}{path}?filter=x")).await.status, 200, "{path}");
        assert_eq!(bridge.last().rest, rest);
    }
    assert_eq!(bridge.get("/t/acme/connections/okta/scim/v22").await.status, 404);
    assert_eq!(bridge.get(&format!("{base}/Users/../x")).await.status, 404);
}

#[tokio::test]
async fn put_and_patch_bring_a_body_and_conditions() {
    let bridge = Bridge::start(HTTP, fine).await;
    for (name, method) in [("PUT", Method::Put), ("PATCH", Method::Patch)] {
        let head = format!(
            "{name} /t/acme/connections/okta/scim/v2/Users/1 HTTP/1.1\r\n{CLOSE}If-Match: W/\"1\"\r\n\
             If-Match: W/\"2\"\r\nPrefer: respond-async\r\nContent-Length: 2\r\n\r\n"
        );
        assert_eq!(bridge.send(&head, b"{}").await.status, 200);
        let input = bridge.last();
        assert_eq!((input.method, &input.body[..]), (method, &b"{}"[..]));
        assert_eq!(input.if_match.as_deref(), Some("W/\"1\", W/\"2\""));
        assert_eq!(input.prefer.as_deref(), Some("respond-async"));
    }
}

/// RFC 7644 section 3.12: also what the web layer refuses by itself.
#[tokio::test]
async fn refusals_of_a_scim_route_are_errors_of_scim() {
    let bridge = Bridge::start(HTTP, fine).await;
    let path = "/t/acme/connections/okta/scim/v2/Users";
    let delete = bridge.send(&format!("DELETE {path} HTTP/1.1\r\n{CLOSE}\r\n"), b"").await;
    assert_eq!((delete.status, delete.header("allow")), (405, Some("GET, HEAD, POST, PUT, PATCH")));
    let large = format!("POST {path} HTTP/1.1\r\n{CLOSE}Content-Length: 2000000\r\n\r\n");
    let zipped = format!("POST {path} HTTP/1.1\r\n{CLOSE}Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n");
    for (answer, status) in
        [(delete, 405), (bridge.send(&large, b"").await, 413), (bridge.send(&zipped, b"").await, 415)]
    {
        assert_eq!((answer.status, answer.header("content-type")), (status, Some("application/scim+json")));
        let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(error["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error");
        assert_eq!(error["status"], status.to_string(), "a string");
        assert!(error["detail"].as_str().unwrap().ends_with('.'));
    }
    assert_eq!(bridge.reached(), 0);
}

#[tokio::test]
async fn says_404_where_nothing_stands() {
    let bridge = Bridge::start(HTTP, fine).await;
    for path in [
        "/",
        "/t/acme/nothing",
        "/t/other/token",
        "/t/acme/connections/none/saml/acs",
        "/t/acme/%74oken",
        "/t/acme/./token",
        "/t/acme//token",
        "/livez",
        "/readyz",
        "/metrics",
    ] {
        let answer = bridge.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.body.contains("There is nothing at this address."), "{path}");
    }
    assert_eq!(bridge.reached(), 0);
}

#[tokio::test]
async fn reads_only_cookies_with_the_prefix_of_its_scheme() {
    let sent = "Cookie: theme=dark; fb-a-s=plain; __Host-fb-a-s=secure\r\n";
    for (base, value) in [(HTTP, "plain"), (HTTPS, "secure")] {
        let bridge = Bridge::start(base, fine).await;
        bridge.send(&format!("GET /t/acme/authorize HTTP/1.1\r\n{CLOSE}{sent}\r\n"), b"").await;
        assert_eq!(bridge.last().cookies, [("a-s".to_owned(), value.to_owned())]);
    }
}

#[tokio::test]
async fn believes_forwarded_addresses_from_trusted_proxies_only() {
    let forged = "X-Forwarded-For: 198.51.100.1, 192.0.2.7\r\nForwarded: for=203.0.113.1;host=evil.example\r\n\
                  X-Forwarded-Host: evil.example\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 203.0.113.2\r\n";
    let head = format!("GET /t/acme/authorize HTTP/1.1\r\n{CLOSE}{forged}\r\n");

    let open = Bridge::start(HTTP, fine).await;
    let answer = open.send(&head, b"").await;
    assert_eq!(open.last().peer.to_string(), "127.0.0.1");
    assert_eq!(answer.header("strict-transport-security"), None, "the scheme is the base URL's");

    let behind = Bridge::start_with(HTTP, fine, |config| {
        config.trusted_proxies = vec!["127.0.0.0/8".parse::<Network>().unwrap()];
    })
    .await;
    behind.send(&head, b"").await;
    assert_eq!(behind.last().peer.to_string(), "192.0.2.7");
}

#[tokio::test]
async fn refuses_headers_that_two_readers_would_read_in_two_ways() {
    let bridge = Bridge::start(HTTP, fine).await;
    for line in [
        "Authorization: Basic YTpi\r\nAuthorization: Bearer x\r\n",
        "Content-Type: text/plain\r\nContent-Type: application/x-www-form-urlencoded\r\n",
        "Origin: https://a.example\r\nOrigin: https://b.example\r\n",
        "Authorization: Bearer \u{e4}\r\n",
    ] {
        let head = format!("POST /t/acme/authorize HTTP/1.1\r\n{CLOSE}{line}Content-Length: 0\r\n\r\n");
        assert_eq!(bridge.send(&head, b"").await.status, 400, "{line:?}");
    }
    assert_eq!(bridge.reached(), 0);
}
