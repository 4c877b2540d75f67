//! Typed reading of claims. What comes in another type is never taken for absent.

use std::fmt;

use serde_json::{Map, Value};

/// The last second of the year 9999: later ones are no times.
const MAX_SECONDS: i64 = 253_402_300_799;

/// A claim that is there in a form that it can't have. Its text says what came, never the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Misshapen(&'static str);

impl fmt::Display for Misshapen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// A text. `null` is not one.
pub fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<Option<&'a str>, Misshapen> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(kind(other)),
    }
}

/// Seconds since 1970 (RFC 7519 section 2): a whole number, also where it is written as 1.7e9.
pub fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<i64>, Misshapen> {
    let Some(value) = claims.get(name) else { return Ok(None) };
    let Value::Number(number) = value else { return Err(kind(value)) };
    let whole = number.as_i64().or_else(|| {
        let float = number.as_f64()?;
        // Within these bounds every whole number has an exact float.
        #[allow(clippy::cast_possible_truncation)]
        (float.fract() == 0.0 && (0.0..=MAX_SECONDS as f64).contains(&float)).then_some(float as i64)
    });
    match whole {
        Some(seconds) if (0..=MAX_SECONDS).contains(&seconds) => Ok(Some(seconds)),
        _ => Err(Misshapen("a number that is no time")),
    }
}

/// One text, or a list of texts.
pub fn texts<'a>(claims: &'a Map<String, Value>, name: &str) -> Result<Option<Vec<&'a str>>, Misshapen> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(vec![text])),
        Some(Value::Array(items)) => {
            let all: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            all.map(Some).ok_or(Misshapen("a list with something else than texts"))
        }
        Some(other) => Err(kind(other)),
    }
}

fn kind(value: &Value) -> Misshapen {
    Misshapen(match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_whole_seconds_of_this_era() {
        let read = |value: Value| seconds(json!({ "t": value }).as_object().unwrap(), "t");
        for (value, want) in [(json!(0), 0), (json!(1_700_000_000), 1_700_000_000), (json!(1.7e9), 1_700_000_000)] {
            assert_eq!(read(value), Ok(Some(want)));
        }
        for bad in
            [json!("1"), json!(-1), json!(1.5), json!(1e300), json!(253_402_300_800_i64), json!(u64::MAX), json!(null)]
        {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
        assert_eq!(seconds(&Map::new(), "t"), Ok(None));
    }

    #[test]
    fn nothing_of_another_type_counts_as_absent() {
        let claims = json!({ "n": null, "l": ["a", 1], "s": "a", "t": ["a", "b"] });
        let claims = claims.as_object().unwrap();
        assert!(text(claims, "n").is_err() && text(claims, "t").is_err() && texts(claims, "l").is_err());
        assert_eq!(texts(claims, "s"), Ok(Some(vec!["a"])));
        assert_eq!(texts(claims, "t"), Ok(Some(vec!["a", "b"])));
    }
}
