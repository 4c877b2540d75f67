//! Limits of guesses at passwords, over the web and LDAP.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::Ordering;

use fedbridge_hub::spec::SubjectType;
use serde_json::json;

use super::passwords::{RIGHT, WRONG, directory, tenant, typing, world};
use super::{HERE, World, connection, foundation, param, scripted};
use crate::support::Scratch;
use crate::support::peers::Peer;

fn elsewhere(number: u32) -> IpAddr {
    IpAddr::V4(Ipv4Addr::from(0xc000_0200 + number))
}

impl World {
    /// One try without anything that a browser has, from somewhere. Whether it was let through.
    async fn guess(&mut self, name: &str, from: u32) -> bool {
        let own = std::mem::take(&mut self.cookies);
        self.peer = elsewhere(from);
        let reply = self.log_in_as(name, WRONG).await;
        let complaint = typing(&reply).complaint.clone().unwrap();
        (self.cookies, self.peer) = (own, HERE);
        !complaint.starts_with("There were too many tries.")
    }

    fn later(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1000, Ordering::Relaxed);
    }
}

/// Threats 44: the directory never counts as far as its threshold, and the person gets in where they were before.
#[tokio::test]
async fn nobody_is_locked_out_by_somebody_elses_guesses() {
    let mut world = world(json!({ "lock": { "after": 5, "known": true } }), vec![]).await;
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some());
    let mut through = 0;
    for number in 0..20 {
        through += u32::from(world.guess(["ann", "ANN", "ACME\\ann", "ann@acme.example"][number % 4], 7).await);
        world.later(1);
    }
    assert_eq!(through, 2, "five less the margin");
    // At home, typing it wrong once is fine too.
    assert!(typing(&world.log_in_as("ann", WRONG).await).complaint.is_some());
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some(), "from the browser that was here before");
    // A browser without a past waits until the directory has forgotten; other accounts do not wait.
    world.cookies.clear();
    assert!(param(&world.log_in_as("bob", RIGHT).await, "code").is_some());
    assert!(world.steps().await.contains("known to come from here"));
}

/// The same where nobody knows that the directory locks: the account's own limit is all that there is.
#[tokio::test]
async fn what_the_bridge_does_not_know_it_can_not_spare() {
    let mut world = world(json!({ "lock": { "after": 5 } }), vec![]).await;
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some());
    for _ in 0..20 {
        world.guess("ann", 7).await;
    }
    let reply = world.log_in_as("ann", RIGHT).await;
    assert!(typing(&reply).complaint.is_some(), "it is locked: the test above could fail");
}

/// A browser is known by what it was given, and only to the accounts that were logged in with it.
#[tokio::test]
async fn a_made_up_cookie_is_no_known_browser() {
    let mut world = world(json!({ "lock": { "after": 5, "known": true } }), vec![]).await;
    assert!(param(&world.log_in_as("bob", RIGHT).await, "code").is_some());
    let bobs = std::mem::take(&mut world.cookies);
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some());
    let anns = std::mem::take(&mut world.cookies);
    while world.guess("ann", 7).await {}
    let (name, _) = anns.iter().find(|(name, _)| name.ends_with("-d")).cloned().unwrap();
    let made_up = vec![(name, "A".repeat(43))];
    for (cookies, whose) in [(made_up, "nobody's"), (bobs, "bob's")] {
        world.cookies = cookies;
        let reply = world.log_in_as("ann", RIGHT).await;
        let complaint = typing(&reply).complaint.clone().expect(whose);
        assert!(complaint.starts_with("There were too many tries."), "{whose}: {complaint}");
    }
    world.cookies = anns.into_iter().filter(|(name, _)| name.ends_with("-d")).collect();
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some(), "by that cookie alone");
}

#[tokio::test]
async fn an_account_waits_and_then_goes_on() {
    let mut world = world(json!({}), vec![]).await;
    let mut through = 0;
    for number in 0..15 {
        through += u32::from(world.guess("ann", number).await);
    }
    assert_eq!(through, 10, "wherever they come from");
    let reply = world.log_in_as("ann", RIGHT).await;
    let complaint = typing(&reply).complaint.clone().unwrap();
    assert!(complaint.starts_with("There were too many tries. Please wait "), "{complaint}");
    world.later(75);
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some());
}

/// Threats 43.
#[tokio::test]
async fn one_password_for_all_names_is_stopped() {
    let mut world = world(json!({}), vec![]).await;
    let mut through = 0;
    for number in 0..80 {
        through += u32::from(world.guess(&format!("user{number}"), 9).await);
    }
    assert_eq!(through, 60, "of one address in a minute");
    assert!(world.guess("user99", 10).await, "others are not held up");
}

/// What one node counts the other knows, and a browser that is known to one is known to both.
#[tokio::test]
async fn nodes_count_together() {
    let scratch = Scratch::new("guesses");
    let postgres = Peer::postgres(scratch.path());
    let dir = connection(2, "dir", directory(json!({ "lock": { "after": 5, "known": true } })), json!({}));
    let mut one = World::on(scratch, &postgres.url, vec![dir], SubjectType::Public, |_| {}, None).await;
    one.apply(&[tenant(Default::default())]).await;
    let mut second = foundation(&one._scratch, &postgres.url).await;
    second.clock = std::sync::Arc::clone(&one.clock) as _;
    let hub = scripted(&second).await.hub;
    assert!(param(&one.log_in_as("ann", RIGHT).await, "code").is_some());
    assert!(one.guess("ann", 1).await && one.guess("ann", 2).await && !one.guess("ann", 3).await);
    let (told, heard) = (one.foundation.sharing(), second.sharing());
    told.tell().await.unwrap();
    // Behind this everything goes to the second node.
    one.hub = hub;
    assert!(one.guess("bob", 4).await);
    heard.learn(&mut None).await.unwrap();
    assert!(!one.guess("ann", 5).await, "the other node has counted it");
    assert!(param(&one.log_in_as("ann", RIGHT).await, "code").is_some(), "the browser is known by way of the store");
}
