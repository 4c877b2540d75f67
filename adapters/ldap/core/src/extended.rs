//! Extended operations and what they carry.

use bytes::Bytes;

use crate::ber::{INTEGER, SEQUENCE, Tree};
use crate::guard::Malformed;
use crate::message::{Message, Op};
use crate::result::{Code, LdapResult};

/// RFC 4511 section 4.14.
pub const START_TLS: &str = "1.3.6.1.4.1.1466.20037";
/// RFC 4511 section 4.4.1.
pub const NOTICE_OF_DISCONNECTION: &str = "1.3.6.1.4.1.1466.20036";
/// RFC 4532.
pub const WHO_AM_I: &str = "1.3.6.1.4.1.4203.1.11.3";
/// RFC 3062.
pub const PASSWORD_MODIFY: &str = "1.3.6.1.4.1.4203.1.11.1";
/// RFC 3909.
pub const CANCEL: &str = "1.3.6.1.1.8";

const USER: u8 = 0x80;
const OLD: u8 = 0x81;
const NEW: u8 = 0x82;
const GENERATED: u8 = 0x80;

/// What a server says before it closes the connection.
pub fn notice_of_disconnection(code: Code, text: &str) -> Message {
    let oid = Some(NOTICE_OF_DISCONNECTION.to_owned());
    Message {
        id: 0,
        op: Op::ExtendedDone { result: LdapResult::new(code, text), oid, value: None },
        controls: Vec::new(),
    }
}

/// What is asked by [`PASSWORD_MODIFY`].
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PasswordModify {
    /// A name, or whatever the server takes for one. `None`: whoever is bound.
    pub user: Option<Bytes>,
    pub old: Option<Bytes>,
    /// `None`: the server shall make one.
    pub new: Option<Bytes>,
}

impl PasswordModify {
    /// `value`: of the request; none at all is a request without fields.
    ///
    /// # Errors
    /// The value is none of this operation.
    pub fn read(value: Option<&Bytes>) -> Result<Self, Malformed> {
        let Some(value) = value else { return Ok(Self::default()) };
        let tree = Tree::of_value(value)?;
        if tree.tag() != SEQUENCE {
            return Err(Malformed::NotAMessage);
        }
        let mut fields = tree.fields()?;
        let mut field = |tag| fields.maybe(tag).map(Tree::content).transpose();
        Ok(Self { user: field(USER)?, old: field(OLD)?, new: field(NEW)? })
    }

    pub fn op(&self) -> Op {
        let fields = [(USER, &self.user), (OLD, &self.old), (NEW, &self.new)];
        let fields = fields.into_iter().filter_map(|(tag, field)| Some(Tree::octets(tag, &field.as_ref()?[..])));
        let value = Tree::of(SEQUENCE, fields.collect()).to_bytes();
        Op::Extended { oid: PASSWORD_MODIFY.to_owned(), value: Some(value) }
    }
}

/// The password that the server has made, in the value of its answer.
///
/// # Errors
/// The value is none of this operation.
pub fn generated_password(value: Option<&Bytes>) -> Result<Option<Bytes>, Malformed> {
    let Some(value) = value else { return Ok(None) };
    Tree::of_value(value)?.fields()?.maybe(GENERATED).map(Tree::content).transpose()
}

/// There are passwords in it.
impl std::fmt::Debug for PasswordModify {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut it = f.debug_struct("PasswordModify");
        it.field("user", &self.user).field("old", &self.old.is_some()).field("new", &self.new.is_some()).finish()
    }
}

/// The number of the operation that a [`CANCEL`] is about.
///
/// # Errors
/// The value is none of this operation.
pub fn canceled(value: Option<&Bytes>) -> Result<i32, Malformed> {
    let mut fields = Tree::of_value(value.map(Bytes::as_ref).unwrap_or_default())?.fields()?;
    i32::try_from(fields.number(INTEGER)?).ok().filter(|id| *id >= 0).ok_or(Malformed::MessageId)
}

pub fn cancel(id: i32) -> Op {
    let value = Tree::of(SEQUENCE, vec![Tree::integer(INTEGER, i64::from(id))]).to_bytes();
    Op::Extended { oid: CANCEL.to_owned(), value: Some(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(op: Op) -> Option<Bytes> {
        match op {
            Op::Extended { value, .. } => value,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn new_passwords() {
        let all = PasswordModify {
            user: Some(Bytes::from_static(b"uid=a")),
            old: Some(Bytes::from_static(b"\xffold")),
            new: Some(Bytes::from_static(b"new\0")),
        };
        assert_eq!(PasswordModify::read(value(all.op()).as_ref()), Ok(all.clone()));
        assert_eq!(PasswordModify::read(None), Ok(PasswordModify::default()));
        assert_eq!(PasswordModify::read(value(PasswordModify::default().op()).as_ref()), Ok(PasswordModify::default()));
        for octets in [&b""[..], b"\x04\0", b"\x30\x03\x82\x04a"] {
            assert!(PasswordModify::read(Some(&Bytes::from_static(octets))).is_err(), "{octets:?}");
        }
        assert!(!format!("{all:?}").contains("old\""));
    }

    #[test]
    fn made_by_the_server() {
        assert_eq!(generated_password(None), Ok(None));
        assert_eq!(
            generated_password(Some(&Bytes::from_static(b"\x30\x03\x80\x01x"))),
            Ok(Some(Bytes::from_static(b"x")))
        );
        assert!(generated_password(Some(&Bytes::from_static(b"x"))).is_err());
    }

    #[test]
    fn cancels() {
        assert_eq!(canceled(value(cancel(300)).as_ref()), Ok(300));
        assert!(canceled(None).is_err());
        assert!(canceled(Some(&Bytes::from_static(b"\x30\x03\x02\x01\xff"))).is_err());
    }
}
