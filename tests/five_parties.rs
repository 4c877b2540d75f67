//! A SAML upstream, an OIDC upstream, two OIDC clients and a SAML service provider in one session, none of them ours:
//! a logout at any of the five ends all of them. One of them is dead, each of the five in turn: the others are told all
//! the same, and it is named.

use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::clients::{Client, Told};
use crate::support::html::Form;
use crate::support::peers::{Peer, Starting};
use crate::support::scripted::CHALLENGE;
use crate::support::{Database, Scratch};

const ALICE: (&str, &str) = ("alice", "alice-password");
const SECRET: &str = "upstream-secret-upstream-secret-upstream";

/// From the click to the last page: what a person waits for. Calls that fail are made again behind it, and who hears
/// of the logout by such a call has until [`PATIENCE`].
const LIMIT: Duration = Duration::from_secs(5);

/// How often a logout may miss the limit: all of this runs beside other tests, on the same few cores.
const TRIES: usize = 3;

/// Until everybody knows, and all is recorded.
const PATIENCE: Duration = Duration::from_secs(15);

/// Where a logout begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Party {
    /// npm openid-client.
    Portal,
    /// mod_auth_openidc.
    Mail,
    /// mod_auth_mellon.
    Shop,
    /// SimpleSAMLphp, or pysaml2.
    SamlUpstream,
    /// npm oidc-provider.
    OidcUpstream,
}

/// Which SAML upstream, and how it can be told of a logout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Saml {
    /// SimpleSAMLphp: by the browser alone.
    Browser,
    /// pysaml2: by a server call too.
    Soap,
}

struct World {
    setup: Setup,
    /// Of the tenant.
    at: String,
    saml: Peer,
    by: Saml,
    op: Peer,
    portal: Client,
    portal_peer: Option<Peer>,
    mail: Client,
    mail_peer: Option<Peer>,
    shop: Peer,
    /// Who is gone.
    dead: Option<Party>,
    _bridge: Bridge,
    _postgres: Option<Peer>,
    scratch: Scratch,
}

impl World {
    /// `told`: how the portal hears of a logout.
    async fn start(database: Database, told: Told, by: Saml) -> Self {
        let scratch = Scratch::new("five-parties");
        let (setup, postgres) = match database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        let at = format!("{}/t/acme", setup.base_url);
        let (saml, op) = (starting_saml(&scratch, by, &at, None), starting_op(&scratch, &at, None));
        let (saml, op) = (saml.ready(), op.ready());

        let portal = Client::new("portal", "openid-client").told(told);
        let mail = Client::new("mail", "apache-openidc");
        let file = bridge_file(&saml, &op, &[&portal, &mail]);
        setup.apply(&scratch, &file);
        let bridge = setup.serve(&scratch).await;

        let shop = starting_shop(&scratch, &at, None).ready();
        bridge.takes_over(|| drop(setup.apply(&scratch, &(file + &service_provider(&shop))))).await;
        let mut world = Self {
            setup,
            at,
            saml,
            by,
            op,
            portal,
            portal_peer: None,
            mail,
            mail_peer: None,
            shop,
            dead: None,
            _bridge: bridge,
            _postgres: postgres,
            scratch,
        };
        world.comes_to_life(Party::Portal);
        world.comes_to_life(Party::Mail);
        world.connect_both_logins().await;
        world
    }

    /// With its memory of sessions gone, where it has one.
    fn comes_to_life(&mut self, party: Party) {
        self.dead = None;
        let (scratch, at) = (&self.scratch, &self.at);
        match party {
            Party::Portal => self.portal_peer = Some(self.portal.start(scratch.path(), at)),
            // Whoever opens this app logs in at the OIDC upstream, whatever session there is.
            Party::Mail => {
                let more = [("OIDC_AUTH_PARAMS", "connection=club")];
                self.mail_peer = Some(self.mail.start_with(scratch.path(), at, &more));
            }
            Party::Shop => self.shop = starting_shop(scratch, at, Some(&self.shop)).ready(),
            Party::SamlUpstream => self.saml = starting_saml(scratch, self.by, at, Some(&self.saml)).ready(),
            Party::OidcUpstream => self.op = starting_op(scratch, at, Some(&self.op)).ready(),
        }
    }

