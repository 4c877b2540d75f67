//! Sessions end: by the provider's server, in a frame, by the person, and for all that somebody was given.

use std::time::{Duration, Instant};

use fedbridge_oidc_core::testkit::{Endpoint, FRAME, LOGOUT_TOKEN, Login, Person, Verdict, WAY_BACK};
use serde_json::{Value, json};

use super::Company;
use crate::support::Database;
use crate::support::browser::{Answer, Browser, HTTP};
use crate::support::scripted::{LOGGED_OUT, claims};

/// Somebody who is logged in, with the provider's record of it.
struct Someone {
    browser: Browser,
    login: Login,
    tokens: Value,
}

impl Company {
    async fn someone(&self, name: &str, slug: &str) -> Someone {
        let op = if slug == "other" { &self.other } else { &self.op };
        op.person(Person::new(name));
        let mut browser = Browser::new();
        let answer = self.login(&mut browser, slug, "").await;
        let tokens = self.app.redeem(&answer.redirect_param("code")).await.json();
        Someone { browser, login: op.last_login().unwrap(), tokens }
    }

    fn address(&self, slug: &str, route: &str) -> String {
        format!("{}/connections/{slug}/{route}", self.app.at)
    }

    /// The provider's server sends a logout token.
    async fn back_channel(&self, slug: &str, token: &str) -> Answer {
        let form = [("logout_token".to_owned(), token.to_owned())];
        Browser::new().post(&self.address(slug, "oidc/backchannel-logout"), &form).await
    }

    async fn revoke_globally(&self, token: &str, subject: &Value) -> u16 {
        let request = HTTP.post(self.address("revoking", "global-token-revocation"));
        let request = request.header("authorization", format!("Bearer {token}"));
        let request = request.header("content-type", "application/json");
        request.body(json!({ "sub_id": subject }).to_string()).send().await.unwrap().status().as_u16()
    }
}

