//! Logins of people whose passwords OpenLDAP checks.

use serde_json::{Value, json};

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::html::Form;
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::web;
use crate::support::peers::Peer;
use crate::support::scripted::{App, REDIRECT};
use crate::support::{Database, Scratch, eventually};

/// The bridge with slapd as its one upstream, and no directory of its own.
struct World {
    openldap: OpenLdap,
    app: App,
    setup: Setup,
    _bridge: Bridge,
    _postgres: Option<Peer>,
    _scratch: Scratch,
}

impl World {
    async fn start(connection: &str) -> Self {
        Self::on(Database::Sqlite, connection, &[]).await
    }

    async fn on(database: Database, connection: &str, knobs: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new("openldap");
        let openldap = OpenLdap::start(scratch.path(), knobs);
        let (setup, postgres) = match database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        let file = format!(
            "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
    connections:
{}{}",
            openldap.connection("corp", connection),
            client()
        );
        setup.apply(&scratch, &file);
        let bridge = setup.serve(&scratch).await;
        Self { openldap, app: App::of(&bridge), setup, _bridge: bridge, _postgres: postgres, _scratch: scratch }
    }

    async fn groups_of(&self, name: &str) -> Vec<String> {
        let claims = web::identity(&self.app, name, &format!("{name}-password")).await;
        let groups = claims["groups"].as_array().unwrap_or_else(|| panic!("no groups: {claims:#}"));
        let mut groups: Vec<_> = groups.iter().map(|group| group.as_str().unwrap().to_owned()).collect();
        groups.sort();
        groups
    }

    /// The page after a login that must fail.
    async fn refused(&self, name: &str, password: &str) -> Answer {
        let answer = web::log_in(&mut Browser::new(), &self.app, name, password).await;
        let to_app = answer.location.as_deref().is_some_and(|location| location.starts_with(REDIRECT));
        assert!(!to_app, "{name} is logged in: {answer:?}");
        answer
    }

    /// The text of the newest login's trace.
    async fn trace(&self) -> String {
        let list = eventually("there is a trace", async || {
            let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
            list[0]["id"].is_string().then_some(list)
        });
        self.setup.ok(&["trace", "show", list.await[0]["id"].as_str().unwrap()])
    }
}

#[tokio::test]
async fn people_of_openldap_log_in() {
    for database in [Database::Sqlite, Database::Postgres] {
        let world = World::on(database, "", &[]).await;
        let alice = web::identity(&world.app, "alice", "alice-password").await;
        assert_eq!((&alice["idp"], &alice["email"]), (&json!("corp"), &json!("alice@acme.example")), "{alice:#}");
        assert_eq!(
            (&alice["name"], &alice["preferred_username"]),
            (&json!("Alice Archer"), &json!("alice")),
            "{alice:#}"
        );
        assert_eq!(alice["amr"], json!(["pwd"]), "{alice:#}");
        let bob = web::identity(&world.app, "bob", "bob-password").await;
        assert_eq!(bob["name"], "Bob \"Bobby\" Bäcker", "{bob:#}");
        assert_ne!(bob["sub"], alice["sub"]);
        // Names are compared as the directory compares them.
        assert_eq!(web::identity(&world.app, "ALICE", "alice-password").await["sub"], alice["sub"]);
    }
}

#[tokio::test]
async fn groups_are_nested_and_go_in_circles() {
    let world = World::start("").await;
    let groups = world.groups_of("bob").await;
    let expected = [
        "circle-a",
        "circle-b",
        "employees",
        "level-1",
        "level-2",
        "level-3",
        "level-4",
        "level-5",
        "level-6",
        "staff",
        // By memberUid.
        "unix",
    ];
    assert_eq!(groups, expected);
    let alice = world.groups_of("alice").await;
    for group in ["admins", "employees", "staff"] {
        assert!(alice.iter().any(|one| one == group), "{alice:?}");
    }
}

/// A person is who they are by `entryUUID`, whatever their name and wherever their entry.
#[tokio::test]
async fn a_renamed_person_stays_the_same() {
    let world = World::start("").await;
    let before = web::identity(&world.app, "alice", "alice-password").await;
    let directory = &world.openldap.directory;
    world.openldap.change(&format!(
        "dn: {}\nchangetype: modrdn\nnewrdn: uid=alicia\ndeleteoldrdn: 1\nnewsuperior: ou=contractors,{}\n",
        directory.person("alice"),
        directory.people
    ));
    world.refused("alice", "alice-password").await;
    let after = web::identity(&world.app, "alicia", "alice-password").await;
    assert_eq!(after["sub"], before["sub"]);
    assert_eq!(after["preferred_username"], "alicia");
}

