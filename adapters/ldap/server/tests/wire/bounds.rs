//! What one connection may cost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::BytesMut;
use fedbridge_ldap_core::control::ASSERTION;
use fedbridge_ldap_core::{Code, Control, Filter, Message, Op};
use fedbridge_ldap_server::Patience;
use tokio::time::Instant;

use crate::client::{Client, Come, bind, extended, result, search};
use crate::world::{JENKINS, Setting, World, patient};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(200);

fn patience() -> Patience {
    Patience { first: LONG, message: LONG, stall: LONG, idle: LONG }
}

fn big(octets: usize) -> Op {
    Op::Extended { oid: "1.2.3.4".to_owned(), value: Some(vec![0; octets].into()) }
}

#[tokio::test]
async fn a_message_may_be_longer_when_somebody_is_bound() {
    let world = World::new();
    for (octets, of_anybody, of_somebody) in [(200_000, true, true), (300_000, false, true), (1_100_000, false, false)]
    {
        let mut client = Client::come(&world.server, Come::Tls(None));
        for (bound, fits) in [(false, of_anybody), (true, of_somebody)] {
            if bound {
                client = Client::come(&world.server, Come::Tls(None));
                assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
            }
            // Its head alone: no memory is taken for what was only announced.
            let mut octets_of = BytesMut::new();
            Message { id: 9, op: big(octets), controls: Vec::new() }.write(&mut octets_of);
            client.raw(&octets_of[..10]).await;
            if fits {
                client.raw(&octets_of[10..]).await;
                assert_eq!(result(&client.read().await.unwrap().op).code, Code::PROTOCOL);
            } else {
                assert_eq!(client.farewell().await, Some(Code::PROTOCOL), "{octets} {bound}");
            }
        }
    }
}

#[tokio::test]
async fn a_filter_may_be_so_deep() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    let deep = |levels: usize| {
        let mut filter = Filter::parse("(uid=jane)").unwrap();
        for _ in 1..levels {
            filter = Filter::Not(Box::new(filter));
        }
        Op::Search(fedbridge_ldap_core::Search { filter, ..search("ou=people,dc=acme", "(uid=x)") })
    };
    client.send(deep(64)).await;
    while matches!(client.read().await.unwrap().op, Op::Entry(_)) {}
    client.send(deep(65)).await;
    assert_eq!(result(&client.read().await.unwrap().op).code, Code::PROTOCOL);
    // Deeper than any library would like to write it.
    let mut octets = vec![0x87, 2, b'c', b'n'];
    for _ in 0..10_000 {
        let length = u32::try_from(octets.len()).unwrap().to_be_bytes();
        octets.splice(..0, [&[0xa2, 0x84], &length[..]].concat());
    }
    let head = [&[2, 1, 9, 0x63, 0x84][..], &u32::try_from(octets.len()).unwrap().to_be_bytes()].concat();
    let length = u32::try_from(head.len() + octets.len()).unwrap().to_be_bytes();
    client.raw(&[&[0x30, 0x84], &length[..], &head, &octets].concat()).await;
    assert_eq!(client.farewell().await, Some(Code::PROTOCOL));
}

#[tokio::test]
async fn a_reader_that_is_slow_holds_the_search_back() {
    let directory: fn(&mut fedbridge_contract::config::LdapDirectory) =
        |it| (it.size_limit, it.time_limit) = (1_000_000, LONG);
    let world = World::with(Setting { people: 100_000, directory, ..Setting::default() });
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    client.send(Op::Search(search("ou=people,dc=acme", "(objectClass=*)"))).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ahead = world.state.given.load(Ordering::Relaxed);
    // 256 KiB of ours and 64 KiB of the pipe, at 200 octets an entry.
    assert!((500..3_000).contains(&ahead), "{ahead} entries were made ready for somebody who does not read");
    let mut entries = 0;
    loop {
        match client.read().await.unwrap().op {
            Op::Entry(_) => entries += 1,
            other => {
                assert_eq!(result(&other).code, Code::SUCCESS);
                break;
            }
        }
        if entries % 20_000 == 0 {
            let ahead = world.state.given.load(Ordering::Relaxed) - entries;
            assert!(ahead < 3_000, "{ahead} at {entries}");
        }
    }
    assert_eq!(entries, 100_004);
}

