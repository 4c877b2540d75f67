//! Apps that lose answers and send the bridge away; another tenant's app; too many removals.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::front::Front;
use super::world::{APP_TOKEN, Remote, asked, directory, file, push, server, tenant};
use crate::support::bridge::Setup;
use crate::support::peers::Peer;
use crate::support::{Scratch, eventually};

const PEER: &str = "scim2-server";

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_makes_no_duplicate() {
    let scratch = Scratch::new("outbound-lost");
    let peer = Peer::start(PEER, scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let (app, front) = (Remote::of(&peer), Front::of(&peer.url).await);
    let (_scratch, setup, bridge) = server(&front.url, "").await;
    front.lose(2);
    let hr = directory(&bridge, "acme");
    for name in ["ada", "bob", "eve"] {
        push(&hr, name).await;
        app.becomes(name, "is there", |_| true).await;
    }
    // The bridge knows them, too.
    eventually("nothing is left to do", async || {
        let plan = asked(&setup, "plan");
        plan["users"].as_array().unwrap().iter().all(|step| step["do"] == "nothing").then_some(())
    })
    .await;
    assert_eq!(app.all("Users").await.len(), 3, "{}", bridge.log());
    assert_eq!(front.count("POST"), 3, "nobody was made twice: {:?}", front.calls());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_sent_away_comes_again_when_told_to() {
    let scratch = Scratch::new("outbound-busy");
    let peer = Peer::start(PEER, scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let (app, front) = (Remote::of(&peer), Front::of(&peer.url).await);
    let (_scratch, _setup, bridge) = server(&front.url, "").await;
    eventually("the first look is over", async || (front.count("GET") >= 1).then_some(())).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = front.calls().len();
    front.send_away(1, 3);
    push(&directory(&bridge, "acme"), "ada").await;
    app.becomes("ada", "is there", |_| true).await;
    let calls = front.calls();
    let (away, next) = (calls[before].1, calls[before + 1].1);
    assert!(next - away >= Duration::from_millis(2990), "after {:?}: {:?}", next - away, &calls[before..]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_app_hears_nothing() {
    let scratch = Scratch::new("outbound-tenants");
    let dirs = [scratch.path().join("ours"), scratch.path().join("theirs")];
    let peers = dirs.map(|dir| Peer::start(PEER, &dir, &[("SCIM_TOKEN", APP_TOKEN)]));
    let (ours, theirs) = (Remote::of(&peers[0]), Remote::of(&peers[1]));
    let fronts = [Front::of(&peers[0].url).await, Front::of(&peers[1].url).await];
    let setup = Setup::sqlite(scratch.path());
    let tenants = tenant("acme", &fronts[0].url, "") + &tenant("other", &fronts[1].url, "");
    setup.apply(&scratch, &file(&tenants));
    let bridge = setup.serve(&scratch).await;
    for front in &fronts {
        eventually("the first look is over", async || (front.count("GET") >= 1).then_some(())).await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = fronts[1].calls().len();
    push(&directory(&bridge, "acme"), "ada").await;
    ours.becomes("ada", "is there", |_| true).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(fronts[1].calls().len(), before, "{:?}", fronts[1].calls());
    assert_eq!(theirs.all("Users").await.len(), 0);
    push(&directory(&bridge, "other"), "zoe").await;
    theirs.becomes("zoe", "is there", |_| true).await;
    assert_eq!(ours.all("Users").await.len(), 1);
}

/// A list that counts by index leaves somebody out who moves up while it is read. Who is not seen is not gone.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_missing_in_a_list_is_not_taken_for_gone() {
    let scratch = Scratch::new("outbound-missing");
    let peer = Peer::start(PEER, scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let (app, front) = (Remote::of(&peer), Front::of(&peer.url).await);
    let (scratch, setup, bridge) = server(&front.url, "").await;
    let hr = directory(&bridge, "acme");
    for name in ["ada", "bob"] {
        push(&hr, name).await;
        app.becomes(name, "is there", |_| true).await;
    }
    assert_eq!(bridge.stop().code(), Some(0));
    front.leave_out("bob");
    setup.apply(&scratch, &file(&tenant("acme", &front.url, "        groups: [nobody]\n")));
    setup.ok(&["provisioning", "run", "acme/wiki", "--allow-removals"]);
    assert!(app.all("Users").await.iter().all(|user| user["active"] == false), "{:?}", front.calls());
}

/// Without a command: the worker looks at everything, and mends what somebody has done there.
#[tokio::test(flavor = "multi_thread")]
async fn with_other_settings_everything_is_looked_at() {
    let scratch = Scratch::new("outbound-settings");
    let peer = Peer::start(PEER, scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let app = Remote::of(&peer);
    let (scratch, setup, bridge) = server(&peer.url, "").await;
    push(&directory(&bridge, "acme"), "ada").await;
    let there = app.becomes("ada", "is there", |_| true).await;
    let meddled = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{ "op": "replace", "path": "displayName", "value": "Somebody else" }] });
    let (status, said) = app.send(Method::PATCH, &format!("Users/{}", there["id"].as_str().unwrap()), meddled).await;
    assert!(matches!(status, 200 | 204), "{said}");
    let more = "        attributes: { nickName: given_name, name.familyName: null }\n";
    setup.apply(&scratch, &file(&tenant("acme", &peer.url, more)));
    let mended = app.becomes("ada", "has a nickname", |user| user["nickName"] == "ada").await;
    assert_eq!((&mended["displayName"], &mended["name"]["familyName"]), (&json!("The ada"), &json!("Pushed")));
    // A token that is not taken any more, and then mended: nobody waits for long.
    // The server has heard of it when it looks at everything: before that, somebody new is told of by the old one.
    let wrong = file(&tenant("acme", &peer.url, "")).replace(APP_TOKEN, "a-token-that-the-app-does-not-take");
    setup.apply(&scratch, &wrong);
    eventually("the app says no", async || bridge.log().contains("answered 401").then_some(())).await;
    push(&directory(&bridge, "acme"), "bob").await;
    assert!(!bridge.log().contains("a-token-that-the-app-does-not-take"));
    setup.apply(&scratch, &file(&tenant("acme", &peer.url, more)));
    app.becomes("bob", "is there", |_| true).await;
}

/// Threat 34: neither the app's address nor that of its tokens leads inside.
#[tokio::test(flavor = "multi_thread")]
async fn no_address_inside_is_called() {
    let inside = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    inside.set_nonblocking(true).unwrap();
    let here = inside.local_addr().unwrap();
    let scratch = Scratch::new("outbound-inside");
    let mut setup = Setup::sqlite(scratch.path());
    setup.set("FEDBRIDGE_EGRESS_ALLOW_LOOPBACK", "false");
    let grant =
        format!("token_endpoint: https://{here}/token\n        client_id: b\n        client_secret: {{ value: s }}");
    for (app, auth) in [
        (format!("https://{here}"), None),
        (format!("http://{here}"), None),
        ("https://169.254.169.254/scim".to_owned(), None),
        ("https://[::ffff:127.0.0.1]/scim".to_owned(), None),
        ("https://app.example/scim".to_owned(), Some(&grant)),
    ] {
        let mut text = tenant("acme", &app, "");
        if let Some(grant) = auth {
            text = text.replace(&format!("bearer_token: {{ value: {APP_TOKEN} }}"), grant);
        }
        setup.apply(&scratch, &file(&text));
        let output = setup.run(&["provisioning", "plan", "acme/wiki"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{app}: {said}");
        let refused = said.contains("special-use address") || said.contains("plain http is not fetched");
        assert!(refused, "{app}: {said}");
    }
    assert!(inside.accept().is_err(), "somebody came");
}

/// Threat 24, at the other end: a directory that goes mad takes nobody's account away at the app.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_removals_wait_for_an_administrator() {
    let scratch = Scratch::new("outbound-guard");
    let peer = Peer::start(PEER, scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let app = Remote::of(&peer);
    let setup = Setup::sqlite(scratch.path());
    let guarded = |percent: &str, groups: &str| {
        let whole = tenant("acme", &peer.url, groups);
        file(&whole.replace("        guard: 100\n", &format!("        guard: {percent}\n")))
    };
    setup.apply(&scratch, &guarded("50", ""));
    let bridge = setup.serve(&scratch).await;
    let hr = directory(&bridge, "acme");
    for number in 0..8 {
        push(&hr, &format!("user{number}")).await;
    }
    app.becomes("user7", "is there", |_| true).await;
    eventually("all are there", async || (app.all("Users").await.len() == 8).then_some(())).await;
    assert_eq!(bridge.stop().code(), Some(0));
    // An administrator means a group that nobody is in.
    setup.apply(&scratch, &guarded("50", "        groups: [nobody]\n"));
    let plan = asked(&setup, "plan");
    assert!(plan["held"].as_str().unwrap().starts_with("8 of 8 users would be removed"), "{plan:#}");
    let output = setup.run(&["provisioning", "run", "acme/wiki"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(app.all("Users").await.iter().all(|user| user["active"] == true));
    setup.ok(&["provisioning", "run", "acme/wiki", "--allow-removals"]);
    assert!(app.all("Users").await.iter().all(|user| user["active"] == false));
}
