//! A whole run, as the bridge makes it: everything of the app is read, planned, carried out, and noted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::services::Clock;
use fedbridge_contract::testkit::Distinct;
use fedbridge_contract::time::Timestamp;
use fedbridge_scim_client::carry::Done;
use fedbridge_scim_client::client::find::Endpoint;
use fedbridge_scim_client::desired::DesiredUser;
use fedbridge_scim_client::plan::{GroupWish, Linked, Members, Person, Plan, Seen, Wish, groups, known, users};
use fedbridge_scim_client::{CallFailed, Client, ScimAppSettings, Secret};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::app::{App, TOKEN};

/// A clock on which a millisecond is a second.
pub struct Fast(pub tokio::time::Instant);

impl Clock for Fast {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.0.elapsed().as_micros()).unwrap())
    }
}

/// Somebody of the tenant.
#[derive(Debug, Clone, PartialEq)]
pub struct Somebody {
    pub claims: Claims,
    pub groups: BTreeSet<usize>,
    pub out: bool,
}

/// The bridge's side.
pub struct Bridge {
    pub app: Arc<App>,
    pub settings: Arc<ScimAppSettings>,
    pub secret: Secret,
    pub people: BTreeMap<Uuid, Somebody>,
    pub groups: Vec<(Uuid, String)>,
    pub began: tokio::time::Instant,
    links: HashMap<Uuid, (String, bool, String)>,
    group_links: HashMap<Uuid, String>,
}

pub fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

pub fn claims(name: &str, more: Value) -> Claims {
    let mut claims = Claims::default();
    claims.set("preferred_username", json!(name));
    for (claim, value) in more.as_object().unwrap() {
        claims.set(claim.as_str(), value.clone());
    }
    claims
}

impl Bridge {
    pub fn new(app: &Arc<App>, settings: Value) -> Self {
        let mut whole = json!({ "base_url": "https://app.example/scim", "guard": 100 });
        whole.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
        Self {
            app: Arc::clone(app),
            settings: Arc::new(ScimAppSettings::parse(&whole).unwrap()),
            secret: Secret::Bearer(TOKEN.to_owned()),
            people: BTreeMap::new(),
            groups: Vec::new(),
            began: tokio::time::Instant::now(),
            links: HashMap::new(),
            group_links: HashMap::new(),
        }
    }

    pub fn person(&mut self, number: u128, name: &str, more: Value) {
        self.people.insert(id(number), Somebody { claims: claims(name, more), groups: BTreeSet::new(), out: false });
    }

    pub fn client(&self) -> Client {
        let egress = Arc::clone(&self.app) as _;
        let clock = Arc::new(Fast(self.began));
        Client::new(egress, Arc::clone(&self.settings), self.secret.clone(), clock, Arc::new(Distinct))
    }

    pub fn wish(&self, key: Uuid, person: &Somebody) -> Wish {
        let sub = key.simple().to_string();
        match DesiredUser::of(&sub, &person.claims, &self.settings) {
            Ok(desired) if !person.out => Wish::In(desired),
            Ok(_) => Wish::Out("switched off".to_owned()),
            Err(why) => Wish::Unclear { name: sub, why },
        }
    }

