//! A provider that lies in one thing, in front of the built program: each kind of lie once, on both databases. All
//! lies are told to the adapter alone in `adapters/oidc/rp/tests/lies`.

mod sessions;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_keys::SystemClock;
use fedbridge_oidc_core::testkit::{Change, Endpoint, LIES, Lie, METADATA, Person, Running, ScriptedOp, Verdict, Wish};
use serde_json::Value;

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::peers::Peer;
use crate::support::scripted::{App, LOGGED_OUT, REDIRECT, SECRET};
use crate::support::{Database, Scratch};

/// Where the app starts logins by itself, and what a portal may ask it to open.
const START: &str = "http://127.0.0.1:9/start";
const TARGET: &str = "http://127.0.0.1:9/orders";

/// A company with many connections to one provider, or to two.
struct Company {
    op: ScriptedOp,
    other: ScriptedOp,
    app: App,
    setup: Setup,
    _bridge: Bridge,
    _servers: [Running; 2],
    _postgres: Option<Peer>,
    scratch: Scratch,
}

/// A lie with the connection that it is told to.
struct Told {
    lie: &'static Lie,
    slug: String,
}

impl Company {
    async fn start(database: Database, told: &[Told]) -> Self {
        let (op, server) = ScriptedOp::listen(Arc::new(SystemClock)).await.unwrap();
        let (other, other_server) = ScriptedOp::listen(Arc::new(SystemClock)).await.unwrap();
        let scratch = Scratch::new("lying");
        let (setup, postgres) = match database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        setup.apply(&scratch, &bridge_file(&op, &other, told));
        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        Self { op, other, app, setup, _bridge: bridge, _servers: [server, other_server], _postgres: postgres, scratch }
    }

    /// The browser up to the provider's answer, which it has not followed yet: the address of our callback.
    async fn to_callback(&self, browser: &mut Browser, slug: &str, more: &str) -> String {
        let out = browser.get(&self.app.authorize_url(&format!("&connection={slug}{more}"))).await;
        let to_op = out.location.as_ref().filter(|to| to.contains("/authorize?"));
        let Some(to_op) = to_op else { panic!("{slug}: {:?}: {}", out.location, self.cause().await) };
        browser.get(to_op).await.location.unwrap()
    }

    async fn login(&self, browser: &mut Browser, slug: &str, more: &str) -> Answer {
        let callback = self.to_callback(browser, slug, more).await;
        let answer = browser.get(&callback).await;
        browser.settle(answer).await
    }

    /// The newest trace's cause.
    async fn cause(&self) -> String {
        self.traces().await[0]["cause"].as_str().unwrap_or_default().to_owned()
    }

    /// All traces, the newest first. Each call starts a process.
    async fn traces(&self) -> Vec<Value> {
        // They are written in batches.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let list: Value =
            serde_json::from_str(&self.setup.ok(&["trace", "list", "--limit", "1000", "--json"])).unwrap();
        list.as_array().unwrap().clone()
    }

    /// Whether this browser has a session.
    async fn is_in(&self, browser: &mut Browser, slug: &str) -> bool {
        let answer = browser.get(&self.app.authorize_url(&format!("&connection={slug}&prompt=none"))).await;
        answer.location.is_some_and(|location| location.starts_with(REDIRECT) && location.contains("code="))
    }

