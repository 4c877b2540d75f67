//! What one tenant gave out is worth nothing at another one (threats.md 12): two tenants with like-named objects,
//! the same partners, the same secrets. Every row is sent to the other tenant first, with everything else right,
//! and then to its own, where it must be good: a row that proves nothing is red.

mod passwords;
mod pushed;
mod rows;
mod signals;
pub mod world;

use std::collections::BTreeSet;

use fedbridge::wiring::wire;
use fedbridge::{Foundation, registry};
use fedbridge_contract::logout::{Channel, Told};
use fedbridge_contract::services::Counters;
use fedbridge_hub::run::{Hub, Observer, Target};
use std::sync::Arc;

use crate::support::REPOSITORY;
use rows::{Good, rows};
use world::{CONNECTIONS, Place, World};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_one_tenant_is_good_at_another() {
    let world = World::start().await;
    let rows = rows(&world).await;
    for row in &rows {
        let there = world.send(&row.place, &(row.ask)(&world.other), &world.other).await;
        for mark in &world.marks {
            assert!(!there.whole.contains(mark.as_str()), "{}: {mark} goes to the other tenant: {there:?}", row.name());
        }
        let crossed = match &row.good {
            Good::Answer(good) => good(&there),
            Good::Ends(alive) => !alive.is_so(&world).await,
            Good::Begins(alive) => alive.is_so(&world).await,
            Good::Public => continue,
        };
        assert!(!crossed, "{} is good at the other one: {there:?}\n{}", row.name(), world.why().await);
        let here = world.send(&row.place, &(row.ask)(&world.own), &world.own).await;
        let good = match &row.good {
            Good::Answer(good) => good(&here),
            Good::Ends(alive) => !alive.is_so(&world).await,
            Good::Begins(alive) => alive.is_so(&world).await,
            Good::Public => true,
        };
        assert!(good, "{} is no good at home either: {here:?}\n{}", row.name(), world.why().await);
    }
    let asked: BTreeSet<_> = rows.iter().map(|row| row.place.route()).collect();
    let all = routes(&world).await;
    let missing: Vec<_> = all.difference(&asked).collect();
    assert!(missing.is_empty(), "without a row in tests/two_tenants/rows.rs: {missing:?}");
    let gone: Vec<_> = asked.difference(&all).collect();
    assert!(gone.is_empty(), "there is no such route any more: {gone:?}");
    passwords::over_ldap(&world).await;
}

/// Every route of every adapter, and the hub's own.
async fn routes(world: &World) -> BTreeSet<String> {
    let foundation = Foundation::open_as_is(&world.settings()).await.unwrap();
    let wired = wire(&foundation, registry::upstreams(), Arc::new(Quiet)).await.unwrap();
    let mut all = own_routes(&wired.hub);
    for downstream in &wired.hub.downstreams {
        all.extend(downstream.routes().iter().map(|route| route.path.to_owned()));
    }
    let snapshot = wired.snapshots.current();
    let tenant = snapshot.named(world.own.slug).unwrap();
    let kinds: BTreeSet<_> = tenant.connections.values().map(|open| open.view.protocol.clone()).collect();
    let known: BTreeSet<_> = registry::upstreams().kinds().map(str::to_owned).collect();
    assert_eq!(kinds, known, "the tenants have one connection of each protocol");
    for open in tenant.connections.values() {
        let adapter = &open.state.as_ref().unwrap().adapter;
        let login = adapter.login.iter().flat_map(|login| login.routes());
        let logout = adapter.logout.iter().flat_map(|logout| logout.routes());
        let published = adapter.metadata.iter().map(|metadata| metadata.route());
        let pushed = adapter.push.iter().flat_map(|push| push.routes());
        let paths = login.chain(logout).chain(pushed).map(|route| route.path).chain(published.map(|route| route.path));
        all.extend(paths.map(|path| Place::Connection(world.slug_of(&open.view.protocol), path).route()));
    }
    all
}

/// Whatever text in the hub's sources is a path that the hub itself answers.
fn own_routes(hub: &Hub) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![std::path::PathBuf::from(REPOSITORY).join("src/hub/src/run")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(path).unwrap();
            for literal in text.split('"').filter(|text| !text.is_empty() && text.len() < 64) {
                let path = literal.replace('*', "x");
                let of_tenant = hub.tenant_route("acme", &path);
                if let Some(resolved) = of_tenant
                    && !matches!(resolved.target, Target::Downstream { .. })
                {
                    found.insert(resolved.route.path.to_owned());
                }
                for slug in CONNECTIONS {
                    if let Some(resolved) = hub.connection_route("acme", slug, &path)
                        && matches!(resolved.target, Target::Login { .. })
                    {
                        found.insert(Place::Connection(slug, resolved.route.path).route());
                    }
                }
            }
        }
    }
    found
}

struct Quiet;

impl Counters for Quiet {
    fn token_issued(&self, _: &'static str) {}
    fn refused(&self, _: &'static str, _: &'static str) {}
    fn refresh_reused(&self) {}
}

impl Observer for Quiet {
    fn login(&self, _: &str, _: &str, _: &'static str, _: f64) {}
    fn logout_notice(&self, _: Channel, _: Told) {}
}