    pub async fn plan(&self, client: &Client) -> Result<Plan, CallFailed> {
        let there = client.list(Endpoint::Users).await?;
        let taken: HashMap<String, Uuid> = self.links.iter().map(|(key, link)| (link.0.clone(), *key)).collect();
        let everybody = self.people.iter().map(|(key, person)| {
            let wish = self.wish(*key, person);
            let link = self.links.get(key).map(|(remote, on, sent)| {
                let in_step = matches!(&wish, Wish::In(desired) if desired.canonical() == *sent);
                Linked { remote: remote.clone(), on: *on, in_step }
            });
            Person { key: *key, wish, link }
        });
        let everybody: Vec<Person> = everybody.collect();
        let (users, strangers) = users(&everybody, &Seen { users: &there, whole: true, taken: &taken }, &self.settings);
        let wishes: Vec<GroupWish> = self
            .groups
            .iter()
            .enumerate()
            .map(|(at, (key, name))| {
                let members = self.people.iter().filter(|(_, person)| !person.out && person.groups.contains(&at));
                let link =
                    self.group_links.get(key).map(|remote| Linked { remote: remote.clone(), on: true, in_step: true });
                let members = Members::All(members.map(|(key, _)| *key).collect());
                GroupWish {
                    key: *key,
                    name: name.clone(),
                    wanted: self.settings.push_groups.wants(name),
                    link,
                    members,
                }
            })
            .collect();
        let of_groups = client.list(Endpoint::Groups).await?;
        let taken_groups = self.group_links.iter().map(|(key, remote)| (remote.clone(), *key)).collect();
        let groups = groups(&wishes, &of_groups, &known(self.remotes(), &users), &taken_groups, self.settings.adopt);
        Ok(Plan { users, groups, strangers, held: None })
    }

    fn remotes(&self) -> HashMap<Uuid, String> {
        self.links.iter().map(|(key, link)| (*key, link.0.clone())).collect()
    }

    /// Gives back the plan, and what failed.
    pub async fn run(&mut self) -> (Plan, Vec<CallFailed>) {
        let client = self.client();
        let plan = self.plan(&client).await.unwrap();
        let mut failed = Vec::new();
        for step in &plan.users {
            match client.carry_user(step, &mut Vec::new()).await {
                Ok(Done::Has { remote, on }) => {
                    let sent = match self.wish(step.key, &self.people[&step.key]) {
                        Wish::In(desired) => desired.canonical(),
                        Wish::Out(_) | Wish::Unclear { .. } => String::new(),
                    };
                    self.links.insert(step.key, (remote, on, sent));
                }
                Ok(Done::Gone) => drop(self.links.remove(&step.key)),
                Ok(Done::Nothing) => {}
                Err(error) => failed.push(error),
            }
        }
        let people = self.remotes();
        for step in &plan.groups {
            match client.carry_group(step, &people, &mut Vec::new()).await {
                Ok(Done::Has { remote, .. }) => drop(self.group_links.insert(step.key, remote)),
                Ok(Done::Gone) => drop(self.group_links.remove(&step.key)),
                Ok(Done::Nothing) => {}
                Err(error) => failed.push(error),
            }
        }
        (plan, failed)
    }
}

#[tokio::test]
async fn the_first_run_makes_everybody_and_the_second_nobody() {
    let app = App::new();
    let mut bridge = Bridge::new(&app, json!({ "push_groups": "all" }));
    bridge.person(
        1,
        "ada",
        json!({ "email": "ada@example.org", "given_name": "Ada", "family_name": "L", "name": "Ada L" }),
    );
    bridge.person(2, "bob", json!({}));
    bridge.groups = vec![(id(100), "staff".into()), (id(101), "empty".into())];
    for person in bridge.people.values_mut() {
        person.groups.insert(0);
    }
    let (plan, failed) = bridge.run().await;
    assert_eq!(failed, []);
    assert_eq!(plan.counts()[0], ("create", 4));
    let ada = app.user("ada");
    assert_eq!(ada["externalId"], id(1).simple().to_string());
    assert_eq!((&ada["name"]["givenName"], &ada["emails"][0]["value"]), (&json!("Ada"), &json!("ada@example.org")));
    let staff = app.with(|state| state.groups.values().find(|group| group["displayName"] == "staff").cloned().unwrap());
    assert_eq!(staff["members"].as_array().unwrap().len(), 2);
    app.forget_calls();
    let (plan, _) = bridge.run().await;
    assert!(plan.is_empty(), "{:?}", plan.lines());
    assert_eq!(app.writes(), Vec::<String>::new());

    // Renamed: the least of it is said.
    bridge.person(1, "ada.new", json!({ "email": "ada@example.org", "given_name": "Ada", "name": "Ada L" }));
    let (plan, _) = bridge.run().await;
    assert_eq!(
        plan.lines()[0],
        "~ update user ada.new (changed here)\n    userName: \"ada\" -> \"ada.new\", from \
        preferred_username\n    name.familyName: \"L\" -> nothing, from family_name"
    );
    assert_eq!(app.user("ada.new")["name"], json!({ "givenName": "Ada" }));
    assert_eq!(app.writes()[0], "PATCH Users/1");
}

