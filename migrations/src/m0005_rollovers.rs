//! Whether a rollover's dates count even where partners lag.

use sea_orm_migration::prelude::*;

use crate::column::flag;

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0005_rollovers"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Nothing has written this table yet, so the column needs no value for rows that are there. SQLite
        // adds no column that must have one.
        manager.drop_table(Table::drop().table("rollovers").take()).await?;
        manager.create_table(crate::m0004_federation::rollovers().col(flag("forced")).take()).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}
