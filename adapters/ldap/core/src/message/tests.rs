use super::*;
use crate::frame::{Framer, REQUEST_DEPTH};
use crate::result::Code;

fn frame(octets: &[u8]) -> Frame {
    let mut buffer = BytesMut::from(octets);
    Framer::new(1 << 20, REQUEST_DEPTH).next(&mut buffer).unwrap().expect("a whole message")
}

fn read(octets: &[u8]) -> Result<Message, Unreadable> {
    Message::read(&frame(octets))
}

/// A message around an operation.
fn around(op: &[u8]) -> Vec<u8> {
    let mut into = BytesMut::new();
    envelope(7, op, &[], &mut into);
    into.to_vec()
}

fn bytes(octets: &[u8]) -> Bytes {
    Bytes::copy_from_slice(octets)
}

fn search() -> Search {
    Search {
        base: "ou=people,dc=acme,dc=example".to_owned(),
        scope: Scope::Sub,
        aliases: 0,
        size: 5,
        time: 30,
        types_only: false,
        filter: Filter::parse("(&(objectClass=person)(uid=alice))").unwrap(),
        attributes: vec!["cn".to_owned(), "mail".to_owned(), "+".to_owned()],
    }
}

fn operations() -> Vec<Op> {
    let result = LdapResult {
        code: Code::NO_SUCH_OBJECT,
        matched: "dc=example".to_owned(),
        text: "not here".to_owned(),
        referral: vec!["ldap://other.example/".to_owned()],
    };
    let mut all = vec![
        Op::Bind { version: 3, name: "uid=a".to_owned(), auth: Auth::Simple(bytes(b"\xff\0secret")) },
        Op::Bind { version: 2, name: String::new(), auth: Auth::Simple(Bytes::new()) },
        Op::Bind {
            version: 3,
            name: String::new(),
            auth: Auth::Sasl { mechanism: "EXTERNAL".to_owned(), credentials: None },
        },
        Op::Bind {
            version: 3,
            name: String::new(),
            auth: Auth::Sasl { mechanism: "PLAIN".to_owned(), credentials: Some(bytes(b"\0a\0b")) },
        },
        Op::Bind { version: 3, name: String::new(), auth: Auth::Other(0x81) },
        Op::Bind { version: 3, name: String::new(), auth: Auth::Other(0xa4) },
        Op::Unbind,
        Op::Search(search()),
        Op::Compare { dn: "uid=a".to_owned(), attribute: "member".to_owned(), value: bytes(b"uid=b") },
        Op::Abandon(300),
        Op::Extended { oid: "1.2.3".to_owned(), value: None },
        Op::Extended { oid: "1.2.3".to_owned(), value: Some(bytes(b"x")) },
        Op::modify(
            "uid=a",
            &[Change::Replace("mail", &[b"a@b"]), Change::Delete("cn", &[]), Change::Add("sn", &[b"x", b"y"])],
        ),
        Op::Write { kind: Write::Delete, dn: "uid=a".to_owned(), body: bytes(b"uid=a") },
        Op::Write { kind: Write::Add, dn: "uid=a".to_owned(), body: bytes(b"\x04\x05uid=a\x30\0") },
        Op::Write {
            kind: Write::Rename,
            dn: "uid=a".to_owned(),
            body: bytes(b"\x04\x05uid=a\x04\x05uid=b\x01\x01\xff"),
        },
        Op::BindDone { result: result.clone(), sasl: None },
        Op::BindDone { result: LdapResult::success(), sasl: Some(bytes(b"x")) },
        Op::Entry(Entry {
            dn: "uid=a".to_owned(),
            attributes: vec![
                ("cn".to_owned(), vec![bytes(b"A"), bytes(b"B")]),
                ("jpegPhoto;binary".to_owned(), vec![bytes(b"\xff\0")]),
                ("member;range=0-1".to_owned(), Vec::new()),
            ],
        }),
        Op::Reference(vec!["ldap://a/".to_owned(), "ldap://b/".to_owned()]),
        Op::ExtendedDone { result: result.clone(), oid: Some("1.2.3".to_owned()), value: Some(bytes(b"")) },
        Op::ExtendedDone { result: LdapResult::success(), oid: None, value: None },
        Op::Intermediate { oid: Some("1.2.3".to_owned()), value: Some(bytes(b"x")) },
        Op::Intermediate { oid: None, value: None },
    ];
    for of in [Done::Search, Done::Modify, Done::Add, Done::Delete, Done::Rename, Done::Compare] {
        all.push(Op::Done { of, result: result.clone() });
    }
    all
}

