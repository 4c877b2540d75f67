//! Takes changes of the configuration over: the command line, another node, or
//! later the console writes the store, and its version tells. [`super::watch`] looks at the version.

use std::collections::HashSet;
use std::sync::Arc;

use fedbridge_hub::ports::ConfigStore;
use fedbridge_hub::run::{Builder, Snapshot, Snapshots, TenantSnapshot};
use fedbridge_hub::spec::TenantConfiguration;

/// Loads everything once.
///
/// # Errors
/// When the store does not answer.
pub async fn load(store: &dyn ConfigStore, builder: &Builder, snapshots: &Snapshots) -> anyhow::Result<()> {
    let configuration = store.load().await?;
    let mut snapshot = Snapshot::new(configuration.version, []);
    for tenant in configuration.tenants.values() {
        add(&mut snapshot, builder, tenant, None);
    }
    snapshots.replace(snapshot);
    Ok(())
}

/// Follows the store's version.
pub struct Follower {
    pub store: Arc<dyn ConfigStore>,
    pub builder: Arc<Builder>,
    pub snapshots: Arc<Snapshots>,
    /// One takes over at a time, so that no older snapshot replaces a newer one.
    pub turn: tokio::sync::Mutex<()>,
    /// Told of each change that was taken over.
    pub taken_over: tokio::sync::Notify,
}

impl Follower {
    /// The version in force.
    pub fn version(&self) -> i64 {
        self.snapshots.current().version
    }

    /// Takes over what has changed, now.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn step(&self) -> anyhow::Result<()> {
        let _turn = self.turn.lock().await;
        if step(self.store.as_ref(), &self.builder, &self.snapshots).await? {
            self.taken_over.notify_one();
        }
        Ok(())
    }
}

/// Whether there was anything to take over.
async fn step(store: &dyn ConfigStore, builder: &Builder, snapshots: &Snapshots) -> anyhow::Result<bool> {
    let current = snapshots.current();
    if store.version().await? == current.version {
        return Ok(false);
    }
    let (version, changed, existing) = store.load_since(current.version).await?;
    let existing: HashSet<_> = existing.into_iter().collect();
    let replaced: HashSet<_> = changed.iter().map(|new| new.tenant.id).collect();
    let unchanged =
        current.tenants().filter(|tenant| existing.contains(&tenant.view.id) && !replaced.contains(&tenant.view.id));
    let mut next = Snapshot::new(version, unchanged.cloned());
    for tenant in &changed {
        let before = current.tenant(tenant.tenant.id);
        add(&mut next, builder, tenant, before);
    }
    tracing::info!(version, tenants = changed.len(), "configuration taken over");
    snapshots.replace(next);
    Ok(true)
}

/// Adds a tenant. One that can't be opened keeps what it had, and doesn't stop the others.
fn add(
    snapshot: &mut Snapshot,
    builder: &Builder,
    configuration: &TenantConfiguration,
    before: Option<&Arc<TenantSnapshot>>,
) {
    let tenant = match builder.tenant(configuration) {
        Ok(tenant) => Arc::new(tenant),
        Err(cause) => {
            let tenant = &configuration.tenant.spec.slug;
            tracing::error!(%tenant, %cause, "the tenant can't be opened; its last configuration stays in force");
            if let Some(before) = before {
                snapshot.put(Arc::clone(before));
            }
            return;
        }
    };
    for connection in tenant.connections.values() {
        for complaint in connection.state.as_ref().err().into_iter().flatten() {
            let (tenant, slug) = (&tenant.view.slug, &connection.view.slug);
            tracing::warn!(%tenant, connection = %slug, %complaint, "a connection can't be used");
        }
    }
    snapshot.put(tenant);
}
