//! Second factors beside a password.

use std::sync::atomic::Ordering;

use fedbridge_contract::config::SecondFactorPolicy;
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::page::{AccountPage, EnrolPage, OwnForm, Page, SecondFactorPage};
use fedbridge_hub::ports::{AppPasswordStore as _, FactorKind, FactorStore as _};
use serde_json::json;

use super::binds::ldap_app;
use super::logout::status_of;
use super::passwords::{RIGHT, tenant, typing, world as plain};
use super::{BASE, World, id, param};
use crate::support::authenticator::Authenticator;

async fn world(policy: SecondFactorPolicy) -> World {
    let world = plain(json!({}), vec![]).await;
    world.apply(&[tenant(policy)]).await;
    world
}

fn enrolling(reply: &Reply) -> &EnrolPage {
    let ReplyKind::Page(Page::Enrol(page)) = &reply.kind else { panic!("nothing is set up: {reply:?}") };
    page
}

fn asked(reply: &Reply) -> &SecondFactorPage {
    let ReplyKind::Page(Page::SecondFactor(page)) = &reply.kind else { panic!("no factor is asked for: {reply:?}") };
    page
}

fn account(reply: &Reply) -> &AccountPage {
    let ReplyKind::Page(Page::Account(page)) = &reply.kind else { panic!("no account: {reply:?}") };
    page
}

/// An authenticator app that has read the page.
fn app_of(page: &EnrolPage) -> Authenticator {
    Authenticator::of(&page.secret)
}

impl World {
    fn next_step(&self) {
        self.clock.0.fetch_add(31_000, Ordering::Relaxed);
    }

    async fn send_code(&mut self, form: &OwnForm, code: &str) -> Reply {
        self.send(form, &[("code", code)]).await
    }

    /// The page that the button on the account page leads to.
    async fn propose(&mut self) -> EnrolPage {
        let reply = self.visit(&format!("{BASE}t/acme/account")).await;
        let form = account(&reply).enrol.clone().unwrap();
        enrolling(&self.send(&form, &[]).await).clone()
    }

    async fn kinds(&self, name: &str) -> Vec<FactorKind> {
        let Some(person) = self.person_of(2, name).await else { return Vec::new() };
        let factors = self.foundation.store.factors(id::<TenantId>(1), person).await.unwrap();
        factors.into_iter().map(|factor| factor.kind).collect()
    }
}

#[tokio::test]
async fn who_has_none_sets_one_up_and_is_asked_from_then_on() {
    let mut world = world(SecondFactorPolicy::Required).await;
    let reply = world.log_in_as("ann", RIGHT).await;
    let page = enrolling(&reply).clone();
    assert_eq!((page.codes.len(), &page.passkey), (8, &None), "an address has no passkeys");
    assert!(page.uri.starts_with("otpauth://totp/Acme:ann?secret="), "{}", page.uri);
    // Nothing is stored before the code is right: a login under way is not a login.
    let reply = world.send_code(&page.form, "000000").await;
    assert_eq!(enrolling(&reply).complaint.as_deref(), Some("This code is not right, or was used before."));
    assert_eq!(world.kinds("ann").await, []);
    assert_eq!(param(&world.authorize("&prompt=none").await, "error").as_deref(), Some("login_required"));
    let (app, typed) = (app_of(&page), page.secret.clone());
    let code = app.code(world.now());
    let reply = world.send_code(&page.form, &code).await;
    assert!(param(&reply, "code").is_some(), "{reply:?}");
    assert_eq!(world.kinds("ann").await.len(), 9);
    // The next login: the code of the enrolment is used up, the next one is good once.
    world.cookies.clear();
    let reply = world.log_in_as("ann", RIGHT).await;
    let page = asked(&reply).clone();
    assert!(page.totp && page.recovery && page.passkey.is_none());
    let reply = world.send_code(&page.form, &code).await;
    assert_eq!(asked(&reply).complaint.as_deref(), Some("This code is not right, or was used before."));
    world.next_step();
    let next = app.code(world.now());
    assert!(param(&world.send_code(&page.form, &next).await, "code").is_some());
    world.cookies.clear();
    let reply = world.log_in_as("ann", RIGHT).await;
    let form = asked(&reply).form.clone();
    asked(&world.send_code(&form, &next).await);
    let steps = world.steps().await;
    assert!(steps.contains("it was set up"), "{steps}");
    assert!(!steps.contains(&typed) && !steps.contains(&typed.replace(' ', "")), "{steps}");
    let database = world.database();
    assert!(!database.windows(app.0.len()).any(|window| window == app.0), "the secret is not sealed");
}

