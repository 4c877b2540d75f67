//! Deletes what has expired, at a pace that no request notices.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::services::Clock;
use fedbridge_store::SystemStore;

/// From the end of one walk through the tables to the beginning of the next.
const BETWEEN_WALKS: Duration = Duration::from_secs(60);

/// What one call of a walk leaves before the next, at least.
const SHORTEST_REST: Duration = Duration::from_millis(100);

/// A walk rests for this many times as long as it has worked. Most rows of a large store are alive, and it reads
/// them all: a fiftieth of one core is what that may cost.
const REST: u32 = 49;

/// Where this many rows went in one call, there is more to delete than to read.
const MANY: u64 = 1_000;

/// The rest is shorter then, so that what comes in does not grow faster than what goes.
const REST_AMONG_MANY: u32 = 3;

/// Walks for as long as the process lives. Recorded logins go when they are older than `keep`.
pub async fn run(system: Arc<SystemStore>, clock: Arc<dyn Clock>, keep: Duration) {
    loop {
        let (now, began) = (clock.now(), clock.steady());
        let rest = match system.janitor(now, now - keep).await {
            Ok(swept) => {
                let deleted = swept.deleted();
                if deleted > 0 {
                    tracing::debug!(?swept, "expired rows deleted");
                }
                if swept.more { rest_after(clock.steady().saturating_sub(began), deleted) } else { BETWEEN_WALKS }
            }
            Err(error) => {
                tracing::warn!(%error, "expired rows could not be deleted; trying again in a minute");
                BETWEEN_WALKS
            }
        };
        tokio::time::sleep(rest).await;
    }
}

fn rest_after(worked: Duration, deleted: u64) -> Duration {
    let times = if deleted >= MANY { REST_AMONG_MANY } else { REST };
    worked.saturating_mul(times).clamp(SHORTEST_REST, BETWEEN_WALKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_longer_the_longer_it_worked_and_shorter_among_much_that_expired() {
        let ms = Duration::from_millis;
        assert_eq!(rest_after(ms(20), 0), ms(980));
        assert_eq!(rest_after(ms(200), 10_000), ms(600));
        assert_eq!(rest_after(ms(1), 0), SHORTEST_REST);
        assert_eq!(rest_after(Duration::from_secs(30), 0), BETWEEN_WALKS, "a database that stalls");
    }
}
