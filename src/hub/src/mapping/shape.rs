//! The JSON form that each claim has, and how texts and values are put into it.

use serde_json::{Map, Number, Value};

/// Claims of OpenID Connect Core 5.1 with a text value.
pub const STANDARD_TEXTS: &[&str] = &[
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "preferred_username",
    "profile",
    "picture",
    "website",
    "email",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "phone_number",
];

/// Claims that are always lists.
pub const LISTS: &[&str] = &["groups", "roles", "entitlements"];

/// The longest text that `type: json` reads, in octets.
const MAX_JSON: usize = 64 * 1024;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    One(Item),
    List(Item),
    /// OpenID Connect Core 5.1.1.
    Address,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    Text,
    Bool,
    Int,
    Json,
}

impl Item {
    pub const NAMES: &[&str] = &["bool", "int", "json", "string"];

    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "bool" => Some(Self::Bool),
            "int" => Some(Self::Int),
            "json" => Some(Self::Json),
            "string" => Some(Self::Text),
            _ => None,
        }
    }
}

impl Shape {
    /// The shape of a claim, given what its rule says about it.
    ///
    /// # Errors
    /// A sentence, when the rule contradicts the claim's standard form.
    pub fn of(claim: &str, list: Option<bool>, item: Option<Item>) -> Result<Self, String> {
        if LISTS.contains(&claim) {
            if list == Some(false) {
                return Err(format!("`{claim}` is always a list; leave `list` out"));
            }
            return Ok(Self::List(item.unwrap_or(Item::Text)));
        }
        let standard = match claim {
            "address" => Some((Self::Address, Item::Json, "an object")),
            "email_verified" | "phone_number_verified" => Some((Self::One(Item::Bool), Item::Bool, "a boolean")),
            "updated_at" => Some((Self::One(Item::Int), Item::Int, "a number of seconds")),
            _ if STANDARD_TEXTS.contains(&claim) => Some((Self::One(Item::Text), Item::Text, "a text")),
            _ => None,
        };
        let list = list.unwrap_or(false);
        match standard {
            Some((_, own, form)) if list || item.is_some_and(|item| item != own) => {
                Err(format!("`{claim}` is a standard claim and always {form}; leave `list` and `type` out"))
            }
            Some((shape, _, _)) => Ok(shape),
            None if list => Ok(Self::List(item.unwrap_or(Item::Text))),
            None => Ok(Self::One(item.unwrap_or(Item::Text))),
        }
    }

    /// A claim from an attribute's values; `None` when they are all empty.
    ///
    /// # Errors
    /// A sentence, when a value can't be put into this shape.
    pub fn read_texts(self, values: &[String]) -> Result<Option<Value>, String> {
        let mut present = values.iter().filter(|value| !value.is_empty());
        match self {
            Self::One(item) => present.next().map_or(Ok(None), |text| item_from_text(item, text)),
            Self::List(item) => {
                let mut list = Vec::with_capacity(values.len());
                for text in present {
                    list.extend(item_from_text(item, text)?);
                }
                Ok((!list.is_empty()).then_some(Value::Array(list)))
            }
            Self::Address => Ok(present.next().map(|text| address_from_text(text))),
        }
    }

    /// A claim from what an expression or a literal made; `None` when it is empty.
    ///
    /// # Errors
    /// A sentence, when the value can't be put into this shape.
    pub fn read_json(self, value: Value) -> Result<Option<Value>, String> {
        match (self, value) {
            (_, Value::Null) => Ok(None),
            (Self::One(Item::Json), value) => Ok(Some(value).filter(|value| !is_empty(value))),
            (Self::One(item), Value::Array(values)) => {
                values.into_iter().find(|value| !is_empty(value)).map_or(Ok(None), |value| item_from_json(item, value))
            }
            (Self::One(item), value) => item_from_json(item, value),
            (Self::List(item), Value::Array(values)) => {
                let mut list = Vec::with_capacity(values.len());
                for value in values {
                    list.extend(item_from_json(item, value)?);
                }
                Ok((!list.is_empty()).then_some(Value::Array(list)))
            }
            (Self::List(item), value) => Ok(item_from_json(item, value)?.map(|value| Value::Array(vec![value]))),
            (Self::Address, Value::String(text)) => Ok((!text.is_empty()).then(|| address_from_text(&text))),
            (Self::Address, value @ Value::Object(_)) => Ok(Some(value).filter(|value| !is_empty(value))),
            (Self::Address, value) => Err(format!("{} is not an address: give a text or an object", describe(&value))),
        }
    }
}