#[tokio::test]
async fn whoever_is_out_is_off_and_comes_back_as_the_same() {
    let app = App::new();
    let mut bridge = Bridge::new(&app, json!({}));
    bridge.person(1, "ada", json!({}));
    bridge.run().await;
    bridge.people.get_mut(&id(1)).unwrap().out = true;
    let (plan, _) = bridge.run().await;
    assert_eq!(plan.lines(), ["- deactivate user ada (switched off)"]);
    assert_eq!(app.user("ada")["active"], false);
    assert!(bridge.run().await.0.is_empty());
    // Somebody at the app lets them in again: that is mended.
    app.with(|state| state.users.get_mut(&1).unwrap().insert("active".into(), json!(true)));
    assert_eq!(bridge.run().await.0.drift(), ["user ada: changed there"]);
    assert_eq!(app.user("ada")["active"], false);
    bridge.people.get_mut(&id(1)).unwrap().out = false;
    bridge.run().await;
    assert_eq!((app.user("ada")["active"].clone(), app.with(|state| state.users.len())), (json!(true), 1));
    let mut deleting = Bridge::new(&app, json!({ "remove": "delete" }));
    deleting.person(1, "ada", json!({}));
    deleting.run().await;
    deleting.people.get_mut(&id(1)).unwrap().out = true;
    deleting.run().await;
    assert_eq!(app.with(|state| state.users.len()), 0);
    assert!(deleting.run().await.0.is_empty());
}

/// Threats 10 and 17: a name alone makes nobody somebody else.
#[tokio::test]
async fn nobody_gets_anothers_account() {
    let app = App::new();
    let theirs = app.add(json!({ "userName": "Ada", "externalId": "of another directory", "title": "theirs" }));
    app.add(json!({ "userName": "bob", "title": "unclaimed" }));
    let mut bridge = Bridge::new(&app, json!({}));
    bridge.person(1, "ada", json!({}));
    bridge.person(2, "bob", json!({}));
    let (plan, _) = bridge.run().await;
    assert_eq!(plan.lines()[1], "! refuse user ada (the app's user with this userName has another externalId (adopt))");
    assert!(plan.lines()[0].starts_with("= link user bob (the app has a user with this userName)"));
    assert_eq!(app.user("bob")["title"], "unclaimed");
    assert_eq!(app.user("Ada")["id"], json!(theirs));
    assert_eq!(app.user("Ada")["externalId"], "of another directory");
    assert_eq!(plan.drift(), [format!("user Ada ({theirs}): unknown here")]);

    // A name that is used again, by somebody new, while the one before is switched off there.
    bridge.people.get_mut(&id(2)).unwrap().out = true;
    bridge.run().await;
    bridge.person(3, "bob", json!({}));
    let (plan, _) = bridge.run().await;
    assert_eq!(
        plan.lines(),
        [
            "! refuse user ada (the app's user with this userName has another externalId (adopt))",
            "! refuse user bob (the app's user with this userName is somebody else's)"
        ]
    );
    // Not even where strange ones may be taken over.
    let mut settings = (*bridge.settings).clone();
    settings.adopt = fedbridge_scim_client::settings::Adopt::Any;
    bridge.settings = Arc::new(settings);
    let (plan, _) = bridge.run().await;
    assert_eq!(plan.lines().iter().filter(|line| line.starts_with("! refuse user bob")).count(), 1);
    assert_eq!(app.user("Ada")["externalId"], id(1).simple().to_string());
}

