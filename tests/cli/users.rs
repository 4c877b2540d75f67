//! `users`: what an administrator sees of people, and does about them.

use crate::support::browser::Browser;
use crate::support::eventually;
use crate::support::scripted::{App, alice, claims, idp, now, person, server};

#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_disabled_and_deleted() {
    let idp = idp();
    let (_scratch, setup, bridge) = server(&idp).await;
    let app = App::of(&bridge);
    let tokens = app.tokens(&idp, &alice()).await;
    app.tokens(&idp, &person("bob")).await;
    let sub = claims(&tokens["id_token"])["sub"].as_str().unwrap().to_owned();
    let users = |rest: &[&str]| setup.ok(&[&["users"], rest, &["--tenant", "acme"]].concat());
    let wrong = |rest: &[&str]| {
        let output = setup.run(&[&["users"], rest, &["--tenant", "acme"]].concat());
        assert_eq!(output.status.code(), Some(2), "{rest:?}");
        String::from_utf8(output.stderr).unwrap()
    };

    let all = users(&["list"]);
    assert_eq!(all.lines().count(), 3, "{all}");
    let found = users(&["list", "--search", "ALICE"]);
    assert!(found.lines().count() == 2 && found.contains(&sub) && found.contains("(idp)"), "{found}");
    assert_eq!(users(&["list", "--search", "%"]).lines().count(), 1, "a sign of a pattern stands for itself");
    let shown = users(&["show", &sub]);
    for line in ["  state     enabled\n", "  login     alice", " (idp) since ", "  session   ", "  app       app\n"] {
        assert!(shown.contains(line), "{line} is missing in\n{shown}");
    }

    let said = users(&["disable", &sub]);
    assert!(said.starts_with(&format!("{sub} is disabled: kill ")) && said.contains("1 session among it"), "{said}");
    assert!(users(&["list", "--search", "alice"]).contains(" disabled "));
    let introspect = async || app.introspect(tokens["access_token"].as_str().unwrap()).await["active"].clone();
    eventually("the server hears of it", async || (introspect().await == false).then_some(())).await;
    assert_eq!(app.refresh(tokens["refresh_token"].as_str().unwrap()).await.status, 400);
    let refused = try_login(&app, &idp).await;
    assert!(refused.contains("error=access_denied"), "{refused}");

    users(&["enable", &sub]);
    assert!(try_login(&app, &idp).await.contains("code="), "the person can come again");
    assert_eq!(introspect().await, false, "what was ended stays so");

    let last = wrong(&["unlink", &sub, "idp"]);
    assert!(last.contains("the only login that this person has") && last.contains("users disable"), "{last}");
    assert!(wrong(&["block", &sub, "ipd"]).contains("the nearest is `idp`"));
    assert!(wrong(&["show", "alice"]).contains("is not the id of a user"));
    assert!(wrong(&["enable", "00000000000000000000000000000001"]).contains("there is no user"));

    let said = users(&["delete", &sub]);
    assert!(said.starts_with(&format!("{sub} is deleted: kill ")), "{said}");
    assert!(wrong(&["show", &sub]).contains("there is no user"));
    let again = app.tokens(&idp, &alice()).await;
    assert_ne!(claims(&again["id_token"])["sub"].as_str().unwrap(), sub, "somebody new");
}

/// Where the browser is sent at the end of a login.
async fn try_login(app: &App, idp: &fedbridge_saml::testkit::ScriptedIdp) -> String {
    let mut browser = Browser::new();
    let request = app.to_idp(&mut browser, "").await;
    let form = idp.answer(&request, &alice(), now()).form(idp, request.relay_state.as_deref()).unwrap();
    app.post_acs(&mut browser, &form).await.location.unwrap_or_default()
}
