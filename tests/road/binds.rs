//! Who may bind over LDAP.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, AppKind, SecondFactorPolicy};
use fedbridge_contract::directory::{
    BindAnswer, BindDesk as _, BoundBy, DirectoryPerson, KnownLogin, Peer, PersonBind,
};
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::http::ReplyKind;
use fedbridge_contract::ids::{AppId, ConnectionId, FactorId, PersonId, TenantId};
use fedbridge_contract::page::{AccountPage, OwnForm, Page};
use fedbridge_contract::password::Password;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_hub::ports::{
    AppPasswordStore as _, Command, EpochStore as _, FactorKind, LoginStore as _, NewAppPassword, NewFactor,
    ProfileStore as _, Unit,
};
use fedbridge_hub::run::HubDesk;
use fedbridge_hub::spec::{ConfigChange, SecretOwner, SecretValue, StoredSecret};
use fedbridge_keys::OpensslRng;
use serde_json::{Value, json};

use super::passwords::{RIGHT, WRONG, tenant, typing, world as plain};
use super::{BASE, HERE, World, alice, app, connection, id, param};
use crate::support::authenticator::Authenticator;

/// An app that speaks LDAP.
pub fn ldap_app(number: u8, name: &str, groups: &[&str], settings: Value) -> ConfigChange {
    let ConfigChange::PutApp(mut stored) = app(number, name, settings) else { unreachable!() };
    stored.spec.kind = AppKind::LdapApp;
    stored.spec.groups = groups.iter().map(|&group| group.to_owned()).collect();
    ConfigChange::PutApp(stored)
}

fn secret(number: u8, secret: &str) -> ConfigChange {
    ConfigChange::PutSecret(StoredSecret {
        tenant: id::<TenantId>(1),
        owner: SecretOwner::App(id::<AppId>(number)),
        name: "bind_password".into(),
        value: SecretValue::Clear(secret.as_bytes().to_vec()),
    })
}

pub async fn world() -> World {
    let apps = vec![
        ldap_app(40, "jenkins", &[], json!({})),
        ldap_app(41, "vault", &["admins"], json!({})),
        ldap_app(42, "mail", &[], json!({ "passwords": ["app_password"] })),
        ldap_app(43, "vpn", &[], json!({ "passwords": ["otp_suffix"] })),
        secret(40, "a secret of jenkins that is long"),
        connection(3, "idp", alice(), json!({})),
    ];
    plain(json!({}), apps).await
}

fn peer() -> Peer {
    Peer { ip: HERE, encrypted: true }
}

impl World {
    fn desk(&self) -> HubDesk {
        HubDesk { hub: Arc::clone(&self.hub) }
    }

    fn view(&self) -> Arc<fedbridge_contract::config::Tenant> {
        Arc::clone(&self.wired.snapshots.current().named("acme").unwrap().view)
    }

    fn app_of(&self, number: u8) -> Arc<App> {
        Arc::clone(self.view().app_by_id(id::<AppId>(number)).unwrap())
    }

    pub(super) async fn bind(
        &self,
        app: u8,
        person: Option<&DirectoryPerson>,
        name: &str,
        password: &str,
    ) -> BindAnswer {
        let (view, app) = (self.view(), self.app_of(app));
        let password = Password::new(password).unwrap();
        let ask = PersonBind {
            tenant: &view,
            app: Some(&app),
            person,
            name,
            password: &password,
            peer: peer(),
            thread: None,
            now: self.now(),
        };
        self.desk().person(ask, &mut TraceLog::new()).await
    }

    /// Gives somebody an authenticator app.
    async fn keep_totp(&self, person: &DirectoryPerson, secret: &[u8]) {
        let factor = NewFactor {
            id: FactorId::random(&OpensslRng),
            kind: FactorKind::Totp,
            label: String::new(),
            secret: secret.to_vec(),
            last_step: -1,
        };
        let commands = vec![Command::KeepFactor { person: person.id, factor: Box::new(factor) }];
        self.foundation.store.commit(id::<TenantId>(1), Unit { commands, now: self.now() }).await.unwrap();
    }

    /// When the entry of somebody changed last: what nodes remember of a right password hangs on it.
    pub(super) async fn changed(&self, person: PersonId) -> Timestamp {
        let profiles = self.foundation.store.profiles_of(id::<TenantId>(1), person).await.unwrap();
        profiles.iter().map(|profile| profile.changed).max().unwrap()
    }

