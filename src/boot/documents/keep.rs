//! Looking at a document, and what comes of it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::error::{Complaint, StoreError};
use fedbridge_contract::factory::Registry;
use fedbridge_contract::services::{Egress, EgressLimits, Services};
use fedbridge_contract::trace::clip;
use fedbridge_hub::ports::{DocumentStore, HeldDocument, Look, NewDocument, StoredDocument};
use fedbridge_hub::run::Snapshots;
use openssl::sha::sha256;
use tokio::task::JoinSet;

use crate::reload::Follower;

use super::due;
use super::read::{Reading, Unreadable};
use super::record::{Fate, Trigger};
use super::seed::seed;
use super::unread;

/// Federations publish aggregates of many megabytes; a single provider needs far less.
const LIMITS: EgressLimits = EgressLimits { max_body: 32 * 1024 * 1024, timeout: Duration::from_secs(10) };

/// How often the store is asked for what is due, and how long a node has for what it took.
const TICK: Duration = Duration::from_secs(10);
const UNBOUNDED_TICK: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(120);

/// How many are taken, and how many of them are looked at side by side, so that a slow partner delays few
/// others. Even if each takes as long as it may, the lease is long enough.
const AT_ONCE: u32 = 8;
const SIDE_BY_SIDE: usize = 4;

/// Looks at the documents of every tenant.
pub struct Keeper {
    pub store: Arc<dyn DocumentStore>,
    pub registry: Registry,
    pub downstreams: Vec<Arc<dyn Downstream>>,
    pub services: Services,
    pub snapshots: Arc<Snapshots>,
    pub follower: Arc<Follower>,
    /// Whether a setting may ask for less than an hour: see [`due::pause`].
    pub unbounded: bool,
    pub reading: Reading,
}

/// What a look showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    Unchanged,
    /// In force now.
    Adopted,
    /// It waits for approval.
    Held,
    Failed(String),
}

/// What is published while a document waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// What waits, in meaning.
    Same,
    Other,
}

