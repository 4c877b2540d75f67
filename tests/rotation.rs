//! `keys rotate` under a loop of logins: nobody notices.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_keys::SystemClock;
use fedbridge_oidc_core::testkit::{Endpoint, Person, ScriptedOp, parameter};

use crate::support::browser::Browser;
use crate::support::eventually;
use crate::support::scripted::{App, alice, idp, server, server_with};

fn kid(jwt: &serde_json::Value) -> String {
    use base64::Engine as _;
    let header = jwt.as_str().unwrap().split('.').next().unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

async fn published(app: &App) -> BTreeSet<String> {
    let set = Browser::new().get(&format!("{}/jwks", app.at)).await.json();
    set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_login_fails_while_keys_rotate() {
    let idp = idp();
    let (_scratch, setup, bridge) = server(&idp).await;
    let app = App::of(&bridge);
    let old = app.tokens(&idp, &alice()).await;
    let mut signed_with = BTreeSet::new();
    for round in 0..3 {
        // What an app has cached before the rotation.
        let cached = published(&app).await;
        setup.ok(&["keys", "rotate"]);
        for _ in 0..6 {
            let tokens = app.tokens(&idp, &alice()).await;
            let kid = kid(&tokens["id_token"]);
            assert!(cached.contains(&kid), "round {round}: signed with a key that was not published before");
            signed_with.insert(kid);
            assert_eq!(app.userinfo(tokens["access_token"].as_str().unwrap()).await.status, 200);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    assert!(signed_with.len() >= 3, "the keys did not rotate: {signed_with:?}");
    // Tokens of the first key are still good.
    assert_eq!(app.userinfo(old["access_token"].as_str().unwrap()).await.status, 200);
    assert_eq!(app.introspect(old["access_token"].as_str().unwrap()).await["active"], true);
    let listed = setup.ok(&["keys", "list"]);
    for state in ["next", "active", "retiring"] {
        assert!(listed.contains(state), "{listed}");
    }
}

/// `keys rotate --connection`: an upstream caches our keys too, and knows each one before it signs.
#[tokio::test(flavor = "multi_thread")]
async fn an_upstream_takes_every_assertion_while_the_keys_of_its_connection_rotate() {
    let (op, _running) = ScriptedOp::listen(Arc::new(SystemClock)).await.unwrap();
    op.person(Person::new("alice"));
    let connection = format!(
        "      - slug: op
        protocol: oidc
        issuer: {}
        client_id: {}
        token_endpoint_auth_method: private_key_jwt",
        op.issuer,
        op.client().0
    );
    let (_scratch, setup, bridge) = server_with(&idp(), &connection, "").await;
    let app = App::of(&bridge);
    let begins = async || {
        let answer = Browser::new().get(&app.authorize_url("&connection=op")).await;
        answer.location.filter(|to| to.starts_with(&op.issuer))
    };
    eventually("a login begins at the provider", begins).await;
    // A whole login, and the key by which the bridge was known to the provider.
    let login = async || {
        let mut browser = Browser::new();
        let to_op = browser.get(&app.authorize_url("&connection=op")).await.location.unwrap();
        let callback = browser.get(&to_op).await.location.unwrap();
        browser.get(&callback).await.redirect_param("code");
        let calls = op.seen();
        let fields = calls.of(Endpoint::Token).last().unwrap().asked.parameters();
        kid(&parameter(&fields, "client_assertion").unwrap().into())
    };
    let mut signed_with = Vec::new();
    for round in 0..4 {
        // What the provider has cached before the rotation.
        let cached = Browser::new().get(&format!("{}/connections/op/oidc/jwks", app.at)).await.json();
        op.trust_client_keys(cached);
        if round > 0 {
            setup.ok(&["keys", "rotate", "--connection", "acme/op"]);
        }
        let another = async || Some(login().await).filter(|kid| !signed_with.contains(kid));
        signed_with.push(eventually("another key signs", another).await);
    }
    let listed = setup.ok(&["keys", "list"]);
    let retiring = listed.lines().filter(|line| line.starts_with("acme/op") && line.contains("retiring")).count();
    assert_eq!(retiring, 3, "{listed}");
}
