//! keys list, keys rotate, keys rollover.

use super::Desk;

#[test]
fn a_rotation_moves_every_key_one_step() {
    let desk = Desk::new("keys");
    desk.run(&["apply"], &desk.good);
    let kid = |list: &str, state: &str| -> String {
        let row = list.lines().find(|line| line.contains(" oidc ") && line.contains(" ES256 ") && line.contains(state));
        row.unwrap_or_else(|| panic!("no {state} in\n{list}")).split_whitespace().last().unwrap().to_owned()
    };
    let before = desk.plain(&["keys", "list"]).out;
    let (active, next) = (kid(&before, " active "), kid(&before, " next "));
    let rotated = desk.plain(&["keys", "rotate", "--tenant", "acme"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    let after = desk.plain(&["keys", "list", "--tenant", "acme"]).out;
    assert_eq!(kid(&after, " active "), next);
    assert_eq!(kid(&after, " retiring "), active);
    assert_ne!(kid(&after, " next "), next);

    let wrong = desk.plain(&["keys", "rotate", "--tenant", "acmee"]);
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.contains("the nearest is `acme`"), "{}", wrong.err);
}

/// Rows of the table that `keys list` prints: state and kid of one purpose.
fn listed(desk: &Desk, purpose: &str) -> Vec<(String, String)> {
    let list = desk.plain(&["keys", "list"]).out;
    let rows = list.lines().filter(|line| line.contains(&format!(" {purpose} ")));
    let cells = rows.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    cells.map(|cells| (cells[3].clone(), cells[5].clone())).collect()
}

fn kid(list: &[(String, String)], state: &str) -> Option<String> {
    list.iter().find(|(its, _)| its == state).map(|(_, kid)| kid.clone())
}

#[test]
fn a_rollover_waits_for_the_partners() {
    let desk = Desk::new("rollover");
    desk.run(&["apply"], &desk.good);
    let rollover = |rest: &[&str]| {
        let mut words = vec!["keys", "rollover"];
        words.extend(rest);
        desk.plain(&words)
    };
    assert_eq!(rollover(&["status"]).out, "no rollover is under way\n");
    let before = listed(&desk, "saml-signing");
    let (old, next) = (kid(&before, "active").unwrap(), kid(&before, "next").unwrap());

    // A rotation would break who has not seen the next key.
    let rotated = desk.plain(&["keys", "rotate"]);
    assert_eq!(rotated.code, 0, "{rotated:?}");
    assert!(rotated.err.contains("saml-signing is left alone"), "{}", rotated.err);
    assert!(rotated.err.contains("connection/idp"), "{}", rotated.err);
    assert!(rotated.err.contains("fedbridge keys rollover start --tenant acme"), "{}", rotated.err);
    assert!(rotated.out.contains("saml-decryption") && !rotated.out.contains("saml-signing"), "{}", rotated.out);
    assert_eq!(listed(&desk, "saml-signing"), before);

    let started = rollover(&["start", "--tenant", "acme", "--switch-at", "2040-01-02", "--retire-at", "2040-02-01"]);
    assert_eq!(started.code, 0, "{started:?}");
    assert_eq!(
        started.out,
        "acme: the rollover of saml-signing is announced\nit switches on 2040-01-02T00:00:00Z\n1 partner has yet to know the next key\nsee `fedbridge keys rollover status --tenant acme`\n"
    );
    let again = rollover(&["start", "--tenant", "acme"]);
    assert_eq!(again.code, 2);
    assert!(again.err.contains("is under way since"), "{}", again.err);

    let status = rollover(&["status", "--tenant", "acme"]).out;
    let row = status.lines().find(|line| line.starts_with("connection/idp")).unwrap();
    assert!(row.contains(" no ") && row.contains("never fetched our metadata since the key was published on"), "{row}");
    let json = |rest: &[&str]| -> serde_json::Value {
        let ended = rollover(rest);
        serde_json::from_str(&ended.out).unwrap_or_else(|_| panic!("{ended:?}"))
    };
    let seen = json(&["status", "--json"]);
    assert_eq!(seen[0]["phase"], "announced");
    assert_eq!(
        (&seen[0]["switch_at"], &seen[0]["retire_at"]),
        (&"2040-01-02T00:00:00Z".into(), &"2040-02-01T00:00:00Z".into())
    );
    assert_eq!(seen[0]["partners"][0]["partner"], "connection/idp");
    assert_eq!((&seen[0]["partners"][0]["needs"], &seen[0]["partners"][0]["knows"]), (&true.into(), &false.into()));

    let check = desk.plain(&["check"]).out;
    let line = check.lines().find(|line| line.contains("rollover of saml-signing")).unwrap();
    assert!(
        line.starts_with("! acme: ") && line.contains("1 partner has yet to know the new key: connection/idp"),
        "{line}"
    );
    assert!(
        check.lines().any(|line| line.starts_with("2040-01-02") && line.contains("rollover saml-signing")),
        "{check}"
    );

    let refused = rollover(&["switch", "--tenant", "acme"]);
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("connection/idp: never fetched"), "{}", refused.err);
    assert!(
        refused.err.contains("keys rollover confirm --tenant acme") && refused.err.contains("--force"),
        "{}",
        refused.err
    );
    assert_eq!(listed(&desk, "saml-signing"), before, "nothing was changed");

    let typo = rollover(&["confirm", "--tenant", "acme", "--partner", "connection/ipd"]);
    assert_eq!(typo.code, 2);
    assert!(typo.err.contains("the nearest is `connection/idp`"), "{}", typo.err);
    let confirmed = rollover(&["confirm", "--tenant", "acme", "--partner", "connection/idp"]);
    assert_eq!(confirmed.out, format!("acme: noted that connection/idp has the saml-signing key {next}\n"));
    assert_eq!(json(&["status", "--json"])[0]["partners"][0]["how"], "confirmed");
    assert_eq!(rollover(&["switch", "--tenant", "acme"]).code, 0);
    let switched = listed(&desk, "saml-signing");
    assert_eq!(switched, [("active".to_owned(), next.clone()), ("retiring".to_owned(), old.clone())]);
    let seen = json(&["status", "--json"]);
    assert_eq!((&seen[0]["phase"], &seen[0]["retire_at"]), (&"switched".into(), &"2040-02-01T00:00:00Z".into()));

    // Back and forth, and a rotation in between leaves it alone even with force.
    assert_eq!(rollover(&["cancel", "--tenant", "acme"]).code, 2);
    assert_eq!(rollover(&["rollback", "--tenant", "acme"]).code, 0);
    assert_eq!(listed(&desk, "saml-signing"), before);
    let forced = desk.plain(&["keys", "rotate", "--force"]);
    assert!(forced.err.contains("saml-signing is left alone: a rollover is under way"), "{}", forced.err);
    assert_eq!(listed(&desk, "saml-signing"), before);
    assert_eq!(rollover(&["retire", "--tenant", "acme"]).code, 2);
    assert_eq!(rollover(&["switch", "--tenant", "acme"]).code, 0);
    assert_eq!(rollover(&["retire", "--tenant", "acme"]).code, 0);
    let over = listed(&desk, "saml-signing");
    assert_eq!((kid(&over, "active"), kid(&over, "retired")), (Some(next), Some(old)));
    assert!(kid(&over, "next").is_some_and(|new| !before.iter().any(|(_, kid)| *kid == new)), "made at the end");
    assert_eq!(rollover(&["status"]).out, "no rollover is under way\n");
}

