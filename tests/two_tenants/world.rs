//! Two tenants that differ in nothing but their names.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use fedbridge::settings::Settings;
use fedbridge_keys::SystemClock;
use fedbridge_oidc_core::testkit::{Person as OidcPerson, Running, ScriptedOp};
use fedbridge_saml::testkit::{Person, ReceivedRequest, ResponsePlan, ScriptedIdp, ScriptedSp};
use reqwest::header::{CONTENT_TYPE, COOKIE, LOCATION};
use serde_json::Value;

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser, HTTP};
use crate::support::html::Form;
use crate::support::ldap::certificates::Authority;
use crate::support::ldap::company::listen;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::{Account, Directory};
use crate::support::scripted::{App, LOGGED_OUT, REDIRECT, SECRET, claims, idp, now};
use crate::support::{Scratch, eventually};

/// Where the app takes answers by artifact, and where it is told of logouts: nobody listens there.
pub const TAKES_ARTIFACTS: &str = "http://127.0.0.1:9/artifact";
const APP_LOGOUT: &str = "http://127.0.0.1:9/slo";
/// The connections of each tenant, by their slugs, which are their protocols.
pub const CONNECTIONS: [&str; 4] = ["saml", "oidc", "ldap", "scim"];
pub const BY_ARTIFACT: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Artifact";

/// One of the two.
#[derive(Clone)]
pub struct Side {
    pub slug: &'static str,
    /// `http://host:port/t/{slug}`, which is its public address too.
    pub at: String,
    pub app: App,
    /// As LDAP apps see it.
    pub directory: Directory,
    /// As cookie names have it.
    pub id: String,
}

pub struct World {
    /// Whose things are sent.
    pub own: Side,
    pub other: Side,
    pub idp: ScriptedIdp,
    pub op: ScriptedOp,
    pub sp: ScriptedSp,
    /// What an answer of the other tenant must never hold.
    pub marks: Vec<String>,
    /// The bridge file; what can be switched off is marked.
    pub file: String,
    setup: Setup,
    bridge: Bridge,
    _op: Running,
    _openldap: OpenLdap,
    scratch: Scratch,
}

#[derive(Debug, Clone)]
pub enum Place {
    Tenant(&'static str),
    /// A connection by its slug, which is its protocol.
    Connection(&'static str, &'static str),
}

impl Place {
    pub fn route(&self) -> String {
        match self {
            Self::Tenant(route) => (*route).to_owned(),
            Self::Connection(slug, route) => format!("connections/{slug}/{route}"),
        }
    }
}

/// A request but for the tenant that it goes to.
#[derive(Debug, Clone, Default)]
pub struct Sent {
    pub query: String,
    pub form: Option<Vec<(String, String)>>,
    pub xml: Option<String>,
    pub bearer: Option<String>,
    /// Of the owner.
    pub cookies: BTreeMap<String, String>,
    /// What stands for the `*` or `**` of the route.
    pub rest: Cow<'static, str>,
}

pub struct Came {
    pub status: u16,
    pub location: String,
    pub body: String,
    /// Head and body.
    pub whole: String,
}

impl fmt::Debug for Came {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of a page, what follows its style sheet.
        let said = self.body.rsplit("</style>").next().unwrap_or_default();
        write!(out, "{} to {:?}: {}", self.status, self.location, said.replace('\n', " "))
    }
}

/// A login of Alice, with all that she and the app have of it.
pub struct Login {
    pub browser: Browser,
    pub tokens: Value,
    /// Not redeemed yet.
    pub code: String,
    pub answer: Option<ResponsePlan>,
}

