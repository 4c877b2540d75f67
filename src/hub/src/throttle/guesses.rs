//! Guesses at people's passwords, over the web and LDAP together, counted in several lines at once. A try that finds
//! any of its lines full is not let through.
//!
//! | line | of strangers | of a known device |
//! | --- | --- | --- |
//! | the account | yes, some below the upstream's own threshold | |
//! | the account there | | yes |
//! | the account, whoever tries | yes, just below that threshold | yes |
//! | the network | yes | |
//! | the tenant, the installation | yes | |
//!
//! So a stranger can use up what strangers have, and neither locks the account nor keeps its person out of where they
//! have been before.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::password::Lockout;
use fedbridge_contract::services::{Admission, Guess, TokenSecrets};
use fedbridge_contract::time::Timestamp;
use uuid::Uuid;

use super::buckets::Failures;
use super::{Limit, held, network, octets};
use crate::ports::FailureCount;

/// An upstream's threshold less this is what strangers have.
const MARGIN: u32 = 3;

/// An app that has said who it is sends the passwords of many people from one address.
const PEOPLE_OF_AN_APP: u32 = 10;

/// Of all strangers at a tenant, and at all tenants.
const OF_A_TENANT: Limit = Limit { count: 600, per: Duration::from_secs(60) };
const OF_ALL: Limit = Limit { count: 6_000, per: Duration::from_secs(60) };

/// Of codes and secrets that are checked here. A code of six digits has a million values and three of them are right.
const OF_OUR_OWN: Limit = Limit { count: 10, per: Duration::from_secs(600) };

/// The most keys that are counted at once.
const MOST: usize = 300_000;

/// What is older matters to no line; an upstream that remembers for longer is taken at this.
const LONGEST: Duration = Duration::from_secs(2 * 3600);

pub(super) struct Guesses {
    per_peer: Limit,
    per_account: Limit,
    tokens: Arc<dyn TokenSecrets>,
    counts: Arc<Mutex<Counts>>,
}

/// A try, and where it is counted.
pub(super) struct Counted {
    lines: Vec<Line>,
    at: Timestamp,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Default)]
struct Counts {
    keys: HashMap<Key, Failures>,
    /// Keys that hold something that the other nodes don't know.
    untold: HashSet<Key>,
}

/// The tenant, and a keyed hash of what is counted.
type Key = (TenantId, [u8; 32]);

/// In place of a hash where nothing needs one: what is counted is all of a tenant, or with no tenant all there is.
const AT_ALL: [u8; 32] = [0; 32];

/// What is counted of one account.
#[derive(Clone, Copy)]
enum Part {
    Strangers,
    Everybody,
    /// When the right password came.
    Right,
}

/// One hash serves all parts of an account: its last octet says which. A hash costs more than all else here.
fn part((tenant, mut key): Key, part: Part) -> Key {
    key[31] = part as u8;
    (tenant, key)
}

/// Where a guess is counted.
struct Line {
    key: Key,
    rules: [Option<Rule>; 2],
}

#[derive(Clone, Copy)]
enum Rule {
    Rate(Limit),
    /// As the upstream counts. Its key says when the right password came.
    Run {
        most: u32,
        forgets: Duration,
        right: Key,
    },
}

impl Guesses {
    pub fn new(per_peer: Limit, per_account: Limit, tokens: Arc<dyn TokenSecrets>) -> Self {
        Self { per_peer, per_account, tokens, counts: Arc::default() }
    }

    /// # Errors
    /// How long to wait.
    pub fn admits(&self, guess: &Guess<'_>, now: Timestamp) -> Result<Counted, Duration> {
        let lines = self.lines(guess);
        let mut counts = held(&self.counts);
        if let Some(wait) = lines.iter().filter_map(|line| counts.full(line, now)).max() {
            return Err(wait);
        }
        if counts.have_room(lines.len(), now) {
            for line in &lines {
                counts.keys.entry(line.key).or_default().open(now);
            }
        } else if guess.known_device.is_none() {
            // Nobody new can be counted: whoever is not known waits.
            return Err(self.per_account.per);
        }
        drop(counts);
        Ok(Counted { lines, at: now, counts: Arc::clone(&self.counts) })
    }

    /// What the other nodes don't know yet.
    pub fn take_untold(&self) -> Vec<FailureCount> {
        let mut counts = held(&self.counts);
        let untold = std::mem::take(&mut counts.untold);
        let mut taken = Vec::new();
        for key in untold {
            let failures = counts.keys.get_mut(&key).map(Failures::take_untold).unwrap_or_default();
            taken.extend(failures.into_iter().map(|(window, count)| FailureCount {
                tenant: key.0,
                key: key.1,
                window,
                count,
            }));
        }
        taken
    }

    /// They did not hear of it after all.
    pub fn untell(&self, untold: &[FailureCount]) {
        let mut counts = held(&self.counts);
        for FailureCount { tenant, key, window, count } in untold {
            let key = (*tenant, *key);
            counts.keys.entry(key).or_default().untell(*window, *count);
            counts.untold.insert(key);
        }
    }