#[test]
fn a_decryption_key_is_announced_and_cancelled_and_token_keys_are_not() {
    let desk = Desk::new("rollover-decryption");
    desk.run(&["apply"], &desk.good);
    let rollover = |rest: &[&str]| {
        let mut words = vec!["keys", "rollover"];
        words.extend(rest);
        words.extend(["--tenant", "acme", "--purpose"]);
        words.push("saml-decryption");
        desk.plain(&words)
    };
    let early = rollover(&["confirm", "--partner", "connection/idp"]);
    assert!(early.code == 2 && early.err.contains("there is no next key of saml-decryption"), "{early:?}");
    assert_eq!(rollover(&["start", "--switch-at", "2020-01-01"]).code, 2, "a date of the past");
    assert_eq!(rollover(&["start"]).code, 0);
    let states = |list: &[(String, String)]| list.iter().map(|(state, _)| state.clone()).collect::<Vec<_>>();
    assert_eq!(states(&listed(&desk, "saml-decryption")), ["next", "active"]);
    let dated = rollover(&["switch", "--at", "2040-01-02T00:00:00Z"]);
    assert!(dated.out.contains("switches on 2040-01-02T00:00:00Z, if every partner"), "{dated:?}");
    assert_eq!(rollover(&["cancel"]).code, 0);
    assert_eq!(states(&listed(&desk, "saml-decryption")), ["active", "retiring"]);

    let tokens = desk.plain(&["keys", "rollover", "start", "--tenant", "acme", "--purpose", "oidc"]);
    assert_eq!(tokens.code, 2);
    assert!(tokens.err.contains("`fedbridge keys rotate`"), "{}", tokens.err);
    let nobody = desk.plain(&["keys", "rollover", "switch", "--tenant", "acme"]);
    assert_eq!(nobody.code, 2);
    assert!(nobody.err.contains("no rollover of saml-signing is under way in acme"), "{}", nobody.err);
}
