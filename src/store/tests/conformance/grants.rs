//! The port of grants.

use fedbridge_contract::grant::{CodeState, Redeemed, Rotated, Standing};
use fedbridge_contract::ids::{GrantId, SessionId};
use fedbridge_contract::services::{Grants as _, RefreshLifetimes, Rotation};
use fedbridge_hub::ports::{Command, LoginStore as _, Unit};
use fedbridge_keys::OpensslRng;

use crate::support::{Database, Login, World, at, seconds};

const REFRESH: Option<RefreshLifetimes> = Some(RefreshLifetimes {
    idle: seconds(1000),
    absolute_expires: fedbridge_contract::time::Timestamp::from_millis(1_800_003_600_000),
});

pub async fn a_code_is_redeemed_once(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["openid"]).await;
    let issued = store.by_code(world.tenant, login.grant, &login.code, at(1)).await.unwrap().unwrap();
    assert_eq!((issued.id, issued.code, issued.refresh), (login.grant, CodeState::Issued { expires: at(60) }, None));

    assert_eq!(store.redeem(world.tenant, login.grant, None, at(10)).await.unwrap(), Redeemed::Now);
    assert_eq!(store.redeem(world.tenant, login.grant, None, at(11)).await.unwrap(), Redeemed::Before);
    assert_eq!(store.redeem(world.tenant, login.grant, None, at(100)).await.unwrap(), Redeemed::Before);
    let redeemed = store.by_code(world.tenant, login.grant, &login.code, at(1)).await.unwrap().unwrap();
    assert_eq!((redeemed.code, redeemed.refresh), (CodeState::Redeemed { at: at(10) }, None));

    let late = world.login("grace", &["openid"]).await;
    assert_eq!(store.redeem(world.tenant, late.grant, None, at(60)).await.unwrap(), Redeemed::Gone);
    assert_eq!(store.redeem(world.tenant, GrantId::random(&OpensslRng), None, at(1)).await.unwrap(), Redeemed::Gone);
    let revoked = world.login("linus", &["openid"]).await;
    store.revoke(world.tenant, revoked.grant, at(1)).await.unwrap();
    assert_eq!(store.redeem(world.tenant, revoked.grant, None, at(2)).await.unwrap(), Redeemed::Gone);
}

pub async fn refresh_tokens_rotate(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = redeemed(&world).await;
    let first = store.find(world.tenant, login.grant, None, at(1)).await.unwrap().unwrap().refresh.unwrap();
    assert_eq!((first.generation, first.rotated), (1, at(0)));
    assert_eq!((first.idle_expires, first.absolute_expires), (at(1000), at(3600)));

    assert_eq!(rotate(&world, &login, 1, 100).await, Rotated::To { generation: 2 });
    assert_eq!(rotate(&world, &login, 1, 105).await, Rotated::Again { generation: 2 });
    assert_eq!(rotate(&world, &login, 1, 110).await, Rotated::Again { generation: 2 }, "the grace is 10 s");
    assert_eq!(rotate(&world, &login, 2, 900).await, Rotated::To { generation: 3 });
    let now = store.find(world.tenant, login.grant, None, at(1)).await.unwrap().unwrap().refresh.unwrap();
    assert_eq!((now.generation, now.rotated, now.idle_expires), (3, at(900), at(1900)));
    assert_eq!(rotate(&world, &login, 3, 1899).await, Rotated::To { generation: 4 });
    assert_eq!(rotate(&world, &login, 4, 2800).await, Rotated::To { generation: 5 });
    let last = store.find(world.tenant, login.grant, None, at(1)).await.unwrap().unwrap().refresh.unwrap();
    assert_eq!(last.idle_expires, at(3600), "the absolute limit caps the idle one");
}

pub async fn an_old_refresh_token_revokes_the_family(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    // After the grace; two generations back within it; one that was never given.
    for (presented, when) in [(1, 111), (1, 102), (9, 102)] {
        let login = redeemed(&world).await;
        assert_eq!(rotate(&world, &login, 1, 100).await, Rotated::To { generation: 2 });
        if (presented, when) == (1, 102) {
            assert_eq!(rotate(&world, &login, 2, 101).await, Rotated::To { generation: 3 });
        }
        assert_eq!(rotate(&world, &login, presented, when).await, Rotated::Reused);
        assert!(store.find(world.tenant, login.grant, None, at(1)).await.unwrap().unwrap().standing.revoked);
        assert_eq!(rotate(&world, &login, 2, 112).await, Rotated::Gone);
    }
}

pub async fn a_refresh_family_ends(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let idle = redeemed(&world).await;
    assert_eq!(rotate(&world, &idle, 1, 1000).await, Rotated::Gone);
    assert!(!store.find(world.tenant, idle.grant, None, at(1)).await.unwrap().unwrap().standing.revoked);

    let constrained = redeemed(&world).await;
    let keep = |now| Rotation { rotate: false, ..rotation(&constrained, 1, now) };
    for now in [900, 1800, 2700, 3599] {
        assert_eq!(store.rotate(world.tenant, keep(now)).await.unwrap(), Rotated::To { generation: 1 });
    }
    assert_eq!(store.rotate(world.tenant, keep(3600)).await.unwrap(), Rotated::Gone, "the absolute limit");

    let without = world.login("linus", &["openid"]).await;
    store.redeem(world.tenant, without.grant, None, at(1)).await.unwrap();
    assert_eq!(rotate(&world, &without, 1, 2).await, Rotated::Gone, "no family was opened");
    let revoked = redeemed(&world).await;
    store.revoke(world.tenant, revoked.grant, at(1)).await.unwrap();
    assert_eq!(rotate(&world, &revoked, 1, 2).await, Rotated::Gone);
}