async fn a_logout_token_ends_what_it_names(database: Database) {
    let company = Company::start(database, &[]).await;
    let mut desk = company.someone("alice", "plain").await;
    let mut phone = company.someone("alice", "plain").await;
    let mut bob = company.someone("bob", "plain").await;
    let mut elsewhere = company.someone("alice", "other").await;
    let mut tried = std::collections::BTreeSet::new();
    for lie in LOGOUT_TOKEN.iter().filter(|lie| lie.verdict == Verdict::Refused) {
        if !tried.insert(lie.check) {
            continue;
        }
        company.op.tell(lie);
        let answer = company.back_channel("plain", &company.op.logout_token(&desk.login)).await;
        company.op.truth();
        assert_eq!(answer.status, 400, "{}: {}", lie.name, answer.body);
        assert_eq!(answer.headers["cache-control"], "no-store", "{}", lie.name);
        assert!(company.is_in(&mut desk.browser, "plain").await, "{}: the session is over", lie.name);
    }
    assert!(tried.len() > 8, "{tried:?}");
    let traces = company.traces().await;
    let causes: Vec<&str> = traces.iter().filter_map(|trace| trace["cause"].as_str()).collect();
    for check in tried {
        assert!(causes.iter().any(|cause| cause.starts_with(&format!("{check}:"))), "{check}: {causes:?}");
    }
    // Nor does another provider's token end anything here.
    let foreign = company.other.logout_token(&elsewhere.login);
    assert_eq!(company.back_channel("plain", &foreign).await.status, 400);

    let mut nobody = company.op.logout_token_plan(&desk.login);
    nobody.cut("sub");
    nobody.set("sid", json!("a session that never was"));
    assert_eq!(company.back_channel("plain", &nobody.token()).await.status, 200, "over is what was wanted");

    // One session, by its name alone.
    let mut one = company.op.logout_token_plan(&desk.login);
    one.cut("sub");
    let one = one.token();
    assert_eq!(company.back_channel("plain", &one).await.status, 200);
    assert!(!company.is_in(&mut desk.browser, "plain").await);
    assert!(company.is_in(&mut phone.browser, "plain").await);
    assert_eq!(company.back_channel("plain", &one).await.status, 400, "a logout token counts once");

    // All sessions of a person.
    let mut desk = company.someone("alice", "plain").await;
    let mut all = company.op.logout_token_plan(&desk.login);
    all.cut("sid");
    assert_eq!(company.back_channel("plain", &all.token()).await.status, 200);
    for (browser, slug, stays) in [
        (&mut desk.browser, "plain", false),
        (&mut phone.browser, "plain", false),
        (&mut bob.browser, "plain", true),
        (&mut elsewhere.browser, "other", true),
    ] {
        assert_eq!(company.is_in(browser, slug).await, stays, "{slug}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_token_ends_what_it_names_on_sqlite() {
    a_logout_token_ends_what_it_names(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_token_ends_what_it_names_on_postgres() {
    a_logout_token_ends_what_it_names(Database::Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_names_no_session_changes_nothing() {
    let company = Company::start(Database::Sqlite, &[]).await;
    let mut alice = company.someone("alice", "plain").await;
    let address = company.address("plain", "oidc/frontchannel-logout");
    let before = alice.browser.cookies(&address);
    let mut queries = Vec::new();
    for lie in FRAME.iter().filter(|lie| lie.verdict == Verdict::Refused) {
        company.op.tell(lie);
        queries.push(company.op.front_channel(&alice.login));
    }
    company.op.truth();
    let mut stranger = alice.login.clone();
    stranger.sid = "a session that never was".to_owned();
    queries.push(company.op.front_channel(&stranger));
    for query in queries {
        alice.browser.get(&format!("{address}?{query}")).await;
        assert_eq!(alice.browser.cookies(&address), before, "{query}: the cookie is gone");
        assert!(company.is_in(&mut alice.browser, "plain").await, "{query}");
    }
    let query = company.op.front_channel(&alice.login);
    let answer = alice.browser.visit(&format!("{address}?{query}")).await;
    assert_eq!(answer.status, 200, "{}", answer.shown());
    assert!(!company.is_in(&mut alice.browser, "plain").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_here_ends_the_session_there_and_comes_back() {
    let company = Company::start(Database::Sqlite, &[]).await;
    let hint = |someone: &Someone| {
        let hint = someone.tokens["id_token"].as_str().unwrap().to_owned();
        format!("{}/logout?id_token_hint={hint}&post_logout_redirect_uri={LOGGED_OUT}&state=app", company.app.at)
    };
    let mut alice = company.someone("alice", "plain").await;
    let address = hint(&alice);
    let back = alice.browser.visit(&address).await;
    assert_eq!(back.location.as_deref(), Some(format!("{LOGGED_OUT}?state=app").as_str()), "{}", back.shown());
    assert!(company.op.logins().iter().any(|login| login.sid == alice.login.sid && login.over));
    assert!(!company.is_in(&mut alice.browser, "plain").await);
    // Whatever the provider brings back: it is over here.
    for lie in WAY_BACK {
        let mut alice = company.someone("alice", "plain").await;
        company.op.tell(lie);
        let address = hint(&alice);
        let back = alice.browser.visit(&address).await;
        company.op.truth();
        assert_eq!((back.status, &back.location), (400, &None), "{}", lie.name);
        assert!(!company.is_in(&mut alice.browser, "plain").await, "{}", lie.name);
    }
}

async fn a_signed_call_ends_all_that_somebody_was_given(database: Database) {
    let company = Company::start(database, &[]).await;
    let address = company.address("revoking", "global-token-revocation");
    let mut alice = company.someone("alice", "revoking").await;
    let mut bob = company.someone("bob", "revoking").await;
    let by_sub = |sub: &str| json!({ "format": "iss_sub", "iss": company.op.issuer, "sub": sub });
    // Who does not prove who it is ends nothing.
    let mut forged = company.op.revocation_token(&address);
    forged.set("iss", json!(company.other.issuer));
    assert_eq!(company.revoke_globally(&forged.token(), &by_sub("alice")).await, 401);
    assert_eq!(company.revoke_globally(&company.op.revocation_token(&address).token(), &by_sub("nobody")).await, 404);
    assert!(company.is_in(&mut alice.browser, "revoking").await);

    let token = company.op.revocation_token(&address).token();
    assert_eq!(company.revoke_globally(&token, &by_sub("alice")).await, 204);
    let refresh = |someone: &Someone| someone.tokens["refresh_token"].as_str().unwrap().to_owned();
    assert_eq!(company.app.refresh(&refresh(&alice)).await.json()["error"], "invalid_grant");
    assert_eq!(company.app.userinfo(alice.tokens["access_token"].as_str().unwrap()).await.status, 401);
    assert!(!company.is_in(&mut alice.browser, "revoking").await);
    assert_eq!(company.app.refresh(&refresh(&bob)).await.status, 200, "somebody else's tokens are gone");
    assert!(company.is_in(&mut bob.browser, "revoking").await);
    // The provider's own tokens for her are given back.
    let until = Instant::now() + Duration::from_secs(5);
    while company.op.seen().count(Endpoint::Revocation) == 0 {
        assert!(Instant::now() < until, "the refresh token of the provider was not revoked");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // The same token again ends nothing of what came since.
    let mut again = company.someone("alice", "revoking").await;
    assert_eq!(claims(&again.tokens["id_token"])["sub"], claims(&alice.tokens["id_token"])["sub"]);
    assert_eq!(company.revoke_globally(&token, &by_sub("alice")).await, 400);
    assert!(company.is_in(&mut again.browser, "revoking").await);
    // By a verified address.
    let by_email = json!({ "format": "email", "email": "alice@acme.example" });
    let token = company.op.revocation_token(&address).token();
    assert_eq!(company.revoke_globally(&token, &by_email).await, 204);
    assert!(!company.is_in(&mut again.browser, "revoking").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_call_ends_all_that_somebody_was_given_on_sqlite() {
    a_signed_call_ends_all_that_somebody_was_given(Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_call_ends_all_that_somebody_was_given_on_postgres() {
    a_signed_call_ends_all_that_somebody_was_given(Database::Postgres).await;
}
