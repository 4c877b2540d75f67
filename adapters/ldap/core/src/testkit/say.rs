//! What a play says most.

use bytes::Bytes;

use super::sim::{Asked, Step};
use crate::extended::START_TLS;
use crate::message::{Done, Entry, Op};
use crate::result::{Code, LdapResult};

/// A bind that is right.
pub fn bound() -> Step {
    refused_bind(Code::SUCCESS, "")
}

/// With the text that Active Directory hides its reasons in: `80090308: LdapErr: …, data 52e, v4563`.
pub fn refused_bind(code: Code, text: &str) -> Step {
    Step::Answer(Op::BindDone { result: LdapResult::new(code, text), sasl: None })
}

pub fn entry(dn: &str, attributes: &[(&str, &[&[u8]])]) -> Step {
    let attributes = attributes.iter().map(|(name, values)| {
        let values = values.iter().map(|value| Bytes::copy_from_slice(value)).collect();
        ((*name).to_owned(), values)
    });
    Step::Answer(Op::Entry(Entry { dn: dn.to_owned(), attributes: attributes.collect() }))
}

/// Entries were found elsewhere, perhaps.
pub fn reference(uris: &[&str]) -> Step {
    Step::Answer(Op::Reference(uris.iter().map(|uri| (*uri).to_owned()).collect()))
}

/// The end of a search that went well.
pub fn found() -> Step {
    done(Done::Search, Code::SUCCESS)
}

pub fn done(of: Done, code: Code) -> Step {
    Step::Answer(Op::Done { of, result: LdapResult::new(code, "") })
}

/// "Ask another server."
pub fn referral(of: Done, uris: &[&str]) -> Step {
    let referral = uris.iter().map(|uri| (*uri).to_owned()).collect();
    Step::Answer(Op::Done { of, result: LdapResult { referral, ..LdapResult::new(Code::REFERRAL, "") } })
}

pub fn extended(code: Code, oid: Option<&str>, value: Option<&[u8]>) -> Step {
    let (oid, value) = (oid.map(str::to_owned), value.map(Bytes::copy_from_slice));
    Step::Answer(Op::ExtendedDone { result: LdapResult::new(code, ""), oid, value })
}

/// Yes to TLS, and the handshake.
pub fn start_tls() -> Vec<Step> {
    vec![extended(Code::SUCCESS, Some(START_TLS), None), Step::BeginTls]
}

/// Whose the connection is (RFC 4532).
pub fn who_am_i(asked: &Asked<'_>) -> Step {
    let who = if asked.bound_as.is_empty() { String::new() } else { format!("dn:{}", asked.bound_as) };
    extended(Code::SUCCESS, None, Some(who.as_bytes()))
}
