//! Between JSON and CEL, and errors in plain words.

use std::collections::HashMap;

use cel::ExecutionError;
use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::Val;
use fedbridge_contract::trace::clip;
use serde_json::{Map, Number, Value};

/// JSON as a CEL value. Texts are borrowed.
pub(super) fn from_json<'a>(value: &'a Value) -> Box<dyn Val + 'a> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => from_number(number),
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(items) => Box::new(CelList::from(items.iter().map(from_json).collect::<Vec<_>>())),
        Value::Object(fields) => Box::new(from_object(fields)),
    }
}

pub(super) fn from_object(fields: &Map<String, Value>) -> CelMap<'_> {
    CelMap::from(
        fields
            .iter()
            .map(|(name, value)| (CelMapKey::from(name.as_str()), from_json(value)))
            .collect::<HashMap<_, _>>(),
    )
}

pub(super) fn from_texts(texts: &[String]) -> CelList<'_> {
    CelList::from(
        texts.iter().map(|text| Box::new(CelString::from(text.as_str())) as Box<dyn Val + '_>).collect::<Vec<_>>(),
    )
}

fn from_number(number: &Number) -> Box<dyn Val> {
    if let Some(whole) = number.as_i64() {
        Box::new(CelInt::from(whole))
    } else if let Some(whole) = number.as_u64() {
        Box::new(CelUInt::from(whole))
    } else {
        Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN)))
    }
}

/// A result as JSON.
///
/// # Errors
/// A sentence, for what JSON can't say: a type, bytes, a map with other keys than texts.
pub(super) fn to_json(value: &dyn Val) -> Result<Value, String> {
    if value.downcast_ref::<CelNull>().is_some() {
        Ok(Value::Null)
    } else if let Some(value) = value.downcast_ref::<CelBool>() {
        Ok(Value::Bool(*value.inner()))
    } else if let Some(text) = value.downcast_ref::<CelString>() {
        Ok(Value::String(text.inner().to_owned()))
    } else if let Some(number) = value.downcast_ref::<CelInt>() {
        Ok(Value::Number((*number.inner()).into()))
    } else if let Some(number) = value.downcast_ref::<CelUInt>() {
        Ok(Value::Number((*number.inner()).into()))
    } else if let Some(number) = value.downcast_ref::<CelDouble>() {
        Number::from_f64(*number.inner()).map(Value::Number).ok_or_else(|| "the result is no finite number".to_owned())
    } else if let Some(list) = value.downcast_ref::<CelList>() {
        list.inner().iter().map(|item| to_json(item.as_ref())).collect::<Result<_, _>>().map(Value::Array)
    } else if let Some(map) = value.downcast_ref::<CelMap>() {
        let mut fields = Map::new();
        for (key, item) in map.inner() {
            let CelMapKey::String(key) = key else {
                return Err("the result is a map with keys that are not texts".to_owned());
            };
            fields.insert(key.inner().to_owned(), to_json(item.as_ref())?);
        }
        // A map has no order; the same result must look the same every time.
        fields.sort_keys();
        Ok(Value::Object(fields))
    } else {
        Err(format!("the result is of type {}, which no claim can have", value.get_type().name()))
    }
}

/// An evaluation's error as a sentence. It names types and keys, and no values.
pub(super) fn explain(error: ExecutionError) -> String {
    clip(match error {
        ExecutionError::IndexOutOfBounds(_) => {
            "the list is shorter than the index; an absent attribute is an empty list, so test `size(…) > 0` first"
                .to_owned()
        }
        ExecutionError::NoSuchKey(key) => format!("there is no `{key}`; test it with `has(…)` or `in` first"),
        ExecutionError::NoSuchOverload(overload) => {
            format!("{} can't be used on {}", operation(overload.function()), overload.argument_types().join(" and "))
        }
        ExecutionError::UnsupportedBinaryOperator(operator, left, right) => {
            format!("`{operator}` can't be used on {} and {}", left.type_of(), right.type_of())
        }
        ExecutionError::ValuesNotComparable(left, right) => {
            format!("{} and {} can't be compared", left.type_of(), right.type_of())
        }
        ExecutionError::UnexpectedType { got, want } => format!("expected {want}, got {got}"),
        ExecutionError::FunctionError { function, message } if function == "meter" => message,
        ExecutionError::FunctionError { function, message } => format!("`{function}`: {message}"),
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => "division by zero".to_owned(),
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::DuplicateKey(_) => "a map has the same key twice".to_owned(),
        ExecutionError::UndeclaredReference(name) => format!("`{name}` can't be used like this"),
        ExecutionError::InvalidArgumentCount { expected, actual } => {
            format!("a function takes {expected} arguments and got {actual}")
        }
        ExecutionError::UnsupportedKeyType(key) => format!("{} can't be a key", key.type_of()),
        ExecutionError::UnsupportedIndex(index, list) => {
            format!("{} has no element by {}", list.type_of(), index.type_of())
        }
        _ => "the expression can't be evaluated".to_owned(),
    })
}

/// `_+_` as `+`, `size` as `size`.
fn operation(function: &str) -> String {
    match function {
        "_[_]" => "`[…]`".to_owned(),
        "@in" => "`in`".to_owned(),
        "_?_:_" => "`? :`".to_owned(),
        "_._" => "`.`".to_owned(),
        name => format!("`{}`", name.trim_matches(['_', '@'])),
    }
}
