//! Every text that a page can show has a translation: those of the templates, and those that the hub and
//! the adapters make.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::*;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const GERMAN: Words = Words(Locale::De);

// ---- what is said ----

/// The texts of the templates; anything else that a person could read in one is a fault.
fn texts_of_templates() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut seen = 0;
    for entry in fs::read_dir(Path::new(REPOSITORY).join("templates")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|end| end != "html") {
            continue;
        }
        seen += 1;
        let template = fs::read_to_string(&path).unwrap();
        for call in ["words.t(\"", "words.say(\"", "words.say2(\""] {
            for rest in template.split(call).skip(1) {
                found.insert(rest.split('"').next().unwrap().to_owned());
            }
        }
        assert_eq!(bare_text(&template), "", "{} has text that no `words` translates", path.display());
    }
    assert!(seen > 10, "the templates moved");
    found
}

/// What is left of a template without its expressions, its scripts and its tags; of the tags, the
/// attributes that are read out.
fn bare_text(template: &str) -> String {
    let mut left = template.to_owned();
    for (open, close) in [("{#", "#}"), ("{%", "%}"), ("{{", "}}"), ("<script", "</script>"), ("<style>", "</style>")] {
        while let Some((before, rest)) = left.split_once(open) {
            let (_, after) = rest.split_once(close).unwrap_or_else(|| panic!("{open} does not end"));
            left = format!("{before}{after}");
        }
    }
    let mut text = String::new();
    for (at, part) in left.split('<').enumerate() {
        let (tag, after) = if at == 0 { ("", part) } else { part.split_once('>').unwrap() };
        for attribute in ["title=\"", "aria-label=\"", "alt=\"", "placeholder=\"", "label=\""] {
            text.extend(tag.split(attribute).skip(1).map(|value| value.split('"').next().unwrap()));
        }
        text.push_str(after);
    }
    text.retain(char::is_alphabetic);
    text
}

/// Folders and files whose sentences are for developers and administrators: they go into protocol answers,
/// complaints about settings and findings.
const FOR_OTHERS: &[&str] = &[
    "adapters/fake",
    "adapters/oidc/core",
    "adapters/oidc/rp/src/logout_token.rs",
    "adapters/oidc/rp/src/security_event.rs",
    "adapters/oidc/rp/src/token_revocation.rs",
    "adapters/oidc/signals",
    "adapters/oidc/src/op/client_auth.rs",
    "adapters/oidc/src/op/error.rs",
    "adapters/oidc/src/op/grant_authorization_code.rs",
    "adapters/oidc/src/op/grant_client_credentials.rs",
    "adapters/oidc/src/op/grant_refresh_token.rs",
    "adapters/oidc/src/op/params.rs",
    "adapters/oidc/src/op/redirect_uri.rs",
    "adapters/oidc/src/op/settings.rs",
    "adapters/oidc/src/op/settings_authentication.rs",
    "adapters/oidc/src/op/token.rs",
    "adapters/oidc/src/op/userinfo.rs",
    "adapters/saml/core",
    "adapters/saml/fuzz",
    "adapters/saml/idp/src/resolve.rs",
    "adapters/scim",
];

fn is_for_others(path: &Path) -> bool {
    // The words themselves are said elsewhere, or not at all.
    let set_aside = ["tests", "tests.rs", "testkit", "examples", "words"];
    FOR_OTHERS.iter().any(|other| path.starts_with(other))
        || path.components().any(|part| set_aside.contains(&part.as_os_str().to_str().unwrap()))
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for top in ["src/hub/src/run", "src/web/src", "adapters"] {
        walk(&Path::new(REPOSITORY).join(top), &mut found);
    }
    found.retain(|(path, _)| !is_for_others(path));
    assert!(found.len() > 60, "the sources moved: {}", found.len());
    found
}

