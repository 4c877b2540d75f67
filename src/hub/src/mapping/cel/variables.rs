//! What an expression sees: section 5 of the interface. Nothing is converted
//! before an expression asks for it.

use std::collections::HashMap;
use std::sync::OnceLock;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer};
use cel::common::types::{self, CelList, CelMap, CelMapKey, CelNull, CelString, Type};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use fedbridge_contract::claims::Claims;
use fedbridge_contract::identity::Attributes;
use serde_json::Value;

use super::meter::{Meter, Pattern};
use super::value::{from_json, from_object, from_texts};
use crate::decide::Facts;

/// Names that an expression may use.
pub const VARIABLES: &[&str] = &["attr", "subject", "connection", "client", "claims", "groups", "user", "request"];

/// Fields of `request`.
pub(super) const REQUEST_FIELDS: &[&str] = &["ip", "time", "scopes", "acr"];

/// The most values of one attribute that an expression may read. A longer list is
/// refused, and so the login: cut silently, a rule about the rest would be wrong.
pub const MAX_LIST: usize = 5000;

/// Names of the variables that the checker puts in; no expression can write them.
pub(super) const METER: &str = "@meter";
pub(super) const NAMES: &str = "@names";
pub(super) const PATTERN: &str = "@pattern";

/// The variables of one stage of one login.
pub struct Variables<'a> {
    facts: &'a Facts,
    /// What earlier stages made.
    made: &'a Claims,
    meter: Meter,
    attr: AttrMap<'a>,
    claims: OnceLock<CelMap<'a>>,
    groups: OnceLock<Box<dyn Val + 'a>>,
    user: OnceLock<CelMap<'a>>,
    request: OnceLock<CelMap<'a>>,
}

impl<'a> Variables<'a> {
    pub fn new(facts: &'a Facts, claims: &'a Claims) -> Self {
        Self {
            facts,
            made: claims,
            meter: Meter::default(),
            attr: AttrMap { attributes: &facts.attributes, refusal: OnceLock::new() },
            claims: OnceLock::new(),
            groups: OnceLock::new(),
            user: OnceLock::new(),
            request: OnceLock::new(),
        }
    }

    /// What the expressions have spent so far.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Why no expression of this login may have a result any more.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.attr.refusal.get().map(String::as_str).or_else(|| self.meter.refusal())
    }

    pub(super) fn scope<'s>(&'s self, patterns: &'s [Pattern]) -> Scope<'s, 'a> {
        Scope { variables: self, patterns }
    }

    fn groups(&self) -> &(dyn Val + 'a) {
        self.groups
            .get_or_init(|| match self.made.get("groups") {
                Some(groups @ Value::Array(_)) => from_json(groups),
                _ => Box::new(CelList::from(Vec::new())),
            })
            .as_ref()
    }

    fn user(&self) -> &CelMap<'a> {
        self.user.get_or_init(|| match &self.facts.user {
            Some(Value::Object(fields)) => from_object(fields),
            _ => CelMap::from(HashMap::new()),
        })
    }

    fn request(&self) -> &CelMap<'a> {
        self.request.get_or_init(|| {
            let request = &self.facts.request;
            let mut fields: HashMap<CelMapKey<'a>, Box<dyn Val + 'a>> = HashMap::with_capacity(4);
            fields.insert("ip".into(), optional(request.ip.as_deref()));
            fields.insert("time".into(), Box::new(CelString::from(request.time.rfc3339_seconds())));
            fields.insert("scopes".into(), Box::new(from_texts(&request.scopes)));
            fields.insert("acr".into(), optional(request.acr.as_deref()));
            CelMap::from(fields)
        })
    }

    fn names(&self) -> CelList<'a> {
        let names = self.facts.attributes.names();
        CelList::from(names.map(|name| Box::new(CelString::from(name)) as Box<dyn Val + 'a>).collect::<Vec<_>>())
    }
}

fn optional<'a>(text: Option<&'a str>) -> Box<dyn Val + 'a> {
    match text {
        Some(text) => Box::new(CelString::from(text)),
        None => Box::new(CelNull),
    }
}

/// The variables together with the patterns of one program.
pub(super) struct Scope<'s, 'a> {
    variables: &'s Variables<'a>,
    patterns: &'s [Pattern],
}

impl VariableResolver for Scope<'_, '_> {
    fn resolve<'b>(&'b self, name: &str) -> Option<CowVal<'b, 'b>> {
        let variables = self.variables;
        let facts = variables.facts;
        Some(match name {
            METER => CowVal::Borrowed(&variables.meter),
            "attr" => CowVal::Borrowed(&variables.attr),
            NAMES => CowVal::owned(variables.names()),
            "subject" => CowVal::owned(CelString::from(facts.subject.display.as_str())),
            "connection" => CowVal::owned(CelString::from(facts.connection.slug.as_str())),
            "client" => CowVal::Owned(optional(facts.client.as_ref().map(|client| client.name.as_str()))),
            "claims" => CowVal::Borrowed(variables.claims.get_or_init(|| from_object(&variables.made.0))),
            "groups" => CowVal::Borrowed(variables.groups()),
            "user" => CowVal::Borrowed(variables.user()),
            "request" => CowVal::Borrowed(variables.request()),
            _ => {
                let at: usize = name.strip_prefix(PATTERN)?.parse().ok()?;
                CowVal::Borrowed(self.patterns.get(at)?)
            }
        })
    }
}

/// Attributes as a map of lists that answers `[]` for a missing name. `in` tells presence.
#[derive(Debug, Clone)]
struct AttrMap<'a> {
    attributes: &'a Attributes,
    /// Set once a list was too long, so that no `||` hides it.
    refusal: OnceLock<String>,
}

impl Val for AttrMap<'_> {
    fn get_type(&self) -> &Type {
        &types::DYN_TYPE
    }

    fn cel_type() -> &'static Type {
        &types::DYN_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(self.clone())
    }
}

impl Container for AttrMap<'_> {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        Ok(self.attributes.contains(text(name)?))
    }
}

impl Indexer for AttrMap<'_> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = text(name)?;
        let values = self.attributes.get(name);
        if values.len() > MAX_LIST {
            return Err(self.too_long(name, values.len()));
        }
        Ok(CowVal::owned(from_texts(values)))
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(name).map(CowVal::into_owned)
    }
}

fn text(name: &dyn Val) -> Result<&str, ExecutionError> {
    name.downcast_ref::<CelString>()
        .map(CelString::inner)
        .ok_or_else(|| ExecutionError::function_error("attr", "is asked by a name, which is a text"))
}

impl AttrMap<'_> {
    fn too_long(&self, name: &str, count: usize) -> ExecutionError {
        let message = || format!("the attribute `{name}` has {count} values; an expression reads {MAX_LIST} at most");
        ExecutionError::function_error("attr", self.refusal.get_or_init(message))
    }
}
