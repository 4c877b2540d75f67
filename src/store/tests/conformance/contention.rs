//! Many at once, over two open stores of one database: one wins.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fedbridge_contract::grant::{Redeemed, Rotated};
use fedbridge_contract::ids::{AppId, LogoutId, TransactionId};
use fedbridge_contract::logout::Participant;
use fedbridge_contract::services::{Grants as _, RefreshLifetimes, Rotation};
use fedbridge_hub::ports::{
    Command, GuardFailed, LoginStore as _, LogoutStore as _, NewLogout, NewTransaction, Unit, UnitError,
};
use fedbridge_keys::OpensslRng;
use fedbridge_store::Store;

use crate::support::{Database, World, at, hash, seconds};

pub const MANY: usize = 100;

pub async fn one_redemption_wins(database: Database) {
    let (world, stores) = two(&database).await;
    let login = world.login("ada", &["openid"]).await;
    let all = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let world = Arc::clone(&world);
            async move { store.redeem(world.tenant, login.grant, None, at(1)).await.unwrap() }
        }
    })
    .await;
    assert_eq!(all.iter().filter(|one| **one == Redeemed::Now).count(), 1);
    assert_eq!(all.iter().filter(|one| **one == Redeemed::Before).count(), MANY - 1);
}

/// Apps join a session while it ends: each is told of the end, or was refused.
pub async fn every_joiner_is_told_or_refused(database: Database) {
    let (world, stores) = two(&database).await;
    let login = world.login("ada", &["openid"]).await;
    let id = LogoutId::at(at(1), &OpensslRng);
    let turn = Arc::new(AtomicUsize::new(0));
    let all = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let (world, session) = (Arc::clone(&world), login.session);
            // One in the middle ends the session, the others join it.
            let ends = turn.fetch_add(1, Ordering::Relaxed) == MANY / 2;
            async move {
                let app = AppId::random(&OpensslRng);
                let commands = if ends {
                    let new = NewLogout { id, sessions: vec![session], expires: at(900), sealed: vec![] };
                    vec![Command::EndSession(session), Command::OpenLogout(new)]
                } else {
                    let participant = Participant { app, key: "ada".into(), index: None, memory: true.into() };
                    let touch = Command::TouchSession { session, idle_expires: at(1000) };
                    vec![touch, Command::Join { session, expires: at(3600), participant }]
                };
                match store.commit(world.tenant, Unit { commands, now: at(1) }).await {
                    Ok(()) if ends => {
                        store.spread(world.tenant, id, None, at(1)).await.unwrap();
                        None
                    }
                    Ok(()) => Some(app),
                    Err(UnitError::Guard(GuardFailed::SessionEnded)) => None,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    })
    .await;
    let mut joined: Vec<AppId> = all.into_iter().flatten().collect();
    joined.sort();
    let notices = stores[0].logout(world.tenant, id).await.unwrap().unwrap().notices;
    let mut told: Vec<AppId> = notices.iter().map(|notice| notice.participant.app).collect();
    told.sort();
    assert_eq!(told, joined);
    assert_eq!(database.count("participants").await, 0);
}

pub async fn one_rotation_wins(database: Database) {
    let (world, stores) = two(&database).await;
    let login = world.login("ada", &["openid"]).await;
    let refresh = RefreshLifetimes { idle: seconds(100), absolute_expires: at(1000) };
    stores[0].redeem(world.tenant, login.grant, Some(refresh), at(1)).await.unwrap();
    let all = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let (world, grant) = (Arc::clone(&world), login.grant);
            async move {
                let rotation = Rotation {
                    grant,
                    presented: 1,
                    rotate: true,
                    grace: seconds(10),
                    idle: seconds(100),
                    changed: None,
                    now: at(2),
                };
                store.rotate(world.tenant, rotation).await.unwrap()
            }
        }
    })
    .await;
    assert_eq!(all.iter().filter(|one| **one == Rotated::To { generation: 2 }).count(), 1);
    assert_eq!(all.iter().filter(|one| **one == Rotated::Again { generation: 2 }).count(), MANY - 1);
    assert!(!world.store.find(world.tenant, login.grant, None, at(1)).await.unwrap().unwrap().standing.revoked);
}

