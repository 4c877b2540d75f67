//! The order of things on one connection.

use std::collections::HashMap;

use bytes::BytesMut;
use fedbridge_ldap_core::extended::{cancel, canceled};
use fedbridge_ldap_core::{Code, Message, Op, Search};

use crate::client::{Client, Come, bind, result, search};
use crate::world::{JANE, JENKINS, Setting, World};

async fn app(world: &World) -> Client {
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    client
}

fn crowd() -> World {
    World::with(Setting { people: 20_000, directory: |it| it.size_limit = 100_000, ..Setting::default() })
}

fn all() -> Op {
    Op::Search(search("ou=people,dc=acme", "(objectClass=*)"))
}

#[tokio::test]
async fn a_hundred_searches_at_once_are_all_answered() {
    let world = World::with(Setting { people: 2_000, ..Setting::default() });
    let mut client = app(&world).await;
    let mut octets = BytesMut::new();
    for id in 1_000..1_100 {
        let op = match id % 2 {
            0 => Op::Search(search("ou=people,dc=acme", &format!("(uid=p{id})"))),
            _ => Op::Search(Search { size: 40, ..search("ou=people,dc=acme", "(objectClass=*)") }),
        };
        Message { id, op, controls: Vec::new() }.write(&mut octets);
    }
    client.raw(&octets).await;
    let mut given: HashMap<i32, u32> = HashMap::new();
    let mut done = HashMap::new();
    while done.len() < 100 {
        let message = client.read().await.unwrap();
        assert!(!done.contains_key(&message.id), "something came behind the end of {}", message.id);
        match message.op {
            Op::Entry(_) => *given.entry(message.id).or_default() += 1,
            other => {
                done.insert(message.id, result(&other).code);
            }
        }
    }
    for id in 1_000..1_100 {
        let (count, code) = if id % 2 == 0 { (1, Code::SUCCESS) } else { (40, Code::SIZE_LIMIT) };
        assert_eq!((given[&id], done[&id]), (count, code), "{id}");
    }
}

#[tokio::test]
async fn searches_go_on_beside_each_other() {
    let world = crowd();
    let mut client = app(&world).await;
    let long = client.send(all()).await;
    let short = client.send(Op::Search(search("ou=people,dc=acme", "(uid=jane)"))).await;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let message = client.read().await.unwrap();
        if !matches!(message.op, Op::Entry(_)) {
            ended.push(message.id);
        }
    }
    assert_eq!(ended, [short, long], "the short one does not wait for the long one");
}

#[tokio::test]
async fn an_abandoned_search_says_no_more() {
    let world = crowd();
    let mut client = app(&world).await;
    let long = client.send(all()).await;
    assert_eq!(client.read().await.unwrap().id, long);
    client.send(Op::Abandon(long)).await;
    client.send(Op::Abandon(4711)).await;
    let last = client.send(Op::Search(search("ou=people,dc=acme", "(uid=jane)"))).await;
    loop {
        let message = client.read().await.unwrap();
        assert!(message.id == last || matches!(message.op, Op::Entry(_)), "the end of what was abandoned");
        if message.id == last && !matches!(message.op, Op::Entry(_)) {
            break;
        }
    }
    assert!(client.is_silent(std::time::Duration::from_millis(50)).await);
}

#[tokio::test]
async fn a_cancelled_search_says_that_it_is() {
    let world = crowd();
    let mut client = app(&world).await;
    let long = client.send(all()).await;
    let end = client.send(cancel(long)).await;
    let mut ended = Vec::new();
    while ended.len() < 2 {
        let message = client.read().await.unwrap();
        if !matches!(message.op, Op::Entry(_)) {
            ended.push((message.id, result(&message.op).code));
        }
    }
    assert_eq!(ended, [(long, Code::CANCELED), (end, Code::SUCCESS)]);
    assert_eq!(client.code(cancel(long)).await, Code::NO_SUCH_OPERATION);
    assert!(canceled(None).is_err());
}

#[tokio::test]
async fn a_bind_ends_what_is_under_way() {
    let world = crowd();
    let mut client = app(&world).await;
    let long = client.send(all()).await;
    let bound = client.send(bind(JANE, "jane-secret")).await;
    loop {
        let message = client.read().await.unwrap();
        if matches!(message.op, Op::Entry(_)) {
            assert_eq!(message.id, long);
            continue;
        }
        assert_eq!((message.id, result(&message.op).code), (bound, Code::SUCCESS), "the search has no end");
        break;
    }
    assert_eq!(client.who().await, Some(format!("dn:{JANE}")));
}

