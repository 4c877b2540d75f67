#![allow(clippy::unwrap_used, clippy::panic)]
//! The table of steps, and who lags.

use fedbridge_contract::ids::{AppId, ConnectionId};
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_hub::ports::StoredSighting;
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::rotation::{advance, go_back};

use KeyPurpose::{Oidc, SamlDecryption, SamlSigning};
use KeyState::{Active, Next, Retired, Retiring};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn tenant() -> TenantId {
    TenantId::from_uuid(Uuid::nil())
}

fn key(kid: &str, purpose: KeyPurpose, state: KeyState, changed: i64) -> StoredKey {
    StoredKey {
        tenant: tenant(),
        kid: kid.into(),
        purpose,
        connection: None,
        algorithm: SignatureAlgorithm::RS256,
        state,
        created: at(changed),
        changed: at(changed),
        sealed_private: Vec::new(),
        public_jwk: json!({}),
        certificate: None,
    }
}

/// Keys with what a plan does to them; a key that it makes is called `made`.
fn carried(keys: &[StoredKey], planned: &Planned, now: i64) -> Vec<StoredKey> {
    let mut keys = keys.to_vec();
    for change in &planned.keys {
        match change {
            KeyChange::Move { kid, to } => {
                let key = keys.iter_mut().find(|key| key.kid == *kid).unwrap();
                *key = advance(key, *to, at(now)).unwrap();
            }
            KeyChange::Back { kid, to } => {
                let key = keys.iter_mut().find(|key| key.kid == *kid).unwrap();
                *key = go_back(key, *to, at(now)).unwrap();
            }
            KeyChange::Make { purpose, state, .. } => keys.push(key("made", *purpose, *state, now)),
        }
    }
    keys
}

fn states(keys: &[StoredKey], purpose: KeyPurpose) -> Vec<(&str, KeyState)> {
    keys.iter().filter(|key| key.purpose == purpose).map(|key| (key.kid.as_str(), key.state)).collect()
}

/// What a new tenant has.
fn fresh() -> Vec<StoredKey> {
    vec![
        key("token", Oidc, Active, 0),
        key("a", SamlSigning, Active, 0),
        key("b", SamlSigning, Next, 1),
        key("x", SamlDecryption, Active, 0),
    ]
}

fn started(keys: &[StoredKey], purpose: KeyPurpose) -> (Vec<StoredKey>, Rollover) {
    let planned = start(tenant(), keys, purpose, Dates::default(), at(10)).unwrap();
    (carried(keys, &planned, 10), planned.rollover.unwrap())
}

fn stepped(keys: &[StoredKey], rollover: &Rollover, which: Step, now: i64) -> (Vec<StoredKey>, Option<Rollover>) {
    let planned = step(rollover, keys, which, at(now)).unwrap();
    (carried(keys, &planned, now), planned.rollover)
}

#[test]
fn a_signing_key_rolls_over_without_a_third_certificate() {
    let (keys, rollover) = started(&fresh(), SamlSigning);
    assert_eq!(states(&keys, SamlSigning), [("a", Active), ("b", Next)], "the next key is published already");
    let (keys, rollover) = stepped(&keys, &rollover, Step::Switch, 20);
    let rollover = rollover.unwrap();
    assert_eq!(states(&keys, SamlSigning), [("a", Retiring), ("b", Active)], "and no new one yet");
    assert_eq!((rollover.phase, rollover.switched), (RolloverPhase::Switched, Some(at(20))));
    assert_eq!(rollover.retire_at, Some(at(20) + RETIRE_AFTER));
    let (keys, over) = stepped(&keys, &rollover, Step::Retire, 30);
    assert_eq!(over, None);
    assert_eq!(states(&keys, SamlSigning), [("a", Retired), ("b", Active), ("made", Next)]);
    assert_eq!(states(&keys, Oidc), [("token", Active)]);
    assert_eq!(states(&keys, SamlDecryption), [("x", Active)]);
}

#[test]
fn a_decryption_key_is_made_when_it_is_announced() {
    let (keys, rollover) = started(&fresh(), SamlDecryption);
    assert_eq!(states(&keys, SamlDecryption), [("x", Active), ("made", Next)]);
    let (switched, rollover) = stepped(&keys, &rollover, Step::Switch, 20);
    assert_eq!(states(&switched, SamlDecryption), [("x", Retiring), ("made", Active)], "the old one still decrypts");
    let (keys, over) = stepped(&switched, &rollover.unwrap(), Step::Retire, 30);
    assert_eq!((states(&keys, SamlDecryption), over), (vec![("x", Retired), ("made", Active)], None));
}

