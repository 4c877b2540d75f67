//! Looks at every length and at the depth of what came, before the library below decodes it.
//!
//! The walk keeps its place in an array: no message makes it recurse. Long forms of lengths are taken as
//! they come (Active Directory always sends four octets); what RFC 4511 section 5.1 forbids is refused.

use crate::ber::CONSTRUCTED;

/// The most elements within each other that [`check`] can follow.
pub const DEEPEST: usize = 128;

/// Why octets are no message of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("the message is too long")]
    TooLong,
    #[error("the message is nested too deeply")]
    TooDeep,
    #[error("a length is indefinite")]
    Indefinite,
    #[error("a tag has more than one octet")]
    HighTag,
    #[error("an element reaches beyond what holds it")]
    Overrun,
    /// An element is not what the protocol has in its place.
    #[error("the octets are no LDAP message")]
    NotAMessage,
    #[error("a name is not UTF-8")]
    NotUtf8,
    #[error("the message has no valid number")]
    MessageId,
}

/// Octets of exactly one BER element, whose lengths and depth were looked at.
#[derive(Clone, Copy)]
pub struct Checked<'a>(&'a [u8]);

impl<'a> Checked<'a> {
    pub fn octets(self) -> &'a [u8] {
        self.0
    }

    /// Octets that [`check`] has taken before.
    pub(crate) fn again(octets: &'a [u8]) -> Self {
        Self(octets)
    }
}

/// Looks at one element with all that it holds. `depth`: constructed elements within each other, the
/// outermost among them; [`DEEPEST`] at most.
///
/// # Errors
/// A length that is indefinite or reaches too far, a tag of several octets, too much depth, or anything
/// behind the element.
pub fn check(octets: &[u8], depth: usize) -> Result<Checked<'_>, Malformed> {
    let depth = depth.min(DEEPEST);
    // The ends of the elements around the present one, from the outside.
    let mut around = [0; DEEPEST];
    let mut open = 0;
    let (mut at, mut end) = (0, octets.len());
    loop {
        let header = header(octets.get(at..end).unwrap_or_default())?.ok_or(Malformed::Overrun)?;
        let content = at + header.head;
        let next = content.checked_add(header.length).filter(|next| *next <= end).ok_or(Malformed::Overrun)?;
        if header.is_constructed() {
            if open >= depth {
                return Err(Malformed::TooDeep);
            }
            around[open] = end;
            open += 1;
            (at, end) = (content, next);
        } else {
            at = next;
        }
        while at == end && open > 0 {
            open -= 1;
            end = around[open];
        }
        if open == 0 {
            // The outermost element is over.
            return if at == end { Ok(Checked(octets)) } else { Err(Malformed::Overrun) };
        }
    }
}

/// The beginning of an element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The identifier octet: class, whether it is constructed, number.
    pub tag: u8,
    /// Octets of tag and length.
    pub head: usize,
    /// Octets of the content.
    pub length: usize,
}

impl Header {
    fn is_constructed(self) -> bool {
        self.tag & CONSTRUCTED != 0
    }
}

