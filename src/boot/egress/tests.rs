#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use uuid::Uuid;

use super::*;

const LIMITS: EgressLimits = EgressLimits { max_body: 100, timeout: std::time::Duration::from_secs(2) };

/// A clock that is set.
#[derive(Default)]
struct Still(Mutex<i64>);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(*self.0.lock().unwrap())
    }
}

const BOUNDS: Bounds = Bounds { per_partner: 8, whole: 256 };

fn client(allow_loopback: bool) -> Client {
    Client::new(allow_loopback, BOUNDS, Arc::new(Still::default())).unwrap()
}

/// The line of a partner with this number.
fn line(client: &Client, number: u128, hosts: Option<&[&str]>) -> Arc<dyn Egress> {
    line_of(client, 0, number, hosts)
}

fn line_of(client: &Client, tenant: u128, number: u128, hosts: Option<&[&str]>) -> Arc<dyn Egress> {
    let hosts = hosts.map(|hosts| hosts.iter().map(|host| (*host).to_owned()).collect());
    let party = Party::Connection(ConnectionId::from_uuid(Uuid::from_u128(number)));
    client.lane(Lane { tenant: TenantId::from_uuid(Uuid::from_u128(tenant)), party, hosts }).unwrap()
}

/// Whatever the method is, the same rules hold, and the answer says when to come again.
#[tokio::test]
async fn a_call_has_a_method_and_waits_when_told_to() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut buffer = [0; 1024];
            let read = socket.read(&mut buffer).await.unwrap_or(0);
            let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
            let after = match &request[request.len().saturating_sub(2)..] {
                "{}" => "7",
                "[]" => "18446744073709551615",
                _ => "Wed, 21 Oct 2026 07:28:00 GMT",
            };
            let first = request.split(' ').next().unwrap_or_default();
            let length = first.len();
            let text = format!("HTTP/1.1 429 No\r\nretry-after: {after}\r\ncontent-length: {length}\r\n\r\n{first}");
            let _ = socket.write_all(text.as_bytes()).await;
        }
    });
    let call = |method, url: &str, body: Option<&str>| EgressCall {
        method,
        url: url.to_owned(),
        headers: vec![("authorization".to_owned(), "Bearer t".to_owned())],
        body: body.map(str::to_owned),
    };
    let here = format!("http://127.0.0.1:{port}/Users/1");
    let open = client(true);
    for method in [CallMethod::Get, CallMethod::Post, CallMethod::Put, CallMethod::Patch, CallMethod::Delete] {
        let answer = open.call(&call(method, &here, Some("{}")), LIMITS).await.unwrap();
        let want = (429, Some(Duration::from_secs(7)), method.name().as_bytes());
        assert_eq!((answer.status, answer.retry_after, &answer.body[..]), want);
    }
    let dated = open.call(&call(CallMethod::Get, &here, None), LIMITS).await.unwrap();
    assert_eq!(dated.retry_after, None, "a date counts as nothing said");
    let endless = open.call(&call(CallMethod::Post, &here, Some("[]")), LIMITS).await.unwrap();
    assert_eq!(endless.retry_after, Some(Duration::from_secs(86_400)), "nobody is heeded for ever");
    let closed = client(false);
    for url in [here.as_str(), "https://169.254.169.254/Users", "https://10.0.0.1/Users"] {
        assert!(closed.call(&call(CallMethod::Post, url, Some("{}")), LIMITS).await.is_err(), "{url}");
    }
    let narrow = line(&open, 1, Some(&["app.example"]));
    assert!(narrow.call(&call(CallMethod::Patch, &here, Some("{}")), LIMITS).await.is_err());
}

#[tokio::test]
async fn refuses_what_is_not_public_https() {
    let client = client(false);
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
                    "HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/\r\ncontent-length: 0\r\n\r\n".to_owned()
                } else if request.starts_with("GET /big") {
                    format!("HTTP/1.1 200 OK\r\ncontent-length: 101\r\n\r\n{}", "x".repeat(101))
                } else if request.contains("if-none-match: \"1\"") {
                    "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned()
                } else if request.starts_with("POST /back") {
                    let seen = request.contains("content-type: text/xml") && request.contains("soapaction: x");
                    let sent = request.ends_with("<a/>");
                    format!("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}", if seen && sent { "ok" } else { "no" })
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
    let closed = client(false);
    assert!(closed.get(&at("/"), LIMITS).await.is_err());
    let open = client(true);
    let fetched = open.get(&at("/"), LIMITS).await.unwrap();
    assert_eq!((fetched.status, &fetched.body[..], fetched.etag.as_deref()), (200, &b"ok"[..], Some("\"1\"")));
    let moved = open.get(&at("/redirect"), LIMITS).await.unwrap_err();
    assert!(moved.cause.contains("redirects are not followed") && !moved.silent, "{moved}");
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

/// A partner on loopback that takes connections and answers none until it is let go. Gives back how many came.
async fn stalled() -> (String, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            held.push(socket);
        }
    });
    (url, came)
}