    /// As the directory shows somebody who has logged in.
    pub(super) async fn shown(&self, name: &str, groups: &[&str]) -> DirectoryPerson {
        let person = self.person_of(2, name).await.unwrap();
        let mut claims = Claims::default();
        claims.set("preferred_username", json!(name));
        claims.set("groups", json!(groups));
        DirectoryPerson {
            id: person,
            claims,
            logins: vec![KnownLogin {
                connection: id::<ConnectionId>(2),
                key: name.into(),
                place: Some(format!("uid={name}")),
            }],
            disabled: false,
            epoch: Epoch::default(),
            posix: None,
            created: self.now(),
            changed: self.now(),
        }
    }
}

pub fn yes(answer: BindAnswer) -> (Option<PersonId>, BoundBy) {
    let BindAnswer::Yes { person, by, .. } = answer else { panic!("no: {answer:?}") };
    (person, by)
}

/// The same to whoever has bound, whether the password was right or not.
pub fn no(answer: BindAnswer) -> String {
    match answer {
        BindAnswer::No(why) | BindAnswer::Barred { why, .. } => why,
        other => panic!("not a no: {other:?}"),
    }
}

const UPSTREAM: fn() -> BoundBy = || BoundBy::Upstream(id::<ConnectionId>(2));

#[tokio::test]
async fn an_app_binds_with_its_secret() {
    let world = world().await;
    let (desk, view, jenkins) = (world.desk(), world.view(), world.app_of(40));
    let bind = async |text: &str| desk.app(&view, &jenkins, &Password::new(text).unwrap(), peer()).await;
    assert_eq!(yes(bind("a secret of jenkins that is long").await), (None, BoundBy::AppSecret));
    for wrong in ["a secret of jenkins that is lonG", "x", WRONG] {
        assert!(no(bind(wrong).await).contains("secret"));
    }
    // Who guesses elsewhere keeps the app out of nowhere.
    let stranger = Peer { ip: "192.0.2.9".parse().unwrap(), encrypted: true };
    for _ in 0..30 {
        no(desk.app(&view, &jenkins, &Password::new("guess").unwrap(), stranger).await);
    }
    yes(bind("a secret of jenkins that is long").await);
    let right = Password::new("a secret of jenkins that is long").unwrap();
    assert!(no(desk.app(&view, &jenkins, &right, stranger).await).contains("too many"), "not even the right one");
    let without = world.app_of(41);
    no(desk.app(&view, &without, &Password::new("anything").unwrap(), peer()).await);
}

#[tokio::test]
async fn a_person_binds_with_the_password_of_where_they_come_from() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let ann = world.shown("ann", &["staff"]).await;
    assert_eq!(yes(world.bind(40, Some(&ann), "ann", RIGHT).await), (Some(ann.id), UPSTREAM()));
    assert!(no(world.bind(40, Some(&ann), "ann", WRONG).await).contains("fake Wrong"));
    // The app's groups, an account that is switched off, and a person who comes by single sign-on alone.
    assert!(no(world.bind(41, Some(&ann), "ann", RIGHT).await).contains("a member of none of admins"));
    let admin = world.shown("ann", &["admins"]).await;
    yes(world.bind(41, Some(&admin), "ann", RIGHT).await);
    let off = DirectoryPerson { disabled: true, ..ann.clone() };
    assert!(no(world.bind(40, Some(&off), "ann", RIGHT).await).contains("the person is disabled"));
    let federated = DirectoryPerson { logins: Vec::new(), ..ann.clone() };
    assert!(no(world.bind(40, Some(&federated), "ann", RIGHT).await).contains("only an app password"));
    // What the server remembers holds only while the person may bind.
    let (view, jenkins) = (world.view(), world.app_of(40));
    let password = Password::new(RIGHT).unwrap();
    let still = async |person| {
        let ask = PersonBind {
            tenant: &view,
            app: Some(&jenkins),
            person: Some(person),
            name: "ann",
            password: &password,
            peer: peer(),
            thread: None,
            now: world.now(),
        };
        world.desk().still(&ask).await.is_ok()
    };
    assert!(still(&ann).await && !still(&off).await);
}

impl World {
    pub(super) async fn log_in_by_dir(&mut self, name: &str) {
        let reply = self.authorize("&prompt=login&connection=dir").await;
        let form = typing(&reply).form.clone();
        assert!(param(&self.type_in(&form, name, RIGHT).await, "code").is_some());
    }
}

