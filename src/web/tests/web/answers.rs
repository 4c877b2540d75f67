//! Headers of answers, redirects, cookies, CORS.

use fedbridge_contract::http::{Reply, ReplyKind, SameSite, SetCookie};
use fedbridge_contract::page::{LoggedOutPage, Page};

use crate::support::{Answer, Bridge, CLOSE, HTTP, HTTPS, fine};

fn assert_secured(answer: &Answer, https: bool) {
    let csp = answer.header("content-security-policy").expect("no policy");
    for part in ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action "] {
        assert!(csp.contains(part), "{part} is not in {csp}");
    }
    assert!(!csp.contains("unsafe"), "{csp}");
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(answer.header("strict-transport-security").is_some(), https);
    assert_eq!(answer.header("server"), None);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let replies: [fn() -> Reply; 4] = [
        || Reply::redirect("https://app.example/cb?code=x"),
        || Reply::json(200, &["a"]),
        || {
            Reply::page(Page::LoggedOut(LoggedOutPage {
                tenant: "Acme".into(),
                told: Vec::new(),
                not_told: Vec::new(),
                way_back: None,
            }))
        },
        || ReplyKind::AutoPost { action: "https://idp.example/sso".into(), fields: Vec::new() }.into(),
    ];
    for (base, https) in [(HTTP, false), (HTTPS, true)] {
        for reply in replies {
            let bridge = Bridge::start(base, move |_| reply()).await;
            for target in ["/t/acme/authorize", "/t/acme/nothing", "/t/acme/panic"] {
                let answer = bridge.get(target).await;
                assert_secured(&answer, https);
                assert_eq!(answer.header("cache-control"), Some("no-store"));
            }
        }
    }
}

#[tokio::test]
async fn redirects_with_303() {
    let bridge = Bridge::start(HTTP, |_| Reply::redirect("https://app.example/cb?code=x&state=%0d%0a")).await;
    for answer in [bridge.get("/t/acme/authorize").await, bridge.post("/t/acme/authorize", "password=x").await] {
        assert_eq!(answer.status, 303);
        assert_eq!(answer.header("location"), Some("https://app.example/cb?code=x&state=%0d%0a"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(answer.body, "");
    }
}

#[tokio::test]
async fn never_sends_a_browser_to_a_forged_address() {
    for location in [
        "https://app.example/cb\r\nSet-Cookie: forged=1",
        "https://app.example/cb\nX-Forged: 1",
        "javascript:alert(1)",
        "//evil.example",
        "/\\evil.example",
    ] {
        let bridge = Bridge::start(HTTP, move |_| Reply::redirect(location)).await;
        let answer = bridge.get("/t/acme/authorize").await;
        assert_eq!(answer.status, 500, "{location:?}");
        assert_eq!((answer.header("location"), answer.header("set-cookie")), (None, None));
        assert_eq!(answer.header("x-forged"), None);
        assert!(!answer.body.contains("evil") && !answer.body.contains("alert"));
    }
}

#[tokio::test]
async fn never_lets_an_adapter_forge_headers() {
    let cookie = |name: &str, value: &str| SetCookie {
        name: name.into(),
        value: value.into(),
        max_age_seconds: None,
        same_site: SameSite::Lax,
    };
    let replies = [
        Reply::body(200, "text/plain", "x").with_header("x-a", "1\r\nX-Forged: 1"),
        Reply::body(200, "text/plain", "x").with_header("x a", "1"),
        Reply::body(200, "text/plain", "x").with_header("set-cookie", "forged=1"),
        Reply::body(200, "text/plain", "x").with_header("access-control-allow-origin", "https://evil.example"),
        Reply::body(200, "text/plain", "x").with_cookie(cookie("a", "1; Domain=example")),
        Reply::body(200, "text/plain", "x").with_cookie(cookie("a=b", "1")),
        Reply::body(101, "text/plain", "x"),
        Reply::body(999, "text/plain", "x"),
    ];
    for reply in replies {
        let shown = format!("{reply:?}");
        let bridge = Bridge::start(HTTP, move |_| reply.clone()).await;
        let answer = bridge.get("/t/acme/authorize").await;
        assert_eq!(answer.status, 500, "{shown}");
        assert_eq!((answer.header("x-forged"), answer.header("set-cookie")), (None, None));
    }
}

#[tokio::test]
async fn keeps_what_an_adapter_says_about_its_body() {
    let bridge = Bridge::start(HTTP, |_| {
        Reply::body(401, "application/json", "{}")
            .with_header("www-authenticate", "Bearer")
            .with_header("www-authenticate", "Basic realm=\"x\"")
            .with_header("cache-control", "public, max-age=60")
            .with_header("etag", "\"v1\"")
    })
    .await;
    let answer = bridge.post("/t/acme/token", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "{}"));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.all("www-authenticate"), ["Bearer", "Basic realm=\"x\""]);
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(answer.header("etag"), Some("\"v1\""));
}

