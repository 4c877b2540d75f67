use super::*;

fn dn(text: &str) -> Dn {
    Dn::parse(text).unwrap_or_else(|at| panic!("{text}: fault at {at}"))
}

fn value(text: &str) -> Vec<u8> {
    split(text).unwrap().remove(0).avas.remove(0).value.into_owned()
}

#[test]
fn the_examples_of_rfc_4514() {
    assert_eq!(dn("UID=jsmith,DC=example,DC=net").rdns.len(), 3);
    assert_eq!(split("OU=Sales+CN=J.  Smith,DC=example,DC=net").unwrap()[0].avas[1].value[..], *b"J.  Smith");
    assert_eq!(value("CN=James \\\"Jim\\\" Smith\\, III,DC=example,DC=net"), b"James \"Jim\" Smith, III");
    assert_eq!(value("CN=Before\\0dAfter,DC=example,DC=net"), b"Before\rAfter");
    assert_eq!(value("1.3.6.1.4.1.1466.0=#04024869"), b"Hi");
    assert_eq!(value("CN=Lu\\C4\\8Di\\C4\\87"), "Lu\u{10d}i\u{107}".as_bytes());
}

#[test]
fn one_name_in_many_forms() {
    for (one, other) in [
        ("CN=A\\2CB,dc=x", "cn=a\\,b,DC=X"),
        ("cn=Alice Smith,dc=x", " CN = alice   smith , dc=x "),
        ("cn=alice,dc=x", "2.5.4.3=Alice,dc=x"),
        ("cn=alice,dc=x", "commonName=alice,OID.0.9.2342.19200300.100.1.25=x"),
        ("uid=a", "userid=A"),
        ("uid=alice", "uid=#0405616c696365"),
        ("cn=a+ou=b,dc=x", "OU=b + CN=a,dc=x"),
        ("cn=a+cn=a", "cn=A"),
        ("cn=\u{e4}", "cn=A\u{308}"),
        ("cn=\\e4\\b8\\ad", "cn=\u{4e2d}"),
        ("cn=a=b", "cn=a\\=b"),
        ("", "  "),
    ] {
        assert_eq!(dn(one), dn(other), "{one} | {other}");
        assert_eq!(dn(one).normalized(), dn(other).normalized());
    }
    for (one, other) in [
        ("cn=a,dc=x", "cn=a,dc=y"),
        ("cn=a", "ou=a"),
        ("cn=a\\,b", "cn=a,cn=b"),
        ("cn=a+ou=b", "cn=a,ou=b"),
        ("cn=a\\+ou=b", "cn=a+ou=b"),
        ("cn=\\ff", "cn=\\fe"),
        ("x-own=a b", "x-own=ab"),
    ] {
        assert_ne!(dn(one), dn(other), "{one} | {other}");
        assert_ne!(dn(one).normalized(), dn(other).normalized());
    }
}

#[test]
fn spaces_that_are_escaped_are_part_of_the_value() {
    assert_eq!(value("cn=\\ a\\ "), b" a ");
    assert_eq!(value("cn=  a  "), b"a");
    assert_eq!(value("cn=a\\  "), b"a ");
    assert_eq!(value("cn=\\20a\\20 ,dc=x"), b" a ");
    assert_eq!(value("cn=,dc=x"), b"");
}

#[test]
fn names_the_place_of_a_fault() {
    for (text, at) in [
        ("cn", 2),
        ("=x", 0),
        ("cn=a,", 5),
        (",cn=a", 0),
        ("cn=a,,dc=x", 5),
        ("cn=a+", 5),
        ("cn=a;dc=x", 4),
        ("cn=\"a\"", 3),
        ("cn=a\\", 4),
        ("cn=a\\x", 4),
        ("cn=a\\4", 4),
        ("cn=a\0", 4),
        ("cn=#04", 3),
        ("cn=#0402486", 10),
        ("cn=#zz", 4),
        ("cn=#30800000", 3),
        ("a b=c", 2),
        ("c\u{e9}=x", 1),
    ] {
        assert_eq!(split(text).map(|_| ()), Err(at), "{text}");
    }
}

#[test]
fn what_is_escaped_is_one_value() {
    for octets in [
        &b"a,ou=x"[..],
        b"#",
        b"#04",
        b" ",
        b"  ",
        b" lead",
        b"trail ",
        b"\xff",
        b"\0",
        b"a\\b",
        b"a+b\"c;d<e>f",
        b"*)(uid=*",
        b"\r\n",
        "\u{e9}\u{202e}".as_bytes(),
        b"",
        b"=",
        b"a=b",
    ] {
        let text = format!("cn={},dc=x", Dn::escape(octets));
        let rdns = split(&text).unwrap_or_else(|at| panic!("{text}: fault at {at}"));
        assert_eq!(rdns.len(), 2, "{text}");
        assert_eq!(rdns[0].avas, [Written { attribute: "cn", value: octets.to_vec().into() }], "{text}");
    }
    assert_eq!(Dn::escape(b"a,b\r\n"), "a\\,b\\0D\\0A");
    assert_eq!(Dn::escape(b" x "), "\\ x\\ ");
}

#[test]
fn under_a_base() {
    let base = dn("ou=people,dc=acme,dc=example");
    for (text, depth) in [
        ("OU=People,DC=acme,DC=example", Some(0)),
        ("uid=a,ou=people,dc=acme,dc=example", Some(1)),
        ("cn=x,uid=a,ou=people,dc=acme,dc=example", Some(2)),
        ("uid=a,ou=others,dc=acme,dc=example", None),
        ("dc=acme,dc=example", None),
        ("uid=a\\,ou=people,dc=acme,dc=example", None),
        ("", None),
    ] {
        assert_eq!(dn(text).depth_under(&base), depth, "{text}");
    }
    assert!(base.is_under(&Dn::default()), "everything is under the root");
    assert_eq!(dn("uid=a,ou=people,dc=acme,dc=example").parent(), Some(base));
    assert_eq!(Dn::default().parent(), None);
}

#[test]
fn the_part_before_a_base() {
    let base = dn("ou=people,dc=acme");
    assert_eq!(relative("CN=A\\, B + x=y , uid=a, OU=People,dc=acme", &base), Some("CN=A\\, B + x=y , uid=a"));
    assert_eq!(relative("ou=people,dc=acme", &base), Some(""));
    assert_eq!(relative("ou=other,dc=acme", &base), None);
    assert_eq!(relative("no name", &base), None);
}