#[tokio::test]
async fn somebody_new_appears_by_a_bind_and_a_disabled_account_does_not() {
    let world = world().await;
    let (person, by) = yes(world.bind(40, None, "bob", RIGHT).await);
    assert_eq!(by, UPSTREAM());
    assert_eq!(person, world.person_of(2, "bob").await);
    assert_eq!(yes(world.bind(40, None, "bob", RIGHT).await).0, person, "the same one the next time");
    for (name, password) in [("nobody", RIGHT), ("ann", WRONG), ("dora", RIGHT), ("eve", RIGHT)] {
        no(world.bind(40, None, name, password).await);
        assert_eq!(world.person_of(2, name).await, None, "{name}");
    }
    assert!(matches!(world.bind(40, None, "sid", RIGHT).await, BindAnswer::Unavailable(_)));
    assert!(no(world.bind(42, None, "ann", RIGHT).await).contains("app passwords only"));
}

/// Threats 43 and 44: the web and LDAP count together.
#[tokio::test]
async fn guesses_on_the_web_count_for_binds() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let ann = world.shown("ann", &[]).await;
    yes(world.bind(40, Some(&ann), "ann", RIGHT).await);
    world.cookies.clear();
    for _ in 0..10 {
        let reply = world.authorize("&prompt=login&connection=dir").await;
        let form = typing(&reply).form.clone();
        world.type_in(&form, "ann", WRONG).await;
    }
    // From where the account has bound before it still binds; by way of another app it does not.
    yes(world.bind(40, Some(&ann), "ann", RIGHT).await);
    let admin = world.shown("ann", &["admins"]).await;
    assert!(no(world.bind(41, Some(&admin), "ann", RIGHT).await).contains("too many"));
}

#[tokio::test]
async fn a_code_stands_behind_the_password_where_the_app_asks_for_one() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let ann = world.shown("ann", &[]).await;
    assert!(no(world.bind(43, Some(&ann), "ann", RIGHT).await).contains("no code"));
    assert!(no(world.bind(43, Some(&ann), "ann", &format!("{RIGHT},123456")).await).contains("code"));
    let secret = b"12345678901234567890".to_vec();
    world.keep_totp(&ann, &secret).await;
    let code = Authenticator(secret).code(world.now());
    assert!(no(world.bind(43, Some(&ann), "ann", &format!("{WRONG},{code}")).await).contains("fake Wrong"));
    assert!(no(world.bind(43, Some(&ann), "ann", RIGHT).await).contains("no code"));
    yes(world.bind(43, Some(&ann), "ann", &format!("{RIGHT},{code}")).await);
    assert!(no(world.bind(43, Some(&ann), "ann", &format!("{RIGHT},{code}")).await).contains("code"), "once");
    // An app that takes the password alone is not asked for more.
    yes(world.bind(40, Some(&ann), "ann", RIGHT).await);
}

/// Codes are counted for the person, here and on the web: whoever knows no password uses none of these tries up.
#[tokio::test]
async fn without_the_password_nobody_uses_tries_at_codes_up() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let ann = world.shown("ann", &[]).await;
    let authenticator = Authenticator(b"12345678901234567890".to_vec());
    world.keep_totp(&ann, &authenticator.0).await;
    let with_code = |world: &World| format!("{RIGHT},{}", authenticator.code(world.now()));
    let BindAnswer::Yes { cached_until, .. } = world.bind(43, Some(&ann), "ann", &with_code(&world)).await else {
        panic!("the code is right")
    };
    assert_eq!(cached_until, None, "a code is good once, and nobody remembers that it was");
    let (view, vpn) = (world.view(), world.app_of(43));
    let guess = Password::new(format!("{WRONG},000000")).unwrap();
    for number in 0..30 {
        let peer = Peer { ip: std::net::Ipv4Addr::new(192, 0, 2, number).into(), encrypted: true };
        let (tenant, app, person, now) = (&*view, Some(&*vpn), Some(&ann), world.now());
        let ask = PersonBind { tenant, app, person, name: "ann", password: &guess, peer, thread: None, now };
        no(world.desk().person(ask, &mut TraceLog::new()).await);
    }
    world.clock.0.fetch_add(30_000, Ordering::Relaxed);
    yes(world.bind(43, Some(&ann), "ann", &with_code(&world)).await);
    // Whoever knows it has ten.
    for _ in 0..10 {
        assert!(no(world.bind(43, Some(&ann), "ann", &format!("{RIGHT},000000")).await).contains("code is not right"));
    }
    world.clock.0.fetch_add(30_000, Ordering::Relaxed);
    assert!(no(world.bind(43, Some(&ann), "ann", &with_code(&world)).await).contains("too many wrong codes"));
}

fn account(reply: &fedbridge_contract::http::Reply) -> &AccountPage {
    let ReplyKind::Page(Page::Account(page)) = &reply.kind else { panic!("no account: {reply:?}") };
    page
}

