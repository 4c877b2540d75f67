//! Wrong settings end with 2 before anything is touched.

use super::Desk;

#[test]
fn mistakes_of_all_sources_come_at_once() {
    let desk = Desk::new("settings");
    let toml = desk.scratch.write("fedbridge.toml", "base_urll = \"x\"\n\n[traces]\nkeep = \"30 days\"\n");
    let got = desk.plain(&["export", "--config", toml.to_str().unwrap(), "--http-listen", "nowhere"]);
    assert_eq!((got.code, got.out.as_str()), (2, ""));
    let want = [
        format!("{}:1: base_urll: unknown setting; the nearest known one is `base_url`", toml.display()),
        format!("{}:4: traces.keep: `30 days` is not a duration", toml.display()),
        "--http-listen: http.listen: `nowhere` is not an address".to_owned(),
        "error: the settings have 3 mistakes; nothing was changed".to_owned(),
        "  what to do: ".to_owned(),
    ];
    for want in want {
        assert!(got.err.lines().any(|line| line.starts_with(&want)), "{want} in {}", got.err);
    }
    assert!(!desk.scratch.path().join("fedbridge.db").exists(), "nothing was opened");
}

#[test]
fn a_database_that_is_not_there_is_a_failure_with_a_cause() {
    let desk = Desk::new("no-database");
    let got = desk.plain(&["export", "--database-url", "postgres://nobody:hunter2@127.0.0.1:1/none"]);
    assert_eq!(got.code, 1, "{got:?}");
    assert!(got.err.starts_with("error: ") && !got.err.contains("hunter2"), "{}", got.err);
}