    /// What all nodes have counted together.
    pub fn learn(&self, told: &[FailureCount], now: Timestamp) {
        let mut counts = held(&self.counts);
        for FailureCount { tenant, key, window, count } in told {
            if counts.have_room(1, now) {
                counts.keys.entry((*tenant, *key)).or_default().learn(*window, *count);
            }
        }
    }

    fn lines(&self, guess: &Guess<'_>) -> Vec<Line> {
        let Guess { tenant, account, .. } = *guess;
        // No connection has this one.
        let place = guess.connection.map_or_else(Uuid::nil, |connection| connection.uuid());
        let key =
            |of: &str, what: &str| (tenant, self.tokens.mac(tenant, of, &[place.as_bytes(), what.as_bytes()].concat()));
        let of_account = key("guesses", account);
        let right = part(of_account, Part::Right);
        let run = |most: u32| {
            guess.lockout.map(|Lockout { forgets, .. }| Rule::Run { most, forgets: forgets.min(LONGEST), right })
        };
        let after = guess.lockout.map_or(0, |lockout| lockout.after);
        let rate = Rule::Rate(if guess.connection.is_some() { self.per_account } else { OF_OUR_OWN });
        let mut lines = Vec::with_capacity(5);
        let line = |key, rules| Line { key, rules };
        if let Some(device) = guess.known_device {
            let there = format!("{account}\n{}", hexadecimal(&device));
            lines.push(line(key("guesses there", &there), [Some(rate), run(MARGIN - 1)]));
        } else {
            let of_strangers = run(after.saturating_sub(MARGIN).max(1));
            lines.push(line(part(of_account, Part::Strangers), [Some(rate), of_strangers]));
            let (of_network, network) = self.network(guess);
            lines.push(line((tenant, self.tokens.mac(tenant, "guesses from", &network)), [Some(of_network), None]));
            lines.push(line((tenant, AT_ALL), [Some(Rule::Rate(OF_A_TENANT)), None]));
            let nil = TenantId::from_uuid(Uuid::nil());
            lines.push(line((nil, AT_ALL), [Some(Rule::Rate(OF_ALL)), None]));
        }
        if guess.lockout.is_some() {
            lines.push(line(part(of_account, Part::Everybody), [run(after.saturating_sub(1).max(1)), None]));
        }
        lines
    }

    fn network(&self, guess: &Guess<'_>) -> (Rule, Vec<u8>) {
        let network = octets(network(guess.peer));
        let Limit { count, per } = self.per_peer;
        match guess.through {
            None => (Rule::Rate(self.per_peer), network.to_vec()),
            Some(app) => {
                let count = count.saturating_mul(PEOPLE_OF_AN_APP);
                (Rule::Rate(Limit { count, per }), [app.uuid().as_bytes(), &network[..]].concat())
            }
        }
    }
}

impl Admission for Counted {
    fn guessed(self: Box<Self>) {
        let mut counts = held(&self.counts);
        for Line { key, .. } in &self.lines {
            if counts.keys.get_mut(key).is_some_and(|failures| failures.close(self.at, true)) {
                counts.untold.insert(*key);
            }
        }
    }

    fn withdrawn(self: Box<Self>, right: bool) {
        let mut counts = held(&self.counts);
        for Line { key, .. } in &self.lines {
            if let Some(failures) = counts.keys.get_mut(key) {
                failures.close(self.at, false);
            }
        }
        if right {
            counts.forget_runs(&self.lines, self.at);
        }
    }
}

impl Counts {
    /// How long a line is full.
    fn full(&self, line: &Line, now: Timestamp) -> Option<Duration> {
        let failures = self.keys.get(&line.key)?;
        let waits = line.rules.iter().flatten().filter_map(|rule| match *rule {
            Rule::Rate(limit) => failures.too_many(limit, now),
            Rule::Run { most, forgets, right } => {
                let right = self.keys.get(&right).and_then(Failures::newest);
                failures.run_of(most, forgets, right, now)
            }
        });
        waits.max()
    }

    /// The upstream has forgotten what came before the right password.
    fn forget_runs(&mut self, lines: &[Line], at: Timestamp) {
        let rules = lines.iter().flat_map(|line| line.rules.iter().flatten().map(|rule| (line.key, *rule)));
        let mut forgotten = rules.filter_map(|(key, rule)| match rule {
            Rule::Run { forgets, right, .. } => {
                let before = self.keys.get(&right).and_then(Failures::newest);
                let run = self.keys.get(&key)?.run(forgets, before, at);
                (run > 0).then_some(right)
            }
            Rule::Rate(_) => None,
        });
        // Where nothing is to be forgotten, nothing is written down.
        let Some(right) = forgotten.next() else { return };
        self.keys.entry(right).or_default().add(at);
        self.untold.insert(right);
    }

    fn have_room(&mut self, more: usize, now: Timestamp) -> bool {
        if self.keys.len() + more <= MOST {
            return true;
        }
        self.keys.retain(|_, failures| !failures.is_over(LONGEST, now));
        self.keys.len() + more <= MOST
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

#[cfg(test)]
#[path = "guesses_tests.rs"]
pub(super) mod tests;
