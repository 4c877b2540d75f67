//! What upstreams push: records of people and groups, what they are looked up by, who is in which group, and who was
//! switched off when.

use sea_orm_migration::prelude::*;

use crate::column::{
    TENANT, cascade, clustered, flag, index, int, int_null, octets, octets_null, primary_key, text, uuid, uuid_null,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0009_pushed"
    }
}

/// One worker looks for all tenants at once, so this does not begin with the tenant.
const RESTATE: &str = "CREATE INDEX pushed_records_restate ON pushed_records (restate_at) WHERE restate_at IS NOT NULL";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [records(), clustered(manager, keys()), clustered(manager, members()), clustered(manager, shuts())]
        {
            manager.create_table(table).await?;
        }
        let of_connection = |name, column| index(name, "pushed_records", &[TENANT, "connection_id", column]);
        let unique = ["kind", "unique_hash"];
        for index in [
            index("pushed_records_unique", "pushed_records", &[TENANT, "connection_id", unique[0], unique[1]])
                .unique()
                .take(),
            index("pushed_records_page", "pushed_records", &[TENANT, "connection_id", "kind", "id"]),
            of_connection("pushed_records_external", "external_hash"),
            of_connection("pushed_records_match", "match_hash"),
            index("pushed_records_person", "pushed_records", &[TENANT, "person_id"]),
            index("pushed_keys_record", "pushed_keys", &[TENANT, "record_id"]),
            index("pushed_members_member", "pushed_members", &[TENANT, "member_id", "group_id"]),
            index("pushed_shuts_at", "pushed_shuts", &[TENANT, "connection_id", "at"]),
        ] {
            manager.create_index(index).await?;
        }
        manager.get_connection().execute_unprepared(RESTATE).await?;
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// Without a foreign key to the person: a record outlives the person whom it was about, and then names nobody.
/// `restate_at` is set while the person's profile waits to be written again.
fn records() -> TableCreateStatement {
    Table::create()
        .table("pushed_records")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(uuid("connection_id"))
        .col(text("kind"))
        .col(int("version"))
        .col(int("created_at"))
        .col(int("modified_at"))
        .col(text("display"))
        .col(flag("active"))
        .col(uuid_null("person_id"))
        .col(octets_null("unique_hash"))
        .col(octets_null("external_hash"))
        .col(octets_null("match_hash"))
        .col(int_null("restate_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade(
            "pushed_records_of_connection",
            "pushed_records",
            &[TENANT, "connection_id"],
            "connections",
            &[TENANT, "id"],
        ))
        .take()
}

fn keys() -> TableCreateStatement {
    Table::create()
        .table("pushed_keys")
        .col(uuid(TENANT))
        .col(uuid("connection_id"))
        .col(octets("key_hash"))
        .col(uuid("record_id"))
        .primary_key(&mut primary_key(&[TENANT, "connection_id", "key_hash", "record_id"]))
        .foreign_key(&mut of_record("pushed_keys_of_record", "pushed_keys", "record_id"))
        .take()
}

fn members() -> TableCreateStatement {
    Table::create()
        .table("pushed_members")
        .col(uuid(TENANT))
        .col(uuid("group_id"))
        .col(uuid("member_id"))
        .primary_key(&mut primary_key(&[TENANT, "group_id", "member_id"]))
        .foreign_key(&mut of_record("pushed_members_of_group", "pushed_members", "group_id"))
        .foreign_key(&mut of_record("pushed_members_of_member", "pushed_members", "member_id"))
        .take()
}

/// When a user was last switched off or deleted. Without a foreign key to the record: it may be gone.
fn shuts() -> TableCreateStatement {
    Table::create()
        .table("pushed_shuts")
        .col(uuid(TENANT))
        .col(uuid("connection_id"))
        .col(uuid("record_id"))
        .col(int("at"))
        .primary_key(&mut primary_key(&[TENANT, "connection_id", "record_id"]))
        .foreign_key(&mut cascade(
            "pushed_shuts_of_connection",
            "pushed_shuts",
            &[TENANT, "connection_id"],
            "connections",
            &[TENANT, "id"],
        ))
        .take()
}

fn of_record(name: &'static str, table: &'static str, column: &'static str) -> ForeignKeyCreateStatement {
    cascade(name, table, &[TENANT, column], "pushed_records", &[TENANT, "id"])
}
