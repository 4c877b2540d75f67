//! Paged results (RFC 2696), and limits of size and time.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use fedbridge_ldap_core::control::PagedResults;
use fedbridge_ldap_core::{Code, Control, Search};

use crate::client::{Client, Come, search};
use crate::world::{JENKINS, Setting, WIKI, World};

/// With the four people whom every world has.
const ALL: usize = 25_000;

async fn world(people: usize, size: u32) -> (World, Client) {
    // A function has no captures: two sizes are enough.
    let directory: fn(&mut fedbridge_contract::config::LdapDirectory) =
        if size == 0 { |it| it.size_limit = 100_000 } else { |it| it.size_limit = 1_000 };
    let world = World::with(Setting { people: people - 4, directory, ..Setting::default() });
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    (world, client)
}

fn all() -> Search {
    search("ou=people,dc=acme", "(objectClass=*)")
}

fn page(size: u32, cookie: &Bytes) -> [Control; 1] {
    [PagedResults { size, cookie: cookie.clone() }.control(true)]
}

fn answered(controls: &[Control]) -> PagedResults {
    assert_eq!(controls.len(), 1);
    PagedResults::read(&controls[0]).unwrap()
}

#[tokio::test]
async fn pages_give_everybody_once() {
    let (_world, mut client) = world(ALL, 1_000).await;
    let mut cookie = Bytes::new();
    let mut seen = std::collections::HashSet::new();
    let mut pages = 0;
    loop {
        let (entries, result, controls) = client.search(all(), &page(1_000, &cookie)).await;
        assert_eq!(result.code, Code::SUCCESS);
        assert!(entries.len() <= 1_000);
        pages += 1;
        for entry in entries {
            assert!(seen.insert(entry.dn.clone()), "{} came twice", entry.dn);
        }
        let answer = answered(&controls);
        assert_eq!(answer.size as usize, ALL, "how many there may be");
        cookie = answer.cookie;
        if cookie.is_empty() {
            break;
        }
    }
    assert_eq!((seen.len(), pages), (ALL, 25));
}

#[tokio::test]
async fn the_server_s_limit_is_the_longest_page() {
    let (_world, mut client) = world(3_000, 1_000).await;
    let (entries, result, controls) = client.search(all(), &page(2_000, &Bytes::new())).await;
    assert_eq!((entries.len(), result.code), (1_000, Code::SUCCESS));
    assert!(!answered(&controls).cookie.is_empty());
}

#[tokio::test]
async fn the_client_s_limit_is_of_all_pages_together() {
    let (_world, mut client) = world(3_000, 0).await;
    let limited = || Search { size: 150, ..all() };
    let (entries, result, controls) = client.search(limited(), &page(100, &Bytes::new())).await;
    assert_eq!((entries.len(), result.code), (100, Code::SUCCESS));
    let cookie = answered(&controls).cookie;
    let (entries, result, controls) = client.search(limited(), &page(100, &cookie)).await;
    assert_eq!((entries.len(), result.code), (50, Code::SIZE_LIMIT));
    assert!(answered(&controls).cookie.is_empty());
}

