//! Looking at a document, and what comes of it.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::documents::PartnerDocuments;
use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::error::{Complaint, StoreError};
use fedbridge_contract::factory::Registry;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::{EgressLimits, Services};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{DocumentStore, HeldDocument, Look, NewDocument, StoredDocument};
use fedbridge_hub::run::{Refreshed, Refresher, Snapshots, TenantSnapshot};
use openssl::sha::sha256;
use serde_json::Value;

use crate::reload::Follower;

use super::due;
use super::record::{Fate, Trigger};
use super::seed::seed;

/// Federations publish aggregates of many megabytes; a single provider needs far less.
const LIMITS: EgressLimits = EgressLimits { max_body: 32 * 1024 * 1024, timeout: Duration::from_secs(10) };

/// How often the store is asked for what is due, and how long a node has for what it took.
const TICK: Duration = Duration::from_secs(30);
const UNBOUNDED_TICK: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(120);
const AT_ONCE: u32 = 16;

/// A stranger's message with an unknown key makes us look; no more often than this for each partner.
const UNKNOWN_KEY: Duration = Duration::from_secs(300);

const NOBODY: &str = "whose document it is can't be opened, so nobody can judge it";

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
    /// When a message of a partner made us look last.
    pub asked: Mutex<HashMap<(TenantId, Party), Turn>>,
}

/// Held while we look because of a message, so that whoever has the same question waits for the answer.
type Turn = Arc<tokio::sync::Mutex<Option<Timestamp>>>;

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
                    for document in due {
                        self.look(&document, Trigger::Schedule).await;
                    }
                }
                Err(error) => tracing::warn!(%error, "documents of partners could not be read; trying again"),
            }
            tokio::time::sleep(tick).await;
        }
    }

    /// Fetches a document and does what follows. A failure is noted, and the last good one stays.
    pub async fn look(&self, document: &StoredDocument, trigger: Trigger) -> Seen {
        let seen = match self.seen(document, trigger).await {
            Ok(seen) => seen,
            Err(failure) => {
                let now = self.services.clock.now();
                let pause = due::pause_after_failure(document.failures.saturating_add(1));
                let next = due::after(now, pause, self.services.rng.as_ref());
                let sentence = failure.to_string();
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
        match &seen {
            Seen::Unchanged => tracing::debug!(%url, ?party, "a partner's document is as it was"),
            Seen::Adopted => tracing::info!(%url, ?party, "a partner's new document is in force"),
            Seen::Held => tracing::warn!(%url, ?party, "a partner's new document waits for approval"),
            Seen::Failed(cause) => {
                tracing::warn!(%url, ?party, %cause, "a partner's document can't be used; the last one stays")
            }
        }
        seen
    }

    async fn seen(&self, document: &StoredDocument, trigger: Trigger) -> Result<Seen, Failure> {
        let snapshot = self.snapshots.current();
        let open = snapshot.by_slug.values().find(|open| open.view.id == document.tenant);
        let (reader, settings) = open.and_then(|open| self.reader(open, document.party)).ok_or(NOBODY)?;
        let setting = settings.get(reader.setting()).unwrap_or(&Value::Null);

        let egress = &self.services.egress;
        let fetched = match &document.current.etag {
            Some(etag) => egress.get_if_changed(&document.url, etag, LIMITS).await,
            None => egress.get(&document.url, LIMITS).await,
        };
        let fetched = fetched.map_err(|error| error.to_string())?;
        let now = self.services.clock.now();
        let next = |cache| due::after(now, due::pause(setting, cache, self.unbounded), self.services.rng.as_ref());
        let unchanged = async |etag, cache| {
            self.note(document, Look { at: now, next: next(cache), result: Ok(etag) }).await;
            Ok(Seen::Unchanged)
        };
        if fetched.status == 304 {
            return unchanged(document.current.etag.clone(), None).await;
        }
        if fetched.status != 200 {
            return Err(format!("{} answered with status {}", document.url, fetched.status).into());
        }
        let xml = String::from_utf8(fetched.body.to_vec()).map_err(|_| "the document is not UTF-8 text")?;
        let before = document.current.xml.as_str();
        let examined = match reader.examine(settings, Some(before), &xml, now) {
            Ok(examined) => examined,
            Err(complaints) => return Err(Failure::Unusable { xml, complaints }),
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
        let snapshot = self.snapshots.current();
        let open = snapshot.by_slug.values().find(|open| open.view.id == document.tenant);
        let (reader, settings) = open.and_then(|open| self.reader(open, document.party)).ok_or(NOBODY)?;
        let now = self.services.clock.now();
        let examined = match reader.examine(settings, Some(&document.current.xml), &held.xml, now) {
            Ok(examined) => examined,
            Err(complaints) => {
                self.record(document, trigger, Some(&held.xml), &held.drift, Fate::Refused(&complaints));
                return Err(sentences(&complaints));
            }
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

    /// Who reads the documents of this partner, and its settings.
    fn reader<'a>(&'a self, open: &'a TenantSnapshot, party: Party) -> Option<(&'a dyn PartnerDocuments, &'a Value)> {
        match party {
            Party::Connection(id) => {
                let connection = open.connections.get(&id)?;
                let factory = self.registry.find(&connection.view.protocol)?;
                Some((factory.documents()?, &connection.settings))
            }
            Party::App(id) => {
                let app = open.apps.get(&id)?;
                let downstream = self.downstreams.iter().find(|downstream| downstream.kind() == app.view.kind)?;
                Some((downstream.documents()?, &app.view.settings))
            }
        }
    }

    async fn note(&self, document: &StoredDocument, look: Look) {
        if let Err(error) = self.store.looked(document.tenant, document.party, look).await {
            tracing::warn!(%error, url = %document.url, "a look at a partner's document could not be noted");
        }
    }

    /// The turn of this partner's messages. Those of others that limit nothing any more are forgotten.
    fn turn(&self, tenant: TenantId, party: Party) -> Turn {
        let now = self.services.clock.now();
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.retain(|_, turn| {
            let idle = Arc::strong_count(turn) == 1;
            !idle || turn.try_lock().is_ok_and(|last| limits(*last, now))
        });
        Arc::clone(asked.entry((tenant, party)).or_default())
    }
}

/// Whether a look at that time is too short ago for another one.
fn limits(last: Option<Timestamp>, now: Timestamp) -> bool {
    last.is_some_and(|last| now.since(last) < UNKNOWN_KEY)
}

#[async_trait]
impl Refresher for Keeper {
    async fn refresh(&self, tenant: TenantId, party: Party) -> Refreshed {
        let turn = self.turn(tenant, party);
        let mut last = turn.lock().await;
        let now = self.services.clock.now();
        if limits(*last, now) {
            return Refreshed::Limited;
        }
        *last = Some(now);
        match self.store.document(tenant, party).await {
            Ok(Some(document)) => {
                let seen = self.look(&document, Trigger::UnknownKey).await;
                // Also where nothing was new: another node may have adopted the document a moment ago.
                if let Err(error) = self.follower.step().await {
                    tracing::warn!(%error, "a new document will be taken over a moment later");
                    return Refreshed::Unchanged;
                }
                if seen == Seen::Adopted { Refreshed::Changed } else { Refreshed::Unchanged }
            }
            // It was given as a file: there is nowhere to look.
            Ok(None) => Refreshed::Limited,
            Err(error) => {
                tracing::warn!(%error, "a partner's document could not be read");
                Refreshed::Unchanged
            }
        }
    }
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
