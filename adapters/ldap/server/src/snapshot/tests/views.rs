use super::*;

/// Two apps that see different things.
fn apart() -> Snapshot {
    acme(
        directory(),
        &[
            ("wiki", json!({ "attributes": ["uid", "cn", "memberOf", "member"], "visible_groups": ["ops"] })),
            ("build", json!({ "attributes": ["uid", "mail"], "filter_attributes": ["uid"], "people": ["Ops"] })),
            ("printer", json!({ "attributes": ["uid"], "base": format!("ou=people,{BASE}") })),
            ("nowhere", json!({ "base": "dc=globex" })),
        ],
    )
}

#[test]
fn a_group_that_an_app_does_not_see_is_not_there() {
    let apart = apart();
    let wiki = by_app(0);
    let secret = format!("cn=secret,ou=groups,{BASE}");
    let groups = |filter: &str| names(&apart, &wiki, &format!("ou=groups,{BASE}"), Scope::Sub, filter);
    assert_eq!(groups("(objectClass=groupOfNames)"), ["cn=ops,ou=groups"]);
    assert_eq!(groups("(cn=secret)"), [""; 0]);
    let missing = |base: &str| entries(&apart, &wiki, &asked(base, Scope::Base, "(objectClass=*)", &[])).1;
    let (hidden, none) = (missing(&secret), missing(&format!("cn=nothing,ou=groups,{BASE}")));
    assert_eq!(hidden, none, "the answer is the same as for what there is not");
    assert_eq!(people(&apart, &wiki, &format!("(memberOf={secret})")), [""; 0]);
    assert_eq!(people(&apart, &wiki, &format!("(memberOf:1.2.840.113556.1.4.1941:={secret})")), [""; 0]);
    assert_eq!(people(&apart, &wiki, &format!("(:distinguishedNameMatch:={secret})")), [""; 0]);
    assert_eq!(
        people(&apart, &wiki, "(memberOf=*)"),
        ["Ada"],
        "of those who are in hidden groups alone nothing is said"
    );
    let cy = compared(&apart, &wiki, &format!("uid=cy\\,d,ou=people,{BASE}"), "memberOf", &secret);
    let bob = compared(&apart, &wiki, &format!("uid=bob,ou=people,{BASE}"), "memberOf", &secret);
    assert_eq!(cy, bob);
    assert_eq!(
        compared(&apart, &wiki, &secret, "cn", "secret"),
        compared(&apart, &wiki, &format!("cn=none,ou=groups,{BASE}"), "cn", "x")
    );
    let ada =
        entries(&apart, &wiki, &asked(&format!("uid=ada,ou=people,{BASE}"), Scope::Base, "(uid=*)", &["memberOf"])).0;
    assert_eq!(shown(&ada[0]), format!("memberOf=cn=ops,ou=groups,{BASE}"));
    let one = Asked {
        search: &asked(BASE, Scope::Sub, "(objectClass=groupOfNames)", &[]),
        as_: &wiki,
        fetched: None,
        ask_for: 1,
        after: 0,
    };
    let page = apart.search(&one, &mut |_| true);
    assert_eq!(page.estimate, 0, "how many there are is not told");
}

#[test]
fn a_person_whom_an_app_does_not_see_is_not_there() {
    let apart = apart();
    let build = by_app(1);
    assert_eq!(people(&apart, &build, "(objectClass=*)"), ["Ada"]);
    assert_eq!(people(&apart, &build, "(uid=bob)"), [""; 0]);
    let bob = format!("uid=bob,ou=people,{BASE}");
    let zoe = format!("uid=zoe,ou=people,{BASE}");
    let page = |base: &str| entries(&apart, &build, &asked(base, Scope::Base, "(objectClass=*)", &[])).1;
    assert_eq!(page(&bob), page(&zoe));
    assert_eq!(compared(&apart, &build, &bob, "uid", "bob"), compared(&apart, &build, &zoe, "uid", "bob"));
    // And not as a member.
    let wiki_sees = |as_: &Identity| names(&apart, as_, BASE, Scope::Sub, &format!("(member={bob})"));
    assert_eq!(wiki_sees(&build), [""; 0]);
}

