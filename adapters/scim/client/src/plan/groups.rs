//! What is to be done about groups and who is in them.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use uuid::Uuid;

use super::{Drift, GroupAct, GroupChange, GroupStep, Linked};
use crate::difference::Change;
use crate::path::AttributePath;
use crate::read::RemoteResource;
use crate::settings::Adopt;

/// A group of the tenant, as far as a run is about it.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupWish {
    pub key: Uuid,
    pub name: String,
    /// The app is to have it.
    pub wanted: bool,
    pub link: Option<Linked>,
    pub members: Members,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Members {
    /// These and no other people of ours.
    All(Vec<Uuid>),
    /// Where the others are as they were.
    Change { add: Vec<Uuid>, remove: Vec<Uuid> },
}

/// The steps. `people` says what the app calls people, as far as it has them; `there` are its groups, or those that these
/// could be.
pub fn groups(
    wishes: &[GroupWish],
    there: &[RemoteResource],
    people: &HashMap<Uuid, String>,
    taken: &HashMap<String, Uuid>,
    adopt: Adopt,
) -> Vec<GroupStep> {
    let ours: HashMap<&str, Uuid> = people.iter().map(|(key, remote)| (remote.as_str(), *key)).collect();
    let mut named: HashSet<String> = HashSet::new();
    let mut steps = Vec::with_capacity(wishes.len());
    for wish in wishes {
        let doubled = wish.wanted && !named.insert(wish.name.to_lowercase());
        let (act, why, drift) = match (wish.wanted, doubled) {
            (_, true) => (GroupAct::Refuse, "another group has the same name".to_owned(), None),
            (true, false) => wanted(wish, there, people, &ours, (taken, adopt)),
            (false, false) => unwanted(wish),
        };
        steps.push(GroupStep { key: wish.key, name: wish.name.clone(), act, why, drift });
    }
    steps
}

type Found = (GroupAct, String, Option<Drift>);

fn wanted(
    wish: &GroupWish,
    there: &[RemoteResource],
    people: &HashMap<Uuid, String>,
    ours: &HashMap<&str, Uuid>,
    (taken, adopt): (&HashMap<String, Uuid>, Adopt),
) -> Found {
    // What has changed about a group that the app has is known without looking at it.
    if let (Some(link), Members::Change { add, remove }) = (&wish.link, &wish.members) {
        return change(wish, &link.remote, (false, Vec::new()), (add.clone(), remove.clone()), people);
    }
    let linked = wish.link.as_ref().and_then(|link| there.iter().find(|one| one.id == link.remote));
    let drift = (wish.link.is_some() && linked.is_none()).then_some(Drift::MissingThere);
    let found = match linked {
        Some(one) => Some(one),
        None => match matching(wish, there, taken, adopt) {
            Ok(found) => found,
            Err(why) => return (GroupAct::Refuse, why, drift),
        },
    };
    let Some(one) = found else {
        let members = match &wish.members {
            Members::All(all) => all.clone(),
            Members::Change { add, .. } => add.clone(),
        };
        let why = if drift.is_some() { "gone at the app" } else { "new" };
        return (GroupAct::Create(members), why.to_owned(), drift);
    };
    let named = named(wish, one);
    let (add, remove) = match &wish.members {
        Members::Change { add, remove } => (add.clone(), remove.clone()),
        Members::All(all) => {
            let (is, should): (HashSet<Uuid>, HashSet<Uuid>) = (
                one.members().into_iter().filter_map(|id| ours.get(id).copied()).collect(),
                all.iter().copied().collect(),
            );
            let sorted = |of: &HashSet<Uuid>, without: &HashSet<Uuid>| {
                let mut keys: Vec<Uuid> = of.difference(without).copied().collect();
                keys.sort_unstable();
                keys
            };
            (sorted(&should, &is), sorted(&is, &should))
        }
    };
    let (act, why, _) = change(wish, &one.id, (linked.is_none(), named), (add, remove), people);
    let in_step = wish.link.as_ref().is_some_and(|link| link.in_step);
    let drift = drift.or((in_step && act != GroupAct::Nothing).then_some(Drift::ChangedThere));
    (act, why, drift)
}

fn change(
    wish: &GroupWish,
    remote: &str,
    (adopted, changes): (bool, Vec<Change>),
    (add, remove): (Vec<Uuid>, Vec<Uuid>),
    people: &HashMap<Uuid, String>,
) -> Found {
    if !adopted && changes.is_empty() && add.is_empty() && remove.is_empty() {
        return (GroupAct::Nothing, "as it should be".to_owned(), None);
    }
    let why = match (adopted, wish.link.is_some()) {
        (true, _) => "the app has a group with this name",
        (false, _) => "changed",
    };
    let remove = remove.into_iter().map(|key| (key, people.get(&key).cloned())).collect();
    let change = GroupChange { remote: remote.to_owned(), adopted, changes, add, remove };
    (GroupAct::Update(Box::new(change)), why.to_owned(), None)
}

/// Members of a group that is pushed no more stay as they are, unless the group itself is gone here.
fn unwanted(wish: &GroupWish) -> Found {
    match &wish.link {
        None => (GroupAct::Nothing, "not pushed".to_owned(), None),
        Some(link) if link.on => (GroupAct::Delete(link.remote.clone()), "not pushed any more".to_owned(), None),
        Some(_) => (GroupAct::Forget, "not pushed any more; it was the app's before".to_owned(), None),
    }
}

/// The app's group with our name for it, or else with the same name.
fn matching<'a>(
    wish: &GroupWish,
    there: &'a [RemoteResource],
    taken: &HashMap<String, Uuid>,
    adopt: Adopt,
) -> Result<Option<&'a RemoteResource>, String> {
    let key = wish.key.simple().to_string();
    let of_another = |one: &RemoteResource| taken.get(&one.id).is_some_and(|owner| *owner != wish.key);
    let external = there.iter().find(|one| one.text("externalId") == Some(&key) && !of_another(one));
    if external.is_some() {
        return Ok(external);
    }
    let same = |one: &&RemoteResource| {
        one.text("displayName").is_some_and(|name| name.to_lowercase() == wish.name.to_lowercase())
    };
    let named: Vec<_> = there.iter().filter(same).collect();
    match named.as_slice() {
        [] => Ok(None),
        [one] if of_another(one) => Err("the app's group with this name is another one".to_owned()),
        [one] => match (adopt, one.text("externalId")) {
            (Adopt::Any, _) | (Adopt::Unclaimed, None) => Ok(Some(one)),
            (Adopt::Unclaimed, Some(_)) => {
                Err("the app's group with this name has another externalId (adopt)".to_owned())
            }
            (Adopt::Never, _) => Err("the app has a group with this name (adopt)".to_owned()),
        },
        several => Err(format!("the app has {} groups with this name", several.len())),
    }
}

fn named(wish: &GroupWish, one: &RemoteResource) -> Vec<Change> {
    let wanted = [("displayName", wish.name.clone()), ("externalId", wish.key.simple().to_string())];
    let differing = wanted.into_iter().filter(|(name, value)| one.text(name) != Some(value));
    differing
        .map(|(name, value)| Change {
            path: AttributePath { urn: None, attribute: name.to_owned(), of_type: None, sub: None },
            before: one.text(name).map(|text| json!(text)),
            after: Some(json!(value)),
            claim: None,
        })
        .collect()
}
