//! What a person sees and ends on the account page.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fedbridge_contract::http::ReplyKind;
use fedbridge_contract::ids::{GrantId, TenantId};
use fedbridge_contract::page::{OwnForm, Page};
use fedbridge_contract::services::Grants as _;
use fedbridge_contract::ticket;
use fedbridge_hub::spec::{PeopleSpec, SubjectType};
use serde_json::json;

use super::links::{account_of, at_home};
use super::logout::{by, goes_to, status_of, upstream, world};
use super::{BASE, World, alice, client, connection, connection_of, id, param};

const ACCOUNT: &str = "http://127.0.0.1:8080/t/acme/account";

impl World {
    /// The first form of this kind on the account page.
    async fn form_for(&mut self, act: &str) -> OwnForm {
        let reply = self.visit(ACCOUNT).await;
        let page = account_of(&reply);
        let rows = match act {
            "connect" => page.connect.iter().filter(|row| row.name == "three").collect::<Vec<_>>(),
            _ => page.logins.iter().collect(),
        };
        let form = rows.into_iter().find_map(|row| row.form.clone()).unwrap();
        assert!(form.action.ends_with(act), "{form:?}");
        form
    }
}

#[tokio::test]
async fn a_person_ends_a_session_elsewhere() {
    let (mut world, calls) = world(vec![upstream("back")], &[("wiki", by("back"))]).await;
    world.log_in("wiki").await;
    let elsewhere = std::mem::take(&mut world.cookies);
    world.log_in("wiki").await;
    let own = world.cookies.clone();
    let reply = world.visit(ACCOUNT).await;
    let rows = &account_of(&reply).sessions;
    assert_eq!((rows.len(), rows.iter().filter(|row| row.here).count()), (2, 1));
    assert!(rows.iter().all(|row| row.here == row.form.is_none() && row.since.is_some()));
    let form = rows.iter().find_map(|row| row.form.clone()).unwrap();
    let outbox = world.outbox();
    assert_eq!(goes_to(&world.send(&form, &[]).await), ACCOUNT);
    let told = async {
        while calls.bodies("").is_empty() && !calls.hosts().contains(&"wiki.example".to_owned()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), told).await.unwrap();
    outbox.abort();
    assert_eq!(account_of(&world.visit(ACCOUNT).await).sessions.len(), 1);
    // Sending it twice does no harm, and the session here lives.
    assert_eq!(goes_to(&world.send(&form, &[]).await), ACCOUNT);
    assert_eq!(world.cookies, own);
    world.cookies = elsewhere.clone();
    world.log_in("wiki").await;
    assert_ne!(world.cookies, elsewhere);
    let kinds = super::records::records(&world).await;
    assert_eq!(kinds.iter().filter(|(summary, _)| summary.kind == "account").count(), 2);
}

#[tokio::test]
async fn a_person_takes_away_what_an_app_was_given() {
    let offline = json!({
        "consent": "remember",
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": ["openid", "email", "offline_access"],
    });
    let changes = vec![connection(2, "one", alice(), json!({})), client(30, "shop", offline)];
    let mut world = World::new(changes, SubjectType::Public).await;
    let scope = "openid%20offline_access";
    let reply = world.authorize_for("shop", scope, "&prompt=consent").await;
    let ReplyKind::Page(Page::Consent(page)) = &reply.kind else { panic!("{reply:?}") };
    let code = param(&world.send(&page.form.clone(), &[("answer", "allow")]).await, "code").unwrap();
    let refresh = world.redeem("shop", &code).await;
    let grant = ticket::id_of(&code).map(GrantId::from_uuid).unwrap();
    let reply = world.visit(ACCOUNT).await;
    let row = account_of(&reply).apps.iter().find(|row| row.name == "shop").unwrap();
    assert_eq!(goes_to(&world.send(&row.form.clone().unwrap(), &[]).await), ACCOUNT);
    let found = world.foundation.store.find(id::<TenantId>(1), grant, None, world.now()).await.unwrap();
    assert!(found.is_none_or(|grant| grant.standing.revoked), "offline access is over");
    assert_eq!(world.refresh("shop", &refresh).await.0, 400);
    assert!(account_of(&world.visit(ACCOUNT).await).apps.is_empty());
    let reply = world.authorize_for("shop", scope, "&prompt=consent").await;
    assert!(matches!(reply.kind, ReplyKind::Page(Page::Consent(_))), "the person is asked anew");
}

