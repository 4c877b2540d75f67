//! Where a value stands in a resource: `userName`, `name.givenName`, `emails[type eq "work"].value`, and the same behind
//! the URN of an extension (RFC 7644 section 3.10).

use std::fmt;

use serde_json::{Map, Value, json};

/// The path of one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributePath {
    /// Of an extension.
    pub urn: Option<String>,
    pub attribute: String,
    /// Of a multi-valued attribute: the value of this type.
    pub of_type: Option<String>,
    pub sub: Option<String>,
}

/// Attributes that are not mapped: the server's, ours, and secrets.
const NOT_MAPPED: [&str; 8] = ["id", "externalId", "meta", "schemas", "groups", "active", "password", "members"];

impl AttributePath {
    /// # Errors
    /// What is wrong with it, for whoever wrote it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (urn, rest) = match text.to_ascii_lowercase().starts_with("urn:") {
            true => match text.rsplit_once(':') {
                Some((urn, rest)) if urn.contains(':') => (Some(urn.to_owned()), rest),
                _ => return Err(format!("`{text}` names a schema and no attribute of it")),
            },
            false => (None, text),
        };
        let (before, sub) = match rest.rsplit_once('.') {
            // A dot in the filter is none of the path.
            Some((before, sub)) if !sub.contains(']') => (before, Some(sub.to_owned())),
            _ => (rest, None),
        };
        let (attribute, of_type) = match before.split_once('[') {
            None => (before, None),
            Some((attribute, filter)) => (attribute, Some(filtered(filter).ok_or_else(|| wrong_filter(text))?)),
        };
        let is_name = |name: &str| {
            name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$')
                && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '$' | '-' | '_'))
        };
        if !is_name(attribute) || !sub.as_deref().is_none_or(is_name) {
            return Err(format!("`{text}` is not the path of an attribute, such as name.givenName"));
        }
        if of_type.is_some() && sub.is_none() {
            return Err(format!("`{text}` names a whole value; add what of it is meant, such as .value"));
        }
        if urn.is_none() && NOT_MAPPED.iter().any(|name| name.eq_ignore_ascii_case(attribute)) {
            return Err(format!("{attribute} can't be mapped: the bridge or the app sets it"));
        }
        Ok(Self { urn, attribute: attribute.to_owned(), of_type, sub })
    }

    /// The member of a document that holds it.
    pub fn root(&self) -> &str {
        self.urn.as_deref().unwrap_or(&self.attribute)
    }

    /// Whether texts there are compared without case (RFC 7643 section 4.1.1; an address's host has none either).
    pub fn ignores_case(&self) -> bool {
        self.urn.is_none() && matches!(self.attribute.as_str(), "userName" | "emails")
    }

    /// What stands there.
    pub fn get<'d>(&self, document: &'d Map<String, Value>) -> Option<&'d Value> {
        let holder = match &self.urn {
            None => document,
            Some(urn) => member(document, urn)?.as_object()?,
        };
        let whole = member(holder, &self.attribute)?;
        let one = match &self.of_type {
            None => whole,
            Some(wanted) => whole.as_array()?.iter().find(|one| is_of_type(one, wanted))?,
        };
        let found = match &self.sub {
            None => one,
            Some(sub) => member(one.as_object()?, sub)?,
        };
        // RFC 7643 section 2.5: all of these are no value.
        let nothing = found.is_null() || found.as_array().is_some_and(Vec::is_empty) || found.as_str() == Some("");
        (!nothing).then_some(found)
    }

    /// Whether the value of the type is there at all, with or without what is meant of it.
    pub fn has_holder(&self, document: &Map<String, Value>) -> bool {
        match &self.of_type {
            None => true,
            Some(_) => Self { sub: None, ..self.clone() }.get(document).is_some(),
        }
    }

    /// Puts a value there, or takes it away. What stands beside it stays.
    pub fn set(&self, document: &mut Map<String, Value>, value: Option<Value>) {
        let Some(urn) = &self.urn else { return self.set_in(document, value) };
        let name = name_of(document, urn);
        let mut holder = match document.shift_remove(&name) {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        };
        self.set_in(&mut holder, value);
        if !holder.is_empty() {
            document.insert(name, Value::Object(holder));
        }
    }

    fn set_in(&self, holder: &mut Map<String, Value>, value: Option<Value>) {
        let name = name_of(holder, &self.attribute);
        match (&self.of_type, &self.sub) {
            (None, None) => put(holder, &name, value),
            (None, Some(sub)) => {
                let mut whole = match holder.shift_remove(&name) {
                    Some(Value::Object(members)) => members,
                    _ => Map::new(),
                };
                let sub = name_of(&whole, sub);
                put(&mut whole, &sub, value);
                put(holder, &name, (!whole.is_empty()).then_some(Value::Object(whole)));
            }
            (Some(of_type), sub) => {
                let mut all = match holder.shift_remove(&name) {
                    Some(Value::Array(all)) => all,
                    _ => Vec::new(),
                };
                let sub = sub.as_deref().unwrap_or("value");
                match (all.iter().position(|one| is_of_type(one, of_type)), value) {
                    (Some(at), Some(value)) => {
                        if let Some(Value::Object(one)) = all.get_mut(at) {
                            let sub = name_of(one, sub);
                            put(one, &sub, Some(value));
                        }
                    }
                    // Nobody wants an address without the address.
                    (Some(at), None) if sub == "value" => drop(all.remove(at)),
                    (Some(at), None) => {
                        if let Some(Value::Object(one)) = all.get_mut(at) {
                            let sub = name_of(one, sub);
                            put(one, &sub, None);
                        }
                    }
                    (None, Some(value)) => all.push(json!({ "type": of_type, sub: value })),
                    (None, None) => {}
                }
                put(holder, &name, (!all.is_empty()).then_some(Value::Array(all)));
            }
        }
    }
}

