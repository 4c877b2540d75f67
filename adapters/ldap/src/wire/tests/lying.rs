//! Servers that send what they should not: an error, and nothing worse.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fedbridge_ldap_core::{Code, Done, LdapResult, Message, Op};

use super::super::*;
use super::support::*;

const LIMIT: Duration = Duration::from_secs(5);

/// Octets that no directory should send, for the request of this number.
fn lies(id: i32) -> Vec<(&'static str, Vec<u8>)> {
    let id = u8::try_from(id).unwrap();
    let nested = |depth: usize| {
        let inner = (0..depth).rev().map(|below| (below * 5).to_be_bytes());
        inner.flat_map(|length| [0x30, 0x83, length[5], length[6], length[7]]).collect::<Vec<u8>>()
    };
    let message = |op: &[u8]| [&[0x30, u8::try_from(3 + op.len()).unwrap(), 2, 1, id][..], op].concat();
    vec![
        ("no BER", b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()),
        ("four gigabytes", vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 2, 1, id]),
        ("a length of nine octets", vec![0x30, 0x89, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("no end", vec![0x30, 0x80, 2, 1, id, 0, 0]),
        ("an empty message", vec![0x30, 0]),
        ("no operation", vec![0x30, 3, 2, 1, id]),
        ("no number", vec![0x30, 2, 0x65, 0]),
        ("a number without octets", vec![0x30, 4, 2, 0, 0x65, 0]),
        ("too deep", nested(5000)),
        ("an inner length beyond its parent", message(&[0x64, 4, 4, 0x84, 0x7f, 0xff])),
        ("an entry that is none", message(&[0x64, 2, 2, 0])),
        ("an entry of numbers", message(&[0x64, 6, 4, 1, b'a', 2, 1, 1])),
        ("an attribute without values", message(&[0x64, 8, 4, 1, b'a', 0x30, 3, 0x30, 1, 4])),
        ("a name that is no UTF-8", message(&[0x64, 5, 4, 1, 0xff, 0x30, 0])),
        ("a result without a code", message(&[0x65, 0])),
        ("a result of texts", message(&[0x65, 9, 4, 1, b'a', 4, 1, b'b', 4, 1, b'c'])),
        ("a reference of numbers", message(&[0x73, 3, 2, 1, 1])),
        (
            "controls that are none",
            [&[0x30, 16, 2, 1, id][..], &[0x65, 7, 10, 1, 0, 4, 0, 4, 0, 0xa0, 2, 5, 0][..]].concat(),
        ),
        (
            "a control without a name",
            [&[0x30, 18, 2, 1, id][..], &[0x65, 7, 10, 1, 0, 4, 0, 4, 0, 0xa0, 4, 0x30, 2, 1, 0][..]].concat(),
        ),
        ("an unknown operation", message(&[0x7e, 0])),
        ("a request", octets(i32::from(id), Op::Abandon(1), Vec::new())),
        ("a bind's answer", octets(i32::from(id), bound(Code::SUCCESS, ""), Vec::new())),
        ("an extended answer", octets(i32::from(id), yes(), Vec::new())),
        ("another number", octets(i32::from(id) + 1, found(Code::SUCCESS), Vec::new())),
        (
            "another operation's end",
            octets(i32::from(id), Op::Done { of: Done::Modify, result: LdapResult::success() }, Vec::new()),
        ),
        (
            "a notice",
            octets(
                0,
                Op::ExtendedDone { result: LdapResult::new(Code(52), "bye"), oid: None, value: None },
                Vec::new(),
            ),
        ),
    ]
}

fn liar(lie: usize, to: fn(&Op) -> bool) -> Behaviour {
    but(move |_, message: &Message| to(&message.op).then(|| vec![Act::Raw(lies(message.id).remove(lie).1), Act::Stall]))
}

#[tokio::test]
async fn lies_in_answer_to_a_search_are_errors() {
    let limits = Timeouts { search: Duration::from_secs(2), ..Timeouts::default() };
    for lie in 0..lies(1).len() {
        let what = lies(1).remove(lie).0;
        let directory =
            Directory::clear(liar(lie, |op| matches!(op, Op::Search(search) if !search.base.is_empty()))).await;
        let upstream = open(Settings { timeouts: limits, ..settings(&[directory.port]) });
        let error = upstream.search_all(&search()).await.err().unwrap_or_else(|| panic!("{what}"));
        assert!(matches!(&error, WireError::Lost { .. } | WireError::AllDown(_)), "{what}: {error}");
    }
}

#[tokio::test]
async fn lies_in_answer_to_a_bind_are_errors() {
    for lie in 0..lies(1).len() {
        let what = lies(1).remove(lie).0;
        if what == "a bind's answer" {
            continue;
        }
        let directory = Directory::clear(liar(lie, |op| matches!(op, Op::Bind { .. }))).await;
        let upstream = open(settings(&[directory.port]));
        let error =
            upstream.bind("uid=u", &password(b"right"), None, LIMIT).await.err().unwrap_or_else(|| panic!("{what}"));
        assert!(matches!(&error, WireError::Lost { .. }), "{what}: {error}");
    }
}

#[tokio::test]
async fn lies_in_answer_to_other_operations_are_errors() {
    let wrong = |id| {
        vec![
            octets(id, entry("uid=u", "cn", b"x"), Vec::new()),
            octets(id, found(Code::SUCCESS), Vec::new()),
            octets(id, Op::Intermediate { oid: None, value: None }, Vec::new()),
            octets(id, bound(Code::SUCCESS, ""), Vec::new()),
        ]
    };
    for at in 0..4 {
        let behaviour = but(move |_, message: &Message| match message.op {
            Op::Compare { .. } | Op::Write { .. } | Op::Extended { .. } => {
                Some(vec![Act::Raw(wrong(message.id).remove(at)), Act::Stall])
            }
            _ => None,
        });
        let directory = Directory::clear(behaviour).await;
        let upstream = open(settings(&[directory.port]));
        let lease = async || upstream.service().await.unwrap();
        let unasked = |error: Option<WireError>| matches!(error, Some(WireError::Lost { cause, .. }) if cause.contains("nobody asked"));
        assert!(unasked(lease().await.compare("uid=u", "cn", b"x").await.err()));
        assert!(unasked(lease().await.extended("1.2.3", None, Vec::new()).await.err()));
        let change = Change::Replace("cn", &[b"x"]);
        assert!(unasked(lease().await.modify("uid=u", &[change], Vec::new()).await.err()));
    }
}

/// The longest message that is taken is what the settings say.
#[tokio::test]
async fn a_message_that_is_too_long_is_not_read() {
    let directory = Directory::clear(but(|_, message| match &message.op {
        Op::Search(search) if !search.base.is_empty() => {
            Some(vec![Act::Say(entry("uid=u", "jpegPhoto", &vec![7; 100_000])), Act::Say(found(Code::SUCCESS))])
        }
        _ => None,
    }))
    .await;
    let upstream = open(Settings { max_pdu: 200_000, ..settings(&[directory.port]) });
    assert_eq!(upstream.search_all(&search()).await.unwrap().entries[0].values("jpegphoto")[0].len(), 100_000);
    let upstream = open(Settings { max_pdu: 100_000, ..settings(&[directory.port]) });
    let error = upstream.search_all(&search()).await.err().unwrap();
    assert!(error.to_string().contains("too long"), "{error}");
}

/// Values are octets, whatever they look like.
#[tokio::test]
async fn octets_come_as_they_are() {
    let odd = b"\x2a\x28\x00\xff\x5c";
    let directory = Directory::clear(but(move |_, message| match &message.op {
        Op::Search(search) if !search.base.is_empty() => {
            Some(vec![Act::Say(entry("uid=u", "objectGUID", odd)), Act::Say(found(Code::SUCCESS))])
        }
        _ => None,
    }))
    .await;
    let upstream = open(settings(&[directory.port]));
    let filter = fedbridge_ldap_core::Filter::Equal("objectGUID".to_owned(), Bytes::from_static(odd));
    let found = upstream.search_all(&Search { filter: filter.clone(), ..search() }).await.unwrap();
    assert_eq!(found.entries[0].values("objectGUID"), [odd.to_vec()]);
    let log = directory.log.lock().unwrap();
    let sent = log.requests.iter().find_map(|message| match &message.op {
        Op::Search(search) => Some(search.filter.clone()),
        _ => None,
    });
    assert_eq!(sent, Some(filter), "and so they are asked for");
    let _ = Arc::strong_count(&upstream);
}
