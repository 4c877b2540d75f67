//! keys list, keys rotate.

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
