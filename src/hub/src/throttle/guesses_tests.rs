#![allow(clippy::unwrap_used)]

use fedbridge_contract::ids::ConnectionId;

use super::*;

/// No secret: keys need only be apart.
pub(in crate::throttle) struct PlainMac;

impl TokenSecrets for PlainMac {
    fn mac(&self, tenant: TenantId, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut out = [0; 32];
        let tenant = tenant.uuid();
        let octets = tenant.as_bytes().iter().chain(purpose.as_bytes()).chain(&[0]).chain(message);
        let (mut one, mut two) = (0xcbf2_9ce4_8422_2325_u64, 0x9e37_79b9_7f4a_7c15_u64);
        for octet in octets {
            one = (one ^ u64::from(*octet)).wrapping_mul(0x0100_0000_01b3);
            two = two.rotate_left(5).wrapping_add(one);
        }
        out[..8].copy_from_slice(&one.to_be_bytes());
        out[8..16].copy_from_slice(&two.to_be_bytes());
        out
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const AD: Lockout = Lockout { after: 5, forgets: Duration::from_secs(1800) };

fn guesses() -> Guesses {
    let limit = |count| Limit { count, per: MINUTE };
    Guesses::new(limit(60), limit(10), Arc::new(PlainMac))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn guess(account: &str) -> Guess<'_> {
    Guess {
        tenant: "00000000000000000000000000000001".parse().unwrap(),
        connection: Some(ConnectionId::from_uuid(Uuid::from_u128(2))),
        account,
        peer: "192.0.2.1".parse().unwrap(),
        through: None,
        known_device: None,
        lockout: None,
    }
}

fn wrong(admitted: Counted) {
    Box::new(admitted).guessed();
}

/// How many wrong tries are let through, one each second.
fn let_through(guesses: &Guesses, guess: &Guess<'_>, tries: i64, from: i64) -> i64 {
    (0..tries)
        .filter(|second| {
            let now = at(from + second);
            guesses.admits(guess, now).map(wrong).is_ok()
        })
        .count()
        .try_into()
        .unwrap()
}

#[test]
fn an_account_is_guessed_at_so_often_and_the_right_password_does_not_count() {
    let guesses = guesses();
    assert_eq!(let_through(&guesses, &guess("ann"), 20, 0), 10);
    assert_eq!(let_through(&guesses, &guess("bob"), 1, 0), 1, "others are not held up");
    assert_eq!(let_through(&guesses, &guess("ann"), 1, 90), 1, "a minute later it goes on");
    for second in 0..50 {
        let now = at(1000 + second);
        let admitted = guesses.admits(&guess("eve"), now);
        Box::new(admitted.unwrap()).withdrawn(true);
    }
}

#[test]
fn many_at_once_are_not_all_let_through() {
    let guesses = guesses();
    let admitted = (0..100).filter(|_| guesses.admits(&guess("ann"), at(0)).is_ok()).count();
    assert_eq!(admitted, 10);
}

#[test]
fn a_directory_never_counts_as_far_as_its_threshold() {
    let guesses = guesses();
    let ann = Guess { lockout: Some(AD), ..guess("ann") };
    assert_eq!(let_through(&guesses, &ann, 100, 0), 2);
    assert_eq!(let_through(&guesses, &ann, 1, 900), 0, "it still counts those two");
    // It has forgotten them.
    assert_eq!(let_through(&guesses, &ann, 5, 2000), 2);
}

#[test]
fn a_stranger_keeps_nobody_out_of_where_they_were() {
    let guesses = guesses();
    let stranger = Guess { lockout: Some(AD), ..guess("ann") };
    assert_eq!(let_through(&guesses, &stranger, 100, 0), 2);
    let home = Guess { known_device: Some([7; 32]), ..stranger };
    let admitted = guesses.admits(&home, at(100));
    Box::new(admitted.unwrap_or_else(|wait| panic!("the person is let in there: {wait:?}"))).withdrawn(false);
    // And even who guesses from there stays below the threshold, with a third one.
    assert_eq!(let_through(&guesses, &home, 100, 110), 2);
    let office = Guess { known_device: Some([8; 32]), ..stranger };
    assert_eq!(let_through(&guesses, &office, 100, 300), 0, "four of five are used up");
}

#[test]
fn the_right_password_forgets_as_the_directory_does() {
    let guesses = guesses();
    let ann = Guess { lockout: Some(AD), ..guess("ann") };
    for round in 0..10 {
        let from = round * 60;
        assert_eq!(let_through(&guesses, &ann, 1, from), 1, "{round}");
        let admitted = guesses.admits(&ann, at(from + 30));
        Box::new(admitted.unwrap_or_else(|wait| panic!("{round}: {wait:?}"))).withdrawn(true);
    }
    // A server that is silent forgets nothing.
    let bob = Guess { lockout: Some(AD), ..guess("bob") };
    assert_eq!(let_through(&guesses, &bob, 1, 0), 1);
    let admitted = guesses.admits(&bob, at(30));
    Box::new(admitted.unwrap()).withdrawn(false);
    assert_eq!(let_through(&guesses, &bob, 10, 60), 1);
}

#[test]
fn one_password_for_all_names_stops_at_the_network() {
    let guesses = guesses();
    let spray = |through, from: u32| {
        (0..10_000)
            .filter(|number| {
                let name = format!("user{number}");
                let guess = Guess { through, peer: std::net::Ipv4Addr::from(from).into(), ..guess(&name) };
                guesses.admits(&guess, at(0)).map(wrong).is_ok()
            })
            .count()
    };
    assert_eq!(spray(None, 1), 60);
    // An app sends the passwords of many.
    let app = "00000000000000000000000000000009".parse().ok();
    assert_eq!(spray(app, 2), 540, "and there the tenant's own limit is met");
    assert_eq!(spray(None, 3), 0, "from wherever");
    let known = Guess { known_device: Some([1; 32]), ..guess("ann") };
    assert!(guesses.admits(&known, at(1)).is_ok(), "people are let in where they were before");
}

#[test]
fn nodes_count_together() {
    let (one, two) = (guesses(), guesses());
    let ann = Guess { lockout: Some(AD), ..guess("ann") };
    assert_eq!(let_through(&one, &ann, 2, 0), 2);
    two.learn(&one.take_untold(), at(3));
    assert_eq!(let_through(&two, &ann, 2, 4), 0);
    assert!(one.take_untold().is_empty() && two.take_untold().is_empty());
    // The right password is heard of too.
    let home = Guess { known_device: Some([7; 32]), ..ann };
    let admitted = one.admits(&home, at(20));
    Box::new(admitted.unwrap()).withdrawn(true);
    two.learn(&one.take_untold(), at(21));
    assert_eq!(let_through(&two, &ann, 1, 22), 1);
}
