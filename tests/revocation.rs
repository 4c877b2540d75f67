//! Kill switches over two processes on one PostgreSQL: what one of them ends, the other refuses.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use crate::support::Scratch;
use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Browser, HTTP};
use crate::support::peers::Peer;
use crate::support::scripted::{App, alice, bridge_file, claims, idp};

/// The promise is 100 ms for 99 of 100. This is loose, for machines that are busy with other tests.
const SOON: Duration = Duration::from_secs(1);

struct World {
    setup: Setup,
    nodes: [App; 2],
    bridges: [Bridge; 2],
    line: Arc<AtomicBool>,
    _postgres: Peer,
    _scratch: Scratch,
}

/// Two nodes; the second one reaches the database by a line that can be cut.
async fn world(settings: &[(&str, &str)]) -> World {
    let scratch = Scratch::new("revocation");
    let postgres = Peer::postgres(scratch.path());
    let setup = Setup::postgres(scratch.path(), &postgres.url);
    setup.apply(&scratch, &bridge_file(&scratch, &idp()));
    let (address, line) = line_to(&postgres.url).await;
    let mut second = setup.another_node();
    for (name, value) in &mut second.settings {
        if name == "FEDBRIDGE_DATABASE_URL" {
            *value = address.clone();
        }
    }
    second.settings.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let bridges = [setup.serve(&scratch).await, second.serve(&scratch).await];
    let nodes = [App::of(&bridges[0]), App::of(&bridges[1])];
    World { setup, nodes, bridges, line, _postgres: postgres, _scratch: scratch }
}

/// A database address by way of this process. While the flag is down, octets are kept and no connection ends.
async fn line_to(database: &str) -> (String, Arc<AtomicBool>) {
    let mut url = Url::parse(database).unwrap();
    let there = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    url.set_port(Some(listener.local_addr().unwrap().port())).unwrap();
    let up = Arc::new(AtomicBool::new(true));
    let flag = Arc::clone(&up);
    tokio::spawn(async move {
        loop {
            let (here, _) = listener.accept().await.unwrap();
            let (there, flag) = (there.clone(), Arc::clone(&flag));
            tokio::spawn(async move {
                let Ok(there) = TcpStream::connect(there).await else { return };
                let ((from, to), (back_from, back_to)) = (here.into_split(), there.into_split());
                tokio::join!(carry(from, back_to, &flag), carry(back_from, to, &flag));
            });
        }
    });
    (url.to_string(), up)
}

async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, up: &AtomicBool) {
    let mut octets = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut octets).await {
        while !up.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if to.write_all(&octets[..count]).await.is_err() {
            return;
        }
    }
}