/// Sources by their paths in the repository, without their own tests.
fn walk(top: &Path, found: &mut Vec<(PathBuf, String)>) {
    if top.is_dir() {
        for entry in fs::read_dir(top).unwrap() {
            walk(&entry.unwrap().path(), found);
        }
    } else if top.extension().is_some_and(|end| end == "rs") {
        let source = fs::read_to_string(top).unwrap();
        let inside = top.strip_prefix(REPOSITORY).unwrap().to_owned();
        found.push((inside, source.split("#[cfg(test)]").next().unwrap().to_owned()));
    }
}

/// The string literals of a source, each with the code before and behind it.
fn literals(source: &str) -> Vec<(String, &str, &str)> {
    let (mut found, mut at) = (Vec::new(), 0);
    let octets = source.as_bytes();
    while at < octets.len() {
        match octets[at] {
            b'/' if octets[at..].starts_with(b"//") => at += source[at..].find('\n').unwrap_or(octets.len() - at),
            // A character, so that its quote opens no string.
            b'\'' if octets[at..].starts_with(b"'\"'") => at += 3,
            b'\'' if octets[at..].starts_with(b"'\\") => at += 4,
            b'r' if octets[at..].starts_with(b"r#\"") => at += source[at..].find("\"#").unwrap() + 2,
            b'"' => {
                let before = &source[source[..at].char_indices().rev().nth(NEAR).map_or(0, |(start, _)| start)..at];
                let (text, length) = literal(&source[at + 1..]);
                at += 1 + length;
                let end = source[at..].char_indices().nth(NEAR).map_or(source.len(), |(end, _)| at + end);
                found.push((text, before, &source[at..end]));
            }
            _ => at += 1,
        }
    }
    found
}

/// The text of a literal, and its length with the closing quote.
fn literal(rest: &str) -> (String, usize) {
    let (mut text, mut letters) = (String::new(), rest.char_indices());
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, at + 1),
            '\\' => match letters.next() {
                Some((_, '\n')) => {
                    // The line goes on: what indents the next one is not meant.
                    let mut ahead = letters.clone();
                    while ahead.next().is_some_and(|(_, next)| next.is_whitespace()) {
                        letters.next();
                    }
                }
                Some((_, 'n')) => text.push('\n'),
                Some((_, escaped)) => text.push(escaped),
                None => break,
            },
            _ => text.push(letter),
        }
    }
    panic!("a literal does not end: {}", &rest[..rest.len().min(80)]);
}

/// How many characters around a literal tell whom it is for.
const NEAR: usize = 60;

/// A sentence, or the name of a link.
fn is_for_people(text: &str, before: &str, behind: &str) -> bool {
    let sentence =
        text.starts_with(|c: char| c.is_ascii_uppercase()) && text.ends_with(['.', '?', '!']) && text.contains(' ');
    let label = before.ends_with("label: ") || before.ends_with("label: format!(");
    let for_others = ["Refused::", "complain(", "Complaint::new(", "Field::new("];
    (sentence || label) && !for_others.iter().any(|call| before.contains(call) || behind.contains(call))
}

// ---- the tests ----

#[test]
fn every_text_of_a_template_is_translated() {
    let texts = texts_of_templates();
    assert!(texts.len() > 50, "{texts:?}");
    let missing: Vec<_> = texts.iter().filter(|text| GERMAN.translation(text).is_none()).collect();
    assert_eq!(missing, Vec::<&String>::new());
}

#[test]
fn every_sentence_for_people_is_translated() {
    let mut missing = BTreeSet::new();
    let mut seen = 0;
    for (path, source) in sources() {
        for (text, before, behind) in literals(&source) {
            if is_for_people(&text, before, behind) {
                seen += 1;
                if GERMAN.translation(&text).is_none() {
                    missing.insert(format!("{}: {text}", path.display()));
                }
            }
        }
    }
    assert!(seen > 80, "the sentences moved: {seen}");
    assert_eq!(missing, BTreeSet::new());
}

