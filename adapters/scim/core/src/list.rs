//! Lists: what a query asks for (RFC 7644 section 3.4.2, RFC 9865), and the form of the answer.

use serde_json::{Map, Value, json};

use crate::error::{Fault, ScimType, quoted};

pub const SEARCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";
pub const LIST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// What is asked for. Nothing is sorted, which RFC 7644 section 3.4.2.3 leaves to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    pub filter: Option<String>,
    pub paging: Paging,
    /// `None`: as many as the server likes.
    pub count: Option<u64>,
    pub attributes: Option<Vec<String>>,
    pub excluded: Option<Vec<String>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Paging {
    /// From the first one, which has the number 1, or another.
    Index(u64),
    /// RFC 9865: from the beginning, or where a page said that it goes on.
    Cursor(Option<String>),
}

impl Default for Paging {
    fn default() -> Self {
        Self::Index(1)
    }
}

impl Query {
    /// From the parameters of a GET. Those that nobody knows are left alone.
    ///
    /// # Errors
    /// `invalidValue`, or `invalidCount`.
    pub fn from_params<'p>(params: impl IntoIterator<Item = (&'p str, &'p str)>) -> Result<Self, Fault> {
        let mut query = Self::default();
        let (mut start, mut cursor) = (None, None);
        for (name, value) in params {
            match name.to_ascii_lowercase().as_str() {
                "filter" if value.trim().is_empty() => {}
                "filter" => query.filter = Some(value.to_owned()),
                "startindex" => start = Some(number(value, "startIndex")?),
                "count" => query.count = Some(number(value, "count")?),
                "cursor" => cursor = Some(value.to_owned()),
                "attributes" => query.attributes = names(value),
                "excludedattributes" => query.excluded = names(value),
                _ => {}
            }
        }
        query.paged(start, cursor)
    }

    /// From the body of a POST to `.search` (RFC 7644 section 3.4.3).
    ///
    /// # Errors
    /// As [`Query::from_params`]; `invalidSyntax` where it is no SearchRequest.
    pub fn from_body(body: Value) -> Result<Self, Fault> {
        let Value::Object(members) = body else { return Err(Fault::syntax("the body has to be an object")) };
        let mut query = Self::default();
        let (mut start, mut cursor) = (None, None);
        for (name, value) in members {
            if value.is_null() {
                continue;
            }
            match name.to_ascii_lowercase().as_str() {
                "schemas" => {
                    let named = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(SEARCH_URN));
                    if !value.as_array().is_some_and(|urns| urns.iter().any(named)) {
                        return Err(Fault::value(format!("schemas does not name {SEARCH_URN}")));
                    }
                }
                "filter" => query.filter = Some(text(&value, "filter")?).filter(|filter| !filter.trim().is_empty()),
                "startindex" => start = Some(integer(&value, "startIndex")?),
                "count" => query.count = Some(integer(&value, "count")?),
                "cursor" => cursor = Some(text(&value, "cursor")?),
                "attributes" => query.attributes = list(&value, "attributes")?,
                "excludedattributes" => query.excluded = list(&value, "excludedAttributes")?,
                _ => {}
            }
        }
        query.paged(start, cursor)
    }

    fn paged(mut self, start: Option<u64>, cursor: Option<String>) -> Result<Self, Fault> {
        self.paging = match (start, cursor) {
            (Some(_), Some(_)) => return Err(Fault::value("startIndex and cursor exclude each other")),
            (None, Some(cursor)) => Paging::Cursor(Some(cursor).filter(|cursor| !cursor.is_empty())),
            (start, None) => Paging::Index(start.unwrap_or(1).max(1)),
        };
        if self.attributes.is_some() && self.excluded.is_some() {
            return Err(Fault::value("attributes and excludedAttributes exclude each other"));
        }
        Ok(self)
    }
}

/// What is less than nothing is nothing (RFC 7644 section 3.4.2.4).
fn number(text: &str, name: &str) -> Result<u64, Fault> {
    let number = text.trim().parse::<i64>().map_err(|_| wrong_number(name, text))?;
    Ok(number.max(0).unsigned_abs())
}

fn integer(value: &Value, name: &str) -> Result<u64, Fault> {
    let number = value.as_i64().ok_or_else(|| wrong_number(name, &value.to_string()))?;
    Ok(number.max(0).unsigned_abs())
}

fn wrong_number(name: &str, text: &str) -> Fault {
    let word = if name == "count" { ScimType::InvalidCount } else { ScimType::InvalidValue };
    Fault::new(word, format!("{name} has to be a whole number, and not {}", quoted(text)))
}

fn text(value: &Value, name: &str) -> Result<String, Fault> {
    value.as_str().map(str::to_owned).ok_or_else(|| Fault::value(format!("{name} has to be a text")))
}

fn names(text: &str) -> Option<Vec<String>> {
    let names: Vec<_> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    (!names.is_empty()).then_some(names)
}

fn list(value: &Value, name: &str) -> Result<Option<Vec<String>>, Fault> {
    match value {
        Value::String(text) => Ok(names(text)),
        Value::Array(all) => {
            let all: Option<Vec<_>> = all.iter().map(|one| one.as_str().map(str::to_owned)).collect();
            let all = all.ok_or_else(|| Fault::value(format!("{name} has to be a list of texts")))?;
            Ok((!all.is_empty()).then_some(all))
        }
        _ => Err(Fault::value(format!("{name} has to be a list of texts"))),
    }
}

/// Where a page is in the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    Index(u64),
    Cursors { next: Option<String>, previous: Option<String> },
}

/// A ListResponse. No results are an empty list, and no error.
pub fn response(total: Option<u64>, resources: Vec<Value>, standing: &Standing) -> Value {
    let mut answer = Map::new();
    answer.insert("schemas".to_owned(), json!([LIST_URN]));
    if let Some(total) = total {
        answer.insert("totalResults".to_owned(), total.into());
    }
    answer.insert("itemsPerPage".to_owned(), resources.len().into());
    match standing {
        Standing::Index(start) => drop(answer.insert("startIndex".to_owned(), (*start).into())),
        Standing::Cursors { next, previous } => {
            for (name, cursor) in [("nextCursor", next), ("previousCursor", previous)] {
                if let Some(cursor) = cursor {
                    answer.insert(name.to_owned(), cursor.as_str().into());
                }
            }
        }
    }
    answer.insert("Resources".to_owned(), Value::Array(resources));
    Value::Object(answer)
}
