//! The listener as a client sees it, with a speaker that says what it knows of whoever comes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod certificates;

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::listener::{Speaker, Stream, Wire, WireFacts};
use fedbridge_listen::{Bounds, Listen, ListenError, Tls, TlsError};
use openssl::ssl::{SslConnector, SslFiletype, SslMethod, SslVerifyMode};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio_openssl::SslStream;

use certificates::Certificates;

/// Says who comes at each line; `tls` begins TLS.
struct Teller;

#[async_trait]
impl Speaker for Teller {
    async fn speak(self: Arc<Self>, stream: Stream) {
        match stream {
            Stream::Clear(mut clear) => {
                while let Some(line) = line(&mut clear).await {
                    if line == "tls" {
                        clear.write_all(b"go\n").await.unwrap();
                        if let Ok(tls) = clear.begin_tls().await {
                            tell_all(tls).await;
                        }
                        return;
                    }
                    let told = told(clear.about());
                    clear.write_all(told.as_bytes()).await.unwrap();
                }
            }
            Stream::Tls(tls) => tell_all(tls).await,
        }
    }
}

async fn tell_all(mut wire: Box<dyn Wire>) {
    while line(&mut wire).await.is_some() {
        let told = told(wire.about());
        wire.write_all(told.as_bytes()).await.unwrap();
    }
}

fn told(facts: &WireFacts) -> String {
    let certificate = facts.client_certificate.as_ref().map(|it| it.len());
    let name = facts.server_name.as_deref().unwrap_or("none");
    let (peer, encrypted, can_upgrade) = (facts.peer, facts.encrypted, facts.can_upgrade);
    format!("{peer} encrypted={encrypted} name={name} upgrade={can_upgrade} certificate={}\n", certificate.is_some())
}

async fn line(stream: &mut (impl AsyncRead + Unpin)) -> Option<String> {
    let mut text = String::new();
    loop {
        match stream.read_u8().await.ok()? {
            b'\n' => return Some(text),
            octet => text.push(char::from(octet)),
        }
    }
}

async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<String> {
    stream.write_all(b"who\n").await.ok()?;
    tokio::time::timeout(Duration::from_secs(5), line(stream)).await.unwrap()
}

struct Running {
    clear: SocketAddr,
    encrypted: SocketAddr,
    stop: oneshot::Sender<()>,
    done: JoinHandle<Result<(), ListenError>>,
}

fn run(certificates: &Certificates, bounds: Bounds, is_proxy: fn(IpAddr) -> bool) -> Running {
    let bind = || TcpListener::bind("127.0.0.1:0").unwrap();
    let (clear, encrypted) = (bind(), bind());
    let addresses = (clear.local_addr().unwrap(), encrypted.local_addr().unwrap());
    let tls = Tls::from_files(&certificates.server, &certificates.server_key, Some(&certificates.ca)).unwrap();
    let listen = Listen {
        clear: Some(clear),
        encrypted: Some(encrypted),
        tls: Some(tls),
        is_proxy: Arc::new(is_proxy),
        bounds,
        threads: 2,
    };
    let (stop, stopped) = oneshot::channel();
    let done = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        listen.serve(Arc::new(Teller), stop).await
    });
    Running { clear: addresses.0, encrypted: addresses.1, stop, done }
}

fn nobody(_: IpAddr) -> bool {
    false
}

fn everybody(_: IpAddr) -> bool {
    true
}

async fn handshake(
    certificates: &Certificates,
    socket: TcpStream,
    client: Option<(&Path, &Path)>,
) -> Result<SslStream<TcpStream>, openssl::ssl::Error> {
    let mut builder = SslConnector::builder(SslMethod::tls_client()).unwrap();
    builder.set_ca_file(&certificates.ca).unwrap();
    builder.set_verify(SslVerifyMode::PEER);
    if let Some((certificate, key)) = client {
        builder.set_certificate_chain_file(certificate).unwrap();
        builder.set_private_key_file(key, SslFiletype::PEM).unwrap();
    }
    let ssl = builder.build().configure().unwrap().into_ssl("LDAP.example").unwrap();
    let mut stream = SslStream::new(ssl, socket).unwrap();
    Pin::new(&mut stream).connect().await?;
    Ok(stream)
}

#[tokio::test]
async fn tells_who_comes_and_how() {
    let certificates = Certificates::make("who");
    let running = run(&certificates, Bounds::default(), nobody);

    let mut clear = TcpStream::connect(running.clear).await.unwrap();
    let own = clear.local_addr().unwrap();
    let said = ask(&mut clear).await.unwrap();
    assert_eq!(said, format!("{own} encrypted=false name=none upgrade=true certificate=false"));
    clear.write_all(b"tls\n").await.unwrap();
    assert_eq!(line(&mut clear).await.unwrap(), "go");
    let mut begun = handshake(&certificates, clear, None).await.unwrap();
    let said = ask(&mut begun).await.unwrap();
    assert_eq!(said, format!("{own} encrypted=true name=ldap.example upgrade=false certificate=false"));

    let socket = TcpStream::connect(running.encrypted).await.unwrap();
    let client = (certificates.client.as_path(), certificates.client_key.as_path());
    let mut tls = handshake(&certificates, socket, Some(client)).await.unwrap();
    assert!(ask(&mut tls).await.unwrap().ends_with("encrypted=true name=ldap.example upgrade=false certificate=true"));
}

