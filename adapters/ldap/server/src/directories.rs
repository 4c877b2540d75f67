//! The directories of all tenants in memory, and how they hear of changes.
//!
//! [`Held::run`] reads everybody once, and from then on what has changed (`follow`). Readers take the newest state
//! (`state`) and never wait for it.

mod follow;
mod state;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use fedbridge_contract::directory::DirectoryServices;
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_contract::listener::WireFacts;
use fedbridge_contract::services::Services;
use fedbridge_ldap_core::{Code, Dn, Scope, Search};
use tokio::sync::watch;

use crate::backend::{Backend, BindName, Directories, Found, Page};
use crate::schema_entry::SUBSCHEMA;
use crate::snapshot::Snapshot;
use crate::{root_dse, schema_entry};
use follow::Follower;
use state::State;

/// How long nothing may be heard before it is asked again.
const WAKE: Duration = Duration::from_millis(50);

/// All directories.
pub struct Held {
    services: Services,
    directory: DirectoryServices,
    state: RwLock<Arc<State>>,
    is_ready: watch::Sender<bool>,
}

impl Held {
    pub fn new(services: Services, directory: DirectoryServices) -> Arc<Self> {
        let (is_ready, _) = watch::channel(false);
        Arc::new(Self { services, directory, state: RwLock::default(), is_ready })
    }

    /// Whether everybody was read once.
    pub fn is_ready(&self) -> bool {
        *self.is_ready.borrow()
    }

    /// Waits until everybody was read once.
    pub async fn ready(&self) {
        let mut is_ready = self.is_ready.subscribe();
        // The sender lives as long as this does.
        let _ = is_ready.wait_for(|is_ready| *is_ready).await;
    }

    /// Keeps the directories as the store has them. It does not end.
    pub async fn run(self: Arc<Self>) {
        let mut follower = Follower::new(Arc::clone(&self));
        loop {
            if follower.look().await {
                self.is_ready.send_replace(true);
            }
            self.directory.feed.wake(WAKE).await;
        }
    }

    fn publish(&self, snapshots: impl IntoIterator<Item = Snapshot>) {
        let mut snapshots = snapshots.into_iter().map(Arc::new).peekable();
        if snapshots.peek().is_some() {
            self.change(|state| snapshots.for_each(|snapshot| state.put(snapshot)));
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = State::clone(&self.state());
        change(&mut state);
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(state);
    }

    fn state(&self) -> Arc<State> {
        Arc::clone(&self.state.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn snapshot(&self, tenant: TenantId) -> Option<Arc<Snapshot>> {
        self.state().get(tenant).cloned()
    }

    /// The one tenant that can be meant where nothing but the connection says.
    fn alone(&self, wire: &WireFacts) -> Option<Arc<Snapshot>> {
        let state = self.state();
        if let Some(named) = named(&state, wire) {
            return Some(Arc::clone(named));
        }
        let mut all = state.all();
        let first = all.next()?;
        all.next().is_none().then(|| Arc::clone(first))
    }

    fn by_base(&self, dn: &Dn, wire: &WireFacts) -> Option<Arc<Snapshot>> {
        let state = self.state();
        let held = state.by_base(dn)?;
        // Who comes to another tenant's name is not let in here.
        let other = named(&state, wire).is_some_and(|named| !Arc::ptr_eq(named, held));
        (!other).then(|| Arc::clone(held))
    }

    /// The one tenant with a connection that owns the domain of an address.
    fn by_domain(&self, name: &str) -> Option<Arc<Snapshot>> {
        let (_, domain) = name.rsplit_once('@')?;
        self.state().by_domain(domain).cloned()
    }
}

/// The tenant that a client means by the name that it came to; `None`: by none.
fn named<'s>(state: &'s State, wire: &WireFacts) -> Option<&'s Arc<Snapshot>> {
    state.by_server_name(wire.server_name.as_deref()?)
}

impl Directories for Held {
    fn tenant_of(&self, name: &BindName, wire: &WireFacts) -> Option<Arc<dyn Backend>> {
        let found = match &name.dn {
            Some(dn) => self.by_base(dn, wire),
            None => self.alone(wire).or_else(|| self.by_domain(&name.text)),
        };
        found.map(|found| found as Arc<dyn Backend>)
    }

    fn of(&self, tenant: TenantId) -> Option<Arc<dyn Backend>> {
        self.snapshot(tenant).map(|found| found as Arc<dyn Backend>)
    }

    fn by_certificate(&self, subject: &Dn, wire: &WireFacts) -> Option<(Arc<dyn Backend>, AppId)> {
        if subject.is_root() {
            return None;
        }
        let state = self.state();
        let named = named(&state, wire);
        let is_named = |held: &Arc<Snapshot>| named.is_none_or(|named| Arc::ptr_eq(named, held));
        let mut found = state.by_certificate(subject).filter(|(held, _)| is_named(held));
        let (held, app) = found.next()?;
        // One certificate of two apps is nobody's.
        found.next().is_none().then(|| (Arc::clone(held) as Arc<dyn Backend>, app))
    }

    fn common(
        &self,
        search: &Search,
        wire: &WireFacts,
        tenant: Option<TenantId>,
        out: &mut dyn FnMut(Found) -> bool,
    ) -> Option<Page> {
        let base = Dn::parse(&search.base).ok()?;
        let held = tenant.and_then(|tenant| self.snapshot(tenant)).or_else(|| self.alone(wire));
        let entry = if base.is_root() && search.scope == Scope::Base {
            Arc::new(root_dse::entry(root_dse::Facts {
                base: held.as_ref().map(|held| held.index().layout.base_text.as_str()),
                encrypted: wire.encrypted,
                can_upgrade: wire.can_upgrade,
                has_certificate: wire.client_certificate.is_some(),
                password_modify: held.as_ref().is_some_and(|held| held.directory().password_modify),
            }))
        } else if Dn::parse(SUBSCHEMA).is_ok_and(|subschema| base == subschema) {
            // What a tenant's own attributes are called is for those who have bound there.
            let own = tenant.and(held.as_ref()).map(|held| &*held.index().catalogue);
            schema_entry::entry(own)
        } else {
            return None;
        };
        if matches!(search.scope, Scope::Base | Scope::Sub)
            && let Some(found) = entry.found(search)
        {
            out(Found::Entry(found));
        }
        Some(Page { estimate: 1, ..Page::ended(Code::SUCCESS, String::new()) })
    }
}

#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
