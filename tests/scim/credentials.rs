//! What an administrator is told of the tokens that a directory pushes with: when each was used last, and until when it is good.

use std::time::Duration;

use serde_json::{Value, json};

use super::client::{Directory, connection};
use crate::support::scripted::{idp, server_with};

#[tokio::test(flavor = "multi_thread")]
async fn check_says_when_a_token_was_used_and_when_it_ends() {
    let idp = idp();
    let hr = connection("hr", "        provisions: [idp]\n        bearer_token_expires: 2199-12-31\n");
    let (_scratch, setup, bridge) = server_with(&idp, &hr, "").await;
    let said = || -> (String, Vec<Value>) {
        let report: Value = serde_json::from_str(&setup.ok(&["check", "--json"])).unwrap();
        let mut of_token = report["findings"].as_array().unwrap().iter().filter_map(|finding| {
            finding["text"].as_str().filter(|text| text.starts_with("bearer_token ")).map(str::to_owned)
        });
        let expiries = report["expiries"].as_array().unwrap().iter();
        let text = of_token.next().unwrap_or_else(|| panic!("{report:#}"));
        (text, expiries.filter(|expiry| expiry["what"] == "bearer_token").cloned().collect())
    };
    let (text, expiries) = said();
    assert_eq!(text, "bearer_token was never used, and is good until 2200-01-01T00:00:00Z");
    assert_eq!((expiries.len(), &expiries[0]["object"]), (1, &json!("connection hr")), "{expiries:?}");

    Directory::of(&format!("{}/t/acme", bridge.base_url), "hr").user("ada").await;
    for _ in 0..100 {
        // It is written behind the answer.
        let (text, _) = said();
        if text.starts_with("bearer_token was used last at 2") {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("no use was noted: {}", said().0);
}
