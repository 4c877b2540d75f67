//! Who is in the directories of all tenants, and what becomes of them: what the LDAP server lives on.
//!
//! One statement, every 50 ms, asks in which tenants somebody has changed at all ([`ProfileNews`]). Only those are looked
//! into. Clocks of nodes differ, and a unit may be stored some time after it was made, so what has changed shortly
//! before is looked at again; [`told`] knows what was given out by then.

mod person;
mod told;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::directory::{Changes, DirectoryFeed, DirectoryGroup, DirectoryPerson, Mark};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{PersonId, TenantId};
use fedbridge_contract::services::Clock;
use fedbridge_contract::time::Timestamp;

use super::epochs::Epochs;
use super::snapshot::{Snapshots, TenantSnapshot};
use crate::ports::{ProfileNews, ProfileStore};
pub(super) use person::best;
use person::directory_person;
use told::Told;

/// How often the store is asked.
const POLL: Duration = Duration::from_millis(50);

/// What has changed so long before is looked at each time.
const OVERLAP: Duration = Duration::from_secs(2);

/// From time to time much more, for units that were stored late.
const WIDE: Duration = Duration::from_secs(60);
const WIDE_EVERY: Duration = Duration::from_secs(10);

/// For one reader: it gives out each change once or twice.
pub struct HubFeed {
    snapshots: Arc<Snapshots>,
    profiles: Arc<dyn ProfileStore>,
    news: Arc<dyn ProfileNews>,
    epochs: Arc<Epochs>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// Whom it is for.
    shown: fn(&TenantSnapshot) -> bool,
}

#[derive(Default)]
struct State {
    /// When the store was asked last, by both clocks, and which kills were known then.
    asked: Option<(Duration, Timestamp, Epoch)>,
    wide: Option<Duration>,
    tenants: HashMap<TenantId, Watched>,
}

struct Watched {
    /// What the reader has taken over.
    mark: Mark,
    told: Told,
    /// How far to look back; `None`: nobody has changed.
    look: Option<Duration>,
    /// Somebody has changed since the reader asked last.
    news: bool,
}

impl HubFeed {
    pub fn new(
        snapshots: Arc<Snapshots>,
        profiles: Arc<dyn ProfileStore>,
        news: Arc<dyn ProfileNews>,
        epochs: Arc<Epochs>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let shown = |tenant: &TenantSnapshot| tenant.view.settings.ldap.is_some();
        Self { snapshots, profiles, news, epochs, clock, state: Mutex::default(), shown }
    }

    /// For whoever tells apps of people, in the place of who shows a directory.
    #[must_use]
    pub fn of_tenants_that_tell_apps(self) -> Self {
        Self { shown: TenantSnapshot::tells_apps, ..self }
    }

    /// Asks where somebody has changed, where that was asked longer ago than [`POLL`].
    async fn ask(&self) -> Result<(), StoreError> {
        let (steady, now, epoch) = (self.clock.steady(), self.clock.now(), self.epochs.newest());
        let (since, kills, back) = {
            let state = self.state();
            let Some((asked, at, kills)) = state.asked else {
                drop(state);
                self.state().asked = Some((steady, now, epoch));
                return Ok(());
            };
            if steady.saturating_sub(asked) < POLL {
                return Ok(());
            }
            let wide = state.wide.is_none_or(|last| steady.saturating_sub(last) >= WIDE_EVERY);
            let back = if wide { WIDE } else { OVERLAP };
            (at - back, kills, back)
        };
        let changed = self.news.news(since, kills).await?;
        let mut state = self.state();
        state.asked = Some((steady, now, epoch));
        if back == WIDE {
            state.wide = Some(steady);
        }
        for (tenant, watched) in &mut state.tenants {
            let is_in = changed.contains(tenant);
            watched.news |= is_in;
            if is_in {
                watched.look = Some(watched.look.map_or(back, |look| look.max(back)));
            } else if !watched.news {
                watched.look = None;
            }
        }
        Ok(())
    }

    /// From where a tenant is to be looked at; `None`: nobody has changed there.
    fn from(&self, tenant: TenantId, since: Mark) -> Option<Timestamp> {
        let mut state = self.state();
        let watched = state.tenants.entry(tenant).or_insert_with(|| Watched::new(since));
        if watched.mark != since {
            // It has read everybody again, or what was given out to it is lost.
            *watched = Watched::new(since);
        }
        watched.look.map(|back| since.at - back)
    }

