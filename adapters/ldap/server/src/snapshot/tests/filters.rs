use super::*;

#[test]
fn equality_goes_by_the_matching_rule() {
    assert_eq!(found("(uid=ADA)"), ["Ada"]);
    assert_eq!(found("(2.5.4.3= ada  LOVELACE )"), ["Ada"]);
    assert_eq!(found("(commonName=bob smith)"), ["bob"]);
    assert_eq!(found("(name=lovelace)"), ["Ada"], "sn is a kind of name");
    assert_eq!(found("(cn=A\u{308}LICE)"), ["cy\\,d"]);
    assert_eq!(found("(telephoneNumber=+49301)"), ["cy\\,d"]);
    assert_eq!(found("(telephoneNumber=+4930- 1 )"), ["cy\\,d"], "spaces and hyphens are nothing");
    assert_eq!(found("(telephoneNumber=+49302)"), [""; 0]);
    assert_eq!(found("(costCodes=B2)"), ["Ada"], "a claim of the tenant's own");
    assert_eq!(found("(homeDirectory=/home/bob)"), ["bob"]);
    assert_eq!(found("(homeDirectory=/HOME/bob)"), [""; 0], "capitals count");
    assert_eq!(found("(uidNumber=1002)"), ["bob"]);
    assert_eq!(found("(uidNumber=01002)"), [""; 0]);
    assert_eq!(found("(entryUUID=00000000-0000-0000-0000-000000000002)"), ["bob"]);
    assert_eq!(found("(entryDN=uid=bob,ou=people,dc=acme,dc=example)"), ["bob"]);
    assert_eq!(found("(&(uid=bob)(objectClass=posixAccount)(&(uidNumber=*)(!(uidNumber=0))))"), ["bob"]);
}

#[test]
fn other_assertions() {
    assert_eq!(found("(cn=ada*)"), ["Ada"]);
    assert_eq!(found("(cn=*s*th)"), ["bob"]);
    assert_eq!(found("(telephoneNumber=+4-9*3 01)"), ["cy\\,d"], "spaces and hyphens are nothing");
    assert_eq!(found("(telephoneNumber=*9-30*)"), ["cy\\,d"]);
    assert_eq!(found("(telephoneNumber=*31*)"), [""; 0]);
    assert_eq!(found("(uidNumber>=1002)"), ["bob", "cy\\,d"], "who has no user name has no number");
    assert_eq!(found("(uidNumber<=1001)"), ["Ada"]);
    assert_eq!(found("(uidNumber:1.2.840.113556.1.4.803:=1002)"), ["bob", "cy\\,d"]);
    assert_eq!(found("(uidNumber:1.2.840.113556.1.4.803:=1001)"), ["Ada", "cy\\,d"]);
    assert_eq!(found("(uidNumber:1.2.840.113556.1.4.804:=1)"), ["Ada", "cy\\,d"]);
    assert_eq!(found("(cn:caseExactMatch:=Bob Smith)"), ["bob"]);
    assert_eq!(found("(cn:caseExactMatch:=bob smith)"), [""; 0]);
    assert_eq!(found("(:caseExactMatch:=ada@acme.example)"), ["Ada"]);
    assert_eq!(found("(uid:dn:=bob)"), ["bob"]);
    assert_eq!(found("(&(ou:dn:=people)(uid=bob))"), ["bob"]);
    assert_eq!(found("(&(ou:dn:=groups)(uid=bob))"), [""; 0]);
    assert_eq!(found("(cn~=bob smith)"), ["bob"]);
    assert_eq!(found("(modifyTimestamp>=19700124033322Z)"), [NAMELESS, "bob", "cy\\,d"]);
    assert_eq!(found("(createTimestamp=19700112134641Z)"), ["Ada"]);
}

#[test]
fn membership() {
    let of = |group: &str| format!("cn={group},ou=groups,{BASE}");
    assert_eq!(found(&format!("(memberOf={})", of("DEV"))), ["Ada", "bob"]);
    assert_eq!(found(&format!("(&(memberOf={})(!(memberOf={})))", of("dev"), of("ops"))), ["bob"]);
    assert_eq!(found(&format!("(memberOf:1.2.840.113556.1.4.1941:={})", of("ops"))), ["Ada"]);
    assert_eq!(found(&format!("(memberOf={})", of("nobody"))), [""; 0]);
    assert_eq!(found("(memberOf=no name)"), [""; 0]);
    let groups = |filter: &str| names(&whole(), &by_app(0), &format!("ou=groups,{BASE}"), Scope::One, filter);
    assert_eq!(groups(&format!("(member=UID=ada, ou=people,{BASE})")), ["cn=dev,ou=groups", "cn=ops,ou=groups"]);
    assert_eq!(groups(&format!("(uniqueMember=uid=bob,ou=people,{BASE})")), ["cn=dev,ou=groups"]);
    assert_eq!(groups(&format!("(member=uid=eve,ou=people,{BASE})")), [""; 0], "who is disabled is not there");
    assert_eq!(groups("(memberUid=bob)"), [""; 0], "under RFC 2307bis members are names");
    assert_eq!(groups("(&(objectClass=posixGroup)(gidNumber=502))"), ["cn=ops,ou=groups"]);
    assert_eq!(groups("(cn=D*)"), ["cn=dev,ou=groups"]);
}

#[test]
fn three_values() {
    let everybody = [NAMELESS, "Ada", "bob", "cy\\,d"];
    assert_eq!(found("(&)"), everybody);
    assert_eq!(found("(|)"), [""; 0]);
    assert_eq!(found("(!(|))"), everybody);
    for undefined in [
        "(nobodyKnows=x)",
        "(nobodyKnows=*)",
        "(uidNumber=x)",
        "(cn>=a)",
        "(objectClass=nobodyKnows)",
        "(memberOf=*x*)",
        "(cn:nobodyKnows:=x)",
        "(uidNumber:1.2.840.113556.1.4.803:=x)",
        "(entryUUID=1)",
    ] {
        assert_eq!(found(undefined), [""; 0], "{undefined}");
        assert_eq!(found(&format!("(!{undefined})")), [""; 0], "not {undefined}");
        assert_eq!(found(&format!("(|{undefined}(uid=bob))")), ["bob"]);
        assert_eq!(found(&format!("(&{undefined}(uid=bob))")), [""; 0]);
        assert_eq!(found(&format!("(!(&{undefined}(uid=bob)))")), [NAMELESS, "Ada", "cy\\,d"], "{undefined}");
    }
    // What nobody has is false: the attribute is known.
    assert_eq!(found("(!(title=x))"), everybody);
    assert_eq!(found("(!(employeeNumber=7))"), [NAMELESS, "bob", "cy\\,d"]);
}
