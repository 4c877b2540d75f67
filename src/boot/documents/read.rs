//! Reading a document takes processor time, seconds of it for an aggregate: so it is done beside the
//! threads that serve requests, a few at a time, and nobody waits for ever.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::documents::{Examined, PartnerDocuments};
use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::AdapterFactory;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use serde_json::Value;
use tokio::sync::Semaphore;

use super::Keeper;

/// How many documents are read at a time: the other processors are for logins.
const AT_ONCE: usize = 2;

/// How long one may take, the wait for its turn included.
const LONGEST: Duration = Duration::from_secs(20);

const NOBODY: &str = "whose document it is can't be opened, so nobody can judge it";

/// The turns at reading.
pub struct Reading(Arc<Semaphore>);

impl Default for Reading {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Why a document came to nothing.
#[derive(Debug)]
pub(super) enum Unreadable {
    Complaints(Vec<Complaint>),
    /// It took too long, or whoever read it gave up.
    Stuck(String),
}

impl Reading {
    /// What `fetched` changes against `before`.
    pub(super) async fn examine(
        &self,
        reader: &Arc<Reader>,
        before: Option<&str>,
        fetched: &str,
        now: Timestamp,
    ) -> Result<Examined, Unreadable> {
        let (turns, reader) = (Arc::clone(&self.0), Arc::clone(reader));
        let (before, fetched) = (before.map(str::to_owned), fetched.to_owned());
        let read = async move {
            let Ok(turn) = turns.acquire_owned().await else { return stuck() };
            let read = tokio::task::spawn_blocking(move || {
                // Kept by the thread that works: it goes on after whoever waits has given up.
                let _turn = turn;
                reader.examine(before.as_deref(), &fetched, now)
            });
            read.await.unwrap_or_else(|_| stuck())
        };
        let late = || Unreadable::Stuck(format!("the document could not be read within {} seconds", LONGEST.as_secs()));
        tokio::time::timeout(LONGEST, read).await.map_err(|_| late())?
    }
}

fn stuck() -> Result<Examined, Unreadable> {
    Err(Unreadable::Stuck("the document could not be read to its end".to_owned()))
}

/// Who reads a partner's documents, and its settings; owned, so that another thread can do it.
pub(super) struct Reader {
    by: By,
    settings: Value,
}

enum By {
    Upstream(Arc<dyn AdapterFactory>),
    Downstream(Arc<dyn Downstream>),
}

impl Reader {
    pub(super) fn documents(&self) -> Option<&dyn PartnerDocuments> {
        match &self.by {
            By::Upstream(factory) => factory.documents(),
            By::Downstream(downstream) => downstream.documents(),
        }
    }

    /// The setting that names the document.
    pub(super) fn setting(&self) -> &Value {
        let name = self.documents().map(PartnerDocuments::setting);
        name.and_then(|name| self.settings.get(name)).unwrap_or(&Value::Null)
    }

    /// How long its documents are kept without asking: at least, and at most.
    pub(super) fn life(&self) -> (Duration, Duration) {
        self.documents().map_or((LONGEST, LONGEST), PartnerDocuments::life)
    }

    fn examine(&self, before: Option<&str>, fetched: &str, now: Timestamp) -> Result<Examined, Unreadable> {
        let documents = self.documents().ok_or_else(|| Unreadable::Stuck(NOBODY.to_owned()))?;
        documents.examine(&self.settings, before, fetched, now).map_err(Unreadable::Complaints)
    }
}

impl Keeper {
    /// Whether this partner has an address, and nothing of it is in force here.
    pub(super) fn waits(&self, tenant: TenantId, party: Party) -> bool {
        self.reader(tenant, party).is_ok_and(|reader| {
            let setting = reader.setting();
            setting.get("url").is_some() && setting.get("xml").is_none()
        })
    }

    /// Who reads the documents of this partner.
    pub(super) fn reader(&self, tenant: TenantId, party: Party) -> Result<Arc<Reader>, String> {
        let snapshot = self.snapshots.current();
        let open = snapshot.tenant(tenant);
        let found = open.and_then(|open| match party {
            Party::Connection(id) => {
                let connection = open.connections.get(&id)?;
                let factory = self.registry.find(&connection.view.protocol)?;
                Some((By::Upstream(Arc::clone(factory)), connection.settings.clone()))
            }
            Party::App(id) => {
                let app = open.apps.get(&id)?;
                let downstream = self.downstreams.iter().find(|downstream| downstream.kind() == app.view.kind)?;
                Some((By::Downstream(Arc::clone(downstream)), app.view.settings.clone()))
            }
        });
        let reader = found.map(|(by, settings)| Reader { by, settings });
        reader.filter(|reader| reader.documents().is_some()).map(Arc::new).ok_or_else(|| NOBODY.to_owned())
    }
}
