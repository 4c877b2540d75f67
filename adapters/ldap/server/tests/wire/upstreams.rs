//! Subtrees that an upstream answers for.

use std::time::Duration;

use fedbridge_ldap_core::control::PagedResults;
use fedbridge_ldap_core::{Code, Op, Search};

use crate::client::{Client, Come, result, search};
use crate::world::{JENKINS, Setting, World};

const PRINTERS: &str = "ou=printers,dc=acme";

async fn app(world: &World) -> Client {
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    client
}

#[tokio::test]
async fn what_an_upstream_gives_is_passed_on() {
    let world = World::new();
    let mut client = app(&world).await;
    let (entries, result, _) = client.search(search(PRINTERS, "(cn=*)"), &[]).await;
    assert_eq!((entries.len(), result.code), (5, Code::SUCCESS));
    for (asked, given, code) in [(5, 5, Code::SUCCESS), (4, 4, Code::SIZE_LIMIT)] {
        let (entries, result, _) = client.search(Search { size: asked, ..search(PRINTERS, "(cn=*)") }, &[]).await;
        assert_eq!((entries.len(), result.code), (given, code));
    }
    let down = format!("cn=code-52,{PRINTERS}");
    assert_eq!(client.search(search(&down, "(cn=*)"), &[]).await.1.code, Code::UNAVAILABLE);
    let compare = |dn: &str| Op::Compare { dn: dn.to_owned(), attribute: "cn".to_owned(), value: "x".into() };
    assert_eq!(client.code(compare(PRINTERS)).await, Code::COMPARE_TRUE);
    assert_eq!(client.code(compare(&down)).await, Code::UNAVAILABLE);
}

#[tokio::test]
async fn nobody_waits_for_an_upstream_but_who_asked_it() {
    let world = World::new();
    *world.state.upstream_takes.lock().unwrap() = Duration::from_millis(200);
    let mut client = app(&world).await;
    let slow = client.send(Op::Search(search(PRINTERS, "(cn=*)"))).await;
    let quick = client.send(Op::Search(search("ou=people,dc=acme", "(uid=jane)"))).await;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let message = client.read().await.unwrap();
        if !matches!(message.op, Op::Entry(_)) {
            assert_eq!(result(&message.op).code, Code::SUCCESS);
            ended.push(message.id);
        }
    }
    assert_eq!(ended, [quick, slow]);
}

#[tokio::test]
async fn an_upstream_that_does_not_answer_is_given_up() {
    let world =
        World::with(Setting { directory: |it| it.time_limit = Duration::from_millis(200), ..Setting::default() });
    *world.state.upstream_takes.lock().unwrap() = Duration::from_secs(60);
    let mut client = app(&world).await;
    assert_eq!(client.search(search(PRINTERS, "(cn=*)"), &[]).await.1.code, Code::TIME_LIMIT);
}

/// What subtrees the world's upstreams have, and what a search of the whole tree gives.
async fn whole(there: &[&str], search_: Search) -> (Vec<String>, fedbridge_ldap_core::LdapResult) {
    let world = World::new();
    *world.state.beyond.lock().unwrap() = there.iter().map(|base| (*base).to_owned()).collect();
    let mut client = app(&world).await;
    let (entries, result, _) = client.search(search_, &[]).await;
    (entries.into_iter().map(|entry| entry.dn).collect(), result)
}

#[tokio::test]
async fn a_search_of_the_whole_tree_asks_upstreams_too() {
    let all = || search("dc=acme", "(cn=*)");
    let (found, result) = whole(&[PRINTERS], all()).await;
    assert_eq!((found.len(), result.code), (4 + 5, Code::SUCCESS));
    assert!(found[0].starts_with("uid=jane,") && found[4].starts_with("uid=printer0,"), "ours first: {found:?}");
    assert_eq!(whole(&[PRINTERS, PRINTERS], all()).await.0.len(), 4 + 5 + 5);
    for (size, given, code) in [(9, 9, Code::SUCCESS), (8, 8, Code::SIZE_LIMIT), (4, 4, Code::SIZE_LIMIT)] {
        let (found, result) = whole(&[PRINTERS], Search { size, ..all() }).await;
        assert_eq!((found.len(), result.code), (given, code), "{size}");
    }
    let one = Search { scope: fedbridge_ldap_core::Scope::One, ..all() };
    assert_eq!(whole(&[PRINTERS], one).await.0.len(), 4);
}

#[tokio::test]
async fn an_upstream_that_is_out_costs_its_own_part_and_is_not_kept_quiet() {
    let down = format!("cn=code-52,{PRINTERS}");
    let (found, result) = whole(&[&down, PRINTERS], search("dc=acme", "(cn=*)")).await;
    assert_eq!(found.len(), 4 + 5 + 5, "what is ours, and what the other upstream has");
    assert_eq!(
        (result.code, &*result.text),
        (Code::UNAVAILABLE, "a part of the tree is missing: its upstream did not answer")
    );
    let gone = format!("cn=code-32,{PRINTERS}");
    assert_eq!(whole(&[&gone], search("dc=acme", "(cn=*)")).await.1.code, Code::SUCCESS, "it has no such subtree");
    let slow =
        World::with(Setting { directory: |it| it.time_limit = Duration::from_millis(200), ..Setting::default() });
    *slow.state.beyond.lock().unwrap() = vec![PRINTERS.to_owned()];
    *slow.state.upstream_takes.lock().unwrap() = Duration::from_secs(60);
    let (found, result, _) = app(&slow).await.search(search("dc=acme", "(cn=*)"), &[]).await;
    assert_eq!((found.len(), result.code), (4, Code::TIME_LIMIT));
}

#[tokio::test]
async fn pages_go_on_into_an_upstream() {
    let world = World::new();
    *world.state.beyond.lock().unwrap() = vec![PRINTERS.to_owned(), PRINTERS.to_owned()];
    let mut client = app(&world).await;
    for (base, size, all) in [
        ("dc=acme", 1, 14),
        ("dc=acme", 2, 14),
        ("dc=acme", 3, 14),
        ("dc=acme", 4, 14),
        ("dc=acme", 20, 14),
        (PRINTERS, 2, 5),
        (PRINTERS, 5, 5),
    ] {
        let mut cookie = bytes::Bytes::new();
        let mut given = Vec::new();
        loop {
            let control = PagedResults { size, cookie }.control(true);
            let (entries, result, controls) = client.search(search(base, "(cn=*)"), &[control]).await;
            assert_eq!(result.code, Code::SUCCESS);
            assert!(entries.len() <= size as usize, "{base} {size}");
            given.extend(entries);
            cookie = PagedResults::read(&controls[0]).unwrap().cookie;
            if cookie.is_empty() {
                break;
            }
        }
        assert_eq!(given.len(), all, "{base} {size}");
    }
}
