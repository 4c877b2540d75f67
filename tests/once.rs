//! What may happen once happens once, over three processes on one PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use fedbridge_keys::SystemClock;
use fedbridge_oidc_core::testkit::{Endpoint, Person, ScriptedOp, parameter};
use fedbridge_saml::testkit::ReceivedRequest;
use tokio::task::JoinSet;

use crate::support::browser::{Answer, Browser};
use crate::support::due::make_due;
use crate::support::html::Form;
use crate::support::nodes::Nodes;
use crate::support::scripted::{App, alice, bridge_file, bridge_file_with, claims, idp, now};
use crate::support::{Scratch, eventually};

const PARALLEL: usize = 100;

/// By which people may connect one more login.
const LINKING: &str = "people: { linking: true }";

async fn trio() -> Nodes {
    Nodes::start(3, |scratch| bridge_file(scratch, &idp()), |_, _| {}).await
}

fn count(statuses: Vec<u16>) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for status in statuses {
        *counts.entry(status).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_100_replayed_responses_and_one_of_100_redeemed_codes_succeeds() {
    let idp = idp();
    let trio = trio().await;
    let mut browser = Browser::new();
    let request = trio.apps[0].to_idp(&mut browser, "").await;
    let form = idp.answer(&request, &alice(), now()).form(&idp, request.relay_state.as_deref()).unwrap();
    let browser = trio.everywhere(&browser);
    let mut tries = JoinSet::new();
    for number in 0..PARALLEL {
        let (node, mut browser, form) = (trio.apps[number % 3].clone(), browser.clone(), form.clone());
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
        let (node, code) = (trio.apps[number % 3].clone(), code.clone());
        tries.spawn(async move { node.redeem(&code).await });
    }
    let answers = tries.join_all().await;
    let counts = count(answers.iter().map(|answer| answer.status).collect());
    assert_eq!(counts, BTreeMap::from([(200, 1), (400, PARALLEL - 1)]));
    // Somebody else had the code too: what was made from it is revoked (RFC 6749 section 4.1.2).
    let tokens = answers.iter().find(|answer| answer.status == 200).unwrap().json();
    let refused = trio.apps[1].refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(refused.json()["error"], "invalid_grant");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_has_one_successor_in_100_parallel_uses() {
    let idp = idp();
    let trio = trio().await;
    let tokens = trio.apps[0].tokens(&idp, &alice()).await;
    let first = tokens["refresh_token"].as_str().unwrap().to_owned();
    let mut tries = JoinSet::new();
    for number in 0..PARALLEL {
        let (node, token) = (trio.apps[number % 3].clone(), first.clone());
        tries.spawn(async move { node.refresh(&token).await });
    }
    let answers = tries.join_all().await;
    let successors: BTreeSet<_> = answers
        .iter()
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.json()["refresh_token"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(successors.len(), 1, "within the grace everybody gets the same successor");
    let next = successors.into_iter().next().unwrap();
    assert_eq!(trio.apps[1].refresh(&next).await.status, 200);
    // Two generations old: the grace does not cover it, and the family dies.
    assert_eq!(trio.apps[0].refresh(&first).await.json()["error"], "invalid_grant");
    assert_eq!(trio.apps[0].refresh(&next).await.json()["error"], "invalid_grant");
}

/// A connection to the provider, with one more setting.
fn by_op(op: &ScriptedOp, setting: &str) -> String {
    let (client, secret) = op.client();
    format!(
        "      - slug: op
        protocol: oidc
        issuer: {}
        client_id: {client}
        client_secret: {{ value: {secret} }}
        {setting}",
        op.issuer
    )
}

/// Where a login at the provider begins, once this node has read the provider's metadata.
async fn begins_at(op: &ScriptedOp, node: &App, browser: &mut Browser) -> String {
    let begins = async || {
        let answer = browser.get(&node.authorize_url("&connection=op")).await;
        answer.location.filter(|to| to.starts_with(&op.issuer))
    };
    eventually("a login begins at the provider", begins).await
}

/// The upstream takes each of its refresh tokens once.
#[tokio::test(flavor = "multi_thread")]
async fn of_20_refreshes_that_are_due_one_asks_the_upstream() {
    let (op, _running) = ScriptedOp::listen(Arc::new(SystemClock)).await.unwrap();
    op.person(Person::new("alice"));
    op.traits(|traits| traits.always_refresh = true);
    let file = |scratch: &Scratch| bridge_file_with(scratch, &idp(), &by_op(&op, "revalidate: 1m"), "");
    let trio = Nodes::start(3, file, |_, _| {}).await;
    let first = &trio.apps[0];
    let mut browser = Browser::new();
    let to_op = begins_at(&op, first, &mut browser).await;
    let callback = browser.get(&to_op).await.location.unwrap();
    let code = browser.get(&callback).await.redirect_param("code");
    let tokens = first.redeem(&code).await.json();
    let mut token = tokens["refresh_token"].as_str().unwrap().to_owned();
    let asked = || {
        let seen = op.seen();
        let refreshes = seen.of(Endpoint::Token).map(|call| call.asked.parameters());
        refreshes.filter(|fields| parameter(fields, "grant_type") == Some("refresh_token")).count()
    };
    for times in 1..=3 {
        make_due(&trio.setup, "op", &claims(&tokens["id_token"])).await;
        let mut tries = JoinSet::new();
        for number in 0..20 {
            let (node, token) = (trio.apps[number % 3].clone(), token.clone());
            tries.spawn(async move { node.refresh(&token).await });
        }
        let answers = tries.join_all().await;
        let statuses = count(answers.iter().map(|answer| answer.status).collect());
        assert_eq!(statuses, BTreeMap::from([(200, 20)]), "{}", answers[0].body);
        assert_eq!(asked(), times);
        let successors: BTreeSet<_> =
            answers.iter().map(|answer| answer.json()["refresh_token"].as_str().unwrap().to_owned()).collect();
        assert_eq!(successors.len(), 1, "one lineage");
        token = successors.into_iter().next().unwrap();
    }
    assert_eq!(trio.apps[1].refresh(&token).await.status, 200);
    assert_eq!(asked(), 3, "nothing is due");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_100_confirmations_of_a_link_proof_connects() {
    let idp = idp();
    let (op, _running) = ScriptedOp::listen(Arc::new(SystemClock)).await.unwrap();
    op.person(Person::new("alice-at-the-other"));
    let trio = Nodes::start(3, |scratch| bridge_file_with(scratch, &idp, &by_op(&op, LINKING), ""), |_, _| {}).await;
    let first = &trio.apps[0];
    begins_at(&op, first, &mut Browser::new()).await;
    let mut browser = Browser::new();
    let location = browser.get(&first.authorize_url("&connection=idp")).await.location.unwrap();
    let request = ReceivedRequest::from_redirect(&location).unwrap();
    let form = idp.answer(&request, &alice(), now()).form(&idp, request.relay_state.as_deref()).unwrap();
    assert_eq!(first.post_acs(&mut browser, &form).await.status, 303);
    let page = browser.get(&format!("{}/account", first.at)).await;
    let connect = Form::leading_to(&page.body, &page.url, "account/connect").unwrap();
    let answer = browser.post(&connect.action, &connect.fields).await;
    let callback = browser.get(&answer.location.unwrap()).await.location.unwrap();
    let page = browser.get(&callback).await;
    let confirm = Form::leading_to(&page.body, &page.url, "account/confirm").unwrap().set("answer", "allow");

    let browser = trio.everywhere(&browser);
    let mut tries = JoinSet::new();
    for number in 0..PARALLEL {
        let (at, mut browser, form) = (trio.apps[number % 3].at.clone(), browser.clone(), confirm.clone());
        tries.spawn(async move {
            let answer = browser.post(&format!("{at}/account/confirm"), &form.fields).await;
            (answer, browser, at)
        });
    }
    let answers = tries.join_all().await;
    assert!(answers.iter().all(|(answer, ..)| answer.status < 500), "a second yes must not be an error of ours");
    // The link gives the session a new cookie.
    let renewed = |answer: &Answer| {
        answer.headers.get_all("set-cookie").iter().any(|cookie| cookie.to_str().unwrap().contains("-s="))
    };
    let won: Vec<_> = answers.iter().filter(|(answer, ..)| renewed(answer)).collect();
    assert_eq!(won.len(), 1, "{:?}", count(answers.iter().map(|(answer, ..)| answer.status).collect()));
    let (_, browser, at) = won[0];
    let page = browser.clone().get(&format!("{at}/account")).await;
    assert_eq!(page.body.matches("/account/unlink\"").count(), 1, "one login was connected: {}", page.body);
}
