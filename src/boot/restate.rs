//! Maps anew what is said of pushed people whose groups have changed, where a change was answered before all were done.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_hub::run::Hub;

/// People that are done between two looks at who waits.
const AT_ONCE: u32 = 200;

/// Where nobody waits, and where nobody who waits could be done.
const REST: Duration = Duration::from_secs(1);

/// Where the store does not answer.
const AGAIN: Duration = Duration::from_secs(5);

/// Goes on for ever. Several nodes may do the same person: it is said twice then.
pub async fn run(hub: Arc<Hub>) {
    loop {
        match hub.restate_pushed(AT_ONCE).await {
            Ok(0) => tokio::time::sleep(REST).await,
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(%error, "nobody knows which pushed people wait to be mapped anew");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
}