#[tokio::test]
async fn a_recovery_code_is_good_once() {
    let mut world = world(SecondFactorPolicy::Required).await;
    let reply = world.log_in_as("ann", RIGHT).await;
    let page = enrolling(&reply).clone();
    let code = app_of(&page).code(world.now());
    world.send_code(&page.form, &code).await;
    for (round, good) in [(0, true), (0, false), (1, true)] {
        world.cookies.clear();
        let reply = world.log_in_as("ann", RIGHT).await;
        let form = asked(&reply).form.clone();
        let typed = page.codes[round].to_uppercase();
        let reply = world.send_code(&form, &typed).await;
        assert_eq!(matches!(reply.kind, ReplyKind::Redirect(_)), good, "{round}: {reply:?}");
    }
    let database = world.database();
    for code in &page.codes {
        assert!(!database.windows(code.len()).any(|window| window == code.as_bytes()));
    }
}

/// Threats 43: a code has six digits, and no more tries than ten in ten minutes.
#[tokio::test]
async fn codes_are_not_guessed() {
    let mut world = world(SecondFactorPolicy::Required).await;
    let reply = world.log_in_as("ann", RIGHT).await;
    let page = enrolling(&reply).clone();
    let app = app_of(&page);
    let code = app.code(world.now());
    world.send_code(&page.form, &code).await;
    world.cookies.clear();
    let reply = world.log_in_as("ann", RIGHT).await;
    let form = asked(&reply).form.clone();
    world.next_step();
    let right = app.code(world.now());
    let wrong = (0..).map(|code| format!("{code:06}")).filter(|code| *code != right);
    for code in wrong.take(10) {
        let reply = world.send_code(&form, &code).await;
        assert_eq!(asked(&reply).complaint.as_deref(), Some("This code is not right, or was used before."));
    }
    let reply = world.send_code(&form, &right).await;
    assert!(asked(&reply).complaint.as_ref().unwrap().starts_with("There were too many tries."));
}

#[tokio::test]
async fn the_page_of_a_factor_is_worth_nothing_elsewhere() {
    let mut world = world(SecondFactorPolicy::Required).await;
    let reply = world.log_in_as("ann", RIGHT).await;
    let page = enrolling(&reply).clone();
    let code = app_of(&page).code(world.now());
    let cookies = std::mem::take(&mut world.cookies);
    assert_eq!(status_of(&world.send_code(&page.form, &code).await), 400, "another browser");
    world.cookies = cookies;
    let elsewhere = OwnForm { action: page.form.action.replace("/factor/enrol", "/factor"), ..page.form.clone() };
    assert_eq!(status_of(&world.send_code(&elsewhere, &code).await), 400, "another page");
    // Two windows: the second one may not add another factor.
    let reply = world.log_in_as("ann", RIGHT).await;
    let second = enrolling(&reply).clone();
    assert!(param(&world.send_code(&page.form, &code).await, "code").is_some());
    let late = app_of(&second).code(world.now());
    assert_eq!(status_of(&world.send_code(&second.form, &late).await), 400);
    assert_eq!(world.kinds("ann").await.len(), 9);
}