    fn dies(&mut self, party: Party) {
        self.dead = Some(party);
        match party {
            Party::Portal => self.portal_peer.iter_mut().for_each(Peer::die),
            Party::Mail => self.mail_peer.iter_mut().for_each(Peer::die),
            Party::Shop => self.shop.die(),
            Party::SamlUpstream => self.saml.die(),
            Party::OidcUpstream => self.op.die(),
        }
    }

    fn lives(&self, party: Party) -> bool {
        self.dead != Some(party)
    }

    /// Alice has an account by SAML; she proves that the login at the OIDC upstream is hers too.
    async fn connect_both_logins(&self) {
        let mut browser = Browser::new();
        self.open_portal(&mut browser).await;
        let account = browser.visit(&format!("{}/account", self.at)).await;
        let Some(form) = Form::leading_to(&account.body, &account.url, "/account/connect") else {
            self.fail("nothing can be connected", &account).await
        };
        let answer = browser.post(&form.action, &form.fields).await;
        let page = browser.walk(answer, &self.op.url, Some(ALICE)).await;
        let Some(form) = Form::leading_to(&page.body, &page.url, "/account/confirm") else {
            self.fail("no question whether both are hers", &page).await
        };
        let form = form.set("answer", "allow");
        let answer = browser.post(&form.action, &form.fields).await;
        let account = browser.settle(answer).await;
        if account.status != 200 || !account.body.contains("/account/unlink") {
            self.fail("the account does not have two logins", &account).await;
        }
    }

    /// By the SAML upstream, which asks for the password once.
    async fn open_portal(&self, browser: &mut Browser) {
        let answer = browser.visit(&self.portal.at("/login?connection=work")).await;
        let page = browser.walk(answer, &origin(&self.saml), Some(ALICE)).await;
        if page.url != self.portal.session() || page.status != 200 {
            self.fail("no login by SAML", &page).await;
        }
    }

    /// One session of the bridge with both upstreams and all three apps.
    async fn log_in_everywhere(&self) -> Browser {
        let mut browser = Browser::new();
        self.open_portal(&mut browser).await;
        let answer = browser.visit(&self.mail.at("/protected")).await;
        let page = browser.walk(answer, &self.op.url, Some(ALICE)).await;
        if page.status != 200 || !page.body.contains("mod_auth_openidc") {
            self.fail("no login by OpenID Connect", &page).await;
        }
        let page = browser.visit(&self.shop.url).await;
        if page.status != 200 || !page.body.contains("name_id") {
            self.fail("no login at the service provider", &page).await;
        }
        let subject = browser.get(&self.portal.session()).await.json()["sub"].clone();
        let there = browser.get(&self.mail.session()).await.json()["id_token"]["sub"].clone();
        assert_eq!(subject, there, "the two upstreams are two people");
        for (name, logged_in) in self.sessions(&mut browser).await {
            assert!(logged_in, "{name}");
        }
        assert!(self.saml_knows(&mut browser).await);
        browser
    }

    /// What all but the SAML upstream say about this browser.
    async fn sessions(&self, browser: &mut Browser) -> Vec<(&'static str, bool)> {
        let mut said = Vec::new();
        for (party, name, session) in [
            (Party::Portal, "portal", self.portal.session()),
            (Party::Mail, "mail", self.mail.session()),
            (Party::Shop, "shop", at(&self.shop, "/session")),
        ] {
            if self.lives(party) {
                said.push((name, self.answers_200(browser, &session).await));
            }
        }
        let asked = browser.visit(&self.authorize("prompt=none")).await;
        said.push(("bridge", asked.redirect_params().contains_key("code")));
        if !self.lives(Party::OidcUpstream) {
            return said;
        }
        let op = format!(
            "{}/auth?client_id=probe&response_type=code&redirect_uri=http://127.0.0.1:9/probe&scope=openid\
             &prompt=none&state=s&nonce=n&code_challenge={CHALLENGE}&code_challenge_method=S256",
            self.op.url
        );
        let asked = browser.visit(&op).await;
        said.push(("oidc upstream", asked.redirect_param("error") != "login_required"));
        said
    }

    /// Whether the SAML upstream would let this browser in to the bridge, which it does then.
    async fn saml_knows(&self, browser: &mut Browser) -> bool {
        let asked = browser.visit(&self.authorize("connection=work")).await;
        !asked.body.contains("name=\"password\"")
    }

