//! People, and everything that a login writes.
//!
//! Each index costs every login, so there is one for each look-up by another key
//! and for each person whose rows a deletion has to find, and no more. What has
//! expired is found by walking a table in the order of its primary key. Ids of
//! transactions, sessions, grants and traces begin with their time, so that new
//! rows of all of them lie together at the end.
//! What every login writes has no foreign key: in PostgreSQL each check would lock
//! a row that all logins share. A deletion names the tables; a row that a login
//! adds at that very moment is refused by the gate and goes when it expires.

use sea_orm_migration::prelude::*;

use crate::column::{
    TENANT, cascade, clustered, flag, index, int, int_null, octets, primary_key, text, text_null, uuid,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0002_logins"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in [
            clustered(manager, people()),
            clustered(manager, identities()),
            transactions(),
            sessions(),
            grants(),
            clustered(manager, once()),
            clustered(manager, revoked_tokens()),
            traces(),
        ] {
            manager.create_table(table).await?;
        }
        for index in [
            index("identities_person", "identities", &[TENANT, "person_id"]),
            index("sessions_person", "sessions", &[TENANT, "person_id"]),
            index("grants_person", "grants", &[TENANT, "person_id", "session_id"]),
            index("traces_time", "traces", &["at"]),
        ] {
            manager.create_index(index).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

fn people() -> TableCreateStatement {
    Table::create()
        .table("people")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(flag("disabled"))
        .col(int("created_at"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .foreign_key(&mut cascade("people_of_tenant", "people", &[TENANT], "tenants", &[TENANT]))
        .take()
}

/// Which upstream subject is which person. The key is a hash: subjects may be of any length.
fn identities() -> TableCreateStatement {
    Table::create()
        .table("identities")
        .col(uuid(TENANT))
        .col(uuid("connection_id"))
        .col(octets("subject_hash"))
        .col(text("subject_key"))
        .col(text("display"))
        .col(uuid("person_id"))
        .col(int("created_at"))
        .primary_key(&mut primary_key(&[TENANT, "connection_id", "subject_hash"]))
        .foreign_key(&mut cascade(
            "identities_of_connection",
            "identities",
            &[TENANT, "connection_id"],
            "connections",
            &[TENANT, "id"],
        ))
        .foreign_key(&mut cascade(
            "identities_of_person",
            "identities",
            &[TENANT, "person_id"],
            "people",
            &[TENANT, "id"],
        ))
        .take()
}

fn transactions() -> TableCreateStatement {
    Table::create()
        .table("transactions")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(octets("handle_hash"))
        .col(int("expires_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .take()
}

/// An ended session is a deleted one.
fn sessions() -> TableCreateStatement {
    Table::create()
        .table("sessions")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(octets("cookie_hash"))
        .col(uuid("person_id"))
        .col(uuid("connection_id"))
        .col(int("idle_expires_at"))
        .col(int("absolute_expires_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .take()
}

/// `expires_at` is when nothing made from the grant can be good any more.
fn grants() -> TableCreateStatement {
    Table::create()
        .table("grants")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(uuid("app_id"))
        .col(uuid("person_id"))
        .col(uuid("session_id"))
        .col(flag("offline"))
        .col(octets("code_hash"))
        .col(int("code_expires_at"))
        .col(int_null("redeemed_at"))
        .col(int_null("revoked_at"))
        .col(int_null("generation"))
        .col(int_null("rotated_at"))
        .col(int_null("idle_expires_at"))
        .col(int_null("absolute_expires_at"))
        .col(int("expires_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .take()
}

/// Assertion ids, JWT ids: what may be seen once. The key is a hash of purpose and value.
fn once() -> TableCreateStatement {
    Table::create()
        .table("one_time_keys")
        .col(uuid(TENANT))
        .col(octets("key_hash"))
        .col(int("expires_at"))
        .primary_key(&mut primary_key(&[TENANT, "key_hash"]))
        .take()
}

fn revoked_tokens() -> TableCreateStatement {
    Table::create()
        .table("revoked_tokens")
        .col(uuid(TENANT))
        .col(octets("jti_hash"))
        .col(int("expires_at"))
        .primary_key(&mut primary_key(&[TENANT, "jti_hash"]))
        .take()
}

/// `person_folded` is the name in lower case, for search without case.
fn traces() -> TableCreateStatement {
    Table::create()
        .table("traces")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(int("at"))
        .col(text("kind"))
        .col(text_null("connection"))
        .col(text_null("app"))
        .col(text_null("person"))
        .col(text_null("person_folded"))
        .col(text("outcome"))
        .col(text("cause"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .take()
}
