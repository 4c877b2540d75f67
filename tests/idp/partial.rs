//! A service provider begins a logout while another one in the session is dead: it is told that the logout
//! was a partial one, within the time that a person waits.

use std::time::{Duration, Instant};

use super::world::{Wanted, World, at};
use crate::support::browser::{Answer, Browser};
use crate::support::in_time;

const PERSISTENT: &str = "        name_id: { format: persistent }";

/// From the click to the asker's own page: 4 s that a page waits for its frames, and the peers' own time.
const LIMIT: Duration = Duration::from_secs(7);

/// Gives the page on which the asker's browser ends.
async fn asked_by(peer: &str, slug: &str, logout: &str) -> Answer {
    in_time(LIMIT, async || asked_once_by(peer, slug, logout).await).await
}

async fn asked_once_by(peer: &str, slug: &str, logout: &str) -> (Answer, Duration) {
    let mut world = World::start(&[
        Wanted { slug, peer, settings: &[], yaml: PERSISTENT },
        Wanted { slug: "dead", peer: "node-saml", settings: &[], yaml: PERSISTENT },
    ])
    .await;
    let mut browser = Browser::new();
    for provider in &world.providers {
        world.login(&mut browser, provider).await;
    }
    world.providers.pop().unwrap().die();
    let asker = &world.providers[0];
    let began = Instant::now();
    let out = browser.visit(&at(asker, logout)).await;
    let took = began.elapsed();
    if out.status != 200 || !out.url.starts_with(&at(asker, "/")) {
        world.fail("the logout does not come back", asker, &out).await;
    }
    assert!(!world.is_logged_in(&mut browser, asker).await, "{slug} keeps its session");
    assert!(!world.has_session(&mut browser).await, "the bridge keeps the session");
    let traces = world.traces("logout", 1).await;
    let shown = world.setup.ok(&["trace", "show", traces[0]["id"].as_str().unwrap()]);
    assert!(shown.contains("partial") && shown.contains("dead"), "{shown}");
    (out, took)
}

/// It has a page of its own for that.
#[tokio::test]
async fn mod_shib_hears_of_a_partial_logout() {
    let out = asked_by("apache-shib", "shib", "/Shibboleth.sso/Logout").await;
    assert!(out.body.contains("Partial Logout"), "{}", out.body);
}

#[tokio::test]
async fn mod_auth_mellon_hears_of_a_partial_logout() {
    let out = asked_by("apache-mellon", "mellon", "/logout").await;
    assert_eq!(out.json()["logged_out"], true, "{}", out.body);
}

#[tokio::test]
async fn simplesamlphp_hears_of_a_partial_logout() {
    let out = asked_by("simplesamlphp-sp", "ssp", "/logout").await;
    assert_eq!(out.json()["logged_out"], true, "{}", out.body);
}
