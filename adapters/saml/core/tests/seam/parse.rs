//! Everything that is refused before a tree is looked at.

use fedbridge_saml_core::seam::{ContentError, Element, Limits, Node, ParseRefusal, UnverifiedDocument};

fn refusal(xml: impl AsRef<[u8]>) -> Option<ParseRefusal> {
    UnverifiedDocument::parse(xml.as_ref(), Limits::message()).err()
}

fn metadata_refusal(xml: impl AsRef<[u8]>) -> Option<ParseRefusal> {
    UnverifiedDocument::parse(xml.as_ref(), Limits::metadata()).err()
}

#[test]
fn every_trick_has_its_reason() {
    use ParseRefusal::*;
    let cases: &[(&str, ParseRefusal)] = &[
        ("", Empty),
        (" \r\n\t ", Empty),
        ("<!DOCTYPE a><a/>", Doctype),
        ("<!DOCTYPE a SYSTEM 'http://127.0.0.1:9/x.dtd'><a/>", Doctype),
        ("<!DOCTYPE a [<!ENTITY e 'x'>]><a>&e;</a>", Doctype),
        ("<!DOCTYPE a [<!ATTLIST a ID ID #IMPLIED>]><a ID='_x'/>", Doctype),
        ("<a>&e;</a>", Entity),
        ("<a b='&e;'/>", Entity),
        ("<a><?php x?></a>", ProcessingInstruction),
        ("<?xml-stylesheet href='x'?><a/>", ProcessingInstruction),
        ("<a/><?x y?>", ProcessingInstruction),
        ("<a>b<!-- c -->d</a>", Comment),
        ("<!-- c --><a/>", Comment),
        ("<a/><!-- c -->", Comment),
        ("<a b='1' b='2'/>", DuplicateAttribute),
        ("<a xmlns:p='u:1' xmlns:q='u:1' p:b='1' q:b='2'/>", DuplicateAttribute),
        ("<a xmlns='u:1' xmlns='u:2'/>", DuplicateAttribute),
        ("<p:a/>", UndeclaredPrefix),
        ("<a p:b='1'/>", UndeclaredPrefix),
        ("<a xmlns:xml='u:1'/>", ReservedNamespace),
        ("<a xmlns:xmlns='u:1'/>", ReservedNamespace),
        ("<a xmlns:p='http://www.w3.org/XML/1998/namespace'/>", ReservedNamespace),
        ("<a xmlns:p='http://www.w3.org/2000/xmlns/'/>", ReservedNamespace),
        ("<a xmlns='http://www.w3.org/2000/xmlns/'/>", ReservedNamespace),
        ("<a xmlns='relative'/>", RelativeNamespace),
        ("<a xmlns:p='../x'/>", RelativeNamespace),
        ("<a xmlns:p='1:x'/>", RelativeNamespace),
        ("<a xmlns:p='u:'/>", RelativeNamespace),
        ("<a xmlns:p='u:x y'/>", RelativeNamespace),
        ("<a><b></a>", MissingEndTag),
        ("<a><b>", MissingEndTag),
        ("<a>", MissingEndTag),
        ("<a/><b/>", TrailingContent),
        ("<a/>text", TrailingContent),
        ("<a/>&#32;", TrailingContent),
        ("<a ID='_1'><b ID='_1'/></a>", DuplicateId),
        ("<a ID='_1'><b Id='_1'/></a>", DuplicateId),
        ("<a ID='_1'><b id='_1'/></a>", DuplicateId),
        ("<a xml:id='_1'/>", NamespacedId),
        ("<a xmlns:p='urn:oasis:names:tc:SAML:2.0:protocol' p:ID='_1'/>", NamespacedId),
        ("<a xmlns:p='u:1' p:iD='_1'/>", NamespacedId),
        ("<?xml version='1.1'?><a/>", XmlDeclaration),
        ("<?xml version='1.0' encoding='ISO-8859-1'?><a/>", XmlDeclaration),
        ("<?xml version='1.0' encoding='UTF-16'?><a/>", XmlDeclaration),
        ("<?xml version='1.0' encoding='UTF-7'?><a/>", XmlDeclaration),
        ("<?xml encoding='UTF-8'?><a/>", XmlDeclaration),
        ("<?xml version='1.0' version='1.0'?><a/>", XmlDeclaration),
        ("<?xml version='1.0' standalone='maybe'?><a/>", XmlDeclaration),
        ("<?xml version='1.0'", XmlDeclaration),
        ("\u{FEFF}<a/>", ByteOrderMark),
        ("<a>\0</a>", NotUtf8),
    ];
    for (xml, reason) in cases {
        assert_eq!(refusal(xml), Some(*reason), "{xml}");
    }
}

