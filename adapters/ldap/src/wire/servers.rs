//! The servers of a directory: which one is asked, and which one rests because it has failed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use fedbridge_contract::services::Rng;

use super::channel::Channel;
use super::connect::label;
use super::error::WireError;
use super::pool::Shelf;
use super::session::Session;
use super::settings::{Order, Pool, ServerAddress};

/// How long a server that has failed rests at first, and at most. The keeper looks whether it is back.
const REST: Duration = Duration::from_millis(500);
const LONGEST_REST: Duration = Duration::from_secs(5);

/// Answers in a row that a deadline has cut off, before a server counts as silent.
const PATIENCE: u32 = 3;

pub(super) struct Server {
    pub host: String,
    pub port: u16,
    /// `host:port`.
    pub label: String,
    /// Lower ones come first (RFC 2782).
    pub priority: u16,
    pub weight: u16,
    /// Connections of the service account. What has carried a person's bind is of another type, and never gets here.
    pub service: Shelf<Session>,
    /// Connections that check passwords.
    pub users: Shelf<Channel>,
    /// Held by whoever asks whether it is there.
    pub doubt: tokio::sync::Mutex<()>,
    standing: Mutex<Standing>,
}

impl Server {
    pub fn new(address: &ServerAddress, priority: u16, pool: &Pool) -> Self {
        let shelf = |most| (most, pool.idle, pool.age);
        let (service, users) = (shelf(pool.service), shelf(pool.users));
        Self {
            host: address.host.clone(),
            port: address.port,
            label: label(&address.host, address.port),
            priority,
            weight: address.weight,
            service: Shelf::new(service.0, service.1, service.2),
            users: Shelf::new(users.0, users.1, users.2),
            doubt: tokio::sync::Mutex::default(),
            standing: Mutex::default(),
        }
    }

    /// It answered.
    pub fn heard(&self, now: Duration) {
        *self.standing() = Standing { heard: now, ..Standing::default() };
    }

    /// It failed: connections to it are not worth keeping.
    pub fn failed(&self, error: &WireError, now: Duration) {
        self.standing().failed(error, now);
        self.service.clear();
        self.users.clear();
    }

    /// A deadline came before its answer, which may have been our impatience.
    pub fn unanswered(&self, error: &WireError, now: Duration) {
        let mut standing = self.standing();
        standing.unanswered += 1;
        if standing.unanswered >= PATIENCE {
            standing.failed(error, now);
        }
    }

    pub fn is_down(&self) -> bool {
        self.standing().down.is_some()
    }

    pub fn heard_since(&self, then: Duration) -> bool {
        self.standing().heard >= then
    }

    /// Whether the keeper should look: it is down and has rested, or nobody has heard of it for so long.
    pub fn is_due(&self, now: Duration, silence: Duration) -> bool {
        let standing = self.standing();
        match &standing.down {
            Some(down) => now >= down.until,
            None => now.saturating_sub(standing.heard) >= silence,
        }
    }

    /// The last thing that went wrong, where nothing went right since.
    pub fn trouble(&self) -> Option<WireError> {
        self.standing().down.as_ref().map(|down| down.error.clone())
    }

    fn standing(&self) -> MutexGuard<'_, Standing> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Default)]
struct Standing {
    heard: Duration,
    unanswered: u32,
    down: Option<Down>,
}

struct Down {
    error: WireError,
    until: Duration,
    rest: Duration,
}

impl Standing {
    fn failed(&mut self, error: &WireError, now: Duration) {
        let rest = match &self.down {
            // Several that were under way fail together: they are one failure.
            Some(down) if now < down.until => return,
            Some(down) => (down.rest * 2).min(LONGEST_REST),
            None => REST,
        };
        self.down = Some(Down { error: error.clone(), until: now + rest, rest });
    }
}

/// The list, which SRV records may replace.
pub(super) struct Servers {
    list: RwLock<Arc<[Arc<Server>]>>,
    order: Order,
}

impl Servers {
    pub fn new(addresses: &[ServerAddress], order: Order, pool: &Pool) -> Self {
        let server = |(at, address)| Arc::new(Server::new(address, place(order, at), pool));
        Self { list: RwLock::new(addresses.iter().enumerate().map(server).collect()), order }
    }