pub async fn a_rotation_keeps_what_the_grant_is_by_then(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = redeemed(&world).await;
    let record = async || store.find(world.tenant, login.grant, None, at(1)).await.unwrap().unwrap().record;
    let mut changed = record().await;
    changed.claims.set("title", serde_json::json!("Dr"));
    let with =
        |presented, now| Rotation { changed: Some(Box::new(changed.clone())), ..rotation(&login, presented, now) };
    assert_eq!(store.rotate(world.tenant, with(2, 100)).await.unwrap(), Rotated::Reused);
    assert_ne!(record().await, changed, "nothing moved");
    let login = redeemed(&world).await;
    let with =
        |presented, now| Rotation { changed: Some(Box::new(changed.clone())), ..rotation(&login, presented, now) };
    assert_eq!(store.rotate(world.tenant, with(1, 100)).await.unwrap(), Rotated::To { generation: 2 });
    let kept = store.find(world.tenant, login.grant, None, at(1)).await.unwrap().unwrap().record;
    assert_eq!(kept, changed);
    assert_eq!(rotate(&world, &login, 2, 101).await, Rotated::To { generation: 3 });
}

pub async fn standing_says_what_stops_a_grant(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["openid"]).await;
    let standing = async |jti| store.find(world.tenant, login.grant, jti, at(1)).await.unwrap().unwrap().standing;
    assert_eq!(standing(Some("t1")).await, Standing::default());

    store.revoke_token(world.tenant, "t1", at(500)).await.unwrap();
    assert_eq!(standing(Some("t1")).await, Standing { token_revoked: true, ..Standing::default() });
    assert_eq!(standing(Some("t2")).await, Standing::default());
    assert_eq!(standing(None).await, Standing::default());

    store.set_person_disabled(world.tenant, login.person, true, at(1)).await.unwrap();
    assert_eq!(standing(None).await, Standing { person_disabled: true, ..Standing::default() });
    store.set_person_disabled(world.tenant, login.person, false, at(1)).await.unwrap();
    store.revoke(world.tenant, login.grant, at(5)).await.unwrap();
    assert_eq!(standing(None).await, Standing { revoked: true, ..Standing::default() });
    assert_eq!(store.find(world.tenant, GrantId::random(&OpensslRng), None, at(1)).await.unwrap(), None);
}

pub async fn ending_a_session_spares_offline_access(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["openid"]).await;
    let offline = Login { grant: GrantId::random(&OpensslRng), code: crate::support::hash("offline"), ..login.clone() };
    let elsewhere = Login {
        session: SessionId::random(&OpensslRng),
        cookie: crate::support::hash("other browser"),
        grant: GrantId::random(&OpensslRng),
        code: crate::support::hash("elsewhere"),
        ..login.clone()
    };
    world
        .commit(vec![
            Command::InsertGrant(world.grant(&offline, &["openid", "offline_access"])),
            Command::StartSession(world.session(&elsewhere)),
            Command::InsertGrant(world.grant(&elsewhere, &["openid"])),
        ])
        .await
        .unwrap();
    world.commit(vec![Command::EndSession(login.session)]).await.unwrap();

    let standing = async |grant| store.find(world.tenant, grant, None, at(1)).await.unwrap().unwrap().standing;
    assert_eq!(standing(login.grant).await, Standing { revoked: true, session_ended: true, ..Standing::default() });
    assert_eq!(standing(offline.grant).await, Standing { session_ended: true, ..Standing::default() });
    assert_eq!(standing(elsewhere.grant).await, Standing::default());
}

/// The row of an expired session stays until the janitor comes; the session has ended all the same.
pub async fn an_expired_session_has_ended(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["openid"]).await;
    let ended = async |now| {
        let by_id = store.find(world.tenant, login.grant, None, now).await.unwrap().unwrap();
        let by_code = store.by_code(world.tenant, login.grant, &login.code, now).await.unwrap().unwrap();
        assert_eq!(by_id, by_code);
        by_id.standing.session_ended
    };
    assert!(!ended(at(1799)).await);
    assert!(ended(at(1800)).await, "idle for too long");
    let touch = |idle_expires, now| Unit {
        commands: vec![Command::TouchSession { session: login.session, idle_expires }],
        now,
    };
    store.commit(world.tenant, touch(at(9000), at(1700))).await.unwrap();
    assert!(!ended(at(3599)).await);
    assert!(ended(at(3600)).await, "the absolute limit");
}

pub async fn tokens_are_revoked_by_themselves(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    assert!(!store.token_revoked(world.tenant, "t1").await.unwrap());
    store.revoke_token(world.tenant, "t1", at(500)).await.unwrap();
    store.revoke_token(world.tenant, "t1", at(500)).await.expect("revoking twice is fine");
    assert!(store.token_revoked(world.tenant, "t1").await.unwrap());
    assert!(!store.token_revoked(world.tenant, "t2").await.unwrap());
}

async fn redeemed(world: &World) -> Login {
    let subject = GrantId::random(&OpensslRng).to_string();
    let login = world.login(&subject, &["openid", "offline_access"]).await;
    assert_eq!(world.store.redeem(world.tenant, login.grant, REFRESH, at(0)).await.unwrap(), Redeemed::Now);
    login
}

async fn rotate(world: &World, login: &Login, presented: i64, now: i64) -> Rotated {
    world.store.rotate(world.tenant, rotation(login, presented, now)).await.unwrap()
}

fn rotation(login: &Login, presented: i64, now: i64) -> Rotation {
    Rotation {
        grant: login.grant,
        presented,
        rotate: true,
        grace: seconds(10),
        idle: seconds(1000),
        changed: None,
        now: at(now),
    }
}
