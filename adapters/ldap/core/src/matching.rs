//! Matching rules: when values are equal, and which comes first (RFC 4517 section 4).
//!
//! Values are prepared once and then compared as octets. Preparing gives `None` for octets that are no value of the
//! rule's syntax: a filter that has them is neither true nor false (RFC 4511 section 4.5.1.7).

use std::borrow::Cow;
use std::cmp::Ordering;

use bytes::Bytes;

use crate::dn::Dn;
use crate::filter::Substrings;
use crate::prep::{Case, Part, prepare, prepare_part, spaced_out};
use crate::schema;
use crate::value::{time, uuid};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    CaseIgnore,
    CaseExact,
    CaseIgnoreIa5,
    CaseExactIa5,
    NumericString,
    TelephoneNumber,
    Integer,
    Boolean,
    GeneralizedTime,
    OctetString,
    Uuid,
    ObjectIdentifier,
    DistinguishedName,
    UniqueMember,
    /// All bits of the assertion are set: Active Directory's 1.2.840.113556.1.4.803.
    BitAnd,
    /// One of them is: 1.2.840.113556.1.4.804.
    BitOr,
    /// The value, or a member of it, or of its members: 1.2.840.113556.1.4.1941. Values are names.
    InChain,
}

impl Rule {
    /// By its name or OID, in any case.
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |rule: &&schema::MatchingRule| rule.oid == name || rule.name.eq_ignore_ascii_case(name);
        schema::MATCHING_RULES.iter().find(is_it)?.rule
    }

    pub fn is_of_names(self) -> bool {
        matches!(self, Self::DistinguishedName | Self::UniqueMember | Self::InChain)
    }

    /// The form in which a value is compared. `None`: it is no value of the syntax.
    pub fn prepare(self, value: &[u8]) -> Option<Cow<'_, [u8]>> {
        Some(match self {
            Self::CaseIgnore | Self::CaseExact if !is_directory_string(value) => return None,
            Self::CaseIgnore => prepare(value, Case::Ignore),
            Self::CaseExact => prepare(value, Case::Exact),
            Self::CaseIgnoreIa5 if value.is_ascii() => prepare(value, Case::Ignore),
            Self::CaseExactIa5 if value.is_ascii() => prepare(value, Case::Exact),
            Self::CaseIgnoreIa5 | Self::CaseExactIa5 => return None,
            Self::NumericString | Self::TelephoneNumber => without(self, value, prepare(value, Case::Ignore)),
            Self::Integer | Self::BitAnd | Self::BitOr => Cow::Borrowed(is_integer(value).then_some(value)?),
            Self::Boolean => Cow::Borrowed(matches!(value, b"TRUE" | b"FALSE").then_some(value)?),
            Self::GeneralizedTime => Cow::Owned(time::sortable(std::str::from_utf8(value).ok()?)?.into_bytes()),
            Self::OctetString => Cow::Borrowed(value),
            Self::Uuid => Cow::Owned(uuid::from_text(std::str::from_utf8(value).ok()?)?.to_vec()),
            Self::ObjectIdentifier => object_identifier(value)?,
            Self::DistinguishedName | Self::InChain => {
                Cow::Owned(Dn::parse(std::str::from_utf8(value).ok()?).ok()?.normalized().into_bytes())
            }
            Self::UniqueMember => Cow::Owned(unique_member(std::str::from_utf8(value).ok()?)?.into_bytes()),
        })
    }

    /// Prepares the pieces of a substring assertion. `None`: the rule has no substrings, or one is no value.
    pub fn prepare_pieces(self, pieces: &Substrings) -> Option<Pieces> {
        let prepared = |piece: &Bytes, part| {
            let piece = match self {
                Self::CaseIgnore | Self::CaseExact if !is_directory_string(piece) => return None,
                Self::CaseIgnore => prepare_part(piece, Case::Ignore, part),
                Self::CaseExact => prepare_part(piece, Case::Exact, part),
                Self::CaseIgnoreIa5 if piece.is_ascii() => prepare_part(piece, Case::Ignore, part),
                Self::CaseExactIa5 if piece.is_ascii() => prepare_part(piece, Case::Exact, part),
                Self::NumericString | Self::TelephoneNumber => without(self, piece, prepare(piece, Case::Ignore)),
                Self::OctetString => Cow::Borrowed(&piece[..]),
                _ => return None,
            };
            Some(Bytes::copy_from_slice(&piece))
        };
        let pieces = Substrings {
            first: pieces.first.as_ref().map(|first| prepared(first, Part::First).ok_or(())).transpose().ok()?,
            any: pieces.any.iter().map(|any| prepared(any, Part::Any)).collect::<Option<_>>()?,
            last: pieces.last.as_ref().map(|last| prepared(last, Part::Last).ok_or(())).transpose().ok()?,
        };
        let is_cut = |piece: &Bytes| piece.starts_with(b" ") || piece.ends_with(b" ");
        let are_cut = pieces.first.iter().chain(&pieces.any).chain(&pieces.last).any(is_cut);
        Some(if are_cut { Pieces::WithSpaces(pieces.spaced_out()) } else { Pieces::Plain(pieces) })
    }

    /// Which of two prepared values comes first. `None`: the rule has no order.
    pub fn order(self, one: &[u8], other: &[u8]) -> Option<Ordering> {
        Some(match self {
            Self::Integer => order_of_integers(one, other),
            Self::CaseIgnore
            | Self::CaseExact
            | Self::CaseIgnoreIa5
            | Self::CaseExactIa5
            | Self::NumericString
            | Self::GeneralizedTime
            | Self::OctetString
            | Self::Uuid => one.cmp(other),
            _ => return None,
        })
    }

    /// Whether a value matches an assertion, both prepared. `None` for a rule that needs more than the value:
    /// [`Self::InChain`].
    pub fn holds(self, value: &[u8], assertion: &[u8]) -> Option<bool> {
        let bits = || Some((integer(value)?, integer(assertion)?));
        match self {
            Self::BitAnd => bits().map(|(value, mask)| value & mask == mask),
            Self::BitOr => bits().map(|(value, mask)| value & mask != 0),
            Self::InChain => None,
            _ => Some(value == assertion),
        }
    }
}