#[tokio::test]
async fn an_app_password_is_good_in_one_app_until_it_is_taken_back() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let reply = world.visit(&format!("{BASE}t/acme/account")).await;
    let page = account(&reply).clone();
    let mut names: Vec<_> = page.app_password_for.iter().map(|row| row.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, ["jenkins", "mail", "vault"]);
    let mail = page.app_password_for.iter().find(|row| row.name == "mail").unwrap();
    let reply = world.send(mail.form.as_ref().unwrap(), &[]).await;
    let ReplyKind::Page(Page::Shown(shown)) = &reply.kind else { panic!("it is not shown: {reply:?}") };
    let secret = shown.secret.clone();
    // Of somebody who comes by single sign-on, too.
    let ann = DirectoryPerson { logins: Vec::new(), ..world.shown("ann", &[]).await };
    assert_eq!(yes(world.bind(42, Some(&ann), "ann", &secret).await), (Some(ann.id), BoundBy::AppPassword));
    yes(world.bind(42, Some(&ann), "ann", &secret.to_uppercase().replace('-', "")).await);
    no(world.bind(40, Some(&ann), "ann", &secret).await);
    // Who knows the beginning of one has so many tries at the rest, each of which takes much time and memory.
    let guessed: Vec<_> = "abcdefghijklmnopqrstuvwxyz234567"
        .chars()
        .flat_map(|other| {
            let plain = secret.replace('-', "");
            let with = |last| format!("{}{other}{}{last}", &plain[..20], &plain[21..24]);
            "abcdefghijklmnopqrstuvwxyz234567".chars().map(with).filter(|text| *text != plain).collect::<Vec<_>>()
        })
        .collect();
    let (view, mail) = (world.view(), world.app_of(42));
    let peer = Peer { ip: "192.0.2.9".parse().unwrap(), encrypted: true };
    let mut held_up = 0;
    for guess in &guessed {
        let password = Password::new(guess.as_str()).unwrap();
        let (tenant, app, person, now) = (&*view, Some(&*mail), Some(&ann), world.now());
        let ask = PersonBind { tenant, app, person, name: "ann", password: &password, peer, thread: None, now };
        let why = no(world.desk().person(ask, &mut TraceLog::new()).await);
        held_up += usize::from(why.contains("too many wrong app passwords"));
    }
    assert!((1..100).contains(&held_up), "{held_up}: what is no app password at all is no try");
    assert_eq!(
        yes(world.bind(42, Some(&ann), "ann", &secret).await).1,
        BoundBy::AppPassword,
        "at home nothing changes"
    );
    let other = DirectoryPerson { id: "0000000000000000000000000000abcd".parse().unwrap(), ..ann.clone() };
    no(world.bind(42, Some(&other), "ann", &secret).await);
    assert!(no(world.bind(42, Some(&ann), "ann", RIGHT).await).contains("app passwords only"));
    let (steps, database) = (world.steps().await, world.database());
    for text in [secret.clone(), secret.replace('-', "")] {
        assert!(!steps.contains(&text));
        assert!(!database.windows(text.len()).any(|window| window == text.as_bytes()));
    }
    // An app password opens no page.
    let cookies = world.cookies.clone();
    world.cookies.clear();
    let reply = world.authorize("&prompt=login&connection=dir").await;
    let form = typing(&reply).form.clone();
    assert!(typing(&world.type_in(&form, "ann", &secret).await).complaint.is_some());
    world.cookies = cookies;
    let reply = world.visit(&format!("{BASE}t/acme/account")).await;
    let row = account(&reply).app_passwords[0].clone();
    world.send(&row.form.unwrap(), &[]).await;
    no(world.bind(42, Some(&ann), "ann", &secret).await);
}

#[tokio::test]
async fn a_kill_ends_what_is_on_its_way() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let ann = world.shown("ann", &[]).await;
    let killed = Killed::Person(id::<TenantId>(1), ann.id);
    let epoch = world.foundation.system.kill(killed, world.now()).await.unwrap().unwrap();
    // The directory has heard of it: whoever binds now is not who was killed.
    world.foundation.epochs.catch_up(world.foundation.system.as_ref()).await.unwrap();
    let now = DirectoryPerson { epoch, ..ann.clone() };
    yes(world.bind(40, Some(&now), "ann", RIGHT).await);
    // A node that lags behind gives nothing out.
    let later = DirectoryPerson { epoch: Epoch(epoch.0 + 1), ..ann };
    assert!(no(world.bind(40, Some(&later), "ann", RIGHT).await).contains("kill"));
    world.apply(&[tenant(SecondFactorPolicy::Off)]).await;
}

