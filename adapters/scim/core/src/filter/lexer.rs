//! A filter's words.

use crate::error::{Fault, quoted};

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A path, an operator, a number, `true`, `false`, `null`.
    Word(String),
    Text(String),
    Open,
    Close,
    OpenBracket,
    CloseBracket,
}

impl Token {
    pub fn is_word(&self, wanted: &str) -> bool {
        matches!(self, Self::Word(word) if word.eq_ignore_ascii_case(wanted))
    }
}

pub(super) fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let sign = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '[' => Some(Token::OpenBracket),
            ']' => Some(Token::CloseBracket),
            _ => None,
        };
        let length = match sign {
            Some(sign) => {
                tokens.push(sign);
                first.len_utf8()
            }
            None if first == '"' => {
                let (value, length) = quoted_text(rest)?;
                tokens.push(Token::Text(value));
                length
            }
            None => {
                let end = rest.find(|c: char| c.is_whitespace() || "()[]\"".contains(c)).unwrap_or(rest.len());
                let word = rest.get(..end).unwrap_or_default();
                if !word.chars().all(|c| c.is_ascii_alphanumeric() || "-_.$:+".contains(c)) {
                    return Err(Fault::filter(format!("{} is no word of a filter", quoted(word))));
                }
                tokens.push(Token::Word(word.to_owned()));
                end
            }
        };
        rest = rest.get(length..).unwrap_or_default().trim_start();
    }
    Ok(tokens)
}

/// A JSON string at the beginning of a text, with how long it is there.
fn quoted_text(rest: &str) -> Result<(String, usize), Fault> {
    let mut escaped = false;
    for (at, octet) in rest.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => {
                let whole = rest.get(..=at).unwrap_or_default();
                let value = serde_json::from_str(whole);
                let value = value.map_err(|_| Fault::filter(format!("{} is no JSON string", quoted(whole))))?;
                return Ok((value, at + 1));
            }
            _ => {}
        }
    }
    Err(Fault::filter("a text in the filter has no end"))
}