/// Prepared pieces of a substring assertion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pieces {
    /// None was cut at a space.
    Plain(Substrings),
    /// Some was: then spaces of the value count as RFC 4518 section 2.6.1 writes them.
    WithSpaces(Substrings),
}

impl Pieces {
    /// Whether a prepared value has them, in this order.
    pub fn are_in(&self, value: &[u8]) -> bool {
        match self {
            Self::Plain(pieces) => pieces.are_in(value),
            Self::WithSpaces(pieces) => pieces.are_in(&spaced_out(value, Part::Whole)),
        }
    }
}

impl Substrings {
    fn spaced_out(&self) -> Self {
        let out = |piece: &Bytes, part| Bytes::from(spaced_out(piece, part));
        Self {
            first: self.first.as_ref().map(|first| out(first, Part::First)),
            any: self.any.iter().map(|any| out(any, Part::Any)).collect(),
            last: self.last.as_ref().map(|last| out(last, Part::Last)),
        }
    }

    /// Octet by octet.
    fn are_in(&self, value: &[u8]) -> bool {
        let mut rest = value;
        if let Some(first) = &self.first {
            let Some(behind) = rest.strip_prefix(&first[..]) else { return false };
            rest = behind;
        }
        if let Some(last) = &self.last {
            let Some(before) = rest.strip_suffix(&last[..]) else { return false };
            rest = before;
        }
        for any in &self.any {
            let Some(at) = find(rest, any) else { return false };
            rest = &rest[at + any.len()..];
        }
        true
    }
}

