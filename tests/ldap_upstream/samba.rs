//! Logins of people of an Active Directory: Samba's.

use serde_json::{Value, json};

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::Browser;
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::Samba;
use crate::support::ldap::web;
use crate::support::scripted::{App, REDIRECT};
use crate::support::{Scratch, eventually};

struct World {
    samba: Samba,
    app: App,
    setup: Setup,
    bridge: Bridge,
    scratch: Scratch,
}

impl World {
    async fn start(connection: &str) -> Self {
        let scratch = Scratch::new("samba");
        let samba = Samba::start(scratch.path());
        let setup = Setup::sqlite(scratch.path());
        setup.apply(&scratch, &Self::file(&samba, connection));
        let bridge = setup.serve(&scratch).await;
        Self { samba, app: App::of(&bridge), setup, bridge, scratch }
    }

    fn file(samba: &Samba, connection: &str) -> String {
        format!(
            "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [ad.example.test]
    connections:
{}{}",
            samba.connection("ad", connection),
            client()
        )
    }

    /// Other settings of the connection.
    async fn reconnect(&self, connection: &str) {
        let file = Self::file(&self.samba, connection);
        self.bridge.takes_over(|| drop(self.setup.apply(&self.scratch, &file))).await;
    }

    /// What a person reads after a login that must fail, and what the trace has.
    async fn refused(&self, name: &str, password: &str) -> (String, String) {
        let answer = web::log_in(&mut Browser::new(), &self.app, name, password).await;
        let to_app = answer.location.as_deref().is_some_and(|location| location.starts_with(REDIRECT));
        assert!(!to_app, "{name} is logged in: {answer:?}");
        let page = answer.body.split_once("role=\"alert\"").map_or("", |(_, rest)| rest);
        let page = page.split_once('>').map_or("", |(_, rest)| rest).split('<').next().unwrap_or_default();
        (page.trim().to_owned(), self.trace(name).await)
    }

    /// The newest trace that is of this name.
    async fn trace(&self, name: &str) -> String {
        eventually(&format!("there is a trace of {name}"), async || {
            let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
            let newest = list[0]["id"].as_str()?;
            Some(self.setup.ok(&["trace", "show", newest]))
        })
        .await
    }
}

#[tokio::test]
async fn people_of_an_active_directory_log_in() {
    let world = World::start("").await;
    let alice = web::identity(&world.app, "alice", "alice-password").await;
    assert_eq!(
        (&alice["email"], &alice["name"]),
        (&json!("alice@ad.example.test"), &json!("Alice Archer")),
        "{alice:#}"
    );
    let groups = |claims: &Value| -> Vec<String> {
        let mut groups: Vec<String> = serde_json::from_value(claims["groups"].clone()).unwrap_or_default();
        groups.sort();
        groups
    };
    for group in ["Domain Users", "admins", "employees", "staff"] {
        assert!(groups(&alice).iter().any(|one| one == group), "{group}: {alice:#}");
    }
    let bob = web::identity(&world.app, "bob", "bob-password").await;
    for group in ["circle-a", "circle-b", "level-6"] {
        assert!(groups(&bob).iter().any(|one| one == group), "{group}: {bob:#}");
    }

    // The same person, by each way to bind.
    world
        .reconnect("        users: { base: \"DC=ad,DC=example,DC=test\", bind: upn, domain: ad.example.test }\n")
        .await;
    for name in ["alice", "alice@ad.example.test", "ALICE@AD.EXAMPLE.TEST"] {
        assert_eq!(web::identity(&world.app, name, "alice-password").await["sub"], alice["sub"], "{name}");
    }
    world.refused("alice@other.example", "alice-password").await;
    world.reconnect("        users: { base: \"DC=ad,DC=example,DC=test\", bind: down_level, domain: ADX }\n").await;
    for name in ["alice", "ADX\\alice", "adx\\Alice"] {
        assert_eq!(web::identity(&world.app, name, "alice-password").await["sub"], alice["sub"], "{name}");
    }
    world.refused("OTHER\\alice", "alice-password").await;
    let template = "        users: { base: \"OU=People,OU=Company,DC=ad,DC=example,DC=test\", bind: template, \
                    dn: \"CN={username},OU=People,OU=Company,DC=ad,DC=example,DC=test\" }\n";
    world.reconnect(template).await;
    assert_eq!(web::identity(&world.app, "alice", "alice-password").await["sub"], alice["sub"]);
}

/// Each reason that Samba has, in the trace; on the page only those that it tells to who knows the password.
#[tokio::test]
async fn each_refusal_has_its_code() {
    let world = World::start("").await;
    let (wrong, trace) = world.refused("guess1", "wrong-password").await;
    assert!(trace.contains("52e"), "{trace}");
    let (unknown, _) = world.refused("nobody", "wrong-password").await;
    assert_eq!(unknown, wrong);
    for (name, code) in
        [("disabled", "533"), ("expired", "701"), ("workstation", "531"), ("hours", "530"), ("mustchange", "773")]
    {
        let (page, trace) = world.refused(name, &format!("{name}-password")).await;
        assert!(trace.contains(code), "{name}: {trace}");
        assert_ne!(page, wrong, "{name}");
        let (page, trace) = world.refused(name, "wrong-password").await;
        assert!(page == wrong && trace.contains("52e"), "{name}: {page}\n{trace}");
    }
    // Samba itself locks after five.
    for _ in 0..5 {
        world.samba.tool_as("guess2@ad.example.test", "wrong-password", "ldapsearch", &["-s", "base", "-b", ""]);
    }
    let (page, trace) = world.refused("guess2", "guess2-password").await;
    assert!(page == wrong && trace.contains("775"), "{page}\n{trace}");
}

/// Guesses at the bridge never lock the account.
#[tokio::test]
async fn twenty_guesses_lock_nobody_out() {
    let world = World::start("").await;
    for _ in 0..20 {
        world.refused("guess3", "wrong-password").await;
    }
    let counted: u32 = world.samba.attribute("guess3", "badPwdCount").map_or(0, |text| text.parse().unwrap());
    assert!(counted <= 3, "{counted} of the five that the domain allows");
    let direct = world.samba.tool_as(
        "guess3@ad.example.test",
        "guess3-password",
        "ldapsearch",
        &["-LLL", "-s", "base", "-b", ""],
    );
    assert_eq!(direct.status, Some(0), "{direct:#?}");
}
