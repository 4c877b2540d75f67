//! Requests that a partner would like us to make. Every address that the bridge fetches from is a trap in
//! turn: one that sends us on to an inner server, one that never ends, one that trickles. And with the switch for
//! tests off, every way to write an address of this machine is refused before a connection is made.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_keys::SystemClock;
use fedbridge_oidc_core::testkit::{Running, ScriptedOp};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::support::Scratch;
use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::scripted::{App, REDIRECT, SECRET, claims};

/// How the trap answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// To the inner server: with 302, and with 307, which would send the body along.
    Elsewhere(u16),
    Endless,
    Trickle,
}

/// A server that notes who comes, and what for.
#[derive(Clone)]
struct Trap {
    at: String,
    manner: Arc<Mutex<Manner>>,
    paths: Arc<Mutex<BTreeSet<String>>>,
}

impl Trap {
    async fn open(inner: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let trap = Self {
            at: format!("http://{}", listener.local_addr().unwrap()),
            manner: Arc::new(Mutex::new(Manner::Elsewhere(302))),
            paths: Arc::default(),
        };
        let own = trap.clone();
        tokio::spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let trap = own.clone();
                tokio::spawn(async move {
                    let mut buffer = [0; 4096];
                    let read = socket.read(&mut buffer).await.unwrap_or(0);
                    let head = String::from_utf8_lossy(&buffer[..read]).into_owned();
                    let path = head.split(' ').nth(1).unwrap_or_default();
                    let path = path.split('?').next().unwrap_or_default().to_owned();
                    trap.paths.lock().unwrap().insert(path);
                    let manner = *trap.manner.lock().unwrap();
                    let _ = match manner {
                        Manner::Elsewhere(status) => {
                            let to = format!("location: http://{inner}/secret");
                            let answer = format!("HTTP/1.1 {status} Go\r\n{to}\r\ncontent-length: 0\r\n\r\n");
                            socket.write_all(answer.as_bytes()).await
                        }
                        Manner::Endless => pour(&mut socket, &[b' '; 65_536], Duration::ZERO).await,
                        Manner::Trickle => pour(&mut socket, b" ", Duration::from_millis(200)).await,
                    };
                });
            }
        });
        trap
    }

    fn behaves(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
        self.paths.lock().unwrap().clear();
    }

    fn was_asked(&self, path: &str) -> bool {
        self.paths.lock().unwrap().contains(path)
    }
}

/// A body without an end: until the other side has had enough.
async fn pour(socket: &mut tokio::net::TcpStream, piece: &[u8], pause: Duration) -> std::io::Result<()> {
    socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n").await?;
    loop {
        socket.write_all(piece).await?;
        tokio::time::sleep(pause).await;
    }
}

