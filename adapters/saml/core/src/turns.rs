//! Turns: how much costly checking runs at a time.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::Semaphore;

/// Messages that are checked or signed at a time: in the whole process, and for one partner. A few
/// flooded partners leave room for the others.
const CHECKS_AT_A_TIME: usize = 16;
const CHECKS_OF_A_PARTNER: usize = 4;
static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(CHECKS_AT_A_TIME)));

/// How long a message may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The turns of one partner, to be kept with it.
pub fn of_a_partner() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(CHECKS_OF_A_PARTNER))
}

/// Why a check did not run to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotRun {
    #[error("no free place within 10 s")]
    NoTurn,
    #[error("it stopped unexpectedly")]
    Stopped,
}

/// Runs `check` on a blocking thread, in the partner's turn and the process's. The thread holds the
/// turns: it works on when nobody waits for its answer any more.
///
/// # Errors
/// Too many are waiting, or the check panicked.
pub async fn in_turn<T: Send + 'static>(
    partner: Arc<Semaphore>,
    check: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NotRun> {
    let turns = async {
        let own = partner.acquire_owned().await;
        (own, Arc::clone(&TURNS).acquire_owned().await)
    };
    let Ok((Ok(own), Ok(all))) = tokio::time::timeout(PATIENCE, turns).await else {
        return Err(NotRun::NoTurn);
    };
    let checked = tokio::task::spawn_blocking(move || {
        let _turns = (own, all);
        check()
    });
    checked.await.map_err(|_| NotRun::Stopped)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// A check that lasts until its sender is dropped.
    fn lasting() -> (std::sync::mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
        let (end, wait) = std::sync::mpsc::channel::<()>();
        (end, move || assert!(wait.recv().is_err()))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    }

    #[test]
    fn a_check_that_nobody_waits_for_keeps_its_turn() {
        runtime().block_on(async {
            let own = Arc::new(Semaphore::new(1));
            let (started, is_started) = tokio::sync::oneshot::channel();
            let (end, check) = lasting();
            let waiting = tokio::spawn(in_turn(Arc::clone(&own), move || {
                started.send(()).unwrap();
                check();
            }));
            is_started.await.unwrap();
            waiting.abort();
            assert!(waiting.await.unwrap_err().is_cancelled());
            assert_eq!(own.available_permits(), 0, "the thread still works");
            drop(end);
            drop(own.acquire().await.unwrap());
        });
    }

    #[test]
    fn two_flooded_partners_leave_room_for_a_third() {
        runtime().block_on(async {
            let mut ends = Vec::new();
            for flooded in [of_a_partner(), of_a_partner()] {
                for _ in 0..CHECKS_AT_A_TIME {
                    let (end, check) = lasting();
                    tokio::spawn(in_turn(Arc::clone(&flooded), check));
                    ends.push(end);
                }
                while flooded.available_permits() > 0 {
                    tokio::task::yield_now().await;
                }
            }
            assert_eq!(in_turn(of_a_partner(), || "checked").await, Ok("checked"));
            drop(ends);
        });
    }
}
