//! People as a run sees them: what the app should have of each, beside what it was told last.

use std::collections::{BTreeSet, HashMap};

use fedbridge_contract::ids::{GroupId, PersonId};
use fedbridge_contract::trace::TraceLog;
use fedbridge_hub::ports::{ProvisionedLink, StoredGroup};
use fedbridge_hub::run::{Entitled, Standing, same_group};
use uuid::Uuid;

use crate::registry::scim_client::desired::DesiredUser;
use crate::registry::scim_client::plan::{Linked, Person, Wish};

use super::Target;

/// Somebody whom a run is about.
pub struct Subject {
    pub wish: Wish,
    /// Of what the app should have.
    pub digest: Option<[u8; 32]>,
    /// Groups that the app should have them in.
    pub groups: BTreeSet<GroupId>,
    pub rules: TraceLog,
}

impl Target {
    pub(super) fn subject(&self, entitled: Entitled, groups: &HashMap<String, StoredGroup>) -> Subject {
        let Entitled { person, standing, claims, groups: theirs, rules } = entitled;
        let sub = person.to_string();
        let wish = match standing {
            Standing::Out(why) => Wish::Out(why),
            Standing::Unclear(why) => Wish::Unclear { name: sub, why },
            Standing::In => match DesiredUser::of(&sub, &claims, &self.settings) {
                Ok(desired) => Wish::In(desired),
                Err(why) => Wish::Unclear { name: sub, why },
            },
        };
        let (digest, groups) = match &wish {
            Wish::In(desired) => {
                let pushed = theirs.iter().filter(|name| self.settings.push_groups.wants(name));
                let known = pushed.filter_map(|name| Some(groups.get(&same_group(name))?.id));
                let digest = self.hub.outbound_digest(&self.tenant, &self.app, &desired.canonical());
                (Some(digest), known.collect())
            }
            Wish::Out(_) | Wish::Unclear { .. } => (None, BTreeSet::new()),
        };
        Subject { wish, digest, groups, rules }
    }
}

impl Subject {
    /// Of somebody who is not here any more.
    pub fn gone() -> Self {
        let wish = Wish::Out("gone".to_owned());
        Self { wish, digest: None, groups: BTreeSet::new(), rules: TraceLog::new() }
    }

    /// Whether the app was last told otherwise.
    pub fn is_due(&self, link: Option<&ProvisionedLink>) -> bool {
        let there: BTreeSet<GroupId> = link.into_iter().flat_map(|link| link.groups.iter().copied()).collect();
        match (&self.wish, link) {
            (Wish::In(_), None) => true,
            (Wish::In(_), Some(link)) => !link.on || link.digest != self.digest || there != self.groups,
            (Wish::Out(_), Some(link)) => link.on || !there.is_empty(),
            (Wish::Out(_), None) | (Wish::Unclear { .. }, _) => false,
        }
    }

    pub fn person(&self, key: Uuid, link: Option<&ProvisionedLink>) -> Person {
        let link = link.map(|link| Linked {
            remote: link.remote.clone(),
            on: link.on,
            in_step: link.digest.is_some() && link.digest == self.digest,
        });
        Person { key, wish: self.wish.clone(), link }
    }

    pub fn is_in(&self) -> bool {
        matches!(self.wish, Wish::In(_))
    }
}

/// The link as it is when the app has somebody.
pub fn told(
    key: Uuid,
    before: Option<&ProvisionedLink>,
    (remote, on): (String, bool),
    digest: Option<[u8; 32]>,
    now: fedbridge_contract::time::Timestamp,
) -> ProvisionedLink {
    let same = before.filter(|before| before.remote == remote);
    // When somebody was switched off stays known: the guard counts by it.
    let changed = same.filter(|before| !before.on && !on).map_or(now, |before| before.changed);
    let groups = same.map(|before| before.groups.clone()).unwrap_or_default();
    ProvisionedLink { subject: key, remote, on, digest: digest.filter(|_| on), groups, changed }
}

pub const fn person(key: Uuid) -> PersonId {
    PersonId::from_uuid(key)
}
