//! What chaining keeps: several logins of one person, consents, tokens of upstreams.
//!
//! As in [`crate::m0002_logins`], what a login writes has no foreign key and no index that it could do without.

use sea_orm_migration::prelude::*;

use crate::column::{
    TENANT, cascade, clustered, index, int, int_null, octets, octets_null, primary_key, text, text_null, uuid,
    uuid_null,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0007_chaining"
    }
}

/// Both databases take these as they stand; the builder has no partial index for SQLite.
const PARTIAL: [&str; 2] = [
    "CREATE INDEX sessions_upstream_index ON sessions (tenant_id, connection_id, upstream_index_hash) \
     WHERE upstream_index_hash IS NOT NULL",
    "CREATE INDEX identities_email ON identities (tenant_id, email_hash) WHERE email_hash IS NOT NULL",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for (table, column) in [
            ("identities", octets_null("email_hash")),
            ("tenants", text_null("extras")),
            ("signing_keys", uuid_null("connection_id")),
            // `upstream`: the row says what came of telling the connection whose id stands as `app_id`.
            ("logout_notices", text_null("kind")),
        ] {
            manager.alter_table(Table::alter().table(table).add_column(column).take()).await?;
        }
        for table in [
            scopes(),
            tombstones(),
            clustered(manager, link_proofs()),
            clustered(manager, consents()),
            upstream_tokens(),
            clustered(manager, session_upstreams()),
        ] {
            manager.create_table(table).await?;
        }
        for index in [
            index("link_proofs_person", "link_proofs", &[TENANT, "person_id"]),
            index("consents_app", "consents", &[TENANT, "app_id"]),
            index("upstream_tokens_person", "upstream_tokens", &[TENANT, "person_id"]),
            index("session_upstreams_key", "session_upstreams", &[TENANT, "connection_id", "upstream_hash"]),
            index("session_upstreams_index", "session_upstreams", &[TENANT, "connection_id", "upstream_index_hash"]),
        ] {
            manager.create_index(index).await?;
        }
        for sql in PARTIAL {
            manager.get_connection().execute_unprepared(sql).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("there is no way back: restore a backup".into()))
    }
}

/// Under which issuers a connection's people came. One row for a connection, unless it was pointed elsewhere.
fn scopes() -> TableCreateStatement {
    Table::create()
        .table("subject_scopes")
        .col(uuid(TENANT))
        .col(uuid("connection_id"))
        .col(octets("scope_hash"))
        .col(text("scope"))
        .col(int("first_at"))
        .primary_key(&mut primary_key(&[TENANT, "connection_id", "scope_hash"]))
        .foreign_key(&mut cascade(
            "scopes_of_connection",
            "subject_scopes",
            &[TENANT, "connection_id"],
            "connections",
            &[TENANT, "id"],
        ))
        .take()
}

/// Identities that were here, by a hash of the subject. Without a foreign key to people: it outlives them, so that
/// no `sub` comes back.
fn tombstones() -> TableCreateStatement {
    Table::create()
        .table("tombstones")
        .col(uuid(TENANT))
        .col(uuid("connection_id"))
        .col(octets("subject_hash"))
        .col(uuid("person_id"))
        .col(text("reason"))
        .col(int("at"))
        .primary_key(&mut primary_key(&[TENANT, "connection_id", "subject_hash"]))
        .foreign_key(&mut cascade("tombstones_of_tenant", "tombstones", &[TENANT], "tenants", &[TENANT]))
        .take()
}

fn link_proofs() -> TableCreateStatement {
    Table::create()
        .table("link_proofs")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(octets("secret_hash"))
        .col(uuid("person_id"))
        .col(uuid("connection_id"))
        .col(uuid("session_id"))
        .col(octets_null("subject_hash"))
        .col(int("expires_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .take()
}

/// `items` is a sorted list of scopes and claims in JSON.
fn consents() -> TableCreateStatement {
    Table::create()
        .table("consents")
        .col(uuid(TENANT))
        .col(uuid("person_id"))
        .col(uuid("app_id"))
        .col(text("items"))
        .col(int("at"))
        .primary_key(&mut primary_key(&[TENANT, "person_id", "app_id"]))
        .foreign_key(&mut cascade("consents_of_person", "consents", &[TENANT, "person_id"], "people", &[TENANT, "id"]))
        .foreign_key(&mut cascade("consents_of_app", "consents", &[TENANT, "app_id"], "apps", &[TENANT, "id"]))
        .take()
}

/// `turn_until` is set while one node asks the upstream.
fn upstream_tokens() -> TableCreateStatement {
    Table::create()
        .table("upstream_tokens")
        .col(uuid(TENANT))
        .col(uuid("session_id"))
        .col(uuid("connection_id"))
        .col(uuid("person_id"))
        .col(int("due_at"))
        .col(int_null("turn_until"))
        .col(int("expires_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "session_id", "connection_id"]))
        .take()
}

/// Further upstreams of a session: a person with several logins may use two of them in one session. Few
/// sessions have a row here.
fn session_upstreams() -> TableCreateStatement {
    Table::create()
        .table("session_upstreams")
        .col(uuid(TENANT))
        .col(uuid("session_id"))
        .col(uuid("connection_id"))
        .col(octets_null("upstream_hash"))
        .col(octets_null("upstream_index_hash"))
        .col(int("expires_at"))
        .primary_key(&mut primary_key(&[TENANT, "session_id", "connection_id"]))
        .take()
}
