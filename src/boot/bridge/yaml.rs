//! Writes JSON values as YAML that reads back as the same values.

use serde_json::{Map, Value};

/// A whole document.
pub fn document(map: &Map<String, Value>) -> String {
    let mut out = String::new();
    block_map(&mut out, map, 0);
    out
}

fn block_map(out: &mut String, map: &Map<String, Value>, indent: usize) {
    for (index, (key, value)) in map.iter().enumerate() {
        if index > 0 {
            pad(out, indent);
        }
        out.push_str(&scalar_text(key));
        out.push(':');
        entry(out, value, indent);
    }
}

/// What stands behind a key: on the same line, or as a block below it.
fn entry(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(map) if !is_short(value) => {
            out.push('\n');
            pad(out, indent + 2);
            block_map(out, map, indent + 2);
        }
        Value::Array(items) if !is_short(value) => {
            out.push('\n');
            for item in items {
                pad(out, indent + 2);
                out.push('-');
                list_item(out, item, indent + 2);
            }
        }
        Value::String(text) if fits_literal(text) => literal(out, text, indent + 2),
        value => {
            out.push(' ');
            flow(out, value);
            out.push('\n');
        }
    }
}

fn list_item(out: &mut String, item: &Value, indent: usize) {
    match item {
        Value::Object(map) if !is_short(item) => {
            out.push(' ');
            block_map(out, map, indent + 2);
        }
        other => entry(out, other, indent),
    }
}

fn pad(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

/// Scalars, lists of scalars and maps of one scalar stand on one line.
fn is_short(value: &Value) -> bool {
    let scalar = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => false,
        Value::String(text) => !text.contains('\n'),
        _ => true,
    };
    match value {
        Value::Array(items) => items.iter().all(scalar),
        Value::Object(map) => map.is_empty() || map.len() == 1 && map.values().all(scalar),
        other => scalar(other),
    }
}

fn flow(out: &mut String, value: &Value) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => out.push_str(&value.to_string()),
        Value::String(text) => out.push_str(&scalar_text(text)),
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                flow(out, item);
            }
            out.push(']');
        }
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Object(map) => {
            out.push_str("{ ");
            for (index, (key, value)) in map.iter().enumerate() {
                out.push_str(if index > 0 { ", " } else { "" });
                out.push_str(&scalar_text(key));
                out.push_str(": ");
                flow(out, value);
            }
            out.push_str(" }");
        }
    }
}

/// Plain where nobody can take it for something else, double-quoted otherwise.
fn scalar_text(text: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let special = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(word)
        && !special.contains(&text.to_ascii_lowercase().as_str());
    if plain { text.to_owned() } else { quoted(text) }
}

/// YAML 1.2.2 section 7.3.1.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if needs_escape(c) => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Control characters, other line ends, and the byte-order mark; all below U+10000.
fn needs_escape(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// Long texts stay readable as a literal block, where that keeps every character.
fn fits_literal(text: &str) -> bool {
    text.contains('\n')
        && !text.starts_with([' ', '\n', '\t'])
        && !text.chars().any(|c| c != '\n' && c != '\t' && needs_escape(c))
        && text.lines().all(|line| line.is_empty() || !line.trim().is_empty())
}

/// YAML 1.2.2 section 8.1.2; the chomping indicator keeps the exact number of line ends.
fn literal(out: &mut String, text: &str, indent: usize) {
    let body = text.trim_end_matches('\n');
    out.push_str(match text.len() - body.len() {
        0 => " |-\n",
        1 => " |\n",
        _ => " |+\n",
    });
    for line in body.split('\n') {
        if !line.is_empty() {
            pad(out, indent);
            out.push_str(line);
        }
        out.push('\n');
    }
    out.extend(std::iter::repeat_n('\n', (text.len() - body.len()).saturating_sub(1)));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;
    use crate::bridge::node::Node;
    use crate::settings::complaints::Complaints;

    #[test]
    fn what_is_written_reads_back() {
        let texts = [
            "",
            "plain",
            "true",
            "No",
            "null",
            "~",
            "1",
            "1e3",
            "0x1f",
            "- a",
            "a: b",
            "a #b",
            "#a",
            "'",
            "\"",
            "\\",
            "two\nlines",
            "two\nlines\n",
            "two\nlines\n\n\n",
            "\nlead",
            " lead\nx",
            "a\r\nb",
            "tab\there\nx",
            "a\n  \nb",
            "a\n\nb",
            "a  \nb",
            "\u{feff}bom",
            "nel\u{85}x",
            "\u{2028}",
            "emoji 😀",
            "über",
            "<?xml version=\"1.0\"?>\n<a/>\n",
            "[x]",
            "{x}",
            "a, b",
            "*x",
            "&x",
            "!x",
            "%x",
            "@x",
            "`x",
            "? x",
            "|",
            ">",
            "---",
            "2026-01-01",
            ".5",
            "...",
            "---\nx",
            "a\n---\nb\n",
            "\t",
            "a\n",
            "\n",
            "a\n\n",
        ];
        let value = json!({
            "texts": texts.to_vec(),
            "map": texts.iter().map(|text| (format!("k{text}"), json!(text))).collect::<Map<_, _>>(),
            "nested": [{"a": {"b": [1, 2.5, true, null, []]}}, {}, [["x"], [{"y": "z"}]], "s"],
            "one": {"stored": "clients/p 1/client_secret/0"},
            "deep": {"list": [{"slug": "a", "more": {"x": "1\n2", "y": {"z": {"q": "1\n2\n"}}}}]},
        });
        let Value::Object(map) = &value else { unreachable!() };
        let text = document(map);
        let mut complaints = Complaints::new();
        let node = Node::parse("f", &text, &mut complaints).unwrap_or_else(|| panic!("{complaints:?}\n{text}"));
        for (key, wanted) in map {
            assert_eq!(&node.json()[key], wanted, "{key} in\n{text}");
        }
    }
}
