//! Filters as text (RFC 4515).

use bytes::Bytes;

use super::{DEEPEST, Filter, Substrings};

/// The place of a fault in octets, and what it is.
pub type Fault<W = &'static str> = (usize, W);

pub fn filter(text: &str) -> Result<Filter, Fault> {
    filter_of(text, &mut Literal)
}

/// Reads the values in its own way.
pub trait Values {
    type Why: From<&'static str>;

    /// The octets of `raw`, a value or a piece of one as it stands at `at`.
    fn value(&mut self, raw: &[u8], at: usize) -> Result<Bytes, Fault<Self::Why>>;
}

/// RFC 4515: octets that stand for themselves, and two hexadecimal digits behind a backslash.
struct Literal;

impl Values for Literal {
    type Why = &'static str;

    fn value(&mut self, raw: &[u8], at: usize) -> Result<Bytes, Fault> {
        let mut octets = Vec::with_capacity(raw.len());
        let mut place = 0;
        while let Some((octet, length)) = octet(raw, place).map_err(|why| (at + place, why))? {
            octets.push(octet);
            place += length;
        }
        Ok(octets.into())
    }
}

/// The octet that stands at `at`, and how many octets of text it takes.
pub fn octet(raw: &[u8], at: usize) -> Result<Option<(u8, usize)>, &'static str> {
    match raw.get(at) {
        None => Ok(None),
        Some(b'\\') => {
            let digit = |at: usize| raw.get(at).and_then(|digit| char::from(*digit).to_digit(16));
            let (Some(high), Some(low)) = (digit(at + 1), digit(at + 2)) else {
                return Err("two hexadecimal digits must follow a backslash");
            };
            Ok(Some(((high << 4 | low) as u8, 3)))
        }
        Some(0) => Err("NUL must be written as \\00"),
        Some(octet) => Ok(Some((*octet, 1))),
    }
}

pub fn filter_of<V: Values>(text: &str, values: &mut V) -> Result<Filter, Fault<V::Why>> {
    let mut parser = Parser { text: text.as_bytes(), at: 0, values };
    parser.white_space();
    let filter = parser.filter(DEEPEST)?;
    parser.white_space();
    if parser.at < parser.text.len() { parser.fault("the filter is over here") } else { Ok(filter) }
}

struct Parser<'t, 'v, V> {
    text: &'t [u8],
    at: usize,
    values: &'v mut V,
}