#[test]
fn an_attribute_that_is_denied_is_as_if_nobody_knew_it() {
    let apart = apart();
    let build = by_app(1);
    for denied in [
        "(mail=*)",
        "(mail=ada@acme.example)",
        "(mail=ada*)",
        "(cn=ada lovelace)",
        "(sn>=a)",
        "(employeeNumber=7)",
        "(mail:dn:=ada@acme.example)",
        "(name=ada lovelace)",
        "(mail:caseIgnoreIA5Match:=ada@acme.example)",
        "(modifyTimestamp>=19700101000000Z)",
    ] {
        assert_eq!(people(&apart, &build, denied), [""; 0], "{denied}");
        assert_eq!(people(&apart, &build, &format!("(!{denied})")), [""; 0], "not {denied}");
        assert_eq!(people(&apart, &build, &format!("(&(uid=ada)(!{denied}))")), [""; 0], "not {denied}");
        assert_eq!(people(&apart, &build, &format!("(|(uid=ada){denied})")), ["Ada"], "{denied}");
    }
    // By a rule without an attribute only those are asked that are allowed.
    for value in ["ada lovelace", "ada@acme.example", "nobody"] {
        assert_eq!(people(&apart, &build, &format!("(:caseIgnoreMatch:={value})")), [""; 0], "{value}");
        assert_eq!(people(&apart, &build, &format!("(!(:caseIgnoreMatch:={value}))")), ["Ada"], "{value}");
    }
    let ada = format!("uid=ada,ou=people,{BASE}");
    let (found, _) =
        entries(&apart, &build, &asked(&ada, Scope::Base, "(objectClass=*)", &["*", "+", "cn", "memberOf"]));
    let shown = shown(&found[0]);
    assert!(shown.contains("mail=ada@acme.example") && shown.contains("objectClass="), "{shown}");
    assert!(!shown.contains("cn=") || !shown.contains("cn=Ada"), "{shown}");
    assert!(!shown.contains("memberOf") && !shown.contains("employeeNumber"), "{shown}");
    assert_eq!(compared(&apart, &build, &ada, "cn", "Ada Lovelace").0, Code::NO_SUCH_ATTRIBUTE);
    assert_eq!(
        compared(&apart, &build, &ada, "mail", "ada@acme.example").0,
        Code::COMPARE_TRUE,
        "what it reads it may compare"
    );
}

#[test]
fn a_view_with_a_base_of_its_own() {
    let apart = apart();
    let printer = by_app(2);
    assert_eq!(names(&apart, &printer, BASE, Scope::Sub, "(objectClass=*)").len(), 5, "people and their container");
    assert_eq!(names(&apart, &printer, BASE, Scope::Base, "(objectClass=*)"), [""; 0]);
    let groups = entries(&apart, &printer, &asked(&format!("ou=groups,{BASE}"), Scope::Sub, "(objectClass=*)", &[]));
    assert_eq!((groups.0.len(), groups.1.code, groups.1.matched), (0, Code::NO_SUCH_OBJECT, BASE.to_owned()));
    let nowhere = entries(&apart, &by_app(3), &asked(BASE, Scope::Sub, "(objectClass=*)", &[]));
    assert_eq!((nowhere.0.len(), nowhere.1.code, nowhere.1.matched), (0, Code::NO_SUCH_OBJECT, String::new()));
    let gone = Identity::App { app: app_id(9), epoch: Default::default() };
    let page = entries(&apart, &gone, &asked(BASE, Scope::Sub, "(objectClass=*)", &[])).1;
    assert_eq!(page.code, Code::INSUFFICIENT_ACCESS, "an app that is gone sees nothing");
}

#[test]
fn a_person_reads_the_own_entry() {
    let acme = acme(directory(), &[("wiki", json!({ "attributes": ["cn"] }))]);
    let bob = by_person(2);
    assert_eq!(names(&acme, &bob, BASE, Scope::Sub, "(objectClass=inetOrgPerson)"), ["uid=bob,ou=people"]);
    assert_eq!(names(&acme, &bob, BASE, Scope::Sub, "(objectClass=groupOfNames)"), ["cn=dev,ou=groups"]);
    let dev = entries(&acme, &bob, &asked(&format!("cn=dev,ou=groups,{BASE}"), Scope::Base, "(cn=*)", &["member"])).0;
    assert_eq!(shown(&dev[0]), format!("member=uid=bob,ou=people,{BASE}"), "the others are not told");
    let by_wiki = Identity::Person { id: person_id(2), by_app: Some(app_id(0)), epoch: Default::default() };
    let own =
        entries(&acme, &by_wiki, &asked(&format!("uid=bob,ou=people,{BASE}"), Scope::Base, "(uid=*)", &["mail", "cn"]))
            .0;
    assert_eq!(shown(&own[0]), "cn=Bob  Smith", "by way of an app it is the app's view");
    let all = super::tests::acme(LdapDirectory { people_may_read: PeopleMayRead::All, ..directory() }, &[]);
    assert_eq!(people(&all, &bob, "(uid=*)"), ["Ada", "bob", "cy\\,d"]);
    assert_eq!(entries(&all, &ALL, &asked(BASE, Scope::Sub, "(uid=*)", &[])).1.code, Code::INSUFFICIENT_ACCESS);
}

#[test]
fn limits_are_the_smaller_ones() {
    let apps =
        [("a", json!({ "limits": { "size": 10, "time": "1s" } })), ("b", json!({ "limits": { "size": 100_000 } }))];
    let acme = acme(directory(), &apps);
    assert_eq!((acme.limits(&by_app(0)).size, acme.limits(&by_app(0)).time.as_secs()), (10, 1));
    assert_eq!((acme.limits(&by_app(1)).size, acme.limits(&by_app(1)).time.as_secs()), (5000, 30));
    assert_eq!(acme.limits(&by_person(1)).size, 5000);
}
