//! trace list, trace show: what an admin reads after logins, good and bad.

use serde_json::Value;

use super::{Desk, Ended};
use crate::support::scripted;

#[test]
fn an_empty_store_has_no_traces_and_wrong_filters_are_told_at_once() {
    let desk = Desk::new("trace-empty");
    desk.run(&["apply"], &desk.good);
    assert_eq!(desk.plain(&["trace", "list"]).out, "nothing that was recorded matches\n");
    assert_eq!(desk.plain(&["trace", "list", "--json"]).out, "[]\n");
    let wrong = desk.plain(&["trace", "list", "--since", "yesterday", "--result", "bad", "--tenant", "acne"]);
    assert_eq!(wrong.code, 2);
    for flag in ["--since: ", "--result: ", "--tenant: there is no tenant `acne`; the nearest is `acme`"] {
        assert!(wrong.err.contains(flag), "{flag} in {}", wrong.err);
    }
    let gone = desk.plain(&["trace", "show", "00000000000000000000000000000000"]);
    assert_eq!(gone.code, 2);
    assert!(gone.err.starts_with("error: there is no trace `0000"), "{}", gone.err);
}

/// One good login and one for another audience, then what the command line says of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_can_be_explained_without_a_log() {
    use crate::support::browser::Browser;
    use scripted::{App, alice, idp, now, server_with};

    let idp = idp();
    let mapping = "        mapping: { claims: { department: { from: [departmentt] }, nick: { from: [displayName] } } }";
    let (_scratch, setup, bridge) = server_with(&idp, mapping, "        release: [department, nick]").await;
    let app = App::of(&bridge);
    app.login(&mut Browser::new(), &idp, &alice().with("department", &["engineering"])).await;

    let mut browser = Browser::new();
    let request = app.to_idp(&mut browser, "").await;
    let mut wrong = idp.answer(&request, &alice(), now());
    wrong.assertion.conditions.as_mut().unwrap().audiences = vec![vec!["https://other.example".to_owned()]];
    let form = wrong.form(&idp, request.relay_state.as_deref()).unwrap();
    app.post_acs(&mut browser, &form).await;
    // A clean stop writes every trace.
    bridge.stop();

    let run = |arguments: &[&str]| -> Ended { setup.run(arguments).into() };
    let json = |arguments: &[&str]| -> Value { serde_json::from_str(&run(arguments).out).unwrap() };
    let all = json(&["trace", "list", "--tenant", "acme", "--json"]);
    let logins: Vec<&Value> = all.as_array().unwrap().iter().filter(|trace| trace["kind"] == "login").collect();
    assert_eq!(logins.len(), 2, "{all:#}");
    for kind in ["login", "token", "metadata"] {
        let wanted: Vec<&Value> = all.as_array().unwrap().iter().filter(|trace| trace["kind"] == kind).collect();
        let found = json(&["trace", "list", "--kind", kind, "--json"]);
        assert_eq!(found.as_array().unwrap().iter().collect::<Vec<_>>(), wanted, "{kind}");
    }
    let unknown = run(&["trace", "list", "--kind", "logins"]);
    assert!(unknown.code == 2 && unknown.err.contains("login, logout"), "{unknown:?}");
    let refused = json(&["trace", "list", "--result", "refused", "--connection", "idp", "--client", "app", "--json"]);
    assert_eq!(refused.as_array().unwrap().len(), 1, "{refused:#}");
    let refused_id = refused[0]["id"].as_str().unwrap();
    assert!(run(&["trace", "list"]).out.contains(refused_id));
    assert_eq!(json(&["trace", "list", "--until", "1h", "--json"]), serde_json::json!([]));

    let page = run(&["trace", "show", refused_id]).out;
    assert!(page.starts_with(&format!("login {refused_id}: refused\n")), "{page}");
    let failed = page.split("  ✗ ").nth(1).unwrap_or_else(|| panic!("no failed check in\n{page}"));
    assert!(failed.to_lowercase().contains("audience"), "{page}");
    assert!(failed.contains("got:      https://other.example"), "{page}");
    assert!(failed.contains("/t/acme/connections/idp/saml/metadata"), "{page}");

    let good = logins.iter().find(|trace| trace["result"] == "success").unwrap();
    let good_id = good["id"].as_str().unwrap();
    let page = run(&["trace", "show", good_id]).out;
    assert!(page.contains("nick = \"alice\""), "{page}");
    assert!(page.contains("department: no attribute departmentt; the nearest that came is department"), "{page}");
    let steps = json(&["trace", "show", good_id, "--json"]);
    assert!(steps["steps"].as_array().unwrap().len() > 5, "{steps:#}");
}
