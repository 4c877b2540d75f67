//! Which change has last put a pushed record into other groups, and until when a connection's guard is open.

use sea_orm_migration::prelude::*;

use crate::column::{TENANT, cascade, clustered, int, int_null, primary_key, uuid, uuid_null};

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
        manager.create_table(clustered(manager, open_guards())).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// An administrator lets a directory switch off more people than its guard does.
fn open_guards() -> TableCreateStatement {
    Table::create()
        .table("open_guards")
        .col(uuid(TENANT))
        .col(uuid("connection_id"))
        .col(int("until"))
        .primary_key(&mut primary_key(&[TENANT, "connection_id"]))
        .foreign_key(&mut cascade(
            "open_guards_of_connection",
            "open_guards",
            &[TENANT, "connection_id"],
            "connections",
            &[TENANT, "id"],
        ))
        .take()
}
