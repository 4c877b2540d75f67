//! Making and changing objects of the configuration.

use fedbridge_contract::ids::TenantId;
use fedbridge_hub::ports::{ApplyError, Sealer};
use fedbridge_hub::spec::{
    ConfigChange, SecretOwner, SecretValue, StoredApp, StoredConnection, StoredKey, StoredSecret, StoredTenant,
    TenantExtras,
};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, ColumnTrait, DatabaseTransaction, DbErr, EntityTrait, QueryFilter};

use crate::config::apply::{failed, failed_put};
use crate::config::words::{json, word};
use crate::entity::{app, connection, domain, secret, signing_key, tenant};

/// Frees the domains of all tenants that are put, so that one may move to another tenant.
pub async fn release_domains(db: &DatabaseTransaction, changes: &[ConfigChange]) -> Result<(), DbErr> {
    for change in changes {
        if let ConfigChange::PutTenant(it) = change {
            domain::Entity::delete_many().filter(domain::Column::TenantId.eq(it.id.uuid())).exec(db).await?;
        }
    }
    Ok(())
}

pub async fn tenant(db: &DatabaseTransaction, it: &StoredTenant, version: i64) -> Result<(), ApplyError> {
    use tenant::Column::{DisplayName, Enabled, Extras, Managed, ParentId, Slug, TenantId, Version};
    let row = tenant::ActiveModel {
        tenant_id: Set(it.id.uuid()),
        slug: Set(it.spec.slug.clone()),
        display_name: Set(it.spec.display_name.clone()),
        parent_id: Set(it.spec.parent.map(|parent| parent.uuid())),
        enabled: Set(it.spec.enabled),
        managed: Set(word(&it.managed)?),
        version: Set(version),
        extras: Set(extras(&it.spec.extras)?),
    };
    let replace = OnConflict::column(TenantId)
        .update_columns([Slug, DisplayName, ParentId, Enabled, Managed, Version, Extras])
        .to_owned();
    let put = tenant::Entity::insert(row).on_conflict(replace).exec_without_returning(db).await;
    put.map_err(|cause| failed_put(&cause, "another tenant has this slug"))?;
    for (position, name) in it.spec.domains.iter().enumerate() {
        let row = domain::ActiveModel {
            tenant_id: Set(it.id.uuid()),
            name: Set(name.clone()),
            position: Set(position as i64),
        };
        let put = domain::Entity::insert(row).exec_without_returning(db).await;
        put.map_err(|cause| failed_put(&cause, "another tenant has this mail domain, or it is named twice"))?;
    }
    Ok(())
}

/// Most tenants have none, and no text.
fn extras(extras: &TenantExtras) -> Result<Option<String>, ApplyError> {
    if *extras == TenantExtras::default() { Ok(None) } else { Ok(Some(json(extras)?)) }
}

pub async fn connection(db: &DatabaseTransaction, it: &StoredConnection) -> Result<(), ApplyError> {
    use connection::Column::{Id, Managed, Slug, Spec, TenantId};
    let row = connection::ActiveModel {
        tenant_id: Set(it.tenant.uuid()),
        id: Set(it.id.uuid()),
        slug: Set(it.spec.slug.clone()),
        managed: Set(word(&it.managed)?),
        spec: Set(json(&it.spec)?),
    };
    let replace = OnConflict::columns([TenantId, Id]).update_columns([Slug, Managed, Spec]).to_owned();
    let put = connection::Entity::insert(row).on_conflict(replace).exec_without_returning(db).await;
    put.map(drop).map_err(|cause| failed_put(&cause, "another connection of the tenant has this slug"))
}

pub async fn app(db: &DatabaseTransaction, it: &StoredApp) -> Result<(), ApplyError> {
    use app::Column::{Id, Kind, Managed, Name, Spec, TenantId};
    let row = app::ActiveModel {
        tenant_id: Set(it.tenant.uuid()),
        id: Set(it.id.uuid()),
        kind: Set(word(&it.spec.kind)?),
        name: Set(it.spec.name.clone()),
        managed: Set(word(&it.managed)?),
        spec: Set(json(&it.spec)?),
    };
    let replace = OnConflict::columns([TenantId, Id]).update_columns([Kind, Name, Managed, Spec]).to_owned();
    let put = app::Entity::insert(row).on_conflict(replace).exec_without_returning(db).await;
    put.map(drop).map_err(|cause| failed_put(&cause, "another client of the tenant has this name"))
}

pub async fn secret(db: &DatabaseTransaction, it: &StoredSecret, sealer: &dyn Sealer) -> Result<(), ApplyError> {
    use secret::Column::{AppId, ConnectionId, Hash, Name, OwnerId, Sealed, TenantId};
    let (owner, connection, app) = match it.owner {
        SecretOwner::Connection(id) => (id.uuid(), Some(id.uuid()), None),
        SecretOwner::App(id) => (id.uuid(), None, Some(id.uuid())),
    };
    let (hash, sealed) = match &it.value {
        SecretValue::Hashed(hash) => (Some(hash.to_vec()), None),
        SecretValue::Clear(plain) => (None, Some(sealer.seal(&secret_place(it.tenant, it.owner, &it.name), plain))),
    };
    let row = secret::ActiveModel {
        tenant_id: Set(it.tenant.uuid()),
        owner_id: Set(owner),
        name: Set(it.name.clone()),
        connection_id: Set(connection),
        app_id: Set(app),
        hash: Set(hash),
        sealed: Set(sealed),
    };
    let replace =
        OnConflict::columns([TenantId, OwnerId, Name]).update_columns([ConnectionId, AppId, Hash, Sealed]).to_owned();
    let put = secret::Entity::insert(row).on_conflict(replace).exec_without_returning(db).await;
    put.map(drop).map_err(failed)
}

pub async fn key(db: &DatabaseTransaction, it: &StoredKey) -> Result<(), ApplyError> {
    use signing_key::Column::{Certificate, ChangedAt, Kid, PublicJwk, Sealed, State, TenantId};
    let row = signing_key::ActiveModel {
        tenant_id: Set(it.tenant.uuid()),
        kid: Set(it.kid.clone()),
        purpose: Set(word(&it.purpose)?),
        algorithm: Set(it.algorithm.name().to_owned()),
        state: Set(word(&it.state)?),
        created_at: Set(it.created.millis()),
        changed_at: Set(it.changed.millis()),
        sealed: Set(it.sealed_private.clone()),
        public_jwk: Set(json(&it.public_jwk)?),
        certificate: Set(it.certificate.clone()),
        connection_id: Set(it.connection.map(|connection| connection.uuid())),
    };
    // What a key is for, and which one it is, never changes.
    let replace = OnConflict::columns([TenantId, Kid])
        .update_columns([State, ChangedAt, Sealed, PublicJwk, Certificate])
        .to_owned();
    let put = signing_key::Entity::insert(row).on_conflict(replace).exec_without_returning(db).await;
    put.map(drop).map_err(failed)
}

/// The place that a secret is sealed for.
pub fn secret_place(tenant: TenantId, owner: SecretOwner, name: &str) -> Vec<u8> {
    match owner {
        SecretOwner::Connection(id) => format!("{tenant}/secret/connection/{id}/{name}"),
        SecretOwner::App(id) => format!("{tenant}/secret/app/{id}/{name}"),
    }
    .into_bytes()
}
