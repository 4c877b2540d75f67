//! A company whose one upstream is a real OpenID provider, with npm openid-client as its app.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::clients::Client;
use crate::support::peers::Peer;
use crate::support::scripted::CHALLENGE;
use crate::support::{Database, PATIENCE, Scratch};

pub const SECRET: &str = "upstream-secret-upstream-secret-upstream";
const SLUG: &str = "up";

/// The provider, as tests see it.
pub struct Op {
    pub issuer: String,
    /// User name and password.
    pub person: (&'static str, &'static str),
    /// What the connection says besides slug, protocol, issuer, client and secret, as YAML in its place.
    pub yaml: String,
    /// Ends with the company, unless others use it too.
    pub peer: Option<Peer>,
}

impl Op {
    /// One of tests/peers that takes `RP_ADDRESS`.
    pub fn peer(name: &str, scratch: &Scratch, address: &str, knobs: &[(&str, &str)]) -> Peer {
        let mut settings = vec![("RP_ADDRESS", address), ("CLIENT_ID", "bridge"), ("CLIENT_SECRET", SECRET)];
        settings.extend(knobs);
        Peer::start(name, scratch.path(), &settings)
    }
}

pub struct Company {
    pub setup: Setup,
    pub client: Client,
    pub app: Peer,
    pub op: Op,
    /// Of the provider: where logins and logouts begin there.
    authorization_endpoint: String,
    pub end_session_endpoint: String,
    pub bridge: Bridge,
    _postgres: Option<Peer>,
    _scratch: Scratch,
}

impl Company {
    /// `op` gets the connection's address, which the provider has to know.
    pub async fn start(database: Database, op: impl AsyncFnOnce(&Scratch, &str) -> Op) -> Self {
        let scratch = Scratch::new("upstream-oidc");
        let (setup, postgres) = match database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        let tenant = format!("{}/t/acme", setup.base_url);
        let op = op(&scratch, &format!("{tenant}/connections/{SLUG}")).await;
        let metadata = Browser::new().get(&format!("{}/.well-known/openid-configuration", op.issuer)).await.json();
        let endpoint = |name: &str| metadata[name].as_str().unwrap_or_else(|| panic!("no {name}")).to_owned();
        let client = Client::new("portal", "openid-client");
        setup.apply(&scratch, &bridge_file(&op, &client));
        let bridge = setup.serve(&scratch).await;
        let app = client.start(scratch.path(), &tenant);
        Self {
            setup,
            client,
            app,
            authorization_endpoint: endpoint("authorization_endpoint"),
            end_session_endpoint: endpoint("end_session_endpoint"),
            op,
            bridge,
            _postgres: postgres,
            _scratch: scratch,
        }
    }

    /// The person opens the app, and logs in; gives what the app learned.
    pub async fn login(&self, browser: &mut Browser) -> Value {
        let answer = browser.visit(&self.app.url).await;
        let page = browser.walk(answer, &self.op.issuer, Some(self.op.person)).await;
        if page.status != 200 || page.url != self.client.session() {
            self.fail("no login", &page).await;
        }
        let told = page.json();
        assert_eq!(told["peer"], "openid-client", "{told:#}");
        assert_eq!(told["id_token"]["idp"], SLUG, "{told:#}");
        // What later tells that nobody is logged in must be able to tell that somebody is.
        assert!(self.app_knows(browser).await && self.bridge_knows(browser).await && self.op_knows(browser).await);
        told
    }

    pub async fn refresh(&self, browser: &mut Browser) {
        let answer = browser.visit(&self.client.at("/refresh")).await;
        if answer.status != 200 || answer.json()["refreshes"] != 1 {
            self.fail("no refresh", &answer).await;
        }
    }

