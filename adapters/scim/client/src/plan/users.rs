//! What is to be done about people.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Drift, Known, Linked, Person, Seen, Stranger, UserAct, UserStep, Wish};
use crate::desired::DesiredUser;
use crate::difference::{changes, is_active};
use crate::read::RemoteResource;
use crate::settings::{Adopt, Remove, ScimAppSettings};

/// The steps, in the order in which they are carried out, and whom the app has besides.
pub fn users(people: &[Person], seen: &Seen<'_>, settings: &ScimAppSettings) -> (Vec<UserStep>, Vec<Stranger>) {
    let mut run = Run::new(seen, settings);
    // Of two people with one name it is theirs whom the app has.
    let (linked, new): (Vec<_>, Vec<_>) = people.iter().partition(|person| person.link.is_some());
    let mut steps: Vec<UserStep> = linked.into_iter().chain(new).map(|person| run.step(person)).collect();
    steps.sort_by(|one, other| (one.act.rank(), &one.name, one.key).cmp(&(other.act.rank(), &other.name, other.key)));
    let strangers = if seen.whole { run.strangers() } else { Vec::new() };
    (steps, strangers)
}

/// What the app calls people, as far as it has them now: `links` without those who are gone there, and with those who were
/// found.
pub fn known(mut links: HashMap<Uuid, String>, steps: &[UserStep]) -> HashMap<Uuid, String> {
    for step in steps {
        match &step.act {
            UserAct::Create(_) | UserAct::Forget => drop(links.remove(&step.key)),
            UserAct::Adopt(known) => drop(links.insert(step.key, known.remote.id.clone())),
            _ => {}
        }
    }
    links
}

struct Run<'a> {
    seen: &'a Seen<'a>,
    settings: &'a ScimAppSettings,
    by_id: HashMap<&'a str, &'a RemoteResource>,
    by_external: HashMap<&'a str, Vec<&'a RemoteResource>>,
    by_name: HashMap<String, Vec<&'a RemoteResource>>,
    /// Users of the app who became somebody's in this run, and names that somebody got.
    claimed: HashSet<&'a str>,
    named: HashSet<String>,
}

/// What may become of somebody who is not linked yet.
enum Match<'a> {
    Nobody,
    One(&'a RemoteResource, &'static str),
    Unclear(String),
}

impl<'a> Run<'a> {
    fn new(seen: &'a Seen<'a>, settings: &'a ScimAppSettings) -> Self {
        let mut run = Self {
            seen,
            settings,
            by_id: HashMap::new(),
            by_external: HashMap::new(),
            by_name: HashMap::new(),
            claimed: HashSet::new(),
            named: HashSet::new(),
        };
        for one in seen.users {
            if run.by_id.insert(&one.id, one).is_some() {
                // A list that moved while it was read may show somebody twice.
                continue;
            }
            if let Some(external) = one.text("externalId") {
                run.by_external.entry(external).or_default().push(one);
            }
            if let Some(name) = one.text("userName") {
                run.by_name.entry(name.to_lowercase()).or_default().push(one);
            }
        }
        run
    }

    fn step(&mut self, person: &Person) -> UserStep {
        let there = person.link.as_ref().and_then(|link| self.by_id.get(link.remote.as_str()).copied());
        let mut step = match &person.wish {
            Wish::In(desired) => self.let_in(person.key, desired, person.link.as_ref(), there),
            Wish::Out(why) => self.out(person, why, there),
            Wish::Unclear { name, why } => {
                let name = there.and_then(|one| one.text("userName")).unwrap_or(name).to_owned();
                UserStep { key: person.key, name, act: UserAct::Refuse, why: why.clone(), drift: None }
            }
        };
        if let Some(there) = there {
            self.claimed.insert(&there.id);
        }
        step.key = person.key;
        step
    }

