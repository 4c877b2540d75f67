//! Result codes (RFC 4511 appendix A), and what each control is answered with.

use bytes::Bytes;
use fedbridge_ldap_core::control::{
    ASSERTION, DIR_SYNC, MANAGE_DSA_IT, PAGED_RESULTS, SORT_REQUEST, VIRTUAL_LIST_VIEW,
};
use fedbridge_ldap_core::extended::{CANCEL, PASSWORD_MODIFY, START_TLS, WHO_AM_I};
use fedbridge_ldap_core::password_policy::PASSWORD_POLICY;
use fedbridge_ldap_core::{Code, Control, Filter, Op, Scope, Write};

use crate::client::{Client, Come, bind, extended, search};
use crate::world::{JANE, JENKINS, World};

async fn app(world: &World) -> Client {
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    client
}

fn compare(dn: &str, value: &str) -> Op {
    Op::Compare { dn: dn.to_owned(), attribute: "uid".to_owned(), value: Bytes::copy_from_slice(value.as_bytes()) }
}

#[tokio::test]
async fn what_the_directory_says_arrives_with_the_entry_that_matched() {
    let world = World::new();
    let mut client = app(&world).await;
    for code in [1, 2, 3, 4, 10, 11, 16, 18, 20, 21, 32, 34, 48, 50, 51, 52, 53, 64, 80] {
        let base = format!("cn=code-{code},dc=acme");
        let (entries, result, _) = client.search(search(&base, "(uid=jane)"), &[]).await;
        assert_eq!((entries.len(), result.code, result.matched.as_str()), (0, Code(code), "dc=acme"));
        let (result, _) = client.answer(compare(&base, "x"), &[]).await;
        assert_eq!((result.code, result.matched.as_str()), (Code(code), "dc=acme"));
    }
}

#[tokio::test]
async fn compares_say_true_and_false() {
    let world = World::new();
    let mut client = app(&world).await;
    assert_eq!(client.code(compare(JANE, "jane")).await, Code::COMPARE_TRUE);
    assert_eq!(client.code(compare(JANE, "june")).await, Code::COMPARE_FALSE);
    assert_eq!(client.code(compare("dc=acme", "x")).await, Code::NO_SUCH_ATTRIBUTE);
    let mut nobody = Client::come(&world.server, Come::Tls(None));
    assert_eq!(nobody.code(compare(JANE, "jane")).await, Code::INSUFFICIENT_ACCESS);
}

#[tokio::test]
async fn nothing_is_written_and_nothing_seems_to_be() {
    let world = World::new();
    let kinds = [Write::Modify, Write::Add, Write::Delete, Write::Rename];
    // Each with a body of its own form (RFC 4511 sections 4.6 to 4.9).
    let body = |kind| -> Bytes {
        let dn = [&[4, u8::try_from(JANE.len()).unwrap()][..], JANE.as_bytes()].concat();
        match kind {
            Write::Modify => [&dn[..], b"\x30\0"].concat().into(),
            Write::Add => [&dn[..], b"\x30\0"].concat().into(),
            Write::Delete => Bytes::from_static(JANE.as_bytes()),
            Write::Rename => [&dn[..], b"\x04\x05uid=x\x01\x01\xff"].concat().into(),
        }
    };
    let op = |kind| Op::Write { kind, dn: JANE.to_owned(), body: body(kind) };
    let mut nobody = Client::come(&world.server, Come::Clear);
    let mut client = app(&world).await;
    for kind in kinds {
        assert_eq!(nobody.code(op(kind)).await, Code::INSUFFICIENT_ACCESS, "{kind:?}");
        assert_eq!(client.code(op(kind)).await, Code::UNWILLING, "{kind:?}");
        let (result, _) = client.answer(op(kind), &[Control::new("1.2.3.4", true)]).await;
        assert_eq!(result.code, Code::UNAVAILABLE_CRITICAL_EXTENSION);
    }
    assert_eq!(world.state.causes("refused").len(), 8);
    assert!(world.state.learnt.lock().unwrap().contains(&"refused modify DN".to_owned()));
}

#[tokio::test]
async fn extended_operations_that_are_not_known_are_refused() {
    let world = World::new();
    let mut client = app(&world).await;
    for oid in ["1.2.3.4", "", "1.3.6.1.1.21.1", "not an oid"] {
        assert_eq!(client.code(extended(oid)).await, Code::PROTOCOL, "{oid}");
    }
    let with_value = Op::Extended { oid: WHO_AM_I.to_owned(), value: Some(Bytes::new()) };
    assert_eq!(client.code(with_value).await, Code::PROTOCOL);
    assert_eq!(client.code(extended(CANCEL)).await, Code::PROTOCOL, "of what?");
    for oid in [WHO_AM_I, CANCEL, PASSWORD_MODIFY, START_TLS] {
        let (result, _) = client.answer(extended(oid), &[Control::new("1.2.3.4", true)]).await;
        assert_eq!(result.code, Code::UNAVAILABLE_CRITICAL_EXTENSION, "{oid}");
    }
}

