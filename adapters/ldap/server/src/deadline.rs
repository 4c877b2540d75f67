//! When a failed bind is answered: at the tenant's deadline after it came, or the next multiple of it, whatever the
//! reason. So a name that nobody has, a locked account and a wrong password take the same time.
//!
//! An upstream may take longer than that. Then the number of deadlines would tell for which names it is asked at
//! all; so a refusal that needed nobody takes as many as a wrong password of the same tenant took lately.

use std::collections::{HashMap, VecDeque};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::Rng;
use tokio::time::Instant;

/// Of how many wrong passwords the deadlines are remembered.
const REMEMBERED: usize = 64;

/// Whether somebody else was asked before the answer was no.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    Nobody,
    /// The store, or an upstream, without a person's password being tried there.
    Somebody,
    /// The upstream of a person whom we know.
    ThePersonsUpstream,
}

#[derive(Default)]
pub(crate) struct Deadlines {
    /// How many deadlines the last wrong passwords took.
    recent: Mutex<HashMap<TenantId, VecDeque<u32>>>,
}

impl Deadlines {
    /// When the bind that came at `received` is refused, with `now` past the decision.
    pub(crate) fn due(
        &self,
        tenant: TenantId,
        asked: Asked,
        every: Duration,
        (received, now): (Instant, Instant),
        rng: &dyn Rng,
    ) -> Instant {
        let natural = count(now.duration_since(received), every);
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = recent.entry(tenant).or_default();
        let taken = match asked {
            Asked::ThePersonsUpstream => {
                if recent.len() >= REMEMBERED {
                    recent.pop_front();
                }
                recent.push_back(natural);
                natural
            }
            Asked::Somebody => natural,
            Asked::Nobody => natural.max(any(recent, rng)),
        };
        received + every * taken
    }
}

/// The refusal of a name that is in no tenant's directory. It comes at the usual deadline, where no tenant's can be
/// meant: a tenant that sets another one, or whose upstream is slower, can be told by it.
pub(crate) fn due_without_tenant(every: Duration, (received, now): (Instant, Instant)) -> Instant {
    received + every * count(now.duration_since(received), every)
}

/// The number of the first deadline that is not over.
fn count(elapsed: Duration, every: Duration) -> u32 {
    let whole = elapsed.as_nanos() / every.as_nanos().max(1);
    u32::try_from(whole).unwrap_or(u32::MAX).saturating_add(1)
}

fn any(recent: &VecDeque<u32>, rng: &dyn Rng) -> u32 {
    let mut octet = [0];
    rng.fill(&mut octet);
    recent.get(usize::from(octet[0]) % recent.len().max(1)).copied().unwrap_or(1)
}

/// What the future gives, and whether it had to wait for anybody.
pub(crate) async fn watched<F: Future>(future: F) -> (F::Output, bool) {
    let mut future = pin!(future);
    let mut waited = false;
    let output = poll_fn(|cx| {
        let polled = future.as_mut().poll(cx);
        waited |= polled.is_pending();
        match polled {
            Poll::Ready(output) => Poll::Ready(output),
            Poll::Pending => Poll::Pending,
        }
    });
    let output = output.await;
    (output, waited)
}

#[cfg(test)]
mod tests {
    use fedbridge_contract::testkit::Distinct;

    use super::*;

    const EVERY: Duration = Duration::from_millis(400);

    fn tenant() -> TenantId {
        "00000000000000000000000000000001".parse().unwrap()
    }

    fn after(millis: u64) -> (Instant, Instant) {
        let received = Instant::now();
        (received, received + Duration::from_millis(millis))
    }

    #[test]
    fn every_refusal_waits_for_the_next_deadline() {
        let deadlines = Deadlines::default();
        let rng = Distinct;
        for (took, answered) in [(0, 400), (1, 400), (399, 400), (400, 800), (401, 800), (1_900, 2_000)] {
            for asked in [Asked::Somebody, Asked::ThePersonsUpstream] {
                let times = after(took);
                let due = deadlines.due(tenant(), asked, EVERY, times, &rng);
                assert_eq!(due - times.0, Duration::from_millis(answered), "{took} ms, {asked:?}");
            }
        }
    }

    #[test]
    fn who_is_never_asked_about_takes_as_long_as_who_is() {
        let deadlines = Deadlines::default();
        let rng = Distinct;
        let nobody = |deadlines: &Deadlines| {
            let times = after(0);
            deadlines.due(tenant(), Asked::Nobody, EVERY, times, &rng) - times.0
        };
        assert_eq!(nobody(&deadlines), EVERY, "an upstream that is quick makes nobody wait");
        for _ in 0..REMEMBERED {
            deadlines.due(tenant(), Asked::ThePersonsUpstream, EVERY, after(1_000), &rng);
        }
        assert_eq!(nobody(&deadlines), EVERY * 3, "the upstream takes a second by now");
        let other = "00000000000000000000000000000002".parse().unwrap();
        let times = after(0);
        assert_eq!(deadlines.due(other, Asked::Nobody, EVERY, times, &rng) - times.0, EVERY, "a tenant's own");
        for _ in 0..REMEMBERED {
            deadlines.due(tenant(), Asked::ThePersonsUpstream, EVERY, after(1), &rng);
        }
        assert_eq!(nobody(&deadlines), EVERY, "what was long ago does not count");
    }

    #[tokio::test]
    async fn sees_who_waited() {
        assert_eq!(watched(async { 1 }).await, (1, false));
        assert_eq!(watched(tokio::task::yield_now()).await, ((), true));
    }
}