    fn tenant(&self, tenant: TenantId) -> Option<Arc<TenantSnapshot>> {
        self.snapshots.current().tenant(tenant).cloned()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    fn new(mark: Mark) -> Self {
        Self { mark, told: Told::default(), look: Some(OVERLAP), news: true }
    }
}

#[async_trait]
impl DirectoryFeed for HubFeed {
    fn tenants(&self) -> Vec<Arc<Tenant>> {
        let shown = |tenant: &&Arc<TenantSnapshot>| tenant.view.enabled && (self.shown)(tenant);
        self.snapshots.current().tenants().filter(shown).map(|tenant| Arc::clone(&tenant.view)).collect()
    }

    async fn page(
        &self,
        tenant: TenantId,
        after: Option<PersonId>,
        most: u32,
    ) -> Result<Vec<DirectoryPerson>, StoreError> {
        let Some(snapshot) = self.tenant(tenant) else { return Ok(Vec::new()) };
        let people = self.profiles.page(tenant, after, most).await?;
        Ok(people.into_iter().map(|person| directory_person(&snapshot, person)).collect())
    }

    async fn people(&self, tenant: TenantId, ids: &[PersonId]) -> Result<Vec<DirectoryPerson>, StoreError> {
        let Some(snapshot) = self.tenant(tenant) else { return Ok(Vec::new()) };
        let people = self.profiles.profiled(tenant, ids).await?;
        Ok(people.into_iter().map(|person| directory_person(&snapshot, person)).collect())
    }

    async fn groups(&self, tenant: TenantId) -> Result<Vec<DirectoryGroup>, StoreError> {
        let groups = self.profiles.groups(tenant).await?;
        let group = |group: crate::ports::StoredGroup| DirectoryGroup {
            id: group.id,
            name: group.name,
            gid: group.number,
            created: group.created,
        };
        Ok(groups.into_iter().map(group).collect())
    }

    async fn changed(&self, tenant: TenantId, since: Mark) -> Result<Changes, StoreError> {
        self.ask().await?;
        // Known before the store is looked at: what happens meanwhile is found the next time.
        let now = self.clock.now();
        let mark = Mark { at: now, epoch: self.epochs.newest() };
        let Some(from) = self.from(tenant, since) else {
            if let Some(watched) = self.state().tenants.get_mut(&tenant) {
                watched.mark = mark;
            }
            return Ok(Changes { mark, ..Changes::default() });
        };
        let groups = self.profiles.groups_changed(tenant, from).await?;
        let changed = self.profiles.changed(tenant, from, since.epoch).await?;
        let (new, groups_new) = {
            let state = self.state();
            let told = state.tenants.get(&tenant).map(|watched| &watched.told);
            let is_new = |it: &&crate::ports::ChangedPerson| told.is_none_or(|told| told.is_new(it));
            let new: Vec<_> = changed.iter().filter(is_new).map(|it| it.person).collect();
            (new, groups.is_some_and(|at| told.is_none_or(|told| told.groups_are_new(at))))
        };
        let (mut people, mut deleted) = (Vec::new(), Vec::new());
        if let Some(snapshot) = self.tenant(tenant)
            && !new.is_empty()
        {
            let found = self.profiles.profiled(tenant, &new).await?;
            let there: std::collections::HashSet<_> = found.iter().map(|person| person.person).collect();
            deleted = new.into_iter().filter(|id| !there.contains(id)).collect();
            people = found.into_iter().map(|person| directory_person(&snapshot, person)).collect();
        }
        let mut state = self.state();
        if let Some(watched) = state.tenants.get_mut(&tenant) {
            watched.told.tell(&changed, groups, now);
            (watched.mark, watched.news) = (mark, false);
        }
        Ok(Changes { people, deleted, groups: groups_new, mark })
    }

    async fn wake(&self, at_most: Duration) {
        let until = self.clock.steady() + at_most;
        loop {
            let left = until.saturating_sub(self.clock.steady());
            tokio::time::sleep(left.min(POLL)).await;
            // Whoever asks for the changes hears of a store that does not answer.
            let asked = self.ask().await;
            let news = self.state().tenants.values().any(|watched| watched.news);
            if asked.is_err() || news || left <= POLL {
                return;
            }
        }
    }

    fn sure(&self) -> bool {
        self.epochs.sure(self.clock.steady())
    }
}
