//! Administrators and their API keys.
//!
//! Both are read across tenants. A row of the whole installation belongs to the
//! reserved tenant, whose id is nil and which is no row of `tenants`. `of_tenant`
//! is the tenant again where there is one, so that its rows go with it.

use sea_orm_migration::prelude::*;

use crate::column::{TENANT, cascade, index, int, int_null, octets, octets_null, primary_key, text, uuid, uuid_null};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0003_admins"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [administrators(), api_keys()] {
            manager.create_table(table).await?;
        }
        for index in [
            index("administrators_name", "administrators", &["name"]).unique().take(),
            index("administrators_tenant", "administrators", &["of_tenant"]),
            index("api_keys_name", "api_keys", &[TENANT, "name"]).unique().take(),
            index("api_keys_id", "api_keys", &["id"]).unique().take(),
            index("api_keys_tenant", "api_keys", &["of_tenant"]),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// Their names are unique in the installation: they all sign in at one place. The setup code's
/// columns are null once it was used.
fn administrators() -> TableCreateStatement {
    Table::create()
        .table("administrators")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(uuid_null("of_tenant"))
        .col(text("name"))
        .col(text("role"))
        .col(int("created_at"))
        .col(octets_null("setup_hash"))
        .col(int_null("setup_expires_at"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade("administrators_of_tenant", "administrators", &["of_tenant"], "tenants", &[TENANT]))
        .take()
}

/// `previous_hash` is good until `previous_expires_at`, after a rotation.
fn api_keys() -> TableCreateStatement {
    Table::create()
        .table("api_keys")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(uuid_null("of_tenant"))
        .col(text("name"))
        .col(text("scopes"))
        .col(int("created_at"))
        .col(int("expires_at"))
        .col(octets("key_hash"))
        .col(int_null("rotated_at"))
        .col(octets_null("previous_hash"))
        .col(int_null("previous_expires_at"))
        .col(int_null("revoked_at"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade("api_keys_of_tenant", "api_keys", &["of_tenant"], "tenants", &[TENANT]))
        .take()
}
