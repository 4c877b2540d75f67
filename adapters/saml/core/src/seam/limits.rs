//! What a document may look like, and why one is refused.

use super::element::is_xml_space;

/// Bounds of one kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    pub(super) octets: usize,
    pub(super) nodes: usize,
    pub(super) depth: usize,
    pub(super) attributes: usize,
    /// Namespace declarations in scope at once: each name is looked up among them.
    pub(super) namespaces: usize,
    pub(super) comments: Comments,
    pub(super) byte_order_mark: ByteOrderMark,
    pub(super) repeated_ids: RepeatedIds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comments {
    Refused,
    /// Left out of the tree, as canonicalization leaves them out.
    Dropped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ByteOrderMark {
    Refused,
    /// The UTF-8 mark EF BB BF, once, at the very start.
    Skipped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepeatedIds {
    Refused,
    /// Refused only when a signature is verified.
    RefusedWhenSigned,
}

impl Limits {
    /// Protocol messages: at most 1 MiB, 10,000 nodes (elements, attributes and
    /// namespace declarations together), depth 32, 64 attributes an element, 64
    /// namespace declarations in scope.
    pub const fn message() -> Self {
        Self {
            octets: 1 << 20,
            nodes: 10_000,
            depth: 32,
            attributes: 64,
            namespaces: 64,
            comments: Comments::Refused,
            byte_order_mark: ByteOrderMark::Refused,
            repeated_ids: RepeatedIds::Refused,
        }
    }

    /// Metadata, aggregates included: at most 16 MiB and 500,000 nodes. Comments
    /// and a UTF-8 byte order mark are met in the wild and do no harm there.
    pub const fn metadata() -> Self {
        Self {
            octets: 16 << 20,
            nodes: 500_000,
            depth: 32,
            attributes: 64,
            namespaces: 64,
            comments: Comments::Dropped,
            byte_order_mark: ByteOrderMark::Skipped,
            repeated_ids: RepeatedIds::RefusedWhenSigned,
        }
    }

    /// For octets that canonicalization made out of a document with these limits.
    pub(super) const fn canonical(self) -> Self {
        Self { comments: Comments::Refused, byte_order_mark: ByteOrderMark::Refused, ..self }
    }
}

/// Why a document was refused before anything was read from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParseRefusal {
    #[error("the document is empty")]
    Empty,
    #[error("the document is larger than {0} octets")]
    TooLarge(usize),
    #[error("the document is not UTF-8")]
    NotUtf8,
    #[error("the document starts with a byte order mark")]
    ByteOrderMark,
    #[error("the XML declaration is not one of XML 1.0 in UTF-8")]
    XmlDeclaration,
    #[error("the document has a DOCTYPE")]
    Doctype,
    #[error("the document has a processing instruction")]
    ProcessingInstruction,
    #[error("the document has a comment")]
    Comment,
    #[error("the document refers to an entity that XML does not predefine")]
    Entity,
    #[error("an element has the same attribute twice")]
    DuplicateAttribute,
    #[error("a namespace prefix is used but not declared")]
    UndeclaredPrefix,
    #[error("a reserved namespace or prefix is rebound")]
    ReservedNamespace,
    #[error("a namespace name is not an absolute URI")]
    RelativeNamespace,
    #[error("elements are nested deeper than {0}")]
    TooDeep(usize),
    #[error("the document has more than {0} nodes")]
    TooManyNodes(usize),
    #[error("an element has more than {0} attributes")]
    TooManyAttributes(usize),
    #[error("more than {0} namespace declarations are in scope")]
    TooManyNamespaces(usize),
    #[error("an element is not closed")]
    MissingEndTag,
    #[error("something follows the root element")]
    TrailingContent,
    #[error("an ID appears twice")]
    DuplicateId,
    #[error("an ID is given by an attribute in a namespace")]
    NamespacedId,
    #[error("the document is not well-formed XML (libxml2 error {0})")]
    NotWellFormed(u32),
    #[error("the XML library failed")]
    Library,
}

/// Checks that need no parser, and the one that must come before it: libxml2 2.9
/// compares every attribute of a start tag with every other, so their number is
/// bounded first. Gives back the octets for the parser.
///
/// This never reads data. Where it sees something that it does not know, it stops
/// and leaves the refusal to the parser.
pub(super) fn gate(octets: &[u8], limits: Limits) -> Result<&[u8], ParseRefusal> {
    if octets.len() > limits.octets {
        return Err(ParseRefusal::TooLarge(limits.octets));
    }
    let octets = match octets.strip_prefix(b"\xEF\xBB\xBF") {
        None => octets,
        // libxml2 would skip a second one by itself.
        Some(rest) if limits.byte_order_mark == ByteOrderMark::Skipped && !rest.starts_with(b"\xEF\xBB\xBF") => rest,
        Some(_) => return Err(ParseRefusal::ByteOrderMark),
    };
    if matches!(octets, [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..]) {
        return Err(ParseRefusal::ByteOrderMark);
    }
    let text = std::str::from_utf8(octets).map_err(|_| ParseRefusal::NotUtf8)?;
    if text.contains('\0') {
        return Err(ParseRefusal::NotUtf8);
    }
    if text.bytes().all(is_xml_space) {
        return Err(ParseRefusal::Empty);
    }
    if let Some(declaration) = text.strip_prefix("<?xml").filter(|rest| rest.starts_with([' ', '\t', '\r', '\n'])) {
        let (declaration, _) = declaration.split_once("?>").ok_or(ParseRefusal::XmlDeclaration)?;
        check_declaration(declaration).ok_or(ParseRefusal::XmlDeclaration)?;
    }
    bound_attributes(text, limits.attributes)?;
    Ok(octets)
}

/// `version="1.0"`, then `encoding="UTF-8"` and `standalone` if they are there.
fn check_declaration(mut rest: &str) -> Option<()> {
    let mut expected = ["version", "encoding", "standalone"].into_iter();
    let mut versions = 0;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
        if rest.is_empty() {
            return (versions == 1).then_some(());
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_end_matches([' ', '\t', '\r', '\n']);
        expected.find(|known| *known == name)?;
        let after = after.trim_start_matches([' ', '\t', '\r', '\n']);
        let quote = after.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
        let (value, after) = after[1..].split_once(quote)?;
        let fits = match name {
            "version" => value == "1.0",
            "encoding" => value.eq_ignore_ascii_case("utf-8"),
            _ => matches!(value, "yes" | "no"),
        };
        if !fits {
            return None;
        }
        versions += usize::from(name == "version");
        rest = after;
    }
}

fn bound_attributes(text: &str, most: usize) -> Result<(), ParseRefusal> {
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find('<')) {
        at += start;
        let rest = &text.as_bytes()[at..];
        let skipped = if rest.starts_with(b"<![CDATA[") {
            after(rest, b"]]>")
        } else if rest.starts_with(b"<!--") {
            after(rest, b"-->")
        } else if rest.starts_with(b"<?") {
            after(rest, b"?>")
        } else if rest.starts_with(b"<!") {
            None
        } else {
            let (length, attributes) = tag(rest);
            if attributes > most {
                return Err(ParseRefusal::TooManyAttributes(most));
            }
            length
        };
        match skipped {
            Some(length) => at += length,
            None => return Ok(()),
        }
    }
    Ok(())
}

fn after(octets: &[u8], end: &[u8]) -> Option<usize> {
    octets.windows(end.len()).position(|window| window == end).map(|at| at + end.len())
}

/// Length of the tag up to its `>`, if it ends, and the number of its attributes.
fn tag(octets: &[u8]) -> (Option<usize>, usize) {
    let mut quote = None;
    let mut attributes = 0;
    for (at, &byte) in octets.iter().enumerate() {
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) => {}
            None => match byte {
                b'"' | b'\'' => quote = Some(byte),
                b'=' => attributes += 1,
                b'>' => return (Some(at + 1), attributes),
                _ => {}
            },
        }
    }
    (None, attributes)
}
