//! Sizes and times.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::support::{Bridge, CLOSE, HTTP, fine, read_answer};

async fn small() -> Bridge {
    Bridge::start_with(HTTP, fine, |config| {
        config.limits.max_body = 64;
        config.limits.max_target = 128;
        config.limits.max_headers = 512;
        config.limits.body_timeout = Duration::from_millis(200);
        config.limits.head_timeout = Duration::from_millis(300);
    })
    .await
}

#[tokio::test]
async fn caps_the_body_whether_declared_or_not() {
    let bridge = small().await;
    assert_eq!(bridge.post("/t/acme/token", &"a".repeat(64)).await.status, 200);
    assert_eq!(bridge.post("/t/acme/token", &"a".repeat(65)).await.status, 413);

    let head = format!("POST /t/acme/token HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\n");
    let fits = format!("20\r\n{0}\r\n20\r\n{0}\r\n0\r\n\r\n", "a".repeat(32));
    assert_eq!(bridge.send(&head, fits.as_bytes()).await.status, 200);
    let over = format!("20\r\n{0}\r\n21\r\n{0}a\r\n0\r\n\r\n", "a".repeat(32));
    assert_eq!(bridge.send(&head, over.as_bytes()).await.status, 413);
    assert_eq!(bridge.reached(), 2);
}

#[tokio::test]
async fn answers_413_before_the_body_comes_and_closes() {
    let bridge = small().await;
    // Keep-alive is asked for: the server closes by itself, since it reads no further.
    let head = "POST /t/acme/token HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000000\r\n\r\n";
    let answer = bridge.send(head, b"").await;
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
}

#[tokio::test]
async fn the_default_cap_is_one_mebibyte() {
    let bridge = Bridge::start(HTTP, fine).await;
    assert_eq!(bridge.post("/t/acme/token", &"a".repeat(1024 * 1024)).await.status, 200);
    let head = format!("POST /t/acme/token HTTP/1.1\r\n{CLOSE}Content-Length: 1048577\r\n\r\n");
    assert_eq!(bridge.send(&head, b"").await.status, 413);
}

#[tokio::test]
async fn gives_a_slow_body_up() {
    let bridge = small().await;
    let mut socket = TcpStream::connect(bridge.address).await.unwrap();
    socket.write_all(b"POST /t/acme/token HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\na=").await.unwrap();
    let started = Instant::now();
    let answer = read_answer(&mut socket).await;
    assert_eq!(answer.status, 408);
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!(bridge.reached(), 0);
}

#[tokio::test]
async fn gives_a_slow_head_up() {
    let bridge = small().await;
    let mut socket = TcpStream::connect(bridge.address).await.unwrap();
    socket.write_all(b"GET /t/acme/jwks HTTP/1.1\r\nHost:").await.unwrap();
    assert_eq!(read_answer(&mut socket).await.status, 408);
}

#[tokio::test]
async fn refuses_a_broken_body() {
    let bridge = small().await;
    let head = format!("POST /t/acme/token HTTP/1.1\r\n{CLOSE}Transfer-Encoding: chunked\r\n\r\n");
    assert_eq!(bridge.send(&head, b"zz\r\nabc\r\n").await.status, 400);
    assert_eq!(bridge.reached(), 0);
}

#[tokio::test]
async fn caps_the_head() {
    let bridge = small().await;
    let long = "a".repeat(200);
    assert_eq!(bridge.get(&format!("/t/acme/authorize?{long}")).await.status, 414);
    let head = format!("GET /t/acme/authorize HTTP/1.1\r\n{CLOSE}X-Long: {}\r\n\r\n", "a".repeat(600));
    assert_eq!(bridge.send(&head, b"").await.status, 431);
    assert_eq!(bridge.reached(), 0);
}

#[tokio::test]
async fn refuses_compressed_bodies() {
    let bridge = small().await;
    for (encoding, status) in [("gzip", 415), ("br", 415), ("identity, gzip", 415), ("identity", 200)] {
        let head =
            format!("POST /t/acme/token HTTP/1.1\r\n{CLOSE}Content-Encoding: {encoding}\r\nContent-Length: 1\r\n\r\n");
        assert_eq!(bridge.send(&head, b"a").await.status, status, "{encoding}");
    }
}
