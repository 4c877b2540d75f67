//! From octets to a message.

use bytes::Bytes;

use super::{Auth, Entry, Message, Op, Scope, Search, Unreadable, tags};
use crate::ber::{BOOLEAN, CONTROLS, ENUMERATED, Fields, INTEGER, OCTETS, SEQUENCE, SET, Tree};
use crate::control::Control;
use crate::filter::Filter;
use crate::frame::Frame;
use crate::guard::Malformed;
use crate::result::LdapResult;

pub(super) fn message(frame: &Frame) -> Result<Message, Unreadable> {
    let nameless = |why| Unreadable { id: None, op: None, why };
    let mut fields = Tree::read(frame.checked()).and_then(Tree::fields).map_err(nameless)?;
    let id = fields.number(INTEGER).map_err(|_| nameless(Malformed::MessageId))?;
    let id = i32::try_from(id).ok().filter(|id| *id >= 0).ok_or(nameless(Malformed::MessageId))?;
    let operation = fields.next().ok_or(Unreadable { id: Some(id), op: None, why: Malformed::NotAMessage })?;
    let tag = operation.tag();
    if id == 0 && tag != tags::EXTENDED_DONE {
        return Err(nameless(Malformed::MessageId));
    }
    let named = |why| Unreadable { id: Some(id), op: Some(tag), why };
    let op = op(operation, frame).map_err(named)?;
    let controls = match fields.maybe(CONTROLS) {
        Some(controls) => controls.fields().and_then(|fields| fields.map(Control::read).collect()).map_err(named)?,
        None => Vec::new(),
    };
    Ok(Message { id, op, controls })
}

fn op(operation: Tree, frame: &Frame) -> Result<Op, Malformed> {
    let tag = operation.tag();
    match tag {
        tags::UNBIND => return Ok(Op::Unbind),
        tags::ABANDON => {
            let id = operation.number()?;
            return i32::try_from(id).map(Op::Abandon).map_err(|_| Malformed::MessageId);
        }
        tags::DELETE => {
            let body = operation.content()?;
            let dn = text(&body)?;
            return Ok(Op::Write { kind: super::Write::Delete, dn, body });
        }
        _ => {}
    }
    let mut fields = operation.fields()?;
    if let Some(of) = tags::done(tag) {
        return Ok(Op::Done { of, result: LdapResult::read(&mut fields)? });
    }
    if let Some(kind) = tags::write(tag) {
        return Ok(Op::Write { kind, dn: fields.text()?, body: frame.body().ok_or(Malformed::Overrun)? });
    }
    match tag {
        tags::BIND => bind(fields),
        tags::SEARCH => search(fields),
        tags::COMPARE => compare(fields),
        tags::EXTENDED => {
            let oid = fields.must(tags::REQUEST_NAME)?.text()?;
            Ok(Op::Extended { oid, value: content(fields.maybe(tags::REQUEST_VALUE))? })
        }
        tags::BIND_DONE => {
            let result = LdapResult::read(&mut fields)?;
            Ok(Op::BindDone { result, sasl: content(fields.maybe(tags::SASL_ANSWER))? })
        }
        tags::ENTRY => entry(fields),
        tags::REFERENCE => Ok(Op::Reference(texts(fields)?)),
        tags::EXTENDED_DONE => {
            let result = LdapResult::read(&mut fields)?;
            let oid = fields.maybe(tags::RESPONSE_NAME).map(Tree::text).transpose()?;
            Ok(Op::ExtendedDone { result, oid, value: content(fields.maybe(tags::RESPONSE_VALUE))? })
        }
        tags::INTERMEDIATE => {
            let oid = fields.maybe(tags::REQUEST_NAME).map(Tree::text).transpose()?;
            Ok(Op::Intermediate { oid, value: content(fields.maybe(tags::REQUEST_VALUE))? })
        }
        _ => Err(Malformed::NotAMessage),
    }
}

fn bind(mut fields: Fields) -> Result<Op, Malformed> {
    let version = fields.number(INTEGER)?;
    let name = fields.text()?;
    let choice = fields.next().ok_or(Malformed::NotAMessage)?;
    let auth = match choice.tag() {
        tags::SIMPLE => Auth::Simple(choice.content()?),
        tags::SASL => {
            let mut fields = choice.fields()?;
            Auth::Sasl { mechanism: fields.text()?, credentials: content(fields.maybe(OCTETS))? }
        }
        other => Auth::Other(other),
    };
    Ok(Op::Bind { version, name, auth })
}

fn search(mut fields: Fields) -> Result<Op, Malformed> {
    let base = fields.text()?;
    let scope = Scope::of(fields.number(ENUMERATED)?).ok_or(Malformed::NotAMessage)?;
    let aliases = fields.number(ENUMERATED)?;
    let aliases = u8::try_from(aliases).ok().filter(|when| *when <= 3).ok_or(Malformed::NotAMessage)?;
    let size = fields.size()?;
    let time = fields.size()?;
    let types_only = fields.must(BOOLEAN)?.truth()?;
    let filter = Filter::read(fields.next().ok_or(Malformed::NotAMessage)?)?;
    let attributes = texts(fields.must(SEQUENCE)?.fields()?)?;
    Ok(Op::Search(Search { base, scope, aliases, size, time, types_only, filter, attributes }))
}

fn compare(mut fields: Fields) -> Result<Op, Malformed> {
    let dn = fields.text()?;
    let mut assertion = fields.must(SEQUENCE)?.fields()?;
    Ok(Op::Compare { dn, attribute: assertion.text()?, value: assertion.octets()? })
}

fn entry(mut fields: Fields) -> Result<Op, Malformed> {
    let dn = fields.text()?;
    let attributes = fields.must(SEQUENCE)?.fields()?.map(|attribute| {
        let mut fields = sequence(attribute)?;
        let name = fields.text()?;
        let values = fields.must(SET)?.fields()?.map(octet_string).collect::<Result<_, _>>()?;
        Ok((name, values))
    });
    let attributes = attributes.collect::<Result<_, Malformed>>()?;
    Ok(Op::Entry(Entry { dn, attributes }))
}

fn sequence(tree: Tree) -> Result<Fields, Malformed> {
    if tree.tag() == SEQUENCE { tree.fields() } else { Err(Malformed::NotAMessage) }
}

fn octet_string(tree: Tree) -> Result<Bytes, Malformed> {
    if tree.tag() == OCTETS { tree.content() } else { Err(Malformed::NotAMessage) }
}

fn texts(fields: Fields) -> Result<Vec<String>, Malformed> {
    fields.map(|field| if field.tag() == OCTETS { field.text() } else { Err(Malformed::NotAMessage) }).collect()
}

fn content(field: Option<Tree>) -> Result<Option<Bytes>, Malformed> {
    field.map(Tree::content).transpose()
}

fn text(octets: &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(octets).map(str::to_owned).map_err(|_| Malformed::NotUtf8)
}