    /// The lie is found: no session, and no code to the app. Which check found it stands in the trace.
    async fn tell(&self, told: &Told) -> Result<(), String> {
        let Told { lie, slug } = told;
        self.op.truth();
        self.op.traits(|traits| *traits = Default::default());
        if let Some(traits) = lie.when.traits {
            self.op.traits(traits);
        }
        self.op.forget_seen();
        let more = if lie.when.wish == Wish::Fresh { "&max_age=300" } else { "" };
        let mut browser = Browser::new();
        if lie.verdict == Verdict::Down {
            let out = browser.get(&self.app.authorize_url(&format!("&connection={slug}"))).await;
            let to_app = out.location.as_ref().is_some_and(|location| location.starts_with(REDIRECT));
            let refused = out.status >= 400 || (to_app && out.redirect_params().contains_key("error"));
            let called = self.op.seen().count(Endpoint::Authorize);
            return if refused && called == 0 { Ok(()) } else { Err(format!("{} {:?}", out.status, out.location)) };
        }
        // Somebody else is on the way, whose nonce and code could be taken.
        self.to_callback(&mut Browser::new(), slug, more).await;
        self.op.tell(lie);
        let answer = self.login(&mut browser, slug, more).await;
        self.op.truth();
        let code = answer.location.as_ref().filter(|location| location.starts_with(REDIRECT));
        let code = code.is_some_and(|location| location.contains("code="));
        let calls = self.op.seen().count(Endpoint::Token);
        if calls > 1 {
            return Err(format!("the code was sent {calls} times"));
        }
        if lie.verdict == Verdict::Accepted {
            if !code {
                return Err(format!("refused: {} {:?}: {}", answer.status, answer.location, self.cause().await));
            }
            let tokens = self.app.redeem(&answer.redirect_param("code")).await;
            return if tokens.status == 200 { Ok(()) } else { Err(tokens.body) };
        }
        if code || self.is_in(&mut browser, slug).await {
            return Err("somebody came in".into());
        }
        let page = !answer.body.contains("evil.example") && !answer.body.contains("victim");
        if !page {
            return Err(format!("the page repeats what came: {}", answer.shown()));
        }
        Ok(())
    }
}

/// One lie for each check and list, and one oddity for each list. What needs another document than the provider
/// publishes, or another clock, is tried in memory alone.
fn one_of_each() -> Vec<Told> {
    let mut seen = BTreeSet::new();
    let mut told = Vec::new();
    // The metadata first: the provider publishes its documents under their numbers.
    for (list, lies) in std::iter::once(METADATA).chain(LIES.iter().copied()).enumerate() {
        for (number, lie) in lies.iter().enumerate() {
            let other_document = match lie.verdict {
                // A first look has nothing to compare a host with.
                Verdict::Down => lie.name == "token endpoint at another host",
                _ => {
                    lie.changes.iter().any(|change| matches!(change, Change::Metadata(_)))
                        || lie.when.traits.is_some_and(|traits| {
                            let mut changed = Default::default();
                            traits(&mut changed);
                            !changed.answers_name_issuer
                        })
                }
            };
            if other_document || lie.when.wish == Wish::Gold || lie.when.settings.contains("profile") {
                continue;
            }
            if seen.insert((list, lie.check, lie.verdict == Verdict::Accepted)) {
                told.push(Told { lie, slug: format!("l{list}-{number}") });
            }
        }
    }
    assert!(told.len() > 35, "the table shrank: {}", told.len());
    told
}

fn bridge_file(op: &ScriptedOp, other: &ScriptedOp, told: &[Told]) -> String {
    let (client, secret) = op.client();
    let connection = |slug: &str, issuer: &str, settings: &str| {
        format!(
            "      - slug: {slug}
        protocol: oidc
        issuer: {issuer}
        client_id: {client}
        client_secret: {{ value: {secret} }}
{settings}"
        )
    };
    let revoking = format!(
        "        domains: [acme.example]
        scopes: [openid, profile, email, offline_access]
        revoke_at_logout: true
        global_token_revocation: {{ issuer: {0}, jwks_uri: {0}/jwks }}
        initiate_login: {{ targets: [{TARGET}], client: app }}
",
        op.issuer
    );
    let mut connections = connection("plain", &op.issuer, "")
        + &connection("other", &other.issuer, "")
        + &connection("revoking", &op.issuer, &revoking);
    for told in told {
        // JSON is YAML, and the settings are one object of one level.
        let extra: serde_json::Map<String, Value> = serde_json::from_str(told.lie.when.settings).unwrap();
        let mut settings: String = extra.iter().map(|(name, value)| format!("        {name}: {value}\n")).collect();
        if told.lie.verdict == Verdict::Down {
            let number = told.slug.rsplit('-').next().unwrap();
            settings += &format!("        discovery: {}/lying/{number}\n", op.issuer);
        }
        connections += &connection(&told.slug, &op.issuer, &settings);
    }
    format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
    connections:
{connections}    clients:
      - client_id: app
        name: The App
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT}\"]
        initiate_login_uri: {START}
        post_logout_redirect_uris: [\"{LOGGED_OUT}\"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, offline_access]
"
    )
}