#[tokio::test]
async fn requests_are_not_read_while_their_answers_find_no_room() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Tls(None));
    let mut octets = BytesMut::new();
    for id in 1..=20_000 {
        let op = extended("1.2.3.4");
        Message { id, op, controls: Vec::new() }.write(&mut octets);
    }
    // Nobody reads the answers; the requests come to a stop before all of them are sent.
    let mut sent = 0;
    for chunk in octets.chunks(4096) {
        if tokio::time::timeout(Duration::from_secs(1), client.raw(chunk)).await.is_err() {
            break;
        }
        sent += chunk.len();
    }
    assert!(sent < octets.len() * 3 / 4, "{sent} of {} octets were taken in", octets.len());
}

#[tokio::test]
async fn whoever_says_nothing_is_sent_away() {
    let began = Instant::now();
    let world = World::with(patient(Patience { first: SHORT, ..patience() }));
    let mut client = Client::come(&world.server, Come::Clear);
    assert!(client.read().await.is_none(), "no first message");
    let mut client = Client::come(&world.server, Come::Clear);
    client.raw(&[0x30, 5, 2]).await;
    assert!(client.read().await.is_none(), "part of a first message");
    let mut client = Client::come(&world.server, Come::Clear);
    assert_eq!(client.bind("", "").await, Code::SUCCESS);
    assert!(client.is_silent(SHORT * 3).await && client.who().await.is_some(), "whoever has said something may stay");
    assert!(began.elapsed() < SHORT * 12);
}

#[tokio::test]
async fn whoever_is_idle_is_sent_away() {
    let world = World::with(patient(Patience { idle: SHORT, ..patience() }));
    let mut client = Client::come(&world.server, Come::Clear);
    for _ in 0..6 {
        assert_eq!(client.bind("", "").await, Code::SUCCESS);
        tokio::time::sleep(SHORT / 3).await;
    }
    assert!(client.read().await.is_none());
}

#[tokio::test]
async fn a_writer_that_is_slow_does_not_hold_its_message_for_ever() {
    let world = World::with(patient(Patience { message: SHORT, ..patience() }));
    let mut client = Client::come(&world.server, Come::Clear);
    assert_eq!(client.bind("", "").await, Code::SUCCESS);
    let mut octets = BytesMut::new();
    Message { id: 2, op: bind("", ""), controls: Vec::new() }.write(&mut octets);
    let began = Instant::now();
    for octet in &octets[..10] {
        client.raw(&[*octet]).await;
        tokio::time::sleep(SHORT / 10).await;
    }
    assert!(client.read().await.is_none(), "each octet comes in time, and the message does not");
    assert!(began.elapsed() < SHORT * 5);
}

#[tokio::test]
async fn a_reader_that_has_stopped_is_sent_away() {
    let directory: fn(&mut fedbridge_contract::config::LdapDirectory) =
        |it| (it.size_limit, it.time_limit) = (1_000_000, LONG);
    let setting = Setting { people: 20_000, directory, ..patient(Patience { stall: SHORT, ..patience() }) };
    let world = World::with(setting);
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    client.send(Op::Search(search("ou=people,dc=acme", "(objectClass=*)"))).await;
    // Two seconds are for last words, which nobody reads either.
    tokio::time::timeout(Duration::from_secs(5), client.session).await.unwrap().unwrap();
}

/// Each step of a search goes over the whole filter; a part that asks every attribute is a hundred of them.
#[tokio::test]
async fn a_search_asks_for_so_much_at_once_and_no_more() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Tls(None));
    let usual = || search("ou=people,dc=acme", "(uid=jane)");
    let many = |part: &str, count| {
        let part = Filter::parse(part).unwrap();
        fedbridge_ldap_core::Search { filter: Filter::Or(vec![part; count]), ..usual() }
    };
    let pieces = format!("(cn=*{})", "a*".repeat(11_000));
    let names = vec!["x".to_owned(); 11_000];
    let too_much = || {
        [
            many("(cn=a)", 11_000),
            many("(:caseIgnoreMatch:=x)", 200),
            many(&pieces, 1),
            fedbridge_ldap_core::Search { attributes: names.clone(), ..usual() },
        ]
    };
    // The root DSE is everybody's.
    for asked in too_much() {
        let root =
            fedbridge_ldap_core::Search { base: String::new(), scope: fedbridge_ldap_core::Scope::Base, ..asked };
        assert_eq!(client.search(root, &[]).await.1.code, Code::ADMIN_LIMIT);
    }
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    for asked in too_much() {
        assert_eq!(client.search(asked, &[]).await.1.code, Code::ADMIN_LIMIT);
    }
    let assertion = Control::with_value(ASSERTION, true, many("(cn=a)", 11_000).filter.encode());
    assert_eq!(client.search(usual(), &[assertion]).await.1.code, Code::ADMIN_LIMIT);
    assert_eq!(client.search(many("(uid=jane)", 5_000), &[]).await.1.code, Code::SUCCESS);
}