/// Asks until it is so; gives back how long that took.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) -> Duration {
    let begun = Instant::now();
    while !so().await {
        assert!(begun.elapsed() < SOON, "{what}: not within {SOON:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    begun.elapsed()
}

/// What one login has: tokens, a code that is not redeemed yet, and the browser with the session.
struct Held {
    tokens: Value,
    code: String,
    browser: Browser,
}

impl App {
    /// Whether a login ends here, or goes on to the identity provider.
    async fn served_by_session(&self, browser: &mut Browser) -> bool {
        browser.get(&self.authorize_url("")).await.location.unwrap().contains("code=")
    }
}

impl World {
    async fn held(&self) -> Held {
        let [here, there] = &self.nodes;
        let mut browser = Browser::new();
        let code = here.login(&mut browser, &idp(), &alice()).await;
        let tokens = there.redeem(&code).await.json();
        browser.share_cookies(&here.at, &there.at);
        let again = browser.get(&there.authorize_url("")).await;
        let held = Held { tokens, code: again.redirect_param("code"), browser };
        assert!(self.active(&held).await);
        held
    }

    async fn active(&self, held: &Held) -> bool {
        self.nodes[1].introspect(held.tokens["access_token"].as_str().unwrap()).await["active"] == true
    }

    /// Every way in which the second node could still honour it.
    async fn all_is_dead(&self, held: &mut Held, session_too: bool) {
        let node = &self.nodes[1];
        let access = held.tokens["access_token"].as_str().unwrap();
        assert_eq!(node.userinfo(access).await.status, 401);
        let refreshed = node.refresh(held.tokens["refresh_token"].as_str().unwrap()).await;
        assert_eq!(refreshed.json()["error"], "invalid_grant");
        assert_eq!(node.redeem(&held.code).await.json()["error"], "invalid_grant");
        assert_eq!(node.served_by_session(&mut held.browser).await, !session_too);
    }

    async fn own_token(&self) -> String {
        let answer = self.nodes[1].token(&[("grant_type", "client_credentials"), ("scope", "api")]).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_kills_the_other_refuses() {
    let world = world(&[]).await;
    let node = &world.nodes[1];
    for (switch, name) in [("tenant", "acme"), ("connection", "idp"), ("client", "app"), ("user", "")] {
        let mut held = world.held().await;
        let own = world.own_token().await;
        let sub = claims(&held.tokens["id_token"])["sub"].as_str().unwrap().to_owned();
        let name = if name.is_empty() { &sub } else { name };
        let mut command = vec!["revoke", switch, name];
        if switch != "tenant" {
            command.extend(["--tenant", "acme"]);
        }
        let said = world.setup.ok(&command);
        assert!(said.starts_with("kill "), "{said}");
        // The command ended before: this is how long the other node needed beyond that.
        let took = until(switch, async || !world.active(&held).await).await;
        eprintln!("{switch}: {took:?} behind the command; it said: {}", said.trim());
        world.all_is_dead(&mut held, switch != "client").await;
        let own_lives = node.introspect(&own).await["active"] == true;
        assert_eq!(own_lives, matches!(switch, "connection" | "user"), "{switch}: a token of the client itself");
    }
    let held = world.held().await;
    let session = claims(&held.tokens["id_token"])["sid"].as_str().unwrap().to_owned();
    let said = world.setup.ok(&["revoke", "session", &session, "--tenant", "acme"]);
    assert!(said.starts_with(&format!("the session {session} has ended")), "{said}");
    assert!(!node.served_by_session(&mut held.browser.clone()).await);

    let held = world.held().await;
    let jti = claims(&held.tokens["access_token"])["jti"].as_str().unwrap().to_owned();
    world.setup.ok(&["revoke", "token", &jti, "--tenant", "acme"]);
    assert!(!world.active(&held).await);
    assert_eq!(node.refresh(held.tokens["refresh_token"].as_str().unwrap()).await.status, 200, "it went alone");

    for (wrong, advice) in [
        (["tenant", "acmee", "", ""], "the nearest is `acme`"),
        (["client", "appp", "--tenant", "acme"], "the nearest is `app`"),
        (["user", "alice", "--tenant", "acme"], "is not the id of a user"),
        (["session", "00000000000000000000000000000001", "--tenant", "acme"], "there is no session"),
    ] {
        let words: Vec<_> = ["revoke"].into_iter().chain(wrong).filter(|word| !word.is_empty()).collect();
        let output = world.setup.run(&words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(advice), "{words:?}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_listens_to_nothing_hears_by_the_poll() {
    let world = world(&[("FEDBRIDGE_REVOCATION_NOTIFY", "false")]).await;
    let mut held = world.held().await;
    world.setup.ok(&["revoke", "client", "app", "--tenant", "acme"]);
    until("client", async || !world.active(&held).await).await;
    world.all_is_dead(&mut held, false).await;
    let metrics =
        HTTP.get(format!("{}/metrics", world.bridges[1].management)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("fedbridge_revocation_polls_total") && !metrics.contains("revocation_signals_total 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hears_nothing_at_all_refuses_until_it_does() {
    let world = world(&[]).await;
    let node = &world.nodes[1];
    // It needs no database for this at all.
    let ask = async || node.token(&[("grant_type", "client_credentials"), ("scope", "api")]).await;
    assert_eq!(ask().await.status, 200);
    world.line.store(false, Ordering::Relaxed);
    let cut = Instant::now();
    let refused = loop {
        let answer = ask().await;
        if answer.status != 200 {
            break answer;
        }
        assert!(cut.elapsed() < SOON + SOON, "it goes on without a word from the database");
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    eprintln!("refused {:?} behind the cut", cut.elapsed());
    assert!(cut.elapsed() > Duration::from_millis(500), "one late answer is no reason");
    assert_eq!((refused.status, &refused.json()["error"]), (503, &"temporarily_unavailable".into()));
    let ready = HTTP.get(format!("{}/readyz", world.bridges[1].management)).send().await.unwrap();
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("the database does not answer"));
    world.line.store(true, Ordering::Relaxed);
    let healed = until("after the cut", async || ask().await.status == 200).await;
    eprintln!("healed {healed:?} behind the cut's end");
    // And it hears as before.
    let mut held = world.held().await;
    world.setup.ok(&["revoke", "tenant", "acme"]);
    until("tenant", async || !world.active(&held).await).await;
    world.all_is_dead(&mut held, true).await;
}
