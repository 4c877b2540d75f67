use super::*;

#[test]
fn scopes_at_each_level() {
    let whole = whole();
    let under = |base: &str, scope| {
        let base = if base.is_empty() { BASE.to_owned() } else { format!("{base},{BASE}") };
        names(&whole, &by_app(0), &base, scope, "(objectClass=*)")
    };
    assert_eq!(under("", Scope::Base), [""]);
    assert_eq!(under("", Scope::One), ["ou=apps", "ou=groups", "ou=people"]);
    assert_eq!(under("", Scope::Sub).len(), 1 + 3 + 4 + 3 + 1);
    assert_eq!(under("", Scope::Subordinate).len(), 3 + 4 + 3 + 1);
    assert_eq!(under("ou=groups", Scope::One), ["cn=dev,ou=groups", "cn=ops,ou=groups", "cn=secret,ou=groups"]);
    assert_eq!(under("ou=people", Scope::Sub).len(), 5);
    assert_eq!(under("ou=people", Scope::Subordinate).len(), 4);
    assert_eq!(under("UID=BOB,OU=People", Scope::Base), ["uid=bob,ou=people"]);
    assert_eq!(under("uid=bob,ou=people", Scope::Sub), ["uid=bob,ou=people"]);
    assert_eq!(under("uid=bob,ou=people", Scope::One), [""; 0]);
    assert_eq!(under("uid=cy\\,d,ou=people", Scope::Base), ["uid=cy\\,d,ou=people"]);
    assert_eq!(under("ou=apps", Scope::One), ["cn=all,ou=apps"]);
}

#[test]
fn a_base_that_is_not_there() {
    let whole = whole();
    let at = |base: &str| {
        let (found, page) = entries(&whole, &by_app(0), &asked(base, Scope::Sub, "(objectClass=*)", &[]));
        assert_eq!(found, []);
        (page.code, page.matched)
    };
    let people = format!("ou=people,{BASE}");
    assert_eq!(at(&format!("uid=zoe,{people}")), (Code::NO_SUCH_OBJECT, people.clone()));
    assert_eq!(at(&format!("cn=bob,{people}")), (Code::NO_SUCH_OBJECT, people.clone()), "it has one name only");
    assert_eq!(at(&format!("uid=eve,{people}")), (Code::NO_SUCH_OBJECT, people.clone()));
    assert_eq!(at(&format!("cn=x,uid=bob,{people}")), (Code::NO_SUCH_OBJECT, format!("uid=bob,{people}")));
    assert_eq!(at(&format!("ou=x,{BASE}")), (Code::NO_SUCH_OBJECT, BASE.to_owned()));
    assert_eq!(at("dc=example"), (Code::NO_SUCH_OBJECT, String::new()));
    assert_eq!(at("dc=globex,dc=example"), (Code::NO_SUCH_OBJECT, String::new()));
    assert_eq!(at("no name"), (Code::INVALID_DN, String::new()));
}

