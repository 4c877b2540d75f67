//! Three service providers and three OIDC clients in one session: one logout ends all six. One of them is
//! dead; the others are told all the same, and the person learns which one was not.

use std::time::{Duration, Instant};

use super::world::{Wanted, World, at};
use crate::support::browser::Browser;
use crate::support::clients::Client;
use crate::support::{Database, in_time};

const PERSISTENT: &str = "        name_id: { format: persistent }";

/// From the click to the last page. Where a frame is dead, 4 s of it are the page's own wait.
const LIMIT: Duration = Duration::from_secs(5);

/// `dead` is the name of the app that is gone when the logout comes.
async fn one_logout_ends_all(database: Database, dead: &str) {
    in_time(LIMIT, async || ((), all_end(database, dead).await)).await;
}

/// Gives the time that it took.
async fn all_end(database: Database, dead: &str) -> Duration {
    let clients = [
        Client::new("desk", "openid-client"),
        Client::new("mail", "openid-client"),
        Client::new("apache", "apache-openidc"),
    ];
    let yaml: String = clients.iter().map(Client::yaml).collect();
    let providers = ["wiki", "board", "shop"];
    let wanted = [
        // By a form in a frame, by a redirect in a frame, and by SOAP.
        Wanted { slug: "wiki", peer: "node-saml", settings: &[], yaml: PERSISTENT },
        Wanted { slug: "board", peer: "pysaml2-sp", settings: &[], yaml: PERSISTENT },
        Wanted { slug: "shop", peer: "apache-mellon", settings: &[], yaml: PERSISTENT },
    ];
    let mut world = World::on(database, &wanted, &yaml).await;
    let mut running: Vec<_> =
        clients.iter().map(|client| (client, Some(client.start(world.scratch.path(), &world.app.at)))).collect();

    let mut browser = Browser::new();
    let id_token = world.login_to_app(&mut browser).await;
    for peer in &world.providers {
        world.login(&mut browser, peer).await;
    }
    for (client, peer) in &running {
        let answer = world.open(&mut browser, &peer.as_ref().unwrap().url).await;
        assert_eq!(answer.status, 200, "{}: {}", client.id, answer.body);
        assert_eq!(browser.get(&client.session()).await.status, 200, "{}", client.id);
    }

    let mut alive: Vec<_> = providers.into_iter().zip(std::mem::take(&mut world.providers)).collect();
    for (_, mut peer) in alive.extract_if(.., |(slug, _)| *slug == dead) {
        peer.die();
    }
    for (_, peer) in running.iter_mut().filter(|(client, _)| client.id == dead) {
        peer.take().unwrap().die();
    }
    assert_eq!(alive.len() + running.iter().filter(|(_, peer)| peer.is_some()).count(), 5, "{dead} is not one of them");

    let began = Instant::now();
    let out = browser.visit(&format!("{}/logout?id_token_hint={id_token}", world.app.at)).await;
    let took = began.elapsed();
    assert_eq!(out.status, 200, "{}", out.body);
    // Those that could not be told stand first, then those that were.
    let (not_told, told) = out.body.split_once("Logged out there as well").unwrap_or((&out.body, ""));
    assert!(
        not_told.contains(&format!("<li>{dead}</li>")),
        "the page does not say that {dead} was not told: {}",
        out.body
    );
    assert!(!told.contains(&format!("<li>{dead}</li>")), "the page says that {dead} was told: {}", out.body);
    for name in providers.into_iter().chain(clients.iter().map(|client| client.id)).filter(|name| *name != dead) {
        assert!(
            !not_told.contains(&format!("<li>{name}</li>")),
            "the page says that {name} was not told: {}",
            out.body
        );
    }

    for (slug, peer) in &alive {
        assert_eq!(browser.get(&at(peer, "/session")).await.status, 401, "{slug} was not told");
    }
    for (client, peer) in &running {
        if peer.is_some() {
            assert_eq!(browser.get(&client.session()).await.status, 401, "{} was not told", client.id);
        }
    }
    assert!(!world.has_session(&mut browser).await, "the bridge keeps the session");
    took
}

#[tokio::test]
async fn one_logout_ends_all_on_sqlite_with_a_dead_frame() {
    one_logout_ends_all(Database::Sqlite, "wiki").await;
}

#[tokio::test]
async fn one_logout_ends_all_on_postgres_with_a_dead_client() {
    one_logout_ends_all(Database::Postgres, "mail").await;
}
