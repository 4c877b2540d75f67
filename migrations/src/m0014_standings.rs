//! Which connections keep a person out, each by its own last word.

use sea_orm_migration::prelude::*;

use crate::column::{TENANT, cascade, clustered, flag, int, primary_key, uuid};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0014_standings"
    }
}

/// Whoever is kept out by a directory that has pushed them. Of whom an upstream's signal keeps out nobody has noted which:
/// the next word of any connection lifts it, as it did.
const FROM_PROFILES: &str = "INSERT INTO standings (tenant_id, person_id, connection_id, is_out, said_at) \
    SELECT DISTINCT p.tenant_id, p.id, r.connection_id, r.disabled IS NOT NULL, p.shut_at FROM people p \
    JOIN profiles r ON r.tenant_id = p.tenant_id AND r.person_id = p.id \
    WHERE p.shut_at IS NOT NULL AND r.source = 'push' AND r.disabled IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.create_table(clustered(manager, standings())).await?;
        manager.get_connection().execute_unprepared(FROM_PROFILES).await.map(drop)
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// Without a foreign key to the connection: whoever was kept out by one that is deleted does not come in by that.
fn standings() -> TableCreateStatement {
    Table::create()
        .table("standings")
        .col(uuid(TENANT))
        .col(uuid("person_id"))
        .col(uuid("connection_id"))
        .col(flag("is_out"))
        .col(int("said_at"))
        .primary_key(&mut primary_key(&[TENANT, "person_id", "connection_id"]))
        .foreign_key(&mut cascade(
            "standings_of_person",
            "standings",
            &[TENANT, "person_id"],
            "people",
            &[TENANT, "id"],
        ))
        .take()
}
