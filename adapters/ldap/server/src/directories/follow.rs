//! How the directories hear of changes. Everybody of a tenant is read once, in a task of the tenant's own, so that a
//! large one holds up no news of the others; from then on one loop asks for what has changed.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::directory::Mark;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::Held;
use crate::backend::Backend as _;
use crate::index::Index;
use crate::layout::Layout;
use crate::snapshot::Snapshot;

/// People of one reading.
const PAGE: u32 = 1000;

/// Tenants that are read at once, up to a page of each.
const AT_ONCE: usize = 4;

/// Those of them that have more than a page.
const LARGE_AT_ONCE: usize = 1;

/// How long a tenant is left alone behind a failure of the store.
const REST: Duration = Duration::from_secs(1);

/// Clocks of nodes differ: what changed so long before the first reading is read again.
const OVERLAP: Duration = Duration::from_secs(2);

/// What [`Held::run`] knows of each tenant. Readings that are under way end with it.
pub(super) struct Follower {
    held: Arc<Held>,
    tenants: HashMap<TenantId, Followed>,
    lanes: Arc<Lanes>,
}

/// One tenant's directory, as far as it was read.
#[derive(Default)]
struct Followed {
    /// Up to where changes were heard; `None`: not everybody was read yet.
    mark: Option<Mark>,
    reading: Option<Reading>,
    rests_until: Option<Instant>,
}

/// Everybody is being read.
struct Reading {
    layout: Layout,
    task: JoinHandle<Result<Read, StoreError>>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Everybody was read.
struct Read {
    snapshot: Snapshot,
    /// From before the first page: who changed meanwhile is read again.
    mark: Mark,
}

struct Lanes {
    all: Semaphore,
    large: Semaphore,
}

impl Follower {
    pub fn new(held: Arc<Held>) -> Self {
        let lanes = Lanes { all: Semaphore::new(AT_ONCE), large: Semaphore::new(LARGE_AT_ONCE) };
        Self { held, tenants: HashMap::new(), lanes: Arc::new(lanes) }
    }

    /// Takes over what is new, of each tenant that has a directory. Whether everybody was read once.
    pub async fn look(&mut self) -> bool {
        let mut tenants = self.held.directory.feed.tenants();
        tenants.retain(|tenant| layout(tenant).is_some());
        self.forget(&tenants);
        let mut failed = self.take_over().await;
        for tenant in &tenants {
            let followed = self.tenants.entry(tenant.id).or_default();
            if followed.rests_until.is_some_and(|until| Instant::now() < until) {
                continue;
            }
            // One tenant's trouble is not the others'.
            if let Err(error) = followed.look(&self.held, &self.lanes, tenant).await {
                followed.rest();
                failed = Some(error);
            }
        }
        if let Some(error) = failed {
            tracing::warn!(%error, "the LDAP directories could not be read from the store; they are tried again");
        }
        tenants.iter().all(|tenant| self.tenants.get(&tenant.id).is_some_and(|followed| followed.mark.is_some()))
    }

    fn forget(&mut self, tenants: &[Arc<Tenant>]) {
        let there: HashSet<_> = tenants.iter().map(|tenant| tenant.id).collect();
        self.tenants.retain(|id, _| there.contains(id));
        if self.held.state().tenants().any(|id| !there.contains(id)) {
            self.held.change(|state| state.retain(|id| there.contains(id)));
        }
    }

    /// Shows all tenants at once whose readings are over: at the start there may be thousands.
    async fn take_over(&mut self) -> Option<StoreError> {
        let (mut read, mut failed) = (Vec::new(), None);
        for followed in self.tenants.values_mut() {
            match followed.over().await {
                Some(Ok(Read { snapshot, mark })) => {
                    followed.mark = Some(mark);
                    read.push(snapshot);
                }
                Some(Err(error)) => {
                    followed.rest();
                    failed = Some(error);
                }
                None => {}
            }
        }
        self.held.publish(read);
        failed
    }
}

impl Followed {
    fn rest(&mut self) {
        self.rests_until = Some(Instant::now() + REST);
    }

