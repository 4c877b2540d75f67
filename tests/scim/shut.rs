//! Whoever is switched off is off for good when the directory has its answer, whatever happens to the process then.

use serde_json::json;

use super::client::{Directory, connection};
use crate::support::Scratch;
use crate::support::bridge::Setup;
use crate::support::browser::Browser;
use crate::support::peers::Peer;
use crate::support::scripted::{App, bridge_file_with, idp, now, person};

const ROUNDS: usize = 3;

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_them_out() {
    let scratch = Scratch::new("scim-shut");
    stay_out(Setup::sqlite(scratch.path()), scratch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_keeps_them_out() {
    let scratch = Scratch::new("scim-shut");
    let postgres = Peer::durable_postgres(scratch.path());
    stay_out(Setup::postgres(scratch.path(), &postgres.url), scratch).await;
}

async fn stay_out(setup: Setup, scratch: Scratch) {
    let idp = idp();
    let hr = connection("hr", "        provisions: [idp]\n");
    setup.apply(&scratch, &bridge_file_with(&scratch, &idp, &hr, ""));
    for round in 0..ROUNDS {
        let bridge = setup.serve(&scratch).await;
        let (app, directory) = (App::of(&bridge), Directory::of(&format!("{}/t/acme", bridge.base_url), "hr"));
        let name = format!("leaver{round}");
        let user = directory.user(&name).await;
        let who = person(&name);
        let tokens = app.tokens(&idp, &who).await;
        let mut browser = Browser::new();
        let code = app.login(&mut browser, &idp, &who).await;
        assert_eq!(app.introspect(tokens["access_token"].as_str().unwrap()).await["active"], true);
        directory.switch(&user, false).await;
        bridge.kill();

        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        assert_eq!(app.introspect(tokens["access_token"].as_str().unwrap()).await["active"], false);
        assert_eq!(app.userinfo(tokens["access_token"].as_str().unwrap()).await.status, 401);
        let refreshed = app.refresh(tokens["refresh_token"].as_str().unwrap()).await;
        assert_eq!(refreshed.json()["error"], "invalid_grant");
        assert_eq!(app.redeem(&code).await.json()["error"], "invalid_grant", "a code in flight");
        let silent = browser.get(&app.authorize_url("&prompt=none")).await;
        assert!(!silent.redirect_params().contains_key("code"), "the session: {:?}", silent.location);
        // The identity provider still lets them in.
        let mut fresh = Browser::new();
        let request = app.to_idp(&mut fresh, "").await;
        let form = idp.answer(&request, &who, now()).form(&idp, request.relay_state.as_deref()).unwrap();
        assert_eq!(app.post_acs(&mut fresh, &form).await.redirect_param("error"), "access_denied");

        // Back in: nothing from before is good again.
        let directory = Directory::of(&format!("{}/t/acme", bridge.base_url), "hr");
        directory.switch(&user, true).await;
        assert_eq!(app.refresh(tokens["refresh_token"].as_str().unwrap()).await.json()["error"], "invalid_grant");
        let again = app.tokens(&idp, &who).await;
        assert!(again["id_token"].is_string(), "{again}");
        let (status, _) = directory.send(reqwest::Method::DELETE, &format!("Users/{user}"), json!(null)).await;
        assert_eq!(status, 204);
        assert_eq!(app.introspect(again["access_token"].as_str().unwrap()).await["active"], false);
        bridge.kill();
    }
}
