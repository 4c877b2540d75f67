//! What one node counts, the others hear of, by way of the store.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::services::Clock;
use fedbridge_contract::time::Timestamp;

use super::{FailureLimits, KnownDevices};
use crate::ports::FailureStore;

/// How often nodes tell each other.
const PAUSE: Duration = Duration::from_millis(100);

/// How far clocks of nodes may differ, and how long a write may take: what is that old is read once more.
const OVERLAP: Duration = Duration::from_secs(5);

/// What is older matters to nobody.
const AT_FIRST: Duration = Duration::from_secs(2 * 3600);

pub struct Sharing {
    pub limits: Arc<FailureLimits>,
    pub devices: Arc<KnownDevices>,
    pub store: Arc<dyn FailureStore>,
    pub clock: Arc<dyn Clock>,
    /// Whether other nodes may work on the same store.
    pub others: bool,
}

impl Sharing {
    /// Tells and learns until it is dropped. Where the store is silent, each node counts for itself.
    pub async fn run(&self) {
        let (mut heard, mut silent) = (None, false);
        loop {
            match self.exchange(&mut heard).await {
                Ok(()) => silent = false,
                Err(error) if !silent => {
                    silent = true;
                    tracing::warn!(%error, "wrong passwords are counted by each node for itself");
                }
                Err(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn exchange(&self, heard: &mut Option<Timestamp>) -> Result<(), StoreError> {
        self.tell().await?;
        // Who is alone learns once what it counted before it was started again.
        if self.others || heard.is_none() {
            self.learn(heard).await?;
        }
        Ok(())
    }

    /// Writes down what the others don't know yet. Where nothing failed, nothing is written.
    ///
    /// # Errors
    /// The store is silent; the next call tells it.
    pub async fn tell(&self) -> Result<(), StoreError> {
        let failures = self.limits.guesses.take_untold();
        if !failures.is_empty()
            && let Err(error) = self.store.add(&failures, self.clock.now()).await
        {
            self.limits.guesses.untell(&failures);
            return Err(error);
        }
        let devices = self.devices.take_untold();
        if !devices.is_empty()
            && let Err(error) = self.devices.tell(&devices).await
        {
            self.devices.untell(&devices);
            return Err(error);
        }
        Ok(())
    }

    /// Reads what changed since `heard`, which moves on. `None`: nothing was read by now.
    ///
    /// # Errors
    /// The store is silent.
    pub async fn learn(&self, heard: &mut Option<Timestamp>) -> Result<(), StoreError> {
        let now = self.clock.now();
        let since = heard.map_or(now - AT_FIRST, |heard| heard - OVERLAP);
        let told = self.store.since(since).await?;
        self.limits.guesses.learn(&told, now);
        *heard = Some(now);
        Ok(())
    }
}