/// An app that comes between the two must not get anything on a yes that is being taken back.
#[tokio::test]
async fn the_consent_ends_before_what_it_gave() {
    let changes = vec![connection(2, "one", alice(), json!({})), client(30, "shop", json!({ "consent": "always" }))];
    let mut world = World::new(changes, SubjectType::Public).await;
    let reply = world.authorize_for("shop", "openid", "").await;
    let ReplyKind::Page(Page::Consent(page)) = &reply.kind else { panic!("{reply:?}") };
    world.send(&page.form.clone(), &[("answer", "allow")]).await;
    let reply = world.visit(ACCOUNT).await;
    let form = account_of(&reply).apps[0].form.clone().unwrap();
    let store = world.watch_people();
    assert_eq!(goes_to(&world.send(&form, &[]).await), ACCOUNT);
    assert!(!store.agreed_at_revocation.load(Ordering::Relaxed));
    assert!(account_of(&world.visit(ACCOUNT).await).apps.is_empty());
}

/// Who finds a browser that is logged in must not take the account over, or lock its person out.
#[tokio::test]
async fn logins_are_connected_and_disconnected_by_somebody_who_logged_in_just_now() {
    for act in ["connect", "unlink"] {
        let mut world = at_home().await;
        world.connect(3, "alice@two").await;
        let form = world.form_for(act).await;
        world.wait(Duration::from_secs(301));
        let reply = world.send(&form, &[]).await;
        let login = goes_to(&reply).to_owned();
        assert!(login.contains("/connections/one/fake/answer"), "{act}: {login}");
        assert_eq!(world.logins().await, ["alice", "alice@two"]);
        let lines = super::records::decisions(&world, "fresh").await;
        assert_eq!(lines.len(), 0, "what goes on at the upstream is recorded when it comes back");
        // It leads back to the page, where the same button does it.
        let reply = world.visit(&login).await;
        account_of(&reply);
        let lines = super::records::decisions(&world, "fresh").await;
        assert!(lines.iter().any(|line| line.contains("301 s old: they log in again first")), "{lines:?}");
        let form = world.form_for(act).await;
        let reply = world.send(&form, &[]).await;
        match act {
            "connect" => assert!(goes_to(&reply).contains("/connections/three/"), "{reply:?}"),
            _ => {
                assert_eq!(goes_to(&reply), ACCOUNT);
                assert_eq!(world.logins().await, ["alice"]);
            }
        }
    }
}

/// What an upstream does not say is no fresh authentication: it may have let the browser through without asking anybody.
#[tokio::test]
async fn an_authentication_of_unknown_age_is_not_fresh() {
    for act in ["connect", "unlink"] {
        let mut world = at_home().await;
        world.connect(3, "alice@two").await;
        let undated = json!({ "subject": "alice", "undated": true });
        world.apply(&[connection(2, "one", undated, json!({}))]).await;
        world.cookies.clear();
        world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=one")).await;
        // Each time anew: coming back proves as little.
        for _ in 0..2 {
            let form = world.form_for(act).await;
            let reply = world.send(&form, &[]).await;
            let login = goes_to(&reply).to_owned();
            assert!(login.contains("/connections/one/fake/answer"), "{act}: {login}");
            account_of(&world.visit(&login).await);
            let lines = super::records::decisions(&world, "fresh").await;
            assert!(lines.iter().any(|line| line.contains("of unknown age: they log in again first")), "{lines:?}");
        }
        assert_eq!(world.logins().await, ["alice", "alice@two"]);
    }
}