impl World {
    pub async fn start() -> Self {
        // Only who takes part in logouts is heard when it asks for one.
        let idp = idp().with_slo("http://127.0.0.1:9/idp-slo");
        let (op, running) = ScriptedOp::listen(Arc::new(SystemClock)).await.unwrap();
        op.person(OidcPerson::new("alice"));
        let mut sp = ScriptedSp::new("https://wiki.example/sp", "http://127.0.0.1:9/acs").with_slo(APP_LOGOUT);
        sp.authn_requests_signed = Some(true);
        let scratch = Scratch::new("two-tenants");
        let artifact = format!(
            "<md:AssertionConsumerService Binding=\"{BY_ARTIFACT}\" Location=\"{TAKES_ARTIFACTS}\" index=\"7\"/>"
        );
        let metadata = sp.metadata().replace("</md:SPSSODescriptor>", &(artifact + "</md:SPSSODescriptor>"));
        let files = (scratch.write("idp.xml", &idp.metadata()), scratch.write("sp.xml", &metadata));
        let (client, secret) = op.client();
        let openldap = OpenLdap::start(scratch.path(), &[]);
        let ldap = openldap.connection("ldap", "        password_change: true\n        people: { linking: false }\n");
        let tenant = |slug: &str| {
            format!(
                "  - slug: {slug}
    display_name: The Company
    domains: [{slug}.example]
    enabled: true # tenant {slug}
    second_factor: offered
    ldap_directory:
      base_dn: \"dc={slug},dc=example\"
      password_connections: [ldap]
      failure_deadline: 50ms
      apps:
        - slug: mail
          bind_password: {{ value: {SECRET} }}
          attributes: [uid, cn]
    connections:
{ldap}{}      - slug: saml
        protocol: saml
        enabled: true # connection {slug}
        domains: [{slug}.example]
        people: {{ same_email: ask }}
        idp_metadata: {{ file: {} }}
        allow_idp_initiated: {{ client: app, mode: accept }}
      - slug: oidc
        protocol: oidc
        enabled: true # linked {slug}
        issuer: {}
        client_id: {client}
        client_secret: {{ value: {secret} }}
        people: {{ linking: true }}
    clients:
      - client_id: app
        enabled: true # client {slug}
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT}\"]
        post_logout_redirect_uris: [\"{LOGGED_OUT}\"]
        initiate_login_uri: http://127.0.0.1:9/start
        grant_types: [authorization_code, refresh_token, client_credentials]
        scopes: [openid, profile, email, offline_access, api]
    service_providers:
      - slug: wiki
        enabled: true # service provider {slug}
        sp_metadata: {{ file: {} }}
        unsolicited: true
{}",
                super::pushed::connection(slug),
                files.0.display(),
                op.issuer,
                files.1.display(),
                super::signals::receiver(slug),
            )
        };
        let mut setup = Setup::sqlite(scratch.path());
        let listening = listen(&mut setup, &Authority::new(scratch.path()));
        let file = format!("version: 1\ntenants:\n{}{}", tenant("acme"), tenant("globex"));
        setup.apply(&scratch, &file);
        let bridge = setup.serve(&scratch).await;
        let side = |slug: &'static str| {
            let at = format!("{}/t/{slug}", bridge.base_url);
            let base = format!("dc={slug},dc=example");
            let directory = Directory {
                people: format!("ou=people,{base}"),
                groups: format!("ou=groups,{base}"),
                app: Account { dn: format!("cn=mail,ou=apps,{base}"), password: SECRET.into() },
                base,
                ..listening.clone()
            };
            Side { slug, app: App { at: at.clone() }, at, directory, id: String::new() }
        };
        let (own, other) = (side("acme"), side("globex"));
        let marks = Vec::new();
        let (_op, _openldap) = (running, openldap);
        let mut world = Self { own, other, idp, op, sp, marks, file, setup, bridge, _op, _openldap, scratch };
        let bob = world.saml_login(&world.other.clone(), "bob").await;
        world.other.id = tenant_of(&bob, &world.other);
        let alice = world.saml_login(&world.own.clone(), "alice").await;
        world.own.id = tenant_of(&alice, &world.own);
        let sub = claims(&alice.tokens["id_token"])["sub"].as_str().unwrap().to_owned();
        world.marks = vec![sub, "alice@acme.example".into(), world.own.id.clone()];
        world
    }

    pub fn settings(&self) -> Settings {
        Settings::read(None, self.setup.settings.iter().cloned(), &[]).unwrap()
    }

    /// Puts another bridge file in force.
    pub async fn put_in_force(&self, file: &str) {
        self.bridge.takes_over(|| drop(self.setup.apply(&self.scratch, file))).await;
    }

    /// Waits until the server has asked for kills twice: what was killed before is known to it.
    pub async fn has_looked(&self) {
        let before = self.looks().await;
        while self.looks().await < before + 2 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }

    async fn looks(&self) -> u64 {
        let metrics = HTTP.get(format!("{}/metrics", self.bridge.management)).send().await.unwrap();
        let metrics = metrics.text().await.unwrap();
        let line = metrics.lines().find(|line| line.starts_with("fedbridge_revocation_polls_total{result=\"done\"}"));
        line.and_then(|line| line.split(' ').next_back()?.parse().ok()).unwrap_or_default()
    }

    /// What the newest traces say, for a row that fails.
    pub async fn why(&self) -> String {
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        let newest = list.as_array().unwrap().iter().take(3);
        newest.map(|trace| self.setup.ok(&["trace", "show", trace["id"].as_str().unwrap()])).collect()
    }

    pub fn slug_of(&self, protocol: &str) -> &'static str {
        CONNECTIONS.into_iter().find(|slug| *slug == protocol).unwrap()
    }

    /// Everybody whom a tenant knows, as administrators see them.
    pub fn people_of(&self, side: &Side) -> String {
        self.setup.ok(&["users", "list", "--tenant", side.slug])
    }

    /// Alice at home.
    pub async fn alice(&self) -> Login {
        self.saml_login(&self.own, "alice").await
    }

    pub fn person(&self, name: &str) -> Person {
        Person::new(name).with("mail", &[&format!("{name}@acme.example")]).with("displayName", &[name])
    }

    /// The browser on its way, and what the identity provider was asked.
    pub async fn to_idp(&self, side: &Side, browser: &mut Browser) -> ReceivedRequest {
        let location = browser.get(&side.app.authorize_url("&connection=saml")).await.location.unwrap();
        ReceivedRequest::from_redirect(&location).unwrap()
    }

    pub async fn saml_login(&self, side: &Side, name: &str) -> Login {
        let mut browser = Browser::new();
        let request = self.to_idp(side, &mut browser).await;
        let answer = self.idp.answer(&request, &self.person(name), now());
        let form = answer.form(&self.idp, request.relay_state.as_deref()).unwrap();
        let acs = format!("{}/connections/saml/saml/acs", side.at);
        let code = browser.post(&acs, &form).await.redirect_param("code");
        self.logged_in(side, browser, &code, Some(answer)).await
    }

    /// The browser with the provider's answer, which it has not followed yet.
    pub async fn to_callback(&self, browser: &mut Browser) -> String {
        // The provider's metadata may not be read yet.
        let to_op = eventually("a login starts at the provider", async || {
            let out = browser.get(&self.own.app.authorize_url("&connection=oidc")).await;
            out.location.filter(|to| to.starts_with(&self.op.issuer))
        });
        let to_op = to_op.await;
        browser.get(&to_op).await.location.unwrap()
    }

    /// A person's account page, with the browser that shows it.
    pub async fn account(&self, browser: &mut Browser) -> Answer {
        let page = browser.get(&format!("{}/account", self.own.at)).await;
        assert_eq!(page.status, 200, "{:?} {}", page.location, page.body);
        page
    }

    /// The page that asks somebody, who is logged in, to connect one more login: their own at the provider.
    pub async fn to_connect(&self, browser: &mut Browser, name: &str) -> Answer {
        let page = self.account(browser).await;
        let form = Form::leading_to(&page.body, &page.url, "account/connect").unwrap();
        let to_op = browser.post(&form.action, &form.fields).await.location.unwrap();
        self.op.person(OidcPerson::new(name));
        let callback = browser.get(&to_op).await.location.unwrap();
        self.op.person(OidcPerson::new("alice"));
        browser.get(&callback).await
    }

    /// The page that asks a newcomer, who has Alice's address, whether they are somebody else.
    pub async fn to_same_email(&self, browser: &mut Browser) -> Answer {
        let request = self.to_idp(&self.own, browser).await;
        let namesake = Person::new("another-alice").with("mail", &["alice@acme.example"]);
        let answer = self.idp.answer(&request, &namesake, now());
        let form = answer.form(&self.idp, request.relay_state.as_deref()).unwrap();
        browser.post(&format!("{}/connections/saml/saml/acs", self.own.at), &form).await
    }

    pub async fn oidc_login(&self) -> Login {
        let mut browser = Browser::new();
        let callback = self.to_callback(&mut browser).await;
        let code = browser.get(&callback).await.redirect_param("code");
        self.logged_in(&self.own, browser, &code, None).await
    }

    pub async fn logged_in(
        &self,
        side: &Side,
        mut browser: Browser,
        code: &str,
        answer: Option<ResponsePlan>,
    ) -> Login {
        let tokens = side.app.redeem(code).await.json();
        assert!(tokens["id_token"].is_string(), "{tokens}");
        let code = browser.get(&side.app.authorize_url("&prompt=none")).await.redirect_param("code");
        Login { browser, tokens, code, answer }
    }

    /// Sends a request of the own tenant's to `side`, which gets the cookies under its own names too.
    pub async fn send(&self, place: &Place, sent: &Sent, side: &Side) -> Came {
        let route = place.route().replace("**", "*").replace('*', &sent.rest);
        let url = format!("{}/{route}{}{}", side.at, if sent.query.is_empty() { "" } else { "?" }, sent.query);
        let mut request = match (&sent.form, &sent.xml) {
            (Some(form), _) => {
                let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
                HTTP.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
            }
            (_, Some(xml)) => HTTP.post(url).header(CONTENT_TYPE, "text/xml").body(xml.clone()),
            _ => HTTP.get(url),
        };
        let mut cookies = sent.cookies.clone();
        for (name, value) in &sent.cookies {
            cookies.insert(name.replace(&self.own.id, &side.id), value.clone());
        }
        if !cookies.is_empty() {
            let cookies: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header(COOKIE, cookies.join("; "));
        }
        if let Some(bearer) = &sent.bearer {
            request = request.bearer_auth(bearer);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        // A fault of SOAP has this status whoever's fault it is.
        assert!(status < 500 || sent.xml.is_some(), "{route} at {}: {status}", side.slug);
        let location = answer.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        let head = format!("{:?}", answer.headers());
        let body = answer.text().await.unwrap();
        Came { status, location, whole: head + &body, body }
    }
}

/// Out of the name of a session cookie.
fn tenant_of(login: &Login, side: &Side) -> String {
    let cookies = login.browser.cookies(&side.at);
    let name = cookies.keys().find(|name| name.ends_with("-s")).unwrap();
    name.trim_end_matches("-s").rsplit(['-', '_']).next().unwrap().to_owned()
}
