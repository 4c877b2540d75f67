//! From an operation to octets.

use bytes::{BufMut as _, Bytes, BytesMut};

use super::{Auth, Change, Entry, Op, Search, Write, tags};
use crate::ber::{BOOLEAN, CONSTRUCTED, ENUMERATED, INTEGER, OCTETS, SEQUENCE, SET, Tree};
use crate::frame::put_length;

pub(super) fn op(op: &Op) -> Bytes {
    let tree = match op {
        Op::Write { kind, body, .. } => return raw(tags::of_write(*kind), body),
        Op::Bind { version, name, auth } => bind(*version, name, auth),
        Op::Unbind => Tree::octets(tags::UNBIND, []),
        Op::Search(search) => self::search(search),
        Op::Compare { dn, attribute, value } => {
            let assertion = Tree::of(SEQUENCE, vec![text(attribute), octets(value)]);
            Tree::of(tags::COMPARE, vec![text(dn), assertion])
        }
        Op::Abandon(id) => Tree::integer(tags::ABANDON, i64::from(*id)),
        Op::Extended { oid, value } => {
            let mut fields = vec![Tree::octets(tags::REQUEST_NAME, oid.as_bytes())];
            push(&mut fields, tags::REQUEST_VALUE, value.as_deref());
            Tree::of(tags::EXTENDED, fields)
        }
        Op::BindDone { result, sasl } => {
            let mut fields = result.trees();
            push(&mut fields, tags::SASL_ANSWER, sasl.as_deref());
            Tree::of(tags::BIND_DONE, fields)
        }
        Op::Entry(entry) => self::entry(entry),
        Op::Reference(uris) => Tree::of(tags::REFERENCE, uris.iter().map(|uri| text(uri)).collect()),
        Op::Done { of, result } => Tree::of(tags::of_done(*of), result.trees()),
        Op::ExtendedDone { result, oid, value } => {
            let mut fields = result.trees();
            push(&mut fields, tags::RESPONSE_NAME, oid.as_deref().map(str::as_bytes));
            push(&mut fields, tags::RESPONSE_VALUE, value.as_deref());
            Tree::of(tags::EXTENDED_DONE, fields)
        }
        Op::Intermediate { oid, value } => {
            let mut fields = Vec::new();
            push(&mut fields, tags::REQUEST_NAME, oid.as_deref().map(str::as_bytes));
            push(&mut fields, tags::REQUEST_VALUE, value.as_deref());
            Tree::of(tags::INTERMEDIATE, fields)
        }
    };
    tree.to_bytes()
}

pub(super) fn modify(dn: &str, changes: &[Change<'_>]) -> Op {
    let changes = changes.iter().map(|change| {
        let (how, attribute, values) = match change {
            Change::Add(attribute, values) => (0, attribute, values),
            Change::Delete(attribute, values) => (1, attribute, values),
            Change::Replace(attribute, values) => (2, attribute, values),
        };
        let values = Tree::of(SET, values.iter().map(|value| octets(value)).collect());
        let attribute = Tree::of(SEQUENCE, vec![text(attribute), values]);
        Tree::of(SEQUENCE, vec![Tree::integer(ENUMERATED, how), attribute])
    });
    let mut body = BytesMut::new();
    text(dn).write(&mut body);
    Tree::of(SEQUENCE, changes.collect()).write(&mut body);
    Op::Write { kind: Write::Modify, dn: dn.to_owned(), body: body.freeze() }
}

/// An operation whose content is octets already.
fn raw(tag: u8, content: &[u8]) -> Bytes {
    let mut into = BytesMut::with_capacity(content.len() + 10);
    into.put_u8(tag);
    put_length(content.len(), &mut into);
    into.put_slice(content);
    into.freeze()
}

fn bind(version: i64, name: &str, auth: &Auth) -> Tree {
    let auth = match auth {
        Auth::Simple(password) => Tree::octets(tags::SIMPLE, &password[..]),
        Auth::Sasl { mechanism, credentials } => {
            let mut fields = vec![text(mechanism)];
            push(&mut fields, OCTETS, credentials.as_deref());
            Tree::of(tags::SASL, fields)
        }
        Auth::Other(tag) if tag & CONSTRUCTED == 0 => Tree::octets(*tag, []),
        Auth::Other(tag) => Tree::of(*tag, Vec::new()),
    };
    Tree::of(tags::BIND, vec![Tree::integer(INTEGER, version), text(name), auth])
}

fn search(search: &Search) -> Tree {
    let fields = vec![
        text(&search.base),
        Tree::integer(ENUMERATED, i64::from(search.scope.number())),
        Tree::integer(ENUMERATED, i64::from(search.aliases)),
        Tree::integer(INTEGER, i64::from(search.size)),
        Tree::integer(INTEGER, i64::from(search.time)),
        Tree::boolean(BOOLEAN, search.types_only),
        search.filter.tree(),
        Tree::of(SEQUENCE, search.attributes.iter().map(|name| text(name)).collect()),
    ];
    Tree::of(tags::SEARCH, fields)
}

fn entry(entry: &Entry) -> Tree {
    let attributes = entry.attributes.iter().map(|(name, values)| {
        let values = Tree::of(SET, values.iter().map(|value| octets(value)).collect());
        Tree::of(SEQUENCE, vec![text(name), values])
    });
    Tree::of(tags::ENTRY, vec![text(&entry.dn), Tree::of(SEQUENCE, attributes.collect())])
}

fn push(fields: &mut Vec<Tree>, tag: u8, content: Option<&[u8]>) {
    fields.extend(content.map(|content| Tree::octets(tag, content)));
}

fn text(text: &str) -> Tree {
    octets(text.as_bytes())
}

fn octets(octets: &[u8]) -> Tree {
    Tree::octets(OCTETS, octets)
}
