//! What the app should have, what it has, and the plan that follows. Nothing is changed here.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use fedbridge_contract::ids::{GroupId, PersonId};
use fedbridge_hub::ports::{ProvisionedKind, ProvisionedLink, StoredGroup, Which};
use fedbridge_hub::run::Entitled;
use futures_util::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use crate::registry::scim_client::client::find::Endpoint;
use crate::registry::scim_client::plan::{
    GroupWish, Linked, Members, Plan, Seen, UserAct, UserStep, Wish, groups, known, users,
};
use crate::registry::scim_client::settings::PushGroups;
use crate::registry::scim_client::{CallFailed, RemoteResource};

use super::subjects::Subject;
use super::{LATELY, NotRun, Scope, Target};

/// People who are read at once.
const PAGE: u32 = 500;

/// More people are not looked up one by one: everybody at the app is read.
const ONE_BY_ONE: usize = 100;

/// Look-ups beside each other.
const AT_ONCE: usize = 4;

/// A plan, with what carrying it out takes.
#[derive(Default)]
pub struct Prepared {
    pub plan: Plan,
    pub subjects: HashMap<Uuid, Subject>,
    pub links: HashMap<Uuid, ProvisionedLink>,
    pub group_links: HashMap<Uuid, ProvisionedLink>,
    /// What the app calls people, as far as it has them.
    pub people: HashMap<Uuid, String>,
}

impl Target {
    /// # Errors
    /// The store or the app does not answer.
    pub async fn prepare(&self, scope: &Scope) -> Result<Prepared, NotRun> {
        let (entitled, links) = self.read(scope).await?;
        let groups = self.groups_of(&entitled).await?;
        let mut subjects: HashMap<Uuid, Subject> = HashMap::with_capacity(entitled.len());
        for one in entitled {
            subjects.insert(one.person.uuid(), self.subject(one, &groups));
        }
        // Whoever the app has by our word and nobody here is.
        for key in links.keys() {
            subjects.entry(*key).or_insert_with(Subject::gone);
        }
        let whole = *scope == Scope::Everything;
        if !whole {
            subjects.retain(|key, subject| subject.is_due(links.get(key)));
            if subjects.is_empty() {
                return Ok(Prepared::default());
            }
        }
        let there = self.there(whole, &subjects, &links).await?;
        let taken = self.taken(scope, &there, &links).await?;
        let mut everybody: Vec<_> = subjects.iter().map(|(key, it)| it.person(*key, links.get(key))).collect();
        everybody.sort_unstable_by_key(|one| one.key);
        let (steps, strangers) = users(&everybody, &Seen { users: &there, whole, taken: &taken }, &self.settings);
        let remotes = links.iter().map(|(key, link)| (*key, link.remote.clone())).collect();
        let people = known(remotes, &steps);
        let mut plan = Plan { users: steps, strangers, ..Plan::default() };
        let group_links = self.plan_groups(&mut plan, (whole, &groups), &subjects, &links, &people).await?;
        if plan.users.iter().any(|step| step.act.is_removal()) {
            let (tenant, app) = self.key();
            let count = self.hub.outbound.count_provisioned(tenant, app, self.now() - LATELY).await?;
            plan.guard(count.on, count.off_lately, self.settings.most_removed);
        }
        Ok(Prepared { plan, subjects, links, group_links, people })
    }

    /// People, and whom the app has for them.
    async fn read(&self, scope: &Scope) -> Result<(Vec<Entitled>, HashMap<Uuid, ProvisionedLink>), NotRun> {
        let (tenant, app) = self.key();
        let (entitled, which) = match scope {
            Scope::Changed(ids) => {
                let keys: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
                (self.hub.entitled(&self.tenant, &self.app, ids).await?, Some(keys))
            }
            Scope::Everything | Scope::Untold => {
                let (mut all, mut after): (Vec<Entitled>, Option<PersonId>) = (Vec::new(), None);
                loop {
                    let page = self.hub.entitled_page(&self.tenant, &self.app, after, PAGE).await?;
                    let Some(last) = page.last() else { break (all, None) };
                    after = Some(last.person);
                    all.extend(page);
                }
            }
        };
        let which = which.as_deref().map_or(Which::All, Which::Subjects);
        let links = self.hub.outbound.provisioned(tenant, app, ProvisionedKind::User, which).await?;
        Ok((entitled, links.into_iter().map(|link| (link.subject, link)).collect()))
    }