/// OpenID Connect Core 3.1.2.1: the same holds for an app that asks for `max_age`.
#[tokio::test]
async fn a_session_of_unknown_age_satisfies_no_max_age() {
    for (undated, served) in [(false, true), (true, false)] {
        let settings = json!({ "subject": "alice", "undated": undated });
        let mut world = World::new(vec![connection(2, "one", settings, json!({}))], SubjectType::Public).await;
        assert!(param(&world.authorize("").await, "code").is_some());
        let before = world.cookies.clone();
        assert!(param(&world.authorize("").await, "code").is_some());
        assert_eq!(world.cookies, before, "without max_age the session will do");
        assert!(param(&world.authorize("&max_age=600").await, "code").is_some());
        assert_eq!(world.cookies == before, served, "undated: {undated}");
    }
}

/// Whoever comes back as somebody else has proved nothing about this account.
#[tokio::test]
async fn another_person_who_logs_in_in_between_is_at_home_in_their_own_account() {
    let mut world = at_home().await;
    world.connect(3, "alice@two").await;
    let form = world.form_for("unlink").await;
    world.wait(Duration::from_secs(301));
    let reply = world.send(&form, &[]).await;
    let login = format!("{}&as=bob", goes_to(&reply));
    let reply = world.visit(&login).await;
    assert_eq!(account_of(&reply).person, "bob");
    assert_eq!(status_of(&world.send(&form, &[]).await), 400, "alice's form is not bob's");
    let person = world.person_of(2, "alice").await;
    assert_eq!(world.person_of(3, "alice@two").await, person);
}

/// A form's token is right, and still the object must be the person's own and of a kind that can be ended.
#[tokio::test]
async fn a_form_whose_object_is_gone_does_nothing() {
    let mut world = at_home().await;
    world.connect(3, "alice@two").await;
    let unlink = world.form_for("unlink").await;
    let connect = world.form_for("connect").await;
    assert_eq!(goes_to(&world.send(&unlink, &[]).await), ACCOUNT);
    // Twice: it is gone already.
    assert_eq!(goes_to(&world.send(&unlink, &[]).await), ACCOUNT);
    assert_eq!(world.logins().await, ["alice"]);
    let lines = super::records::decisions(&world, "account/unlink").await;
    assert!(lines.iter().any(|line| line.contains("disconnected already")), "{lines:?}");
    // The connection lets nobody connect it any more.
    let closed = PeopleSpec { linking: false, ..PeopleSpec::default() };
    world.apply(&[connection_of(4, "three", json!({ "subject": "alice@three" }), json!({}), closed)]).await;
    assert_eq!(status_of(&world.send(&connect, &[]).await), 403);
    assert_eq!(world.newest_cause().await.1, "the connection is gone, switched off, or lets nobody connect it");
    let reply = world.visit(ACCOUNT).await;
    let offered: Vec<_> = account_of(&reply).connect.iter().map(|row| row.name.clone()).collect();
    assert_eq!(offered, ["two"]);
}

/// Of two that are disconnected at once by two pages, one stays.
#[tokio::test]
async fn the_login_in_use_and_the_last_one_stay() {
    let mut world = at_home().await;
    world.connect(3, "alice@two").await;
    let first = world.form_for("unlink").await;
    // The same browser comes by the other login now: the page's form is about the one in use.
    let home = world.cookies.clone();
    world.cookies.clear();
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=two")).await;
    let second = world.form_for("unlink").await;
    assert_ne!(first, second);
    assert_eq!(goes_to(&world.send(&second, &[]).await), ACCOUNT);
    assert_eq!(world.logins().await, ["alice@two"]);
    // The other session came by the login that is gone, and is over.
    world.cookies = home;
    assert_eq!(goes_to(&world.send(&first, &[]).await), ACCOUNT);
    let reply = world.step(ACCOUNT).await;
    assert!(matches!(reply.kind, ReplyKind::Page(Page::Chooser(_))), "{reply:?}");
    let person = world.person_of(3, "alice@two").await;
    assert!(person.is_some(), "the last way in stays");
}