#[tokio::test]
async fn sets_cookies_as_the_scheme_asks() {
    let reply = |_: &_| {
        let cookie = |name: &str, value: &str, same_site| SetCookie {
            name: name.into(),
            value: value.into(),
            max_age_seconds: (same_site == SameSite::None).then_some(600),
            same_site,
        };
        Reply::body(200, "text/plain", "x")
            .with_header("cache-control", "public")
            .with_cookie(cookie("a-s", "v", SameSite::Lax))
            .with_cookie(cookie("a-t", "w", SameSite::None))
            .with_cookie(cookie("a-u", "", SameSite::Lax))
    };
    let secure = Bridge::start(HTTPS, reply).await.get("/t/acme/authorize").await;
    assert_eq!(
        secure.all("set-cookie"),
        [
            "__Host-fb-a-s=v; Path=/; HttpOnly; Secure; SameSite=Lax",
            "__Host-fb-a-t=w; Path=/; HttpOnly; Secure; SameSite=None; Max-Age=600",
            "__Host-fb-a-u=; Path=/; HttpOnly; Secure; SameSite=Lax; Max-Age=0",
        ]
    );
    assert_eq!(secure.header("cache-control"), Some("no-store"), "an answer with a cookie is one person's");
    let plain = Bridge::start(HTTP, reply).await.get("/t/acme/authorize").await;
    assert_eq!(
        plain.all("set-cookie"),
        [
            "fb-a-s=v; Path=/; HttpOnly; SameSite=Lax",
            "fb-a-t=w; Path=/; HttpOnly; SameSite=Lax; Max-Age=600",
            "fb-a-u=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0",
        ]
    );
}

#[tokio::test]
async fn opens_only_the_declared_routes_to_scripts() {
    let bridge = Bridge::start(HTTP, fine).await;
    let origin = "Origin: https://evil.example\r\n";
    let ask = |method: &str, path: &str, more: &str| {
        let head = format!("{method} /t/acme/{path} HTTP/1.1\r\n{CLOSE}{origin}{more}\r\n");
        let bridge = &bridge;
        async move { bridge.send(&head, b"").await }
    };
    let wanted = "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n";

    let preflight = ask("OPTIONS", "token", wanted).await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("POST"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("Authorization, Content-Type"));
    assert_eq!(preflight.header("access-control-allow-credentials"), None);
    assert_eq!(bridge.reached(), 0, "a preflight is answered here");

    let read = ask("GET", "jwks", "").await;
    assert_eq!((read.status, read.header("access-control-allow-origin")), (200, Some("*")));
    assert_eq!(read.header("access-control-expose-headers"), Some("WWW-Authenticate"));
    // A script must be able to read a refusal too.
    assert_eq!(ask("GET", "token", "").await.header("access-control-allow-origin"), Some("*"));

    for answer in [ask("OPTIONS", "authorize", wanted).await, ask("GET", "authorize", "").await] {
        assert!(!answer.headers.iter().any(|(name, _)| name.starts_with("access-control")), "{answer:?}");
    }
    assert_eq!(ask("OPTIONS", "nothing", wanted).await.header("access-control-allow-origin"), None);
}