    async fn answers_200(&self, browser: &mut Browser, url: &str) -> bool {
        match browser.get(url).await.status {
            200 => true,
            401 => false,
            other => panic!("{url} answers {other}"),
        }
    }

    /// An authorization request of the portal whose answer nobody takes.
    fn authorize(&self, more: &str) -> String {
        format!(
            "{}/authorize?client_id=probe&response_type=code&redirect_uri=http://127.0.0.1:9/probe&scope=openid\
             &state=s&nonce=n&code_challenge={CHALLENGE}&code_challenge_method=S256&{more}",
            self.at
        )
    }

    /// The person logs out there, says yes where the OIDC upstream asks, and arrives somewhere.
    async fn log_out_at(&self, party: Party, browser: &mut Browser) -> Answer {
        let url = match party {
            Party::Portal => self.portal.at("/logout"),
            Party::Mail => self.mail.at("/logout"),
            Party::Shop => at(&self.shop, "/logout"),
            Party::SamlUpstream if self.by == Saml::Soap => at(&self.saml, "/logout"),
            Party::SamlUpstream => {
                at(&self.saml, "/simplesaml/saml2/idp/initSLO.php?RelayState=/simplesaml/logout.php")
            }
            Party::OidcUpstream => format!("{}/session/end", self.op.url),
        };
        let answer = browser.get(&url).await;
        let page = browser.settle_as_far_as_it_goes(answer).await;
        if self.lives(Party::OidcUpstream) { browser.walk(page, &self.op.url, None).await } else { page }
    }

