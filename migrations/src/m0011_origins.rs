//! Which change has last put a pushed record into other groups.

use sea_orm_migration::prelude::*;

use crate::column::{int_null, uuid_null};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0011_origins"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // SQLite takes one column at a time.
        for column in [int_null("regrouped_at"), uuid_null("regrouped_by")] {
            manager.alter_table(Table::alter().table("pushed_records").add_column(column).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}