/// One response, posted many times: all name one transaction and one assertion.
pub async fn one_replay_wins(database: Database) {
    let (world, stores) = two(&database).await;
    let id = TransactionId::random(&OpensslRng);
    let open = NewTransaction { id, handle_hash: hash("h"), expires: at(600), sealed: vec![] };
    world.commit(vec![Command::OpenTransaction(open)]).await.unwrap();
    let all = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let world = Arc::clone(&world);
            async move {
                let mut commands = vec![Command::FinishTransaction(id), once()];
                let subject = TransactionId::random(&OpensslRng).to_string();
                commands.extend(world.commands(&world.plan(), &subject, &["openid"]));
                store.commit(world.tenant, Unit { commands, now: at(1) }).await
            }
        }
    })
    .await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
    for refused in all.iter().filter_map(|one| one.as_ref().err()) {
        assert!(matches!(refused, UnitError::Guard(GuardFailed::TransactionGone)), "{refused:?}");
    }

    // The same assertion without its transaction, in as many transactions of its own.
    let all = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let world = Arc::clone(&world);
            async move {
                let mut commands = world.commands(&world.plan(), &TransactionId::random(&OpensslRng).to_string(), &[]);
                commands.push(Command::Once { purpose: "saml.assertion".into(), key: "b".into(), expires: at(300) });
                store.commit(world.tenant, Unit { commands, now: at(1) }).await
            }
        }
    })
    .await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
    for refused in all.iter().filter_map(|one| one.as_ref().err()) {
        assert!(matches!(refused, UnitError::Guard(GuardFailed::SeenBefore { .. })), "{refused:?}");
    }
    assert_eq!((database.count("people").await, database.count("sessions").await), (2, 2), "the losers left nothing");

    let remembered = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let world = Arc::clone(&world);
            async move { store.remember_once(world.tenant, "jwt", "j", at(300)).await.unwrap() }
        }
    })
    .await;
    assert_eq!(remembered.iter().filter(|first| **first).count(), 1);
}

/// One person's first login in many browsers at once: one person is made.
pub async fn one_link_wins(database: Database) {
    let (world, stores) = two(&database).await;
    let all = race(&stores, {
        let world = Arc::clone(&world);
        move |store| {
            let world = Arc::clone(&world);
            async move {
                let commands = world.commands(&world.plan(), "ada", &["openid"]);
                store.commit(world.tenant, Unit { commands, now: at(1) }).await
            }
        }
    })
    .await;
    assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
    for refused in all.iter().filter_map(|one| one.as_ref().err()) {
        assert!(matches!(refused, UnitError::Guard(GuardFailed::LinkExists)), "{refused:?}");
    }
    assert_eq!((database.count("people").await, database.count("identities").await), (1, 1));
}

pub async fn two(database: &Database) -> (Arc<World>, [Store; 2]) {
    let first = database.open().await;
    let world = World::new(&first, "acme").await;
    (Arc::new(world), [first, database.open().await])
}

pub async fn race<T, F>(stores: &[Store; 2], each: impl Fn(Store) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(tokio::sync::Barrier::new(MANY));
    let tasks: Vec<_> = (0..MANY)
        .map(|n| {
            let (start, work) = (Arc::clone(&start), each(stores[n % 2].clone()));
            tokio::spawn(async move {
                start.wait().await;
                work.await
            })
        })
        .collect();
    let mut out = Vec::new();
    for task in tasks {
        out.push(task.await.unwrap());
    }
    out
}

fn once() -> Command {
    Command::Once { purpose: "saml.assertion".into(), key: "a".into(), expires: at(300) }
}
