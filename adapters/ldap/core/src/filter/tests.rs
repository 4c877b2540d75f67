use super::*;

fn octets(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

fn equal(name: &str, value: &[u8]) -> Filter {
    Filter::Equal(name.to_owned(), Bytes::copy_from_slice(value))
}

/// Text and octets both give the same filter back.
fn goes_round(filter: &Filter) {
    assert_eq!(Filter::parse(&filter.print()).as_ref(), Ok(filter), "{}", filter.print());
    assert_eq!(Filter::decode(&filter.encode()).as_ref(), Ok(filter));
}

#[test]
fn the_examples_of_rfc_4515() {
    for text in [
        "(cn=Babs Jensen)",
        "(!(cn=Tim Howes))",
        "(&(objectClass=Person)(|(sn=Jensen)(cn=Babs J*)))",
        "(o=univ*of*mich*)",
        "(seeAlso=)",
        "(cn:caseExactMatch:=Fred Flintstone)",
        "(cn:=Betty Rubble)",
        "(sn:dn:2.4.6.8.10:=Barney Rubble)",
        "(o:dn:=Ace Industry)",
        "(:1.2.3:=Wilma Flintstone)",
        "(:dn:2.4.6.8.10:=Dino)",
        "(o=Parens R Us \\28for all your parenthetical needs\\29)",
        "(cn=*\\2a*)",
        "(filename=C:\\5cMyFile)",
        "(bin=\\00\\00\\00\\04)",
        "(sn=Lu\u{10d}i\u{107})",
        "(&)",
        "(|)",
        "(uid=*)",
        "(uidNumber>=1000)",
        "(uidNumber<=1000)",
        "(cn~=Babs)",
        "(userCertificate;binary=\\04\\ff)",
        "(2.5.4.3=x)",
    ] {
        let filter = Filter::parse(text).unwrap();
        assert_eq!(filter.print(), text);
        goes_round(&filter);
    }
    assert_eq!(Filter::parse("(1.3.6.1.4.1.1466.0=\\04\\02\\48\\69)"), Ok(equal("1.3.6.1.4.1.1466.0", b"\x04\x02Hi")));
    assert_eq!(Filter::parse("(sn=Lu\\c4\\8di\\c4\\87)"), Ok(equal("sn", "Lu\u{10d}i\u{107}".as_bytes())));
}

#[test]
fn substrings_are_taken_apart() {
    let pieces = |first: Option<&str>, any: &[&str], last: Option<&str>| {
        let any = any.iter().map(|any| octets(any)).collect();
        Filter::Substrings("o".to_owned(), Substrings { first: first.map(octets), any, last: last.map(octets) })
    };
    assert_eq!(Filter::parse("(o=univ*of*mich*)"), Ok(pieces(Some("univ"), &["of", "mich"], None)));
    assert_eq!(Filter::parse("(o=*a)"), Ok(pieces(None, &[], Some("a"))));
    assert_eq!(Filter::parse("(o=a*)"), Ok(pieces(Some("a"), &[], None)));
    assert_eq!(Filter::parse("(o=*\\2a*)"), Ok(pieces(None, &["*"], None)));
    assert_eq!(Filter::parse("(o=**)"), Err((4, "there is nothing between two asterisks")));
}

#[test]
fn names_the_place_of_a_fault() {
    for (text, at) in [
        ("", 0),
        ("uid=x", 0),
        ("(uid=x", 6),
        ("(uid=x))", 7),
        ("(uid=x)(uid=y)", 7),
        ("(=x)", 1),
        ("(ui d=x)", 3),
        ("(uid<x)", 4),
        ("(uid)", 4),
        ("(uid=\\4)", 5),
        ("(uid=a\\zz)", 6),
        ("(uid=a\0)", 6),
        ("(uid=a**b)", 7),
        ("(uid>=a*)", 7),
        ("(&(uid=x)", 9),
        ("(&uid=x)", 2),
        ("(!(uid=x)(uid=y))", 9),
        ("(!)", 2),
        ("(:=x)", 3),
        ("(cn:a:b:=x)", 7),
        ("(:dn:=x)", 6),
        ("(cn:rule;x:=y)", 4),
        ("({name}=x)", 1),
        ("(a=b(c)d)", 4),
    ] {
        let fault = Filter::parse(text).expect_err(text);
        assert_eq!(fault.0, at, "{text}: {}", fault.1);
    }
}

#[test]
fn white_space_is_let_through_around_filters() {
    assert_eq!(Filter::parse(" (&\n  (uid=x)\n  (! (cn=y z ) )\n) ").unwrap().print(), "(&(uid=x)(!(cn=y z )))");
}

#[test]
fn sixty_four_levels_and_no_more() {
    let text = |levels: usize| format!("{}(uid=x){}", "(!".repeat(levels - 1), ")".repeat(levels - 1));
    let deepest = Filter::parse(&text(DEEPEST)).unwrap();
    goes_round(&deepest);
    assert_eq!(Filter::parse(&text(DEEPEST + 1)).unwrap_err().1, "more than 64 filters within each other");
    let deeper = Filter::Not(Box::new(deepest));
    assert_eq!(Filter::decode(&deeper.encode()), Err(Malformed::TooDeep));
}

#[test]
fn octets_that_are_no_filter() {
    for octets in [
        &[0xa2, 0][..],                                                 // not, of nothing
        &[0xa3, 3, 4, 1, b'a'],                                         // no value
        &[0x87, 1, 0xff],                                               // no UTF-8
        &[0xa4, 5, 4, 1, b'a', 0x30, 0],                                // no substring
        &[0xa4, 7, 4, 1, b'a', 0x30, 2, 0x80, 0],                       // an empty one
        &[0xa4, 11, 4, 1, b'a', 0x30, 6, 0x81, 1, b'x', 0x80, 1, b'y'], // the first behind another
        &[0xa4, 11, 4, 1, b'a', 0x30, 6, 0x82, 1, b'x', 0x81, 1, b'y'], // something behind the last
        &[0xa9, 3, 0x83, 1, b'x'],                                      // neither rule nor attribute
        &[0xab, 0],                                                     // no filter
        &[0x80, 1, b'x'],
    ] {
        assert!(Filter::decode(octets).is_err(), "{octets:x?}");
    }
}

#[test]
fn values_of_any_octets_go_round() {
    for value in [
        &b"*)(uid=*"[..],
        b"a,ou=x",
        b"#",
        b" lead",
        b"\xff",
        b"\0",
        b"(\x2a\x28\0\\",
        b"",
        "\u{e9}\u{202e}".as_bytes(),
    ] {
        goes_round(&equal("cn", value));
    }
    assert_eq!(equal("cn", b"*)(uid=*").print(), "(cn=\\2a\\29\\28uid=\\2a)");
    assert_eq!(equal("objectGUID", b"\x2a\x28\x00a").print(), "(objectGUID=\\2a\\28\\00a)");
}

#[test]
fn shapes_have_no_values() {
    let shape = |text: &str| Filter::parse(text).unwrap().shape();
    assert_eq!(shape("(&(objectClass=person)(uid=alice)(!(cn=*)))"), "(&(objectClass=?)(uid=?)(!(cn=*)))");
    assert_eq!(
        shape("(|(cn=a*b*c)(cn=*x)(n>=1)(cn:dn:caseExactMatch:=x))"),
        "(|(cn=?*?*?)(cn=*?)(n>=?)(cn:dn:caseExactMatch:=?))"
    );
    // A name is not always one.
    assert_eq!(equal("cn=x)(\r\n", b"secret").shape(), "(cn\\3dx\\29\\28\\0d\\0a=?)");
}

#[test]
fn what_is_typed_stays_a_value() {
    let template = FilterTemplate::parse(
        "(&(objectClass=person)(|(uid={username})(mail=*{username}@{domain})))",
        &["username", "domain"],
    )
    .unwrap();
    assert!(template.uses("username") && !template.uses("user"));
    for typed in ["*)(uid=*", "a,ou=x", "#", " lead", "\0", "{domain}", "\\2a", "\u{e9}"] {
        let filled = template.fill(&[("username", typed), ("domain", "acme.example")]);
        let Filter::And(both) = &filled else { panic!("{filled:?}") };
        let Filter::Or(ways) = &both[1] else { panic!("{filled:?}") };
        assert_eq!(ways[0], equal("uid", typed.as_bytes()));
        let mail = Substrings { last: Some(octets(&format!("{typed}@acme.example"))), ..Substrings::default() };
        assert_eq!(ways[1], Filter::Substrings("mail".to_owned(), mail));
        goes_round(&filled);
    }
}

#[test]
fn templates_name_their_faults() {
    let fault = |text: &str| FilterTemplate::parse(text, &["username", "local"]).unwrap_err();
    assert_eq!(fault("(uid={user})"), (5, "{user} is no placeholder; known are {username}, {local}".to_owned()));
    assert_eq!(fault("(uid={username)").0, 5);
    assert_eq!(fault("(uid=a}b)").0, 6);
    assert_eq!(fault("({username}=x)"), (1, "a placeholder may stand in a value only".to_owned()));
    assert_eq!(fault("(uid={username}"), (15, "a ) is missing".to_owned()));
    let plain = FilterTemplate::parse("(cn=\\7busername\\7d\\00)", &["username"]).unwrap();
    assert!(!plain.uses("username"));
    assert_eq!(plain.fill(&[("username", "x")]), equal("cn", b"{username}\0"));
    let nul = FilterTemplate::parse("(cn=\\00\\01{username}\\00)", &["username"]).unwrap();
    assert_eq!(nul.fill(&[("username", "x")]), equal("cn", b"\0\x01x\0"));
}
