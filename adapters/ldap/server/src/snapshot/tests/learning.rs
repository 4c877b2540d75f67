use super::*;

#[test]
fn learning_mode_keeps_shapes_and_no_values() {
    let given = Arc::new(Given::default());
    let mut index = Index::new(Layout::of(&directory()).unwrap());
    index.put(&person(1, json!({ "preferred_username": "ada", "email": "ada@acme.example" })));
    let apps =
        [("old", json!({ "attributes": ["uid"], "learn": "1970-02-20" })), ("new", json!({ "attributes": ["uid"] }))];
    let tenant = tenant(1, "acme", directory(), &apps);
    let acme = Snapshot::of(&tenant, index.clone(), &services(&given), at(3_000_000)).unwrap();
    let search = asked(
        &format!("uid=ada,ou=people,{BASE}"),
        Scope::Base,
        "(&(mail=ada@acme.example)(cn=*da*))",
        &["mail", "x y"],
    );
    let (old, new) = (by_app(0), by_app(1));
    let seen = Seen::Search { search: &search, controls: &["1.2.3".to_owned()], given: 3 };
    acme.learn(&old, &seen, at(3_000_000));
    acme.learn(&new, &seen, at(3_000_000));
    acme.learn(&old, &seen, at(9_000_000));
    for name in [&*format!("uid=ada,ou=people,{BASE}"), "ada@acme.example", &*format!("cn=old,ou=apps,{BASE}")] {
        acme.learn(&old, &Seen::Bind { name }, at(3_000_000));
    }
    acme.learn(&old, &Seen::Compare { dn: "uid=ada", attribute: "member" }, at(3_000_000));
    let shapes = given.shapes.lock().unwrap().clone();
    let expected = [
        Shape::Search {
            base: "uid=?,ou=people".into(),
            scope: 0,
            filter: "(&(mail=?)(cn=*?*))".into(),
            attributes: vec!["mail".into()],
            controls: vec!["1.2.3".into()],
            most: 4,
        },
        Shape::Bind { by: "uid".into() },
        Shape::Bind { by: "name".into() },
        Shape::Compare { attribute: "member".into() },
    ];
    assert_eq!(shapes, expected);
    // Meanwhile it may read everything, and afterwards what it is allowed.
    let mail = asked(BASE, Scope::Sub, "(mail=ada@acme.example)", &["mail"]);
    assert_eq!(entries(&acme, &old, &mail).0.len(), 1);
    assert_eq!(entries(&acme, &new, &mail).0.len(), 0);
    assert_eq!(acme.until(), Some(at(51 * 86_400)));
    let later = Snapshot::of(&tenant, index, &services(&given), at(9_000_000)).unwrap();
    assert_eq!(entries(&later, &old, &mail).0.len(), 0);
}