#[tokio::test]
async fn a_password_is_changed_with_the_one_until_now() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let ann = world.shown("ann", &[]).await;
    let (view, jenkins) = (world.view(), world.app_of(40));
    let change = async |old: &str, new: &str| {
        let old = Password::new(old).unwrap();
        let ask = PersonBind {
            tenant: &view,
            app: Some(&jenkins),
            person: Some(&ann),
            name: "ann",
            password: &old,
            peer: peer(),
            thread: None,
            now: world.now(),
        };
        world.desk().change(ask, &Password::new(new).unwrap(), &mut TraceLog::new()).await
    };
    assert!(no(change(WRONG, "a new password").await).contains("not right"));
    assert!(no(change(RIGHT, "short").await).contains("eight characters"));
    let before = world.changed(ann.id).await;
    world.clock.0.fetch_add(1_000, Ordering::Relaxed);
    yes(change(RIGHT, "a new password").await);
    assert!(world.changed(ann.id).await > before, "every node forgets the one before");
    yes(world.bind(40, Some(&ann), "ann", "a new password").await);
    no(world.bind(40, Some(&ann), "ann", RIGHT).await);
}

impl World {
    /// The form that makes Ann a password for an app.
    async fn form_for_password(&mut self, app: &str) -> OwnForm {
        let reply = self.visit(&format!("{BASE}t/acme/account")).await;
        let row = account(&reply).app_password_for.iter().find(|row| row.name == app).cloned();
        row.and_then(|row| row.form).unwrap()
    }
}

fn shown(reply: &fedbridge_contract::http::Reply) -> Option<String> {
    match &reply.kind {
        ReplyKind::Page(Page::Shown(page)) => Some(page.secret.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn an_app_password_ends_with_its_time_and_with_what_the_app_takes() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let form = world.form_for_password("mail").await;
    let secret = shown(&world.send(&form, &[]).await).unwrap();
    let ann = world.shown("ann", &[]).await;
    yes(world.bind(42, Some(&ann), "ann", &secret).await);
    // The same until in a minute, as an administrator may make one.
    let (store, tenant) = (&world.foundation.store, id::<TenantId>(1));
    let kept = store.app_passwords(tenant, ann.id, None).await.unwrap().remove(0);
    let until = NewAppPassword {
        id: kept.id,
        person: ann.id,
        app: kept.app,
        label: kept.label,
        hash: kept.hash,
        expires: Some(world.now() + std::time::Duration::from_secs(60)),
    };
    let commands =
        vec![Command::DropAppPassword { person: ann.id, id: kept.id }, Command::KeepAppPassword(Box::new(until))];
    store.commit(tenant, Unit { commands, now: world.now() }).await.unwrap();
    yes(world.bind(42, Some(&ann), "ann", &secret).await);
    world.clock.0.fetch_add(60_000, Ordering::Relaxed);
    no(world.bind(42, Some(&ann), "ann", &secret).await);

    let secret = shown(&world.send(&form, &[]).await).unwrap();
    yes(world.bind(42, Some(&ann), "ann", &secret).await);
    world.apply(&[ldap_app(42, "mail", &[], json!({ "passwords": ["upstream"] }))]).await;
    no(world.bind(42, Some(&ann), "ann", &secret).await);
    // The page was open by then.
    assert_eq!(shown(&world.send(&form, &[]).await), None);
}

#[tokio::test]
async fn nobody_has_more_than_five_passwords_for_an_app() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let form = world.form_for_password("mail").await;
    for number in 0..6 {
        assert_eq!(shown(&world.send(&form, &[]).await).is_some(), number < 5, "{number}");
    }
    let jenkins = world.form_for_password("jenkins").await;
    assert!(shown(&world.send(&jenkins, &[]).await).is_some(), "of another app");
}

/// Threats 43: a code behind a password is no easier to guess than one on the page.
#[tokio::test]
async fn codes_behind_passwords_are_not_guessed() {
    let mut world = world().await;
    world.log_in_by_dir("ann").await;
    let ann = world.shown("ann", &[]).await;
    let authenticator = Authenticator(b"12345678901234567890".to_vec());
    world.keep_totp(&ann, &authenticator.0).await;
    let right = authenticator.code(world.now());
    let wrong = (0..).map(|code| format!("{code:06}")).filter(|code| *code != right);
    for code in wrong.take(10) {
        assert!(no(world.bind(43, Some(&ann), "ann", &format!("{RIGHT},{code}")).await).contains("not right"));
    }
    let answer = world.bind(43, Some(&ann), "ann", &format!("{RIGHT},{right}")).await;
    assert!(no(answer).contains("too many wrong codes"));
}
