//! The controls and messages of content synchronization (RFC 4533).

use bytes::Bytes;

use crate::ber::{BOOLEAN, ENUMERATED, Fields, OCTETS, SEQUENCE, SET, Tree};
use crate::control::Control;
use crate::guard::Malformed;

pub const SYNC_REQUEST: &str = "1.3.6.1.4.1.4203.1.9.1.1";
pub const SYNC_STATE: &str = "1.3.6.1.4.1.4203.1.9.1.2";
pub const SYNC_DONE: &str = "1.3.6.1.4.1.4203.1.9.1.3";
/// Of an intermediate response.
pub const SYNC_INFO: &str = "1.3.6.1.4.1.4203.1.9.1.4";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    RefreshOnly,
    RefreshAndPersist,
}

/// Asks for what has changed since the cookie; without one for all.
pub fn request(mode: Mode, cookie: Option<&[u8]>) -> Control {
    let mode = match mode {
        Mode::RefreshOnly => 1,
        Mode::RefreshAndPersist => 3,
    };
    let mut fields = vec![Tree::integer(ENUMERATED, mode)];
    fields.extend(cookie.map(|cookie| Tree::octets(OCTETS, cookie)));
    Control::with_value(SYNC_REQUEST, true, Tree::of(SEQUENCE, fields).to_bytes())
}

/// What became of the entry that it comes with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    pub change: Change,
    pub uuid: [u8; 16],
    pub cookie: Option<Bytes>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Present,
    Add,
    Modify,
    Delete,
}

impl State {
    /// # Errors
    /// The value is none of this control.
    pub fn read(control: &Control) -> Result<Self, Malformed> {
        let mut fields = control.value_tree()?.fields()?;
        let change = match fields.number(ENUMERATED)? {
            0 => Change::Present,
            1 => Change::Add,
            2 => Change::Modify,
            3 => Change::Delete,
            _ => return Err(Malformed::NotAMessage),
        };
        Ok(Self { change, uuid: uuid(&fields.octets()?)?, cookie: cookie(&mut fields)? })
    }
}

/// Comes with the end of a refresh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    pub cookie: Option<Bytes>,
    /// Deletions were said; otherwise what was neither sent nor said to be present is gone.
    pub refresh_deletes: bool,
}

impl Done {
    /// # Errors
    /// The value is none of this control.
    pub fn read(control: &Control) -> Result<Self, Malformed> {
        let mut fields = control.value_tree()?.fields()?;
        Ok(Self { cookie: cookie(&mut fields)?, refresh_deletes: truth(&mut fields, false)? })
    }
}

/// The value of an intermediate response with the name [`SYNC_INFO`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Info {
    NewCookie(Bytes),
    /// The phase that said deletions is over.
    RefreshDelete {
        cookie: Option<Bytes>,
        is_done: bool,
    },
    /// The phase that said what is present is over.
    RefreshPresent {
        cookie: Option<Bytes>,
        is_done: bool,
    },
    /// Entries that were deleted, or that are present.
    Ids {
        cookie: Option<Bytes>,
        are_deleted: bool,
        uuids: Vec<[u8; 16]>,
    },
}

impl Info {
    /// # Errors
    /// The value is none of this message.
    pub fn read(value: Option<&Bytes>) -> Result<Self, Malformed> {
        let tree = Tree::of_value(value.map(Bytes::as_ref).unwrap_or_default())?;
        let tag = tree.tag();
        if tag == 0x80 {
            return tree.content().map(Self::NewCookie);
        }
        let mut fields = tree.fields()?;
        let cookie = cookie(&mut fields)?;
        match tag {
            0xa1 => Ok(Self::RefreshDelete { cookie, is_done: truth(&mut fields, true)? }),
            0xa2 => Ok(Self::RefreshPresent { cookie, is_done: truth(&mut fields, true)? }),
            0xa3 => {
                let are_deleted = truth(&mut fields, false)?;
                let uuids = fields.must(SET)?.fields()?.map(|id| uuid(&id.content()?));
                Ok(Self::Ids { cookie, are_deleted, uuids: uuids.collect::<Result<_, _>>()? })
            }
            _ => Err(Malformed::NotAMessage),
        }
    }
}

