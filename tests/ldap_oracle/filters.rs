//! Filters made at random, of values that are there and of some that are not.

use std::collections::BTreeMap;

/// Knuth's generator: what it makes can be made again from the seed.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % limit as u64).unwrap()
    }

    fn of<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// How values of an attribute are compared (RFC 4517), where that decides what can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// Of ASCII only: anything else is no value of it.
    Ascii,
    /// Of ASCII, and without a rule for pieces.
    Whole,
    Number,
    Name,
    Class,
    Uuid,
    /// Of values that can't be compared.
    Opaque,
    /// No attribute that anybody knows.
    Unknown,
}

const ATTRIBUTES: &[(&str, Kind)] = &[
    ("uid", Kind::Text),
    ("cn", Kind::Text),
    ("CN", Kind::Text),
    ("2.5.4.4", Kind::Text),
    ("sn", Kind::Text),
    ("givenName", Kind::Text),
    ("displayName", Kind::Text),
    ("mail", Kind::Ascii),
    ("name", Kind::Text),
    ("gecos", Kind::Ascii),
    ("homeDirectory", Kind::Whole),
    ("loginShell", Kind::Whole),
    ("uidNumber", Kind::Number),
    ("gidNumber", Kind::Number),
    ("member", Kind::Name),
    ("memberOf", Kind::Name),
    ("entryDN", Kind::Name),
    ("objectClass", Kind::Class),
    ("entryUUID", Kind::Uuid),
    // Nobody has one.
    ("description", Kind::Text),
    ("cn;lang-en", Kind::Text),
    ("roomNumber", Kind::Text),
    ("memberUid", Kind::Ascii),
    ("shadowMin", Kind::Number),
    ("manager", Kind::Name),
    ("telexNumber", Kind::Opaque),
    ("noSuchAttribute", Kind::Unknown),
];

pub struct Filters<'a> {
    values: &'a BTreeMap<String, Vec<String>>,
    random: Random,
}

impl<'a> Filters<'a> {
    pub fn new(values: &'a BTreeMap<String, Vec<String>>, random: Random) -> Self {
        Self { values, random }
    }

    pub fn one(&mut self) -> String {
        let depth = *self.random.of(&[0, 0, 1, 1, 2, 3]);
        self.filter(depth)
    }

    fn filter(&mut self, depth: usize) -> String {
        if depth == 0 {
            return self.leaf();
        }
        match self.random.below(5) {
            0 | 1 => self.list('&', depth),
            2 | 3 => self.list('|', depth),
            _ => format!("(!{})", self.filter(depth - 1)),
        }
    }

    /// With none in it at times: that is true, or false (RFC 4526).
    fn list(&mut self, operator: char, depth: usize) -> String {
        let inner: String = (0..self.random.below(4)).map(|_| self.filter(depth - 1)).collect();
        format!("({operator}{inner})")
    }

    fn leaf(&mut self) -> String {
        let (name, kind) = *self.random.of(ATTRIBUTES);
        let value = self.value(name, kind);
        match (self.random.below(8), kind) {
            (0, _) => format!("({name}=*)"),
            (1 | 2, Kind::Text | Kind::Ascii | Kind::Whole | Kind::Opaque | Kind::Unknown) => {
                format!("({name}={})", self.pieces(&value))
            }
            // RFC 2307 section 2.1 gives none of its numbers an order. Debian's schema adds one to those of users and of
            // groups, and ours, as its subschema says, to all.
            (1, Kind::Number) if name != "shadowMin" => format!("({name}>={})", escape(&value)),
            (2, Kind::Number) if name != "shadowMin" => format!("({name}<={})", escape(&value)),
            // An order where there is none is undefined.
            (3, Kind::Text | Kind::Name | Kind::Opaque | Kind::Unknown) => format!("({name}>={})", escape(&value)),
            (3, Kind::Number) => format!("({name}:1.2.840.113556.1.4.803:={})", self.random.below(64)),
            (4, Kind::Number) => format!("({name}:1.2.840.113556.1.4.804:={})", self.random.below(64)),
            (4, Kind::Text) => format!("({name}:caseExactMatch:={})", escape(&value)),
            (5, Kind::Text | Kind::Ascii | Kind::Whole) => format!("({name}:={})", escape(&value)),
            // No value of anything, and of text not even an empty one is.
            (6, Kind::Text | Kind::Ascii) if self.random.below(4) == 0 => format!("({name}={}\\ff)", escape(&value)),
            (6, _) if self.random.below(8) == 0 => format!("({name}=)"),
            _ => format!("({name}={})", escape(&value)),
        }
    }

    /// One that is there, at times changed; at times one of another attribute.
    fn value(&mut self, name: &str, kind: Kind) -> String {
        let known = match name {
            "CN" | "cn;lang-en" => "cn",
            "2.5.4.4" | "name" => "sn",
            other => other,
        };
        let stray = self.random.below(10) == 0;
        let pool =
            if stray { self.values.values().nth(self.random.below(self.values.len())) } else { self.values.get(known) };
        let Some(pool) = pool.filter(|pool| !pool.is_empty()) else { return "nothing".into() };
        let value = self.random.of(pool).clone();
        match self.random.below(6) {
            0 if kind != Kind::Number => value.to_uppercase(),
            1 if kind != Kind::Number => value.to_lowercase(),
            2 if kind == Kind::Text => value.replace(' ', "   "),
            3 if kind == Kind::Text => format!(" {value} "),
            4 if kind == Kind::Text => value.chars().rev().collect(),
            _ => value,
        }
    }

    /// With stars in place of some of it.
    fn pieces(&mut self, value: &str) -> String {
        let letters: Vec<char> = value.chars().collect();
        let part = |from: usize, to: usize| -> String {
            letters[from.min(letters.len())..to.min(letters.len())].iter().collect()
        };
        let half = self.random.below(letters.len().max(1)) + 1;
        match self.random.below(6) {
            0 => format!("{}*", first(&part(0, half))),
            1 => format!("*{}", last(&part(half - 1, letters.len()))),
            2 => format!("*{}*", any(&part(half / 2, half + 1))),
            3 => format!("*{}", last("  ")),
            4 => format!("*{}*{}", any(&part(0, half)), last(&part(half, letters.len()))),
            _ => format!("{}*{}", first(&part(0, half)), last(&part(half + 1, letters.len()))),
        }
    }
}

// Where a piece was cut at a space, OpenLDAP does not compare as RFC 4518 section 2.6.1 says: its values have no spaces
// at their ends, and one between words. Such pieces are among the deviations. Spaces at the ends of the value mean
// nothing to both.

fn first(piece: &str) -> String {
    or_letter(piece.trim_end())
}

fn any(piece: &str) -> String {
    or_letter(piece.trim())
}

/// Of spaces alone it is every value, to both.
fn last(piece: &str) -> String {
    let trimmed = piece.trim_start();
    if trimmed.is_empty() && !piece.is_empty() { " ".into() } else { escape(trimmed) }
}

fn or_letter(piece: &str) -> String {
    if piece.is_empty() { "a".into() } else { escape(piece) }
}

/// RFC 4515 section 3.
fn escape(value: &str) -> String {
    let mut out = String::new();
    for octet in value.bytes() {
        match octet {
            b'*' | b'(' | b')' | b'\\' | 0..=0x1f | 0x7f..=0xff => out += &format!("\\{octet:02x}"),
            _ => out.push(char::from(octet)),
        }
    }
    out
}
