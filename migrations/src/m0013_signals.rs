//! What receivers of signals have yet to hear, how they want it, and of whom they want to hear nothing.

use sea_orm_migration::prelude::*;

use crate::column::{TENANT, cascade, clustered, flag, int, octets, octets_null, primary_key, uuid};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0013_signals"
    }
}

/// One worker looks for all tenants at once.
const TO_PUSH: &str = "CREATE INDEX signals_to_push ON signals (tenant_id, app_id) WHERE NOT parked";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [signals(), streams(), clustered(manager, mutes())] {
            manager.create_table(table).await?;
        }
        manager.get_connection().execute_unprepared(TO_PUSH).await?;
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// The id begins with its time: one receiver's lie in their order. `parked`: nobody pushes it, it waits for a poll.
fn signals() -> TableCreateStatement {
    Table::create()
        .table("signals")
        .col(uuid(TENANT))
        .col(uuid("app_id"))
        .col(uuid("id"))
        .col(int("expires_at"))
        .col(flag("parked"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "app_id", "id"]))
        .foreign_key(&mut of_app("signals_of_app", "signals"))
        .take()
}

/// One row for each receiver that was ever served. `sealed` is what it has asked for, if anything.
fn streams() -> TableCreateStatement {
    Table::create()
        .table("signal_streams")
        .col(uuid(TENANT))
        .col(uuid("app_id"))
        .col(int("leased_until"))
        .col(int("failures"))
        .col(octets_null("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "app_id"]))
        .foreign_key(&mut of_app("signal_streams_of_app", "signal_streams"))
        .take()
}

fn mutes() -> TableCreateStatement {
    Table::create()
        .table("signal_mutes")
        .col(uuid(TENANT))
        .col(uuid("app_id"))
        .col(octets("subject_hash"))
        .primary_key(&mut primary_key(&[TENANT, "app_id", "subject_hash"]))
        .foreign_key(&mut of_app("signal_mutes_of_app", "signal_mutes"))
        .take()
}

fn of_app(name: &'static str, table: &'static str) -> ForeignKeyCreateStatement {
    cascade(name, table, &[TENANT, "app_id"], "apps", &[TENANT, "id"])
}
