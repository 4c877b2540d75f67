//! Which partner has seen which key of ours, on its way from the logins to the store.
//!
//! A login says it and goes on. Behind a bounded channel sightings are written in batches, and what was
//! written a short time ago is not written again: partners fetch metadata and log people in all the time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::{Sighting, Sightings};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{NewSighting, RolloverStore};
use metrics::counter;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

/// Sightings that wait. When there are more, some are lost; each comes again with the next message.
const WAITING: usize = 4096;

/// A batch is collected for this long.
const GATHER: Duration = Duration::from_secs(1);

/// What was written within this is not written again, so the last time may be off by as much.
const AGAIN: Duration = Duration::from_secs(600);

/// Takes sightings and never waits.
#[derive(Clone)]
pub struct Notes(mpsc::Sender<Message>);

enum Message {
    Seen(NewSighting),
    /// Answered when everything before it is written.
    Flush(oneshot::Sender<()>),
}

impl Notes {
    /// Starts to write. It ends when the last clone is gone.
    pub fn start(store: Arc<dyn RolloverStore>) -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        tokio::spawn(write(receiver, store));
        Self(sender)
    }

    /// Waits until everything that was seen before is written.
    pub async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.0.send(Message::Flush(done)).await.is_ok() {
            let _ = written.await;
        }
    }
}

impl Sightings for Notes {
    fn seen(&self, tenant: TenantId, party: Party, kid: &str, how: Sighting, at: Timestamp) {
        let seen = NewSighting { tenant, party, kid: kid.to_owned(), how, at };
        if self.0.try_send(Message::Seen(seen)).is_err() {
            counter!("fedbridge_sightings_dropped_total").increment(1);
        }
    }
}

async fn write(mut receiver: mpsc::Receiver<Message>, store: Arc<dyn RolloverStore>) {
    let mut memory = Memory::default();
    while let Some(first) = receiver.recv().await {
        let until = Instant::now() + GATHER;
        let mut gathered = Gathered::default();
        let mut more = gathered.take(first);
        while more {
            match timeout_at(until, receiver.recv()).await {
                Ok(Some(message)) => more = gathered.take(message),
                Ok(None) | Err(_) => more = false,
            }
        }
        let batch = memory.news(gathered.seen);
        match store.note_sightings(&batch).await {
            Ok(()) => memory.wrote(&batch),
            Err(error) => tracing::warn!(%error, "what partners have seen of our keys could not be written"),
        }
        for done in gathered.flushes {
            let _ = done.send(());
        }
    }
}

/// What is the same about a sighting that comes again.
type Subject = (TenantId, Party, Sighting, String);

#[derive(Default)]
struct Gathered {
    seen: HashMap<Subject, Timestamp>,
    flushes: Vec<oneshot::Sender<()>>,
}

impl Gathered {
    /// False: somebody waits, so what there is should be written now.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Seen(new) => {
                let last = self.seen.entry((new.tenant, new.party, new.how, new.kid)).or_insert(new.at);
                *last = new.at.max(*last);
                true
            }
            Message::Flush(done) => {
                self.flushes.push(done);
                false
            }
        }
    }
}

/// What was written, and when.
#[derive(Default)]
struct Memory(HashMap<Subject, Timestamp>);

impl Memory {
    fn news(&self, seen: HashMap<Subject, Timestamp>) -> Vec<NewSighting> {
        let old = |subject: &Subject, at: Timestamp| self.0.get(subject).is_some_and(|last| at.since(*last) < AGAIN);
        let news = seen.into_iter().filter(|(subject, at)| !old(subject, *at));
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