async fn every_kind_of_lie_is_found(database: Database) {
    let told = one_of_each();
    let company = Company::start(database, &told).await;
    let mut wrong = Vec::new();
    for one in &told {
        if let Err(why) = company.tell(one).await {
            wrong.push(format!("[{}] {}: {why}", one.lie.item, one.lie.name));
        }
    }
    let traces = company.traces().await;
    for Told { lie, slug } in told.iter().filter(|told| told.lie.verdict == Verdict::Refused) {
        let named = |cause: &&str| cause.strip_prefix(lie.check).is_some_and(|rest| rest.starts_with(':'));
        let of_it = traces.iter().filter(|trace| trace["connection"] == slug.as_str());
        let causes: Vec<&str> = of_it.filter_map(|trace| trace["cause"].as_str()).collect();
        if !causes.iter().any(named) {
            wrong.push(format!("[{}] {}: expected `{}`: {causes:?}", lie.item, lie.name, lie.check));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), told.len(), wrong.join("\n"));
    // The provider's word is good again.
    let answer = company.login(&mut Browser::new(), "plain", "").await;
    assert!(answer.redirect_params().contains_key("code"), "{:?}", answer.location);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_lie_is_found_on_sqlite() {
    every_kind_of_lie_is_found(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_lie_is_found_on_postgres() {
    every_kind_of_lie_is_found(Database::Postgres).await;
}

/// Whose answer it is: the state is one browser's, one connection's, and good for one use.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_counts_once_in_its_own_browser_at_its_own_connection() {
    let company = Company::start(Database::Sqlite, &[]).await;
    let mut browser = Browser::new();
    let callback = company.to_callback(&mut browser, "plain", "").await;
    let state = param_of(&callback, "state");
    let cases = [
        ("no state", callback.replace(&format!("state={state}"), "stat=x"), "state is missing"),
        ("an unknown state", callback.replace(&state, &state.to_lowercase()), "no login under way has this handle"),
        ("two states", format!("{callback}&state={state}"), "each parameter once"),
        (
            "another connection's address",
            callback.replace("/plain/", "/other/"),
            "the answer came to another connection's address",
        ),
    ];
    for (what, address, check) in cases {
        let answer = browser.get(&address).await;
        assert!(answer.status >= 400 && answer.location.is_none(), "{what}: {} {:?}", answer.status, answer.location);
        let cause = company.cause().await;
        assert!(cause.starts_with(check), "{what}: {cause}");
    }
    // Somebody else's browser: the answer was stolen, or is forced upon them.
    let stolen = Browser::new().get(&callback).await;
    assert!(stolen.status >= 400 && stolen.location.is_none(), "{}", stolen.status);
    let cause = company.cause().await;
    assert!(cause.starts_with("the answer came from another browser"), "{cause}");
    assert_eq!(company.op.seen().count(Endpoint::Token), 0, "no code was sent for any of these");
    assert_eq!(company.other.seen().count(Endpoint::Token), 0);
    // None of this used the login up.
    let answer = browser.get(&callback).await;
    assert!(answer.redirect_params().contains_key("code"), "{:?}", answer.location);
    let again = browser.get(&callback).await;
    assert!(again.status >= 400 && again.location.is_none(), "used twice: {} {:?}", again.status, again.location);
    let cause = company.cause().await;
    assert!(cause.starts_with("no login under way has this handle"), "{cause}");
    assert_eq!(company.op.seen().count(Endpoint::Token), 1, "the code was sent twice");
}

/// The code of one provider never reaches another one (RFC 9700 section 4.4).
#[tokio::test(flavor = "multi_thread")]
async fn codes_are_never_mixed_up() {
    let company = Company::start(Database::Sqlite, &[]).await;
    let mut browser = Browser::new();
    let ours = company.to_callback(&mut browser, "plain", "").await;
    let theirs = company.to_callback(&mut browser, "other", "").await;
    let (code, state) = (param_of(&ours, "code"), param_of(&theirs, "state"));
    // The other provider answers with the code of ours, under its own name and under ours.
    for iss in [&company.other.issuer, &company.op.issuer] {
        let query: String = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([("code", code.as_str()), ("state", &state), ("iss", iss)])
            .finish();
        let address = format!("{}?{query}", theirs.split('?').next().unwrap());
        let answer = browser.get(&address).await;
        let code_to_app = answer.location.as_ref().is_some_and(|location| location.contains("code="));
        assert!(!code_to_app, "{:?}", answer.location);
    }
    // Where the answer says that it is the other provider's, the code goes there, and is of no use there.
    assert_eq!(company.op.seen().count(Endpoint::Token), 0);
    assert!(company.op.logins().iter().all(|login| login.uses == 0));
}

/// A page of ours never shows what a provider wrote.
#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_provider_is_never_a_page_of_its_own() {
    let company = Company::start(Database::Sqlite, &[]).await;
    let mut browser = Browser::new();
    let callback = company.to_callback(&mut browser, "plain", "").await;
    let (state, address) = (param_of(&callback, "state"), callback.split('?').next().unwrap().to_owned());
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([
            ("error", "access_denied"),
            ("error_description", "<script>alert('evil')</script>"),
            ("error_uri", "https://evil.example/"),
            ("state", &state),
            ("iss", &company.op.issuer),
        ])
        .finish();
    let answer = browser.get(&format!("{address}?{query}")).await;
    let told = format!("{:?} {}", answer.location, answer.body);
    assert!(!told.contains("evil") && !told.contains("<script>alert"), "{told}");
    assert_eq!(answer.redirect_param("error"), "access_denied");
}

/// A portal of the provider starts a login (OpenID Connect Core 4): it is one of our own, and leads to the app.
#[tokio::test(flavor = "multi_thread")]
async fn a_portal_of_the_provider_starts_a_login() {
    let company = Company::start(Database::Sqlite, &[]).await;
    let address = format!("{}/connections/revoking/oidc/initiate", company.app.at);
    let query = |iss: &str, target: &str| {
        let pairs = [("iss", iss), ("login_hint", "alice"), ("target_link_uri", target)];
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
    };
    for (target, led_to) in [(TARGET, Some(TARGET)), ("https://evil.example/", None)] {
        let mut browser = Browser::new();
        let back = browser.visit(&format!("{address}?{}", query(&company.op.issuer, target))).await;
        let location = back.location.clone().unwrap_or_default();
        assert!(location.starts_with(START), "{location} {}", back.shown());
        let told = back.redirect_params();
        assert_eq!(told.get("iss"), Some(&company.app.at));
        assert_eq!(told.get("target_link_uri").map(String::as_str), led_to);
        assert!(company.is_in(&mut browser, "revoking").await);
    }
    let seen = company.op.seen().count(Endpoint::Authorize);
    for (slug, iss) in [("revoking", "https://evil.example"), ("revoking", ""), ("plain", company.op.issuer.as_str())] {
        let address = address.replace("revoking", slug);
        let answer = Browser::new().get(&format!("{address}?{}", query(iss, TARGET))).await;
        assert!(answer.status >= 400 && answer.location.is_none(), "{slug} {iss}: {:?}", answer.location);
    }
    assert_eq!(company.op.seen().count(Endpoint::Authorize), seen);
    // An app that is not there is a complaint with its place, and no surprise at the first login.
    let file = bridge_file(&company.op, &company.other, &[]).replace("client: app }", "client: ap }");
    let file = company.scratch.write("wrong.yaml", &file);
    let refused = company.setup.run(&["apply", "-f", file.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success(), "{said}");
    let complaint = "initiate_login.client: the tenant has no client `ap`; the nearest is `app`";
    assert!(said.contains(complaint), "{said}");
}

/// Whoever is called like somebody else at another provider is somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn the_same_name_at_two_providers_is_two_people() {
    let company = Company::start(Database::Sqlite, &[]).await;
    let mut subs = Vec::new();
    for (op, slug) in [(&company.op, "plain"), (&company.other, "other")] {
        op.person(Person::new("alice"));
        let answer = company.login(&mut Browser::new(), slug, "").await;
        let tokens = company.app.redeem(&answer.redirect_param("code")).await.json();
        subs.push(crate::support::scripted::claims(&tokens["id_token"])["sub"].clone());
    }
    assert_ne!(subs[0], subs[1]);
}

fn param_of(address: &str, name: &str) -> String {
    let url = url::Url::parse(address).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap()
}

/// The provider publishes each of these under `/lying/`, as a document and nothing else.
#[test]
fn metadata_is_all_that_its_lies_change() {
    assert!(METADATA.iter().all(|lie| lie.changes.iter().all(|change| matches!(change, Change::Metadata(_)))));
}