#[tokio::test]
async fn a_client_certificate_of_somebody_else_ends_the_handshake() {
    let certificates = Certificates::make("stranger");
    let strangers = Certificates::make("other");
    let running = run(&certificates, Bounds::default(), nobody);
    let socket = TcpStream::connect(running.encrypted).await.unwrap();
    let client = (strangers.client.as_path(), strangers.client_key.as_path());
    // With TLS 1.3 the client hears of it at its first read.
    let said = match handshake(&certificates, socket, Some(client)).await {
        Ok(mut stream) => ask(&mut stream).await,
        Err(_) => None,
    };
    assert_eq!(said, None);
}

#[tokio::test]
async fn a_trusted_proxy_says_for_whom_it_speaks() {
    let certificates = Certificates::make("proxy");
    let running = run(&certificates, Bounds::default(), everybody);
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\xc3\x50\x01\x85";

    let mut clear = TcpStream::connect(running.clear).await.unwrap();
    clear.write_all(header).await.unwrap();
    assert!(ask(&mut clear).await.unwrap().starts_with("192.0.2.7:50000 encrypted=false"));

    let mut socket = TcpStream::connect(running.encrypted).await.unwrap();
    socket.write_all(header).await.unwrap();
    let mut tls = handshake(&certificates, socket, None).await.unwrap();
    assert!(ask(&mut tls).await.unwrap().starts_with("192.0.2.7:50000 encrypted=true"), "the header is not encrypted");

    let mut without = TcpStream::connect(running.clear).await.unwrap();
    without.write_all(b"sixteen octets or more\n").await.unwrap();
    assert_eq!(line(&mut without).await, None, "whoever is trusted must say so");
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let certificates = Certificates::make("untrusted");
    let running = run(&certificates, Bounds::default(), nobody);
    let mut clear = TcpStream::connect(running.clear).await.unwrap();
    clear.write_all(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\x7f\0\0\x01\xc3\x50\x01\x85\n").await.unwrap();
    assert!(line(&mut clear).await.unwrap().starts_with("127.0.0.1:"), "a header of anybody is data");
}

#[tokio::test]
async fn connections_are_counted_in_all_and_by_address() {
    let certificates = Certificates::make("bounds");
    let bounds = Bounds { connections: 3, per_address: 2, ..Bounds::default() };
    let running = run(&certificates, bounds, everybody);
    let come = |address: u8| async move {
        let mut socket = TcpStream::connect(running.clear).await.unwrap();
        let header =
            [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02"[..], &[address], b"\x7f\0\0\x01\xc3\x50\x01\x85"];
        socket.write_all(&header.concat()).await.unwrap();
        let said = ask(&mut socket).await;
        (socket, said.is_some())
    };
    let (first, there) = come(7).await;
    assert!(there);
    let (_second, there) = come(7).await;
    assert!(there);
    let (third, there) = come(7).await;
    assert!(!there, "the address has two");
    drop(third);
    // The seat of who was sent away is free a moment later.
    let (_other, there) = until(|| come(8)).await;
    assert!(there, "another address");
    let (_more, there) = come(9).await;
    assert!(!there, "three are all");
    drop(first);
    let (_again, there) = until(|| come(7)).await;
    assert!(there, "a place that was left");
}

/// Tries for a while.
async fn until<F: Future<Output = (TcpStream, bool)>>(come: impl Fn() -> F) -> (TcpStream, bool) {
    for _ in 0..100 {
        let (socket, there) = come().await;
        if there {
            return (socket, true);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    come().await
}

#[tokio::test]
async fn a_handshake_does_not_take_for_ever() {
    let certificates = Certificates::make("slow");
    let bounds = Bounds { handshake: Duration::from_millis(200), ..Bounds::default() };
    let running = run(&certificates, bounds, nobody);
    let mut silent = TcpStream::connect(running.encrypted).await.unwrap();
    let mut octet = [0];
    let read = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut octet)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "it was closed");

    let running = run(&certificates, bounds, everybody);
    let mut silent = TcpStream::connect(running.clear).await.unwrap();
    let read = tokio::time::timeout(Duration::from_secs(5), silent.read(&mut octet)).await.unwrap();
    assert!(matches!(read, Ok(0) | Err(_)), "so was who sent no PROXY header");
}

#[tokio::test]
async fn a_stop_takes_nobody_in_and_lets_others_go_on_for_a_while() {
    let certificates = Certificates::make("stop");
    let bounds = Bounds { grace: Duration::from_millis(800), ..Bounds::default() };
    let running = run(&certificates, bounds, nobody);
    let mut here = TcpStream::connect(running.clear).await.unwrap();
    assert!(ask(&mut here).await.is_some());
    running.stop.send(()).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(TcpStream::connect(running.clear).await.is_err(), "the listener is closed");
    assert!(ask(&mut here).await.is_some(), "who is there goes on");
    running.done.await.unwrap().unwrap();
    assert_eq!(ask(&mut here).await, None, "the grace is over");
}

#[tokio::test]
async fn a_stop_waits_for_nobody_who_is_gone() {
    let certificates = Certificates::make("gone");
    let running = run(&certificates, Bounds { grace: Duration::from_secs(60), ..Bounds::default() }, nobody);
    let mut here = TcpStream::connect(running.clear).await.unwrap();
    assert!(ask(&mut here).await.is_some());
    running.stop.send(()).unwrap();
    drop(here);
    tokio::time::timeout(Duration::from_secs(5), running.done).await.unwrap().unwrap().unwrap();
}

/// Whether whoever trusts this CA is content with the listener's certificate, within some seconds.
async fn is_trusted_soon(authority: &Certificates, address: SocketAddr) -> bool {
    for _ in 0..250 {
        let socket = TcpStream::connect(address).await.unwrap();
        if handshake(authority, socket, None).await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn a_certificate_that_is_replaced_is_read_again() {
    let (own, next) = (Certificates::make("renewed"), Certificates::make("renewal"));
    let running = run(&own, Bounds { renewal: Duration::from_millis(10), ..Bounds::default() }, nobody);
    assert!(is_trusted_soon(&own, running.encrypted).await);
    let mut here = handshake(&own, TcpStream::connect(running.encrypted).await.unwrap(), None).await.unwrap();
    // A certificate without its key can't be used: the one before stays, over many looks.
    std::fs::copy(&next.server, &own.server).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(handshake(&own, TcpStream::connect(running.encrypted).await.unwrap(), None).await.is_ok());
    std::fs::copy(&next.server_key, &own.server_key).unwrap();
    assert!(is_trusted_soon(&next, running.encrypted).await);
    assert!(ask(&mut here).await.is_some(), "who is there goes on");
    let mut clear = TcpStream::connect(running.clear).await.unwrap();
    clear.write_all(b"tls\n").await.unwrap();
    assert_eq!(line(&mut clear).await.unwrap(), "go");
    assert!(handshake(&next, clear, None).await.is_ok(), "TLS that is begun later, too");
    std::fs::remove_file(&own.server_key).unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(is_trusted_soon(&next, running.encrypted).await, "the file is gone");
}

#[tokio::test]
async fn clients_of_another_ca_come_once_its_file_is_there() {
    let (own, next) = (Certificates::make("clients"), Certificates::make("next-clients"));
    let running = run(&own, Bounds { renewal: Duration::from_millis(10), ..Bounds::default() }, nobody);
    let authority = std::fs::read(&own.ca).unwrap();
    let comes = async || {
        let socket = TcpStream::connect(running.encrypted).await.unwrap();
        let client = (next.client.as_path(), next.client_key.as_path());
        // What the client itself trusts lies in the same file, which has both.
        match handshake(&own, socket, Some(client)).await {
            Ok(mut stream) => ask(&mut stream).await.is_some_and(|said| said.ends_with("certificate=true")),
            Err(_) => false,
        }
    };
    assert!(!comes().await);
    std::fs::write(&own.ca, [authority, std::fs::read(&next.ca).unwrap()].concat()).unwrap();
    let mut came = false;
    for _ in 0..250 {
        came = comes().await;
        if came {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(came);
}

#[tokio::test]
async fn files_that_don_t_fit_are_named() {
    let certificates = Certificates::make("files");
    let others = Certificates::make("file-others");
    let error = |certificate: &Path, key: &Path, ca: Option<&Path>| match Tls::from_files(certificate, key, ca) {
        Ok(_) => panic!("they fit"),
        Err(error) => error,
    };
    let missing = Path::new("/nowhere/at-all.pem");
    let (server, key) = (certificates.server.as_path(), certificates.server_key.as_path());
    assert!(matches!(error(missing, key, None), TlsError::Certificate { .. }));
    assert!(matches!(error(server, missing, None), TlsError::Key { .. }));
    assert!(matches!(error(server, &others.server_key, None), TlsError::Mismatch { .. }));
    let unreadable = error(server, key, Some(missing));
    assert!(unreadable.to_string().contains("/nowhere/at-all.pem"), "{unreadable}");

    let bind = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = Listen {
        clear: None,
        encrypted: Some(bind),
        tls: None,
        is_proxy: Arc::new(nobody),
        bounds: Bounds::default(),
        threads: 1,
    };
    let served = listen.serve(Arc::new(Teller), std::future::pending()).await;
    assert!(matches!(served, Err(ListenError::NoCertificate)));
}
