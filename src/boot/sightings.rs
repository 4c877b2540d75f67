//! Which partner was seen with which key or credential of ours, on its way from the logins to the store.
//!
//! A login says it and goes on. Sightings are written in batches, and what was
//! written a short time ago is not written again: partners fetch metadata, log people in and push all the time.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::{Sighting, Sightings};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{NewSighting, RolloverStore};
use fedbridge_hub::run::{Gathering, Teller};
use metrics::counter;

/// What was written within this is not written again, so the last time may be off by as much.
const AGAIN: Duration = Duration::from_secs(600);

/// Takes sightings and never waits.
#[derive(Clone)]
pub struct Notes {
    teller: Teller<NewSighting>,
    store: Arc<dyn RolloverStore>,
}

impl Notes {
    /// Starts to write. It ends when the last clone is gone.
    pub fn start(store: Arc<dyn RolloverStore>) -> Self {
        let gathered = Gathered { store: Arc::clone(&store), memory: Memory::default(), seen: HashMap::new() };
        Self { teller: Teller::start(gathered), store }
    }

    /// Waits until everything that was seen before is written.
    pub async fn flush(&self) {
        self.teller.flush().await;
    }
}

#[async_trait]
impl Sightings for Notes {
    fn seen(&self, tenant: TenantId, party: Party, kid: &str, how: Sighting, at: Timestamp) {
        // What finds no room comes again with the next message.
        if !self.teller.tell(NewSighting { tenant, party, kid: kid.to_owned(), how, at }) {
            counter!("fedbridge_sightings_dropped_total").increment(1);
        }
    }

    async fn last(
        &self,
        tenant: TenantId,
        party: Party,
        kid: &str,
        how: Sighting,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.store.last_sighting(tenant, party, kid, how).await
    }
}

/// For commands: what was noted, and nothing new.
pub struct Noted(pub Arc<dyn RolloverStore>);

#[async_trait]
impl Sightings for Noted {
    fn seen(&self, _: TenantId, _: Party, _: &str, _: Sighting, _: Timestamp) {}

    async fn last(
        &self,
        tenant: TenantId,
        party: Party,
        kid: &str,
        how: Sighting,
    ) -> Result<Option<Timestamp>, StoreError> {
        self.0.last_sighting(tenant, party, kid, how).await
    }
}

/// What is the same about a sighting that comes again.
type Subject = (TenantId, Party, Sighting, String);

struct Gathered {
    store: Arc<dyn RolloverStore>,
    memory: Memory,
    seen: HashMap<Subject, Timestamp>,
}

#[async_trait]
impl Gathering for Gathered {
    type Told = NewSighting;

    fn take(&mut self, new: NewSighting) {
        let last = self.seen.entry((new.tenant, new.party, new.how, new.kid)).or_insert(new.at);
        *last = new.at.max(*last);
    }

    async fn write(&mut self) {
        let batch = self.memory.news(std::mem::take(&mut self.seen));
        match self.store.note_sightings(&batch).await {
            Ok(()) => self.memory.wrote(&batch),
            Err(error) => tracing::warn!(%error, "what partners have seen of our keys could not be written"),
        }
    }
}

/// What was written, and when.
#[derive(Default)]
struct Memory(HashMap<Subject, Timestamp>);

impl Memory {
    fn news(&self, seen: HashMap<Subject, Timestamp>) -> Vec<NewSighting> {
        let old = |subject: &Subject, at: Timestamp| self.0.get(subject).is_some_and(|last| at.since(*last) < AGAIN);
        // Whoever encrypts to another key than before may have used both since the last batch, and the later one
        // counts. Without it the store would say until the next batch that they went back.
        let encrypted =
            |(tenant, party, how, _): &Subject| (*how == Sighting::EncryptedTo).then_some((*tenant, *party));
        let turned: HashSet<_> = seen
            .iter()
            .filter(|(subject, at)| !old(subject, **at))
            .filter_map(|(subject, _)| encrypted(subject))
            .collect();
        let told = |subject: &Subject| encrypted(subject).is_some_and(|whose| turned.contains(&whose));
        let news = seen.into_iter().filter(|(subject, at)| !old(subject, *at) || told(subject));
        let mut news: Vec<_> =
            news.map(|((tenant, party, how, kid), at)| NewSighting { tenant, party, kid, how, at }).collect();
        news.sort_by_key(|new| new.at);
        news
    }

    /// The batch is in the order of time.
    fn wrote(&mut self, batch: &[NewSighting]) {
        let Some(now) = batch.last().map(|new| new.at) else { return };
        self.0.retain(|_, at| now.since(*at) < AGAIN);
        for new in batch {
            if new.how == Sighting::EncryptedTo {
                // Which key a partner encrypted to last decides when an old one may go: the next use of another
                // key is news, however soon it comes.
                let same = |(tenant, party, how, kid): &Subject| {
                    (*tenant, *party, *how) == (new.tenant, new.party, new.how) && *kid != new.kid
                };
                self.0.retain(|subject, _| !same(subject));
            }
            self.0.insert((new.tenant, new.party, new.how, new.kid.clone()), new.at);
        }
    }
}

#[cfg(test)]
mod tests;