#[test]
fn malformed_xml_is_refused() {
    for xml in [
        "a",
        "<",
        "<a",
        "<a b/>",
        "<a b=c/>",
        "<a b='<'/>",
        "<a>&</a>",
        "<a>&#0;</a>",
        "<a>\u{1}</a>",
        "<a>]]></a>",
        "<a:b:c xmlns:a='u:1'/>",
        "<a xmlns:p=''/>",
        "<a><![CDATA[x</a>",
        " <?xml version='1.0'?><a/>",
        "<a/><?xml version='1.0'?>",
        "<1/>",
    ] {
        assert!(refusal(xml).is_some(), "{xml}");
    }
}

#[test]
fn only_utf8_is_read() {
    assert_eq!(refusal(b"<a>\xE9</a>"), Some(ParseRefusal::NotUtf8));
    assert_eq!(refusal(b"<a>\xC0\xBC</a>"), Some(ParseRefusal::NotUtf8), "an overlong <");
    let utf16 = |xml: &str| xml.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    assert_eq!(refusal(utf16("\u{FEFF}<a/>")), Some(ParseRefusal::ByteOrderMark));
    assert!(refusal(utf16("<a/>")).is_some());
    assert_eq!(refusal("<?xml version=\"1.0\" encoding=\"utf-8\" standalone='yes' ?>\n<a/>"), None);
}

#[test]
fn entities_cannot_grow() {
    let bomb = "<!DOCTYPE a [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><a>&b;</a>";
    assert_eq!(refusal(bomb), Some(ParseRefusal::Doctype));
    assert_eq!(metadata_refusal(bomb), Some(ParseRefusal::Doctype));
    let outside = "<!DOCTYPE a [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><a>&x;</a>";
    assert_eq!(refusal(outside), Some(ParseRefusal::Doctype));
}

#[test]
fn depth_number_and_size_are_bounded() {
    let nested = |depth: usize| "<a>".repeat(depth) + &"</a>".repeat(depth);
    assert_eq!(refusal(nested(32)), None);
    assert_eq!(refusal(nested(33)), Some(ParseRefusal::TooDeep(32)));
    assert_eq!(refusal("<a>".repeat(300_000)), Some(ParseRefusal::TooDeep(32)));

    let wide = |children: usize| format!("<a>{}</a>", "<b/>".repeat(children));
    assert_eq!(refusal(wide(9_999)), None);
    assert_eq!(refusal(wide(10_000)), Some(ParseRefusal::TooManyNodes(10_000)));
    let busy = format!("<a>{}</a>", "<b c='' xmlns='u:1'/>".repeat(3_334));
    assert_eq!(refusal(busy), Some(ParseRefusal::TooManyNodes(10_000)), "attributes and declarations count");

    let attributes = |count: usize| {
        let list: String = (0..count).map(|at| format!(" a{at}='=>'")).collect();
        format!("<a{list}/>")
    };
    assert_eq!(refusal(attributes(64)), None);
    assert_eq!(refusal(attributes(65)), Some(ParseRefusal::TooManyAttributes(64)));
    let behind = format!("<?xml version='1.0'?><a><![CDATA[ < ' ]]>{}</a>", attributes(65));
    assert_eq!(refusal(behind), Some(ParseRefusal::TooManyAttributes(64)));
    let behind = format!("<a><!-- < ' -->{}</a>", attributes(65));
    assert_eq!(metadata_refusal(behind), Some(ParseRefusal::TooManyAttributes(64)));

    let namespaces = |outside: usize, inside: usize| {
        let declare = |prefix: &str, count: usize| -> String {
            (0..count).map(|at| format!(" xmlns:{prefix}{at}='u:{at}'")).collect()
        };
        format!("<a{}><b{}/><b{}/></a>", declare("p", outside), declare("q", inside), declare("r", inside))
    };
    assert_eq!(refusal(namespaces(32, 32)), None, "declarations end with their element");
    assert_eq!(refusal(namespaces(32, 33)), Some(ParseRefusal::TooManyNamespaces(64)));

    let long = |octets: usize| format!("<a>{}</a>", "x".repeat(octets - 7));
    assert_eq!(refusal(long(1 << 20)), None);
    assert_eq!(refusal(long((1 << 20) + 1)), Some(ParseRefusal::TooLarge(1 << 20)));
}