    /// The groups of the tenant by name, where the app gets any.
    async fn groups_of(&self, entitled: &[Entitled]) -> Result<HashMap<String, StoredGroup>, NotRun> {
        if self.settings.push_groups == PushGroups::None {
            return Ok(HashMap::new());
        }
        let names: BTreeSet<&str> = entitled.iter().flat_map(|one| one.groups.iter().map(String::as_str)).collect();
        let wanted = names.into_iter().filter(|name| self.settings.push_groups.wants(name));
        Ok(self.hub.outbound_groups(&self.tenant, wanted).await?)
    }

    /// Everybody whom the app has, or everybody whom these people could be.
    async fn there(
        &self,
        whole: bool,
        subjects: &HashMap<Uuid, Subject>,
        links: &HashMap<Uuid, ProvisionedLink>,
    ) -> Result<Vec<RemoteResource>, CallFailed> {
        if whole || subjects.len() > ONE_BY_ONE {
            let mut all = self.client.list(Endpoint::Users).await?;
            all.extend(self.missed(&all, subjects, links).await?);
            return Ok(all);
        }
        let mut looks = Vec::with_capacity(subjects.len());
        for (key, subject) in subjects {
            looks.push(self.look(subject, links.get(key)));
        }
        let found: Vec<Vec<RemoteResource>> = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut seen = HashSet::new();
        Ok(found.into_iter().flatten().filter(|one| seen.insert(one.id.clone())).collect())
    }