fn cookie(fields: &mut Fields) -> Result<Option<Bytes>, Malformed> {
    fields.maybe(OCTETS).map(Tree::content).transpose()
}

fn truth(fields: &mut Fields, otherwise: bool) -> Result<bool, Malformed> {
    fields.maybe(BOOLEAN).map_or(Ok(otherwise), Tree::truth)
}

fn uuid(octets: &[u8]) -> Result<[u8; 16], Malformed> {
    octets.try_into().map_err(|_| Malformed::NotAMessage)
}

#[cfg(test)]
mod tests {
    use super::*;

    const UUID: [u8; 16] = *b"0123456789abcdef";

    fn control(octets: &[u8]) -> Control {
        Control::with_value(SYNC_STATE, false, Bytes::copy_from_slice(octets))
    }

    fn info(octets: &[u8]) -> Result<Info, Malformed> {
        Info::read(Some(&Bytes::copy_from_slice(octets)))
    }

    #[test]
    fn requests() {
        assert_eq!(request(Mode::RefreshOnly, None).value.as_deref(), Some(&b"\x30\x03\x0a\x01\x01"[..]));
        assert_eq!(
            request(Mode::RefreshAndPersist, Some(b"c")).value.as_deref(),
            Some(&b"\x30\x06\x0a\x01\x03\x04\x01c"[..])
        );
    }

    #[test]
    fn states() {
        let octets = [&b"\x30\x18\x0a\x01\x03\x04\x10"[..], &UUID, b"\x04\x01c"].concat();
        let state = State { change: Change::Delete, uuid: UUID, cookie: Some(Bytes::from_static(b"c")) };
        assert_eq!(State::read(&control(&octets)), Ok(state));
        let without = [&b"\x30\x15\x0a\x01\x00\x04\x10"[..], &UUID].concat();
        assert_eq!(State::read(&control(&without)).unwrap().cookie, None);
        for wrong in [&b""[..], b"\x30\x03\x0a\x01\x01", b"\x30\x06\x0a\x01\x01\x04\x01x"] {
            assert!(State::read(&control(wrong)).is_err());
        }
        let unknown = [&b"\x30\x15\x0a\x01\x04\x04\x10"[..], &UUID].concat();
        assert!(State::read(&control(&unknown)).is_err());
    }

    #[test]
    fn ends() {
        assert_eq!(Done::read(&control(b"\x30\0")), Ok(Done { cookie: None, refresh_deletes: false }));
        let done = Done { cookie: Some(Bytes::from_static(b"c")), refresh_deletes: true };
        assert_eq!(Done::read(&control(b"\x30\x06\x04\x01c\x01\x01\xff")), Ok(done));
    }

    #[test]
    fn infos() {
        assert_eq!(info(b"\x80\x01c"), Ok(Info::NewCookie(Bytes::from_static(b"c"))));
        assert_eq!(info(b"\xa1\0"), Ok(Info::RefreshDelete { cookie: None, is_done: true }));
        assert_eq!(info(b"\xa2\x03\x01\x01\0"), Ok(Info::RefreshPresent { cookie: None, is_done: false }));
        let ids = [&b"\xa3\x17\x01\x01\xff\x31\x12\x04\x10"[..], &UUID].concat();
        assert_eq!(info(&ids), Ok(Info::Ids { cookie: None, are_deleted: true, uuids: vec![UUID] }));
        for wrong in [&b""[..], b"\xa3\0", b"\xa3\x05\x31\x03\x04\x01x", b"\xa4\0", b"\x04\0"] {
            assert!(info(wrong).is_err(), "{wrong:x?}");
        }
        assert!(Info::read(None).is_err());
    }
}