/// A partner that gives back the request's head, with what it may be kept for.
async fn echo() -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let read = socket.read(&mut buffer).await.unwrap_or(0);
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nconnection: close\r\ncache-control: max-age=600\r\nage: 60\r\n\
                     content-length: {read}\r\n\r\n{}",
                    String::from_utf8_lossy(&buffer[..read])
                );
                let _ = socket.write_all(answer.as_bytes()).await;
            });
        }
    });
    url
}

const LONG: EgressLimits = EgressLimits { max_body: 1000, timeout: Duration::from_secs(5) };

/// Threats 64: a partner that stalls fills its own line, and nobody else waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stalled_partner_holds_up_nobody_else() {
    let client = client(true);
    let ((stalled, came), good) = (stalled().await, echo().await);
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..8 + 64 {
        let (slow, url) = (line(&client, 1, None), stalled.clone());
        calls.spawn(async move { slow.get(&url, LONG).await });
    }
    while came.load(Ordering::SeqCst) < 8 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(came.load(Ordering::SeqCst), 8, "more calls than the line has room for");
    // The queue is full: the next one hears it at once.
    let begun = Instant::now();
    let refused = line(&client, 1, None).get(&stalled, LONG).await.unwrap_err();
    assert!(refused.cause.contains("too many calls to this partner"), "{refused}");
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    // The others: none of 200 calls takes longer than a call of theirs does.
    let mut slowest = Duration::ZERO;
    for number in 0..200 {
        let begun = Instant::now();
        line(&client, 2 + number % 5, None).get(&good, LONG).await.unwrap();
        slowest = slowest.max(begun.elapsed());
    }
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    assert_eq!(came.load(Ordering::SeqCst), 8);
    // Whoever gives up leaves the line.
    calls.shutdown().await;
    let line_of_it = line(&client, 1, None);
    let call = tokio::spawn(async move { line_of_it.get(&stalled, LONG).await });
    while came.load(Ordering::SeqCst) < 9 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    call.abort();
}

#[tokio::test]
async fn all_calls_together_have_a_bound() {
    let bounds = Bounds { per_partner: 2, whole: 3 };
    let client = Client::new(true, bounds, Arc::new(Still::default())).unwrap();
    let ((stalled, came), good) = (stalled().await, echo().await);
    let mut calls = tokio::task::JoinSet::new();
    for (tenant, number) in [(1, 1), (1, 1), (2, 2)] {
        let (slow, url) = (line_of(&client, tenant, number, None), stalled.clone());
        calls.spawn(async move { slow.get(&url, LONG).await });
    }
    while came.load(Ordering::SeqCst) < 3 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let short = EgressLimits { timeout: Duration::from_millis(100), ..LONG };
    let refused = line_of(&client, 3, 3, None).get(&good, short).await.unwrap_err();
    assert!(refused.cause.contains("too many calls are under way"), "{refused}");
    calls.shutdown().await;
    line_of(&client, 3, 3, None).get(&good, LONG).await.unwrap();
}

/// Threats 42 and 64: with many slow partners a tenant fills its own share, and the others still get out.
#[tokio::test]
async fn one_tenant_does_not_use_up_all_calls() {
    let client = Client::new(true, Bounds { per_partner: 2, whole: 8 }, Arc::new(Still::default())).unwrap();
    let ((stalled, came), good) = (stalled().await, echo().await);
    let mut calls = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (slow, url) = (line_of(&client, 1, number, None), stalled.clone());
        calls.spawn(async move { slow.get(&url, LONG).await });
    }
    while came.load(Ordering::SeqCst) < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(came.load(Ordering::SeqCst), 4, "half of all calls");
    let short = EgressLimits { timeout: Duration::from_millis(100), ..LONG };
    let refused = line_of(&client, 1, 99, None).get(&good, short).await.unwrap_err();
    assert!(!refused.silent, "nobody has asked it");
    assert!(refused.cause.contains("too many calls of this tenant"), "{refused}");
    line_of(&client, 2, 1, None).get(&good, LONG).await.unwrap();
    calls.shutdown().await;
    line_of(&client, 1, 99, None).get(&good, LONG).await.unwrap();
}

