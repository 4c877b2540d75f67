//! Takes changes of the configuration over: the command line, another node, or
//! later the console writes the store, and its version tells. [`super::watch`] looks at the version.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use fedbridge_hub::ports::{Changed, ConfigStore};
use fedbridge_hub::run::{Builder, Snapshot, Snapshots, TenantSnapshot};
use fedbridge_hub::spec::{Switches, TenantConfiguration};

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
    let Changed { version, tenants: changed, unreadable, existing } = store.load_since(current.version).await?;
    if version == current.version {
        return Ok(false);
    }
    let existing: HashSet<_> = existing.into_iter().collect();
    let replaced: HashSet<_> = changed.iter().map(|new| new.tenant.id).collect();
    let unchanged =
        current.tenants().filter(|tenant| existing.contains(&tenant.view.id) && !replaced.contains(&tenant.view.id));
    let mut next = Snapshot::new(version, unchanged.cloned());
    for (on, cause) in &unreadable {
        narrow(&mut next, on, current.tenant(on.tenant), &cause.to_string());
    }
    for tenant in &changed {
        let before = current.tenant(tenant.tenant.id);
        add(&mut next, builder, tenant, before);
    }
    tracing::info!(version, tenants = changed.len(), "configuration taken over");
    snapshots.replace(next);
    Ok(true)
}

/// Adds a tenant. One that can't be opened doesn't stop the others.
fn add(
    snapshot: &mut Snapshot,
    builder: &Builder,
    configuration: &TenantConfiguration,
    before: Option<&Arc<TenantSnapshot>>,
) {
    // An adapter that panics over its settings must not keep what else has changed from being taken over.
    let built = catch_unwind(AssertUnwindSafe(|| builder.tenant(configuration)));
    let tenant = match built.unwrap_or_else(|_| Err("an adapter panicked".to_owned())) {
        Ok(tenant) => Arc::new(tenant),
        Err(cause) => return narrow(snapshot, &configuration.switches(), before, &cause),
    };
    for connection in tenant.connections.values() {
        for complaint in connection.state.as_ref().err().into_iter().flatten() {
            let (tenant, slug) = (&tenant.view.slug, &connection.view.slug);
            tracing::warn!(%tenant, connection = %slug, %complaint, "a connection can't be used");
        }
    }
    snapshot.put(tenant);
}

/// Keeps what a tenant had before, without what is switched off now: that holds at once, whatever else is wrong.
fn narrow(snapshot: &mut Snapshot, on: &Switches, before: Option<&Arc<TenantSnapshot>>, cause: &str) {
    let Some(before) = before else {
        let tenant = on.tenant.uuid();
        tracing::error!(%tenant, %cause, "the tenant can't be opened, and is not served");
        return;
    };
    let tenant = &before.view.slug;
    tracing::error!(
        %tenant,
        %cause,
        "the tenant can't be opened; of its new configuration, only what is switched off is in force"
    );
    snapshot.keep(Arc::new(before.narrowed(on)));
}

#[cfg(test)]
mod tests;