    fn let_in(
        &mut self,
        key: Uuid,
        desired: &DesiredUser,
        link: Option<&Linked>,
        there: Option<&'a RemoteResource>,
    ) -> UserStep {
        let name = desired.user_name.clone();
        let step = |act, why: &str, drift| UserStep { key, name: name.clone(), act, why: why.to_owned(), drift };
        if !self.named.insert(name.to_lowercase()) {
            return step(UserAct::Refuse, "somebody else has the same userName", None);
        }
        if let (Some(link), Some(there)) = (link, there) {
            let changes = changes(desired, &there.document);
            let known =
                || Box::new(Known { remote: there.clone(), desired: desired.clone(), changes: changes.clone() });
            return match (changes.is_empty(), link.on, link.in_step) {
                (true, true, true) => step(UserAct::Nothing, "as it should be", None),
                (true, ..) => step(UserAct::Note(known()), "the app has it already", None),
                (false, true, true) => step(UserAct::Update(known()), "changed at the app", Some(Drift::ChangedThere)),
                (false, true, false) => step(UserAct::Update(known()), "changed here", None),
                (false, false, _) => step(UserAct::Update(known()), "comes back", None),
            };
        }
        let drift = link.filter(|link| link.on).map(|_| Drift::MissingThere);
        let matched = self.matching(key, desired);
        match (matched, drift) {
            (Match::Unclear(why), drift) => step(UserAct::Refuse, &why, drift),
            (Match::One(there, why), drift) => {
                self.claimed.insert(&there.id);
                let changes = changes(desired, &there.document);
                let known = Known { remote: there.clone(), desired: desired.clone(), changes };
                step(UserAct::Adopt(Box::new(known)), why, drift)
            }
            (Match::Nobody, drift) => {
                let why = if drift.is_some() { "gone at the app" } else { "new" };
                step(UserAct::Create(Box::new(desired.clone())), why, drift)
            }
        }
    }

    fn out(&mut self, person: &Person, why: &str, there: Option<&'a RemoteResource>) -> UserStep {
        // A link may be lost; the app knows the person by our name for them.
        let key = person.key.simple().to_string();
        let lost = || {
            let found = self.by_external.get(key.as_str())?;
            found.iter().find(|one| self.owner(one).is_none_or(|owner| owner == person.key)).copied()
        };
        let found = there.or_else(lost);
        let name = found.and_then(|one| one.text("userName")).unwrap_or(&key).to_owned();
        let act = match (found, &person.link, self.settings.remove) {
            (None, None, _) => UserAct::Nothing,
            (None, Some(_), _) => UserAct::Forget,
            (Some(one), _, Remove::Delete) => UserAct::Delete(one.id.clone()),
            (Some(one), _, Remove::Deactivate) if is_active(&one.document) => UserAct::Deactivate(one.clone()),
            (Some(_), ..) => UserAct::Nothing,
        };
        let again = person.link.as_ref().is_some_and(|link| !link.on) && act.is_removal();
        if let Some(one) = found {
            self.claimed.insert(&one.id);
        }
        let drift = again.then_some(Drift::ChangedThere);
        UserStep { key: person.key, name, act, why: why.to_owned(), drift }
    }

    fn matching(&self, key: Uuid, desired: &DesiredUser) -> Match<'a> {
        let of_another = |one: &RemoteResource| self.owner(one).is_some_and(|owner| owner != key);
        match self.by_external.get(desired.external_id.as_str()).map_or(&[][..], Vec::as_slice) {
            [] => {}
            [one] if of_another(one) => {
                return Match::Unclear("the app's user with this externalId is somebody else's".to_owned());
            }
            [one] => return Match::One(one, "the app knows the externalId"),
            several => return Match::Unclear(format!("the app has {} users with this externalId", several.len())),
        }
        let [one] = self.by_name.get(&desired.user_name.to_lowercase()).map_or(&[][..], Vec::as_slice) else {
            return match self.by_name.contains_key(&desired.user_name.to_lowercase()) {
                true => Match::Unclear("the app has several users with this userName".to_owned()),
                false => Match::Nobody,
            };
        };
        if of_another(one) {
            return Match::Unclear("the app's user with this userName is somebody else's".to_owned());
        }
        match (self.settings.adopt, one.text("externalId")) {
            (Adopt::Unclaimed | Adopt::Any, None) => Match::One(one, "the app has a user with this userName"),
            (Adopt::Any, Some(_)) => Match::One(one, "the app has a user with this userName and a strange externalId"),
            (Adopt::Unclaimed, Some(_)) => {
                Match::Unclear("the app's user with this userName has another externalId (adopt)".to_owned())
            }
            (Adopt::Never, _) => Match::Unclear("the app has a user with this userName (adopt)".to_owned()),
        }
    }

    /// Whose a user of the app is.
    fn owner(&self, one: &RemoteResource) -> Option<Uuid> {
        let known = self.seen.taken.get(&one.id).copied();
        // Taken in this very run: by nobody who could be asked about.
        known.or_else(|| self.claimed.contains(one.id.as_str()).then_some(Uuid::nil()))
    }

    fn strangers(&self) -> Vec<Stranger> {
        let strange = self
            .seen
            .users
            .iter()
            .filter(|one| !self.claimed.contains(one.id.as_str()) && !self.seen.taken.contains_key(&one.id));
        let mut all: Vec<Stranger> = strange
            .map(|one| Stranger { id: one.id.clone(), name: one.text("userName").unwrap_or_default().to_owned() })
            .collect();
        all.sort_by(|one, other| (&one.name, &one.id).cmp(&(&other.name, &other.id)));
        all.dedup();
        all
    }
}
