//! Controls, and what the common ones carry (RFC 4511 section 4.1.11).
//!
//! Those of password policies are in [`password_policy`](crate::password_policy), those of synchronization in
//! [`sync`](crate::sync).

use bytes::Bytes;

use crate::ber::{BOOLEAN, ENUMERATED, INTEGER, OCTETS, SEQUENCE, Tree};
use crate::filter::Filter;
use crate::guard::Malformed;
use crate::result::Code;

/// RFC 2696.
pub const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";
/// RFC 2891.
pub const SORT_REQUEST: &str = "1.2.840.113556.1.4.473";
pub const SORT_RESPONSE: &str = "1.2.840.113556.1.4.474";
/// RFC 3296: referrals are taken for entries.
pub const MANAGE_DSA_IT: &str = "2.16.840.1.113730.3.4.2";
/// RFC 4528.
pub const ASSERTION: &str = "1.3.6.1.1.12";
/// draft-ietf-ldapext-ldapv3-vlv.
pub const VIRTUAL_LIST_VIEW: &str = "2.16.840.1.113730.3.4.9";
/// RFC 4370.
pub const PROXIED_AUTHORIZATION: &str = "2.16.840.1.113730.3.4.18";
/// Active Directory shows deleted entries (MS-ADTS 3.1.1.3.4.1.14).
pub const SHOW_DELETED: &str = "1.2.840.113556.1.4.417";
/// MS-ADTS 3.1.1.3.4.1.3.
pub const DIR_SYNC: &str = "1.2.840.113556.1.4.841";

#[derive(Clone, PartialEq, Eq)]
pub struct Control {
    pub oid: String,
    pub critical: bool,
    pub value: Option<Bytes>,
}

impl Control {
    /// Without a value.
    pub fn new(oid: impl Into<String>, critical: bool) -> Self {
        Self { oid: oid.into(), critical, value: None }
    }

    pub fn with_value(oid: impl Into<String>, critical: bool, value: Bytes) -> Self {
        Self { oid: oid.into(), critical, value: Some(value) }
    }

    pub(crate) fn read(tree: Tree) -> Result<Self, Malformed> {
        if tree.tag() != SEQUENCE {
            return Err(Malformed::NotAMessage);
        }
        let mut fields = tree.fields()?;
        let oid = fields.text()?;
        let critical = fields.maybe(BOOLEAN).map_or(Ok(false), Tree::truth)?;
        let value = fields.maybe(OCTETS).map(Tree::content).transpose()?;
        Ok(Self { oid, critical, value })
    }

    pub(crate) fn tree(&self) -> Tree {
        let mut fields = vec![Tree::octets(OCTETS, self.oid.as_bytes())];
        fields.extend(self.critical.then(|| Tree::boolean(BOOLEAN, true)));
        fields.extend(self.value.as_ref().map(|value| Tree::octets(OCTETS, &value[..])));
        Tree::of(SEQUENCE, fields)
    }

    pub(crate) fn value_tree(&self) -> Result<Tree, Malformed> {
        Tree::of_value(self.value.as_deref().unwrap_or_default())
    }

    /// The filter of an [`ASSERTION`].
    ///
    /// # Errors
    /// The value is no filter.
    pub fn assertion(&self) -> Result<Filter, Malformed> {
        Filter::read(self.value_tree()?)
    }
}

/// Values may be cookies and names: how many octets is all that is said.
impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut it = f.debug_struct("Control");
        let octets = self.value.as_ref().map(Bytes::len);
        it.field("oid", &self.oid).field("critical", &self.critical).field("octets", &octets).finish()
    }
}

/// The value of [`PAGED_RESULTS`], both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagedResults {
    /// Entries: how many are wanted, or how many there may be; zero says neither.
    pub size: u32,
    /// Empty at the start and at the end.
    pub cookie: Bytes,
}

impl PagedResults {
    /// # Errors
    /// The value is none of this control.
    pub fn read(control: &Control) -> Result<Self, Malformed> {
        let mut fields = control.value_tree()?.fields()?;
        Ok(Self { size: fields.size()?, cookie: fields.octets()? })
    }

    pub fn control(&self, critical: bool) -> Control {
        let fields = vec![Tree::integer(INTEGER, i64::from(self.size)), Tree::octets(OCTETS, &self.cookie[..])];
        Control::with_value(PAGED_RESULTS, critical, Tree::of(SEQUENCE, fields).to_bytes())
    }
}

/// A key of [`SORT_REQUEST`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SortKey {
    pub attribute: String,
    pub rule: Option<String>,
    pub is_reverse: bool,
}

const SORT_RULE: u8 = 0x80;
const SORT_REVERSE: u8 = 0x81;
const SORT_ATTRIBUTE: u8 = 0x80;

impl SortKey {
    /// At least one.
    ///
    /// # Errors
    /// The value is none of this control.
    pub fn read_all(control: &Control) -> Result<Vec<Self>, Malformed> {
        let keys = control.value_tree()?.fields()?.map(|key| {
            let mut fields = key.fields()?;
            let attribute = fields.text()?;
            let rule = fields.maybe(SORT_RULE).map(Tree::text).transpose()?;
            let is_reverse = fields.maybe(SORT_REVERSE).map_or(Ok(false), Tree::truth)?;
            Ok(Self { attribute, rule, is_reverse })
        });
        let keys: Vec<_> = keys.collect::<Result<_, _>>()?;
        if keys.is_empty() { Err(Malformed::NotAMessage) } else { Ok(keys) }
    }

