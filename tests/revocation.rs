//! Kill switches over two processes on one PostgreSQL: what one of them ends, the other refuses.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::browser::Browser;
use crate::support::nodes::Nodes;
use crate::support::scripted::{App, alice, bridge_file, claims, idp};

/// The promise is measured elsewhere. This is loose, for machines that are busy with other tests.
const SOON: Duration = Duration::from_secs(10);

/// Two nodes.
struct World(Nodes);

async fn world() -> World {
    World(Nodes::start(2, |scratch| bridge_file(scratch, &idp()), |_, _| {}).await)
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
        let (here, there) = (&self.0.apps[0], &self.0.apps[1]);
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
        self.0.apps[1].introspect(held.tokens["access_token"].as_str().unwrap()).await["active"] == true
    }

    /// Every way in which the second node could still honour it.
    async fn all_is_dead(&self, held: &mut Held, session_too: bool) {
        let node = &self.0.apps[1];
        let access = held.tokens["access_token"].as_str().unwrap();
        assert_eq!(node.userinfo(access).await.status, 401);
        let refreshed = node.refresh(held.tokens["refresh_token"].as_str().unwrap()).await;
        assert_eq!(refreshed.json()["error"], "invalid_grant");
        assert_eq!(node.redeem(&held.code).await.json()["error"], "invalid_grant");
        assert_eq!(node.served_by_session(&mut held.browser).await, !session_too);
    }

    async fn own_token(&self) -> String {
        let answer = self.0.apps[1].token(&[("grant_type", "client_credentials"), ("scope", "api")]).await;
        answer.json()["access_token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_kills_the_other_refuses() {
    let world = world().await;
    let node = &world.0.apps[1];
    for (switch, name) in [("tenant", "acme"), ("connection", "idp"), ("client", "app"), ("user", "")] {
        let mut held = world.held().await;
        let own = world.own_token().await;
        let sub = claims(&held.tokens["id_token"])["sub"].as_str().unwrap().to_owned();
        let name = if name.is_empty() { &sub } else { name };
        let mut command = vec!["revoke", switch, name];
        if switch != "tenant" {
            command.extend(["--tenant", "acme"]);
        }
        let said = world.0.setup.ok(&command);
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
    let said = world.0.setup.ok(&["revoke", "session", &session, "--tenant", "acme"]);
    assert!(said.starts_with(&format!("the session {session} has ended")), "{said}");
    assert!(!node.served_by_session(&mut held.browser.clone()).await);

    let held = world.held().await;
    let jti = claims(&held.tokens["access_token"])["jti"].as_str().unwrap().to_owned();
    world.0.setup.ok(&["revoke", "token", &jti, "--tenant", "acme"]);
    assert!(!world.active(&held).await);
    assert_eq!(node.refresh(held.tokens["refresh_token"].as_str().unwrap()).await.status, 200, "it went alone");

    for (wrong, advice) in [
        (["tenant", "acmee", "", ""], "the nearest is `acme`"),
        (["client", "appp", "--tenant", "acme"], "the nearest is `app`"),
        (["user", "alice", "--tenant", "acme"], "is not the id of a user"),
        (["session", "00000000000000000000000000000001", "--tenant", "acme"], "there is no session"),
    ] {
        let words: Vec<_> = ["revoke"].into_iter().chain(wrong).filter(|word| !word.is_empty()).collect();
        let output = world.0.setup.run(&words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && said.contains(advice), "{words:?}: {said}");
    }
}
