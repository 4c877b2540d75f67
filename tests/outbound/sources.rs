//! People reach an app wherever they come from: a login, a directory that is read, an administrator's word about them.

use std::time::Duration;

use serde_json::Value;

use super::world::{APP_TOKEN, Remote, asked};
use crate::support::bridge::Setup;
use crate::support::ldap::servers::OpenLdap;
use crate::support::peers::Peer;
use crate::support::scripted::{App, bridge_file_with, idp, person};
use crate::support::{Scratch, eventually};

fn app(at: &str, more: &str) -> String {
    format!(
        "    scim_apps:
      - slug: wiki
        base_url: {at}
        bearer_token: {{ value: {APP_TOKEN} }}
        guard: 100
{more}"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_logs_in_is_there_and_whoever_is_deleted_is_not() {
    let scratch = Scratch::new("outbound-login");
    let peer = Peer::start("scimmy", scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let (remote, idp, setup) = (Remote::of(&peer), idp(), Setup::sqlite(scratch.path()));
    // A rule of the app's own, over what the login's mapping made.
    let rules = "        attributes: { nickName: nick, userName: email }
        claims: { nick: { cel: \"claims.name + ' of ' + connection\" } }\n";
    let file = bridge_file_with(&scratch, &idp, "", &app(&peer.url, rules));
    setup.apply(&scratch, &file);
    let bridge = setup.serve(&scratch).await;
    let client = App::of(&bridge);
    for name in ["alice", "bob", "carol"] {
        client.tokens(&idp, &person(name)).await;
    }
    let alice = remote.becomes("alice@acme.example", "is there", |_| true).await;
    assert_eq!(alice["nickName"], "alice of idp");
    for name in ["bob@acme.example", "carol@acme.example"] {
        remote.becomes(name, "is there", |_| true).await;
    }
    let sub = |user: &Value| user["externalId"].as_str().unwrap().to_owned();
    // An administrator switches one off, and deletes another: both are off there, and the third is as before.
    let off = sub(&alice);
    setup.ok(&["users", "disable", &off, "--tenant", "acme"]);
    remote.becomes("alice@acme.example", "is off", |user| user["active"] == false).await;
    let bob = remote.user("bob@acme.example").await.unwrap();
    setup.ok(&["users", "delete", &sub(&bob), "--tenant", "acme"]);
    remote.becomes("bob@acme.example", "is off", |user| user["active"] == false).await;
    setup.ok(&["users", "enable", &off, "--tenant", "acme"]);
    remote.becomes("alice@acme.example", "is on again", |user| user["active"] == true).await;
    assert_eq!(remote.user("carol@acme.example").await.unwrap()["active"], true);

    // Nobody gets the account of somebody who was deleted: the same login is another person now.
    client.tokens(&idp, &person("bob")).await;
    eventually("bob is refused", async || {
        let plan = asked(&setup, "plan");
        let refused = |step: &Value| step["do"] == "refuse" && step["user"] == "bob@acme.example";
        plan["users"].as_array().unwrap().iter().any(refused).then_some(())
    })
    .await;
    assert_eq!(remote.user("bob@acme.example").await.unwrap(), {
        let mut before = bob;
        before["active"] = false.into();
        before
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn people_of_a_directory_that_is_read_are_there() {
    let scratch = Scratch::new("outbound-ldap");
    let peer = Peer::start("scim2-server", scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let (remote, setup) = (Remote::of(&peer), Setup::sqlite(scratch.path()));
    let openldap = OpenLdap::start(scratch.path(), &[]);
    let connection = openldap.connection("corp", "        sync: { full: 1h, delta: 5s }\n");
    let head = "version: 1\ntenants:\n  - slug: acme\n    domains: [acme.example]\n    connections:\n";
    let groups = "        groups: [employees]\n        push_groups: [admins]\n";
    setup.apply(&scratch, &format!("{head}{connection}{}", app(&peer.url, groups)));
    let bridge = setup.serve(&scratch).await;
    let alice = remote.becomes("alice", "is there", |_| true).await;
    let members = remote.group_of("admins", 1).await;
    assert_eq!(members["members"][0]["value"], alice["id"]);
    let all = remote.all("Users").await;
    assert!(all.iter().all(|user| user["userName"] != "carol"), "she is no employee: {all:?}");
    let dn = format!("uid=alice,{}", openldap.directory.people);
    openldap.change(&format!("dn: {dn}\nchangetype: modify\nreplace: displayName\ndisplayName: Alice Anew\n"));
    remote.becomes("alice", "has another name", |user| user["displayName"] == "Alice Anew").await;
    openldap.change(&format!("dn: {dn}\nchangetype: delete\n"));
    setup.ok(&["connections", "sync", "acme/corp", "--full", "--allow-missing"]);
    remote.becomes("alice", "is off", |user| user["active"] == false).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    remote.group_of("admins", 0).await;
    drop(bridge);
}