/// The place of `needle` in `text`. Both are short: a client's filter against one value.
fn find(text: &[u8], needle: &[u8]) -> Option<usize> {
    let Some(first) = needle.first() else { return Some(0) };
    let last = text.len().checked_sub(needle.len())?;
    (0..=last).find(|at| text[*at] == *first && text[*at..].starts_with(needle))
}

/// RFC 4517 section 3.3.6: it has a letter at least.
fn is_directory_string(value: &[u8]) -> bool {
    !value.is_empty() && std::str::from_utf8(value).is_ok()
}

/// Spaces mean nothing in these (RFC 4518 sections 2.6.2 and 2.6.3).
fn without<'a>(rule: Rule, value: &'a [u8], prepared: Cow<'a, [u8]>) -> Cow<'a, [u8]> {
    let is_left_out = |octet: &u8| *octet == b' ' || (rule == Rule::TelephoneNumber && *octet == b'-');
    if prepared.iter().any(is_left_out) {
        return Cow::Owned(prepared.iter().copied().filter(|octet| !is_left_out(octet)).collect());
    }
    if prepared == value { Cow::Borrowed(value) } else { prepared }
}

/// RFC 4517 section 3.3.16: no zeros lead, and zero has no sign.
fn is_integer(value: &[u8]) -> bool {
    let digits = value.strip_prefix(b"-").unwrap_or(value);
    match digits {
        [b'0'] => digits.len() == value.len(),
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

fn integer(value: &[u8]) -> Option<i64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

/// Of numbers of any length.
fn order_of_integers(one: &[u8], other: &[u8]) -> Ordering {
    let apart = |value: &[u8]| value.first() == Some(&b'-');
    let size = |one: &[u8], other: &[u8]| one.len().cmp(&other.len()).then_with(|| one.cmp(other));
    match (apart(one), apart(other)) {
        (false, false) => size(one, other),
        (true, true) => size(other, one),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

/// A name or an OID. What the schema does not know by name is no value; an OID is one in any case.
fn object_identifier(value: &[u8]) -> Option<Cow<'_, [u8]>> {
    let text = std::str::from_utf8(value).ok()?.trim_matches(' ');
    let known = schema::object_class(text).map(|class| class.name());
    let known = known.or_else(|| schema::attribute(text).map(schema::AttributeType::name));
    match known {
        Some(name) => Some(Cow::Borrowed(name.as_bytes())),
        None => is_numeric_oid(text).then_some(Cow::Borrowed(text.as_bytes())),
    }
}

/// Two numbers or more with dots between them, none of which begins with a needless zero (RFC 4512 section 1.4).
fn is_numeric_oid(text: &str) -> bool {
    let is_number = |number: &str| {
        !number.is_empty()
            && number.bytes().all(|digit| digit.is_ascii_digit())
            && (number == "0" || !number.starts_with('0'))
    };
    text.contains('.') && text.split('.').all(is_number)
}

/// A name, and behind it perhaps a bit string such as `#'0101'B` (RFC 4517 section 3.3.21).
fn unique_member(text: &str) -> Option<String> {
    if let Some((name, bits)) = text.rsplit_once('#')
        && let Some(digits) = bits.strip_prefix('\'').and_then(|bits| bits.strip_suffix("'B"))
        && digits.bytes().all(|digit| matches!(digit, b'0' | b'1'))
        && let Ok(name) = Dn::parse(name)
    {
        return Some(format!("{}#{bits}", name.normalized()));
    }
    Some(Dn::parse(text).ok()?.normalized())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prepared(rule: Rule, value: &str) -> Option<String> {
        rule.prepare(value.as_bytes()).map(|value| String::from_utf8_lossy(&value).into_owned())
    }

    fn equal(rule: Rule, one: &str, other: &str) -> Option<bool> {
        rule.holds(&rule.prepare(one.as_bytes())?, &rule.prepare(other.as_bytes())?)
    }

    #[test]
    fn rules_have_names_and_oids() {
        assert_eq!(Rule::named("caseIgnoreMatch"), Some(Rule::CaseIgnore));
        assert_eq!(Rule::named("CASEEXACTMATCH"), Some(Rule::CaseExact));
        assert_eq!(Rule::named("2.5.13.1"), Some(Rule::DistinguishedName));
        assert_eq!(Rule::named("1.2.840.113556.1.4.803"), Some(Rule::BitAnd));
        assert_eq!(Rule::named("1.2.840.113556.1.4.1941"), Some(Rule::InChain));
        assert_eq!(Rule::named("1.2.3"), None);
    }

    #[test]
    fn strings() {
        assert_eq!(equal(Rule::CaseIgnore, "\u{c4}lice  Smith", "a\u{308}LICE smith "), Some(true));
        assert_eq!(equal(Rule::CaseExact, "/home/Alice", "/home/alice"), Some(false));
        assert_eq!(equal(Rule::CaseIgnoreIa5, "A@acme.example", "a@ACME.example"), Some(true));
        assert_eq!(prepared(Rule::CaseIgnoreIa5, "\u{e9}@acme.example"), None);
        assert_eq!((prepared(Rule::CaseIgnore, ""), Rule::CaseExact.prepare(b"\xff")), (None, None));
        assert_eq!(prepared(Rule::CaseIgnoreIa5, "").as_deref(), Some(""));
        assert_eq!(equal(Rule::TelephoneNumber, "+49 30 123-456", "+4930123456"), Some(true));
        assert_eq!(equal(Rule::NumericString, "12 34", "1234"), Some(true));
        assert_eq!(equal(Rule::NumericString, "12-34", "1234"), Some(false));
    }

    #[test]
    fn numbers_have_an_order_of_their_own() {
        let order = |one: &str, other: &str| {
            let value = |text: &str| Rule::Integer.prepare(text.as_bytes()).map(Cow::into_owned);
            Rule::Integer.order(&value(one)?, &value(other)?)
        };
        assert_eq!(order("9", "10"), Some(Ordering::Less));
        assert_eq!(order("-9", "-10"), Some(Ordering::Greater));
        assert_eq!(order("-1", "0"), Some(Ordering::Less));
        assert_eq!(order("100000000000000000000000", "99999999999999999999999"), Some(Ordering::Greater));
        for text in ["", "-", "007", "-0", "1a", " 1", "+1", "1.0"] {
            assert_eq!(prepared(Rule::Integer, text), None, "{text}");
        }
        assert_eq!(Rule::Boolean.order(b"TRUE", b"FALSE"), None);
    }

    #[test]
    fn bits() {
        assert_eq!(equal(Rule::BitAnd, "514", "2"), Some(true));
        assert_eq!(equal(Rule::BitAnd, "512", "514"), Some(false));
        assert_eq!(equal(Rule::BitOr, "512", "514"), Some(true));
        assert_eq!(equal(Rule::BitOr, "512", "2"), Some(false));
        assert_eq!(equal(Rule::BitAnd, "-2147483646", "2147483648"), Some(true), "groupType is signed");
        assert_eq!(equal(Rule::BitAnd, "x", "2"), None);
        assert_eq!(equal(Rule::BitAnd, "99999999999999999999", "2"), None);
        assert_eq!(equal(Rule::InChain, "cn=a", "cn=a"), None, "the value alone does not tell");
    }

    #[test]
    fn other_syntaxes() {
        assert_eq!(equal(Rule::Boolean, "TRUE", "TRUE"), Some(true));
        assert_eq!(prepared(Rule::Boolean, "true"), None);
        assert_eq!(equal(Rule::GeneralizedTime, "20261122101112Z", "202611221011.2+0000"), Some(true));
        assert_eq!(prepared(Rule::GeneralizedTime, "yesterday"), None);
        let uuid = "597ae2f6-16a6-1027-98f4-d28b5365dc14";
        assert_eq!(equal(Rule::Uuid, uuid, &uuid.to_uppercase()), Some(true));
        assert_eq!(prepared(Rule::Uuid, "597ae2f6"), None);
        assert_eq!(Rule::OctetString.prepare(b"\0\xff").as_deref(), Some(&b"\0\xff"[..]));
        assert_eq!(equal(Rule::DistinguishedName, "CN=A\\2CB,dc=x", "cn=a\\,b, DC=X"), Some(true));
        assert_eq!(prepared(Rule::DistinguishedName, "alice"), None);
        assert_eq!(equal(Rule::UniqueMember, "cn=A#'01'B", "CN=a#'01'B"), Some(true));
        assert_eq!(equal(Rule::UniqueMember, "cn=A#'01'B", "CN=a"), Some(false));
        assert_eq!(equal(Rule::UniqueMember, "cn=A#1", "CN=a#1"), Some(true), "a number sign in a name");
    }

    #[test]
    fn object_classes_are_known_by_name_and_oid() {
        assert_eq!(equal(Rule::ObjectIdentifier, "inetOrgPerson", "INETORGPERSON"), Some(true));
        assert_eq!(equal(Rule::ObjectIdentifier, "inetOrgPerson", "2.16.840.1.113730.3.2.2"), Some(true));
        assert_eq!(equal(Rule::ObjectIdentifier, "person", "1.2.3.4"), Some(false));
        for no_name in ["nobodyKnowsThis", "100020", "12ffc88f-f5ca", "1.2.", ".1", "1..2", "1.02", "1.2 3"] {
            assert_eq!(prepared(Rule::ObjectIdentifier, no_name), None, "{no_name}");
        }
    }

    #[test]
    fn substrings_in_order() {
        let has = |filter: &str, value: &str| {
            let Ok(crate::filter::Filter::Substrings(_, pieces)) = crate::filter::Filter::parse(filter) else {
                panic!("{filter}")
            };
            let pieces = Rule::CaseIgnore.prepare_pieces(&pieces).unwrap();
            pieces.are_in(&Rule::CaseIgnore.prepare(value.as_bytes()).unwrap())
        };
        assert!(has("(cn=ALI*)", "Alice Smith"));
        assert!(has("(cn=*smith)", "Alice Smith"));
        assert!(has("(cn=a*c*s*h)", "Alice Smith"));
        assert!(!has("(cn=a*s*c*h)", "Alice Smith"));
        assert!(has("(cn=alice *)", "Alice Smith") && !has("(cn=alice *)", "Alicent"));
        assert!(has("(cn=* s*)", "Alice   Smith"));
        assert!(!has("(cn=aba*ba)", "aba"), "pieces don't overlap");
        assert!(!has("(cn=*abcd*)", "abc"));
        assert!(has("(cn=*aab*)", "aaab"));
        assert!(has("(cn=alice *)", "alice"), "a value ends with a space (RFC 4518 section 2.6.1)");
        assert!(has("(cn=* alice)", "alice") && !has("(cn=* lice)", "alice"));
        for spaces in ["(cn= *)", "(cn=* *)", "(cn=* )", "(cn= * )", "(cn=  *alice*   )"] {
            assert!(has(spaces, "alice"), "{spaces}");
        }
        assert!(!has("(cn=* * * *)", "alice") && has("(cn=* * * *)", "alice smith"), "two between words");
        assert!(has("(cn=*e * s*)", "Alice Smith") && !has("(cn=*e * s*)", "AliceSmith"));
        assert!(Rule::Integer.prepare_pieces(&Substrings::default()).is_some(), "of nothing");
        assert_eq!(
            Rule::Integer
                .prepare_pieces(&Substrings { first: Some(Bytes::from_static(b"1")), ..Substrings::default() }),
            None
        );
    }
}
