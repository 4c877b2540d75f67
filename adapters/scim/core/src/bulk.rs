//! Many operations in one request (RFC 7644 section 3.7). Whoever serves carries the steps out in the order of [`Bulk::steps`].

use std::collections::{BTreeSet, HashMap, HashSet};

use serde_json::{Map, Value, json};

use crate::error::{Fault, quoted};
use crate::schema::ResourceKind;

pub const REQUEST_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
pub const RESPONSE_URN: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// How a value names what another operation of the request makes.
const REFERENCE: &str = "bulkId:";

#[derive(Debug, Clone, PartialEq)]
pub struct Bulk {
    /// After so many errors nothing more is done. `None`: all is tried.
    pub fail_on_errors: Option<u64>,
    pub operations: Vec<BulkOperation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BulkMethod {
    Post,
    Put,
    Patch,
    Delete,
}

#[derive(Debug, Clone, PartialEq)]
pub struct BulkOperation {
    pub method: BulkMethod,
    pub bulk_id: Option<String>,
    pub kind: ResourceKind,
    /// Of what is there already, or `bulkId:` with the name of what is made.
    pub id: Option<String>,
    /// As an If-Match.
    pub version: Option<String>,
    pub data: Value,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// The operation at this place.
    Do(usize),
    /// The group of the operation at this place, without the members that name what is not there yet: they name it in
    /// turn. They are added once they are made.
    MakeWithout(usize, Vec<String>),
    /// The members that were left out.
    AddMembers(usize, Vec<String>),
    /// The operation at this place names what no operation makes, or names itself in a way that can't be untied.
    Fail(usize),
}

impl Bulk {
    /// # Errors
    /// `invalidSyntax` or `invalidValue`; 413 for too many operations.
    pub fn read(body: Value, most: usize) -> Result<Self, Fault> {
        let Value::Object(members) = body else { return Err(Fault::syntax("the body has to be an object")) };
        let (mut fail_on_errors, mut operations) = (None, None);
        for (name, value) in members {
            match name.to_ascii_lowercase().as_str() {
                "failonerrors" if !value.is_null() => {
                    let wrong = || Fault::value("failOnErrors has to be a whole number, 1 or more");
                    fail_on_errors = Some(value.as_u64().filter(|most| *most > 0).ok_or_else(wrong)?);
                }
                "operations" => operations = Some(value),
                _ => {}
            }
        }
        let Some(Value::Array(operations)) = operations else {
            return Err(Fault::syntax("Operations has to be a list of operations"));
        };
        if operations.len() > most {
            return Err(Fault::plain(413, format!("{most} operations can be done at once at most")));
        }
        let read = operations.into_iter().enumerate().map(|(at, one)| {
            BulkOperation::read(one).map_err(|fault| fault.within(format_args!("operation {}", at + 1)))
        });
        let operations = read.collect::<Result<Vec<_>, _>>()?;
        let mut seen = HashSet::new();
        for name in operations.iter().filter_map(|one| one.bulk_id.as_deref()) {
            if !seen.insert(name) {
                return Err(Fault::value(format!("the bulkId {} comes twice", quoted(name))));
            }
        }
        Ok(Self { fail_on_errors, operations })
    }

    /// In which order it can be done: as it came, but what is named is made before who names it. Groups that name
    /// each other are made first, and become members then (RFC 7644 section 3.7.1).
    pub fn steps(&self) -> Vec<Step> {
        let mut order = Order::of(&self.operations);
        let (mut steps, mut later) = (Vec::new(), Vec::new());
        while let Some(step) = order.next() {
            if let Step::MakeWithout(at, names) = &step {
                later.push(Step::AddMembers(*at, names.clone()));
            }
            steps.push(step);
        }
        steps.extend(later);
        steps
    }
}

/// Operations by their place, those that wait for others apart from those that do not.
struct Order<'b> {
    operations: &'b [BulkOperation],
    ready: BTreeSet<usize>,
    waiting: BTreeSet<usize>,
    /// Groups that can be made without some of their members, of those that wait.
    untied: BTreeSet<usize>,
    /// Names that each one still waits for.
    missing: Vec<HashSet<String>>,
    by_name: HashMap<String, Vec<usize>>,
}

