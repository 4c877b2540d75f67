//! Filters as octets.

use bytes::Bytes;

use super::{Filter, Substrings};
use crate::ber::{Fields, OCTETS, SEQUENCE, Tree};
use crate::guard::Malformed;

const AND: u8 = 0xa0;
const OR: u8 = 0xa1;
const NOT: u8 = 0xa2;
const EQUAL: u8 = 0xa3;
const SUBSTRINGS: u8 = 0xa4;
const AT_LEAST: u8 = 0xa5;
const AT_MOST: u8 = 0xa6;
const PRESENT: u8 = 0x87;
const APPROXIMATELY: u8 = 0xa8;
const EXTENSIBLE: u8 = 0xa9;

const FIRST: u8 = 0x80;
const ANY: u8 = 0x81;
const LAST: u8 = 0x82;

const RULE: u8 = 0x81;
const TYPE: u8 = 0x82;
const VALUE: u8 = 0x83;
const DN_ATTRIBUTES: u8 = 0x84;

/// `left`: levels that may follow, this one among them.
pub fn read(tree: Tree, left: usize) -> Result<Filter, Malformed> {
    let left = left.checked_sub(1).ok_or(Malformed::TooDeep)?;
    let tag = tree.tag();
    if tag == PRESENT {
        return tree.text().map(Filter::Present);
    }
    let mut fields = tree.fields()?;
    match tag {
        AND => fields.map(|field| read(field, left)).collect::<Result<_, _>>().map(Filter::And),
        OR => fields.map(|field| read(field, left)).collect::<Result<_, _>>().map(Filter::Or),
        NOT => {
            let inner = fields.next().ok_or(Malformed::NotAMessage)?;
            Ok(Filter::Not(Box::new(read(inner, left)?)))
        }
        EQUAL => assertion(fields).map(|(name, value)| Filter::Equal(name, value)),
        AT_LEAST => assertion(fields).map(|(name, value)| Filter::AtLeast(name, value)),
        AT_MOST => assertion(fields).map(|(name, value)| Filter::AtMost(name, value)),
        APPROXIMATELY => assertion(fields).map(|(name, value)| Filter::Approximately(name, value)),
        SUBSTRINGS => {
            let name = fields.text()?;
            Ok(Filter::Substrings(name, substrings(fields.must(SEQUENCE)?.fields()?)?))
        }
        EXTENSIBLE => extensible(fields),
        _ => Err(Malformed::NotAMessage),
    }
}

fn assertion(mut fields: Fields) -> Result<(String, Bytes), Malformed> {
    Ok((fields.text()?, fields.octets()?))
}

fn substrings(fields: Fields) -> Result<Substrings, Malformed> {
    let mut found = Substrings::default();
    let mut pieces = 0;
    for piece in fields {
        let tag = piece.tag();
        let piece = piece.content()?;
        // The first may only be the first, and behind the last there is nothing.
        if piece.is_empty() || found.last.is_some() || (tag == FIRST && pieces > 0) {
            return Err(Malformed::NotAMessage);
        }
        match tag {
            FIRST => found.first = Some(piece),
            ANY => found.any.push(piece),
            LAST => found.last = Some(piece),
            _ => return Err(Malformed::NotAMessage),
        }
        pieces += 1;
    }
    if pieces == 0 { Err(Malformed::NotAMessage) } else { Ok(found) }
}

fn extensible(mut fields: Fields) -> Result<Filter, Malformed> {
    let rule = fields.maybe(RULE).map(Tree::text).transpose()?;
    let attribute = fields.maybe(TYPE).map(Tree::text).transpose()?;
    let value = fields.must(VALUE)?.content()?;
    let dn_attributes = fields.maybe(DN_ATTRIBUTES).map_or(Ok(false), Tree::truth)?;
    if rule.is_none() && attribute.is_none() {
        return Err(Malformed::NotAMessage);
    }
    Ok(Filter::Extensible { rule, attribute, value, dn_attributes })
}

pub fn tree(filter: &Filter) -> Tree {
    let assertion = |tag, name: &str, value: &[u8]| Tree::of(tag, vec![text(name), Tree::octets(OCTETS, value)]);
    match filter {
        Filter::And(filters) => Tree::of(AND, filters.iter().map(tree).collect()),
        Filter::Or(filters) => Tree::of(OR, filters.iter().map(tree).collect()),
        Filter::Not(filter) => Tree::of(NOT, vec![tree(filter)]),
        Filter::Equal(name, value) => assertion(EQUAL, name, value),
        Filter::Substrings(name, pieces) => {
            let piece = |tag, octets: &Bytes| Tree::octets(tag, &octets[..]);
            let mut fields: Vec<_> = pieces.first.iter().map(|first| piece(FIRST, first)).collect();
            fields.extend(pieces.any.iter().map(|any| piece(ANY, any)));
            fields.extend(pieces.last.iter().map(|last| piece(LAST, last)));
            Tree::of(SUBSTRINGS, vec![text(name), Tree::of(SEQUENCE, fields)])
        }
        Filter::AtLeast(name, value) => assertion(AT_LEAST, name, value),
        Filter::AtMost(name, value) => assertion(AT_MOST, name, value),
        Filter::Present(name) => Tree::octets(PRESENT, name.as_bytes()),
        Filter::Approximately(name, value) => assertion(APPROXIMATELY, name, value),
        Filter::Extensible { rule, attribute, value, dn_attributes } => {
            let mut fields: Vec<_> = rule.iter().map(|rule| Tree::octets(RULE, rule.as_bytes())).collect();
            fields.extend(attribute.iter().map(|name| Tree::octets(TYPE, name.as_bytes())));
            fields.push(Tree::octets(VALUE, &value[..]));
            fields.extend(dn_attributes.then(|| Tree::boolean(DN_ATTRIBUTES, true)));
            Tree::of(EXTENSIBLE, fields)
        }
    }
}

fn text(text: &str) -> Tree {
    Tree::octets(OCTETS, text.as_bytes())
}
