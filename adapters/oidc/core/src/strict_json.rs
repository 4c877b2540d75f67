//! JSON in which no member name comes twice. Two parsers can read such a
//! document in two ways, and an attacker chooses which (RFC 8725 section 2.4, RFC 7515 section 4).

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Reads one JSON object; duplicate members at any depth are an error.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, &'static str> {
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(Value::Object(map))) => Ok(map),
        Ok(_) => Err("not a JSON object"),
        Err(_) => Err("not JSON, or a member comes twice"),
    }
}

/// Reads one JSON array, under the same rule.
pub fn array(bytes: &[u8]) -> Result<Vec<Value>, &'static str> {
    match serde_json::from_slice::<Strict>(bytes) {
        Ok(Strict(Value::Array(items))) => Ok(items),
        Ok(_) => Err("not a JSON array"),
        Err(_) => Err("not JSON, or a member comes twice"),
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((name, Strict(value))) = access.next_entry::<String, Strict>()? {
            if map.insert(name, value).is_some() {
                return Err(A::Error::custom("a member comes twice"));
            }
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn refuses_duplicate_members_at_any_depth() {
        assert!(object(br#"{"a":1,"b":{"c":[{"d":1}]}}"#).is_ok());
        assert!(object(br#"{"a":1,"a":2}"#).is_err());
        assert!(object(br#"{"a":{"b":1,"b":2}}"#).is_err());
        assert!(object(br#"{"a":[{"b":1,"b":1}]}"#).is_err());
        // The escape spells the same name.
        assert!(object(br#"{"a":1,"\u0061":2}"#).is_err());
    }

    #[test]
    fn an_array_is_read_as_strictly() {
        assert_eq!(array(br#"[{"a":1},"b"]"#).map(|items| items.len()), Ok(2));
        for bad in [&b"{}"[..], b"[", b"[] []", br#"[{"a":1,"a":2}]"#] {
            assert!(array(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn refuses_what_is_not_an_object() {
        for bad in [&b"[]"[..], b"1", b"", b"{", b"{} {}", b"{\"a\":1}x", b"\xff"] {
            assert!(object(bad).is_err(), "{bad:?}");
        }
        assert!(object("[".repeat(100_000).as_bytes()).is_err());
    }

    #[test]
    fn keeps_values() {
        let map = object(r#"{"n":-1,"u":18446744073709551615,"f":1.5,"t":true,"z":null,"s":"ü"}"#.as_bytes()).unwrap();
        assert_eq!(Value::Object(map), serde_json::json!({"n":-1,"u":u64::MAX,"f":1.5,"t":true,"z":null,"s":"ü"}));
    }
}
