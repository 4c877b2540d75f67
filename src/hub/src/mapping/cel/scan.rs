//! A look at the letters of an expression before the parser recurses into it.

use super::{MAX_SOURCE, Problem};

/// The deepest nesting of brackets.
const MAX_DEPTH: usize = 24;

/// The most operators of any kind. A chain of them is a deep tree.
const MAX_OPERATORS: usize = 200;

/// Refuses what is too long, too deep, or too long a chain.
pub(super) fn scan(source: &str) -> Result<(), Problem> {
    let refuse = |message: String| Err(Problem { position: None, message });
    if source.trim().is_empty() {
        return refuse("the expression is empty".to_owned());
    }
    if source.len() > MAX_SOURCE {
        return refuse(format!("the expression has {} octets; {MAX_SOURCE} are allowed", source.len()));
    }
    let mut depth = 0usize;
    let mut operators = 0usize;
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        rest = match c {
            '\'' | '"' => skip_text(rest),
            '/' if rest.starts_with("//") => rest.split_once('\n').map_or("", |(_, after)| after),
            _ => &rest[c.len_utf8()..],
        };
        match c {
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '+' | '-' | '*' | '/' | '%' | '!' | '?' | '.' | '&' | '|' | '<' | '>' | '=' => operators += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            return refuse(format!("brackets are nested more than {MAX_DEPTH} deep"));
        }
        if operators > MAX_OPERATORS {
            return refuse(format!("the expression has more than {MAX_OPERATORS} operators"));
        }
    }
    Ok(())
}

/// What follows the string literal at the start. A raw literal's backslash is
/// read as an escape too; at worst more is skipped, and the parser still has
/// its own limit.
fn skip_text(text: &str) -> &str {
    let quote = &text[..1];
    let triple = quote.repeat(3);
    let (mark, mut rest) = if text.starts_with(&triple) { (triple.as_str(), &text[3..]) } else { (quote, &text[1..]) };
    loop {
        if let Some(after) = rest.strip_prefix(mark) {
            return after;
        }
        let mut chars = rest.chars();
        match chars.next() {
            None => return "",
            Some('\\') => {
                chars.next();
            }
            Some(_) => {}
        }
        rest = chars.as_str();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_over_texts_and_comments() {
        for fine in
            ["'((((((((((((((((((((((((((((('", "\"\\\"((((((((\"", "'''a'((''' + 'b'", "1 // ((((((((((", "r'\\d+'"]
        {
            assert_eq!(scan(fine), Ok(()), "{fine}");
        }
    }

    #[test]
    fn refuses_depth_chains_and_length() {
        assert!(scan(&format!("{}1{}", "(".repeat(25), ")".repeat(25))).is_err());
        assert!(scan(&format!("{}1{}", "(".repeat(24), ")".repeat(24))).is_ok());
        assert!(scan(&"1+".repeat(300)).is_err());
        assert!(scan(&"!".repeat(300)).is_err());
        assert!(scan(&"a".repeat(MAX_SOURCE + 1)).is_err());
        assert!(scan(" \n ").is_err());
        assert!(scan("'unclosed").is_ok(), "the parser says it better");
    }
}