/// `Ok(None)`: tag and length are not all there.
pub(crate) fn header(octets: &[u8]) -> Result<Option<Header>, Malformed> {
    let Some((&tag, rest)) = octets.split_first() else { return Ok(None) };
    if tag & 0x1f == 0x1f {
        return Err(Malformed::HighTag);
    }
    let Some((&first, rest)) = rest.split_first() else { return Ok(None) };
    let more = usize::from(first & 0x7f);
    match first {
        0..=0x7f => return Ok(Some(Header { tag, head: 2, length: more })),
        0x80 => return Err(Malformed::Indefinite),
        _ if more > 8 => return Err(Malformed::TooLong),
        _ => {}
    }
    let Some(length) = rest.get(..more) else { return Ok(None) };
    let length = length.iter().fold(0_u64, |length, octet| length << 8 | u64::from(*octet));
    let length = usize::try_from(length).map_err(|_| Malformed::TooLong)?;
    Ok(Some(Header { tag, head: 2 + more, length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(octets: &[u8], depth: usize) -> Result<(), Malformed> {
        check(octets, depth).map(|_| ())
    }

    #[test]
    fn takes_an_element_that_fits() {
        assert_eq!(verdict(&[0x30, 0], 1), Ok(()));
        assert_eq!(verdict(&[0x30, 5, 0x04, 1, b'a', 0x05, 0], 1), Ok(()));
        assert_eq!(verdict(&[0x04, 1, b'a'], 0), Ok(()), "nothing is nested");
        assert_eq!(verdict(&[0x30, 0x84, 0, 0, 0, 3, 0x04, 0x81, 0], 1), Ok(()), "long lengths are legal");
    }

    #[test]
    fn refuses_what_reaches_too_far() {
        assert_eq!(verdict(&[], 1), Err(Malformed::Overrun));
        assert_eq!(verdict(&[0x30], 1), Err(Malformed::Overrun));
        assert_eq!(verdict(&[0x30, 3, 0x04, 2, b'a'], 1), Err(Malformed::Overrun), "beyond the parent");
        assert_eq!(
            verdict(&[0x30, 7, 0x30, 2, 0x04, 2, b'a', b'b', 0], 2),
            Err(Malformed::Overrun),
            "beyond it, and not the message"
        );
        assert_eq!(verdict(&[0x30, 4, 0x04, 2, b'a', b'b', 0x05, 0], 1), Err(Malformed::Overrun), "something behind");
        assert_eq!(verdict(&[0x30, 1, 0x04], 1), Err(Malformed::Overrun), "a tag without a length");
        // Inside of a control's value such a length would be met by the library alone.
        assert_eq!(verdict(&[0x30, 6, 0x04, 0x84, 0xff, 0xff, 0xff, 0xff], 1), Err(Malformed::Overrun));
        assert_eq!(
            verdict(&[0x30, 10, 0x04, 0x88, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 1),
            Err(Malformed::Overrun)
        );
        assert_eq!(verdict(&[0x04, 0x89, 0, 0, 0, 0, 0, 0, 0, 0, 0], 1), Err(Malformed::TooLong));
        assert_eq!(verdict(&[0x04, 0xff, 0, 0], 1), Err(Malformed::TooLong));
    }

    #[test]
    fn refuses_what_the_protocol_forbids() {
        assert_eq!(verdict(&[0x30, 0x80, 0, 0], 1), Err(Malformed::Indefinite));
        assert_eq!(verdict(&[0x30, 3, 0x3f, 1, 0], 2), Err(Malformed::HighTag));
    }

    #[test]
    fn counts_the_depth() {
        let nested = |levels: usize| {
            let mut octets = Vec::new();
            for _ in 0..levels {
                let mut outer = vec![0x30, 0x84];
                outer.extend(u32::try_from(octets.len()).unwrap().to_be_bytes());
                outer.append(&mut octets);
                octets = outer;
            }
            octets
        };
        assert_eq!(verdict(&nested(50), 50), Ok(()));
        assert_eq!(verdict(&nested(51), 50), Err(Malformed::TooDeep));
        assert_eq!(verdict(&nested(DEEPEST), usize::MAX), Ok(()));
        assert_eq!(verdict(&nested(DEEPEST + 1), usize::MAX), Err(Malformed::TooDeep));
        // 100,000 sequences: no stack is used for them.
        let many = 100_000;
        let deep: Vec<u8> = (0..many)
            .flat_map(|level| {
                let rest = u32::try_from((many - 1 - level) * 6).unwrap();
                [&[0x30, 0x84], &rest.to_be_bytes()[..]].concat()
            })
            .collect();
        assert_eq!(verdict(&deep, usize::MAX), Err(Malformed::TooDeep));
    }
}
