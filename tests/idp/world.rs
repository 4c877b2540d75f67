//! A company whose upstream is the scripted identity provider, and whose apps are real service providers.

use std::path::Path;
use std::time::Duration;

use fedbridge_saml::testkit::{Person, ReceivedRequest, ScriptedIdp};
use serde_json::Value;
use url::Url;

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::peers::Peer;
use crate::support::scripted::{App, LOGGED_OUT, bridge_file_with, idp, now};
use crate::support::{Database, Scratch, eventually};

/// How a service provider takes part.
pub struct Wanted<'a> {
    pub slug: &'a str,
    /// The folder in tests/peers.
    pub peer: &'a str,
    pub settings: &'a [(&'a str, &'a str)],
    /// Its settings in the bridge file, besides slug, metadata and attributes. `{url}` stands for the address
    /// of its page that needs a login.
    pub yaml: &'a str,
}

/// What a person is called at the next login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// As before: a persistent NameID.
    Kept,
    /// Anew: the service provider asks for a transient one.
    Fresh,
}

pub struct World {
    pub scratch: Scratch,
    pub setup: Setup,
    _bridge: Bridge,
    pub idp: ScriptedIdp,
    /// The OIDC client that logs people out of everything else.
    pub app: App,
    pub providers: Vec<Peer>,
    _postgres: Option<Peer>,
}

const MAPPING: &str = "        mapping:
          claims:
            groups: { from: [memberOf] }";

/// Alice as the upstream tells of her; her name needs escaping in XML, and has letters beyond ASCII.
pub fn alice() -> Person {
    Person::new("alice")
        .with("mail", &["alice@acme.example"])
        .with("displayName", &["Älice <&> \"Archer\""])
        .with("memberOf", &["employees", "admins"])
}

const NAME: &str = "Älice <&> \"Archer\"";
const MELLON_NAME: &str = "Älice &lt;&amp;&gt; \"Archer\"";