#[test]
fn every_operation_goes_round() {
    let controls = vec![
        Control::new("2.16.840.1.113730.3.4.2", true),
        Control::with_value("1.2.840.113556.1.4.319", false, bytes(b"\x30\x05\x02\x01\x05\x04\0")),
    ];
    for op in operations() {
        for controls in [Vec::new(), controls.clone()] {
            let message = Message { id: 1000, op: op.clone(), controls };
            let mut into = BytesMut::new();
            message.write(&mut into);
            assert_eq!(read(&into), Ok(message));
        }
    }
}

#[test]
fn octets_as_ldapsearch_sends_them() {
    let octets = [
        &b"\x30\x84\0\0\0\x30\x02\x01\x02\x63\x84\0\0\0\x27\x04\x02dc\x0a\x01\x02\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0"[..],
        b"\xa3\x84\0\0\0\x08\x04\x03uid\x04\x01a\x30\x84\0\0\0\0",
    ]
    .concat();
    let Ok(Message { id: 2, op: Op::Search(search), controls }) = read(&octets) else { panic!("{:?}", read(&octets)) };
    assert_eq!(search.filter, Filter::parse("(uid=a)").unwrap());
    assert_eq!((search.base.as_str(), search.scope, controls.len()), ("dc", Scope::Sub, 0));
}

#[test]
fn what_a_later_version_adds_is_ignored() {
    // Behind the fields of a compare, behind its assertion, and behind the message's controls.
    let octets = b"\x30\x1b\x02\x01\x07\x6e\x10\x04\x01a\x30\x09\x04\x01b\x04\x01c\x87\x01x\x85\0\xa0\0\x8f\x02\0\0";
    let compare = Op::Compare { dn: "a".to_owned(), attribute: "b".to_owned(), value: bytes(b"c") };
    assert_eq!(read(octets), Ok(Message { id: 7, op: compare, controls: Vec::new() }));
}

#[test]
fn messages_without_a_number() {
    for octets in [
        &b"\x30\x05\x02\x01\x00\x42\0"[..],    // zero
        b"\x30\x05\x02\x01\xff\x42\0",         // negative
        b"\x30\x08\x02\x04\x80\0\0\0\x42\0",   // too large
        b"\x30\x09\x02\x05\x01\0\0\0\0\x42\0", // too large
        b"\x30\x05\x04\x01\x01\x42\0",         // no number
        b"\x30\x04\x02\0\x42\0",               // of no octets
    ] {
        let fault = read(octets).unwrap_err();
        assert_eq!((fault.id, fault.why), (None, Malformed::MessageId), "{octets:x?}");
        assert_eq!(fault.answer(LdapResult::new(Code::PROTOCOL, "")), None);
    }
    let notice = crate::extended::notice_of_disconnection(Code::UNAVAILABLE, "bye");
    let mut into = BytesMut::new();
    notice.write(&mut into);
    assert_eq!(read(&into), Ok(notice));
}