#[test]
fn a_switch_is_undone_until_the_old_key_is_retired() {
    for purpose in [SamlSigning, SamlDecryption] {
        let (announced, rollover) = started(&fresh(), purpose);
        let dated = Rollover { switch_at: Some(at(15)), retire_at: Some(at(99)), forced: true, ..rollover };
        let (keys, switched) = stepped(&announced, &dated, Step::Switch, 20);
        let switched = switched.unwrap();
        assert_eq!((switched.switch_at, switched.retire_at), (None, Some(at(99))), "a date that was named stays");
        let (keys, back) = stepped(&keys, &switched, Step::RollBack, 25);
        let back = back.unwrap();
        assert_eq!(states(&keys, purpose), states(&announced, purpose));
        assert_eq!(back.phase, RolloverPhase::Announced);
        assert_eq!((back.switch_at, back.switched, back.retire_at, back.forced), (None, None, None, false));
        assert_eq!(due(&back, at(1_000_000)), None, "it does not switch again by itself");
        let (keys, _) = stepped(&keys, &back, Step::Switch, 30);
        assert_eq!(keys.iter().filter(|key| key.purpose == purpose && key.state == Active).count(), 1);
    }
}

#[test]
fn going_back_takes_the_key_that_was_active_last() {
    let mut keys = fresh();
    keys.push(key("older", SamlDecryption, Retiring, 5));
    let (keys, rollover) = started(&keys, SamlDecryption);
    let (keys, rollover) = stepped(&keys, &rollover, Step::Switch, 20);
    let (keys, _) = stepped(&keys, &rollover.unwrap(), Step::RollBack, 25);
    assert_eq!(states(&keys, SamlDecryption), [("x", Active), ("older", Retiring), ("made", Next)]);
}

#[test]
fn a_switch_lets_go_of_what_signed_before_the_last_change() {
    let mut keys = fresh();
    keys.push(key("older", SamlSigning, Retiring, 5));
    let (keys, rollover) = started(&keys, SamlSigning);
    let (keys, _) = stepped(&keys, &rollover, Step::Switch, 20);
    assert_eq!(states(&keys, SamlSigning), [("a", Retiring), ("b", Active), ("older", Retired)]);
}

#[test]
fn a_cancelled_rollover_leaves_what_partners_may_use() {
    let (keys, rollover) = started(&fresh(), SamlSigning);
    let (keys, over) = stepped(&keys, &rollover, Step::Cancel, 20);
    assert_eq!((states(&keys, SamlSigning), over), (vec![("a", Active), ("b", Next)], None));
    let (keys, rollover) = started(&fresh(), SamlDecryption);
    let (keys, _) = stepped(&keys, &rollover, Step::Cancel, 20);
    assert_eq!(states(&keys, SamlDecryption), [("x", Active), ("made", Retiring)], "published no more, still decrypts");
}

#[test]
fn a_step_has_its_phase() {
    let (keys, announced) = started(&fresh(), SamlSigning);
    let (switched_keys, switched) = stepped(&keys, &announced, Step::Switch, 20);
    let switched = switched.unwrap();
    let all = [Step::Switch, Step::RollBack, Step::Retire, Step::Cancel];
    let refusals = |rollover: &Rollover, keys: &[StoredKey]| all.map(|which| step(rollover, keys, which, at(30)).err());
    let early = Some(Refused::NotSwitched);
    assert_eq!(refusals(&announced, &keys), [None, early, early, None]);
    let late = Some(Refused::Switched);
    assert_eq!(refusals(&switched, &switched_keys), [late, None, None, late]);

    assert_eq!(step(&announced, &switched_keys, Step::Switch, at(30)), Err(Refused::NoNextKey));
    assert_eq!(step(&switched, &keys, Step::RollBack, at(30)), Err(Refused::NoOldKey));
    let begin = |keys: &[StoredKey], purpose| start(tenant(), keys, purpose, Dates::default(), at(1)).unwrap_err();
    assert_eq!(begin(&fresh(), Oidc), Refused::SignsTokens);
    assert_eq!(begin(&fresh()[2..3], SamlSigning), Refused::NoActiveKey);
}

#[test]
fn nobody_else_goes_back() {
    let start = key("k", SamlSigning, Next, 0);
    let order = [Next, Active, Retiring, Retired];
    for from in order {
        for to in order {
            let key = StoredKey { state: from, ..start.clone() };
            let allowed = [(Active, Next), (Retiring, Active), (Next, Retiring)].contains(&(from, to));
            assert_eq!(go_back(&key, to, at(1)).is_ok(), allowed, "{from:?} {to:?}");
            assert!(!allowed || advance(&key, to, at(1)).is_err(), "{from:?} {to:?}");
        }
    }
}

#[test]
fn dates_come_when_they_come() {
    let (keys, announced) = started(&fresh(), SamlSigning);
    assert_eq!(due(&announced, at(1_000_000)), None, "without a date only a command switches");
    let dated = Rollover { switch_at: Some(at(50)), retire_at: Some(at(60)), ..announced };
    assert_eq!((due(&dated, at(49)), due(&dated, at(50))), (None, Some(Step::Switch)));
    let (_, late) = stepped(&keys, &dated, Step::Switch, 70);
    let late = late.unwrap();
    assert_eq!(late.retire_at, Some(at(70) + RETIRE_AFTER), "not at once after a switch that came late");
    let end = at(70) + RETIRE_AFTER;
    assert_eq!((due(&late, at(71)), due(&late, end)), (None, Some(Step::Retire)));
}

const PARTNER: u128 = 7;

