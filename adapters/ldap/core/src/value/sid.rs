//! Security identifiers of Windows (MS-DTYP 2.4.2).

/// An id whose last number tells things of one domain apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sid {
    authority: u64,
    /// At most 15.
    numbers: Vec<u32>,
}

/// The most numbers behind the authority.
const MOST: usize = 15;

impl Sid {
    /// The octets of an `objectSid`, or a value of `tokenGroups`. `None`: they are none.
    pub fn from_octets(octets: &[u8]) -> Option<Self> {
        let [1, count, authority @ ..] = octets else { return None };
        let (authority, numbers) = authority.split_at_checked(6)?;
        let count = usize::from(*count);
        if count > MOST || numbers.len() != count * 4 {
            return None;
        }
        let authority = authority.iter().fold(0, |all, octet| all << 8 | u64::from(*octet));
        let number = |octets: &[u8]| octets.iter().rev().fold(0, |all, octet| all << 8 | u32::from(*octet));
        Some(Self { authority, numbers: numbers.chunks(4).map(number).collect() })
    }

    /// `S-1-5-21-…`, in any case; an authority above 2^32 is hexadecimal.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.split('-');
        if !parts.next()?.eq_ignore_ascii_case("S") || parts.next()? != "1" {
            return None;
        }
        let authority = parts.next()?;
        let authority = match authority.strip_prefix("0x").or_else(|| authority.strip_prefix("0X")) {
            Some(digits) => u64::from_str_radix(digits, 16).ok()?,
            None => number(authority)?,
        };
        let numbers: Vec<_> = parts.map(|part| number(part)?.try_into().ok()).collect::<Option<_>>()?;
        (authority >> 48 == 0 && numbers.len() <= MOST).then_some(Self { authority, numbers })
    }

    pub fn octets(&self) -> Vec<u8> {
        let mut octets = vec![1, self.numbers.len() as u8];
        octets.extend(&self.authority.to_be_bytes()[2..]);
        octets.extend(self.numbers.iter().flat_map(|number| number.to_le_bytes()));
        octets
    }

    /// The number within the domain.
    pub fn relative(&self) -> Option<u32> {
        self.numbers.last().copied()
    }

    /// Another one of the same domain: a primary group is kept as its number alone (MS-ADTS: primaryGroupID).
    pub fn beside(&self, relative: u32) -> Option<Self> {
        let (_, domain) = self.numbers.split_last()?;
        let numbers = domain.iter().copied().chain([relative]).collect();
        Some(Self { authority: self.authority, numbers })
    }
}

/// Digits alone: no sign.
fn number(text: &str) -> Option<u64> {
    if text.starts_with('+') { None } else { text.parse().ok() }
}

impl std::fmt::Display for Sid {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.authority >> 32 == 0 {
            write!(f, "S-1-{}", self.authority)?;
        } else {
            write!(f, "S-1-{:#x}", self.authority)?;
        }
        self.numbers.iter().try_for_each(|number| write!(f, "-{number}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_the_primary_group() {
        let octets = [
            1, 5, 0, 0, 0, 0, 0, 5, 21, 0, 0, 0, 0xa0, 0x65, 0xcf, 0x7e, 0x78, 0x4b, 0x9b, 0x5f, 0xe7, 0x7c, 0x87,
            0x70, 0x28, 0x4, 0, 0,
        ];
        let sid = Sid::from_octets(&octets).unwrap();
        assert_eq!(sid.to_string(), "S-1-5-21-2127521184-1604012920-1887927527-1064");
        assert_eq!(sid.relative(), Some(1064));
        assert_eq!(sid.beside(513).unwrap().to_string(), "S-1-5-21-2127521184-1604012920-1887927527-513");
        assert_eq!(sid.octets(), octets);
        assert_eq!(Sid::from_text(&sid.to_string()), Some(sid));
    }

    #[test]
    fn an_authority_that_is_large_is_hexadecimal() {
        let sid = Sid::from_octets(&[1, 1, 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 1, 0, 0, 0]).unwrap();
        assert_eq!(sid.to_string(), "S-1-0x123456789abc-1");
        assert_eq!(Sid::from_text("s-1-0x123456789abc-1"), Some(sid));
        assert_eq!(Sid::from_text("S-1-5").unwrap().beside(1), None, "of no domain");
    }

    #[test]
    fn what_is_no_sid() {
        for octets in [
            &[][..],
            &[1],
            &[1, 1, 0, 0, 0, 0, 0, 5],
            &[2, 0, 0, 0, 0, 0, 0, 5],
            &[1, 0, 0, 0, 0, 0, 0, 5, 9],
            &[1; 4 + 4 * 16],
        ] {
            assert_eq!(Sid::from_octets(octets), None, "{octets:?}");
        }
        let long = format!("S-1-5{}", "-1".repeat(16));
        for text in
            ["", "S-1", "S-2-5-1", "S-1-x", "S-1-5-4294967296", "S-1-5--1", "S-1-5-+1", "S-1-0x1000000000000", &long]
        {
            assert_eq!(Sid::from_text(text), None, "{text}");
        }
    }
}