#[test]
fn metadata_may_have_comments_and_a_byte_order_mark() {
    let document = "\u{FEFF}<?xml version='1.0'?><!-- c --><a>b<!-- c -->d</a><!-- e -->";
    let document = UnverifiedDocument::parse(document.as_bytes(), Limits::metadata()).unwrap();
    assert_eq!(document.unverified_root().only_text(), Ok("bd"));
    assert_eq!(document.canonicalize(document.unverified_root()).unwrap(), b"<a>bd</a>");
    assert_eq!(metadata_refusal("\u{FEFF}\u{FEFF}<a/>"), Some(ParseRefusal::ByteOrderMark));
    assert_eq!(metadata_refusal("<a><?b?></a>"), Some(ParseRefusal::ProcessingInstruction));
    assert_eq!(metadata_refusal("<a xmlns='relative'/>"), Some(ParseRefusal::RelativeNamespace));
    assert_eq!(metadata_refusal(format!("<a>{}</a>", "<b/>".repeat(20_000))), None, "aggregates are long");
}

#[test]
fn the_tree_is_what_was_written() {
    let xml = concat!(
        "<a xmlns='u:1' xmlns:p='u:2' b='&lt;&quot;&amp;&#x41;' p:b='2'> <p:c>x &gt; <![CDATA[<y>]]></p:c>\n",
        "<d xmlns=''/><e></e></a>"
    );
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
    let root = document.unverified_root();
    assert!(root.is("u:1", "a"));
    assert_eq!((root.attribute("b"), root.attribute_ns("u:2", "b")), (Some("<\"&A"), Some("2")));
    assert_eq!((root.attribute("c"), root.attributes().len()), (None, 2));
    let children: Vec<_> = root.elements().map(|child| (child.namespace(), child.name())).collect();
    assert_eq!(children, [("u:2", "c"), ("", "d"), ("u:1", "e")]);
    assert_eq!(root.child("u:2", "c").unwrap().only_text(), Ok("x > <y>"));
    assert_eq!(root.child("u:1", "e").unwrap().only_text(), Ok(""));
    assert_eq!(root.only_elements().unwrap().len(), 3);
    assert_eq!(root.only_text(), Err(ContentError::ElementInText));
    assert_eq!(root.child("u:2", "c").unwrap().only_elements(), Err(ContentError::TextBetweenElements));
    assert!(matches!(root.nodes()[0], Node::Text(_)));
    let all: Vec<_> = root.descendants().map(Element::name).collect();
    assert_eq!(all, ["a", "c", "d", "e"]);
}

#[test]
fn canonicalization_stands_alone() {
    let xml = "<a xmlns:p='u:2' xmlns:q='u:3'><p:b  z='1' y='2'><c/>\r\n</p:b><q:d/></a>";
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
    let part = document.unverified_root().child("u:2", "b").unwrap();
    let octets = document.canonicalize(part).unwrap();
    assert_eq!(octets, b"<p:b xmlns:p=\"u:2\" y=\"2\" z=\"1\"><c></c>\n</p:b>");
    let other = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
    assert!(other.canonicalize(part).is_err(), "an element of another document");
}

#[test]
fn no_octet_string_panics() {
    let good = b"<?xml version='1.0'?><a b='c' xmlns:p='u:1'><p:d><![CDATA[x]]></p:d>&lt;</a>";
    for at in 0..good.len() {
        let _ = refusal(&good[..at]);
        for byte in [0, b'<', b'>', b'&', b'"', b'\'', b'=', b'!', b'?', b'-', b']', 0x80, 0xFF] {
            let mut spoiled = good.to_vec();
            spoiled[at] = byte;
            let _ = refusal(&spoiled);
            let _ = metadata_refusal(&spoiled);
        }
    }
}