#[tokio::test]
async fn what_follows_a_bind_waits_for_it() {
    let world = World::new();
    *world.state.upstream_takes.lock().unwrap() = std::time::Duration::from_millis(100);
    let mut client = Client::come(&world.server, Come::Tls(None));
    let bound = client.send(bind(JANE, "jane-secret")).await;
    let looked = client.send(Op::Search(search("ou=people,dc=acme", "(uid=jane)"))).await;
    let ids: Vec<_> = [client.read().await, client.read().await].map(|it| it.unwrap().id).into();
    assert_eq!(ids, [bound, looked]);
}

#[tokio::test]
async fn an_unbind_closes_without_a_word() {
    let world = World::new();
    let mut client = app(&world).await;
    client.send(Op::Unbind).await;
    assert!(client.read().await.is_none());
    client.session.await.unwrap();
}

#[tokio::test]
async fn a_number_that_is_under_way_is_no_new_one() {
    let world = crowd();
    let mut client = app(&world).await;
    let id = client.send(all()).await;
    let mut octets = BytesMut::new();
    Message { id, op: all(), controls: Vec::new() }.write(&mut octets);
    client.raw(&octets).await;
    loop {
        let message = client.read().await.unwrap();
        if message.id == 0 {
            assert_eq!(result(&message.op).code, Code::PROTOCOL);
            break;
        }
        assert!(matches!(message.op, Op::Entry(_)));
    }
    assert!(client.read().await.is_none());
}

#[tokio::test]
async fn what_is_no_message_ends_the_connection() {
    let world = World::new();
    let search_of_number_zero = [0x30, 5, 2, 1, 0, 0x42, 0];
    let answer = [0x30, 12, 2, 1, 1, 0x65, 7, 0x0a, 1, 0, 4, 0, 4, 0];
    for octets in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[0x30, 0x80, 2, 1, 1, 0x42, 0, 0, 0],
        &[0x30, 0x84, 0x7f, 0xff, 0xff, 0xff],
        &[0x30, 5, 2, 1, 1, 0x42, 9],
        &[0x30, 3, 4, 1, 1],
        &[0x30, 5, 2, 1, 0xff, 0x42, 0],
        &search_of_number_zero,
        &answer,
    ] {
        let mut client = Client::come(&world.server, Come::Clear);
        client.raw(octets).await;
        assert_eq!(client.farewell().await, Some(Code::PROTOCOL), "{octets:x?}");
    }
}

#[tokio::test]
async fn an_operation_that_is_malformed_is_answered_and_the_next_one_heard() {
    let world = World::new();
    let mut client = app(&world).await;
    // A search without anything in it, an extended one, a compare, and a bind.
    for (tag, answer) in [(0x63, 0x65), (0x77, 0x78), (0x6e, 0x6f), (0x60, 0x61)] {
        client.raw(&[0x30, 5, 2, 1, 9, tag, 0]).await;
        let message = client.read().await.unwrap();
        assert_eq!((message.id, message.op.octets()[0]), (9, answer));
        assert_eq!(result(&message.op).code, Code::PROTOCOL);
    }
    assert_eq!(client.who().await.as_deref(), Some(""), "the bind was one, and failed");
}

#[tokio::test]
async fn a_server_that_stops_says_so() {
    let world = crowd();
    let mut idle = app(&world).await;
    let mut busy = app(&world).await;
    let search = busy.send(all()).await;
    busy.read().await.unwrap();
    world.server.stop();
    assert_eq!(idle.farewell().await, Some(Code::UNAVAILABLE));
    // What is under way is finished, and what comes then is not begun.
    busy.send(all()).await;
    let mut ends = Vec::new();
    while let Some(message) = busy.read().await {
        if !matches!(message.op, Op::Entry(_)) {
            ends.push((message.id, result(&message.op).code));
        }
    }
    assert_eq!(ends, [(search, Code::SUCCESS), (0, Code::UNAVAILABLE)]);
    let mut late = Client::come(&world.server, Come::Clear);
    assert_eq!(late.farewell().await, Some(Code::UNAVAILABLE));
}
