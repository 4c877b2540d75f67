//! Reads octets as a connection brings them, and whatever the messages carry.

use bytes::BytesMut;
use fedbridge_ldap_core::control::{DirSync, PagedResults, SortKey};
use fedbridge_ldap_core::extended::{PasswordModify, canceled, generated_password};
use fedbridge_ldap_core::frame::REQUEST_DEPTH;
use fedbridge_ldap_core::password_policy::PolicyAnswer;
use fedbridge_ldap_core::value::{sid::Sid, uuid};
use fedbridge_ldap_core::{Code, Control, Framer, LdapResult, Message, Op, sync};

/// # Panics
/// A message that was read can't be written so that it is read as the same one.
pub fn check(octets: &[u8]) {
    let framer = Framer::new(1 << 20, REQUEST_DEPTH);
    let mut buffer = BytesMut::from(octets);
    while let Ok(Some(frame)) = framer.next(&mut buffer) {
        match Message::read(&frame) {
            Ok(message) => {
                assert_eq!(again(&message), message, "another message");
                carried(&message);
            }
            Err(fault) => {
                if let Some((id, op)) = fault.answer(LdapResult::new(Code::PROTOCOL, "no")) {
                    again(&Message { id, op, controls: Vec::new() });
                }
            }
        }
    }
    // Values are read by the same rules, and come from the other side too.
    value(&Control::with_value("1.2.3", false, octets.to_vec().into()));
}

/// What our own octets are read as.
fn again(message: &Message) -> Message {
    let mut octets = BytesMut::new();
    message.write(&mut octets);
    let frame =
        Framer::new(usize::MAX, REQUEST_DEPTH).next(&mut octets).expect("our own octets").expect("a whole message");
    assert!(octets.is_empty(), "more than one message");
    Message::read(&frame).expect("our own message")
}

fn carried(message: &Message) {
    message.controls.iter().for_each(value);
    // None of it may fail, whatever it is.
    let _ = PolicyAnswer::find(&message.controls);
    let _ = format!("{message:?}");
    match &message.op {
        Op::Extended { value, .. } | Op::ExtendedDone { value, .. } | Op::Intermediate { value, .. } => {
            let value = Control { oid: String::new(), critical: false, value: value.clone() };
            self::value(&value);
        }
        Op::Entry(entry) => {
            for octets in entry.attributes.iter().flat_map(|(_, values)| values) {
                let _ = uuid::guid_to_text(octets);
                if let Some(sid) = Sid::from_octets(octets) {
                    assert_eq!(sid.octets(), octets[..], "another SID");
                    assert_eq!(Sid::from_text(&sid.to_string()), Some(sid), "another SID");
                }
            }
        }
        _ => {}
    }
}

/// Reads a value as everything that a value can be.
fn value(control: &Control) {
    if let Ok(paged) = PagedResults::read(control) {
        assert_eq!(PagedResults::read(&paged.control(true)), Ok(paged));
    }
    if let Ok(keys) = SortKey::read_all(control) {
        assert_eq!(SortKey::read_all(&SortKey::control(&keys, true)), Ok(keys));
    }
    if let Ok(dir_sync) = DirSync::read(control) {
        assert_eq!(DirSync::read(&dir_sync.control()), Ok(dir_sync));
    }
    if let Ok(answer) = PolicyAnswer::read(control) {
        assert_eq!(PolicyAnswer::read(&answer.control()), Ok(answer));
    }
    if let Ok(modify) = PasswordModify::read(control.value.as_ref()) {
        let Op::Extended { value, .. } = modify.op() else { unreachable!("it is an extended operation") };
        assert_eq!(PasswordModify::read(value.as_ref()), Ok(modify));
    }
    let _ = generated_password(control.value.as_ref());
    let _ = canceled(control.value.as_ref());
    let _ = sync::State::read(control);
    let _ = sync::Done::read(control);
    let _ = sync::Info::read(control.value.as_ref());
    let _ = control.assertion();
}
