//! The identifier octets of the operations (RFC 4511 appendix B).

use super::{Done, Op, Write};
use crate::result::LdapResult;

pub const BIND: u8 = 0x60;
pub const BIND_DONE: u8 = 0x61;
pub const UNBIND: u8 = 0x42;
pub const SEARCH: u8 = 0x63;
pub const ENTRY: u8 = 0x64;
pub const SEARCH_DONE: u8 = 0x65;
pub const MODIFY: u8 = 0x66;
pub const MODIFY_DONE: u8 = 0x67;
pub const ADD: u8 = 0x68;
pub const ADD_DONE: u8 = 0x69;
pub const DELETE: u8 = 0x4a;
pub const DELETE_DONE: u8 = 0x6b;
pub const RENAME: u8 = 0x6c;
pub const RENAME_DONE: u8 = 0x6d;
pub const COMPARE: u8 = 0x6e;
pub const COMPARE_DONE: u8 = 0x6f;
pub const ABANDON: u8 = 0x50;
pub const REFERENCE: u8 = 0x73;
pub const EXTENDED: u8 = 0x77;
pub const EXTENDED_DONE: u8 = 0x78;
pub const INTERMEDIATE: u8 = 0x79;

// In a bind.
pub const SIMPLE: u8 = 0x80;
pub const SASL: u8 = 0xa3;
pub const SASL_ANSWER: u8 = 0x87;

// In extended operations, in their answers, and in intermediate ones.
pub const REQUEST_NAME: u8 = 0x80;
pub const REQUEST_VALUE: u8 = 0x81;
pub const RESPONSE_NAME: u8 = 0x8a;
pub const RESPONSE_VALUE: u8 = 0x8b;

/// The answer to the operation with this tag. `None`: it has none.
pub fn answer(request: u8, result: LdapResult) -> Option<Op> {
    let of = match request {
        BIND => return Some(Op::BindDone { result, sasl: None }),
        EXTENDED => return Some(Op::ExtendedDone { result, oid: None, value: None }),
        SEARCH => Done::Search,
        COMPARE => Done::Compare,
        _ => write(request)?.into(),
    };
    Some(Op::Done { of, result })
}

pub fn write(request: u8) -> Option<Write> {
    Some(match request {
        MODIFY => Write::Modify,
        ADD => Write::Add,
        DELETE => Write::Delete,
        RENAME => Write::Rename,
        _ => return None,
    })
}

pub fn of_write(kind: Write) -> u8 {
    match kind {
        Write::Modify => MODIFY,
        Write::Add => ADD,
        Write::Delete => DELETE,
        Write::Rename => RENAME,
    }
}

pub fn done(response: u8) -> Option<Done> {
    Some(match response {
        SEARCH_DONE => Done::Search,
        MODIFY_DONE => Done::Modify,
        ADD_DONE => Done::Add,
        DELETE_DONE => Done::Delete,
        RENAME_DONE => Done::Rename,
        COMPARE_DONE => Done::Compare,
        _ => return None,
    })
}

pub fn of_done(of: Done) -> u8 {
    match of {
        Done::Search => SEARCH_DONE,
        Done::Modify => MODIFY_DONE,
        Done::Add => ADD_DONE,
        Done::Delete => DELETE_DONE,
        Done::Rename => RENAME_DONE,
        Done::Compare => COMPARE_DONE,
    }
}
