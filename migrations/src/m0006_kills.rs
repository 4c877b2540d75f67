//! Kills of tenants, connections, apps and people.

use sea_orm_migration::prelude::*;

use crate::column::{TENANT, cascade, index, int, int_null, primary_key, text, uuid};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0006_kills"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The last kill of a person; null is 0, none yet.
        manager.alter_table(Table::alter().table("people").add_column(int_null("epoch")).take()).await?;
        manager.create_table(epochs()).await?;
        manager.create_index(index("epochs_number", "epochs", &["epoch"])).await?;
        // The counter of kills has a row of its own, so that a kill never waits for a configuration.
        let counter = Query::insert()
            .into_table("installation")
            .columns(["id", "version"])
            .values_panic([2.into(), 0.into()])
            .take();
        manager.execute(counter).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// The last kill of a tenant, a connection or an app. `kind` is one of these words; for a tenant, `object_id`
/// is the tenant's id again.
fn epochs() -> TableCreateStatement {
    Table::create()
        .table("epochs")
        .col(uuid(TENANT))
        .col(uuid("object_id"))
        .col(text("kind"))
        .col(int("epoch"))
        .col(int("at"))
        .primary_key(&mut primary_key(&[TENANT, "object_id"]))
        .foreign_key(&mut cascade("epochs_of_tenant", "epochs", &[TENANT], "tenants", &[TENANT]))
        .take()
}
