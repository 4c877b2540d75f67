//! Apps that lose answers, send the bridge away, or know less than the standard.

use serde_json::json;

use crate::app::{App, Manners};
use crate::run::{Bridge, id};
use fedbridge_scim_client::{CallFailed, Secret};

#[tokio::test]
async fn a_lost_answer_makes_no_duplicate() {
    for no_external_id in [false, true] {
        let app = App::new();
        app.with(|state| state.manners = Manners { lose: 1, no_external_id, ..Manners::default() });
        let mut bridge = Bridge::new(&app, json!({}));
        bridge.person(1, "ada", json!({}));
        let (_, failed) = bridge.run().await;
        assert_eq!(failed, []);
        assert_eq!(app.with(|state| state.users.len()), 1);
        assert_eq!(app.writes().iter().filter(|call| call.starts_with("POST")).count(), 1);
    }
}

#[tokio::test]
async fn a_post_that_was_not_done_is_sent_again() {
    let app = App::new();
    // The list of users and of groups, and two look-ups, are answered.
    let mut bridge = Bridge::new(&app, json!({}));
    bridge.person(1, "ada", json!({}));
    let client = bridge.client();
    let plan = bridge.plan(&client).await.unwrap();
    let began = tokio::time::Instant::now();
    app.with(|state| state.manners.busy = vec![(429, Some(7))]);
    client.carry_user(&plan.users[0], &mut Vec::new()).await.unwrap();
    assert!(began.elapsed().as_millis() >= 7, "Retry-After was not heeded: {:?}", began.elapsed());
    assert_eq!(app.with(|state| state.users.len()), 1);
}

#[tokio::test]
async fn an_app_that_asks_for_long_is_left_alone() {
    let app = App::new();
    let mut bridge = Bridge::new(&app, json!({}));
    bridge.person(1, "ada", json!({}));
    app.with(|state| state.manners.busy = vec![(503, Some(3600))]);
    let failed = bridge.plan(&bridge.client()).await.unwrap_err();
    assert_eq!(failed, CallFailed::Rest(std::time::Duration::from_secs(3600)));
    assert!(failed.ends_the_run());
    // Without a word of how long: a few tries, each later than the one before.
    app.with(|state| state.manners.busy = vec![(503, None); 3]);
    let began = tokio::time::Instant::now();
    bridge.plan(&bridge.client()).await.unwrap();
    assert!(began.elapsed().as_micros() >= 1700, "{:?}", began.elapsed());
}

/// Nobody else is tried at an app that is gone.
#[tokio::test]
async fn an_app_that_is_gone_ends_the_run() {
    let app = App::new();
    let mut bridge = Bridge::new(&app, json!({}));
    bridge.person(1, "ada", json!({}));
    let client = bridge.client();
    let plan = bridge.plan(&client).await.unwrap();
    app.with(|state| state.manners.gone = true);
    let failed = client.carry_user(&plan.users[0], &mut Vec::new()).await.unwrap_err();
    assert!(matches!(failed, CallFailed::Silent(_)) && failed.ends_the_run(), "{failed}");
    app.with(|state| (state.manners.gone, state.manners.busy) = (false, vec![(502, None); 6]));
    let failed = client.carry_user(&plan.users[0], &mut Vec::new()).await.unwrap_err();
    assert!(failed.status() == Some(502) && failed.ends_the_run(), "{failed}");
    client.carry_user(&plan.users[0], &mut Vec::new()).await.unwrap();
    assert_eq!(app.with(|state| state.users.len()), 1);
}

#[tokio::test]
async fn an_app_without_patch_or_filters_is_served_too() {
    for manners in [
        Manners { no_patch: true, ..Manners::default() },
        Manners { no_filter: true, ..Manners::default() },
        Manners { ignores_filter: true, page: Some(2), ..Manners::default() },
        Manners { no_patch: true, no_external_id: true, page: Some(1), ..Manners::default() },
    ] {
        let app = App::new();
        let no_external_id = manners.no_external_id;
        app.with(|state| state.manners = manners);
        let mut bridge = Bridge::new(&app, json!({ "push_groups": "all" }));
        bridge.groups = vec![(id(100), "staff".into())];
        for (number, name) in [(1, "ada"), (2, "bob"), (3, "eve")] {
            bridge.person(number, name, json!({ "name": name }));
            bridge.people.get_mut(&id(number)).unwrap().groups.insert(0);
        }
        assert_eq!(bridge.run().await.1, []);
        app.with(|state| state.users.get_mut(&1).unwrap().insert("title".into(), json!("own")));
        bridge.person(1, "ada", json!({ "name": "Ada" }));
        bridge.people.get_mut(&id(2)).unwrap().out = true;
        assert_eq!(bridge.run().await.1, []);
        assert_eq!((&app.user("ada")["displayName"], &app.user("ada")["title"]), (&json!("Ada"), &json!("own")));
        assert_eq!(app.user("bob")["active"], false);
        let members = app.with(|state| state.groups.values().next().unwrap()["members"].as_array().unwrap().len());
        assert_eq!(members, 1, "ada left, and bob is out");
        // An app that keeps no externalId would be told each time: it is told, and stays as it is.
        if !no_external_id {
            assert!(bridge.run().await.0.is_empty());
        }
    }
}

#[tokio::test]
async fn tokens_come_from_the_authorization_server() {
    let app = App::new();
    let settings =
        json!({ "token_endpoint": "https://as.example/token", "client_id": "bridge", "scope": "scim write" });
    let mut bridge = Bridge::new(&app, settings);
    bridge.secret = Secret::Client("s:secret".to_owned());
    bridge.person(1, "ada", json!({}));
    let client = bridge.client();
    bridge.plan(&client).await.unwrap();
    assert_eq!(app.with(|state| state.tokens), 1);
    app.with(|state| state.valid = Some("taken back".into()));
    bridge.plan(&client).await.unwrap();
    assert_eq!(app.with(|state| state.tokens), 2, "a token that is refused is not used again");
    let mut bearer = Bridge::new(&app, json!({}));
    bearer.secret = Secret::Bearer("wrong".into());
    let refused = bearer.plan(&bearer.client()).await.unwrap_err();
    assert_eq!(refused.status(), Some(401));
    assert!(!refused.to_string().contains("wrong"));
}