impl World {
    pub async fn start(wanted: &[Wanted<'_>]) -> Self {
        Self::on(Database::Sqlite, wanted, "").await
    }

    /// `clients`: further OIDC clients, as YAML in their list.
    pub async fn on(database: Database, wanted: &[Wanted<'_>], clients: &str) -> Self {
        let scratch = Scratch::new("idp");
        let (setup, postgres) = match database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        let idp = idp();
        setup.apply(&scratch, &bridge_file_with(&scratch, &idp, MAPPING, clients));
        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        let metadata = format!("{}/saml/metadata", app.at);
        let mut providers = Vec::new();
        let mut yaml = String::from("    service_providers:\n");
        for one in wanted {
            let mut settings = one.settings.to_vec();
            settings.push(("IDP_METADATA_URL", &metadata));
            let folder = scratch.path().join(one.slug);
            let peer = Peer::start(one.peer, &folder, &settings);
            yaml += &provider(one, &peer);
            providers.push(peer);
        }
        let file = bridge_file_with(&scratch, &idp, MAPPING, clients) + &yaml;
        bridge.takes_over(|| drop(setup.apply(&scratch, &file))).await;
        Self { scratch, setup, _bridge: bridge, idp, app, providers, _postgres: postgres }
    }

    /// Opens the app; where the upstream is asked, it answers that this is Alice.
    pub async fn open(&self, browser: &mut Browser, url: &str) -> Answer {
        let answer = browser.visit(url).await;
        let Some(location) =
            answer.location.as_deref().filter(|location| location.starts_with("https://idp.example/sso"))
        else {
            return answer;
        };
        let request = ReceivedRequest::from_redirect(location).unwrap();
        let form = self.idp.answer(&request, &alice(), now()).form(&self.idp, request.relay_state.as_deref()).unwrap();
        let answer = self.app.post_acs(browser, &form).await;
        browser.settle(answer).await
    }

    /// Opens a service provider and gives what it learned.
    pub async fn login(&self, browser: &mut Browser, peer: &Peer) -> Value {
        let answer = self.open(browser, &peer.url).await;
        if answer.status != 200 || !answer.body.contains("name_id") {
            self.fail("no login", peer, &answer).await;
        }
        answer.json()
    }

    /// Logs Alice in to the OIDC client, and gives its ID token.
    pub async fn login_to_app(&self, browser: &mut Browser) -> String {
        let answer = self.open(browser, &self.app.authorize_url("")).await;
        let tokens = self.app.redeem(&answer.redirect_param("code")).await.json();
        tokens["id_token"].as_str().unwrap().to_owned()
    }

    /// The OIDC client ends the session at the bridge; gives where the browser ends up.
    pub async fn log_out_of_app(&self, browser: &mut Browser, id_token: &str) -> Answer {
        let url =
            format!("{}/logout?id_token_hint={id_token}&post_logout_redirect_uri={LOGGED_OUT}&state=bye", self.app.at);
        browser.visit(&url).await
    }

    /// Whether the service provider knows this browser.
    pub async fn is_logged_in(&self, browser: &mut Browser, peer: &Peer) -> bool {
        match browser.get(&at(peer, "/session")).await.status {
            200 => true,
            401 => false,
            other => panic!("{} answers {other} for its session", peer.url),
        }
    }

    /// Whether the bridge still has a session of this browser.
    pub async fn has_session(&self, browser: &mut Browser) -> bool {
        let location = browser.get(&self.app.authorize_url("")).await.location.unwrap();
        !location.starts_with("https://idp.example/sso")
    }

    /// What a real service provider must be able to do with the bridge.
    pub async fn logs_in_and_out(&self, name: Name) {
        let peer = &self.providers[0];
        let mut browser = Browser::new();
        let told = self.login(&mut browser, peer).await;
        assert_eq!(told["issuer"], format!("{}/saml/metadata", self.app.at), "{told:#}");
        assert_eq!(told["attributes"]["mail"][0], "alice@acme.example", "{told:#}");
        // Mellon shows its applications a text's markup, whoever sent it.
        let shown = if told["peer"] == "mod_auth_mellon" { MELLON_NAME } else { NAME };
        assert_eq!(told["attributes"]["displayName"][0], shown, "{told:#}");
        assert_eq!(told["attributes"]["groups"], serde_json::json!(["employees", "admins"]), "{told:#}");
        let name_id = told["name_id"].as_str().unwrap().to_owned();
        assert!(!name_id.is_empty() && !name_id.contains("alice"), "{told:#}");
        assert!(self.is_logged_in(&mut browser, peer).await);

        // The app begins the logout.
        let out = browser.visit(&at(peer, "/logout")).await;
        if out.status != 200 || out.json()["logged_out"] != true {
            self.fail("no logout", peer, &out).await;
        }
        assert!(!self.is_logged_in(&mut browser, peer).await);
        assert!(!self.has_session(&mut browser).await, "the bridge keeps the session");

        // Another app does.
        let mut browser = Browser::new();
        let id_token = self.login_to_app(&mut browser).await;
        let again = self.login(&mut browser, peer).await;
        assert_eq!(again["name_id"] == name_id, name == Name::Kept, "{again:#}");
        let out = self.log_out_of_app(&mut browser, &id_token).await;
        if out.location.as_deref() != Some(&format!("{LOGGED_OUT}?state=bye")) {
            self.fail("the other app's logout does not come back", peer, &out).await;
        }
        if self.is_logged_in(&mut browser, peer).await {
            self.fail("it was not logged out", peer, &out).await;
        }
    }

    /// The newest traces of this kind, as `trace list` has them, once there are so many.
    pub async fn traces(&self, kind: &str, number: usize) -> Vec<Value> {
        let recorded = async || {
            let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
            let found: Vec<_> = list.as_array().unwrap().iter().filter(|row| row["kind"] == kind).cloned().collect();
            (found.len() >= number).then_some(found)
        };
        eventually(&format!("there are {number} traces of the kind {kind}"), recorded).await
    }

    /// Panics with all that helps: the page, the newest trace, the peer's log.
    pub async fn fail(&self, what: &str, peer: &Peer, answer: &Answer) -> ! {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        let trace = list[0]["id"].as_str().map(|id| self.setup.ok(&["trace", "show", id])).unwrap_or_default();
        panic!(
            "{what} at {} ({}) {:?}\n{}\n--- trace\n{trace}\n--- peer\n{}{}",
            answer.url,
            answer.status,
            answer.location,
            answer.body,
            tail(&peer.dir.join("peer.log")),
            tail(&peer.dir.join("error.log")),
        );
    }
}

/// An address of a peer.
pub fn at(peer: &Peer, path: &str) -> String {
    Url::parse(&peer.url).unwrap().join(path).unwrap().to_string()
}

fn provider(wanted: &Wanted<'_>, peer: &Peer) -> String {
    format!(
        "      - slug: {}
        sp_metadata: {{ file: {} }}
        attributes: {{ mail: email, displayName: name, groups: groups }}
{}
",
        wanted.slug,
        peer.dir.join("sp-metadata.xml").display(),
        wanted.yaml.replace("{url}", &peer.url)
    )
}

fn tail(file: &Path) -> String {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}