#[tokio::test]
async fn who_has_one_is_asked_although_it_is_only_offered() {
    let mut world = world(SecondFactorPolicy::Offered).await;
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some());
    let reply = world.visit(&format!("{BASE}t/acme/account")).await;
    let page = account(&reply).clone();
    assert!(page.factors.is_empty());
    let reply = world.send(&page.enrol.unwrap(), &[]).await;
    let page = enrolling(&reply).clone();
    let app = app_of(&page);
    let code = app.code(world.now());
    let reply = world.send_code(&page.form, &code).await;
    assert!(matches!(&reply.kind, ReplyKind::Redirect(to) if to.ends_with("/account")), "{reply:?}");
    let reply = world.visit(&format!("{BASE}t/acme/account")).await;
    let row = account(&reply).factors[0].clone();
    assert_eq!(row.name, "Authenticator app");
    let mut other = std::mem::take(&mut world.cookies);
    let reply = world.log_in_as("ann", RIGHT).await;
    asked(&reply);
    // It is taken away where the person is logged in, and the recovery codes go with the last one.
    std::mem::swap(&mut world.cookies, &mut other);
    world.send(&row.form.unwrap(), &[]).await;
    assert_eq!(world.kinds("ann").await, []);
    world.cookies.clear();
    assert!(param(&world.log_in_as("ann", RIGHT).await, "code").is_some());
    // Nobody who logs in elsewhere is offered one, nor where it is off.
    world.apply(&[tenant(SecondFactorPolicy::Off)]).await;
    let reply = world.visit(&format!("{BASE}t/acme/account")).await;
    assert_eq!(account(&reply).enrol, None);
}

#[tokio::test]
async fn the_last_one_stays_where_one_is_required() {
    let mut world = world(SecondFactorPolicy::Required).await;
    let reply = world.log_in_as("ann", RIGHT).await;
    let page = enrolling(&reply).clone();
    let code = app_of(&page).code(world.now());
    world.send_code(&page.form, &code).await;
    let reply = world.visit(&format!("{BASE}t/acme/account")).await;
    let row = account(&reply).factors[0].clone();
    assert_eq!(status_of(&world.send(&row.form.unwrap(), &[]).await), 403);
    assert_eq!(world.kinds("ann").await.len(), 9);
    typing(&world.authorize("&prompt=login").await);
}

/// The password's own page is over once it has led on, whatever comes of the factor.
#[tokio::test]
async fn a_page_that_has_led_on_takes_nothing_more() {
    let mut world = world(SecondFactorPolicy::Required).await;
    let reply = world.authorize("").await;
    let form = typing(&reply).form.clone();
    let cookies = world.cookies.clone();
    let reply = world.type_in(&form, "ann", RIGHT).await;
    let first = enrolling(&reply).clone();
    let asked_first = std::mem::replace(&mut world.cookies, cookies.clone());
    assert_eq!(status_of(&world.type_in(&form, "ann", RIGHT).await), 400);
    world.cookies = asked_first;
    let code = app_of(&first).code(world.now());
    assert!(param(&world.send_code(&first.form, &code).await, "code").is_some());
    // The same where a factor is there to be asked for.
    world.cookies.clear();
    let reply = world.authorize("").await;
    let form = typing(&reply).form.clone();
    let cookies = world.cookies.clone();
    asked(&world.type_in(&form, "ann", RIGHT).await);
    world.cookies = cookies;
    assert_eq!(status_of(&world.type_in(&form, "ann", RIGHT).await), 400);
}

#[tokio::test]
async fn a_factor_is_set_up_once_and_in_the_session_that_asked() {
    let mut world = world(SecondFactorPolicy::Offered).await;
    world.log_in_as("ann", RIGHT).await;
    let page = world.propose().await;
    // Bob logs in in the same browser meanwhile.
    assert!(param(&world.log_in_as("bob", RIGHT).await, "code").is_some());
    let code = app_of(&page).code(world.now());
    assert_eq!(status_of(&world.send_code(&page.form, &code).await), 400);
    assert_eq!((world.kinds("ann").await, world.kinds("bob").await), (vec![], vec![]));

    world.cookies.clear();
    world.log_in_as("ann", RIGHT).await;
    let page = world.propose().await;
    let before = world.cookies.clone();
    let code = app_of(&page).code(world.now());
    assert!(matches!(world.send_code(&page.form, &code).await.kind, ReplyKind::Redirect(_)));
    world.cookies = before;
    world.next_step();
    let code = app_of(&page).code(world.now());
    assert_eq!(status_of(&world.send_code(&page.form, &code).await), 400);
    assert_eq!(world.kinds("ann").await.len(), 9);
}