/// An exception that nothing needs any more would hide a sentence that comes later.
#[test]
fn every_exception_is_needed() {
    let untranslated = |source: &str| {
        let said = literals(source).into_iter();
        said.filter(|(text, before, behind)| is_for_people(text, before, behind))
            .any(|(text, ..)| GERMAN.translation(&text).is_none())
    };
    let idle: Vec<_> = FOR_OTHERS
        .iter()
        .filter(|other| {
            let mut inside = Vec::new();
            walk(&Path::new(REPOSITORY).join(other), &mut inside);
            assert!(!inside.is_empty(), "{other} has moved");
            !inside.iter().any(|(_, source)| untranslated(source))
        })
        .collect();
    assert_eq!(idle, Vec::<&&str>::new());
}

#[test]
fn every_scope_has_words() {
    let texts = asks::texts();
    assert!(texts.len() > 20, "{texts:?}");
    for text in texts {
        assert!(GERMAN.translation(text).is_some(), "{text}");
    }
    assert_eq!(GERMAN.ask("email"), "Ihre E-Mail-Adresse");
    assert_eq!(Words(Locale::En).ask("email"), "Your e-mail address");
    assert_eq!(GERMAN.ask("api:read"), "api:read", "only the app knows");
}

#[test]
fn translations_keep_values_and_ends() {
    let mut seen = BTreeSet::new();
    for (english, german) in de::words() {
        assert!(seen.insert(english), "{english} is there twice");
        let values = |text: &'static str| {
            let values = pieces(text).into_iter().filter(|piece| matches!(piece, Piece::Value(_)));
            values.map(|piece| format!("{piece:?}")).collect::<BTreeSet<_>>()
        };
        assert_eq!(values(english), values(german), "{english}");
        let end = |text: &str| text.chars().last().filter(|c| ".:".contains(*c));
        assert_eq!(end(english), end(german), "{english}");
        assert!(!german.contains("  ") && german.trim() == *german, "{german}");
    }
}

#[test]
fn nothing_is_translated_that_nobody_says() {
    let mut said: BTreeSet<String> = texts_of_templates();
    said.extend(asks::texts().into_iter().map(str::to_owned));
    said.extend(sources().iter().flat_map(|(_, source)| literals(source)).map(|(text, ..)| text));
    let idle: Vec<_> = de::words().map(|(english, _)| *english).filter(|text| !said.contains(*text)).collect();
    assert_eq!(idle, Vec::<&str>::new());
}

#[test]
fn sentences_with_values_are_understood() {
    assert_eq!(GERMAN.text("Back to {app}"), "Zurück zu {app}", "an app may be called so");
    for (english, german) in [
        ("Back to Portal", "Zurück zu Portal"),
        ("Back", "Zurück"),
        ("Back to ", "Back to "),
        ("Back to Back to <b>", "Zurück zu Back to <b>"),
        ("3 sessions elsewhere, which go on", "3 Sitzungen anderswo, die weiterlaufen"),
        (" sessions elsewhere, which go on", " sessions elsewhere, which go on"),
        ("Go Back to Portal", "Go Back to Portal"),
        ("", ""),
        ("Wiki", "Wiki"),
    ] {
        assert_eq!(GERMAN.text(english), german);
        assert_eq!(Words(Locale::En).text(english), english);
    }
    assert_eq!(captures("a {x}, {y} b", "a 1, 2 b"), Some(vec![("x", "1"), ("y", "2")]));
    assert_eq!(captures("{x} b", "1 bc"), None);
    assert_eq!(captures("{x}{y}", "12"), None);
    assert_eq!(captures("plain", "plain"), None);
}

#[test]
fn values_stand_out_and_are_escaped() {
    let hostile = "<script>alert('1')</script>{tenant}";
    let said = GERMAN.say2("You are logged in at {tenant} as {person}.", "Acme & Co", hostile).to_string();
    assert_eq!(
        said,
        "Sie sind bei <strong>Acme &#38; Co</strong> als \
         <strong>&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;{tenant}</strong> angemeldet."
    );
    let said = Words(Locale::En).say("{app} asks for access", "Portal").to_string();
    assert_eq!(said, "<strong>Portal</strong> asks for access");
}