fn item_from_text(item: Item, text: &str) -> Result<Option<Value>, String> {
    match item {
        Item::Text => Ok(Some(Value::String(text.to_owned()))),
        Item::Bool => match text.trim() {
            yes if yes == "1" || yes.eq_ignore_ascii_case("true") => Ok(Some(Value::Bool(true))),
            no if no == "0" || no.eq_ignore_ascii_case("false") => Ok(Some(Value::Bool(false))),
            _ => Err(format!("`{}` is not a boolean: true, false, 1 and 0 are", short(text))),
        },
        Item::Int => text
            .trim()
            .parse::<i64>()
            .map(|number| Some(Value::Number(number.into())))
            .map_err(|_| format!("`{}` is not a whole number", short(text))),
        Item::Json if text.len() > MAX_JSON => Err(format!("a JSON text has at most {MAX_JSON} octets")),
        Item::Json => serde_json::from_str(text)
            .map(|value: Value| Some(value).filter(|value| !is_empty(value)))
            .map_err(|error| format!("`{}` is not JSON: {error}", short(text))),
    }
}

fn item_from_json(item: Item, value: Value) -> Result<Option<Value>, String> {
    match (item, value) {
        (_, Value::Null) => Ok(None),
        (Item::Json, value) => Ok(Some(value).filter(|value| !is_empty(value))),
        (_, Value::String(text)) if text.is_empty() => Ok(None),
        (Item::Text, value @ Value::String(_)) => Ok(Some(value)),
        (item, Value::String(text)) => item_from_text(item, &text),
        (Item::Text, Value::Bool(value)) => Ok(Some(Value::String(value.to_string()))),
        (Item::Text, Value::Number(value)) => Ok(Some(Value::String(value.to_string()))),
        (Item::Bool, value @ Value::Bool(_)) => Ok(Some(value)),
        (Item::Int, Value::Number(number)) => {
            whole(&number).map(Some).ok_or_else(|| format!("{number} is not a whole number"))
        }
        (item, value) => {
            let wanted = match item {
                Item::Text => "a text; say `type: json` to keep it as it is",
                Item::Bool => "a boolean",
                Item::Int => "a whole number",
                Item::Json => "JSON",
            };
            Err(format!("{} is not {wanted}", describe(&value)))
        }
    }
}

fn whole(number: &Number) -> Option<Value> {
    if number.is_i64() || number.is_u64() {
        return Some(Value::Number(number.clone()));
    }
    let float = number.as_f64()?;
    // 2^53: beyond it a double no longer holds every whole number.
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then(|| Value::Number((float as i64).into()))
}

fn address_from_text(text: &str) -> Value {
    if text.starts_with('{')
        && text.len() <= MAX_JSON
        && let Ok(value @ Value::Object(_)) = serde_json::from_str(text)
    {
        return value;
    }
    let mut address = Map::new();
    address.insert("formatted".to_owned(), Value::String(text.to_owned()));
    Value::Object(address)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

/// A value in a sentence: its kind, and its start.
pub fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{}`", short(text)),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(_) => "an object".to_owned(),
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn texts(values: &[&str]) -> Vec<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    #[test]
    fn standard_claims_keep_their_type() {
        let shape = Shape::of("email_verified", None, None).unwrap();
        assert_eq!(shape.read_texts(&texts(&["TRUE"])), Ok(Some(json!(true))));
        assert!(shape.read_texts(&texts(&["maybe"])).is_err());
        let shape = Shape::of("updated_at", None, None).unwrap();
        assert_eq!(shape.read_texts(&texts(&["1311280970"])), Ok(Some(json!(1311280970))));
        assert!(Shape::of("email", Some(true), None).is_err());
        assert!(Shape::of("email", None, Some(Item::Int)).is_err());
        assert!(Shape::of("groups", Some(false), None).is_err());
        let shape = Shape::of("address", None, None).unwrap();
        assert_eq!(shape.read_texts(&texts(&["Main St 1"])), Ok(Some(json!({"formatted": "Main St 1"}))));
        assert_eq!(shape.read_texts(&texts(&["{\"country\":\"DE\"}"])), Ok(Some(json!({"country": "DE"}))));
    }

    #[test]
    fn empty_is_absent() {
        for shape in [Shape::One(Item::Text), Shape::List(Item::Text), Shape::One(Item::Json), Shape::Address] {
            assert_eq!(shape.read_texts(&texts(&["", ""])), Ok(None));
            assert_eq!(shape.read_texts(&[]), Ok(None));
            assert_eq!(shape.read_json(Value::Null), Ok(None));
            assert_eq!(shape.read_json(json!("")), Ok(None));
        }
        assert_eq!(Shape::List(Item::Text).read_json(json!([])), Ok(None));
        assert_eq!(Shape::List(Item::Text).read_json(json!(["", null, "a"])), Ok(Some(json!(["a"]))));
    }

    #[test]
    fn other_claims_are_the_first_text_unless_told() {
        let text = Shape::of("tier", None, None).unwrap();
        assert_eq!(text.read_json(json!(["gold", "silver"])), Ok(Some(json!("gold"))));
        assert_eq!(text.read_json(json!(true)), Ok(Some(json!("true"))));
        assert!(text.read_json(json!({"a": 1})).is_err());
        assert_eq!(Shape::One(Item::Int).read_json(json!(3.0)), Ok(Some(json!(3))));
        assert!(Shape::One(Item::Int).read_json(json!(3.5)).is_err());
        assert_eq!(Shape::One(Item::Json).read_json(json!({"a": 1})), Ok(Some(json!({"a": 1}))));
    }
}
