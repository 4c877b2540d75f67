//! keys rollover status --json: what scripts read.

use serde_json::Value;

use super::Desk;

fn names(object: &Value) -> Vec<&str> {
    let object = object.as_object().unwrap_or_else(|| panic!("{object:#} is no object"));
    object.keys().map(String::as_str).collect()
}

#[test]
fn the_status_of_rollovers_has_this_form() {
    let desk = Desk::new("rollover-status");
    desk.run(&["apply"], &desk.good);
    let status = |more: &[&str]| -> Value {
        let ended = desk.plain(&[&["keys", "rollover", "status", "--json"], more].concat());
        assert_eq!(ended.code, 0, "{ended:?}");
        serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"))
    };
    assert_eq!(status(&[]), serde_json::json!([]));
    for purpose in ["saml-signing", "saml-decryption"] {
        let started = desk.plain(&["keys", "rollover", "start", "--tenant", "acme", "--purpose", purpose]);
        assert_eq!(started.code, 0, "{started:?}");
    }
    let all = status(&["--tenant", "acme"]);
    let [one, other] = all.as_array().unwrap().as_slice() else { panic!("{all:#}") };
    let mut purposes = [one["purpose"].as_str().unwrap(), other["purpose"].as_str().unwrap()];
    purposes.sort_unstable();
    assert_eq!(purposes, ["saml-decryption", "saml-signing"]);

    let alone = status(&["--purpose", "saml-decryption"]);
    let [rollover] = alone.as_array().unwrap().as_slice() else { panic!("{alone:#}") };
    let expected =
        ["tenant", "purpose", "phase", "started", "switch_at", "switched", "retire_at", "forced", "keys", "partners"];
    assert_eq!(names(rollover), expected);
    assert_eq!((&rollover["tenant"], &rollover["phase"]), (&"acme".into(), &"announced".into()));
    for unknown in ["switch_at", "switched", "retire_at"] {
        assert!(rollover[unknown].is_null(), "{rollover:#}");
    }
    let states: Vec<_> =
        rollover["keys"].as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["active", "next"]);
    assert_eq!(names(&rollover["keys"][0]), ["kid", "state", "since"]);
    let partner = &rollover["partners"][0];
    assert_eq!(names(partner), ["partner", "needs", "knows", "how", "since", "last_seen", "why"]);
    assert_eq!((&partner["partner"], &partner["knows"]), (&"connection/idp".into(), &false.into()));
    assert!(partner["why"].as_str().unwrap().contains("never fetched our metadata"), "{partner:#}");

    let confirm = ["keys", "rollover", "confirm", "--tenant", "acme", "--partner", "connection/idp"];
    let confirmed = desk.plain(&[&confirm[..], &["--purpose", "saml-decryption"]].concat());
    assert_eq!(confirmed.code, 0, "{confirmed:?}");
    let partner = &status(&["--purpose", "saml-decryption"])[0]["partners"][0];
    assert_eq!((&partner["knows"], &partner["how"]), (&true.into(), &"confirmed".into()));
    assert!(partner["since"].is_string() && partner["why"].is_null(), "{partner:#}");
}