/// What nobody outside may make us talk to.
async fn inner() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let came = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&came);
    tokio::spawn(async move {
        while let Ok((_socket, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (at, came)
}

struct World {
    trap: Trap,
    came: Arc<AtomicUsize>,
    app: App,
    setup: Setup,
    scratch: Scratch,
    _bridge: Bridge,
    _op: Running,
}

impl World {
    async fn start() -> Self {
        let (inner, came) = inner().await;
        let trap = Trap::open(inner).await;
        let (op, running) = ScriptedOp::listen(Arc::new(SystemClock)).await.unwrap();
        let scratch = Scratch::new("ssrf");
        let setup = Setup::sqlite(scratch.path());
        setup.apply(&scratch, &bridge_file(&op, &trap.at));
        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        Self { trap, came, app, setup, scratch, _bridge: bridge, _op: running }
    }

    /// The browser through a connection, up to where it stays.
    async fn login(&self, connection: &str) -> Answer {
        let mut browser = Browser::new();
        let out = browser.get(&self.app.authorize_url(&format!("&connection={connection}"))).await;
        let Some(to_op) = out.location.as_ref().filter(|to| to.contains("/authorize?")) else { return out };
        if to_op.starts_with(&self.trap.at) {
            // The provider is the trap: its answer is made up.
            let state = url::Url::parse(to_op).unwrap();
            let state = state.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
            let callback = format!("{}/connections/{connection}/oidc/callback?code=c&state={state}", self.app.at);
            return browser.get(&callback).await;
        }
        let back = browser.get(to_op).await.location.unwrap();
        let answer = browser.get(&back).await;
        browser.settle(answer).await
    }

    /// Nobody came in, and no address of the inner server is in what is shown.
    fn is_refused(&self, what: &str, answer: &Answer) {
        let code = answer.location.as_ref().is_some_and(|location| location.contains("code="));
        assert!(!code, "{what}: {:?}", answer.location);
        assert!(!answer.body.contains("/secret"), "{what}: {}", answer.body);
    }

    fn asked(&self, path: &str) {
        assert!(self.trap.was_asked(path), "{path} was not asked, so nothing was tried");
        assert_eq!(self.came.load(Ordering::SeqCst), 0, "{path} led to the inner server");
    }
}

/// A JWT that nobody has signed, with a key to look for.
fn unsigned(claims: &serde_json::Value, typ: Option<&str>) -> String {
    let mut header = json!({ "alg": "ES256", "kid": "unknown" });
    if let Some(typ) = typ {
        header["typ"] = typ.into();
    }
    let part = |value: &serde_json::Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{}", part(&header), part(claims), URL_SAFE_NO_PAD.encode([7; 64]))
}

fn bridge_file(op: &ScriptedOp, trap: &str) -> String {
    let (client, secret) = op.client();
    let connection = |slug: &str, issuer: &str, settings: &str| {
        format!(
            "      - slug: {slug}
        protocol: oidc
        issuer: {issuer}
        client_id: {client}
        client_secret: {{ value: {secret} }}
        {settings}
"
        )
    };
    let honest = |slug: &str, settings: &str| connection(slug, &op.issuer, settings);
    let hand_made = format!(
        "discovery: off
        metadata: {{ authorization_endpoint: {trap}/authorize, token_endpoint: {trap}/token, jwks_uri: {trap}/none }}"
    );
    let connections = [
        connection("document", trap, ""),
        connection("token", trap, &hand_made),
        honest("keys", &format!("metadata: {{ jwks_uri: {trap}/keys }}")),
        honest("userinfo", &format!("metadata: {{ userinfo_endpoint: {trap}/userinfo }}\n        userinfo: always")),
        honest(
            "pushed",
            &format!(
                "metadata: {{ pushed_authorization_request_endpoint: {trap}/pushed }}\n        pushed_requests: required"
            ),
        ),
        honest(
            "plain",
            &format!(
                "metadata: {{ revocation_endpoint: {trap}/revocation }}
        scopes: [openid, profile, email, offline_access]
        revoke_at_logout: true
        global_token_revocation: {{ issuer: {0}, jwks_uri: {trap}/revoker }}",
                op.issuer
            ),
        ),
    ];
    format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    connections:
{}    clients:
      - client_id: app
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT}\"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, offline_access]
        backchannel_logout_uri: {trap}/backchannel
      - client_id: keyed
        token_endpoint_auth_method: private_key_jwt
        jwks_uri: {trap}/client-keys
        redirect_uris: [\"{REDIRECT}\"]
      - client_id: sector
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT}\"]
        subject_type: pairwise
        sector_identifier_uri: {trap}/sector
",
        connections.concat()
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn no_partner_sends_us_on_to_an_inner_server() {
    let world = World::start().await;
    for status in [302, 307] {
        world.trap.behaves(Manner::Elsewhere(status));
        for (connection, path) in
            [("token", "/token"), ("keys", "/keys"), ("userinfo", "/userinfo"), ("pushed", "/pushed")]
        {
            let answer = world.login(connection).await;
            // A key set that failed is not asked for again at once.
            if (connection, status) != ("keys", 307) {
                world.asked(path);
            }
            world.is_refused(connection, &answer);
        }
    }
    world.trap.behaves(Manner::Elsewhere(302));

    let refresh = world.setup.run(&["connections", "refresh", "acme/document"]);
    world.asked("/.well-known/openid-configuration");
    let said = String::from_utf8_lossy(&refresh.stderr).into_owned();
    assert!(!refresh.status.success() && said.contains("redirects are not followed"), "{said}");

    // What apps name: their keys, their list of addresses.
    let token = format!("{}/token", world.app.at);
    let assertion =
        unsigned(&json!({ "iss": "keyed", "sub": "keyed", "aud": token, "jti": "1", "exp": 4_000_000_000_u64 }), None);
    let fields = [
        ("grant_type", "client_credentials"),
        ("client_id", "keyed"),
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", &assertion),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = Browser::new().post(&token, &fields).await;
    world.asked("/client-keys");
    assert!(answer.status == 401 && !answer.body.contains("/secret"), "{} {}", answer.status, answer.body);
    let url = world.app.authorize_url("&connection=plain").replace("client_id=app", "client_id=sector");
    let answer = Browser::new().get(&url).await;
    world.asked("/sector");
    world.is_refused("sector", &answer);

    // What a caller's token makes us look up.
    let address = format!("{}/connections/plain/global-token-revocation", world.app.at);
    let caller = unsigned(&json!({ "aud": address, "iss": "x", "jti": "2" }), Some("global-token-revocation+jwt"));
    let client = reqwest::Client::new();
    let called = client.post(&address).bearer_auth(caller).header("content-type", "application/json");
    let called = called.body(r#"{"sub_id":{"format":"email","email":"alice@acme.example"}}"#).send().await.unwrap();
    world.asked("/revoker");
    assert!(called.status().is_client_error(), "{}", called.status());

    // What is told at a logout: the app, and the provider's revocation endpoint.
    let answer = world.login("plain").await;
    let tokens = world.app.redeem(&answer.redirect_param("code")).await.json();
    let user = claims(&tokens["id_token"])["sub"].as_str().unwrap().to_owned();
    // A session alone keeps its tokens for the app's offline access.
    world.setup.ok(&["revoke", "user", &user, "--tenant", "acme"]);
    world.asked("/backchannel");
    world.asked("/revocation");

    // What is fetched while a file is applied.
    let file = world.scratch.write(
        "saml.yaml",
        &format!(
            "version: 1\ntenants:\n  - slug: other\n    connections:\n      - slug: idp\n        protocol: saml\n        \
             idp_metadata: {{ url: {0}/idp }}\n    service_providers:\n      - slug: sp\n        sp_metadata: {{ url: {0}/sp }}\n",
            world.trap.at
        ),
    );
    let planned = world.setup.run(&["plan", "-f", file.to_str().unwrap()]);
    world.asked("/idp");
    world.asked("/sp");
    let said = String::from_utf8_lossy(&planned.stderr).into_owned();
    assert!(planned.status.code() == Some(2) && said.matches("redirects are not followed").count() == 2, "{said}");
}

/// Neither a gigabyte nor an octet now and then holds a login for long.
#[tokio::test(flavor = "multi_thread")]
async fn answers_without_an_end_end() {
    let world = World::start().await;
    for manner in [Manner::Endless, Manner::Trickle] {
        world.trap.behaves(manner);
        let begun = Instant::now();
        let names = ["token", "userinfo", "pushed"];
        let logins = names.map(|connection| world.login(connection));
        for (connection, answer) in names.iter().zip(futures_util::future::join_all(logins).await) {
            world.asked(&format!("/{connection}"));
            world.is_refused(connection, &answer);
        }
        let took = begun.elapsed();
        eprintln!("{manner:?}: three logins were refused after {took:?}");
        assert!(took < Duration::from_secs(20), "{manner:?}: {took:?}");
    }
}

/// Outside tests no address of this machine, of its network or of a cloud's metadata is connected to.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_inside_are_refused_however_they_are_written() {
    let (inner, came) = inner().await;
    let port = inner.port();
    let scratch = Scratch::new("ssrf-closed");
    let mut setup = Setup::sqlite(scratch.path());
    let switch = setup.settings.iter_mut().find(|(name, _)| name == "FEDBRIDGE_EGRESS_ALLOW_LOOPBACK");
    "false".clone_into(&mut switch.unwrap().1);
    let hosts = [
        "127.0.0.1",
        "localhost",
        "2130706433",
        "0x7f.1",
        "127.1",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "10.0.0.1",
    ];
    let connection = |(number, host): (usize, &&str)| {
        format!(
            "      - slug: c{number}\n        protocol: oidc\n        issuer: https://op.example\n        \
             client_id: bridge\n        discovery: https://{host}:{port}/d\n"
        )
    };
    let connections: String = hosts.iter().enumerate().map(connection).collect();
    setup.apply(&scratch, &format!("version: 1\ntenants:\n  - slug: acme\n    connections:\n{connections}"));
    for (number, host) in hosts.iter().enumerate() {
        let refresh = setup.run(&["connections", "refresh", &format!("acme/c{number}")]);
        let said = String::from_utf8_lossy(&refresh.stderr).into_owned();
        assert!(!refresh.status.success() && said.contains("special-use address"), "{host}: {said}");
    }
    assert_eq!(came.load(Ordering::SeqCst), 0, "a connection was made");
    // A host that the tenant does not list is refused before anybody looks it up.
    let listed = "version: 1\ntenants:\n  - slug: acme\n    egress: { hosts: [login.example] }\n    connections:\n      \
                  - slug: c0\n        protocol: oidc\n        issuer: https://op.invalid\n        client_id: bridge\n      \
                  - slug: idp\n        protocol: saml\n        idp_metadata: { url: https://idp.invalid/m }\n";
    let file = scratch.write("listed.yaml", listed);
    let planned = setup.run(&["plan", "-f", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&planned.stderr).into_owned();
    assert!(
        planned.status.code() == Some(2) && said.matches("not among the tenant's egress.hosts").count() == 2,
        "{said}"
    );
}