    pub fn all(&self) -> Arc<[Arc<Server>]> {
        Arc::clone(&self.list.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Replaces the list. Servers that stay keep their connections.
    pub fn replace(&self, found: Vec<Server>) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let kept = |new: Server| {
            let same = |old: &&Arc<Server>| {
                (&old.host, old.port, old.priority, old.weight) == (&new.host, new.port, new.priority, new.weight)
            };
            list.iter().find(same).map(Arc::clone).unwrap_or_else(|| Arc::new(new))
        };
        let next = found.into_iter().map(kept).collect();
        *list = next;
    }

    /// Whether somebody could be asked instead of this one.
    pub fn is_another_up(&self, server: &Server) -> bool {
        self.all().iter().any(|other| !std::ptr::eq(Arc::as_ptr(other), server) && !other.is_down())
    }

    /// Whom to ask, one after the other: those that are not known to fail, by priority and weight.
    ///
    /// # Errors
    /// All have failed of late, or there is none.
    pub fn candidates(&self, rng: &dyn Rng) -> Result<Vec<Arc<Server>>, WireError> {
        let all = self.all();
        let mut up: Vec<_> = all.iter().filter(|server| !server.is_down()).map(Arc::clone).collect();
        if up.is_empty() {
            let trouble = all.iter().find_map(|server| server.trouble());
            let nowhere = || WireError::NotSent("no server of the directory is known".to_owned());
            return Err(trouble.map_or_else(nowhere, |error| WireError::AllDown(Box::new(error))));
        }
        if self.order == Order::Weighted {
            shuffle(&mut up, rng);
        }
        // Those of one priority stay as they were shuffled.
        up.sort_by_key(|server| server.priority);
        Ok(up)
    }
}

fn place(order: Order, at: usize) -> u16 {
    match order {
        Order::AsListed => u16::try_from(at).unwrap_or(u16::MAX),
        Order::Weighted => 0,
    }
}

/// By weight, as RFC 2782 has it: each next one is drawn with a chance of its share of what is left.
fn shuffle(servers: &mut [Arc<Server>], rng: &dyn Rng) {
    for first in 0..servers.len() {
        // One without weight is drawn too, if seldom.
        let weight = |server: &Arc<Server>| u64::from(server.weight) * 16 + 1;
        let total: u64 = servers[first..].iter().map(weight).sum();
        let mut octets = [0; 8];
        rng.fill(&mut octets);
        let mut drawn = u64::from_be_bytes(octets) % total;
        let chosen = servers[first..].iter().position(|server| {
            let hit = drawn < weight(server);
            drawn = drawn.saturating_sub(weight(server));
            hit
        });
        servers.swap(first, first + chosen.unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    /// Numbers that follow each other evenly.
    #[derive(Default)]
    struct Even(AtomicU64);

    impl Rng for Even {
        fn fill(&self, buffer: &mut [u8]) {
            let next = self.0.fetch_add(1, Ordering::Relaxed);
            buffer.copy_from_slice(&next.to_be_bytes());
        }
    }

    fn servers(order: Order, weights: &[u16]) -> Servers {
        let address =
            |(at, weight): (usize, &u16)| ServerAddress { host: format!("s{at}"), port: 636, weight: *weight };
        Servers::new(&weights.iter().enumerate().map(address).collect::<Vec<_>>(), order, &Pool::default())
    }

    fn hosts(servers: &Servers, rng: &Even) -> Vec<String> {
        servers.candidates(rng).unwrap().iter().map(|server| server.host.clone()).collect()
    }

    fn lost() -> WireError {
        WireError::lost("s0:636", "gone")
    }

    #[test]
    fn the_first_that_is_up_comes_first_and_comes_back() {
        let (servers, rng) = (servers(Order::AsListed, &[0, 0, 0]), Even::default());
        assert_eq!(hosts(&servers, &rng), ["s0", "s1", "s2"]);
        let first = Arc::clone(&servers.all()[0]);
        first.failed(&lost(), 10 * MILLI);
        assert_eq!(hosts(&servers, &rng), ["s1", "s2"]);
        first.heard(20 * MILLI);
        assert_eq!(hosts(&servers, &rng), ["s0", "s1", "s2"]);
    }

    #[test]
    fn when_all_are_down_nobody_is_asked() {
        let (servers, rng) = (servers(Order::AsListed, &[0, 0]), Even::default());
        servers.all().iter().for_each(|server| server.failed(&lost(), MILLI));
        let error = servers.candidates(&rng).err().unwrap();
        assert_eq!(error, WireError::AllDown(Box::new(lost())));
    }

    #[test]
    fn rests_grow_but_failures_that_come_together_are_one() {
        let servers = servers(Order::AsListed, &[0]);
        let server = &servers.all()[0];
        let mut now = MILLI;
        for rest in [500, 1000, 2000, 4000, 5000, 5000] {
            server.failed(&lost(), now);
            server.failed(&lost(), now + MILLI);
            assert!(
                !server.is_due(now + (rest - 1) * MILLI, MILLI) && server.is_due(now + rest * MILLI, MILLI),
                "{rest}"
            );
            now += rest * MILLI;
        }
    }

    #[test]
    fn three_answers_that_did_not_come_are_a_failure() {
        let servers = servers(Order::AsListed, &[0]);
        let server = &servers.all()[0];
        for _ in 0..2 {
            server.unanswered(&lost(), MILLI);
        }
        server.heard(MILLI);
        for down in [false, false, true] {
            server.unanswered(&lost(), MILLI);
            assert_eq!(server.is_down(), down);
        }
    }

    #[test]
    fn weights_are_shares() {
        let (servers, rng) = (servers(Order::Weighted, &[30, 10, 0]), Even::default());
        let mut first = [0; 3];
        for _ in 0..6430 {
            let host = hosts(&servers, &rng).remove(0);
            first[host[1..].parse::<usize>().unwrap()] += 1;
        }
        assert!(first[0] > 2 * first[1] && first[1] > 10 * first[2] && first[2] > 0, "{first:?}");
    }

    #[test]
    fn a_new_list_keeps_what_stays() {
        let servers = servers(Order::AsListed, &[0, 0]);
        let before = servers.all();
        let address = |host: &str| ServerAddress { host: host.to_owned(), port: 636, weight: 0 };
        let pool = Pool::default();
        servers.replace(vec![Server::new(&address("s1"), 1, &pool), Server::new(&address("new"), 2, &pool)]);
        let after = servers.all();
        assert!(Arc::ptr_eq(&after[0], &before[1]));
        assert_eq!((after.len(), after[1].host.as_str()), (2, "new"));
    }
}