impl Keeper {
    /// Looks at what is due, for ever.
    pub async fn run(self: Arc<Self>) {
        match seed(self.follower.store.as_ref(), self.services.clock.now()).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "documents of an earlier version are renewed from now on"),
            Err(error) => {
                tracing::warn!(%error, "documents of an earlier version stay as they are until the next start")
            }
        }
        let tick = if self.unbounded { UNBOUNDED_TICK } else { TICK };
        loop {
            match self.store.claim_due(self.services.clock.now(), LEASE, AT_ONCE).await {
                Ok(due) => {
                    let more = due.len() >= AT_ONCE as usize;
                    self.look_at_all(due).await;
                    if more {
                        continue;
                    }
                }
                Err(error) => tracing::warn!(%error, "documents of partners could not be read; trying again"),
            }
            tokio::select! {
                // A new address is looked at as soon as it is in force.
                () = self.follower.taken_over.notified() => {}
                () = tokio::time::sleep(tick) => {}
            }
        }
    }

    async fn look_at_all(self: &Arc<Self>, due: Vec<StoredDocument>) {
        let mut looks = JoinSet::new();
        for document in due {
            if looks.len() >= SIDE_BY_SIDE {
                looks.join_next().await;
            }
            let keeper = Arc::clone(self);
            looks.spawn(async move { keeper.look(&document, Trigger::Schedule).await });
        }
        while looks.join_next().await.is_some() {}
    }

    /// Fetches a document and does what follows. A failure is noted, and the last good one stays.
    pub async fn look(&self, document: &StoredDocument, trigger: Trigger) -> Seen {
        let seen = match self.seen(document, trigger).await {
            Ok(seen) => seen,
            Err(failure) => {
                let now = self.services.clock.now();
                let pause = due::pause_after_failure(document.failures.saturating_add(1), unread(document));
                let next = due::after(now, pause, self.services.rng.as_ref());
                // Partners have a hand in this text, and it goes to logs, the store and terminals.
                let sentence = clip(failure.to_string());
                // The same failure again is nothing new.
                if document.last_failure.as_ref() != Some(&sentence) {
                    let fate = match &failure {
                        Failure::Unusable { complaints, .. } => Fate::Refused(complaints),
                        Failure::Missing(_) => Fate::Missing(&sentence),
                    };
                    self.record(document, trigger, failure.xml(), &[], fate);
                }
                self.note(document, Look { at: now, next, result: Err(sentence.clone()) }).await;
                Seen::Failed(sentence)
            }
        };
        let (url, party) = (&document.url, document.party);
        if !matches!(seen, Seen::Failed(_)) {
            self.snapshots.confirmed(document.tenant, party);
        }
        match &seen {
            Seen::Unchanged => tracing::debug!(%url, ?party, "a partner's document is as it was"),
            Seen::Adopted => tracing::info!(%url, ?party, "a partner's new document is in force"),
            Seen::Held => tracing::warn!(%url, ?party, "a partner's new document waits for approval"),
            Seen::Failed(cause) if unread(document) => {
                tracing::warn!(%url, ?party, %cause, "a partner's document can't be used, and there is none yet")
            }
            Seen::Failed(cause) => {
                tracing::warn!(%url, ?party, %cause, "a partner's document can't be used; the last one stays")
            }
        }
        seen
    }

    async fn seen(&self, document: &StoredDocument, trigger: Trigger) -> Result<Seen, Failure> {
        let reader = self.reader(document.tenant, document.party)?;
        let egress = self.egress(document);
        let fetched = match &document.current.etag {
            Some(etag) => egress.get_if_changed(&document.url, etag, LIMITS).await,
            None => egress.get(&document.url, LIMITS).await,
        };
        let fetched = fetched.map_err(|error| error.to_string())?;
        let now = self.services.clock.now();
        let max_age = fetched.max_age;
        let next = |cache: Option<Duration>| {
            let pause = due::pause(reader.setting(), cache.or(max_age), reader.life(), self.unbounded);
            due::after(now, pause, self.services.rng.as_ref())
        };
        let unchanged = async |etag, cache| {
            self.withdraw(document, trigger).await?;
            self.note(document, Look { at: now, next: next(cache), result: Ok(etag) }).await;
            Ok::<_, Failure>(Seen::Unchanged)
        };
        if fetched.status == 304 {
            return unchanged(document.current.etag.clone(), None).await;
        }
        if fetched.status != 200 {
            return Err(format!("{} answered with status {}", document.url, fetched.status).into());
        }
        let xml = String::from_utf8(fetched.body.to_vec()).map_err(|_| "the document is not UTF-8 text")?;
        let before = document.current.xml.as_str();
        let examined = match self.reading.examine(&reader, in_force(document), &xml, now).await {
            Ok(examined) => examined,
            Err(Unreadable::Complaints(complaints)) => return Err(Failure::Unusable { xml, complaints }),
            Err(Unreadable::Stuck(cause)) => return Err(cause.into()),
        };
        if xml == before {
            return unchanged(fetched.etag, examined.cache).await;
        }
        if examined.needs_approval() {
            let next = next(examined.cache);
            if document.held.as_ref().is_none_or(|held| held.xml != xml) {
                let held = HeldDocument { xml, drift: examined.drift, since: now };
                self.store.hold(document.tenant, document.party, &held).await.map_err(sentence)?;
                self.record(document, trigger, Some(&held.xml), &held.drift, Fate::Held);
            }
            // Without its tag: the same document is fetched again, and held or adopted, as long as it waits.
            self.note(document, Look { at: now, next, result: Ok(None) }).await;
            return Ok(Seen::Held);
        }
        let new = NewDocument {
            xml,
            etag: fetched.etag,
            valid_until: examined.valid_until,
            fetched: now,
            next_look: next(examined.cache),
        };
        let expected = sha256(before.as_bytes());
        let adopted = self.store.adopt(document.tenant, document.party, &expected, &new).await.map_err(sentence)?;
        if !adopted {
            // Somebody else was faster: what he put in force is at least as new.
            return Ok(Seen::Unchanged);
        }
        // A document that was only written anew, with a later end, is nothing to tell.
        if !examined.drift.is_empty() {
            self.record(document, trigger, Some(&new.xml), &examined.drift, Fate::Adopted);
        }
        Ok(Seen::Adopted)
    }

    /// Puts a document that waited in force. False: another one came in force meanwhile.
    ///
    /// # Errors
    /// It can't be used any more, or the store does not answer.
    pub async fn approve(
        &self,
        document: &StoredDocument,
        held: &HeldDocument,
        trigger: Trigger,
    ) -> Result<bool, String> {
        let reader = self.reader(document.tenant, document.party)?;
        let now = self.services.clock.now();
        let examined = match self.reading.examine(&reader, in_force(document), &held.xml, now).await {
            Ok(examined) => examined,
            Err(Unreadable::Complaints(complaints)) => {
                self.record(document, trigger, Some(&held.xml), &held.drift, Fate::Refused(&complaints));
                return Err(sentences(&complaints));
            }
            Err(Unreadable::Stuck(cause)) => return Err(cause),
        };
        let valid_until = examined.valid_until;
        let new = NewDocument { xml: held.xml.clone(), etag: None, valid_until, fetched: now, next_look: now };
        let expected = sha256(document.current.xml.as_bytes());
        let adopted = self.store.adopt(document.tenant, document.party, &expected, &new).await.map_err(sentence)?;
        if adopted {
            self.record(document, trigger, Some(&held.xml), &examined.drift, Fate::Approved);
        }
        Ok(adopted)
    }

    /// What is published now, against the document that waits. It changes nothing.
    ///
    /// # Errors
    /// It can't be said: the partner does not answer.
    pub async fn published(&self, document: &StoredDocument, held: &HeldDocument) -> Result<Published, String> {
        let reader = self.reader(document.tenant, document.party)?;
        let fetched = self.egress(document).get(&document.url, LIMITS).await;
        let fetched = fetched.map_err(|error| clip(error.to_string()))?;
        if fetched.status != 200 {
            return Err(format!("{} answered with status {}", document.url, fetched.status));
        }
        let Ok(xml) = String::from_utf8(fetched.body.to_vec()) else { return Ok(Published::Other) };
        if xml == held.xml {
            return Ok(Published::Same);
        }
        // Some partners write their documents anew for everyone who asks: their meaning counts.
        match self.reading.examine(&reader, Some(&held.xml), &xml, self.services.clock.now()).await {
            Ok(examined) if examined.drift.is_empty() => Ok(Published::Same),
            Ok(_) | Err(Unreadable::Complaints(_)) => Ok(Published::Other),
            Err(Unreadable::Stuck(cause)) => Err(cause),
        }
    }

    /// Forgets a document that waits and is not published any more. Whoever took the partner's address
    /// over for a while shall not have his document approved a day later.
    async fn withdraw(&self, document: &StoredDocument, trigger: Trigger) -> Result<(), String> {
        let Some(held) = &document.held else { return Ok(()) };
        if self.store.release(document.tenant, document.party).await.map_err(sentence)? {
            self.record(document, trigger, Some(&held.xml), &held.drift, Fate::Withdrawn);
        }
        Ok(())
    }

    /// Forgets a document that waited. False: none does.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn reject(&self, document: &StoredDocument, trigger: Trigger) -> Result<bool, StoreError> {
        let there = self.store.release(document.tenant, document.party).await?;
        if let Some(held) = document.held.as_ref().filter(|_| there) {
            self.record(document, trigger, Some(&held.xml), &held.drift, Fate::Rejected);
        }
        Ok(there)
    }

    /// The way out to the partner.
    fn egress(&self, document: &StoredDocument) -> Arc<dyn Egress> {
        match self.snapshots.current().tenant(document.tenant) {
            Some(tenant) => self.services.egress_to(&tenant.view, document.party),
            None => Arc::clone(&self.services.egress),
        }
    }

    async fn note(&self, document: &StoredDocument, look: Look) {
        if let Err(error) = self.store.looked(document.tenant, document.party, look).await {
            tracing::warn!(%error, url = %document.url, "a look at a partner's document could not be noted");
        }
    }
}

/// The text that counts now.
fn in_force(document: &StoredDocument) -> Option<&str> {
    (!unread(document)).then_some(document.current.xml.as_str())
}

/// Why a look came to nothing.
enum Failure {
    /// There was no document to be had.
    Missing(String),
    Unusable {
        xml: String,
        complaints: Vec<Complaint>,
    },
}

impl Failure {
    fn xml(&self) -> Option<&str> {
        match self {
            Self::Missing(_) => None,
            Self::Unusable { xml, .. } => Some(xml),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(cause) => f.write_str(cause),
            Self::Unusable { complaints, .. } => f.write_str(&sentences(complaints)),
        }
    }
}

impl From<String> for Failure {
    fn from(cause: String) -> Self {
        Self::Missing(cause)
    }
}

impl From<&str> for Failure {
    fn from(cause: &str) -> Self {
        Self::Missing(cause.to_owned())
    }
}

fn sentences(found: &[Complaint]) -> String {
    found.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn sentence(error: StoreError) -> String {
    error.to_string()
}

#[cfg(test)]
#[path = "tests.rs"]
pub(super) mod tests;