    /// What came of the reading, where it is over.
    async fn over(&mut self) -> Option<Result<Read, StoreError>> {
        let mut reading = self.reading.take_if(|reading| reading.task.is_finished())?;
        Some(
            (&mut reading.task)
                .await
                .unwrap_or_else(|error| Err(StoreError(format!("the reading broke off: {error}")))),
        )
    }

    /// Has everybody read where that is to be done, and takes over what has changed.
    async fn look(&mut self, held: &Arc<Held>, lanes: &Arc<Lanes>, tenant: &Arc<Tenant>) -> Result<(), StoreError> {
        let Some(layout) = layout(tenant) else { return Ok(()) };
        let there = held.snapshot(tenant.id);
        let fits = there.as_ref().is_some_and(|there| there.index().layout.makes_the_same_entries(&layout));
        if fits && self.mark.is_some() {
            self.reading = None;
        } else if !self.reading.as_ref().is_some_and(|reading| reading.layout.makes_the_same_entries(&layout)) {
            let reading = read_all(Arc::clone(held), Arc::clone(tenant), layout.clone(), Arc::clone(lanes));
            self.reading = Some(Reading { layout, task: tokio::spawn(reading) });
        }
        let (Some(there), Some(mark)) = (there, self.mark) else { return Ok(()) };
        // Until everybody is read anew, entries of the older settings go on as they are, and hear of changes.
        let shown = if fits { tenant } else { there.tenant() };
        self.mark = Some(hear(held, shown, &there, mark).await?);
        Ok(())
    }
}

/// Takes over what has changed since the mark. The next mark.
async fn hear(held: &Held, tenant: &Arc<Tenant>, there: &Snapshot, mark: Mark) -> Result<Mark, StoreError> {
    let feed = &held.directory.feed;
    let now = held.services.clock.now();
    let changes = feed.changed(tenant.id, mark).await?;
    let is_same = changes.people.is_empty() && changes.deleted.is_empty() && !changes.groups;
    let is_over = there.until().is_some_and(|until| until <= now);
    if !is_same || !there.is_of(tenant) || is_over {
        let mut index = there.index().clone();
        if changes.groups {
            index.know_groups(&feed.groups(tenant.id).await?);
        }
        for person in &changes.people {
            index.put(person);
        }
        for id in &changes.deleted {
            index.remove(*id, now);
        }
        held.publish(Snapshot::of(tenant, index, &held.directory, held.services.clock.now()));
    }
    Ok(changes.mark)
}

async fn read_all(held: Arc<Held>, tenant: Arc<Tenant>, layout: Layout, lanes: Arc<Lanes>) -> Result<Read, StoreError> {
    let feed = &held.directory.feed;
    // Nobody closes the lanes.
    let mut lane = lanes.all.acquire().await;
    let mark = Mark { at: held.services.clock.now() - OVERLAP, epoch: held.services.gate.epoch() };
    let mut index = Index::new(layout);
    index.know_groups(&feed.groups(tenant.id).await?);
    let mut after = None;
    loop {
        let page = feed.page(tenant.id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        let is_first = after.replace(last.id).is_none();
        for person in &page {
            index.put(person);
        }
        if is_first && page.len() >= PAGE as usize {
            drop(lane);
            lane = lanes.large.acquire().await;
        }
    }
    let snapshot = Snapshot::of(&tenant, index, &held.directory, held.services.clock.now());
    drop(lane);
    let gone = || StoreError("the tenant has no directory".to_owned());
    Ok(Read { snapshot: snapshot.ok_or_else(gone)?, mark })
}

/// `None`: the tenant has no directory.
fn layout(tenant: &Tenant) -> Option<Layout> {
    tenant.settings.ldap.as_deref().and_then(Layout::of)
}
