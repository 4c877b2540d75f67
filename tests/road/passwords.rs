//! Names and passwords typed on our page.

use std::fs;

use fedbridge_contract::config::{LdapDirectory, SecondFactorPolicy};
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::page::{NewPasswordPage, OwnForm, Page, PasswordPage};
use fedbridge_contract::trace::Outcome;
use fedbridge_hub::ports::{TraceFilter, TraceStore as _};
use fedbridge_hub::run::{TracePayload, trace_place};
use fedbridge_hub::spec::{ConfigChange, Managed, StoredTenant, SubjectType, TenantExtras, TenantSpec};
use serde_json::{Value, json};

use super::logout::status_of;
use super::{World, alice, connection, id, param};

pub const RIGHT: &str = "wonderland-8431";
pub const WRONG: &str = "looking-glass-77";

/// A directory in memory.
pub fn directory(more: Value) -> Value {
    let account = |says: Value| json!({ "password": RIGHT, "says": says });
    let mut settings = json!({ "subject": "nobody", "passwords": {
        "ann": {
            "password": RIGHT,
            "attributes": { "email": ["ann@acme.example"], "groups": ["staff"], "preferred_username": ["ann"] },
        },
        "bob": account(Value::Null),
        "dora": account(json!("disabled")),
        "eve": account(json!("must_change")),
        "sid": account(json!("silent")),
    } });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

/// The tenant, with answers to what fails at once.
pub fn tenant(policy: SecondFactorPolicy) -> ConfigChange {
    ConfigChange::PutTenant(StoredTenant {
        id: id::<TenantId>(1),
        managed: Managed::Elsewhere,
        spec: TenantSpec {
            slug: "acme".into(),
            display_name: "Acme".into(),
            parent: None,
            domains: vec!["acme.example".into()],
            enabled: true,
            extras: TenantExtras {
                ldap: Some(LdapDirectory {
                    base_dn: "dc=acme,dc=example".into(),
                    password_connections: vec!["dir".into()],
                    password_modify: true,
                    failure_deadline: std::time::Duration::from_millis(1),
                    ..LdapDirectory::default()
                }),
                second_factor: policy,
                ..TenantExtras::default()
            },
        },
    })
}

pub async fn world(more: Value, further: Vec<ConfigChange>) -> World {
    let mut changes = vec![connection(2, "dir", directory(more), json!({}))];
    changes.extend(further);
    let world = World::new(changes, SubjectType::Public).await;
    world.apply(&[tenant(SecondFactorPolicy::Off)]).await;
    world
}

pub fn typing(reply: &Reply) -> &PasswordPage {
    let ReplyKind::Page(Page::Password(page)) = &reply.kind else { panic!("no page for a password: {reply:?}") };
    page
}

fn changing(reply: &Reply) -> &NewPasswordPage {
    let ReplyKind::Page(Page::NewPassword(page)) = &reply.kind else { panic!("no page: {reply:?}") };
    page
}

impl World {
    /// Opens the app's login, and types.
    pub async fn log_in_as(&mut self, name: &str, password: &str) -> Reply {
        let reply = self.authorize("&prompt=login").await;
        let form = typing(&reply).form.clone();
        self.type_in(&form, name, password).await
    }

    pub async fn type_in(&mut self, form: &OwnForm, name: &str, password: &str) -> Reply {
        self.send(form, &[("name", name), ("password", password)]).await
    }

    /// The causes of all traces, the oldest first.
    pub async fn outcomes(&self) -> Vec<(Outcome, String)> {
        self.recorder.flush().await;
        let filter = TraceFilter { limit: 1000, ..TraceFilter::default() };
        let mut all = self.foundation.system.list(&filter).await.unwrap();
        all.sort_by_key(|trace| trace.at);
        all.into_iter().map(|trace| (trace.outcome, trace.cause)).collect()
    }

    /// All steps of all traces, as text.
    pub async fn steps(&self) -> String {
        self.recorder.flush().await;
        let filter = TraceFilter { limit: 1000, ..TraceFilter::default() };
        let mut text = String::new();
        for summary in self.foundation.system.list(&filter).await.unwrap() {
            let trace = self.foundation.system.find(summary.id).await.unwrap().unwrap();
            let plain = self.foundation.sealer.open(&trace_place(summary.tenant, summary.id), &trace.sealed).unwrap();
            let payload: TracePayload = serde_json::from_slice(&plain).unwrap();
            text.push_str(&format!("{summary:?} {payload:?}\n"));
        }
        text
    }

    /// Everything that the database holds, as octets.
    pub fn database(&self) -> Vec<u8> {
        let files = fs::read_dir(self._scratch.path()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.is_file()).flat_map(|path| fs::read(path).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_name_and_a_password_log_in_and_leave_no_copy() {
    let mut world = world(json!({}), vec![]).await;
    let reply = world.authorize("&login_hint=ann").await;
    let page = typing(&reply).clone();
    assert_eq!((page.app.as_deref(), page.name.as_str()), (Some("App"), "ann"));
    assert_eq!((page.complaint.as_deref(), page.other.is_some()), (None, false));
    let reply = world.type_in(&page.form, " Ann ", RIGHT).await;
    assert!(param(&reply, "code").is_some(), "{reply:?}");
    assert_eq!(param(&reply, "state").as_deref(), Some("s"));
    assert_eq!(world.outcomes().await, [(Outcome::Success, String::new())]);
    // The session serves the next one.
    assert!(param(&world.authorize("&prompt=none").await, "code").is_some());
    let reply = world.log_in_as("ann", WRONG).await;
    assert!(typing(&reply).complaint.is_some());
    let (steps, database) = (world.steps().await, world.database());
    assert!(steps.contains("fake bind"), "{steps}");
    assert!(!steps.contains(RIGHT) && !steps.contains(WRONG), "{steps}");
    // The right one is there: the fake's script has it.
    let holds = |secret: &str| database.windows(secret.len()).any(|window| window == secret.as_bytes());
    assert!(holds(RIGHT) && !holds(WRONG));
}

#[tokio::test]
async fn a_wrong_password_leaves_the_page_as_it_is_and_tells_nothing() {
    let mut world = world(json!({}), vec![]).await;
    let reply = world.authorize("").await;
    let form = typing(&reply).form.clone();
    let mut read = Vec::new();
    for name in ["ann", "nobody", "dora"] {
        let reply = world.type_in(&form, name, WRONG).await;
        let page = typing(&reply).clone();
        assert_eq!((&page.form, page.name.as_str()), (&form, name));
        read.push(page.complaint);
    }
    assert_eq!(read, vec![Some("The user name or password is not right.".to_owned()); 3]);
    for (name, password) in [("ann", ""), ("", RIGHT), ("ann", "\0\0")] {
        let reply = world.type_in(&form, name, password).await;
        let complaint = typing(&reply).complaint.clone();
        assert_eq!(complaint.as_deref(), Some("Please type your user name and your password."));
    }
    // Who has the right password hears why it does not help.
    let reply = world.type_in(&form, "dora", RIGHT).await;
    assert_eq!(typing(&reply).complaint.as_deref(), Some("Your account is switched off."));
    let reply = world.type_in(&form, "sid", RIGHT).await;
    assert!(typing(&reply).complaint.as_ref().unwrap().contains("could not be asked"));
    assert!(param(&world.type_in(&form, "ann", RIGHT).await, "code").is_some());
    let causes = world.outcomes().await;
    let no = |why: &str| (Outcome::Refused, format!("the upstream did not accept the password: fake {why}"));
    // The login that ended well began before.
    assert_eq!(causes[..1], [(Outcome::Success, String::new())]);
    assert_eq!(causes[1..5], [no("Wrong"), no("Unknown"), no("Wrong"), no("Disabled")]);
    assert_eq!(causes[5..], [(Outcome::Error, "the fake is silent".to_owned())]);
}

#[tokio::test]
async fn the_form_is_that_of_this_browser_and_good_once() {
    let mut world = world(json!({}), vec![]).await;
    let reply = world.authorize("").await;
    let form = typing(&reply).form.clone();
    let cookies = std::mem::take(&mut world.cookies);
    assert_eq!(status_of(&world.type_in(&form, "ann", RIGHT).await), 400, "another browser");
    world.cookies = cookies.clone();
    world.origin = Some("https://evil.example".into());
    assert_eq!(status_of(&world.type_in(&form, "ann", RIGHT).await), 400, "another site's form");
    world.origin = Some("http://127.0.0.1:8080".into());
    assert!(param(&world.type_in(&form, "ann", RIGHT).await, "code").is_some());
    world.cookies = cookies;
    assert_eq!(status_of(&world.type_in(&form, "ann", RIGHT).await), 400, "it was used");
    // Nor does the page of one thing take what is for another.
    let url = form.action.replace("/password", "/factor");
    assert_eq!(status_of(&world.send(&OwnForm { action: url, ..form }, &[("code", "1")]).await), 400);
}

#[tokio::test]
async fn without_a_page_nobody_is_logged_in() {
    let mut world = world(json!({}), vec![]).await;
    assert_eq!(param(&world.authorize("&prompt=none").await, "error").as_deref(), Some("login_required"));
    world.log_in_as("ann", RIGHT).await;
    // `prompt=login` and a session that is too old ask anew.
    typing(&world.authorize("&prompt=login").await);
    world.clock.0.fetch_add(61_000, std::sync::atomic::Ordering::Relaxed);
    typing(&world.authorize("&max_age=60").await);
}

#[tokio::test]
async fn where_there_are_several_ways_the_page_leads_to_the_others() {
    let other = connection(3, "idp", alice(), json!({}));
    let mut world = world(json!({}), vec![other]).await;
    let reply = world.authorize("&connection=dir").await;
    let other = typing(&reply).other.clone().unwrap();
    assert_eq!(other.label, "Log in another way");
    let base = url::Url::parse("http://127.0.0.1:8080").unwrap();
    let reply = world.visit(base.join(&other.href).unwrap().as_str()).await;
    assert!(matches!(&reply.kind, ReplyKind::Page(Page::Chooser(_) | Page::Password(_))), "{reply:?}");
}

#[tokio::test]
async fn a_password_that_must_be_changed_is_changed_first() {
    let mut world = world(json!({}), vec![]).await;
    let reply = world.log_in_as("eve", RIGHT).await;
    let form = changing(&reply).form.clone();
    let fill = |old: &'static str, new: &'static str, again: &'static str| {
        [("password", old), ("new_password", new), ("again", again)]
    };
    for (fields, complaint) in [
        (fill(RIGHT, "", ""), "Please fill in all three fields."),
        (fill(RIGHT, "looking-glass", "looking glass"), "The two new passwords are not the same."),
        (fill(WRONG, "looking-glass", "looking-glass"), "The password until now is not right."),
        (fill(RIGHT, "short", "short"), "The new password was not accepted: it needs eight characters at least."),
    ] {
        let reply = world.send(&form, &fields).await;
        let page = changing(&reply);
        assert_eq!((page.complaint.as_deref(), &page.form), (Some(complaint), &form));
    }
    let reply = world.send(&form, &fill(RIGHT, "looking-glass", "looking-glass")).await;
    assert!(param(&reply, "code").is_some(), "{reply:?}");
    world.cookies.clear();
    assert!(typing(&world.log_in_as("eve", RIGHT).await).complaint.is_some(), "the old one is over");
    world.cookies.clear();
    assert!(param(&world.log_in_as("eve", "looking-glass").await, "code").is_some());
    let steps = world.steps().await;
    assert!(!steps.contains("looking-glass"), "{steps}");
}

/// Nodes that remember her old password of a bind hear of it, as of a change of her entry.
#[tokio::test]
async fn a_password_that_was_changed_is_remembered_nowhere() {
    let mut world = world(json!({}), vec![]).await;
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some());
    let ann = world.person_of(2, "ann").await.unwrap();
    let mut settings = directory(json!({}));
    settings["passwords"]["ann"]["says"] = json!("must_change");
    world.apply(&[connection(2, "dir", settings, json!({}))]).await;
    world.cookies.clear();
    let form = changing(&world.log_in_as("ann", RIGHT).await).form.clone();
    let before = world.changed(ann).await;
    let fields = [("password", RIGHT), ("new_password", "looking-glass"), ("again", "looking-glass")];
    assert!(param(&world.send(&form, &fields).await, "code").is_some());
    assert!(world.changed(ann).await > before);
}

/// What is switched off is not asked, and a page that was open by then leads nowhere.
#[tokio::test]
async fn a_connection_that_is_switched_off_is_not_asked() {
    let mut world = world(json!({}), vec![]).await;
    let reply = world.authorize("").await;
    let form = typing(&reply).form.clone();
    let ConfigChange::PutConnection(mut stored) = connection(2, "dir", directory(json!({})), json!({})) else {
        unreachable!()
    };
    stored.spec.enabled = false;
    world.apply(&[ConfigChange::PutConnection(stored)]).await;
    let reply = world.type_in(&form, "ann", RIGHT).await;
    assert_eq!(param(&reply, "error").as_deref(), Some("access_denied"), "{reply:?}");
    assert!(!world.steps().await.contains("fake bind"));
}

/// The page for a new password is no other way to guess the one until now, nor does the page before it go on.
#[tokio::test]
async fn the_password_until_now_is_not_guessed() {
    let mut world = world(json!({}), vec![]).await;
    let reply = world.authorize("").await;
    let before = typing(&reply).form.clone();
    let cookies = world.cookies.clone();
    let reply = world.type_in(&before, "eve", RIGHT).await;
    let form = changing(&reply).form.clone();
    let later = std::mem::replace(&mut world.cookies, cookies);
    assert_eq!(status_of(&world.type_in(&before, "eve", RIGHT).await), 400, "it has led on");
    // From no browser that is known: somebody has found the page open.
    world.cookies = later.into_iter().filter(|(name, _)| !name.ends_with("-d")).collect();
    let mut wrong = 0;
    let complaint = loop {
        let fields = [("password", WRONG), ("new_password", "looking-glass"), ("again", "looking-glass")];
        let reply = world.send(&form, &fields).await;
        let complaint = changing(&reply).complaint.clone().unwrap();
        if complaint != "The password until now is not right." {
            break complaint;
        }
        wrong += 1;
        assert!(wrong < 20, "nobody counts");
    };
    assert_eq!(wrong, 10);
    assert!(complaint.starts_with("There were too many tries."), "{complaint}");
}

/// Who knows the password does not guess, though it is good for nothing.
#[tokio::test]
async fn a_right_password_that_leads_nowhere_is_no_guess() {
    let mut world = world(json!({}), vec![]).await;
    let reply = world.authorize("").await;
    let form = typing(&reply).form.clone();
    for _ in 0..15 {
        let reply = world.type_in(&form, "dora", RIGHT).await;
        assert_eq!(typing(&reply).complaint.as_deref(), Some("Your account is switched off."));
    }
}
