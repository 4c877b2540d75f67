#![allow(clippy::unwrap_used)]
//! A store in memory that counts what it is asked to write.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use fedbridge_contract::ids::ConnectionId;
use fedbridge_hub::ports::{Rollover, StoredSighting};
use uuid::Uuid;

use super::*;

#[derive(Default)]
struct Written {
    batches: Mutex<Vec<Vec<NewSighting>>>,
    broken: AtomicBool,
}

#[async_trait]
impl RolloverStore for Written {
    async fn note_sightings(&self, batch: &[NewSighting]) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) {
            return Err(StoreError("away".into()));
        }
        self.batches.lock().unwrap().push(batch.to_vec());
        Ok(())
    }

    async fn sightings(&self, _: TenantId) -> Result<Vec<StoredSighting>, StoreError> {
        Ok(Vec::new())
    }

    async fn last_sighting(
        &self,
        _: TenantId,
        _: Party,
        _: &str,
        _: Sighting,
    ) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    async fn rollovers(&self, _: Option<TenantId>) -> Result<Vec<Rollover>, StoreError> {
        Ok(Vec::new())
    }
}

impl Written {
    /// What was written since the last call: key, kind, seconds.
    fn take(&self) -> Vec<(String, Sighting, i64)> {
        let batches = std::mem::take(&mut *self.batches.lock().unwrap());
        let mut all: Vec<_> = batches.into_iter().flatten().map(|new| (new.kid, new.how, new.at.seconds())).collect();
        all.sort();
        all
    }
}

fn see(notes: &Notes, kid: &str, how: Sighting, seconds: i64) {
    let (tenant, party) = (TenantId::from_uuid(Uuid::nil()), Party::Connection(ConnectionId::from_uuid(Uuid::nil())));
    notes.seen(tenant, party, kid, how, Timestamp::from_seconds(seconds));
}

#[tokio::test]
async fn what_was_written_lately_is_not_written_again() {
    use Sighting::{EncryptedTo, Published};
    let store = Arc::new(Written::default());
    let notes = Notes::start(Arc::clone(&store) as _);
    for second in [5, 3, 4] {
        see(&notes, "a", Published, second);
    }
    see(&notes, "b", Published, 3);
    notes.flush().await;
    assert_eq!(store.take(), [("a".to_owned(), Published, 5), ("b".to_owned(), Published, 3)], "once in a batch");

    see(&notes, "a", Published, 604);
    see(&notes, "b", Published, 604);
    see(&notes, "a", EncryptedTo, 604);
    notes.flush().await;
    assert_eq!(store.take(), [("a".to_owned(), EncryptedTo, 604), ("b".to_owned(), Published, 604)]);

    // An old key that is used again a moment after the new one.
    for (kid, second) in [("new", 605), ("a", 606), ("a", 607)] {
        see(&notes, kid, EncryptedTo, second);
        notes.flush().await;
    }
    assert_eq!(store.take(), [("a".to_owned(), EncryptedTo, 606), ("new".to_owned(), EncryptedTo, 605)]);

    // Both in one batch: the later one is written with the other, though it was written a moment ago.
    see(&notes, "new", EncryptedTo, 608);
    notes.flush().await;
    for (kid, second) in [("a", 609), ("new", 610)] {
        see(&notes, kid, EncryptedTo, second);
    }
    notes.flush().await;
    assert_eq!(
        store.take(),
        [
            ("a".to_owned(), EncryptedTo, 609),
            ("new".to_owned(), EncryptedTo, 608),
            ("new".to_owned(), EncryptedTo, 610)
        ]
    );
}

#[tokio::test]
async fn what_could_not_be_written_comes_again() {
    let store = Arc::new(Written::default());
    let notes = Notes::start(Arc::clone(&store) as _);
    store.broken.store(true, Ordering::Relaxed);
    see(&notes, "a", Sighting::Published, 1);
    notes.flush().await;
    store.broken.store(false, Ordering::Relaxed);
    see(&notes, "a", Sighting::Published, 2);
    notes.flush().await;
    assert_eq!(store.take().len(), 1);
}