#[tokio::test]
async fn a_cookie_is_of_one_connection_one_identity_and_one_search() {
    let (world, mut client) = world(100, 0).await;
    let begin = async |client: &mut Client| answered(&client.search(all(), &page(10, &Bytes::new())).await.2).cookie;
    let cookie = begin(&mut client).await;

    let mut other = Client::come(&world.server, Come::Tls(None));
    assert_eq!(other.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    begin(&mut other).await;
    assert_eq!(other.search(all(), &page(10, &cookie)).await.1.code, Code::UNWILLING, "another connection");

    let another = search("ou=people,dc=acme", "(objectClass=person)");
    assert_eq!(client.search(another, &page(10, &cookie)).await.1.code, Code::UNWILLING, "another search");
    for at in 0..cookie.len() {
        let mut forged = cookie.to_vec();
        forged[at] ^= 1;
        assert_eq!(client.search(all(), &page(10, &forged.into())).await.1.code, Code::UNWILLING, "octet {at}");
    }
    for bad in [&cookie[..7], &cookie[..23], b"x"] {
        let bad = Bytes::copy_from_slice(bad);
        assert_eq!(client.search(all(), &page(10, &bad)).await.1.code, Code::UNWILLING);
    }
    let wider = Search { size: 50, time: 3, ..all() };
    assert_eq!(client.search(wider, &page(20, &cookie)).await.1.code, Code::SUCCESS, "limits may change");
    assert_eq!(client.search(all(), &page(10, &cookie)).await.1.code, Code::UNWILLING, "it was used");

    let cookie = begin(&mut client).await;
    assert_eq!(client.bind(WIKI, "wiki-secret").await, Code::SUCCESS);
    assert_eq!(client.search(all(), &page(10, &cookie)).await.1.code, Code::UNWILLING, "another identity");
}

#[tokio::test]
async fn two_searches_may_be_in_pages_and_the_oldest_gives_way() {
    let (_world, mut client) = world(100, 0).await;
    let mut cookies = Vec::new();
    for _ in 0..3 {
        cookies.push(answered(&client.search(all(), &page(10, &Bytes::new())).await.2).cookie);
    }
    let codes = [Code::UNWILLING, Code::SUCCESS, Code::SUCCESS];
    for (cookie, code) in cookies.iter().zip(codes) {
        assert_eq!(client.search(all(), &page(10, cookie)).await.1.code, code);
    }
}

#[tokio::test]
async fn a_page_of_nothing_gives_the_search_up() {
    let (_world, mut client) = world(100, 0).await;
    let (entries, result, controls) = client.search(all(), &page(0, &Bytes::new())).await;
    assert_eq!((entries.len(), result.code), (0, Code::SUCCESS));
    assert_eq!(answered(&controls), PagedResults { size: 100, cookie: Bytes::new() }, "how many there are");
    let cookie = answered(&client.search(all(), &page(10, &Bytes::new())).await.2).cookie;
    let (entries, result, controls) = client.search(all(), &page(0, &cookie)).await;
    assert_eq!((entries.len(), result.code), (0, Code::SUCCESS));
    assert!(answered(&controls).cookie.is_empty());
    assert_eq!(client.search(all(), &page(10, &cookie)).await.1.code, Code::UNWILLING);
}

#[tokio::test]
async fn a_search_gives_as_many_as_it_may() {
    let (_world, mut client) = world(3_000, 1_000).await;
    for (asked, given, code) in [
        (0, 1_000, Code::SIZE_LIMIT),
        (1, 1, Code::SIZE_LIMIT),
        (999, 999, Code::SIZE_LIMIT),
        (5_000, 1_000, Code::SIZE_LIMIT),
    ] {
        let (entries, result, _) = client.search(Search { size: asked, ..all() }, &[]).await;
        assert_eq!((entries.len(), result.code), (given, code), "{asked}");
    }
    let one = Search { size: 1, ..search("ou=people,dc=acme", "(uid=jane)") };
    let (entries, result, _) = client.search(one, &[]).await;
    assert_eq!((entries.len(), result.code), (1, Code::SUCCESS), "one is as many as there are");
}

#[tokio::test]
async fn a_search_takes_as_long_as_it_may() {
    let directory: fn(&mut fedbridge_contract::config::LdapDirectory) = |it| {
        (it.size_limit, it.time_limit) = (1_000_000, Duration::from_millis(300));
    };
    let world = World::with(Setting { people: 50_000, directory, ..Setting::default() });
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    client.send(fedbridge_ldap_core::Op::Search(all())).await;
    // A client that does not read: the search rests meanwhile, and its time goes by.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut entries = 0;
    let result = loop {
        match client.read().await.unwrap().op {
            fedbridge_ldap_core::Op::Entry(_) => entries += 1,
            other => break crate::client::result(&other),
        }
    };
    assert_eq!(result.code, Code::TIME_LIMIT);
    assert!(entries > 100, "what there was is given");
    assert!(world.state.given.load(Ordering::Relaxed) < 10_000);
}