/// What makes it easier to get in asks who it is anew; another page's form does nothing at all.
#[tokio::test]
async fn factors_are_changed_by_somebody_who_logged_in_just_now() {
    let mut world = world(SecondFactorPolicy::Offered).await;
    world.apply(&[ldap_app(42, "mail", &[], json!({ "passwords": ["app_password"] }))]).await;
    world.log_in_as("ann", RIGHT).await;
    let page = world.propose().await;
    let code = app_of(&page).code(world.now());
    world.send_code(&page.form, &code).await;
    let reply = world.visit(&format!("{BASE}t/acme/account")).await;
    let page = account(&reply).clone();
    let (enrol, remove) = (page.enrol.unwrap(), page.factors[0].form.clone().unwrap());
    let new = page.app_password_for.first().and_then(|row| row.form.clone()).expect("an app that takes app passwords");
    for form in [&enrol, &remove, &new] {
        let mut stray = form.clone();
        stray.fields.retain(|(name, _)| name != "token");
        assert_eq!(status_of(&world.send(&stray, &[]).await), 400, "{}", form.action);
    }
    world.clock.0.fetch_add(301_000, Ordering::Relaxed);
    for form in [&enrol, &remove, &new] {
        typing(&world.send(form, &[]).await);
    }
    let ann = world.person_of(2, "ann").await.unwrap();
    assert_eq!(world.foundation.store.app_passwords(id::<TenantId>(1), ann, None).await.unwrap(), []);
    assert_eq!(world.kinds("ann").await.len(), 9);
}

/// A page that was opened in time is not good for ever.
#[tokio::test]
async fn a_factor_that_is_proposed_is_kept_for_somebody_who_logged_in_just_now() {
    let mut world = world(SecondFactorPolicy::Offered).await;
    world.log_in_as("ann", RIGHT).await;
    let page = world.propose().await;
    world.clock.0.fetch_add(301_000, Ordering::Relaxed);
    let code = app_of(&page).code(world.now());
    typing(&world.send_code(&page.form, &code).await);
    assert!(world.kinds("ann").await.is_empty());
}

/// Pages that were opened while there was room do not make more factors than there may be.
#[tokio::test]
async fn nobody_has_more_than_ten_factors() {
    let mut world = world(SecondFactorPolicy::Offered).await;
    world.log_in_as("ann", RIGHT).await;
    let mut pages = Vec::new();
    for _ in 0..11 {
        pages.push(world.propose().await);
    }
    let own = |kinds: Vec<FactorKind>| kinds.into_iter().filter(|kind| *kind == FactorKind::Totp).count();
    for page in &pages[..10] {
        let code = app_of(page).code(world.now());
        assert!(matches!(world.send_code(&page.form, &code).await.kind, ReplyKind::Redirect(_)));
    }
    assert_eq!(own(world.kinds("ann").await), 10);
    let code = app_of(&pages[10]).code(world.now());
    assert_eq!(status_of(&world.send_code(&pages[10].form, &code).await), 403);
    assert_eq!(own(world.kinds("ann").await), 10);
}

/// Each page proposes recovery codes of its own. Those of the page that was sent last are the person's.
#[tokio::test]
async fn only_one_sheet_of_recovery_codes_is_good() {
    let mut world = world(SecondFactorPolicy::Offered).await;
    world.log_in_as("ann", RIGHT).await;
    let pages = [world.propose().await, world.propose().await];
    for page in &pages {
        let code = app_of(page).code(world.now());
        assert!(matches!(world.send_code(&page.form, &code).await.kind, ReplyKind::Redirect(_)));
        let codes = world.kinds("ann").await.into_iter().filter(|kind| *kind == FactorKind::Recovery);
        assert_eq!(codes.count(), 8);
    }
    // A page that was opened since then proposes none, and leaves those that there are.
    let third = world.propose().await;
    assert!(third.codes.is_empty());
    let code = app_of(&third).code(world.now());
    assert!(matches!(world.send_code(&third.form, &code).await.kind, ReplyKind::Redirect(_)));
    for (page, good) in pages.iter().zip([false, true]) {
        world.cookies.clear();
        let reply = world.log_in_as("ann", RIGHT).await;
        let form = asked(&reply).form.clone();
        let reply = world.send_code(&form, &page.codes[0]).await;
        assert_eq!(matches!(reply.kind, ReplyKind::Redirect(_)), good, "{reply:?}");
    }
}
