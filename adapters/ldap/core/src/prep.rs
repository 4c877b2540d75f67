//! Prepares strings for comparison (RFC 4518): what two people would call the same becomes the same octets.
//!
//! Most values are plain ASCII and prepared already: those are looked at once, and not copied. The step that
//! prohibits characters (section 2.4) is left out, as other servers leave it out: a value that holds one is compared
//! like any other. So are octets that are no UTF-8: they are equal to themselves.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Case {
    Ignore,
    Exact,
}

/// Which part of a value octets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    Whole,
    First,
    Any,
    Last,
}

impl Part {
    /// Whether spaces at the start and at the end separate it from what it stands beside.
    fn keeps(self) -> (bool, bool) {
        match self {
            Self::Whole => (false, false),
            Self::First => (false, true),
            Self::Any => (true, true),
            Self::Last => (true, false),
        }
    }
}

/// A whole value.
pub fn prepare(value: &[u8], case: Case) -> Cow<'_, [u8]> {
    prepare_part(value, case, Part::Whole)
}

/// Spaces around a value are nothing, and several within it are one; in a piece of a value one is kept where
/// it meets what the piece was cut from (section 2.6.1).
pub fn prepare_part(value: &[u8], case: Case, part: Part) -> Cow<'_, [u8]> {
    if is_prepared(value, case) {
        return Cow::Borrowed(value);
    }
    let Ok(text) = std::str::from_utf8(value) else { return Cow::Borrowed(value) };
    let mut into = String::with_capacity(text.len());
    if text.is_ascii() {
        let mapped = text.chars().filter_map(map);
        match case {
            Case::Ignore => spaced(mapped.map(|letter| letter.to_ascii_lowercase()), part, &mut into),
            Case::Exact => spaced(mapped, part, &mut into),
        }
    } else {
        let normal = text.chars().filter_map(map).nfkc();
        match case {
            // What a compatible form leaves may be a capital letter; what folding leaves may be joined.
            Case::Ignore => spaced(normal.flat_map(fold).nfkc(), part, &mut into),
            Case::Exact => spaced(normal, part, &mut into),
        }
    }
    Cow::Owned(into.into_bytes())
}

/// A prepared value, or a prepared piece of one, with its spaces as section 2.6.1 writes them: one where the value begins
/// and ends, and two between words. So a piece may take one of two and leave the other to the next piece.
///
/// Values are kept without, and compared without wherever that comes to the same.
pub fn spaced_out(prepared: &[u8], part: Part) -> Vec<u8> {
    // As nothing else is, these are compared octet by octet.
    let Ok(text) = std::str::from_utf8(prepared) else { return prepared.to_vec() };
    let (begins, ends) = (matches!(part, Part::Whole | Part::First), matches!(part, Part::Whole | Part::Last));
    let words = text.trim_matches(' ');
    if words.is_empty() {
        return if part == Part::Whole { b"  ".to_vec() } else { b" ".to_vec() };
    }
    let mut into = String::with_capacity(text.len() + 8);
    let mut letters = text.chars().peekable();
    if begins {
        into.push(' ');
    }
    let mut at_the_start = true;
    while let Some(letter) = letters.next() {
        into.push(letter);
        let between = !at_the_start && letters.peek().is_some_and(|next| !is_combining_mark(*next));
        if letter == ' ' && between {
            into.push(' ');
        }
        at_the_start = false;
    }
    if ends {
        into.push(' ');
    }
    into.into_bytes()
}

/// Whether octets stay as they are, as any part of a value.
fn is_prepared(value: &[u8], case: Case) -> bool {
    let mut space = true;
    for octet in value {
        match octet {
            b' ' if space => return false,
            b'A'..=b'Z' if case == Case::Ignore => return false,
            0x20..=0x7e => space = *octet == b' ',
            _ => return false,
        }
    }
    !space || value.is_empty()
}

/// Section 2.2: what can't be seen is nothing, and every kind of space is one kind.
fn map(letter: char) -> Option<char> {
    match letter {
        '\u{9}'..='\u{d}' | '\u{85}' => Some(' '),
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => None,
        ' '..='~' => Some(letter),
        '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' => Some(' '),
        '\u{202f}' | '\u{205f}' | '\u{3000}' => Some(' '),
        '\u{ad}' | '\u{34f}' | '\u{6dd}' | '\u{70f}' | '\u{1806}' | '\u{180b}'..='\u{180e}' => None,
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2063}' => None,
        '\u{206a}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffc}' => None,
        '\u{1d173}'..='\u{1d17a}' | '\u{e0001}' | '\u{e0020}'..='\u{e007f}' => None,
        _ => Some(letter),
    }
}

/// Full case folding (RFC 3454 table B.2): the small letter of the capital. The small letter comes first for letters
/// whose capital is longer, as of the sharp s. The dotless i is no i.
fn fold(letter: char) -> impl Iterator<Item = char> {
    let dotless = (letter == '\u{131}').then_some(letter);
    let others = (letter != '\u{131}').then_some(letter);
    let folded = others.into_iter().flat_map(char::to_lowercase).flat_map(char::to_uppercase);
    dotless.into_iter().chain(folded.flat_map(char::to_lowercase))
}

