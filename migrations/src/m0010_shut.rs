//! People whom a directory that pushes them has switched off, and who they were before it did.

use sea_orm_migration::prelude::*;

use crate::column::{TENANT, index, int_null};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0010_shut"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Since when; null: not. An administrator's word (`disabled`) stands beside it, and outlives it.
        manager.alter_table(Table::alter().table("people").add_column(int_null("shut_at")).take()).await?;
        // A directory names people as they log in.
        manager.create_index(index("identities_display", "identities", &[TENANT, "connection_id", "display"])).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}
