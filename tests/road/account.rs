//! What a person sees and ends on the account page.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::http::ReplyKind;
use fedbridge_contract::ids::{GrantId, TenantId};
use fedbridge_contract::page::{OwnForm, Page};
use fedbridge_contract::services::Grants as _;
use fedbridge_contract::ticket;
use fedbridge_hub::spec::SubjectType;
use serde_json::json;

use super::links::account_of;
use super::logout::{by, goes_to, status_of, upstream, world};
use super::{BASE, World, alice, client, connection, id, param};

const ACCOUNT: &str = "http://127.0.0.1:8080/t/acme/account";

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
    Arc::clone(&world.foundation.store).set_person_disabled(id::<TenantId>(1), person, true).await.unwrap();
    assert_eq!(status_of(&world.step(ACCOUNT).await), 403);
}