fn partner() -> Partner {
    Partner { party: Party::Connection(ConnectionId::from_uuid(Uuid::from_u128(PARTNER))), uses_key: true }
}

fn seen(kid: &str, how: Sighting, first: i64, last: i64) -> StoredSighting {
    StoredSighting { party: partner().party, kid: kid.into(), how, first: at(first), last: at(last) }
}

fn why(watched: &Watched, sightings: &[StoredSighting]) -> Option<String> {
    match standings(watched, sightings, &[partner()]).remove(0).knowledge {
        Knowledge::Lags { why } => Some(why),
        Knowledge::Knows { .. } => None,
        Knowledge::NoNeed => panic!("it has a use"),
    }
}

#[test]
fn a_partner_knows_the_key_by_its_own_doing_or_by_somebodys_word() {
    use Sighting::{Confirmed, EncryptedTo, Published, Verified};
    let mut keys = fresh();
    keys[2].created = at(100);
    let watched = Watched::of(&keys, SamlSigning, RolloverPhase::Announced).unwrap();
    assert_eq!((watched.kid.as_str(), watched.published), ("b", Some(at(100))));
    let of = |sightings: &[StoredSighting]| standings(&watched, sightings, &[partner()]).remove(0).knowledge;
    for how in [Published, EncryptedTo, Verified, Confirmed] {
        assert_eq!(of(&[seen("b", how, 120, 130)]), Knowledge::Knows { how, since: at(120) });
    }
    let all = [seen("b", Published, 110, 200), seen("b", Confirmed, 120, 120), seen("b", Verified, 130, 190)];
    assert_eq!(of(&all), Knowledge::Knows { how: Verified, since: at(130) }, "use shows more than a word");
    assert_eq!(of(&all[..2]), Knowledge::Knows { how: Confirmed, since: at(120) }, "and a word more than a fetch");

    let date = |seconds| at(seconds).rfc3339_seconds();
    let never = format!("never fetched our metadata since the key was published on {}", date(100));
    let before = format!("last fetched our metadata on {}, before the key was published on {}", date(90), date(100));
    let without = format!("last fetched our metadata on {}, without the key", date(150));
    let table = [
        (vec![], never.clone()),
        (vec![seen("a", Verified, 1, 150)], never),
        (vec![seen("a", Published, 10, 90)], before),
        (vec![seen("a", Published, 10, 150)], without),
    ];
    for (sightings, expected) in table {
        assert_eq!(why(&watched, &sightings), Some(expected));
    }
}

#[test]
fn who_has_no_use_for_the_key_does_not_lag() {
    let other = Party::App(AppId::from_uuid(Uuid::from_u128(PARTNER)));
    let partners = [Partner { uses_key: false, ..partner() }, Partner { party: other, uses_key: true }];
    let watched = Watched::of(&fresh(), SamlSigning, RolloverPhase::Announced).unwrap();
    let found = standings(&watched, &[seen("b", Sighting::Published, 5, 9)], &partners);
    assert_eq!(found[0].knowledge, Knowledge::NoNeed);
    assert_eq!(found[0].last_seen, Some(at(9)));
    assert!(found[1].lags(), "an app is not the connection of the same number");
    assert_eq!(found[1].last_seen, None);
}

#[test]
fn an_old_decryption_key_waits_for_those_who_encrypt_to_it() {
    use Sighting::{Confirmed, EncryptedTo, Published};
    let (keys, rollover) = started(&fresh(), SamlDecryption);
    let announced = Watched::of(&keys, SamlDecryption, RolloverPhase::Announced).unwrap();
    let old = seen("x", EncryptedTo, 5, 40);
    let fetched = seen("made", Published, 15, 60);
    assert_eq!(why(&announced, &[old.clone(), fetched.clone()]), None, "it knows the key, which is enough to switch");

    let (keys, _) = stepped(&keys, &rollover, Step::Switch, 20);
    let switched = Watched::of(&keys, SamlDecryption, RolloverPhase::Switched).unwrap();
    assert_eq!((switched.kid.as_str(), switched.old.as_slice()), ("made", ["x".to_owned()].as_slice()));
    let still = Some(format!("still encrypts to the old key, last on {}", at(40).rfc3339_seconds()));
    let table = [
        (vec![fetched.clone()], None),
        // It goes on as before, however often it fetches.
        (vec![old.clone(), fetched.clone()], still.clone()),
        (vec![old.clone(), seen("made", Published, 41, 60)], None),
        (vec![old.clone(), fetched.clone(), seen("made", EncryptedTo, 20, 39)], still.clone()),
        (vec![old.clone(), fetched.clone(), seen("made", EncryptedTo, 20, 41)], None),
        (vec![old.clone(), seen("made", Confirmed, 10, 30)], still),
        (vec![old.clone(), seen("made", Confirmed, 10, 45)], None),
    ];
    for (case, (sightings, expected)) in table.into_iter().enumerate() {
        assert_eq!(why(&switched, &sightings), expected, "case {case}");
    }
    assert!(why(&switched, &[old]).unwrap().starts_with("never fetched"));
}