    /// The person logs out at the app, says yes where the provider asks, and comes back to the app.
    pub async fn log_out_of_app(&self, browser: &mut Browser) {
        let answer = browser.visit(&self.client.at("/logout")).await;
        let page = self.end_at_op(browser, answer).await;
        if page.status != 200 || page.url.split('?').next() != Some(&self.client.at("/logged-out")) {
            self.fail("the logout does not come back to the app", &page).await;
        }
        assert!(!self.app_knows(browser).await, "the app keeps its session");
        assert!(!self.bridge_knows(browser).await, "the bridge keeps its session");
        if self.op_knows(browser).await {
            self.fail("the provider keeps its session", &page).await;
        }
    }

    /// The person logs out at the provider, which tells the bridge, and the bridge the app.
    pub async fn log_out_of_op(&self, browser: &mut Browser, address: &str) {
        let answer = browser.visit(address).await;
        let page = self.end_at_op(browser, answer).await;
        let until = Instant::now() + PATIENCE;
        while self.app_knows(browser).await {
            if Instant::now() > until {
                self.fail("the app was not told", &page).await;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(!self.bridge_knows(browser).await, "the bridge keeps its session");
        assert!(!self.op_knows(browser).await, "the provider keeps its session");
    }

    pub async fn app_knows(&self, browser: &mut Browser) -> bool {
        match browser.get(&self.client.session()).await.status {
            200 => true,
            401 => false,
            other => panic!("the app answers {other}"),
        }
    }

    /// Whether a login at the app would end without the provider.
    pub async fn bridge_knows(&self, browser: &mut Browser) -> bool {
        let at_bridge = browser.get(&self.client.at("/login")).await.location.unwrap();
        let answer = browser.get(&at_bridge).await;
        let location = answer.location.unwrap_or_else(|| panic!("{}: {}", answer.status, answer.body));
        !location.starts_with(&self.authorization_endpoint)
    }

    /// Whether the provider has a session of this browser.
    pub async fn op_knows(&self, browser: &Browser) -> bool {
        let url = format!(
            "{}?client_id=probe&response_type=code&redirect_uri=http://127.0.0.1:9/probe&scope=openid&prompt=none\
             &state=s&nonce=n&code_challenge={CHALLENGE}&code_challenge_method=S256",
            self.authorization_endpoint
        );
        // In a copy of the browser: LemonLDAP::NG remembers a request that it could not answer, and goes on with it at
        // the next login.
        let answer = browser.clone().visit(&url).await;
        match &answer.location {
            Some(_) => match answer.redirect_params().get("error") {
                Some(error) => error != "login_required",
                None => true,
            },
            // LemonLDAP::NG asks for a login even then.
            None => {
                assert!(answer.body.contains("name=\"password\""), "{}: {}", answer.status, answer.body);
                false
            }
        }
    }

    /// Says yes on the provider's pages, and goes on where they lead.
    async fn end_at_op(&self, browser: &mut Browser, answer: Answer) -> Answer {
        let page = browser.walk(answer, &self.op.issuer, None).await;
        if page.url.starts_with(&self.op.issuer) { browser.load_frames_and_go_on(page).await } else { page }
    }

    /// Panics with all that helps: the page, the newest trace, the provider's log.
    pub async fn fail(&self, what: &str, page: &Answer) -> ! {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        let trace = list[0]["id"].as_str().map(|id| self.setup.ok(&["trace", "show", id])).unwrap_or_default();
        panic!(
            "{what}: {} ({}) {:?}\n{}\n--- newest trace\n{trace}\n--- traces\n{list:#}\n--- app\n{}\n--- provider\n{}",
            page.url,
            page.status,
            page.location,
            page.shown(),
            self.app.log(),
            self.op.peer.as_ref().map(Peer::log).unwrap_or_default(),
        );
    }
}

fn bridge_file(op: &Op, client: &Client) -> String {
    format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
    connections:
      - slug: {SLUG}
        protocol: oidc
        domains: [acme.example]
        issuer: {}
        client_id: bridge
{}
    clients:
{}",
        op.issuer,
        op.yaml,
        client.yaml()
    )
}