#[tokio::test]
async fn whoever_lost_their_name_stays_as_they_are() {
    let app = App::new();
    let mut bridge = Bridge::new(&app, json!({}));
    bridge.person(1, "ada", json!({}));
    bridge.run().await;
    bridge.people.get_mut(&id(1)).unwrap().claims = Default::default();
    let (plan, failed) = bridge.run().await;
    let why = "! refuse user ada (no userName: the person has none of the claims preferred_username, email)";
    assert_eq!((plan.lines(), failed), (vec![why.to_owned()], vec![]));
    assert_eq!(app.user("ada")["active"], true);
}

#[tokio::test]
async fn a_group_of_the_app_is_taken_over_where_nobody_claims_it() {
    let app = App::new();
    let root = app.add(json!({ "userName": "root" }));
    app.add_group(json!({ "displayName": "Staff", "members": [{ "value": root }] }));
    app.add_group(json!({ "displayName": "admins", "externalId": "of another directory" }));
    let mut bridge = Bridge::new(&app, json!({ "push_groups": "all" }));
    bridge.groups = vec![(id(100), "staff".into()), (id(101), "admins".into())];
    bridge.person(1, "ada", json!({}));
    bridge.people.get_mut(&id(1)).unwrap().groups.extend([0, 1]);
    let (plan, failed) = bridge.run().await;
    let why = "! refuse group admins (the app's group with this name has another externalId (adopt))";
    assert_eq!((plan.lines().last().map(String::as_str), failed), (Some(why), vec![]));
    let staff = app.with(|state| state.groups.values().find(|group| group["displayName"] == "staff").cloned().unwrap());
    assert_eq!(staff["members"], json!([{ "value": root }, { "value": "4" }]), "who was in it stays");
    let members = app.with(|state| state.groups.values().filter(|group| group.contains_key("members")).count());
    assert_eq!(members, 1, "nobody becomes an admin there");
}

#[tokio::test]
async fn of_two_people_with_one_name_the_first_keeps_it() {
    let app = App::new();
    let mut bridge = Bridge::new(&app, json!({}));
    bridge.person(5, "ada", json!({}));
    bridge.run().await;
    bridge.person(1, "Ada", json!({}));
    bridge.person(5, "ada", json!({ "name": "Ada" }));
    let (plan, _) = bridge.run().await;
    assert!(plan.lines()[0].starts_with("~ update user ada (changed here)"), "{:?}", plan.lines());
    assert_eq!(plan.lines()[1..], ["! refuse user Ada (somebody else has the same userName)"]);
    assert_eq!(app.user("ada")["displayName"], "Ada");
}

#[tokio::test]
async fn drift_is_found_and_mended() {
    let app = App::new();
    let mut bridge = Bridge::new(&app, json!({ "push_groups": ["staff"] }));
    bridge.person(1, "ada", json!({ "name": "Ada" }));
    bridge.person(2, "bob", json!({}));
    bridge.groups = vec![(id(100), "staff".into())];
    bridge.people.get_mut(&id(1)).unwrap().groups.insert(0);
    bridge.run().await;
    let stranger = app.add(json!({ "userName": "root" }));
    app.with(|state| {
        state.users.get_mut(&1).unwrap().insert("displayName".into(), json!("Eve"));
        state.users.get_mut(&1).unwrap().insert("title".into(), json!("the app's own"));
        state.users.remove(&2);
        state.groups.values_mut().next().unwrap().insert("members".into(), json!([{ "value": stranger }]));
    });
    let (plan, failed) = bridge.run().await;
    assert_eq!(failed, []);
    assert_eq!(
        plan.drift(),
        [
            "user ada: changed there",
            "    displayName: \"Eve\" -> \"Ada\", from name",
            "user bob: missing there",
            "group staff: changed there",
            &format!("user root ({stranger}): unknown here")
        ]
    );
    assert_eq!((&app.user("ada")["displayName"], &app.user("ada")["title"]), (&json!("Ada"), &json!("the app's own")));
    assert_eq!(app.user("bob")["active"], true);
    let members = app.with(|state| state.groups.values().next().unwrap()["members"].clone());
    assert_eq!(members, json!([{ "value": stranger }, { "value": "1" }]), "a stranger stays");
    assert!(bridge.run().await.0.is_empty());
}
