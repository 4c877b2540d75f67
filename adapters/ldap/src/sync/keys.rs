//! Everybody by key alone: whoever is not named is gone.

use fedbridge_contract::directory::{Seen, SyncError};

use super::cookie::Mark;
use super::reading::{People, Reading};

/// Between two full runs only who is gone is looked for.
pub(super) async fn full(reading: &mut Reading<'_>) -> Result<Mark, SyncError> {
    let lease = reading.lease().await?;
    let search = reading.search(None);
    reading.people(lease, search, &mut People { keys: None, newest: None }).await?;
    Ok(Mark::Keys)
}

/// 40 octets for each person wait until all are there: a list that breaks off in the middle names nobody as gone.
pub(super) async fn compare(reading: &mut Reading<'_>) -> Result<(), SyncError> {
    let users = &reading.directory.settings.users;
    let what = (users.base.as_str(), users.scope, reading.directory.everybody.clone());
    let mut keys = Vec::new();
    let lease = reading.lease().await?;
    reading.keys(lease, what, Vec::new(), |key, _| keys.push(key)).await?;
    for key in keys {
        reading.say(Seen::Present(key)).await?;
    }
    reading.say(Seen::NobodyElse).await
}
