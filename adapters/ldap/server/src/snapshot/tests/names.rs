use super::*;

#[test]
fn who_is_meant_by_a_name() {
    let whole = whole();
    let nobody = |name: &str| Meant::Nobody { name: name.to_owned() };
    let people = format!("ou=people,{BASE}");
    assert_eq!(whole.who(&format!("UID=bob , {people}").as_str().into()), Meant::Person(person_id(2)));
    assert_eq!(whole.who(&"BOB".into()), Meant::Person(person_id(2)));
    assert_eq!(whole.who(&"Ada@acme.example".into()), Meant::Person(person_id(1)));
    assert_eq!(
        whole.who(&"eve".into()),
        Meant::Person(person_id(5)),
        "who is disabled is refused like a wrong password"
    );
    assert_eq!(whole.who(&format!("cn=all,ou=apps,{BASE}").as_str().into()), Meant::App(app_id(0)));
    assert_eq!(whole.who(&format!("uid=Zoe,{people}").as_str().into()), nobody("Zoe"));
    assert_eq!(whole.who(&format!("cn=Zoe,{people}").as_str().into()), nobody(""));
    assert_eq!(
        whole.who(&format!("cn=zoe,ou=apps,{BASE}").as_str().into()),
        nobody(""),
        "an app is nobody at an upstream"
    );
    assert_eq!(whole.who(&format!("cn=dev,ou=groups,{BASE}").as_str().into()), nobody(""));
    assert_eq!(whole.who(&"zoe".into()), nobody("zoe"));
    assert_eq!(whole.who(&"uid=bob,ou=people,dc=globex,dc=example".into()), Meant::OutsideOfTheTenant);
    assert_eq!(whole.person(person_id(1)).unwrap().claims.get("groups"), Some(&json!(["dev", "ops"])));
    assert_eq!(whole.standing(person_id(5)).map(|standing| standing.disabled), Some(true));
    assert_eq!(whole.standing(person_id(9)), None);
}

#[test]
fn comparing() {
    let whole = whole();
    let compare = |dn: &str, attribute: &str, value: &str| {
        compared(&whole, &by_app(0), &format!("{dn},{BASE}"), attribute, value)
    };
    let code = |dn: &str, attribute: &str, value: &str| compare(dn, attribute, value).0;
    let bob = "uid=bob,ou=people";
    assert_eq!(code(bob, "cn", "BOB SMITH"), Code::COMPARE_TRUE);
    assert_eq!(code(bob, "cn", "bob"), Code::COMPARE_FALSE);
    assert_eq!(code(bob, "title", "x"), Code::NO_SUCH_ATTRIBUTE);
    assert_eq!(code(bob, "nobodyKnows", "x"), Code::NO_SUCH_ATTRIBUTE);
    assert_eq!(code(bob, "userPassword", "x"), Code::NO_SUCH_ATTRIBUTE);
    assert_eq!(code(bob, "uidNumber", "x"), Code::INVALID_SYNTAX);
    assert_eq!(code(bob, "objectClass", "person"), Code::COMPARE_TRUE);
    assert_eq!(code(bob, "memberOf", &format!("cn=dev,ou=groups,{BASE}")), Code::COMPARE_TRUE);
    assert_eq!(code("cn=dev,ou=groups", "member", &format!("uid=ada,ou=people,{BASE}")), Code::COMPARE_TRUE);
    assert_eq!(code("cn=ops,ou=groups", "uniqueMember", &format!("uid=bob,ou=people,{BASE}")), Code::COMPARE_FALSE);
    assert_eq!(code("cn=ops,ou=groups", "member", "no name"), Code::INVALID_SYNTAX);
    assert_eq!(compare("uid=zoe,ou=people", "cn", "x"), (Code::NO_SUCH_OBJECT, format!("ou=people,{BASE}")));
    assert_eq!(compared(&whole, &by_app(0), "no name", "cn", "x").0, Code::INVALID_DN);
    assert_eq!(compared(&whole, &ALL, &format!("{bob},{BASE}"), "cn", "x").0, Code::INSUFFICIENT_ACCESS);
}