/// Who does not know the password learns nothing from the page.
#[tokio::test]
async fn a_wrong_password_looks_like_any_other_refusal() {
    let world = World::start("").await;
    let wrong = sentence(&world.refused("alice", "bob-password").await);
    assert!(!wrong.is_empty(), "the page says nothing");
    for (name, password) in [
        ("nobody", "alice-password"),
        // Two entries have this name.
        ("twin", "twin-password"),
        // Outside of the base.
        ("olga", "olga-password"),
        // Locked, which OpenLDAP tells before it looks at the password.
        ("erin", "erin-password"),
        ("*", "alice-password"),
        ("al*", "alice-password"),
        ("alice)(uid=*", "alice-password"),
        ("*)(uid=*))(|(uid=*", "alice-password"),
        ("uid=alice,ou=people,dc=acme,dc=example", "alice-password"),
        ("alice,ou=people", "alice-password"),
        ("#alice", "alice-password"),
        ("alice\u{0}", "alice-password"),
        ("\\2a", "alice-password"),
    ] {
        assert_eq!(sentence(&world.refused(name, password).await), wrong, "{name}");
    }
}

/// slapd is told to take a bind without a password for one by nobody, which succeeds (RFC 4513 section 5.1.2).
#[tokio::test]
async fn no_password_is_no_login() {
    let world = World::on(Database::Sqlite, "", &[("SLAPD_ALLOW", "bind_anon_cred")]).await;
    let before = world.openldap.counted("Bind");
    for password in ["", "\u{0}", "\u{0}\u{0}"] {
        world.refused("alice", password).await;
    }
    // The count's own bind, and no other that a password came with: the search for her entry may have made some.
    assert!(world.openldap.counted("Bind") - before <= 3, "an empty password reached the server");
    world.refused("alice", " ").await;
    web::identity(&world.app, "alice", "alice-password").await;
}

/// What ppolicy says of the account, only after the right password.
#[tokio::test]
async fn the_password_policy_speaks_to_who_knows_the_password() {
    let world = World::start("").await;
    let wrong = sentence(&world.refused("alice", "wrong").await);
    // Expired, and no login is left.
    let expired = sentence(&world.refused("frank", "frank-password").await);
    assert_ne!(expired, wrong);
    assert_eq!(sentence(&world.refused("frank", "wrong").await), wrong);
    assert!(world.trace().await.contains("49"), "the trace has the directory's code");
    // Three more after it expired; and long before it does.
    web::identity(&world.app, "grace", "grace-password").await;
    web::identity(&world.app, "heidi", "heidi-password").await;
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_changed() {
    let world = World::start("        password_change: true\n").await;
    let mut browser = Browser::new();
    let page = web::log_in(&mut browser, &world.app, "dora", "dora-password").await;
    let page = browser.settle(page).await;
    let change = async |browser: &mut Browser, page: &Answer, new: &str| {
        let form = Form::leading_to(&page.body, &page.url, "/password/new")
            .unwrap_or_else(|| panic!("no page for a new password: {} {}\n{}", page.url, page.status, page.body));
        let form = form.set("password", "dora-password").set("new_password", new).set("again", new);
        let answer = browser.post(&form.action, &form.fields).await;
        browser.settle(answer).await
    };
    // Shorter than the policy wants.
    let page = change(&mut browser, &page, "short").await;
    assert!(Form::leading_to(&page.body, &page.url, "/password/new").is_some(), "{}", page.body);
    let done = change(&mut browser, &page, "dora-has-a-new-one").await;
    assert!(done.location.as_deref().is_some_and(|location| location.starts_with(REDIRECT)), "{done:?}");
    world.refused("dora", "dora-password").await;
    web::identity(&world.app, "dora", "dora-has-a-new-one").await;
}

/// The directory is asked again at a refresh.
#[tokio::test]
async fn who_is_locked_gets_no_more_tokens() {
    let world = World::start("        revalidate: 1s\n").await;
    let tokens = web::tokens(&world.app, "alice", "alice-password").await;
    let refreshed = world.app.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    let token = refreshed.json()["refresh_token"].as_str().unwrap().to_owned();
    let alice = world.openldap.directory.person("alice");
    world.openldap.change(&format!(
        "dn: {alice}\nchangetype: modify\nreplace: pwdAccountLockedTime\npwdAccountLockedTime: 000001010000Z\n"
    ));
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    let refused = world.app.refresh(&token).await;
    assert_eq!((refused.status, &refused.json()["error"]), (400, &json!("invalid_grant")), "{}", refused.body);
}

/// What a person reads, without the address and what differs at every page.
fn sentence(page: &Answer) -> String {
    let start = page.body.find("role=\"alert\"").unwrap_or_else(|| panic!("no complaint: {}", page.body));
    let text = page.body[start..].split_once('>').unwrap().1;
    text.split('<').next().unwrap().trim().to_owned()
}
