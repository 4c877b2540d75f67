//! Panics, stopping, TLS, the management listener, and what is noted of requests.

use std::io::Write as _;
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use fedbridge_web::{Management, Readiness, Tls, TlsError, serve_management};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use openssl::x509::X509;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::support::{Answer, Bridge, CLOSE, HTTP, HTTPS, exchange, fine, read_answer};

#[tokio::test]
async fn a_panic_is_a_page_and_the_worker_goes_on() {
    let bridge = Bridge::start(HTTP, fine).await;
    for _ in 0..3 {
        let answer = bridge.get("/t/acme/panic").await;
        assert_eq!(answer.status, 500);
        assert!(answer.body.contains("Something went wrong") && !answer.body.contains("as the test asked"));
    }
    assert_eq!(bridge.get("/t/acme/authorize").await.status, 200);
}

#[tokio::test]
async fn a_stop_lets_answers_finish_and_waits_for_no_idle_connection() {
    let mut bridge = Bridge::start(HTTP, fine).await;
    // An idle connection that has had its answer and keeps alive.
    let mut idle = TcpStream::connect(bridge.address).await.unwrap();
    idle.write_all(b"GET /t/acme/jwks HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    while bridge.reached() == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut busy = TcpStream::connect(bridge.address).await.unwrap();
    busy.write_all(b"GET /t/acme/slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    bridge.begin_stop();
    let started = Instant::now();
    let answer = read_answer(&mut busy).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "fine"));
    let address = bridge.address;
    bridge.stopped().await;
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    assert!(TcpStream::connect(address).await.is_err(), "the listener is still open");
}

#[tokio::test]
async fn notes_routes_and_never_what_was_asked_with() {
    let log = log();
    let bridge = Bridge::start(HTTP, fine).await;
    let head = format!(
        "GET /t/acme/authorize?code=canary-1 HTTP/1.1\r\n{CLOSE}Authorization: Bearer canary-2\r\nCookie: fb-a-s=canary-3\r\n\r\n"
    );
    bridge.send(&head, b"").await;
    bridge.post("/t/acme/token", "client_secret=canary-4").await;
    bridge.get("/t/canary-5/authorize").await;
    bridge.get("/t/acme/panic?canary-6").await;
    let note = |name: &str, method, status| (name.to_owned(), method, status);
    assert_eq!(
        *bridge.served.lock().unwrap(),
        [
            note("acme authorize", "GET", 200),
            note("acme token", "POST", 200),
            note("- unmatched", "GET", 404),
            note("acme panic", "GET", 500),
        ]
    );
    let text = String::from_utf8(log.lock().unwrap().clone()).unwrap();
    let ours: Vec<_> = text.lines().filter(|line| line.contains("fedbridge_web")).collect();
    assert!(ours.iter().any(|line| line.contains("authorize") && line.contains("200")), "nothing was logged: {text}");
    assert!(!ours.iter().any(|line| line.contains("canary")), "{ours:?}");
}

#[tokio::test]
async fn serves_tls() {
    let (key, certificate) = certificate();
    let files = Files::new("tls", &key, &certificate);
    let tls = Tls::from_files(&files.certificate, &files.key).unwrap();
    let bridge = Bridge::start_with(HTTPS, fine, |config| config.tls = Some(tls)).await;
    let address = bridge.address;
    let answer = tokio::task::spawn_blocking(move || {
        let mut connector = SslConnector::builder(SslMethod::tls_client()).unwrap();
        connector.set_verify(SslVerifyMode::NONE);
        let socket = std::net::TcpStream::connect(address).unwrap();
        let mut stream = connector.build().connect("login.acme.example", socket).unwrap();
        write!(stream, "GET /t/acme/jwks HTTP/1.1\r\n{CLOSE}\r\n").unwrap();
        let mut octets = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = std::io::Read::read(&mut stream, &mut buffer) {
            octets.extend_from_slice(&buffer[..count]);
        }
        Answer::parse(&octets)
    })
    .await
    .unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "fine"));
    assert!(answer.header("strict-transport-security").is_some());
}

#[test]
fn names_the_tls_file_that_is_wrong() {
    let (key, certificate) = certificate();
    let (other, _) = self::certificate();
    let files = Files::new("bad", &key, &certificate);
    let wrong = Files::new("wrong", &other, &certificate);
    let missing = files.key.with_extension("none");
    let error = |certificate, key| Tls::from_files(certificate, key).err().expect("accepted");
    assert!(matches!(error(&missing, &files.key), TlsError::Certificate { .. }));
    assert!(matches!(error(&files.certificate, &missing), TlsError::Key { .. }));
    assert!(matches!(error(&files.certificate, &files.certificate), TlsError::Key { .. }));
    let mismatch = error(&files.certificate, &wrong.key);
    assert!(matches!(mismatch, TlsError::Mismatch { .. }), "{mismatch}");
    assert!(mismatch.to_string().contains("does not belong"), "{mismatch}");
}

#[tokio::test]
async fn the_management_listener_answers_three_addresses() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let up = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&up);
    let management = Management {
        ready: Box::new(move || match seen.load(Ordering::SeqCst) {
            true => Readiness::Ready,
            false => Readiness::NotReady("the store does not answer".into()),
        }),
        metrics: Box::new(|| "logins_total 3\n".into()),
    };
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(serve_management(listener, management, async {
        let _ = stopped.await;
    }));
    let get = |path: &str| {
        let head = format!("GET {path} HTTP/1.1\r\n{CLOSE}\r\n");
        async move { exchange(address, &head, b"").await }
    };
    assert_eq!(get("/livez").await.status, 200);
    let waiting = get("/readyz").await;
    assert_eq!((waiting.status, waiting.body.as_str()), (503, "not ready: the store does not answer\n"));
    up.store(true, Ordering::SeqCst);
    assert_eq!(get("/readyz").await.status, 200);
    let metrics = get("/metrics").await;
    assert_eq!((metrics.status, metrics.body.as_str()), (200, "logins_total 3\n"));
    assert_eq!(metrics.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(get("/t/acme/token").await.status, 404);
    let post = exchange(address, &format!("POST /metrics HTTP/1.1\r\n{CLOSE}Content-Length: 0\r\n\r\n"), b"").await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    stop.send(()).unwrap();
    tokio::time::timeout(Duration::from_secs(5), task).await.expect("did not stop").unwrap().unwrap();
}

/// Everything that this process logs, down to trace.
fn log() -> Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    Arc::clone(LOG.get_or_init(|| {
        let log = Arc::new(Mutex::new(Vec::new()));
        let writer = Writer(Arc::clone(&log));
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_max_level(tracing::Level::TRACE)
            .with_writer(move || writer.clone())
            .finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        log
    }))
}

#[derive(Clone)]
struct Writer(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Writer {
    fn write(&mut self, octets: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(octets);
        Ok(octets.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn certificate() -> (PKey<Private>, X509) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    (key, builder.build())
}

/// PEM files that are gone when the test is.
struct Files {
    certificate: std::path::PathBuf,
    key: std::path::PathBuf,
}

impl Files {
    fn new(name: &str, key: &PKey<Private>, certificate: &X509) -> Self {
        let place = |end: &str| std::env::temp_dir().join(format!("fedbridge-web-{}-{name}.{end}", std::process::id()));
        let files = Self { certificate: place("crt"), key: place("key") };
        std::fs::write(&files.certificate, certificate.to_pem().unwrap()).unwrap();
        std::fs::write(&files.key, key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        files
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.certificate);
        let _ = std::fs::remove_file(&self.key);
    }
}
