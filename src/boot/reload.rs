//! Takes changes of the configuration over: the command line, another node, or
//! later the console writes the store, and its version tells.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_hub::ports::ConfigStore;
use fedbridge_hub::run::{Builder, Snapshot, Snapshots};
use fedbridge_hub::spec::TenantConfiguration;

/// How often the version is asked for. The interface promises one second.
const POLL: Duration = Duration::from_millis(250);

/// Loads everything once.
///
/// # Errors
/// When the store does not answer, or a tenant's keys can't be opened.
pub async fn load(store: &dyn ConfigStore, builder: &Builder, snapshots: &Snapshots) -> anyhow::Result<()> {
    let configuration = store.load().await?;
    let mut snapshot = Snapshot { version: configuration.version, ..Snapshot::default() };
    for tenant in configuration.tenants.values() {
        add(&mut snapshot, builder, tenant)?;
    }
    snapshots.replace(snapshot);
    Ok(())
}

/// Follows the store's version for ever.
pub async fn follow(store: Arc<dyn ConfigStore>, builder: Arc<Builder>, snapshots: Arc<Snapshots>) {
    loop {
        tokio::time::sleep(POLL).await;
        if let Err(error) = step(store.as_ref(), &builder, &snapshots).await {
            tracing::error!(%error, "the configuration could not be taken over; the last one stays in force");
        }
    }
}

async fn step(store: &dyn ConfigStore, builder: &Builder, snapshots: &Snapshots) -> anyhow::Result<()> {
    let current = snapshots.current();
    if store.version().await? == current.version {
        return Ok(());
    }
    let (version, changed, existing) = store.load_since(current.version).await?;
    let mut next = Snapshot { version, ..Snapshot::default() };
    for (slug, tenant) in &current.by_slug {
        let gone = !existing.contains(&tenant.view.id);
        let replaced = changed.iter().any(|new| new.tenant.id == tenant.view.id);
        if !gone && !replaced {
            next.by_slug.insert(slug.clone(), Arc::clone(tenant));
        }
    }
    for tenant in &changed {
        add(&mut next, builder, tenant)?;
    }
    tracing::info!(version, tenants = changed.len(), "configuration taken over");
    snapshots.replace(next);
    Ok(())
}

fn add(snapshot: &mut Snapshot, builder: &Builder, configuration: &TenantConfiguration) -> anyhow::Result<()> {
    let tenant = builder.tenant(configuration).map_err(anyhow::Error::msg)?;
    for connection in tenant.connections.values() {
        if let Err(complaints) = &connection.state {
            for complaint in complaints {
                let (tenant, slug) = (&tenant.view.slug, &connection.view.slug);
                tracing::warn!(%tenant, connection = %slug, %complaint, "a connection can't be used");
            }
        }
    }
    snapshot.by_slug.insert(tenant.view.slug.clone(), Arc::new(tenant));
    Ok(())
}
