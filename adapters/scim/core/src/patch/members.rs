//! What an operation asks of a group's members.

use serde_json::Value;

use super::MemberChange;
use super::operation::Verb;
use crate::error::{Fault, ScimType};
use crate::filter::Filter;
use crate::path::Target;
use crate::resource::member_ids;
use crate::value::{Reader, UnknownAttributes};

pub(super) fn put<'s>(verb: Verb, target: &Target<'s>, chosen: bool, value: Value) -> Result<MemberChange<'s>, Fault> {
    if chosen || target.sub.is_some() {
        let detail = "members are added and removed, and never changed";
        return Err(Fault::new(ScimType::Mutability, detail));
    }
    let ids = ids(target, value)?;
    Ok(match verb {
        Verb::Replace if ids.is_empty() => MemberChange::Clear,
        Verb::Replace => MemberChange::Replace(ids),
        Verb::Add | Verb::Remove => MemberChange::Add(ids),
    })
}

/// In each of the shapes in which products ask for it.
pub(super) fn remove<'s>(
    target: &Target<'s>,
    filter: Option<Filter<'s>>,
    value: Option<Value>,
) -> Result<MemberChange<'s>, Fault> {
    if target.sub.is_some() {
        return Err(Fault::new(ScimType::Mutability, "members are removed as they are, and not parts of them"));
    }
    match (filter, value) {
        (Some(filter), _) => match (&filter, filter.equal_to("value")) {
            (Filter::Compare { .. }, Some(id)) => Ok(MemberChange::Remove(vec![id])),
            _ => Ok(MemberChange::RemoveWhere(filter)),
        },
        (None, Some(value)) => Ok(MemberChange::Remove(ids(target, value)?)),
        (None, None) => Ok(MemberChange::Clear),
    }
}

fn ids(target: &Target<'_>, value: Value) -> Result<Vec<String>, Fault> {
    let mut ignored = Vec::new();
    let mut reader = Reader { unknown: UnknownAttributes::Ignore, ignored: &mut ignored };
    member_ids(&mut reader, target.attribute, value)
}
