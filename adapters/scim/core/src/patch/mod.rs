//! PATCH (RFC 7644 section 3.5.2): operations are read whole, then done in order on a copy; one that can't be done
//! leaves nothing of the others.

mod apply;
mod changes;
mod elements;
mod members;
mod operation;

use serde_json::{Map, Value};

pub use changes::{Change, between as changes};
pub use operation::{Operation, PatchPath, Verb};

use crate::error::Fault;
use crate::filter::Filter;
use crate::profiles::Profile;
use crate::resource::{Resource, Rules};
use crate::schema::{ResourceKind, Schemas};

pub const PATCH_URN: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// Operations of one request.
pub const OPERATIONS: usize = 1_000;

/// A request that was read and not yet done.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch<'s> {
    pub operations: Vec<Operation<'s>>,
}

/// What a patch comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Patched<'s> {
    pub resource: Resource,
    /// Never stored, logged or given back.
    pub password: Option<String>,
    /// Of a group, in order.
    pub members: Vec<MemberChange<'s>>,
    /// What is different, for the audit and for events.
    pub changes: Vec<Change>,
    /// Names that were left out of objects, because nobody knows them here.
    pub ignored: Vec<String>,
}

/// What becomes of a group's members, by their ids as they came. They are not looked at to find it out.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberChange<'s> {
    Add(Vec<String>),
    /// Those who are no members stay none: that is no mistake.
    Remove(Vec<String>),
    RemoveWhere(Filter<'s>),
    Replace(Vec<String>),
    Clear,
}

impl<'s> Patch<'s> {
    /// # Errors
    /// `invalidSyntax`, `invalidPath`, `invalidFilter` or `invalidValue`, with the operation's number.
    pub fn read(kind: ResourceKind, body: Value, schemas: &'s Schemas) -> Result<Self, Fault> {
        let Value::Object(members) = body else { return Err(Fault::syntax("the body has to be an object")) };
        let mut operations = None;
        for (name, value) in members {
            if name.eq_ignore_ascii_case("schemas") {
                let named = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(PATCH_URN));
                if !value.as_array().is_some_and(|urns| urns.iter().any(named)) {
                    return Err(Fault::value(format!("schemas does not name {PATCH_URN}")));
                }
            } else if name.eq_ignore_ascii_case("Operations") {
                operations = Some(value);
            }
        }
        let Some(Value::Array(operations)) = operations else {
            return Err(Fault::syntax("Operations has to be a list of operations"));
        };
        if operations.is_empty() || operations.len() > OPERATIONS {
            return Err(Fault::syntax(format!("a patch has from 1 to {OPERATIONS} operations")));
        }
        let read = operations.into_iter().enumerate().map(|(at, one)| {
            Operation::read(kind, one, schemas).map_err(|fault| fault.within(format_args!("operation {}", at + 1)))
        });
        Ok(Self { operations: read.collect::<Result<_, _>>()? })
    }

    /// Whether what it comes to does not hang on what the resource is now: members of a group alone.
    pub fn is_of_members_alone(&self) -> bool {
        self.operations.iter().all(Operation::is_of_members)
    }

    /// # Errors
    /// `noTarget`, `mutability` or `invalidValue`, with the operation's number. Then nothing was changed.
    pub fn apply(
        self,
        before: &Resource,
        schemas: &'s Schemas,
        profile: &Profile,
        rules: Rules,
    ) -> Result<Patched<'s>, Fault> {
        let mut work = apply::Work {
            schemas,
            kind: before.kind,
            profile,
            rules,
            document: before.document.clone(),
            password: None,
            members: Vec::new(),
            ignored: Vec::new(),
        };
        for (at, operation) in self.operations.into_iter().enumerate() {
            work.operation(operation).map_err(|fault| fault.within(format_args!("operation {}", at + 1)))?;
        }
        let apply::Work { document, password, members, ignored, .. } = work;
        let resource = Resource { kind: before.kind, document };
        resource.check(schemas)?;
        let changes = changes::between(&before.document, &resource.document, password.is_some());
        Ok(Patched { resource, password, members, changes, ignored })
    }
}

impl Patched<'_> {
    /// Whether the document stays as it is. What the members come to only whoever has them can say.
    pub fn leaves_document(&self) -> bool {
        self.changes.is_empty()
    }
}

/// Takes a member out of an object by its name in any case.
fn take(members: &mut Map<String, Value>, wanted: &str) -> Option<Value> {
    let name = members.keys().find(|name| name.eq_ignore_ascii_case(wanted))?.clone();
    members.shift_remove(&name)
}
