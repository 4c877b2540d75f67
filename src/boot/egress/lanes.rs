//! A line for each partner of each tenant: a partner that stalls fills its own, and no call of another
//! one waits behind it.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::Clock;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::breaker::{Breaker, Outcome, Resting};

/// How many may wait in one line. Who comes later is told so at once.
const QUEUE: usize = 64;

/// How many lines are remembered. A line that nobody stands in and nothing is known of is forgotten then.
const MOST: usize = 20_000;

/// How many hosts of one partner are told apart: an issuer, its key set, its user information.
const HOSTS: usize = 8;

/// How many calls may be under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    pub per_partner: usize,
    pub whole: usize,
}

impl Bounds {
    /// What one tenant may have of the whole: half, so that the slow partners of one tenant, however many, leave
    /// room for the others.
    fn per_tenant(self) -> usize {
        self.whole.div_ceil(2)
    }
}

/// All lines of the process.
pub struct Lanes {
    bounds: Bounds,
    whole: Semaphore,
    lines: Mutex<HashMap<(TenantId, Party), Arc<Line>>>,
    shares: Mutex<HashMap<TenantId, Arc<Semaphore>>>,
    clock: Arc<dyn Clock>,
}

/// The line of one partner.
pub struct Line {
    turns: Semaphore,
    /// That of its tenant, in the whole.
    share: Arc<Semaphore>,
    waiting: AtomicUsize,
    hosts: Mutex<Vec<(String, Breaker)>>,
}

/// Why a call was not made. Each is a sentence for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCalled {
    /// The partner's line is full.
    Busy,
    /// The tenant's lines together are.
    TenantBusy,
    /// All lines together are.
    AllBusy,
    /// It did not answer.
    Resting(Duration),
}

impl fmt::Display for NotCalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("too many calls to this partner are under way"),
            Self::TenantBusy => f.write_str("too many calls of this tenant are under way"),
            Self::AllBusy => f.write_str("too many calls are under way"),
            Self::Resting(pause) => {
                let seconds = pause.as_secs_f64().ceil();
                write!(f, "it did not answer the last calls; the next one is tried in {seconds} s")
            }
        }
    }
}

impl From<Resting> for NotCalled {
    fn from(Resting(pause): Resting) -> Self {
        Self::Resting(pause)
    }
}

impl Lanes {
    pub fn new(bounds: Bounds, clock: Arc<dyn Clock>) -> Self {
        Self { bounds, whole: Semaphore::new(bounds.whole), lines: Mutex::default(), shares: Mutex::default(), clock }
    }

    /// The line of a partner.
    pub fn line(&self, tenant: TenantId, party: Party) -> Arc<Line> {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(line) = lines.get(&(tenant, party)) {
            return Arc::clone(line);
        }
        let new = Arc::new(Line {
            turns: Semaphore::new(self.bounds.per_partner),
            share: self.share(tenant),
            waiting: AtomicUsize::new(0),
            hosts: Mutex::default(),
        });
        if lines.len() >= MOST {
            lines.retain(|_, line| Arc::strong_count(line) > 1 || !line.is_idle());
        }
        // Beyond that it serves this one call: the bound on all of them still holds.
        if lines.len() < MOST {
            lines.insert((tenant, party), Arc::clone(&new));
        }
        new
    }

    /// Kept for as long as the process lives: there are as many as tenants.
    fn share(&self, tenant: TenantId) -> Arc<Semaphore> {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(shares.entry(tenant).or_insert_with(|| Arc::new(Semaphore::new(self.bounds.per_tenant()))))
    }

    /// Waits for a turn to call `host`, in this line or in none, no longer than until `deadline`.
    ///
    /// # Errors
    /// [`NotCalled`].
    pub async fn turn<'a>(
        &'a self,
        line: Option<&'a Line>,
        host: &str,
        deadline: Instant,
    ) -> Result<Turn<'a>, NotCalled> {
        let own = match line {
            None => None,
            Some(line) => {
                line.breaker(host, |breaker| breaker.look(self.clock.steady()))?;
                Some((line.stand(deadline).await?, line.part(deadline).await?))
            }
        };
        let whole = timeout_at(deadline, self.whole.acquire()).await.map_err(|_| NotCalled::AllBusy)?;
        let whole = whole.map_err(|_| NotCalled::AllBusy)?;
        if let Some(line) = line {
            // It may have failed for those before us while we waited.
            line.breaker(host, |breaker| breaker.begin(self.clock.steady()))?;
        }
        Ok(Turn { lanes: self, line, host: host.to_owned(), ended: false, _permits: (own, whole) })
    }
}

impl Line {
    async fn stand(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, NotCalled> {
        if let Ok(permit) = self.turns.try_acquire() {
            return Ok(permit);
        }
        let _place = Place::take(&self.waiting).ok_or(NotCalled::Busy)?;
        let permit = timeout_at(deadline, self.turns.acquire()).await.map_err(|_| NotCalled::Busy)?;
        permit.map_err(|_| NotCalled::Busy)
    }

    /// A part of the tenant's share.
    async fn part(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, NotCalled> {
        let part = timeout_at(deadline, self.share.acquire()).await.map_err(|_| NotCalled::TenantBusy)?;
        part.map_err(|_| NotCalled::TenantBusy)
    }

    fn breaker<T>(&self, host: &str, act: impl FnOnce(&mut Breaker) -> T) -> T {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let at = match hosts.iter().position(|(there, _)| there == host) {
            Some(at) => at,
            None => {
                if hosts.len() >= HOSTS {
                    // The one that is known the longest; it begins anew if it comes again.
                    hosts.remove(0);
                }
                hosts.push((host.to_owned(), Breaker::default()));
                hosts.len() - 1
            }
        };
        act(&mut hosts[at].1)
    }

    fn is_idle(&self) -> bool {
        let hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.iter().all(|(_, breaker)| breaker.is_idle())
    }
}

/// A place in the queue, given back when whoever holds it goes.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let place = Self(waiting);
        // Counted first: a place that is one too many goes with `place`.
        (waiting.fetch_add(1, Ordering::Relaxed) < QUEUE).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The right to make one call. Whoever drops it without saying what came of the call has given up.
pub struct Turn<'a> {
    lanes: &'a Lanes,
    line: Option<&'a Line>,
    host: String,
    ended: bool,
    _permits: (Option<(SemaphorePermit<'a>, SemaphorePermit<'a>)>, SemaphorePermit<'a>),
}

impl Turn<'_> {
    /// Says what came of the call.
    pub fn ended(mut self, outcome: Outcome) {
        self.note(outcome);
    }

    fn note(&mut self, outcome: Outcome) {
        self.ended = true;
        let Some(line) = self.line else { return };
        let now = self.lanes.clock.steady();
        let (rested, rests) = line.breaker(&self.host, |breaker| (breaker.rests(), breaker.ended(outcome, now)));
        if rested && outcome == Outcome::Answered {
            tracing::info!(host = %self.host, "a partner answers again");
        }
        if rests {
            metrics::counter!("fedbridge_egress_rests_total").increment(1);
            tracing::warn!(host = %self.host, "a partner does not answer; calls to it rest for a while");
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.note(Outcome::GivenUp);
        }
    }
}