/// Section 2.6.1. A space that carries a mark is a letter.
fn spaced(letters: impl Iterator<Item = char>, part: Part, into: &mut String) {
    let (keeps_start, keeps_end) = part.keeps();
    let mut letters = letters.peekable();
    let mut space = false;
    while let Some(letter) = letters.next() {
        if letter == ' ' && !letters.peek().is_some_and(|next| is_combining_mark(*next)) {
            space = true;
            continue;
        }
        if space && (!into.is_empty() || keeps_start) {
            into.push(' ');
        }
        space = false;
        into.push(letter);
    }
    if space && (keeps_end || (keeps_start && into.is_empty())) {
        into.push(' ');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ignoring(text: &str) -> String {
        String::from_utf8(prepare(text.as_bytes(), Case::Ignore).into_owned()).unwrap()
    }

    fn exact(text: &str) -> String {
        String::from_utf8(prepare(text.as_bytes(), Case::Exact).into_owned()).unwrap()
    }

    #[test]
    fn what_is_prepared_is_not_copied() {
        for text in ["", "alice", "two words", "a.b-c_d@e~"] {
            assert!(matches!(prepare(text.as_bytes(), Case::Ignore), Cow::Borrowed(_)), "{text}");
        }
        assert!(matches!(prepare(b"/Home/Alice", Case::Exact), Cow::Borrowed(_)));
        assert!(matches!(prepare(b"\xff\xfe", Case::Ignore), Cow::Borrowed(b"\xff\xfe")), "no UTF-8");
    }

    #[test]
    fn capitals_and_spaces() {
        assert_eq!(ignoring("  Alice \t  SMITH "), "alice smith");
        assert_eq!(exact("  Alice \t  SMITH "), "Alice SMITH");
        assert_eq!(ignoring("alice "), "alice");
        assert_eq!(ignoring("   "), "");
        assert_eq!(ignoring("a\u{a0}\u{3000}b"), "a b");
        assert_eq!(ignoring("a\0b\u{7f}"), "ab");
        assert_eq!(ignoring("a\u{ad}b\u{200b}c\u{feff}"), "abc", "what can't be seen");
    }

    #[test]
    fn forms_of_one_letter_are_equal() {
        // Of a with two dots: one letter, two letters, a capital, a capital of two letters.
        for text in ["\u{e4}lice", "a\u{308}lice", "\u{c4}LICE", "A\u{308}lice"] {
            assert_eq!(ignoring(text), "\u{e4}lice");
        }
        assert_eq!(ignoring("STRASSE"), ignoring("stra\u{df}e"));
        assert_eq!(ignoring("STRASSE"), ignoring("STRA\u{1e9e}E"));
        assert_eq!(
            ignoring("\u{3a3}\u{3af}\u{3c3}\u{3c5}\u{3c6}\u{3bf}\u{3c2}"),
            ignoring("\u{3a3}\u{38a}\u{3a3}\u{3a5}\u{3a6}\u{39f}\u{3a3}"),
            "both small sigmas"
        );
        assert_eq!(ignoring("\u{ff21}\u{ff42}"), "ab", "wide letters");
        assert_eq!(ignoring("\u{1d400}"), "a", "a compatible form that is a capital");
        assert_eq!(exact("\u{ff21}"), "A");
        assert_eq!(ignoring("\u{212a}"), "k", "the sign of kelvin");
        assert_eq!(ignoring("\u{fb01}n"), "fin");
        assert_eq!(ignoring("adm\u{131}n"), "adm\u{131}n", "the dotless i is no i");
        assert_eq!(ignoring("\u{390}"), ignoring("\u{399}\u{308}\u{301}"), "folding takes it apart");
        assert_ne!(exact("\u{e4}"), exact("\u{c4}"));
    }

    #[test]
    fn it_is_the_same_when_done_twice() {
        for text in [
            "\u{130}x",
            "\u{149}A",
            "\u{3f4}\u{345}",
            "\u{1e9e} \u{308}",
            "\u{2126} \u{212b}",
            "\u{fb03}",
            "\u{1f80}\u{390}",
        ] {
            let once = ignoring(text);
            assert_eq!(ignoring(&once), once, "{text}");
        }
    }

    #[test]
    fn pieces_keep_the_space_where_they_were_cut() {
        let part = |text: &str, part| {
            String::from_utf8(prepare_part(text.as_bytes(), Case::Ignore, part).into_owned()).unwrap()
        };
        assert_eq!(part("  A  b  ", Part::First), "a b ");
        assert_eq!(part("  A  b  ", Part::Any), " a b ");
        assert_eq!(part("  A  b  ", Part::Last), " a b");
        assert_eq!(part("  A  b  ", Part::Whole), "a b");
        for any in [Part::First, Part::Any, Part::Last] {
            assert_eq!(part("  ", any), " ");
        }
    }

    /// The example of section 2.6.1, and what it says of spaces alone.
    #[test]
    fn spaces_are_written_out() {
        let out = |text: &str, part| {
            let prepared = prepare_part(text.as_bytes(), Case::Ignore, part);
            String::from_utf8(spaced_out(&prepared, part)).unwrap()
        };
        let text = "foo bar  ";
        assert_eq!(out(text, Part::Whole), " foo  bar ");
        assert_eq!(out(text, Part::First), " foo  bar ");
        assert_eq!(out(text, Part::Any), "foo  bar ");
        assert_eq!(out(text, Part::Last), "foo  bar ");
        assert_eq!(out("  foo", Part::Last), " foo ");
        assert_eq!(out("   ", Part::Whole), "  ");
        for part in [Part::First, Part::Any, Part::Last] {
            assert_eq!(out("   ", part), " ");
        }
        assert_eq!(out("a \u{301}b", Part::Any), "a \u{301}b", "a space that carries a mark is a letter");
    }
}
