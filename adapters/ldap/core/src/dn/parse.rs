//! Takes names apart (RFC 4514 section 3).
//!
//! White space around `,`, `+` and `=` is let through, as RFC 2253 had it; quoted values and semicolons between
//! parts, of the versions before that, are not.

use std::borrow::Cow;

use super::{Rdn, Written};
use crate::ber::Tree;

pub fn rdns(text: &str) -> Result<Vec<Rdn<'_>>, usize> {
    let mut parser = Parser { text, at: 0 };
    let mut rdns = Vec::new();
    parser.spaces();
    if parser.is_over() {
        return Ok(rdns);
    }
    loop {
        parser.spaces();
        let start = parser.at;
        let mut avas = vec![parser.ava()?];
        while parser.takes(b'+') {
            avas.push(parser.ava()?);
        }
        rdns.push(Rdn { place: start..parser.at, avas });
        if parser.is_over() {
            return Ok(rdns);
        }
        if !parser.takes(b',') {
            return Err(parser.at);
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn ava(&mut self) -> Result<Written<'t>, usize> {
        self.spaces();
        let attribute = self.attribute()?;
        self.spaces();
        if !self.takes(b'=') {
            return Err(self.at);
        }
        self.spaces();
        let value = if self.peek() == Some(b'#') { Cow::Owned(self.encoded()?) } else { self.string()? };
        Ok(Written { attribute, value })
    }

    /// A descriptor or an OID; the `OID.` before one is of RFC 1779.
    fn attribute(&mut self) -> Result<&'t str, usize> {
        let rest = self.octets().get(self.at..).unwrap_or_default();
        let (before, behind) = rest.split_at(rest.len().min(4));
        let is_marked = before.eq_ignore_ascii_case(b"oid.") && behind.first().is_some_and(u8::is_ascii_digit);
        let (skipped, rest) = if is_marked { (4, behind) } else { (0, rest) };
        let is_of_name = |octet: &&u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_');
        let length = rest.iter().take_while(is_of_name).count();
        let start = self.at + skipped;
        let name = self.text.get(start..start + length).filter(|name| !name.is_empty()).ok_or(self.at)?;
        self.at = start + length;
        Ok(name)
    }

    /// `#` and the hexadecimal digits of a BER element: the value is what the element holds.
    fn encoded(&mut self) -> Result<Vec<u8>, usize> {
        let start = self.at;
        self.at += 1;
        let mut octets = Vec::new();
        while let Some(octet) = self.pair() {
            octets.push(octet);
        }
        self.spaces();
        if !self.is_at_end_of_value() {
            return Err(self.at);
        }
        let tree = Tree::of_value(&octets).map_err(|_| start)?;
        // Of an element with several within it nothing can be compared but its octets.
        Ok(tree.content().map_or(octets, |content| content.to_vec()))
    }

    fn string(&mut self) -> Result<Cow<'t, [u8]>, usize> {
        let start = self.at;
        // Up to here spaces are part of the value: behind a letter, or escaped.
        let mut kept = start;
        while let Some(octet) = self.plain()? {
            if octet != b' ' {
                kept = self.at;
            }
        }
        let as_written = self.octets().get(start..kept).unwrap_or_default();
        if self.peek() != Some(b'\\') {
            return Ok(Cow::Borrowed(as_written));
        }
        let mut value = self.octets().get(start..self.at).unwrap_or_default().to_vec();
        let mut kept = as_written.len();
        loop {
            if let Some(octet) = self.plain()? {
                value.push(octet);
                if octet == b' ' {
                    continue;
                }
            } else if self.peek() == Some(b'\\') {
                value.push(self.escaped()?);
            } else {
                break;
            }
            kept = value.len();
        }
        value.truncate(kept);
        Ok(Cow::Owned(value))
    }

    /// The next octet of a value that stands for itself. `None`: an escape, or the end of the value.
    fn plain(&mut self) -> Result<Option<u8>, usize> {
        match self.peek() {
            None | Some(b',' | b'+' | b'\\') => Ok(None),
            Some(b'"' | b';' | b'<' | b'>' | 0) => Err(self.at),
            Some(octet) => {
                self.at += 1;
                Ok(Some(octet))
            }
        }
    }

    fn escaped(&mut self) -> Result<u8, usize> {
        let start = self.at;
        self.at += 1;
        if let Some(octet) = self.pair() {
            return Ok(octet);
        }
        match self.peek() {
            Some(octet @ (b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' | b' ' | b'#' | b'=')) => {
                self.at += 1;
                Ok(octet)
            }
            _ => Err(start),
        }
    }

    /// Two hexadecimal digits.
    fn pair(&mut self) -> Option<u8> {
        let digit = |at: usize| char::from(*self.octets().get(at)?).to_digit(16);
        let octet = digit(self.at)? << 4 | digit(self.at + 1)?;
        self.at += 2;
        u8::try_from(octet).ok()
    }

    fn spaces(&mut self) {
        while self.takes(b' ') {}
    }

    fn takes(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    fn peek(&self) -> Option<u8> {
        self.octets().get(self.at).copied()
    }

    fn octets(&self) -> &'t [u8] {
        self.text.as_bytes()
    }

    fn is_over(&self) -> bool {
        self.at >= self.text.len()
    }

    fn is_at_end_of_value(&self) -> bool {
        matches!(self.peek(), None | Some(b',' | b'+'))
    }
}