    /// Those who are to go and are not in the app's list. It counts by index, so whoever is behind somebody who was deleted
    /// meanwhile is left out, and would be let in there for ever.
    async fn missed(
        &self,
        all: &[RemoteResource],
        subjects: &HashMap<Uuid, Subject>,
        links: &HashMap<Uuid, ProvisionedLink>,
    ) -> Result<Vec<RemoteResource>, CallFailed> {
        let listed: HashSet<&str> = all.iter().map(|one| one.id.as_str()).collect();
        let goes = subjects.iter().filter(|(_, subject)| !subject.is_in()).filter_map(|(key, _)| links.get(key));
        let unseen = goes.filter(|link| !listed.contains(link.remote.as_str()));
        let mut looks = Vec::new();
        for link in unseen {
            looks.push(self.client.get(Endpoint::Users, &link.remote));
        }
        let found: Vec<Option<RemoteResource>> = stream::iter(looks).buffer_unordered(AT_ONCE).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn look(&self, subject: &Subject, link: Option<&ProvisionedLink>) -> Result<Vec<RemoteResource>, CallFailed> {
        if let Some(link) = link
            && let Some(found) = self.client.get(Endpoint::Users, &link.remote).await?
        {
            return Ok(vec![found]);
        }
        let Wish::In(desired) = &subject.wish else { return Ok(Vec::new()) };
        let known = self.client.find(Endpoint::Users, "externalId", &desired.external_id).await?;
        match known.is_empty() {
            true => self.client.find(Endpoint::Users, "userName", &desired.user_name).await,
            false => Ok(known),
        }
    }

    /// Whose the app's users are, of everybody here.
    async fn taken(
        &self,
        scope: &Scope,
        there: &[RemoteResource],
        links: &HashMap<Uuid, ProvisionedLink>,
    ) -> Result<HashMap<String, Uuid>, NotRun> {
        let of = |link: &ProvisionedLink| (link.remote.clone(), link.subject);
        if !matches!(scope, Scope::Changed(_)) {
            return Ok(links.values().map(of).collect());
        }
        let (tenant, app) = self.key();
        let ids: Vec<String> = there.iter().map(|one| one.id.clone()).collect();
        let found = self.hub.outbound.provisioned(tenant, app, ProvisionedKind::User, Which::Remotes(&ids)).await?;
        Ok(found.iter().map(of).collect())
    }

    async fn plan_groups(
        &self,
        plan: &mut Plan,
        (whole, groups_here): (bool, &HashMap<String, StoredGroup>),
        subjects: &HashMap<Uuid, Subject>,
        links: &HashMap<Uuid, ProvisionedLink>,
        people: &HashMap<Uuid, String>,
    ) -> Result<HashMap<Uuid, ProvisionedLink>, NotRun> {
        let (tenant, app) = self.key();
        let kept = self.hub.outbound.provisioned(tenant, app, ProvisionedKind::Group, Which::All).await?;
        let group_links: HashMap<Uuid, ProvisionedLink> = kept.into_iter().map(|link| (link.subject, link)).collect();
        if self.settings.push_groups == PushGroups::None && group_links.is_empty() {
            return Ok(group_links);
        }
        let members = match whole {
            true => all_members(subjects),
            false => changed_members(subjects, links, &plan.users),
        };
        let wishes = self.group_wishes((whole, groups_here), members, links, &group_links);
        if wishes.is_empty() {
            return Ok(group_links);
        }
        let there = match whole {
            true => self.client.list(Endpoint::Groups).await?,
            false => self.look_for_groups(&wishes).await?,
        };
        let taken = group_links.values().map(|link| (link.remote.clone(), link.subject)).collect();
        plan.groups = groups(&wishes, &there, people, &taken, self.settings.adopt);
        Ok(group_links)
    }

    fn group_wishes(
        &self,
        (whole, groups_here): (bool, &HashMap<String, StoredGroup>),
        mut members: BTreeMap<GroupId, Members>,
        links: &HashMap<Uuid, ProvisionedLink>,
        group_links: &HashMap<Uuid, ProvisionedLink>,
    ) -> Vec<GroupWish> {
        let mut told: HashMap<GroupId, BTreeSet<Uuid>> = HashMap::new();
        for link in links.values() {
            for group in &link.groups {
                told.entry(*group).or_default().insert(link.subject);
            }
        }
        let by_id: HashMap<GroupId, &StoredGroup> = groups_here.values().map(|group| (group.id, group)).collect();
        let mut ids: BTreeSet<GroupId> = members.keys().copied().collect();
        if whole {
            let wanted = by_id.values().filter(|group| self.settings.push_groups.wants(&group.name));
            ids.extend(wanted.map(|group| group.id));
            ids.extend(group_links.keys().map(|key| GroupId::from_uuid(*key)));
        }
        let wish = |id: GroupId| {
            let members = members.remove(&id).unwrap_or(Members::All(Vec::new()));
            let group = by_id.get(&id);
            let named = group.map_or_else(|| id.to_string(), |group| group.name.clone());
            let unchanged = match &members {
                Members::All(all) => told.remove(&id).unwrap_or_default() == all.iter().copied().collect(),
                Members::Change { .. } => false,
            };
            let link = group_links.get(&id.uuid());
            GroupWish {
                key: id.uuid(),
                wanted: match (whole, &members) {
                    (true, _) => group.is_some_and(|group| self.settings.push_groups.wants(&group.name)),
                    // Nobody makes a group for those who leave it.
                    (false, Members::Change { add, .. }) => link.is_some() || !add.is_empty(),
                    (false, Members::All(_)) => false,
                },
                name: named,
                link: link.map(|link| Linked { remote: link.remote.clone(), on: link.on, in_step: unchanged }),
                members,
            }
        };
        ids.into_iter().map(wish).collect()
    }

    /// Groups that the app has by the names of those that nobody has told it of yet.
    async fn look_for_groups(&self, wishes: &[GroupWish]) -> Result<Vec<RemoteResource>, CallFailed> {
        let mut there = Vec::new();
        for wish in wishes.iter().filter(|wish| wish.link.is_none()) {
            there.extend(self.client.find(Endpoint::Groups, "displayName", &wish.name).await?);
        }
        Ok(there)
    }
}

fn all_members(subjects: &HashMap<Uuid, Subject>) -> BTreeMap<GroupId, Members> {
    let mut all: BTreeMap<GroupId, Vec<Uuid>> = BTreeMap::new();
    for (key, subject) in subjects.iter().filter(|(_, subject)| subject.is_in()) {
        for group in &subject.groups {
            all.entry(*group).or_default().push(*key);
        }
    }
    all.into_iter().map(|(group, members)| (group, Members::All(members))).collect()
}

/// What differs from what the app was told of these people. Who is made anew there is in no group yet.
fn changed_members(
    subjects: &HashMap<Uuid, Subject>,
    links: &HashMap<Uuid, ProvisionedLink>,
    steps: &[UserStep],
) -> BTreeMap<GroupId, Members> {
    let anew: HashSet<Uuid> = steps
        .iter()
        .filter(|step| matches!(step.act, UserAct::Create(_) | UserAct::Adopt(_) | UserAct::Forget))
        .map(|step| step.key)
        .collect();
    let mut all: BTreeMap<GroupId, (Vec<Uuid>, Vec<Uuid>)> = BTreeMap::new();
    for (key, subject) in subjects {
        let told = links.get(key).filter(|_| !anew.contains(key)).map(|link| link.groups.as_slice());
        let told: BTreeSet<GroupId> = told.unwrap_or_default().iter().copied().collect();
        for group in subject.groups.difference(&told) {
            all.entry(*group).or_default().0.push(*key);
        }
        for group in told.difference(&subject.groups) {
            all.entry(*group).or_default().1.push(*key);
        }
    }
    all.into_iter().map(|(group, (add, remove))| (group, Members::Change { add, remove })).collect()
}
