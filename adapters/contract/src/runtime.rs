//! Futures whose sockets, timers and tasks belong to another runtime.

use std::future::{Future, poll_fn};
use std::pin::pin;

use tokio::runtime::Handle;

/// Polls the future here, so that no work moves to another thread. What it opens belongs to `runtime`: of one that
/// outlives this thread, tasks that go on behind an answer; of the thread's own, a socket whose answers wake no other
/// thread. `None`: to whatever runtime is entered already.
pub async fn within<F: Future>(runtime: Option<&Handle>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        let _entered = runtime.map(Handle::enter);
        future.as_mut().poll(cx)
    })
    .await
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_begun_belongs_to_the_other_runtime() {
        let long = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let short = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = long.handle().clone();
        let (said, heard) = tokio::sync::oneshot::channel();
        short.block_on(within(Some(&handle), async {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            tokio::spawn(async {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                said.send(7)
            });
        }));
        drop(short);
        assert_eq!(long.block_on(heard).unwrap(), 7, "the task outlives the thread that began it");
    }
}