    /// What is recorded of logouts, newest first, as `trace list` has it.
    fn logouts(&self) -> Vec<String> {
        let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        let logouts = list.as_array().unwrap().iter().filter(|trace| trace["kind"] == "logout");
        logouts.map(|trace| trace["id"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until a logout that is not one of `before` names `who` as somebody who was not told.
    async fn says_that_it_was_not_told(&self, who: &str, before: &[String]) {
        self.records(before, &[who, "not told"]).await;
    }

    /// Waits until the trace of a logout that is not one of `before` has a line with all of these words.
    async fn records(&self, before: &[String], words: &[&str]) {
        let until = Instant::now() + PATIENCE;
        let mut shown = String::new();
        while Instant::now() < until {
            let fresh = self.logouts().into_iter().filter(|id| !before.contains(id));
            shown = fresh.map(|id| self.setup.ok(&["trace", "show", &id])).collect();
            if shown.lines().any(|line| words.iter().all(|word| line.contains(word))) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        panic!("no trace has a line with {words:?}:\n{shown}");
    }

    /// Panics with all that helps.
    async fn fail(&self, what: &str, page: &Answer) -> ! {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        let trace = list[0]["id"].as_str().map(|id| self.setup.ok(&["trace", "show", id])).unwrap_or_default();
        panic!(
            "{what}: {} ({}) {:?}\n{}\n--- newest trace\n{trace}\n--- provider\n{}",
            page.url,
            page.status,
            page.location,
            page.shown(),
            self.op.log(),
        );
    }
}

fn bridge_file(saml: &Peer, op: &Peer, clients: &[&Client]) -> String {
    let yaml: String = clients.iter().map(|client| client.yaml()).collect();
    format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
    connections:
      - slug: work
        protocol: saml
        idp_metadata: {{ file: {metadata} }}
      - slug: club
        protocol: oidc
        issuer: {issuer}
        client_id: bridge
        client_secret: {{ value: {SECRET} }}
    clients:
      - client_id: probe
        name: Probe
        public: true
        redirect_uris: [\"http://127.0.0.1:9/probe\"]
        scopes: [openid]
{yaml}",
        metadata = saml.dir.join("idp-metadata.xml").display(),
        issuer = op.url,
    )
}

/// Where there was one before, at the same address and with the same folder.
fn starting(scratch: &Scratch, name: &str, settings: &[(&str, &str)], before: Option<&Peer>) -> Starting {
    let port = before.map(|peer| Url::parse(&peer.url).unwrap().port().unwrap().to_string());
    let mut settings = settings.to_vec();
    settings.extend(port.iter().map(|port| ("PEER_PORT", port.as_str())));
    Starting::peer(name, scratch.path(), &settings)
}

fn starting_saml(scratch: &Scratch, by: Saml, bridge: &str, before: Option<&Peer>) -> Starting {
    let name = match by {
        Saml::Browser => "simplesamlphp",
        Saml::Soap => "pysaml2-idp",
    };
    let sp_metadata = format!("{bridge}/connections/work/saml/metadata");
    starting(scratch, name, &[("SP_METADATA_URL", &sp_metadata), ("IDP_SOAP_LOGOUT", "1")], before)
}

fn starting_op(scratch: &Scratch, bridge: &str, before: Option<&Peer>) -> Starting {
    let connection = format!("{bridge}/connections/club");
    let settings = [("RP_ADDRESS", connection.as_str()), ("CLIENT_ID", "bridge"), ("CLIENT_SECRET", SECRET)];
    starting(scratch, "oidc-provider", &settings, before)
}

fn starting_shop(scratch: &Scratch, bridge: &str, before: Option<&Peer>) -> Starting {
    let idp_metadata = format!("{bridge}/saml/metadata");
    starting(scratch, "apache-mellon", &[("IDP_METADATA_URL", &idp_metadata)], before)
}

fn service_provider(shop: &Peer) -> String {
    format!(
        "    service_providers:
      - slug: shop
        sp_metadata: {{ file: {} }}
        attributes: {{ mail: email }}
        name_id: {{ format: persistent }}
",
        shop.dir.join("sp-metadata.xml").display()
    )
}

fn origin(peer: &Peer) -> String {
    Url::parse(&peer.url).unwrap().origin().ascii_serialization()
}

fn at(peer: &Peer, path: &str) -> String {
    format!("{}{path}", origin(peer))
}

impl World {
    /// Everybody is logged in, then the person logs out there, while somebody else is dead or not: within the limit.
    async fn logs_out(&mut self, party: Party, dead: Option<Party>) {
        let mut fastest = Duration::MAX;
        for _ in 0..TRIES {
            let mut browser = self.log_in_everywhere().await;
            let before = self.logouts();
            if let Some(dead) = dead {
                self.dies(dead);
            }
            let began = Instant::now();
            let page = self.log_out_at(party, &mut browser).await;
            fastest = fastest.min(began.elapsed());
            self.all_ended(party, &page, &mut browser).await;
            if !self.reaches_saml(party) {
                self.says_that_it_was_not_told("work", &before).await;
            }
            if let Some(dead) = dead {
                self.is_named(dead, &page, &before).await;
                self.comes_to_life(dead);
            }
            if fastest < LIMIT {
                return;
            }
        }
        panic!("the logout at {party:?} took {fastest:?}");
    }

    /// Where the person reads who was told.
    async fn logs_out_at_the_bridge(&mut self, dead: Party) -> Answer {
        let mut browser = self.log_in_everywhere().await;
        let tokens = browser.get(&self.portal.at("/tokens")).await.json();
        let id_token = tokens["id_token"].as_str().unwrap();
        self.dies(dead);
        let answer = browser.visit(&format!("{}/logout?id_token_hint={id_token}", self.at)).await;
        if self.lives(Party::OidcUpstream) { browser.walk(answer, &self.op.url, None).await } else { answer }
    }

    async fn is_named(&self, dead: Party, page: &Answer, before: &[String]) {
        match dead {
            Party::Portal => self.says_that_it_was_not_told("portal", before).await,
            Party::Mail => self.says_that_it_was_not_told("mail", before).await,
            Party::Shop => self.says_that_it_was_not_told("shop", before).await,
            Party::SamlUpstream => self.says_that_it_was_not_told("work", before).await,
            // Only a browser can tell it, and would not come back: it is not sent there.
            Party::OidcUpstream => {
                assert!(!page.location.as_ref().is_some_and(|to| to.starts_with(&self.op.url)), "{page:?}");
                self.records(before, &["the browser is not sent to club", "silent"]).await;
                self.says_that_it_was_not_told("club", before).await;
            }
        }
    }

    /// A provider tells of its logout by a server call, and from there no browser can be led anywhere.
    fn reaches_saml(&self, party: Party) -> bool {
        party != Party::OidcUpstream || self.by == Saml::Soap
    }

    /// Nobody who lives has a session of this browser any more.
    async fn all_ended(&self, party: Party, page: &Answer, browser: &mut Browser) {
        let until = Instant::now() + PATIENCE;
        // A provider that tells by its own server call waits for no app.
        loop {
            let mut left = self.sessions(browser).await;
            left.retain(|(_, logged_in)| *logged_in);
            if left.is_empty() {
                break;
            }
            if Instant::now() > until {
                self.fail(&format!("a logout at {party:?} left {left:?}"), page).await;
            }
        }
        // A copy of the browser asks, because an upstream that was not told yet would begin a new session.
        while self.lives(Party::SamlUpstream) && self.reaches_saml(party) && self.saml_knows(&mut browser.clone()).await
        {
            if Instant::now() > until {
                self.fail(&format!("a logout at {party:?} left the SAML upstream"), page).await;
            }
        }
    }
}

async fn each_ends_all(database: Database, told: Told, by: Saml, parties: &[Party]) {
    let mut world = World::start(database, told, by).await;
    for party in parties {
        world.logs_out(*party, None).await;
    }
}

#[tokio::test]
async fn a_logout_at_any_app_ends_all() {
    each_ends_all(Database::Sqlite, Told::BackChannel, Saml::Browser, &[Party::Portal, Party::Mail, Party::Shop]).await;
}

#[tokio::test]
async fn a_logout_at_any_upstream_ends_all() {
    each_ends_all(Database::Postgres, Told::BackChannel, Saml::Browser, &[Party::SamlUpstream, Party::OidcUpstream])
        .await;
}

#[tokio::test]
async fn a_saml_upstream_that_takes_server_calls_ends_whoever_begins() {
    let parties = [Party::OidcUpstream, Party::SamlUpstream, Party::Mail];
    each_ends_all(Database::Sqlite, Told::BackChannel, Saml::Soap, &parties).await;
}

#[tokio::test]
async fn an_app_that_is_told_by_a_frame_ends_too() {
    each_ends_all(Database::Sqlite, Told::FrontChannel, Saml::Browser, &[Party::Mail]).await;
}

/// One of the apps is gone when the logout comes, wherever it begins.
#[tokio::test]
async fn a_dead_app_is_named_in_the_trace() {
    let mut world = World::start(Database::Sqlite, Told::BackChannel, Saml::Browser).await;
    for (party, dead) in [
        (Party::Portal, Party::Shop),
        (Party::Mail, Party::Portal),
        (Party::Shop, Party::Mail),
        (Party::SamlUpstream, Party::Portal),
        (Party::OidcUpstream, Party::Shop),
    ] {
        world.logs_out(party, Some(dead)).await;
    }
}

/// One of the upstreams is gone.
#[tokio::test]
async fn a_dead_upstream_keeps_no_app_from_being_told() {
    let mut world = World::start(Database::Sqlite, Told::BackChannel, Saml::Soap).await;
    for (party, dead) in [
        (Party::Portal, Party::SamlUpstream),
        (Party::OidcUpstream, Party::SamlUpstream),
        (Party::Shop, Party::OidcUpstream),
    ] {
        world.logs_out(party, Some(dead)).await;
    }
}

fn names(page: &Answer, heading: &str) -> Vec<String> {
    let list = page.shown().split(heading).nth(1).and_then(|rest| rest.split("</ul>").next()).unwrap_or_default();
    let items = list.split("<li>").skip(1).map(|item| item.split("</li>").next().unwrap_or_default());
    items.map(str::to_owned).collect()
}

/// The same for the person, where no app has a page to come back to.
#[tokio::test]
async fn a_dead_app_is_named_on_the_page() {
    let mut world = World::start(Database::Postgres, Told::BackChannel, Saml::Browser).await;
    let page = world.logs_out_at_the_bridge(Party::Mail).await;
    // The client that the ID token is of asks, and needs not be told.
    if names(&page, "could not be told") != ["mail"] || names(&page, "know that you") != ["club", "shop", "work"] {
        world.fail("the page does not name the dead app, and that alone", &page).await;
    }
    world.comes_to_life(Party::Mail);

    // The upstream to which the browser would go first is gone: it goes to the other one, and the person is told.
    let page = world.logs_out_at_the_bridge(Party::OidcUpstream).await;
    if names(&page, "could not be told") != ["club"] || names(&page, "know that you") != ["mail", "shop", "work"] {
        world.fail("the page does not name the dead upstream, and that alone", &page).await;
    }
}
