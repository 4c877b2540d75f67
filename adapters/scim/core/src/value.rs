//! A value as a client sends it, checked by its attribute and put into the form that is kept.

use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::error::{Fault, quoted};
use crate::schema::{Attribute, Kind, Mutability};

/// What is done about an attribute that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UnknownAttributes {
    /// RFC 7644 section 3.3 lets a server leave out what it does not know; it is named in a log.
    #[default]
    Ignore,
    Refuse,
}

/// Reads values, and gathers what it leaves out.
pub(crate) struct Reader<'i> {
    pub unknown: UnknownAttributes,
    pub ignored: &'i mut Vec<String>,
}

/// Values of one attribute: products send a handful, and each operation of a patch may go through all of them. Members
/// of groups are rows elsewhere, and not counted here.
pub const VALUES: usize = 1_000;

/// So many names are kept of what was left out.
const NAMED: usize = 50;

impl Reader<'_> {
    /// # Errors
    /// What is not known is refused.
    pub fn leave_out(&mut self, place: &str) -> Result<(), Fault> {
        match self.unknown {
            UnknownAttributes::Refuse => Err(Fault::value(format!("there is no attribute {}", quoted(place)))),
            UnknownAttributes::Ignore => {
                if self.ignored.len() < NAMED {
                    self.ignored.push(place.to_owned());
                }
                Ok(())
            }
        }
    }

    /// `None`: null, an empty list and nothing at all are one and the same (RFC 7643 section 2.5).
    ///
    /// # Errors
    /// `invalidValue`, with the place.
    pub fn value(&mut self, attribute: &Attribute, value: Value, place: &str) -> Result<Option<Value>, Fault> {
        match (attribute.multi_valued, value) {
            (_, Value::Null) => Ok(None),
            (true, Value::Array(values)) => {
                not_too_many(values.len(), place)?;
                let mut read = Vec::with_capacity(values.len());
                for value in values {
                    read.extend(self.single(attribute, value, place)?);
                }
                Ok((!read.is_empty()).then_some(Value::Array(read)))
            }
            // One value that is no list: Entra ID does that.
            (true, value) => Ok(self.single(attribute, value, place)?.map(|value| Value::Array(vec![value]))),
            // A list of one: Entra ID sends a manager so.
            (false, Value::Array(values)) => match <[Value; 1]>::try_from(values) {
                Ok([value]) => self.single(attribute, value, place),
                Err(values) if values.is_empty() => Ok(None),
                Err(_) => Err(Fault::value(format!("{place} has one value, and a list came"))),
            },
            (false, value) => self.single(attribute, value, place),
        }
    }

    /// One of several values, or the only one.
    pub fn single(&mut self, attribute: &Attribute, value: Value, place: &str) -> Result<Option<Value>, Fault> {
        let wrong = |what: &str| Err(Fault::value(format!("{place} has to be {what}")));
        match (attribute.kind, value) {
            (_, Value::Null) => Ok(None),
            (Kind::String | Kind::Reference, value @ Value::String(_)) => Ok(Some(value)),
            (Kind::String | Kind::Reference, _) => wrong("a text"),
            (Kind::Boolean, value @ Value::Bool(_)) => Ok(Some(value)),
            // Entra ID writes "True" and "False".
            (Kind::Boolean, Value::String(word)) => match boolean(&word) {
                Some(value) => Ok(Some(Value::Bool(value))),
                None => wrong("true or false"),
            },
            (Kind::Boolean, _) => wrong("true or false"),
            (Kind::Integer, Value::Number(number)) if number.is_i64() => Ok(Some(Value::Number(number))),
            (Kind::Integer, _) => wrong("a whole number"),
            (Kind::Decimal, value @ Value::Number(_)) => Ok(Some(value)),
            (Kind::Decimal, _) => wrong("a number"),
            (Kind::DateTime, Value::String(text)) if instant(&text).is_some() => Ok(Some(Value::String(text))),
            (Kind::DateTime, _) => wrong("a time such as 2011-05-13T04:42:34Z"),
            (Kind::Binary, Value::String(text)) if is_base64(&text) => Ok(Some(Value::String(text))),
            (Kind::Binary, _) => wrong("octets in base64"),
            (Kind::Complex, Value::Object(members)) => self.complex(attribute, members, place),
            // Its most important part alone: Entra ID sends a manager and roles so.
            (Kind::Complex, value @ Value::String(_)) if attribute.default_sub().is_some() => {
                let mut members = Map::new();
                members.insert("value".to_owned(), value);
                self.complex(attribute, members, place)
            }
            (Kind::Complex, _) => wrong("an object"),
        }
    }

    fn complex(
        &mut self,
        attribute: &Attribute,
        members: Map<String, Value>,
        place: &str,
    ) -> Result<Option<Value>, Fault> {
        let mut read = Map::new();
        for (name, value) in members {
            let place = format!("{place}.{name}");
            match attribute.sub(&name) {
                Some(sub) if sub.mutability == Mutability::ReadOnly => {}
                Some(sub) => {
                    if let Some(value) = self.value(sub, value, &place)? {
                        read.insert(sub.name.clone(), value);
                    }
                }
                None => self.leave_out(&place)?,
            }
        }
        Ok((!read.is_empty()).then_some(Value::Object(read)))
    }
}

/// # Errors
/// `invalidValue`.
pub(crate) fn not_too_many(values: usize, place: &str) -> Result<(), Fault> {
    if values > VALUES {
        return Err(Fault::value(format!("{place} has {VALUES} values at most")));
    }
    Ok(())
}

pub(crate) fn boolean(word: &str) -> Option<bool> {
    if word.eq_ignore_ascii_case("true") {
        Some(true)
    } else if word.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// RFC 7643 section 2.3.5.
pub(crate) fn instant(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

fn is_base64(text: &str) -> bool {
    text.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"+/-_=\r\n".contains(&octet))
}

/// How many values of a list say that they are the preferred one.
pub(crate) fn primaries(values: &[Value]) -> usize {
    values.iter().filter(|value| is_primary(value)).count()
}

pub(crate) fn is_primary(value: &Value) -> bool {
    value.get("primary") == Some(&Value::Bool(true))
}