impl fmt::Display for AttributePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(urn) = &self.urn {
            write!(f, "{urn}:")?;
        }
        f.write_str(&self.attribute)?;
        if let Some(of_type) = &self.of_type {
            write!(f, "[type eq {}]", json!(of_type))?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

/// `type eq "work"]`, and nothing cleverer.
fn filtered(filter: &str) -> Option<String> {
    let inner = filter.strip_suffix(']')?.trim();
    let mut words = inner.splitn(3, ' ').map(str::trim);
    let (name, operator, value) = (words.next()?, words.next()?, words.next()?);
    let value = value.strip_prefix('"')?.strip_suffix('"')?;
    let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    (name == "type" && operator.eq_ignore_ascii_case("eq") && plain).then(|| value.to_owned())
}

fn wrong_filter(text: &str) -> String {
    format!("`{text}`: the brackets hold a type, such as emails[type eq \"work\"].value")
}

fn is_of_type(one: &Value, wanted: &str) -> bool {
    let found = one.as_object().and_then(|one| member(one, "type")).and_then(Value::as_str);
    found.is_some_and(|found| found.eq_ignore_ascii_case(wanted))
}

/// A member by its name in any case (RFC 7643 section 2.1).
pub(crate) fn member<'d>(object: &'d Map<String, Value>, name: &str) -> Option<&'d Value> {
    object.get(name).or_else(|| object.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

fn name_of(object: &Map<String, Value>, name: &str) -> String {
    object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned().unwrap_or_else(|| name.to_owned())
}

fn put(object: &mut Map<String, Value>, name: &str, value: Option<Value>) {
    match value {
        Some(value) => drop(object.insert(name.to_owned(), value)),
        None => drop(object.shift_remove(name)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn paths_are_written_as_they_are_read() {
        for text in [
            "userName",
            "name.givenName",
            "emails[type eq \"work\"].value",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
        ] {
            assert_eq!(AttributePath::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            ".",
            "a b",
            "id",
            "Active",
            "groups",
            "emails[value eq \"a\"].value",
            "emails[type eq \"work\"]",
            "emails[type eq \"a\" or type eq \"b\"].value",
            "urn:x",
            "name.",
            "emails[type eq \"a\\\"b\"].value",
        ] {
            assert!(AttributePath::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_stands_beside_a_value_stays() {
        let mut user = json!({ "Name": { "givenName": "Ada", "familyName": "L" }, "emails": [
            { "type": "home", "value": "h" }, { "type": "Work", "value": "w", "primary": true }] });
        let user = user.as_object_mut().unwrap();
        AttributePath::parse("name.givenName").unwrap().set(user, Some(json!("Bea")));
        AttributePath::parse("emails[type eq \"work\"].value").unwrap().set(user, Some(json!("x")));
        AttributePath::parse("emails[type eq \"other\"].value").unwrap().set(user, Some(json!("o")));
        AttributePath::parse("emails[type eq \"home\"].value").unwrap().set(user, None);
        AttributePath::parse("urn:x:y:badge").unwrap().set(user, Some(json!(7)));
        let want = json!({ "Name": { "familyName": "L", "givenName": "Bea" }, "emails": [
            { "type": "Work", "value": "x", "primary": true }, { "type": "other", "value": "o" }],
            "urn:x:y": { "badge": 7 } });
        assert_eq!(Value::Object(user.clone()), want);
        AttributePath::parse("urn:x:y:badge").unwrap().set(user, None);
        assert!(!user.contains_key("urn:x:y"));
    }
}
