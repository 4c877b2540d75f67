//! How long a refused bind takes tells nothing of why it was refused.

mod classifier;
mod world;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::ldap::client::Client;
use crate::support::ldap::tools::Directory;
use classifier::separation;
use world::{CONNECTIONS, TENANTS, World};

/// Of each class, at each tenant, in each round.
const TRIES: usize = 125;

/// What a busy machine does to one round, it does not do to all of them; what the bridge gives away, it does.
const ROUNDS: usize = 4;

const LIMIT: f64 = 0.55;

/// Why a bind is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Wrong,
    Unknown,
    /// By `users disable`.
    Disabled,
    /// By the company's directory, after wrong passwords there.
    Locked,
    /// By the bridge's own limit of wrong passwords.
    Tired,
    /// Known by logins over SAML: there is no password to compare with.
    Federated,
}

const CLASSES: [Class; 6] =
    [Class::Wrong, Class::Unknown, Class::Disabled, Class::Locked, Class::Tired, Class::Federated];

impl Class {
    /// Wherever a try counts, each is with another name.
    fn people(self) -> usize {
        match self {
            Self::Wrong | Self::Unknown | Self::Locked => TRIES * ROUNDS,
            Self::Tired => TRIES,
            Self::Disabled => 2,
            Self::Federated => 10,
        }
    }

    fn name(self, number: usize) -> String {
        let word = match self {
            Self::Wrong => "wrong",
            Self::Unknown => "unknown",
            Self::Disabled => "disabled",
            Self::Locked => "locked",
            Self::Tired => "tired",
            Self::Federated => "federated",
        };
        format!("{word}{}", number % self.people())
    }

    /// Who is kept out is kept out with the right password too.
    fn password(self, number: usize) -> String {
        let has_one = matches!(self, Self::Disabled | Self::Locked | Self::Tired);
        if has_one && number.is_multiple_of(2) {
            format!("{}-password", self.name(number))
        } else {
            "a wrong password".into()
        }
    }
}

/// At which tenant, why it is refused, of which person, with which password.
type Bind = (usize, Class, usize, String);

#[tokio::test]
async fn the_time_of_a_refused_bind_tells_nothing() {
    let world = World::start().await;
    let mut apart = Vec::new();
    for round in 0..ROUNDS {
        apart = told_apart(&world, round);
        if apart.is_empty() {
            return;
        }
    }
    panic!("a wrong password can be told apart in each of {ROUNDS} rounds, in the last one from {apart:?}");
}

/// The classes that differ from a wrong password, with how well they are told apart.
fn told_apart(world: &World, round: usize) -> Vec<(Class, f64)> {
    let mut binds: Vec<Bind> = Vec::new();
    for number in round * TRIES..(round + 1) * TRIES {
        for tenant in 0..TENANTS {
            binds.extend(CLASSES.map(|class| (tenant, class, number, class.password(number))));
        }
    }
    shuffle(&mut binds);
    let times = bind_all(&world.directories, &binds);
    let of = |class: Class| -> Vec<Duration> {
        let mut times: Vec<_> = times.iter().filter(|(one, _)| *one == class).map(|(_, took)| *took).collect();
        times.sort_unstable();
        assert_eq!(times.len(), TRIES * TENANTS);
        times
    };
    let wrong = of(Class::Wrong);
    let areas = CLASSES.map(|class| (class, separation(&wrong, &of(class))));
    for (class, area) in areas {
        let times = of(class);
        let at = |share: usize| times[times.len() * share / 100].as_secs_f64() * 1e3;
        eprintln!(
            "{class:?}: {} binds, AUC {area:.3}, p10 {:.2} ms, p50 {:.2} ms, p90 {:.2} ms, p99 {:.2} ms",
            times.len(),
            at(10),
            at(50),
            at(90),
            at(99)
        );
    }
    areas.into_iter().filter(|(_, area)| *area >= LIMIT).collect()
}

/// All of them must be refused, with the same octets. How long each took.
fn bind_all(directories: &[Directory], binds: &[Bind]) -> Vec<(Class, Duration)> {
    let (taken, times) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let mut client = Client::open(&directories[0].url, &directories[0].ca).unwrap();
                while let Some((tenant, class, number, password)) = binds.get(taken.fetch_add(1, Ordering::Relaxed)) {
                    let name = directories[*tenant].person(&class.name(*number));
                    let start = Instant::now();
                    let outcome = client.bind(&name, password).unwrap();
                    let took = start.elapsed();
                    assert_eq!((outcome.code, outcome.matched.as_str()), (49, ""), "{name}: {outcome:?}");
                    times.lock().unwrap().push((*class, took, outcome.text));
                }
            });
        }
    });
    let times = times.into_inner().unwrap();
    assert!(times.iter().all(|(_, _, text)| *text == times[0].2), "the diagnostic tells the reason");
    times.into_iter().map(|(class, took, _)| (class, took)).collect()
}

/// Fisher and Yates: nobody's turn is always behind the same one.
fn shuffle<T>(all: &mut [T]) {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for at in (1..all.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let other = usize::try_from((state >> 33) % (at as u64 + 1)).unwrap();
        all.swap(at, other);
    }
}