#[tokio::test]
async fn a_critical_control_is_understood_or_refused() {
    let world = World::new();
    let mut client = app(&world).await;
    let strange = ["1.2.3.4", SORT_REQUEST, VIRTUAL_LIST_VIEW, DIR_SYNC, "1.3.6.1.4.1.4203.666.5.16"];
    for oid in strange {
        for (critical, code) in [(true, Code::UNAVAILABLE_CRITICAL_EXTENSION), (false, Code::SUCCESS)] {
            let control = [Control::new(oid, critical)];
            let (_, result, answers) = client.search(search("ou=people,dc=acme", "(uid=jane)"), &control).await;
            assert_eq!((result.code, answers.len()), (code, 0), "{oid} {critical}");
            let wanted = if critical { code } else { Code::COMPARE_TRUE };
            assert_eq!(client.answer(compare(JANE, "jane"), &control).await.0.code, wanted, "{oid}");
        }
    }
    for critical in [true, false] {
        for oid in [MANAGE_DSA_IT, PASSWORD_POLICY] {
            let control = [Control::new(oid, critical)];
            let (entries, result, _) = client.search(search("ou=people,dc=acme", "(uid=jane)"), &control).await;
            assert_eq!((entries.len(), result.code), (1, Code::SUCCESS), "{oid}");
        }
    }
    let (result, _) = client.answer(bind(JENKINS, "jenkins-secret"), &[Control::new("1.2.3.4", true)]).await;
    assert_eq!(result.code, Code::UNAVAILABLE_CRITICAL_EXTENSION);
    assert_eq!(client.who().await.as_deref(), Some(""), "it was a bind, though, and it failed");
    let (result, _) = client.answer(bind(JENKINS, "jenkins-secret"), &[Control::new(PAGED_RESULTS, true)]).await;
    assert_eq!(result.code, Code::UNAVAILABLE_CRITICAL_EXTENSION, "pages of a bind");
}

#[tokio::test]
async fn controls_that_are_malformed_or_come_twice_are_errors() {
    let world = World::new();
    let mut client = app(&world).await;
    let value = |oid: &str, octets: &'static [u8]| Control::with_value(oid, false, Bytes::from_static(octets));
    let page = || value(PAGED_RESULTS, &[0x30, 5, 2, 1, 10, 4, 0]);
    for controls in [
        vec![value(PAGED_RESULTS, b"")],
        vec![value(PAGED_RESULTS, &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff])],
        vec![value(PAGED_RESULTS, &[0x30, 5, 2, 1, 0xff, 4, 0])],
        vec![value(ASSERTION, &[0xa3, 5, 4, 1, b'a', 4, 0x84])],
        vec![Control::new(ASSERTION, true)],
        vec![page(), page()],
    ] {
        let (_, result, _) = client.search(search("ou=people,dc=acme", "(uid=jane)"), &controls).await;
        assert_eq!(result.code, Code::PROTOCOL, "{controls:?}");
    }
}

#[tokio::test]
async fn an_assertion_that_does_not_hold_stops_the_operation() {
    let world = World::new();
    let mut client = app(&world).await;
    let assertion = |filter: &str| [Control::with_value(ASSERTION, true, Filter::parse(filter).unwrap().encode())];
    for (filter, code) in [("(uid=jane)", Code::SUCCESS), ("(uid=nobody)", Code::ASSERTION_FAILED)] {
        let (_, result, _) = client.search(search("ou=people,dc=acme", "(uid=jane)"), &assertion(filter)).await;
        assert_eq!(result.code, code);
    }
    // The fake directory looks for entries at its containers only.
    assert_eq!(client.answer(compare(JANE, "jane"), &assertion("(uid=jane)")).await.0.code, Code::ASSERTION_FAILED);
}

#[tokio::test]
async fn everybody_may_read_the_root_and_nobody_the_rest() {
    let world = World::new();
    for come in [Come::Clear, Come::Tls(None)] {
        let mut client = Client::come(&world.server, come);
        let root = fedbridge_ldap_core::Search { scope: Scope::Base, ..search("", "(objectClass=*)") };
        let (entries, result, _) = client.search(root, &[]).await;
        assert_eq!((entries.len(), result.code), (1, Code::SUCCESS));
        for base in ["dc=acme", "ou=people,dc=acme", "dc=elsewhere", ""] {
            let (entries, result, _) = client.search(search(base, "(uid=jane)"), &[]).await;
            assert_eq!((entries.len(), result.code), (0, Code::INSUFFICIENT_ACCESS), "{base}");
        }
    }
}

/// What a client writes in the place of an OID stands in no answer and in no trace.
#[tokio::test]
async fn what_is_no_oid_is_not_said_again() {
    let world = World::new();
    let mut client = app(&world).await;
    for oid in ["1.2.3\u{1b}[2J\r\nforged", &"1.2.3".repeat(100)] {
        let controls = [Control::new(oid, true)];
        let (_, result, _) = client.search(search("ou=people,dc=acme", "(uid=jane)"), &controls).await;
        assert_eq!(result.code, Code::UNAVAILABLE_CRITICAL_EXTENSION);
        assert!(result.text.contains("without an OID"), "{}", result.text);
    }
    let causes = world.state.causes("search");
    assert!(causes.len() == 2 && causes.iter().all(|cause| !cause.contains("1.2.3")), "{causes:?}");
}