#[test]
fn what_is_asked_for_goes_out() {
    let whole = whole();
    let bob = |attributes: &[&str]| {
        let base = format!("uid=bob,ou=people,{BASE}");
        let (found, _) = entries(&whole, &by_app(0), &asked(&base, Scope::Base, "(objectClass=*)", attributes));
        shown(&found[0])
    };
    let user = "cn=Bob  Smith; displayName=Bob  Smith; gecos=Bob  Smith; gidNumber=100; homeDirectory=/home/bob; \
                loginShell=/bin/sh; mail=bob@acme.example; \
                objectClass=top|person|organizationalPerson|inetOrgPerson|posixAccount|shadowAccount; sn=Smith; uid=bob; \
                uidNumber=1002";
    let operational = "createTimestamp=19700112134642Z; entryDN=uid=bob,ou=people,dc=acme,dc=example; \
                       entryUUID=00000000-0000-0000-0000-000000000002; hasSubordinates=FALSE; \
                       memberOf=cn=dev,ou=groups,dc=acme,dc=example; modifyTimestamp=19700124033322Z; \
                       structuralObjectClass=inetOrgPerson; subschemaSubentry=cn=Subschema";
    assert_eq!(bob(&[]), user);
    assert_eq!(bob(&["*"]), user);
    assert_eq!(bob(&["+"]), operational);
    assert_eq!(bob(&["1.1"]), "");
    assert_eq!(bob(&["1.1", "MAIL"]), "mail=bob@acme.example");
    assert_eq!(
        bob(&["2.5.4.4", "memberOf", "nobodyKnows", "cn;lang-en", "employeeNumber"]),
        "memberOf=cn=dev,ou=groups,dc=acme,dc=example; sn=Smith"
    );
    assert_eq!(bob(&["userPassword", "uid"]), "uid=bob");
    let mut both: Vec<_> = user.split("; ").chain(operational.split("; ")).collect();
    both.sort_unstable();
    assert_eq!(bob(&["*", "+"]), both.join("; "));
    let mut types =
        asked(&format!("uid=bob,ou=people,{BASE}"), Scope::Base, "(objectClass=*)", &["cn", "uidNumber", "title"]);
    types.types_only = true;
    assert_eq!(shown(&entries(&whole, &by_app(0), &types).0[0]), "cn=; uidNumber=");
}

#[test]
fn groups_name_their_members() {
    let directory =
        LdapDirectory { posix: Posix::Allocate, schema: GroupSchema::Rfc2307, private_groups: true, ..directory() };
    let acme = acme(directory, &[("all", everything())]);
    let show = |group: &str| {
        let base = format!("cn={group},ou=groups,{BASE}");
        let (found, _) = entries(&acme, &by_app(0), &asked(&base, Scope::Base, "(objectClass=*)", &[]));
        found.first().map(shown)
    };
    assert_eq!(
        show("dev").unwrap(),
        "cn=dev; gidNumber=501; member=uid=Ada,ou=people,dc=acme,dc=example|uid=bob,ou=people,\
        dc=acme,dc=example; memberUid=Ada|bob; objectClass=top|groupOfNames|groupOfUniqueNames|posixGroup; \
        uniqueMember=uid=Ada,ou=people,dc=acme,dc=example|uid=bob,ou=people,dc=acme,dc=example"
    );
    assert_eq!(
        show("bob").unwrap(),
        "cn=bob; gidNumber=1002; member=uid=bob,ou=people,dc=acme,dc=example; memberUid=bob; \
        objectClass=top|groupOfNames|groupOfUniqueNames|posixGroup; uniqueMember=uid=bob,ou=people,dc=acme,dc=example"
    );
    assert_eq!(show("eve"), None);
    let groups = |filter: &str| names(&acme, &by_app(0), &format!("ou=groups,{BASE}"), Scope::One, filter);
    assert_eq!(groups("(memberUid=bob)"), ["cn=bob,ou=groups", "cn=dev,ou=groups"]);
    assert_eq!(groups("(memberUid=BOB)"), [""; 0], "capitals count");
    assert_eq!(groups("(gidNumber=1002)"), ["cn=bob,ou=groups"]);
}

#[test]
fn a_name_that_stays() {
    let acme = acme(LdapDirectory { rdn: PersonRdn::EntryUuid, ..directory() }, &[("all", everything())]);
    let dn = format!("entryUUID=00000000-0000-0000-0000-000000000002,ou=people,{BASE}");
    assert_eq!(acme.who(&dn.as_str().into()), Meant::Person(person_id(2)));
    assert_eq!(acme.who(&format!("uid=bob,ou=people,{BASE}").as_str().into()), Meant::Nobody { name: "bob".into() });
    assert_eq!(acme.who(&"bob".into()), Meant::Person(person_id(2)));
    assert_eq!(acme.dn(&by_person(2)), Some(dn));
}

