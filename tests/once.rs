//! What may happen once happens once, over two processes on one PostgreSQL.

use std::collections::BTreeMap;

use tokio::task::JoinSet;

use crate::support::Scratch;
use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::Browser;
use crate::support::peers::Peer;
use crate::support::scripted::{App, alice, bridge_file, idp, now};

const PARALLEL: usize = 50;

struct Pair {
    nodes: [App; 2],
    _bridges: [Bridge; 2],
    _postgres: Peer,
    _scratch: Scratch,
}

async fn pair() -> Pair {
    let scratch = Scratch::new("pair");
    let postgres = Peer::postgres(scratch.path());
    let first = Setup::postgres(scratch.path(), &postgres.url);
    first.apply(&scratch, &bridge_file(&scratch, &idp()));
    let second = first.another_node();
    let bridges = [first.serve(&scratch).await, second.serve(&scratch).await];
    let nodes = [App::of(&bridges[0]), App::of(&bridges[1])];
    Pair { nodes, _bridges: bridges, _postgres: postgres, _scratch: scratch }
}

fn count(statuses: Vec<u16>) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for status in statuses {
        *counts.entry(status).or_default() += 1;
    }
    counts
}

/// One browser's cookies, presented to either node: a load balancer does the same.
fn at_both(browser: &Browser, pair: &Pair) -> Browser {
    let mut browser = browser.clone();
    browser.share_cookies(&pair.nodes[0].at, &pair.nodes[1].at);
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_50_replayed_responses_and_one_of_50_redeemed_codes_succeeds() {
    let idp = idp();
    let pair = pair().await;
    let mut browser = Browser::new();
    let request = pair.nodes[0].to_idp(&mut browser, "").await;
    let form = idp.answer(&request, &alice(), now()).form(&idp, request.relay_state.as_deref()).unwrap();
    let browser = at_both(&browser, &pair);
    let mut tries = JoinSet::new();
    for number in 0..PARALLEL {
        let (node, mut browser, form) = (pair.nodes[number % 2].clone(), browser.clone(), form.clone());
        tries.spawn(async move { node.post_acs(&mut browser, &form).await });
    }
    let answers = tries.join_all().await;
    let won: Vec<_> = answers.iter().filter(|answer| answer.status == 303).collect();
    assert_eq!(won.len(), 1, "{:?}", count(answers.iter().map(|answer| answer.status).collect()));
    assert!(
        answers.iter().all(|answer| answer.status == 303 || answer.status < 500),
        "a replay must not be an error of ours"
    );

    let code = won[0].redirect_param("code");
    let mut tries = JoinSet::new();
    for number in 0..PARALLEL {
        let (node, code) = (pair.nodes[number % 2].clone(), code.clone());
        tries.spawn(async move { node.redeem(&code).await });
    }
    let answers = tries.join_all().await;
    let counts = count(answers.iter().map(|answer| answer.status).collect());
    assert_eq!(counts, BTreeMap::from([(200, 1), (400, PARALLEL - 1)]));
    // Somebody else had the code too: what was made from it is revoked (RFC 6749 section 4.1.2).
    let tokens = answers.iter().find(|answer| answer.status == 200).unwrap().json();
    let refused = pair.nodes[1].refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refused.json()["error"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_has_one_successor() {
    let idp = idp();
    let pair = pair().await;
    let tokens = pair.nodes[0].tokens(&idp, &alice()).await;
    let first = tokens["refresh_token"].as_str().unwrap().to_owned();
    let mut tries = JoinSet::new();
    for number in 0..PARALLEL {
        let (node, token) = (pair.nodes[number % 2].clone(), first.clone());
        tries.spawn(async move { node.refresh(&token).await });
    }
    let answers = tries.join_all().await;
    let successors: std::collections::BTreeSet<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.json()["refresh_token"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(successors.len(), 1, "within the grace everybody gets the same successor");
    let next = successors.into_iter().next().unwrap();
    assert_eq!(pair.nodes[1].refresh(&next).await.status, 200);
    // Two generations old: the grace does not cover it, and the family dies.
    assert_eq!(pair.nodes[0].refresh(&first).await.json()["error"], "invalid_grant");
    assert_eq!(pair.nodes[0].refresh(&next).await.json()["error"], "invalid_grant");
}
