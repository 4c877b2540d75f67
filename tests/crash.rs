//! kill -9 under load, again and again: what was answered for is there
//! afterwards, and no code is redeemed twice.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::support::Scratch;
use crate::support::bridge::Setup;
use crate::support::browser::Browser;
use crate::support::peers::Peer;
use crate::support::scripted::{App, bridge_file, idp, now, person};

const ROUNDS: usize = 4;
const WORKERS: usize = 8;

/// Logins that were answered for before a round's kill.
const ENOUGH: usize = 15;

/// What the server answered for before it died.
#[derive(Default)]
struct Answered {
    /// Redeemed codes, with the refresh token that came.
    redeemed: Vec<(String, String)>,
    /// Codes that were given out, and nobody redeemed.
    open_codes: Vec<String>,
}

async fn survives(setup: Setup, scratch: Scratch) {
    let idp = idp();
    setup.apply(&scratch, &bridge_file(&scratch, &idp));
    let mut total = 0;
    for round in 0..ROUNDS {
        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        let answered = Arc::new(Mutex::new(Answered::default()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut workers = JoinSet::new();
        for worker in 0..WORKERS {
            let (app, idp) = (app.clone(), idp.clone());
            let (answered, stop) = (Arc::clone(&answered), Arc::clone(&stop));
            workers.spawn(async move {
                for number in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let who = person(&format!("p{round}-{worker}-{number}"));
                    let login = async {
                        let mut browser = Browser::new();
                        let request = app.try_to_idp(&mut browser).await?;
                        let form = idp.answer(&request, &who, now()).form(&idp, request.relay_state.as_deref()).ok()?;
                        let code = app.try_post_acs(&mut browser, &form).await?;
                        if number % 4 == 3 {
                            answered.lock().await.open_codes.push(code);
                            return Some(());
                        }
                        let token = app.try_redeem(&code).await?;
                        answered.lock().await.redeemed.push((code, token));
                        Some(())
                    };
                    if login.await.is_none() {
                        return;
                    }
                }
            });
        }
        // Enough to lose, on a slow machine too; then a moment that differs from round to round.
        while answered.lock().await.redeemed.len() < ENOUGH {
            assert!(!workers.is_empty() && workers.try_join_next().is_none(), "a worker gave up before the kill");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(37 * round as u64)).await;
        bridge.kill();
        stop.store(true, Ordering::Relaxed);
        while workers.join_next().await.is_some() {}

        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        let answered = answered.lock().await;
        for (at, (code, token)) in answered.redeemed.iter().enumerate() {
            // First the token that was answered for, then the code, whose reuse revokes it.
            if at % 2 == 0 {
                let answer = app.refresh(token).await;
                assert_eq!(answer.status, 200, "a refresh token was lost: {}", answer.body);
            }
            let again = app.redeem(code).await;
            assert_eq!(again.json()["error"], "invalid_grant", "a code was redeemed twice");
        }
        for code in &answered.open_codes {
            let answer = app.redeem(code).await;
            assert_eq!(answer.status, 200, "a code was lost: {}", answer.body);
        }
        total += answered.redeemed.len() + answered.open_codes.len();
    }
    assert!(total >= ROUNDS * ENOUGH, "only {total} logins in all rounds");
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_loses_nothing() {
    let scratch = Scratch::new("crash");
    survives(Setup::sqlite(scratch.path()), scratch).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgres_loses_nothing() {
    let scratch = Scratch::new("crash");
    let postgres = Peer::durable_postgres(scratch.path());
    survives(Setup::postgres(scratch.path(), &postgres.url), scratch).await;
}