#[test]
fn what_can_be_answered_is() {
    let fault = |op: &[u8]| {
        let fault = read(&around(op)).expect_err("no operation");
        assert_eq!(fault.id, Some(7));
        (fault.why, fault.answer(LdapResult::new(Code::PROTOCOL, "")).map(|(_, op)| op))
    };
    let result = LdapResult::new(Code::PROTOCOL, "");
    let done = |of| Some(Op::Done { of, result: result.clone() });
    // A search: with a scope that is none, aliases that are none, a size below zero, no filter, a filter of nothing.
    assert_eq!(fault(b"\x63\x05\x04\0\x0a\x01\x05"), (Malformed::NotAMessage, done(Done::Search)));
    assert_eq!(fault(b"\x63\x08\x04\0\x0a\x01\x02\x0a\x01\x04").1, done(Done::Search));
    assert_eq!(fault(b"\x63\x0b\x04\0\x0a\x01\x02\x0a\x01\0\x02\x01\xff").1, done(Done::Search));
    assert_eq!(fault(b"\x63\x11\x04\0\x0a\x01\x02\x0a\x01\0\x02\x01\0\x02\x01\0\x01\x01\0").1, done(Done::Search));
    // Names that are no UTF-8.
    assert_eq!(fault(b"\x6e\x03\x04\x01\xff"), (Malformed::NotUtf8, done(Done::Compare)));
    assert_eq!(fault(b"\x4a\x01\xff"), (Malformed::NotUtf8, done(Done::Delete)));
    assert_eq!(fault(b"\x60\x03\x02\x01\x03").1, Some(Op::BindDone { result: result.clone(), sasl: None }));
    assert_eq!(fault(b"\x77\0").1, Some(Op::ExtendedDone { result: result.clone(), oid: None, value: None }));
    assert_eq!(fault(b"\x66\0").1, done(Done::Modify));
    assert_eq!(fault(b"\x68\0").1, done(Done::Add));
    assert_eq!(fault(b"\x6c\0").1, done(Done::Rename));
    // Those without an answer, and those that nobody knows.
    assert_eq!(fault(b"\x50\0").1, None);
    assert_eq!(fault(b"\x7e\0"), (Malformed::NotAMessage, None));
    assert_eq!(fault(b"\x04\0").1, None);
    // In the wrong form: a bind that is primitive.
    assert_eq!(fault(b"\x40\0").1, None);
}

#[test]
fn controls_that_are_none() {
    for controls in [
        &b"\xa0\x02\x30\0"[..],
        b"\xa0\x02\x04\0",
        b"\xa0\x05\x30\x03\x04\x01\xff",
        b"\xa0\x08\x30\x06\x04\x01a\x01\x01",
    ] {
        let length = u8::try_from(5 + controls.len()).unwrap();
        let octets = [&[0x30, length, 2, 1, 7, 0x42, 0], controls].concat();
        let Ok(frame) = Framer::new(100, REQUEST_DEPTH).next(&mut BytesMut::from(&octets[..])) else { continue };
        let fault = Message::read(&frame.unwrap()).expect_err("no controls");
        assert_eq!((fault.id, fault.op), (Some(7), Some(0x42)));
    }
}

#[test]
fn a_filter_of_64_levels_comes_through_and_of_65_does_not() {
    let nested = |levels: usize| {
        let mut filter = Filter::Substrings(
            "a".to_owned(),
            crate::filter::Substrings { first: Some(bytes(b"x")), ..Default::default() },
        );
        for _ in 1..levels {
            filter = Filter::Not(Box::new(filter));
        }
        let mut into = BytesMut::new();
        Message { id: 1, op: Op::Search(Search { filter, ..search() }), controls: Vec::new() }.write(&mut into);
        read(&into)
    };
    assert!(nested(64).is_ok());
    let fault = nested(65).unwrap_err();
    assert_eq!((fault.id, fault.why), (Some(1), Malformed::TooDeep));
}

#[test]
fn nothing_secret_is_shown() {
    for op in operations() {
        let shown = format!("{op:?}{:?}", Message { id: 1, op: op.clone(), controls: Vec::new() });
        assert!(!shown.contains("secret") && !shown.contains("a@b"), "{shown}");
    }
    let octets = around(&Op::Bind { version: 3, name: String::new(), auth: Auth::Simple(bytes(b"secret")) }.octets());
    assert_eq!(format!("{:?}", frame(&octets)), format!("Frame({} octets)", octets.len()));
}

#[test]
fn attributes_of_an_entry() {
    let entry = Entry {
        dn: "uid=a".to_owned(),
        attributes: vec![
            ("MAIL".to_owned(), vec![bytes(b"\xff"), bytes(b"a@b")]),
            ("mail;lang-en".to_owned(), vec![bytes(b"c@d")]),
            ("cn".to_owned(), Vec::new()),
        ],
    };
    assert_eq!(entry.values("mail").count(), 3);
    assert_eq!(entry.text("mail"), Some("a@b"));
    assert_eq!(entry.text("cn"), None);
    assert_eq!(entry.values("sn").count(), 0);
}