impl<'b> Order<'b> {
    fn of(operations: &'b [BulkOperation]) -> Self {
        let makers: HashSet<&str> = operations.iter().filter_map(BulkOperation::makes).collect();
        let missing: Vec<HashSet<String>> = operations.iter().map(BulkOperation::names).collect();
        let (mut by_name, mut untied): (HashMap<String, Vec<usize>>, _) = (HashMap::new(), BTreeSet::new());
        for (at, (operation, names)) in operations.iter().zip(&missing).enumerate() {
            names.iter().for_each(|name| by_name.entry(name.clone()).or_default().push(at));
            if names.iter().all(|name| makers.contains(name.as_str())) && operation.makes_group_of(names) {
                untied.insert(at);
            }
        }
        let (ready, waiting) = (0..operations.len()).partition(|at| missing.get(*at).is_none_or(HashSet::is_empty));
        Self { operations, ready, waiting, untied, missing, by_name }
    }

    fn next(&mut self) -> Option<Step> {
        if let Some(at) = self.ready.pop_first() {
            self.made(at);
            return Some(Step::Do(at));
        }
        // Nobody can go first as they are: a group without some of its members can, or the first one fails.
        let untied = self.untied.iter().find(|at| self.waiting.contains(*at)).copied();
        match untied.or_else(|| self.waiting.first().copied()) {
            Some(at) if untied.is_some() => {
                self.made(at);
                let names = self.operations.get(at).map(BulkOperation::names).unwrap_or_default();
                let mut names: Vec<_> = names.into_iter().collect();
                names.sort();
                Some(Step::MakeWithout(at, names))
            }
            Some(at) => {
                self.waiting.remove(&at);
                Some(Step::Fail(at))
            }
            None => None,
        }
    }

    fn made(&mut self, at: usize) {
        self.waiting.remove(&at);
        self.untied.remove(&at);
        let Some(name) = self.operations.get(at).and_then(BulkOperation::makes) else { return };
        for waits in self.by_name.remove(name).unwrap_or_default() {
            let Some(missing) = self.missing.get_mut(waits) else { continue };
            missing.remove(name);
            if missing.is_empty() && self.waiting.remove(&waits) {
                self.untied.remove(&waits);
                self.ready.insert(waits);
            }
        }
    }
}

impl BulkOperation {
    fn read(operation: Value) -> Result<Self, Fault> {
        let Value::Object(members) = operation else { return Err(Fault::syntax("it has to be an object")) };
        let (mut method, mut bulk_id, mut path, mut version, mut data) = (None, None, None, None, Value::Null);
        for (name, value) in members {
            let text = value.as_str().map(str::to_owned);
            match name.to_ascii_lowercase().as_str() {
                "method" => method = text,
                "bulkid" => bulk_id = text.filter(|name| !name.is_empty()),
                "path" => path = text,
                "version" => version = text,
                "data" => data = value,
                _ => {}
            }
        }
        let method = match method.as_deref().map(str::to_ascii_uppercase).as_deref() {
            Some("POST") => BulkMethod::Post,
            Some("PUT") => BulkMethod::Put,
            Some("PATCH") => BulkMethod::Patch,
            Some("DELETE") => BulkMethod::Delete,
            _ => return Err(Fault::syntax("method is POST, PUT, PATCH or DELETE")),
        };
        let path = path.ok_or_else(|| Fault::syntax("path is missing"))?;
        let (kind, id) = target(&path).ok_or_else(|| Fault::path(format!("nothing stands at {}", quoted(&path))))?;
        match (method, &id, &bulk_id, data.is_null()) {
            (BulkMethod::Post, Some(_), ..) => return Err(Fault::path("a POST makes something: its path has no id")),
            (BulkMethod::Post, None, None, _) => return Err(Fault::syntax("a POST needs a bulkId")),
            (BulkMethod::Put | BulkMethod::Patch | BulkMethod::Delete, None, ..) => {
                return Err(Fault::path("the path needs the id of a resource"));
            }
            (BulkMethod::Post | BulkMethod::Put | BulkMethod::Patch, .., true) => {
                return Err(Fault::syntax("data is missing"));
            }
            _ => {}
        }
        Ok(Self { method, bulk_id, kind, id, version, data })
    }

    /// The name of what it makes.
    fn makes(&self) -> Option<&str> {
        self.bulk_id.as_deref().filter(|_| self.method == BulkMethod::Post)
    }

    /// What it names of other operations, and of itself.
    fn names(&self) -> HashSet<String> {
        let mut names = HashSet::new();
        gather(&self.data, &mut names);
        names.extend(self.id.as_deref().and_then(|id| id.strip_prefix(REFERENCE)).map(str::to_owned));
        names
    }

