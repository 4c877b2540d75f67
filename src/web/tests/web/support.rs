//! A bridge on a loopback port, and a client that sends exactly the octets it is given.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::http::{FaultForm, HttpInput, Method, Reply, Route};
use fedbridge_contract::services::Rng;
use fedbridge_web::{Dispatch, Found, Handle, Limits, Observe, Place, Served, Site, WebConfig, serve};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use url::Url;

/// What the scripted hub answers, whatever is asked.
pub type Script = Arc<dyn Fn(&HttpInput) -> Reply + Send + Sync>;

/// Tenant and route, method, status.
pub type Note = (String, &'static str, u16);

pub const BOTH: &[Method] = &[Method::Get, Method::Post];

/// Routes of the tenant `acme`, and of its connection `okta`.
const ROUTES: [Route; 7] = [
    Route::new("authorize", BOTH),
    Route::new("token", &[Method::Post]).open_to_scripts(),
    Route::new("jwks", &[Method::Get]).open_to_scripts(),
    Route::new("panic", BOTH),
    Route::new("slow", BOTH),
    Route::new("saml/acs", &[Method::Post]),
    Route::new("scim/v2/**", &[Method::Get, Method::Post, Method::Put, Method::Patch]).with_faults(FaultForm::Scim),
];

pub struct Bridge {
    pub address: SocketAddr,
    pub seen: Arc<Mutex<Vec<HttpInput>>>,
    pub served: Arc<Mutex<Vec<Note>>>,
    stop: Option<oneshot::Sender<()>>,
    task: Option<JoinHandle<std::io::Result<()>>>,
}

impl Bridge {
    pub async fn start(base_url: &str, script: impl Fn(&HttpInput) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(base_url, script, |_| ()).await
    }

    pub async fn start_with(
        base_url: &str,
        script: impl Fn(&HttpInput) -> Reply + Send + Sync + 'static,
        adjust: impl FnOnce(&mut WebConfig),
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, served) = (Arc::default(), Arc::default());
        let hub = ScriptedHub { script: Arc::new(script), seen: Arc::clone(&seen) };
        let mut config = WebConfig {
            site: Site::new(&Url::parse(base_url).unwrap(), Arc::new(CountingRng(AtomicU8::new(0)))).unwrap(),
            tls: None,
            trusted_proxies: Vec::new(),
            workers: 1,
            limits: Limits::default(),
            observer: Arc::new(Notes(Arc::clone(&served))),
        };
        adjust(&mut config);
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(serve(config, listener, Arc::new(hub), async {
            let _ = stopped.await;
        }));
        Self { address, seen, served, stop: Some(stop), task: Some(task) }
    }

    /// Sends a head and a body as they are and reads until the server closes.
    pub async fn send(&self, head: &str, body: &[u8]) -> Answer {
        exchange(self.address, head, body).await
    }

    pub async fn get(&self, target: &str) -> Answer {
        self.send(&format!("GET {target} HTTP/1.1\r\n{CLOSE}\r\n"), b"").await
    }

    pub async fn post(&self, target: &str, body: &str) -> Answer {
        let length = body.len();
        let form = "Content-Type: application/x-www-form-urlencoded\r\n";
        let head = format!("POST {target} HTTP/1.1\r\n{CLOSE}{form}Content-Length: {length}\r\n\r\n");
        self.send(&head, body.as_bytes()).await
    }

    pub fn last(&self) -> HttpInput {
        self.seen.lock().unwrap().last().expect("no request reached the hub").clone()
    }

    pub fn reached(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub async fn stopped(mut self) {
        let task = self.task.take().unwrap();
        tokio::time::timeout(Duration::from_secs(5), task).await.expect("the server did not stop").unwrap().unwrap();
    }
}

pub const CLOSE: &str = "Host: bridge.example\r\nConnection: close\r\n";

pub async fn exchange(address: SocketAddr, head: &str, body: &[u8]) -> Answer {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    // The server may answer and close before it has read a body that is too large.
    let _ = socket.write_all(body).await;
    read_answer(&mut socket).await
}

pub async fn read_answer(socket: &mut TcpStream) -> Answer {
    let mut octets = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let reading = async {
        while let Ok(count @ 1..) = socket.read(&mut buffer).await {
            octets.extend_from_slice(&buffer[..count]);
        }
    };
    tokio::time::timeout(Duration::from_secs(10), reading).await.expect("the server did not close");
    Answer::parse(&octets)
}

#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn parse(octets: &[u8]) -> Self {
        let text = String::from_utf8(octets.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no whole head in {text:?}"));
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(": ").unwrap_or_else(|| panic!("no header: {line:?}")))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Self { status, headers, body: body.to_owned() }
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.headers.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str()).collect()
    }

    /// The one value of a header; `None` where it is absent.
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() <= 1, "{name} came {} times", all.len());
        all.first().copied()
    }
}

struct ScriptedHub {
    script: Script,
    seen: Arc<Mutex<Vec<HttpInput>>>,
}

impl Dispatch for ScriptedHub {
    fn resolve(&self, place: Place<'_>) -> Option<Found> {
        let path = match place {
            Place::Tenant { tenant: "acme", route } => route,
            Place::Connection { tenant: "acme", connection: "okta", route } => route,
            _ => return None,
        };
        let (route, last) = ROUTES.into_iter().find_map(|known| Some((known, known.matches(path)?)))?;
        Some(Found {
            route,
            rest: last.to_owned(),
            handler: Box::new(Turn { script: Arc::clone(&self.script), seen: Arc::clone(&self.seen) }),
        })
    }
}

struct Turn {
    script: Script,
    seen: Arc<Mutex<Vec<HttpInput>>>,
}

#[async_trait]
impl Handle for Turn {
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply {
        if input.route == "slow" {
            tokio::time::sleep(Duration::from_millis(400)).await;
        }
        assert_ne!(input.route, "panic", "as the test asked");
        let reply = (self.script)(&input);
        self.seen.lock().unwrap().push(input);
        reply
    }
}

struct Notes(Arc<Mutex<Vec<Note>>>);

impl Observe for Notes {
    fn served(&self, served: &Served<'_>) {
        let name = format!("{} {}", served.tenant.unwrap_or("-"), served.route);
        self.0.lock().unwrap().push((name, served.method, served.status));
    }
}

struct CountingRng(AtomicU8);

impl Rng for CountingRng {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill_with(|| self.0.fetch_add(1, Ordering::Relaxed));
    }
}

/// A reply that needs nothing.
pub fn fine(_: &HttpInput) -> Reply {
    Reply::body(200, "text/plain", "fine")
}

pub const HTTP: &str = "http://127.0.0.1:8080";
pub const HTTPS: &str = "https://login.acme.example";
