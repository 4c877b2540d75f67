//! House rules that neither Cargo nor clippy can hold.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::REPOSITORY;

/// The most lines that a source file may have. A longer one has two subjects.
const MAX_LINES: usize = 460;
/// The most lines that a function may have. A longer one can't be read at a glance.
const MAX_FUNCTION_LINES: usize = 80;
/// Tests may repeat themselves.
const MAX_TEST_LINES: usize = 800;

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for top in ["src", "adapters", "migrations"] {
        walk(&Path::new(REPOSITORY).join(top), &mut found);
    }
    assert!(found.len() > 50, "the sources moved: {}", found.len());
    found
}

fn walk(folder: &Path, found: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target" && name != "node_modules") {
                walk(&path, found);
            }
        } else if path.extension().is_some_and(|end| end == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(REPOSITORY).unwrap().to_owned(), text));
        }
    }
}

/// Files outside tests that contain `text`, without those that `allowed` begins.
fn strays(text: &str, allowed: &[&str]) -> Vec<PathBuf> {
    sources()
        .into_iter()
        .filter(|(path, _)| !in_test_folder(path))
        .filter(|(_, body)| body.split("#[cfg(test)]").next().unwrap_or_default().contains(text))
        .map(|(path, _)| path)
        .filter(|path| !allowed.iter().any(|prefix| path.starts_with(prefix)))
        .collect()
}

fn in_test_folder(path: &Path) -> bool {
    path.components()
        .any(|part| ["tests", "testkit", "examples", "fuzz"].contains(&part.as_os_str().to_str().unwrap_or("")))
}

/// The folders of the workspace's members with their crates' names, as code writes them.
fn members() -> Vec<(PathBuf, String)> {
    let manifest = |folder: &Path| -> toml::Table {
        toml::from_str(&fs::read_to_string(Path::new(REPOSITORY).join(folder).join("Cargo.toml")).unwrap()).unwrap()
    };
    let root = manifest(Path::new(""));
    let mut folders = Vec::new();
    for member in root["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        match member.strip_suffix("/*") {
            None => folders.push(PathBuf::from(member)),
            Some(parent) => {
                let inside = fs::read_dir(Path::new(REPOSITORY).join(parent)).unwrap();
                let inside = inside.map(|entry| entry.unwrap().path()).filter(|path| path.join("Cargo.toml").exists());
                folders.extend(inside.map(|path| path.strip_prefix(REPOSITORY).unwrap().to_owned()));
            }
        }
    }
    let name = |folder: &PathBuf| manifest(folder)["package"]["name"].as_str().unwrap().replace('-', "_");
    folders.into_iter().map(|folder| (folder.clone(), name(&folder))).collect()
}

#[test]
fn only_the_hub_opens_transactions_for_proofs() {
    let allowed = [
        "adapters/contract/src/proof.rs",
        "adapters/contract/src/testkit.rs",
        "src/hub/src/run/answer.rs",
        "src/hub/src/run/password/typed.rs",
        "src/hub/src/run/desk/newcomer.rs",
    ];
    assert_eq!(strays("Minter::for_transaction", &allowed), Vec::<PathBuf>::new());
}

#[test]
fn only_adapters_mint_proofs() {
    let allowed = [
        "adapters/contract/src/proof.rs",
        "adapters/saml/src/sp",
        "adapters/oidc/rp/src/complete.rs",
        "adapters/ldap/src/verify.rs",
        "adapters/fake/src",
    ];
    assert_eq!(strays(".mint()", &allowed), Vec::<PathBuf>::new());
}

#[test]
fn only_the_gate_permits() {
    let allowed = ["adapters/contract/src/proof.rs", "src/hub/src/run/gate.rs"];
    assert_eq!(strays("assertion_of_the_gate", &allowed), Vec::<PathBuf>::new());
}

#[test]
fn only_the_registry_names_adapters() {
    // The contract is everybody's. What both roles of a protocol stand on is no adapter, and nobody else's.
    let adapters: Vec<_> = members()
        .into_iter()
        .filter(|(folder, _)| folder.starts_with("adapters") && !folder.ends_with("contract"))
        .collect();
    assert!(adapters.len() > 4, "the adapters moved: {adapters:?}");
    for (folder, crate_name) in adapters {
        // Crates that lie in one folder are of one protocol.
        let inside: PathBuf = folder.components().take(2).collect();
        let allowed = ["src/boot/registry.rs", "src/boot/demo", "src/boot/demo.rs", inside.to_str().unwrap()];
        assert_eq!(strays(&crate_name, &allowed), Vec::<PathBuf>::new(), "{crate_name}");
    }
}

#[test]
fn only_the_seam_is_unsafe() {
    assert_eq!(strays("unsafe {", &["adapters/saml/core/src/seam"]), Vec::<PathBuf>::new());
    assert_eq!(
        strays("allow(unsafe_code)", &["adapters/saml/core/src/seam", "adapters/saml/core/src/lib.rs"]),
        Vec::<PathBuf>::new()
    );
}

#[test]
fn time_is_an_argument() {
    for clock in ["SystemTime::now", "OffsetDateTime::now_utc", "Utc::now"] {
        assert_eq!(strays(clock, &["src/keys/src"]), Vec::<PathBuf>::new());
    }
}

#[test]
fn files_have_one_subject() {
    let long: Vec<_> = sources()
        .into_iter()
        .filter(|(path, text)| {
            let test = in_test_folder(path) || path.ends_with("tests.rs");
            text.lines().count() > if test { MAX_TEST_LINES } else { MAX_LINES }
        })
        .map(|(path, text)| format!("{}: {} lines", path.display(), text.lines().count()))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn functions_can_be_read_at_a_glance() {
    let mut seen = 0;
    let mut long = Vec::new();
    for (path, text) in sources() {
        if in_test_folder(&path) || path.ends_with("tests.rs") {
            continue;
        }
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for (name, lines) in functions(code) {
            seen += 1;
            if lines > MAX_FUNCTION_LINES {
                long.push(format!("{}: {name} has {lines} lines", path.display()));
            }
        }
    }
    assert!(seen > 2000, "functions are not found any more: {seen}");
    assert_eq!(long, Vec::<String>::new());
}

/// The functions of a file, as rustfmt lays them out, with their lines.
fn functions(code: &str) -> Vec<(&str, usize)> {
    let lines: Vec<_> = code.lines().collect();
    let mut found = Vec::new();
    for (first, line) in lines.iter().enumerate() {
        let inner = line.trim_start();
        let Some((before, rest)) = inner.split_once("fn ") else { continue };
        let word = |word: &str| {
            matches!(word, "pub" | "async" | "const" | "unsafe" | "extern" | "\"C\"") || word.starts_with("pub(")
        };
        // `pub(in path)` has a space, and is not used.
        if !before.split_whitespace().all(word) {
            continue;
        }
        let opens = lines[first..].iter().position(|line| line.ends_with(['{', ';', '}']));
        let Some(opens) = opens.filter(|at| lines[first + at].ends_with('{')) else { continue };
        let end = format!("{}}}", &line[..line.len() - inner.len()]);
        let Some(length) = lines[first + opens..].iter().position(|line| *line == end) else { continue };
        let name = rest.split(['(', '<']).next().unwrap_or_default();
        found.push((name, opens + length + 1));
    }
    found
}

#[test]
fn nothing_is_left_for_later() {
    for mark in ["TODO", "FIXME", "XXX", "unimplemented!", "todo!("] {
        assert_eq!(strays(mark, &[]), Vec::<PathBuf>::new());
    }
}
