//! Logouts whose asker has an answer before everybody was told: a provider's server waits for two to five
//! seconds (oidc-provider: 2.5), and an app that is dead must not use them up.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::Notify;

use super::Run;
use crate::run::Hub;

/// Logouts that wait in memory. Their apps are told by the outbox where this is full, or its process dies.
const MOST: usize = 1024;

/// Logouts that are carried on at one time.
const TOGETHER: usize = 64;

/// Answered logouts, to be gone on with at once.
#[derive(Default)]
pub struct Behind {
    waiting: Mutex<VecDeque<Run>>,
    wake: Notify,
}

impl Behind {
    pub(super) fn put(&self, run: Run) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() < MOST {
            waiting.push_back(run);
            self.wake.notify_one();
        } else {
            tracing::warn!("too many logouts wait to be gone on with; the outbox tells the apps of one");
        }
    }

    fn take(&self) -> Option<Run> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Hub {
    /// Goes on with answered logouts, for ever.
    pub(super) async fn carry_behind(&self) {
        let mut under_way = FuturesUnordered::new();
        loop {
            while under_way.len() < TOGETHER
                && let Some(run) = self.behind.take()
            {
                under_way.push(self.carry_on(run));
            }
            tokio::select! {
                () = self.behind.wake.notified(), if under_way.len() < TOGETHER => {}
                // Nobody waits for a page.
                Some(reply) = under_way.next() => drop(reply),
            }
        }
    }
}
