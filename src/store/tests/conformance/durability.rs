//! kill -9 under load, again and again: what was acknowledged is there, no code
//! is redeemed twice, and no unit is there in part.
//!
//! The load runs in a process of its own: this test binary again, with the one
//! ignored test below.

use std::collections::{HashMap, HashSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command as Process, Stdio};
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::grant::{CodeState, Redeemed, Rotated};
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, SessionId, TenantId};
use fedbridge_contract::services::{Grants as _, RefreshLifetimes, Rotation};
use fedbridge_hub::ports::LoginStore as _;
use fedbridge_keys::OpensslRng;
use fedbridge_store::{Store, StoreOptions};

use crate::support::{Database, Login, World, at, sealer, seconds};

const KILLS: usize = 5;
const WRITER: &str = "durability::writer_process";
const VARIABLE: &str = "FEDBRIDGE_TEST_DURABILITY";

pub async fn a_kill_loses_nothing_that_was_acknowledged(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    store.close().await.unwrap();
    let mut told = Told::default();
    for round in 0..KILLS {
        let mut writer = start_writer(&database, &world);
        let mut lines = BufReader::new(writer.stdout.take().unwrap()).lines();
        let before = told.redeemed.len();
        while told.redeemed.len() == before {
            told.hear(&lines.next().expect("the writer ended by itself").unwrap());
        }
        // Killed at another moment each time.
        tokio::time::sleep(Duration::from_millis(30 + 70 * round as u64)).await;
        writer.kill().unwrap();
        lines.for_each(|line| told.hear(&line.unwrap()));
        writer.wait().unwrap();
        check(&database, &world, &told).await;
    }
}

/// Everything that was asked for before `close` is answered, and is there afterwards.
pub async fn closing_carries_out_what_waits(database: Database) {
    let store = database.open().await;
    let world = Arc::new(World::new(&store, "acme").await);
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let login = world.plan();
                let done = world.commit(world.commands(&login, &format!("person {n}"), &[])).await;
                (login, done)
            })
        })
        .collect();
    tokio::task::yield_now().await;
    store.close().await.unwrap();
    let again = database.open().await;
    for task in tasks {
        let (login, done) = task.await.unwrap();
        let there = again.by_code(world.tenant, login.grant, &login.code, at(1)).await.unwrap().is_some();
        assert_eq!(there, done.is_ok(), "{done:?}");
    }
    assert!(store.linked_person(world.tenant, world.connection, "x").await.is_err(), "it is closed");
    assert!(world.commit(vec![]).await.is_err() || matches!(database, Database::Postgres(_)));
}

/// What the writer said it had done.
#[derive(Default)]
struct Told {
    created: HashSet<GrantId>,
    redeemed: HashSet<GrantId>,
    generations: HashMap<GrantId, i64>,
}

impl Told {
    fn hear(&mut self, line: &str) {
        let words: Vec<_> = line.split(' ').collect();
        match words.as_slice() {
            ["created", grant] => drop(self.created.insert(grant.parse().unwrap())),
            ["redeemed", grant] => assert!(self.redeemed.insert(grant.parse().unwrap()), "{grant} twice"),
            ["rotated", grant, generation] => {
                self.generations.insert(grant.parse().unwrap(), generation.parse().unwrap());
            }
            ["failed", ..] => panic!("{line}"),
            _ => {} // The test harness's own words.
        }
    }
}

async fn check(database: &Database, world: &World, told: &Told) {
    let store = database.open().await;
    for grant in &told.created {
        let found = store.find(world.tenant, *grant, None, at(1)).await.unwrap();
        let found = found.unwrap_or_else(|| panic!("{grant} was acknowledged and is gone"));
        let there = store.session(world.tenant, session(*grant), &cookie(*grant), at(1)).await.unwrap();
        assert!(there.is_some(), "{grant} is there without its session");
        if told.redeemed.contains(grant) {
            assert!(matches!(found.code, CodeState::Redeemed { .. }), "{grant} was redeemed and is not");
            let again = store.redeem(world.tenant, *grant, None, at(2)).await.unwrap();
            assert_eq!(again, Redeemed::Before, "{grant} was redeemed twice");
        }
        if let Some(generation) = told.generations.get(grant) {
            assert!(found.refresh.unwrap().generation >= *generation, "{grant} went back in its generations");
        }
    }
    let people = database.count("people").await;
    for table in ["identities", "sessions", "grants"] {
        assert_eq!(database.count(table).await, people, "a unit is there in part: {table}");
    }
    store.close().await.unwrap();
}

fn start_writer(database: &Database, world: &World) -> Child {
    let setting = format!("{} {} {} {}", database.url(), world.tenant, world.connection, world.app);
    Process::new(std::env::current_exe().unwrap())
        .args(["--exact", WRITER, "--ignored", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, setting)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the load that the durability tests start and kill"]
fn writer_process() {
    let setting = std::env::var(VARIABLE).expect("only the durability tests start this");
    let words: Vec<_> = setting.split(' ').collect();
    let (url, tenant): (_, TenantId) = (words[0].to_owned(), words[1].parse().unwrap());
    let (connection, app): (ConnectionId, AppId) = (words[2].parse().unwrap(), words[3].parse().unwrap());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let options = StoreOptions { connections: 6, migrate: false };
        let store = Store::open(&url, sealer(), options).await.unwrap();
        let world = Arc::new(World { store, tenant, connection, app });
        let tasks: Vec<_> = (0..8).map(|_| tokio::spawn(write_for_ever(Arc::clone(&world)))).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

async fn write_for_ever(world: Arc<World>) {
    // The parent kills us long before; the bound is for a parent that died.
    for _ in 0..20_000 {
        if let Err(cause) = write_one(&world).await {
            say(&format!("failed {cause}"));
        }
    }
}

async fn write_one(world: &World) -> Result<(), String> {
    let grant = GrantId::random(&OpensslRng);
    let login = Login { grant, session: session(grant), cookie: cookie(grant), ..world.plan() };
    let commands = world.commands(&login, &grant.to_string(), &["openid", "offline_access"]);
    world.commit(commands).await.map_err(|cause| cause.to_string())?;
    say(&format!("created {grant}"));
    let refresh = RefreshLifetimes { idle: seconds(1000), absolute_expires: at(3600) };
    let redeemed = world.store.redeem(world.tenant, grant, Some(refresh), at(1)).await;
    if redeemed.map_err(|cause| cause.to_string())? != Redeemed::Now {
        return Err(format!("{grant} was redeemed before"));
    }
    say(&format!("redeemed {grant}"));
    let rotation = Rotation {
        grant,
        presented: 1,
        rotate: true,
        grace: seconds(10),
        idle: seconds(1000),
        changed: None,
        now: at(2),
    };
    match world.store.rotate(world.tenant, rotation).await.map_err(|cause| cause.to_string())? {
        Rotated::To { generation } => say(&format!("rotated {grant} {generation}")),
        other => return Err(format!("{grant}: {other:?}")),
    }
    Ok(())
}

fn say(line: &str) {
    // One write, so that a kill can't cut a line that was told before it.
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}

fn session(grant: GrantId) -> SessionId {
    SessionId::from_uuid(grant.uuid())
}

fn cookie(grant: GrantId) -> [u8; 32] {
    crate::support::hash(format!("cookie {grant}"))
}
