//! Many tenants: copies of one, through the port that `fedbridge apply` uses. Making keys for each would take half an
//! hour, so they have copies of its keys, sealed anew.

use anyhow::{Context as _, anyhow};
use fedbridge::Foundation;
use fedbridge::settings::Settings;
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_hub::ports::ConfigStore as _;
use fedbridge_hub::spec::{
    ConfigChange, SecretOwner, StoredApp, StoredConnection, StoredKey, StoredSecret, StoredTenant, TenantConfiguration,
};
use tokio::runtime::Builder;

use crate::server::Setup;

/// Tenants in one change.
const TOGETHER: usize = 200;

/// Makes this many copies of the tenant that is there, and gives back their slugs.
pub fn multiply(setup: &Setup, count: usize) -> anyhow::Result<Vec<String>> {
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async {
        let settings = Settings::read(None, setup.environment(), &[])
            .map_err(|complaints| anyhow!("the settings: {complaints:?}"))?;
        let foundation = Foundation::open(&settings).await?;
        let configuration = foundation.system.load().await?;
        let template = configuration.tenants.values().next().context("there is no tenant to copy")?;
        let slugs: Vec<_> = (1..=count).map(|number| format!("t{number:05}")).collect();
        let mut version = configuration.version;
        for slugs in slugs.chunks(TOGETHER) {
            let mut changes = Vec::new();
            for slug in slugs {
                changes.extend(copy(&foundation, template, slug)?);
            }
            version = foundation.system.apply(version, &changes).await?;
        }
        foundation.store.close().await?;
        Ok(slugs)
    })
}

fn copy(foundation: &Foundation, of: &TenantConfiguration, slug: &str) -> anyhow::Result<Vec<ConfigChange>> {
    let rng = foundation.rng.as_ref();
    let tenant = TenantId::random(rng);
    let mut spec = of.tenant.spec.clone();
    spec.slug = slug.to_owned();
    spec.domains = vec![format!("{slug}.example")];
    let mut changes = vec![ConfigChange::PutTenant(StoredTenant { id: tenant, spec, ..of.tenant.clone() })];
    for key in &of.keys {
        let place = |tenant: TenantId| format!("{tenant}/key/{}", key.kid).into_bytes();
        let private = foundation.sealer.open(&place(key.tenant), &key.sealed_private)?;
        let sealed_private = foundation.sealer.seal(&place(tenant), &private);
        changes.push(ConfigChange::PutKey(StoredKey { tenant, sealed_private, ..key.clone() }));
    }
    for connection in &of.connections {
        let id = ConnectionId::random(rng);
        changes.push(ConfigChange::PutConnection(StoredConnection { tenant, id, ..connection.clone() }));
        changes.extend(secrets(of, tenant, SecretOwner::Connection(connection.id), SecretOwner::Connection(id)));
    }
    for app in &of.apps {
        let id = AppId::random(rng);
        changes.push(ConfigChange::PutApp(StoredApp { tenant, id, ..app.clone() }));
        changes.extend(secrets(of, tenant, SecretOwner::App(app.id), SecretOwner::App(id)));
    }
    Ok(changes)
}

fn secrets(of: &TenantConfiguration, tenant: TenantId, from: SecretOwner, owner: SecretOwner) -> Vec<ConfigChange> {
    let owned = of.secrets.iter().filter(|secret| secret.owner == from);
    owned.map(|secret| ConfigChange::PutSecret(StoredSecret { tenant, owner, ..secret.clone() })).collect()
}