/// Each form has a token for its session, its action and its object.
#[tokio::test]
async fn a_form_that_our_page_did_not_make_does_nothing() {
    let (mut world, _) = world(vec![upstream("back")], &[("wiki", by("back"))]).await;
    world.log_in("wiki").await;
    let elsewhere = std::mem::take(&mut world.cookies);
    world.log_in("wiki").await;
    let own = world.cookies.clone();
    let reply = world.visit(ACCOUNT).await;
    let form = account_of(&reply).sessions.iter().find_map(|row| row.form.clone()).unwrap();
    let with = |name: &str, value: &str| {
        let mut form = form.clone();
        form.fields.iter_mut().filter(|(field, _)| field == name).for_each(|(_, old)| *old = value.to_owned());
        form
    };
    let moved = OwnForm { action: format!("{ACCOUNT}/forget"), ..form.clone() };
    let bare = OwnForm { fields: Vec::new(), ..form.clone() };
    for forged in [with("token", &"0".repeat(64)), with("token", ""), with("object", &"1".repeat(32)), moved, bare] {
        assert_eq!(status_of(&world.send(&forged, &[]).await), 400, "{forged:?}");
    }
    // The token of this session is none in the other one of the same person.
    world.cookies = elsewhere.clone();
    assert_eq!(status_of(&world.send(&form, &[]).await), 400);
    for origin in ["https://evil.example", "null"] {
        world.cookies.clone_from(&own);
        world.origin = Some(origin.into());
        assert_eq!(status_of(&world.send(&form, &[]).await), 400, "{origin}");
    }
    world.origin = None;
    // Nobody who is logged in: the page asks for a login, and nothing is done.
    world.cookies.clear();
    assert_eq!(goes_to(&world.send(&form, &[]).await), ACCOUNT);
    world.cookies = elsewhere.clone();
    world.log_in("wiki").await;
    assert_eq!(world.cookies, elsewhere, "the session that all of that was about lives");
    assert_eq!(world.newest_cause().await.0, "Success");
}

#[tokio::test]
async fn a_person_sees_nothing_of_anybody_else() {
    let (mut world, _) = world(vec![upstream("back")], &[("wiki", by("back"))]).await;
    world.log_in("wiki").await;
    let reply = world.visit(ACCOUNT).await;
    let alice = account_of(&reply).clone();
    assert_eq!((alice.person.as_str(), alice.sessions.len(), alice.logins.len()), ("alice", 1, 1));
    let victim = alice.sessions[0].clone();
    assert!(victim.here);
    world.cookies.clear();
    let started = world.step(&format!("{BASE}t/acme/connections/one/login")).await;
    let answer = format!("{}&as=bob", goes_to(&started));
    world.step(&answer).await;
    let reply = world.visit(ACCOUNT).await;
    let bob = account_of(&reply);
    assert_eq!((bob.person.as_str(), bob.sessions.len(), bob.apps.len()), ("bob", 1, 0));
    assert_eq!(bob.logins.iter().map(|row| row.note.clone().unwrap()).collect::<Vec<_>>(), ["bob"]);
}

#[tokio::test]
async fn somebody_who_was_switched_off_sees_no_page() {
    let (mut world, _) = world(vec![upstream("back")], &[("wiki", by("back"))]).await;
    world.log_in("wiki").await;
    let person = world.person_of(2, "alice").await.unwrap();
    let store = Arc::clone(&world.foundation.store);
    store.set_person_disabled(id::<TenantId>(1), person, true, world.now()).await.unwrap();
    assert_eq!(status_of(&world.step(ACCOUNT).await), 403);
}
