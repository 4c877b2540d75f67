//! Beginning TLS on a connection in clear (RFC 4511 section 4.14).

use bytes::{Bytes, BytesMut};
use fedbridge_ldap_core::extended::START_TLS;
use fedbridge_ldap_core::{Code, Control, Message, Op};
use fedbridge_ldap_server::Rules;

use crate::client::{Client, Come, bind, extended, search};
use crate::world::{JANE, JENKINS, Setting, World};

async fn begin(client: &mut Client) {
    assert_eq!(client.code(extended(START_TLS)).await, Code::SUCCESS);
    client.raw(b"HELLO").await;
}

#[tokio::test]
async fn a_password_may_come_when_tls_has_begun() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Clear);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::CONFIDENTIALITY_REQUIRED);
    begin(&mut client).await;
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    assert_eq!(client.code(extended(START_TLS)).await, Code::OPERATIONS, "TLS is there already");
    assert_eq!(client.who().await, Some(format!("dn:{JANE}")));
}

#[tokio::test]
async fn the_answer_names_the_operation() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Clear);
    client.send(extended(START_TLS)).await;
    let Op::ExtendedDone { result, oid, value } = client.read().await.unwrap().op else { panic!() };
    assert_eq!((result.code, oid.as_deref(), value), (Code::SUCCESS, Some(START_TLS), None));
}

#[tokio::test]
async fn what_comes_before_the_handshake_is_thrown_away() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Clear);
    // Both in one piece: whoever is on the way adds a bind to what the client says.
    let mut octets = BytesMut::new();
    Message { id: 1, op: extended(START_TLS), controls: Vec::new() }.write(&mut octets);
    Message { id: 2, op: bind(JENKINS, "jenkins-secret"), controls: Vec::new() }.write(&mut octets);
    client.raw(&octets).await;
    let answer = client.read().await.unwrap();
    assert_eq!(answer.id, 1);
    client.raw(b"HELLO").await;
    assert_eq!(client.who().await.as_deref(), Some(""), "nobody is bound, and nothing else was answered");
}

#[tokio::test]
async fn whoever_was_bound_in_clear_is_nobody_then() {
    let rules = Rules { require_tls: false, ..Rules::default() };
    let world = World::with(Setting { rules, ..Setting::default() });
    let mut client = Client::come(&world.server, Come::Clear);
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    begin(&mut client).await;
    assert_eq!(client.who().await.as_deref(), Some(""));
}

#[tokio::test]
async fn tls_is_not_begun_beside_other_operations() {
    let rules = Rules { require_tls: false, ..Rules::default() };
    let world = World::with(Setting { rules, people: 5_000, ..Setting::default() });
    let mut client = Client::come(&world.server, Come::Clear);
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    // The search has more to give than fits, so it is under way when the next message is read.
    client.send(Op::Search(search("ou=people,dc=acme", "(objectClass=*)"))).await;
    let id = client.send(extended(START_TLS)).await;
    loop {
        let message = client.read().await.unwrap();
        if message.id == id {
            assert_eq!(crate::client::result(&message.op).code, Code::OPERATIONS);
            break;
        }
    }
}

#[tokio::test]
async fn a_request_that_is_not_right_begins_nothing() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Clear);
    let with_value = Op::Extended { oid: START_TLS.to_owned(), value: Some(Bytes::from_static(b"x")) };
    assert_eq!(client.code(with_value).await, Code::PROTOCOL);
    let (result, _) = client.answer(extended(START_TLS), &[Control::new("1.2.3.4", true)]).await;
    assert_eq!(result.code, Code::UNAVAILABLE_CRITICAL_EXTENSION);
    let mut without = Client::come(&world.server, Come::ClearForGood);
    assert_eq!(without.code(extended(START_TLS)).await, Code::PROTOCOL, "there is no certificate");
    assert_eq!(without.who().await.as_deref(), Some(""), "it goes on in clear");
}

#[tokio::test]
async fn a_handshake_that_fails_ends_the_connection() {
    let world = World::new();
    let mut client = Client::come(&world.server, Come::Clear);
    assert_eq!(client.code(extended(START_TLS)).await, Code::SUCCESS);
    client.raw(b"HTTP/").await;
    assert!(client.read().await.is_none(), "it never goes on in clear");
}
