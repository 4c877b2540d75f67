//! What runs beside the listeners. One that panics must not be missed: without it nobody tells apps of logouts, or
//! switches people off at them, and everything else goes on as if nothing had happened.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures_util::FutureExt as _;
use tokio::task::JoinSet;

/// They end with it.
#[derive(Default)]
pub struct Background {
    tasks: JoinSet<()>,
    lost: Lost,
}

/// The first one that has panicked, if any.
#[derive(Clone, Default)]
pub struct Lost(Arc<OnceLock<&'static str>>);

impl Lost {
    pub fn name(&self) -> Option<&'static str> {
        self.0.get().copied()
    }
}

impl Background {
    pub fn lost(&self) -> Lost {
        self.lost.clone()
    }

    pub fn spawn(&mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let lost = self.lost.clone();
        self.tasks.spawn(async move {
            if AssertUnwindSafe(work).catch_unwind().await.is_err() {
                tracing::error!(name, "a background task has panicked; this node is not ready until it is restarted");
                let _ = lost.0.set(name);
            }
        });
    }

    pub async fn shutdown(&mut self) {
        self.tasks.shutdown().await;
    }
}

#[cfg(test)]
#[allow(clippy::panic)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_panics_is_missed() {
        let mut background = Background::default();
        let lost = background.lost();
        background.spawn("ends", async {});
        background.spawn("panics", async { panic!("as it must not") });
        while lost.name().is_none() {
            tokio::task::yield_now().await;
        }
        assert_eq!(lost.name(), Some("panics"));
    }
}
