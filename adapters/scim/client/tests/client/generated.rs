//! Generated tenants and apps: after a run the app is as the tenant wants it, what is the app's own stays, and the next
//! run has nothing to do.

use std::collections::BTreeSet;

use fedbridge_scim_client::difference::changes;
use fedbridge_scim_client::plan::Wish;
use serde_json::{Value, json};

use crate::app::{App, Manners};
use crate::run::{Bridge, Somebody, claims, id};

/// Numbers that look random and are the same each time (Steele and others, SplitMix64).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, most: usize) -> usize {
        usize::try_from(self.next() % most as u64).unwrap()
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}

const TEXTS: [&str; 5] = ["a", "B", "é \"x\"", "c]d", "0"];
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

fn somebody(dice: &mut Dice, number: usize) -> Somebody {
    let mut more = json!({});
    for claim in ["name", "given_name", "family_name", "email", "title", "street", "city", "department"] {
        if dice.chance(55) {
            more[claim] = json!(dice.of(&TEXTS));
        }
    }
    let groups: BTreeSet<usize> = (0..3).filter(|_| dice.chance(40)).collect();
    // Names are never swapped among the living: each has two of their own.
    let name = format!("{}{number}", dice.of(&["u", "U", "v"]));
    Somebody { claims: claims(&name, more), groups, out: dice.chance(25) }
}

/// Somebody works at the app.
fn meddle(dice: &mut Dice, app: &App) {
    app.with(|state| {
        let ids: Vec<u64> = state.users.keys().copied().skip(1).collect();
        for one in ids {
            let user = state.users.get_mut(&one).unwrap();
            match dice.below(12) {
                0 => drop(user.insert("displayName".into(), json!("meddled"))),
                1 => drop(user.insert("active".into(), json!(dice.chance(50)))),
                2 => drop(user.shift_remove("name")),
                3 => drop(user.insert("name".into(), json!({ "middleName": "M" }))),
                4 => drop(user.insert("emails".into(), json!([{ "type": "home", "value": "h" }]))),
                5 => drop(user.insert("addresses".into(), json!([{ "type": "work", "country": "X" }]))),
                6 => drop(user.insert(ENTERPRISE.into(), json!({ "costCenter": "9" }))),
                7 => drop(state.users.remove(&one)),
                _ => {}
            }
        }
        for group in state.groups.values_mut() {
            if dice.chance(20) {
                group.insert("members".into(), json!([]));
            }
        }
    });
}

#[tokio::test]
async fn after_a_run_the_app_is_as_it_should_be() {
    let mut wrote = 0;
    for seed in 0..150 {
        let mut dice = Dice(seed);
        let app = App::new();
        let manners = Manners {
            no_patch: dice.chance(20),
            no_filter: dice.chance(20),
            ignores_filter: dice.chance(15),
            page: dice.chance(50).then_some(3),
            ..Manners::default()
        };
        app.with(|state| state.manners = manners);
        let stranger = app.add(json!({ "userName": "stranger", "externalId": "other", "title": "own" }));
        let attributes = json!({ "title": "title", "addresses[type eq \"work\"].streetAddress": "street",
            "addresses[type eq \"work\"].locality": "city", format!("{ENTERPRISE}:department"): "department" });
        let mut bridge = Bridge::new(&app, json!({ "attributes": attributes, "push_groups": ["g0", "g1"] }));
        bridge.groups = (0..3).map(|at| (id(1000 + at), format!("g{at}"))).collect();
        for _ in 0..4 {
            for number in 0..6 {
                if dice.chance(60) {
                    bridge.people.insert(id(number as u128 + 1), somebody(&mut dice, number));
                }
            }
            meddle(&mut dice, &app);
            app.with(|state| state.manners.lose = 0);
            if dice.chance(30) {
                app.with(|state| state.manners.lose = 1);
            }
            app.forget_calls();
            let before = untouched(&app);
            let (plan, failed) = bridge.run().await;
            assert_eq!(failed, [], "{seed}: {:#?}", plan.lines());
            wrote += app.writes().len();
            holds(seed, &bridge, &app);
            let after = untouched(&app);
            for (user, own) in before {
                assert_eq!(after.iter().find(|(id, _)| *id == user).map(|(_, own)| own), Some(&own), "{seed}");
            }
            assert_eq!(app.user("stranger")["id"], json!(stranger));
            let (again, _) = bridge.run().await;
            assert!(again.is_empty(), "{seed}: {:#?}", again.lines());
        }
    }
    assert!(wrote > 2000, "the runs had little to do: {wrote}");
}

/// What of each user is the app's own.
fn untouched(app: &App) -> Vec<(u64, Value)> {
    let own = |user: &serde_json::Map<String, Value>| {
        let emails = user.get("emails").and_then(Value::as_array).into_iter().flatten();
        let home: Vec<_> = emails.filter(|one| one["type"] == "home").cloned().collect();
        json!([
            user.get("name").and_then(|name| name.get("middleName")),
            home,
            user.get(ENTERPRISE).and_then(|it| it.get("costCenter"))
        ])
    };
    app.with(|state| state.users.iter().map(|(id, user)| (*id, own(user))).collect())
}

fn holds(seed: u64, bridge: &Bridge, app: &App) {
    for (key, person) in &bridge.people {
        let external = key.simple().to_string();
        let theirs: Vec<_> = app.with(|state| {
            state.users.values().filter(|user| user.get("externalId") == Some(&json!(external))).cloned().collect()
        });
        match bridge.wish(*key, person) {
            Wish::In(desired) => {
                assert_eq!(theirs.len(), 1, "{seed}: {person:?}");
                assert_eq!(changes(&desired, &theirs[0]), [], "{seed}");
            }
            Wish::Out(_) => assert!(theirs.iter().all(|user| user["active"] == false), "{seed}: {theirs:?}"),
            Wish::Unclear { why, .. } => panic!("{seed}: {why}"),
        }
        for (at, (_, name)) in bridge.groups.iter().enumerate() {
            let group = app.with(|state| state.groups.values().find(|group| group["displayName"] == **name).cloned());
            assert_eq!(group.is_some(), at < 2, "{seed}: {name}");
            let Some(group) = group else { continue };
            let inside = theirs.iter().any(|user| {
                let members = group.get("members").and_then(Value::as_array);
                members.into_iter().flatten().any(|one| one["value"] == user["id"])
            });
            assert_eq!(inside, !person.out && person.groups.contains(&at), "{seed}: {external} in {name}");
        }
    }
}
