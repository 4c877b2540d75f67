//! Threads with a runtime of their own. A connection stays on its thread: no operation pays for crossing over.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::admit::{Accepted, Admission};

pub(crate) struct Workers {
    all: Vec<Worker>,
    /// Changes when a connection ends while somebody waits for all of them.
    ended: watch::Receiver<()>,
}

struct Worker {
    inbox: mpsc::UnboundedSender<Accepted>,
    busy: Arc<AtomicUsize>,
}

impl Workers {
    /// # Errors
    /// When a thread or its runtime can't be made.
    pub(crate) fn start(count: usize, admission: &Arc<Admission>) -> io::Result<Self> {
        let count = match count {
            0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            some => some,
        };
        let (tell, ended) = watch::channel(());
        let all = (0..count).map(|number| Worker::start(number, admission, tell.clone())).collect::<io::Result<_>>()?;
        Ok(Self { all, ended })
    }

    /// Gives a connection to the thread that has the fewest.
    pub(crate) fn give(&self, accepted: Accepted) {
        let Some(least) = self.all.iter().min_by_key(|worker| worker.busy.load(Ordering::Relaxed)) else { return };
        least.busy.fetch_add(1, Ordering::Relaxed);
        if least.inbox.send(accepted).is_err() {
            tracing::error!("a thread of the listener is gone; a connection was closed");
        }
    }

    /// Waits until all connections are over, `grace` at most. The threads end then, and what is left with them.
    pub(crate) async fn finish(self, grace: Duration) {
        let Self { all, mut ended } = self;
        let over = async {
            while all.iter().any(|worker| worker.busy.load(Ordering::Acquire) > 0) {
                if ended.changed().await.is_err() {
                    break;
                }
            }
        };
        if tokio::time::timeout(grace, over).await.is_err() {
            tracing::info!("connections that did not end in time were closed");
        }
    }
}

impl Worker {
    fn start(number: usize, admission: &Arc<Admission>, tell: watch::Sender<()>) -> io::Result<Self> {
        let (inbox, mut arriving) = mpsc::unbounded_channel::<Accepted>();
        let busy = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (admission, count) = (Arc::clone(admission), Arc::clone(&busy));
        let work = async move {
            // The inbox closes when the listener ends, and with this future the runtime.
            while let Some(accepted) = arriving.recv().await {
                let leaving = Leaving { count: Arc::clone(&count), tell: tell.clone() };
                let admission = Arc::clone(&admission);
                tokio::spawn(async move {
                    let _leaving = leaving;
                    admission.admit(accepted).await;
                });
            }
        };
        std::thread::Builder::new().name(format!("listen-{number}")).spawn(move || runtime.block_on(work))?;
        Ok(Self { inbox, busy })
    }
}

/// Counts a connection off, also where its task panicked.
struct Leaving {
    count: Arc<AtomicUsize>,
    tell: watch::Sender<()>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Release);
        self.tell.send_replace(());
    }
}