#[test]
fn the_younger_of_two_with_one_name_has_none() {
    let people = [
        person(1, json!({ "preferred_username": "ada", "groups": ["dev"] })),
        person(2, json!({ "preferred_username": "ADA", "email": "b@acme.example", "groups": ["dev"] })),
    ];
    let directory = LdapDirectory { posix: Posix::Allocate, schema: GroupSchema::Rfc2307, ..directory() };
    let acme = snapshot(directory, &[("all", everything())], &people, &[group(1, "dev")]);
    let found = |filter: &str| found_in(&acme, filter);
    assert_eq!(found("(uid=ada)"), ["ada"]);
    assert_eq!(found("(uidNumber=*)"), ["ada"]);
    let younger = "entryUUID=00000000-0000-0000-0000-000000000002";
    assert_eq!(found("(!(uid=*))"), [younger]);
    assert_eq!(found("(homeDirectory=/home/ADA)"), [""; 0]);
    let (entry, _) = entries(&acme, &by_app(0), &asked(BASE, Scope::Sub, "(mail=b@acme.example)", &["*"]));
    let text = shown(&entry[0]);
    assert!(!text.contains("uid") && !text.contains("posix") && !text.contains("/home"), "{text}");
    assert_eq!(acme.who(&"ada".into()), Meant::Person(person_id(1)));
    let dev = entries(&acme, &by_app(0), &asked(BASE, Scope::Sub, "(cn=dev)", &["memberUid", "member"])).0;
    let both = format!("member=uid=ada,ou=people,{BASE}|{younger},ou=people,{BASE}; memberUid=ada");
    assert_eq!(shown(&dev[0]), both);
}

#[test]
fn in_steps_it_is_the_same() {
    let people: Vec<_> = (0..3000)
        .map(|number| {
            person(
                number,
                json!({ "preferred_username": format!("u{number}"),
        "name": if number % 1000 == 7 { "Odd" } else { "Even" } }),
            )
        })
        .collect();
    let acme = snapshot(directory(), &[("all", everything())], &people, &[]);
    let (found, page) = entries(&acme, &by_app(0), &asked(BASE, Scope::Sub, "(sn=odd)", &["uid"]));
    assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), ["uid=u7", "uid=u1007", "uid=u2007"]);
    assert_eq!(page.code, Code::SUCCESS);
    let search = asked(BASE, Scope::Sub, "(sn=odd)", &["uid"]);
    let step =
        acme.search(&Asked { search: &search, as_: &by_app(0), fetched: None, ask_for: 9, after: 0 }, &mut |_| true);
    assert_eq!(step.next, Some(512), "so many are looked at in one step");
    let parts = format!("(|{})", "(sn=a*)".repeat(1000));
    let long = asked(&format!("ou=people,{BASE}"), Scope::One, &parts, &["uid"]);
    let step =
        acme.search(&Asked { search: &long, as_: &by_app(0), fetched: None, ask_for: 9, after: 0 }, &mut |_| true);
    assert_eq!(step.next, Some(32), "and fewer where each takes longer");
    let all = asked(&format!("ou=people,{BASE}"), Scope::One, "(objectClass=*)", &["1.1"]);
    let mut after = 0;
    let mut given = Vec::new();
    loop {
        let page =
            acme.search(&Asked { search: &all, as_: &by_app(0), fetched: None, ask_for: 7, after }, &mut |entry| {
                given.push(entry);
                true
            });
        assert_eq!(page.estimate, 3000);
        let Some(next) = page.next else { break };
        after = next;
    }
    assert_eq!(given.len(), 3000, "each once");
    let cut =
        acme.search(&Asked { search: &all, as_: &by_app(0), fetched: None, ask_for: 9, after: 0 }, &mut |_| false);
    assert_eq!(cut.next, Some(1), "what was given counts, also the last one");
}