#[tokio::test]
async fn a_partner_that_does_not_answer_rests() {
    let clock = Arc::new(Still::default());
    let names = Names::of_the_system();
    let client = Client::with_names(true, BOUNDS, Arc::clone(&clock) as _, names, Duration::ZERO).unwrap();
    let (stalled, came) = stalled().await;
    let short = EgressLimits { timeout: Duration::from_millis(30), ..LONG };
    let ask = async |number| {
        let error = line(&client, number, None).get(&stalled, short).await.unwrap_err();
        assert!(error.silent, "{error}");
        error.cause
    };
    for _ in 0..5 {
        assert!(ask(1).await.contains("no complete answer"));
    }
    let begun = came.load(Ordering::SeqCst);
    assert_eq!(ask(1).await, "it did not answer the last calls; the next one is tried in 5 s");
    assert_eq!(came.load(Ordering::SeqCst), begun, "a call was made");
    // Another partner's line, and another host of this one.
    assert!(ask(2).await.contains("no complete answer"));
    line(&client, 1, None).get(&echo().await, LONG).await.unwrap();
    *clock.0.lock().unwrap() = 5;
    assert!(ask(1).await.contains("no complete answer"), "one tries");
    assert_eq!(ask(1).await, "it did not answer the last calls; the next one is tried in 10 s");
}

/// A call that is much shorter than others tells its caller, and stops nobody's logins.
#[tokio::test]
async fn a_short_look_ends_no_other_calls() {
    let client = client(true);
    let (stalled, came) = stalled().await;
    let short = EgressLimits { timeout: Duration::from_millis(30), ..LONG };
    for _ in 0..8 {
        let error = line(&client, 1, None).get(&stalled, short).await.unwrap_err();
        assert!(error.silent && error.cause.contains("no complete answer"), "{error}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 8);
}

/// What we refuse on our side is no silence of the partner.
#[tokio::test]
async fn a_name_at_a_special_use_address_leaves_the_breaker_closed() {
    let names = Names::by(Box::new(|_| Ok(vec![std::net::SocketAddr::from(([10, 0, 0, 1], 0))])));
    let client = Client::with_names(false, BOUNDS, Arc::new(Still::default()), names, FAIR).unwrap();
    for _ in 0..8 {
        let error = line(&client, 1, None).get("https://inside.test/", LONG).await.unwrap_err();
        assert!(!error.silent && error.cause.contains("special-use"), "{error}");
    }
}

#[tokio::test]
async fn only_hosts_of_the_tenant_are_reached() {
    let client = client(true);
    let good = echo().await;
    let by_name = good.replace("127.0.0.1", "localhost");
    line(&client, 1, Some(&["127.0.0.1"])).get(&good, LONG).await.unwrap();
    let refused = line(&client, 1, Some(&["login.example", "*.okta.example"])).get(&by_name, LONG).await.unwrap_err();
    assert_eq!(refused.cause, "the host localhost is not among the tenant's egress.hosts");
    let post = EgressPost { url: good, content_type: "text/plain".into(), headers: Vec::new(), body: String::new() };
    assert!(line(&client, 1, Some(&[])).post(&post, LONG).await.is_err());
    // Before a name is resolved: nobody learns of it by its DNS.
    let unknown = line(&client, 1, Some(&["login.example"])).get("https://nowhere.invalid/", LONG).await.unwrap_err();
    assert!(unknown.cause.contains("is not among"), "{unknown}");
}

#[tokio::test]
async fn headers_go_along_and_the_answer_says_how_long_it_is_good() {
    let (client, url) = (client(true), echo().await);
    let headers = vec![("authorization".to_owned(), "Bearer abc".to_owned())];
    let request = EgressGet { url: url.clone(), headers };
    let fetched = line(&client, 1, None).get_with(&request, LONG).await.unwrap();
    assert!(String::from_utf8_lossy(&fetched.body).contains("authorization: Bearer abc"));
    assert_eq!(fetched.max_age, Some(Duration::from_secs(540)));
    let broken = EgressGet { headers: vec![("authorization".into(), "Bearer secret\n".into())], ..request };
    for _ in 0..6 {
        let refused = line(&client, 1, None).get_with(&broken, LONG).await.unwrap_err();
        assert!(!refused.to_string().contains("secret"), "{refused}");
    }
    line(&client, 1, None).get(&url, LONG).await.unwrap();
}