    /// Whether it makes a group, and names these as members and in no other way.
    fn makes_group_of(&self, names: &HashSet<String>) -> bool {
        if self.kind != ResourceKind::Group || self.method != BulkMethod::Post {
            return false;
        }
        let mut elsewhere = HashSet::new();
        let others =
            self.data.as_object().into_iter().flatten().filter(|(name, _)| !name.eq_ignore_ascii_case("members"));
        others.for_each(|(_, value)| gather(value, &mut elsewhere));
        elsewhere.is_disjoint(names)
    }

    /// The data with ids in the place of names. Members that name one of `without` are left out.
    ///
    /// # Errors
    /// A name that stands for nothing.
    pub fn resolved(&self, made: &HashMap<String, String>, without: &[String]) -> Result<Value, Fault> {
        let mut data = self.data.clone();
        if !without.is_empty()
            && let Some(members) = data.as_object_mut()
        {
            let name = members.keys().find(|name| name.eq_ignore_ascii_case("members")).cloned();
            if let Some(Value::Array(values)) = name.and_then(|name| members.get_mut(&name)) {
                let left_out = |value: &Value| {
                    let mut names = HashSet::new();
                    gather(value, &mut names);
                    names.iter().any(|name| without.contains(name))
                };
                values.retain(|value| !left_out(value));
            }
        }
        replace(&mut data, made)?;
        Ok(data)
    }

    /// The id that its path means.
    ///
    /// # Errors
    /// A name that stands for nothing.
    pub fn resolved_id(&self, made: &HashMap<String, String>) -> Result<Option<String>, Fault> {
        match self.id.as_deref() {
            None => Ok(None),
            Some(id) => match id.strip_prefix(REFERENCE) {
                None => Ok(Some(id.to_owned())),
                Some(name) => made.get(name).cloned().map(Some).ok_or_else(|| unmade(name)),
            },
        }
    }
}

/// `/Users`, `/Groups/…`.
fn target(path: &str) -> Option<(ResourceKind, Option<String>)> {
    let path = path.strip_prefix('/').unwrap_or(path);
    let (endpoint, id) = match path.split_once('/') {
        Some((endpoint, id)) => (endpoint, Some(id)),
        None => (path, None),
    };
    let kind = ResourceKind::ALL.into_iter().find(|kind| kind.endpoint() == endpoint)?;
    match id {
        Some(id) if id.is_empty() || id.contains(['/', '?', '#']) => None,
        id => Some((kind, id.map(str::to_owned))),
    }
}

fn gather(value: &Value, names: &mut HashSet<String>) {
    match value {
        Value::String(text) => names.extend(text.strip_prefix(REFERENCE).map(str::to_owned)),
        Value::Array(values) => values.iter().for_each(|value| gather(value, names)),
        Value::Object(members) => members.values().for_each(|value| gather(value, names)),
        _ => {}
    }
}

fn replace(value: &mut Value, made: &HashMap<String, String>) -> Result<(), Fault> {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix(REFERENCE) {
                let id = made.get(name).ok_or_else(|| unmade(name))?;
                *text = id.clone();
            }
            Ok(())
        }
        Value::Array(values) => values.iter_mut().try_for_each(|value| replace(value, made)),
        Value::Object(members) => members.values_mut().try_for_each(|value| replace(value, made)),
        _ => Ok(()),
    }
}

fn unmade(name: &str) -> Fault {
    Fault::value(format!("no operation has made what the bulkId {} stands for", quoted(name)))
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    pub status: u16,
    pub location: Option<String>,
    pub version: Option<String>,
    /// Of what failed.
    pub fault: Option<Fault>,
}

/// A BulkResponse; operations that were not tried are not in it.
pub fn response(outcomes: &[(&BulkOperation, Outcome)]) -> Value {
    let each = outcomes.iter().map(|(operation, outcome)| {
        let mut one = Map::new();
        let mut say = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                one.insert(name.to_owned(), value);
            }
        };
        let method = match operation.method {
            BulkMethod::Post => "POST",
            BulkMethod::Put => "PUT",
            BulkMethod::Patch => "PATCH",
            BulkMethod::Delete => "DELETE",
        };
        say("method", Some(method.into()));
        say("bulkId", operation.bulk_id.clone().map(Value::String));
        say("version", outcome.version.clone().map(Value::String));
        say("location", outcome.location.clone().map(Value::String));
        say("status", Some(outcome.status.to_string().into()));
        say("response", outcome.fault.as_ref().map(Fault::to_json));
        Value::Object(one)
    });
    json!({ "schemas": [RESPONSE_URN], "Operations": each.collect::<Vec<_>>() })
}