    pub fn control(keys: &[Self], critical: bool) -> Control {
        let keys = keys.iter().map(|key| {
            let mut fields = vec![Tree::octets(OCTETS, key.attribute.as_bytes())];
            fields.extend(key.rule.as_ref().map(|rule| Tree::octets(SORT_RULE, rule.as_bytes())));
            fields.extend(key.is_reverse.then(|| Tree::boolean(SORT_REVERSE, true)));
            Tree::of(SEQUENCE, fields)
        });
        Control::with_value(SORT_REQUEST, critical, Tree::of(SEQUENCE, keys.collect()).to_bytes())
    }
}

/// [`SORT_RESPONSE`]: how sorting went, and which attribute was at fault.
pub fn sort_response(code: Code, attribute: Option<&str>) -> Control {
    let mut fields = vec![Tree::integer(ENUMERATED, i64::from(code.0))];
    fields.extend(attribute.map(|name| Tree::octets(SORT_ATTRIBUTE, name.as_bytes())));
    Control::with_value(SORT_RESPONSE, false, Tree::of(SEQUENCE, fields).to_bytes())
}

/// The value of [`DIR_SYNC`], both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirSync {
    /// Asked: LDAP_DIRSYNC_OBJECT_SECURITY and its like. Answered: anything but zero says that there is more.
    pub flags: i64,
    /// Octets of an answer, at most.
    pub most: i64,
    pub cookie: Bytes,
}

impl DirSync {
    /// # Errors
    /// The value is none of this control.
    pub fn read(control: &Control) -> Result<Self, Malformed> {
        let mut fields = control.value_tree()?.fields()?;
        Ok(Self { flags: fields.number(INTEGER)?, most: fields.number(INTEGER)?, cookie: fields.octets()? })
    }

    pub fn control(&self) -> Control {
        let fields = vec![
            Tree::integer(INTEGER, self.flags),
            Tree::integer(INTEGER, self.most),
            Tree::octets(OCTETS, &self.cookie[..]),
        ];
        Control::with_value(DIR_SYNC, true, Tree::of(SEQUENCE, fields).to_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(octets: &'static [u8]) -> Control {
        Control::with_value("1.2.3", false, Bytes::from_static(octets))
    }

    #[test]
    fn paged_results() {
        let paged = PagedResults { size: 1000, cookie: Bytes::from_static(b"\0cookie") };
        let control = paged.control(true);
        assert_eq!(control.value.as_deref(), Some(&b"\x30\x0d\x02\x02\x03\xe8\x04\x07\0cookie"[..]));
        assert_eq!(PagedResults::read(&control), Ok(paged));
        for octets in [
            &b""[..],
            b"\x30\0",
            b"\x30\x03\x02\x01\x05",
            b"\x30\x05\x02\x01\xff\x04\0",
            b"\x30\x08\x02\x04\x7f\xff\xff\xff\x04\x05",
            b"\x04\0",
        ] {
            assert!(PagedResults::read(&with(octets)).is_err(), "{octets:?}");
        }
        assert!(PagedResults::read(&Control::new(PAGED_RESULTS, true)).is_err());
    }

    #[test]
    fn sort_keys() {
        let keys = [
            SortKey { attribute: "cn".to_owned(), rule: None, is_reverse: false },
            SortKey { attribute: "uidNumber".to_owned(), rule: Some("2.5.13.15".to_owned()), is_reverse: true },
        ];
        assert_eq!(SortKey::read_all(&SortKey::control(&keys, true)), Ok(keys.to_vec()));
        assert!(SortKey::read_all(&with(b"\x30\0")).is_err(), "by nothing");
        assert!(SortKey::read_all(&with(b"\x30\x02\x04\0")).is_err());
        let refused = sort_response(Code::NO_SUCH_ATTRIBUTE, Some("x"));
        assert_eq!(refused.value.as_deref(), Some(&b"\x30\x06\x0a\x01\x10\x80\x01x"[..]));
    }

    #[test]
    fn dir_sync() {
        let ask = DirSync { flags: -2_147_483_648, most: 1_048_576, cookie: Bytes::new() };
        assert_eq!(DirSync::read(&ask.control()), Ok(ask));
        assert!(DirSync::read(&with(b"\x30\x03\x02\x01\0")).is_err());
    }

    #[test]
    fn an_assertion_is_a_filter() {
        let filter = Filter::parse("(&(uid=x)(!(cn=y)))").unwrap();
        let control = Control::with_value(ASSERTION, true, filter.encode());
        assert_eq!(control.assertion(), Ok(filter));
        assert!(with(b"\xa3\x05\x04\x01a\x04\x84").assertion().is_err());
        assert!(with(b"").assertion().is_err());
    }

    #[test]
    fn a_length_of_four_gigabytes_in_a_value() {
        for control in [with(b"\x30\x84\xff\xff\xff\xff\x02\x01\x05"), with(b"\x30\x06\x04\x84\xff\xff\xff\xff")] {
            assert_eq!(PagedResults::read(&control), Err(Malformed::Overrun));
            assert_eq!(DirSync::read(&control), Err(Malformed::Overrun));
            assert_eq!(SortKey::read_all(&control), Err(Malformed::Overrun));
        }
    }
}
