//! Whom apps with a SCIM server have, by our word, and whose turn it is to tell them.

use sea_orm_migration::prelude::*;

use crate::column::{
    TENANT, cascade, clustered, flag, index, int, int_null, octets_null, primary_key, text, text_null, uuid,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0012_outbound"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [clustered(manager, provisioned()), clustered(manager, states())] {
            manager.create_table(table).await?;
        }
        let remote =
            index("provisioned_remote", "provisioned", &[TENANT, "app_id", "kind", "remote_id"]).unique().take();
        manager.create_index(remote).await
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// Without a foreign key to the person: a row outlives them until the app was told.
fn provisioned() -> TableCreateStatement {
    Table::create()
        .table("provisioned")
        .col(uuid(TENANT))
        .col(uuid("app_id"))
        .col(text("kind"))
        .col(uuid("subject_id"))
        .col(text("remote_id"))
        .col(flag("on_there"))
        .col(octets_null("digest"))
        .col(text("in_groups"))
        .col(int("changed_at"))
        .primary_key(&mut primary_key(&[TENANT, "app_id", "kind", "subject_id"]))
        .foreign_key(&mut cascade("provisioned_of_app", "provisioned", &[TENANT, "app_id"], "apps", &[TENANT, "id"]))
        .take()
}

fn states() -> TableCreateStatement {
    Table::create()
        .table("provisioning_states")
        .col(uuid(TENANT))
        .col(uuid("app_id"))
        .col(int_null("turn_until"))
        .col(int_null("full_at"))
        .col(text_null("report"))
        .primary_key(&mut primary_key(&[TENANT, "app_id"]))
        .foreign_key(&mut cascade(
            "provisioning_states_of_app",
            "provisioning_states",
            &[TENANT, "app_id"],
            "apps",
            &[TENANT, "id"],
        ))
        .take()
}
