//! The steps of a run, as data: what is to be done about everybody, and why. Pure. A dry run prints this, and a run
//! carries this out.

mod groups;
mod show;
mod users;

use std::collections::HashMap;

use uuid::Uuid;

use crate::desired::DesiredUser;
use crate::difference::Change;
use crate::read::RemoteResource;

pub use groups::{GroupWish, Members, groups};
pub use users::{known, users};

/// A person of the tenant, as far as a run is about them.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    pub key: Uuid,
    pub wish: Wish,
    /// Whom the app has for them.
    pub link: Option<Linked>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    In(DesiredUser),
    /// They have no business there, and why.
    Out(String),
    /// Nobody knows what they should have: they stay as they are, and why.
    Unclear {
        name: String,
        why: String,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct Linked {
    /// The app's id.
    pub remote: String,
    /// A user: was let in there, by our last word. A group: was made by us.
    pub on: bool,
    /// What the app was sent last is what it should have now.
    pub in_step: bool,
}

/// What is known of the app.
pub struct Seen<'a> {
    /// Everybody, or everybody whom these people could be.
    pub users: &'a [RemoteResource],
    /// It was everybody: who is not ours is reported.
    pub whole: bool,
    /// Whose each of the app's ids is, of all people, in this run or not.
    pub taken: &'a HashMap<String, Uuid>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In the order in which they are carried out.
    pub users: Vec<UserStep>,
    pub groups: Vec<GroupStep>,
    /// Users of the app whom nobody here is. They are left alone.
    pub strangers: Vec<Stranger>,
    /// Why nobody is removed, where too many would be.
    pub held: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct UserStep {
    pub key: Uuid,
    /// The userName, or what else an administrator knows them by.
    pub name: String,
    pub act: UserAct,
    pub why: String,
    /// The app is not as we left it.
    pub drift: Option<Drift>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum UserAct {
    Create(Box<DesiredUser>),
    /// A user whom the app has already becomes this person's.
    Adopt(Box<Known>),
    Update(Box<Known>),
    Deactivate(RemoteResource),
    Delete(String),
    /// The app is as it should be; that it is so is noted.
    Note(Box<Known>),
    /// They are gone there, and have no business there: nothing is known of them any more.
    Forget,
    Nothing,
    /// It can't be done; an administrator has to look.
    Refuse,
}

/// A user of the app, and what differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    pub remote: RemoteResource,
    pub desired: DesiredUser,
    pub changes: Vec<Change>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drift {
    ChangedThere,
    MissingThere,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    pub id: String,
    pub name: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct GroupStep {
    pub key: Uuid,
    pub name: String,
    pub act: GroupAct,
    pub why: String,
    pub drift: Option<Drift>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum GroupAct {
    /// With these people.
    Create(Vec<Uuid>),
    Update(Box<GroupChange>),
    Delete(String),
    Forget,
    Nothing,
    Refuse,
}

#[derive(Debug, Clone, PartialEq)]
pub struct GroupChange {
    pub remote: String,
    /// It was nobody's until now.
    pub adopted: bool,
    /// `displayName` and `externalId`, as far as they differ.
    pub changes: Vec<Change>,
    pub add: Vec<Uuid>,
    /// People, with what the app calls them where that is known.
    pub remove: Vec<(Uuid, Option<String>)>,
}

impl UserAct {
    pub const fn is_removal(&self) -> bool {
        matches!(self, Self::Deactivate(_) | Self::Delete(_))
    }

    /// Whether the app hears of it.
    pub const fn is_call(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Adopt(_) | Self::Update(_)) || self.is_removal()
    }

    /// Who leaves goes first, and a name is free before somebody gets it.
    const fn rank(&self) -> u8 {
        match self {
            Self::Deactivate(_) | Self::Delete(_) => 0,
            Self::Update(_) => 1,
            Self::Adopt(_) => 2,
            Self::Create(_) => 3,
            Self::Note(_) | Self::Forget => 4,
            Self::Refuse => 5,
            Self::Nothing => 6,
        }
    }
}

impl GroupAct {
    pub const fn is_call(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Update(_) | Self::Delete(_))
    }
}

/// So many may always be removed.
const ALWAYS: u64 = 5;

impl Plan {
    /// Whether the app is as it should be.
    pub fn is_empty(&self) -> bool {
        !self.users.iter().any(|step| step.act.is_call()) && !self.groups.iter().any(|step| step.act.is_call())
    }

    /// Holds the removals back where they are more than `percent` of `linked`, those of the last hour among them.
    pub fn guard(&mut self, linked: u64, lately: u64, percent: Option<u8>) {
        let removed = self.users.iter().filter(|step| step.act.is_removal()).count() as u64;
        let Some(percent) = percent else { return };
        let all = removed + lately;
        if removed == 0 || all <= ALWAYS || all * 100 <= linked.max(1) * u64::from(percent) {
            return;
        }
        self.held = Some(format!(
            "{removed} of {linked} users would be removed, {lately} more were within the last hour, and {percent} percent \
             is the most (guard)"
        ));
    }

    /// Whether a step waits for an administrator.
    pub fn holds(&self, step: &UserStep) -> bool {
        self.held.is_some() && step.act.is_removal()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn removing(count: u128) -> Plan {
        let step = |number| UserStep {
            key: Uuid::from_u128(number),
            name: number.to_string(),
            act: UserAct::Delete(number.to_string()),
            why: "gone".to_owned(),
            drift: None,
        };
        Plan { users: (0..count).map(step).collect(), ..Plan::default() }
    }

    #[test]
    fn so_many_may_be_removed_within_an_hour() {
        let held = |removed, linked, lately, percent| {
            let mut plan = removing(removed);
            plan.guard(linked, lately, percent);
            plan.held.is_some()
        };
        assert!(!held(20, 100, 0, Some(20)));
        assert!(held(21, 100, 0, Some(20)));
        assert!(held(11, 100, 10, Some(20)), "those of the last hour count");
        assert!(!held(100, 100, 0, None));
        assert!(!held(5, 5, 0, Some(1)), "a few always may");
        assert!(held(6, 6, 0, Some(99)));
        assert!(!held(0, 100, 90, Some(20)), "nobody waits");
    }
}
