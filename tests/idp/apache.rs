//! Apache's mod_auth_mellon (Lasso) and mod_shib (OpenSAML), each in a server of its own.

use super::world::{Name, Wanted, World, at};
use crate::support::browser::Browser;

const PERSISTENT: &str = "        name_id: { format: persistent }";

/// Mellon's own metadata and requests ask for a transient name, whatever the bridge would give by itself.
#[tokio::test]
async fn mod_auth_mellon_logs_in_and_out() {
    let wanted = Wanted { slug: "mellon", peer: "apache-mellon", settings: &[], yaml: PERSISTENT };
    World::start(&[wanted]).await.logs_in_and_out(Name::Fresh).await;
}

#[tokio::test]
async fn mod_shib_logs_in_and_out() {
    let wanted = Wanted { slug: "shib", peer: "apache-shib", settings: &[], yaml: PERSISTENT };
    World::start(&[wanted]).await.logs_in_and_out(Name::Kept).await;
}

#[tokio::test]
async fn mod_shib_decrypts() {
    let yaml = format!("{PERSISTENT}\n        encrypt: true");
    let wanted = Wanted { slug: "shib", peer: "apache-shib", settings: &[], yaml: &yaml };
    World::start(&[wanted]).await.logs_in_and_out(Name::Kept).await;
}

const ARTIFACT: &[(&str, &str)] = &[("SP_RESPONSE_BINDING", "artifact")];

/// The browser brings an artifact, and shibd fetches the answer behind it.
#[tokio::test]
async fn mod_shib_fetches_its_answers() {
    for encrypt in ["false", "true"] {
        let yaml = format!("{PERSISTENT}\n        encrypt: {encrypt}");
        let wanted = Wanted { slug: "shib", peer: "apache-shib", settings: ARTIFACT, yaml: &yaml };
        let world = World::start(&[wanted]).await;
        world.logs_in_and_out(Name::Kept).await;
        // Both logins.
        fetched(&world, "shib", 2).await;
    }
}

/// Its server has asked for what is behind so many artifacts, and got it.
async fn fetched(world: &World, slug: &str, number: usize) {
    let traces = world.traces("artifact", number).await;
    assert_eq!(traces.len(), number, "{traces:#?}");
    for trace in traces {
        assert_eq!((&trace["result"], &trace["client"]), (&"success".into(), &slug.into()), "{trace:#}");
    }
}

/// A login that begins at the bridge ends at the page that its settings name.
async fn begins_at_the_bridge(slug: &str, peer: &str, settings: &[(&str, &str)]) -> World {
    let yaml = format!("{PERSISTENT}\n        unsolicited: true\n        default_relay_state: \"{{url}}\"");
    let world = World::start(&[Wanted { slug, peer, settings, yaml: &yaml }]).await;
    let provider = &world.providers[0];
    let mut browser = Browser::new();
    let page = world.open(&mut browser, &format!("{}/saml/start/{slug}", world.app.at)).await;
    if page.status != 200 || page.url != provider.url {
        world.fail("no login", provider, &page).await;
    }
    let told = page.json();
    assert_eq!(told["attributes"]["mail"][0], "alice@acme.example", "{told:#}");
    // It is a session as any other: the app can end it everywhere.
    let out = browser.visit(&at(provider, "/logout")).await;
    if out.status != 200 || out.json()["logged_out"] != true {
        world.fail("no logout", provider, &out).await;
    }
    assert!(!world.has_session(&mut browser).await, "the bridge keeps the session");
    world
}

#[tokio::test]
async fn mod_shib_takes_a_login_that_it_did_not_ask_for() {
    begins_at_the_bridge("shib", "apache-shib", &[]).await;
}

#[tokio::test]
async fn mod_auth_mellon_takes_a_login_that_it_did_not_ask_for() {
    begins_at_the_bridge("mellon", "apache-mellon", &[]).await;
}

/// Its own requests name its address for posts, so only a login that it did not ask for can come so.
#[tokio::test]
async fn mod_auth_mellon_fetches_an_answer_that_it_did_not_ask_for() {
    let world = begins_at_the_bridge("mellon", "apache-mellon", ARTIFACT).await;
    fetched(&world, "mellon", 1).await;
}
