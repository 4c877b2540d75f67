//! Changes carried out in memory: what the configuration would be.

use fedbridge_hub::spec::{ConfigChange, Configuration, TenantConfiguration};

/// Carries one change out. A change of a tenant that is not there does nothing.
pub fn carry_out(configuration: &mut Configuration, change: ConfigChange) {
    let tenants = &mut configuration.tenants;
    match change {
        ConfigChange::PutTenant(tenant) => match tenants.get_mut(&tenant.id) {
            Some(there) => there.tenant = tenant,
            None => {
                let version = configuration.version;
                let (connections, apps, secrets, keys, documents) = Default::default();
                let id = tenant.id;
                let new = TenantConfiguration { version, tenant, connections, apps, secrets, keys, documents };
                tenants.insert(id, new);
            }
        },
        ConfigChange::DeleteTenant { id, .. } => {
            tenants.remove(&id);
        }
        ConfigChange::PutConnection(new) => {
            if let Some(tenant) = tenants.get_mut(&new.tenant) {
                tenant.connections.retain(|there| there.id != new.id);
                tenant.connections.push(new);
            }
        }
        ConfigChange::DeleteConnection { tenant, id, .. } => {
            if let Some(tenant) = tenants.get_mut(&tenant) {
                tenant.connections.retain(|there| there.id != id);
                tenant.keys.retain(|key| key.connection != Some(id));
            }
        }
        ConfigChange::PutApp(new) => {
            if let Some(tenant) = tenants.get_mut(&new.tenant) {
                tenant.apps.retain(|there| there.id != new.id);
                tenant.apps.push(new);
            }
        }
        ConfigChange::DeleteApp { tenant, id } => {
            if let Some(tenant) = tenants.get_mut(&tenant) {
                tenant.apps.retain(|there| there.id != id);
            }
        }
        ConfigChange::PutSecret(new) => {
            if let Some(tenant) = tenants.get_mut(&new.tenant) {
                tenant.secrets.retain(|there| there.owner != new.owner || there.name != new.name);
                tenant.secrets.push(new);
            }
        }
        ConfigChange::DeleteSecret { tenant, owner, name } => {
            if let Some(tenant) = tenants.get_mut(&tenant) {
                tenant.secrets.retain(|there| there.owner != owner || there.name != name);
            }
        }
        ConfigChange::PutKey(new) => {
            if let Some(tenant) = tenants.get_mut(&new.tenant) {
                tenant.keys.retain(|there| there.kid != new.kid);
                tenant.keys.push(new);
            }
        }
        ConfigChange::PutDocument(new) => {
            if let Some(tenant) = tenants.get_mut(&new.tenant) {
                tenant.documents.retain(|there| there.party != new.party);
                tenant.documents.push(new);
            }
        }
        ConfigChange::DeleteDocument { tenant, party } => {
            if let Some(tenant) = tenants.get_mut(&tenant) {
                tenant.documents.retain(|there| there.party != party);
            }
        }
        // A bridge file says nothing of rollovers.
        ConfigChange::PutRollover(_) | ConfigChange::EndRollover { .. } => {}
    }
}
