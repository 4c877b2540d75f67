//! Password Modify (RFC 3062).

use std::sync::atomic::Ordering;

use bytes::Bytes;
use fedbridge_ldap_core::extended::{PASSWORD_MODIFY, PasswordModify};
use fedbridge_ldap_core::{Code, Op};
use tokio::time::Instant;

use crate::client::{Client, Come};
use crate::world::{DEADLINE, JANE, JENKINS, Setting, World};

fn change(user: Option<&str>, old: Option<&str>, new: Option<&str>) -> Op {
    let octets = |text: Option<&str>| text.map(|text| Bytes::copy_from_slice(text.as_bytes()));
    PasswordModify { user: octets(user), old: octets(old), new: octets(new) }.op()
}

async fn jane(world: &World) -> Client {
    let mut client = Client::come(&world.server, Come::Tls(None));
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    client
}

#[tokio::test]
async fn a_person_changes_the_own_password_with_the_old_one() {
    let world = World::new();
    let mut client = jane(&world).await;
    let (old, new) = (Some("jane-secret"), Some("a new one"));
    for user in [None, Some(JANE), Some("dn:UID=Jane,OU=people,DC=acme")] {
        assert_eq!(client.code(change(user, old, new)).await, Code::SUCCESS, "{user:?}");
    }
    let asked = world.state.asked.load(Ordering::Relaxed);
    assert_eq!(client.bind(JANE, "jane-secret").await, Code::SUCCESS);
    assert_eq!(world.state.asked.load(Ordering::Relaxed), asked + 1, "nothing is remembered of the old one");
}

#[tokio::test]
async fn anything_else_changes_nothing() {
    let world = World::new();
    let mut client = jane(&world).await;
    let (old, new) = (Some("jane-secret"), Some("a new one"));
    let began = Instant::now();
    assert_eq!(client.code(change(None, Some("wrong"), new)).await, Code::UNWILLING);
    assert!(began.elapsed() >= DEADLINE, "as slow as a bind that fails");
    for (request, code) in [
        (change(None, old, Some("weak")), Code::UNWILLING),
        (change(None, None, new), Code::UNWILLING),
        (change(None, old, None), Code::UNWILLING),
        (change(None, old, Some("")), Code::UNWILLING),
        (change(Some("uid=slow,ou=people,dc=acme"), old, new), Code::INSUFFICIENT_ACCESS),
        (change(Some("no dn"), old, new), Code::INSUFFICIENT_ACCESS),
        (
            Op::Extended { oid: PASSWORD_MODIFY.to_owned(), value: Some(Bytes::from_static(b"\x30\x05")) },
            Code::PROTOCOL,
        ),
    ] {
        assert_eq!(client.code(request.clone()).await, code, "{request:?}");
    }
    assert_eq!(client.bind(JENKINS, "jenkins-secret").await, Code::SUCCESS);
    assert_eq!(client.code(change(Some(JANE), old, new)).await, Code::INSUFFICIENT_ACCESS, "an app");
    assert_eq!(client.bind("", "").await, Code::SUCCESS);
    assert_eq!(client.code(change(Some(JANE), old, new)).await, Code::INSUFFICIENT_ACCESS, "nobody");
}

#[tokio::test]
async fn it_is_off_unless_the_tenant_wants_it() {
    let world = World::with(Setting { directory: |it| it.password_modify = false, ..Setting::default() });
    let mut client = jane(&world).await;
    assert_eq!(client.code(change(None, Some("jane-secret"), Some("a new one"))).await, Code::UNWILLING);
}
