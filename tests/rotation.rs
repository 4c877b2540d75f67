//! `keys rotate` under a loop of logins: nobody notices.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::support::browser::Browser;
use crate::support::scripted::{App, alice, idp, server};

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
