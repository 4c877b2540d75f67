//! Attribute descriptions: a name or an OID, and options behind it (RFC 4512 section 2.5).

use crate::schema::{self, AttributeType};

/// `member;range=0-1499`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Description<'t> {
    /// As it came: names are compared without case.
    pub base: &'t str,
    options: &'t str,
}

impl<'t> Description<'t> {
    pub fn of(text: &'t str) -> Self {
        match text.split_once(';') {
            Some((base, options)) => Self { base, options },
            None => Self { base: text, options: "" },
        }
    }

    /// Without their semicolons: `lang-en`, `binary`, `range=0-1499`.
    pub fn options(self) -> impl Iterator<Item = &'t str> {
        self.options.split(';').filter(|option| !option.is_empty())
    }

    pub fn has_option(self, name: &str) -> bool {
        self.options().any(|option| option.eq_ignore_ascii_case(name))
    }

    /// Whether it is the attribute with this name, whatever its options. A name that the schema knows is the same
    /// as its other names and its OID.
    pub fn is(self, name: &str) -> bool {
        self.base.eq_ignore_ascii_case(name)
            || match (self.known(), schema::attribute(name)) {
                (Some(one), Some(other)) => std::ptr::eq(one, other),
                _ => false,
            }
    }

    pub fn known(self) -> Option<&'static AttributeType> {
        schema::attribute(self.base)
    }

    /// Active Directory's part of many values (MS-ADTS 3.1.1.3.1.3.3).
    pub fn range(self) -> Option<Range> {
        let option =
            self.options().find(|option| option.get(..6).is_some_and(|start| start.eq_ignore_ascii_case("range=")))?;
        let (first, last) = option.get(6..)?.split_once('-')?;
        let last = if last == "*" { None } else { Some(last.parse().ok()?) };
        Some(Range { first: first.parse().ok()?, last })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    pub first: u32,
    /// `None`: up to the last value of all.
    pub last: Option<u32>,
}

impl Range {
    /// What to ask for next: `member;range=1500-*`. `None`: these were all.
    pub fn next(self, attribute: &str) -> Option<String> {
        let last = self.last.filter(|last| *last >= self.first)?;
        Some(format!("{attribute};range={}-*", last.checked_add(1)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_no_part_of_the_name() {
        let mail = Description::of("MAIL;lang-en;x-y");
        assert!(mail.is("mail") && !mail.is("email2"));
        assert!(mail.has_option("LANG-EN") && !mail.has_option("binary"));
        assert_eq!(mail.options().collect::<Vec<_>>(), ["lang-en", "x-y"]);
        assert!(Description::of("userCertificate;binary").has_option("binary"));
        assert_eq!(Description::of("cn").options().count(), 0);
    }

    #[test]
    fn an_oid_is_a_name_too() {
        assert!(Description::of("2.5.4.3").is("CN"));
        assert!(Description::of("commonName;lang-de").is("cn"));
        assert!(Description::of("x-own").is("X-Own"));
        assert!(!Description::of("x-own").is("x-other"), "two that nobody knows are two");
    }

    #[test]
    fn ranges() {
        let range = |text| Description::of(text).range();
        assert_eq!(range("member;range=0-1499"), Some(Range { first: 0, last: Some(1499) }));
        assert_eq!(range("member;x;Range=1500-*"), Some(Range { first: 1500, last: None }));
        for text in ["member", "member;range=", "member;range=a-b", "member;range=1", "member;rang\u{e9}=0-1"] {
            assert_eq!(range(text), None, "{text}");
        }
        assert_eq!(range("member;range=0-1499").unwrap().next("member").unwrap(), "member;range=1500-*");
        assert_eq!(range("member;range=1500-*").unwrap().next("member"), None);
        assert_eq!(Range { first: 5, last: Some(4) }.next("member"), None, "it would never end");
        assert_eq!(Range { first: 0, last: Some(u32::MAX) }.next("member"), None);
    }
}