impl<'t, V: Values> Parser<'t, '_, V> {
    fn filter(&mut self, left: usize) -> Result<Filter, Fault<V::Why>> {
        let Some(left) = left.checked_sub(1) else { return self.fault("more than 64 filters within each other") };
        if !self.takes(b'(') {
            return self.fault(if self.text.is_empty() { "the filter is empty" } else { "a filter begins with (" });
        }
        self.white_space();
        let filter = match self.peek() {
            Some(b'&') => Filter::And(self.list(left)?),
            Some(b'|') => Filter::Or(self.list(left)?),
            Some(b'!') => {
                self.at += 1;
                self.white_space();
                let inner = self.filter(left)?;
                self.white_space();
                Filter::Not(Box::new(inner))
            }
            _ => self.item()?,
        };
        if self.takes(b')') { Ok(filter) } else { self.fault("a ) is missing") }
    }

    /// The filters behind a `&` or `|`: as many as there are, also none.
    fn list(&mut self, left: usize) -> Result<Vec<Filter>, Fault<V::Why>> {
        self.at += 1;
        let mut filters = Vec::new();
        loop {
            self.white_space();
            if self.peek() != Some(b'(') {
                return Ok(filters);
            }
            filters.push(self.filter(left)?);
        }
    }

    fn item(&mut self) -> Result<Filter, Fault<V::Why>> {
        let name = self.name();
        let kind = match (self.peek(), self.text.get(self.at + 1)) {
            (Some(b':'), _) => return self.extensible(name),
            (Some(b'{'), _) => return self.fault("a placeholder may stand in a value only"),
            _ if name.is_empty() => return self.fault("the name of an attribute is missing"),
            (Some(b'='), _) => b'=',
            (Some(kind @ (b'~' | b'>' | b'<')), Some(b'=')) => {
                self.at += 1;
                kind
            }
            _ => return self.fault("=, ~=, >= or <= must follow the name of an attribute"),
        };
        self.at += 1;
        let (at, raw) = self.raw_value();
        if kind == b'=' {
            return self.equality(name, raw, at);
        }
        let value = self.value(raw, at)?;
        Ok(match kind {
            b'~' => Filter::Approximately(name, value),
            b'>' => Filter::AtLeast(name, value),
            _ => Filter::AtMost(name, value),
        })
    }

    /// What `=` begins: equality, presence, or substrings.
    fn equality(&mut self, name: String, raw: &[u8], at: usize) -> Result<Filter, Fault<V::Why>> {
        if raw == b"*" {
            return Ok(Filter::Present(name));
        }
        let mut pieces = Vec::new();
        let mut place = at;
        for piece in raw.split(|octet| *octet == b'*') {
            pieces.push((place, piece));
            place += piece.len() + 1;
        }
        let Some(((last_at, last), before)) = pieces.split_last() else { return self.fault("a value is missing") };
        let Some(((first_at, first), between)) = before.split_first() else {
            return Ok(Filter::Equal(name, self.values.value(raw, at)?));
        };
        let mut found = Substrings::default();
        if !first.is_empty() {
            found.first = Some(self.values.value(first, *first_at)?);
        }
        for (at, piece) in between {
            if piece.is_empty() {
                return Err((*at, "there is nothing between two asterisks".into()));
            }
            found.any.push(self.values.value(piece, *at)?);
        }
        if !last.is_empty() {
            found.last = Some(self.values.value(last, *last_at)?);
        }
        Ok(Filter::Substrings(name, found))
    }

    /// `cn:dn:2.4.6.8.10:=value`, of which name, `dn` or the rule may be missing.
    fn extensible(&mut self, name: String) -> Result<Filter, Fault<V::Why>> {
        let mut dn_attributes = false;
        let mut rule = None;
        loop {
            // At a colon.
            self.at += 1;
            if self.takes(b'=') {
                break;
            }
            let start = self.at;
            let word = self.name();
            if self.peek() != Some(b':') || word.is_empty() || rule.is_some() {
                return self.fault(":= must follow");
            }
            if !dn_attributes && word.eq_ignore_ascii_case("dn") {
                dn_attributes = true;
            } else if word.contains(';') {
                self.at = start;
                return self.fault("a matching rule has no options");
            } else {
                rule = Some(word);
            }
        }
        let attribute = Some(name).filter(|name| !name.is_empty());
        if rule.is_none() && attribute.is_none() {
            return self.fault("neither an attribute nor a matching rule is named");
        }
        let (at, raw) = self.raw_value();
        Ok(Filter::Extensible { rule, attribute, value: self.value(raw, at)?, dn_attributes })
    }

    fn value(&mut self, raw: &[u8], at: usize) -> Result<Bytes, Fault<V::Why>> {
        match raw.iter().position(|octet| *octet == b'*') {
            Some(star) => Err((at + star, "an asterisk must be written as \\2a here".into())),
            None => self.values.value(raw, at),
        }
    }

    /// An attribute with its options, or an OID.
    fn name(&mut self) -> String {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|octet| is_of_name(**octet)).count();
        self.at += length;
        String::from_utf8_lossy(&rest[..length]).into_owned()
    }

    /// What stands up to the next parenthesis.
    fn raw_value(&mut self) -> (usize, &'t [u8]) {
        let at = self.at;
        let rest: &'t [u8] = self.text.get(at..).unwrap_or_default();
        let length = rest.iter().take_while(|octet| !matches!(octet, b'(' | b')')).count();
        self.at += length;
        (at, &rest[..length])
    }

    fn white_space(&mut self) {
        while self.peek().is_some_and(|octet| octet.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn takes(&mut self, octet: u8) -> bool {
        let is_next = self.peek() == Some(octet);
        self.at += usize::from(is_next);
        is_next
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn fault<T>(&self, why: &'static str) -> Result<T, Fault<V::Why>> {
        Err((self.at, why.into()))
    }
}

/// RFC 4512 section 2.5, and the underscore, which several products have in names.
pub fn is_of_name(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b';' | b'_')
}
