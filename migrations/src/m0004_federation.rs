//! What federation keeps besides logins: who is in a session, logouts and whom they
//! tell, identifiers that were given out, parked requests, documents of partners.
//!
//! As in [`crate::m0002_logins`], what a login may write has no foreign key and no
//! index of its end. The indexes here are of logout, and partial where a login
//! could pay for them: one that no logout can find has no row in them.

use sea_orm_migration::prelude::*;

use crate::column::{
    TENANT, cascade, flag, index, int, int_null, octets, octets_null, primary_key, text, text_null, uuid,
};

pub struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &str {
        "m0004_federation"
    }
}

/// Both databases take these as they stand; the builder has no partial index for SQLite.
const PARTIAL: [&str; 3] = [
    "CREATE INDEX sessions_upstream ON sessions (tenant_id, connection_id, upstream_hash) \
     WHERE upstream_hash IS NOT NULL",
    "CREATE INDEX logouts_unspread ON logouts (created_at) WHERE NOT spread",
    "CREATE INDEX notices_due ON logout_notices (next_attempt_at) WHERE told IS NULL",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in ["upstream_hash", "upstream_index_hash"] {
            let add = Table::alter().table("sessions").add_column(octets_null(column)).take();
            manager.alter_table(add).await?;
        }
        for table in
            [participants(), logouts(), logout_notices(), name_ids(), handles(), documents(), sightings(), rollovers()]
        {
            manager.create_table(table).await?;
        }
        for index in [
            index("participants_key", "participants", &[TENANT, "app_id", "key_hash"]),
            index("name_ids_person", "name_ids", &[TENANT, "person_id"]),
            index("documents_due", "documents", &["next_look_at"]),
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

/// Apps in a session that want to hear of its end. `expires_at` is the session's absolute end.
fn participants() -> TableCreateStatement {
    Table::create()
        .table("participants")
        .col(uuid(TENANT))
        .col(uuid("session_id"))
        .col(uuid("app_id"))
        .col(octets("key_hash"))
        .col(octets_null("index_hash"))
        .col(int("expires_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "session_id", "app_id"]))
        .take()
}

/// `sessions` is a list of ids in JSON. `spread` is set once the notices were made.
fn logouts() -> TableCreateStatement {
    Table::create()
        .table("logouts")
        .col(uuid(TENANT))
        .col(uuid("id"))
        .col(int("created_at"))
        .col(int("expires_at"))
        .col(flag("spread"))
        .col(text("sessions"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "id"]))
        .take()
}

/// Whom a logout tells: the outbox, and the state of the frames. `sealed` is the participant's, as it
/// was; `told` is null while the party is waited for.
fn logout_notices() -> TableCreateStatement {
    Table::create()
        .table("logout_notices")
        .col(uuid(TENANT))
        .col(uuid("logout_id"))
        .col(uuid("app_id"))
        .col(uuid("session_id"))
        .col(text_null("told"))
        .col(int("attempts"))
        .col(int("next_attempt_at"))
        .col(int("expires_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "logout_id", "app_id", "session_id"]))
        .take()
}

/// Persistent identifiers (SAML core 8.3.7), by the hash of whom they were given to.
fn name_ids() -> TableCreateStatement {
    Table::create()
        .table("name_ids")
        .col(uuid(TENANT))
        .col(octets("qualifier_hash"))
        .col(uuid("person_id"))
        .col(text("qualifier"))
        .col(text("value"))
        .col(int("created_at"))
        .primary_key(&mut primary_key(&[TENANT, "qualifier_hash", "person_id"]))
        .foreign_key(&mut cascade("name_ids_of_person", "name_ids", &[TENANT, "person_id"], "people", &[TENANT, "id"]))
        .take()
}

/// Parked requests and artifacts, by a hash of purpose and handle.
fn handles() -> TableCreateStatement {
    Table::create()
        .table("handles")
        .col(uuid(TENANT))
        .col(octets("handle_hash"))
        .col(int("expires_at"))
        .col(octets("sealed"))
        .primary_key(&mut primary_key(&[TENANT, "handle_hash"]))
        .take()
}

/// What a connection's or an app's other side publishes: the text in force, and one that waits for
/// approval.
fn documents() -> TableCreateStatement {
    Table::create()
        .table("documents")
        .col(uuid(TENANT))
        .col(uuid("party_id"))
        .col(text("party_kind"))
        .col(text("url"))
        .col(text("xml"))
        .col(octets("xml_hash"))
        .col(text_null("etag"))
        .col(int("fetched_at"))
        .col(int_null("valid_until"))
        .col(int("last_look_at"))
        .col(int("next_look_at"))
        .col(int("failures"))
        .col(text_null("last_failure"))
        .col(text_null("held_xml"))
        .col(text_null("held_drift"))
        .col(int_null("held_since"))
        .primary_key(&mut primary_key(&[TENANT, "party_id"]))
        .foreign_key(&mut cascade("documents_of_tenant", "documents", &[TENANT], "tenants", &[TENANT]))
        .take()
}

/// Which partner has seen which key of ours. Written in batches over all tenants, so without a foreign
/// key: one tenant that is gone must not undo the batch.
fn sightings() -> TableCreateStatement {
    Table::create()
        .table("sightings")
        .col(uuid(TENANT))
        .col(uuid("party_id"))
        .col(text("party_kind"))
        .col(text("kid"))
        .col(text("how"))
        .col(int("first_at"))
        .col(int("last_at"))
        .primary_key(&mut primary_key(&[TENANT, "party_id", "kid", "how"]))
        .take()
}

pub fn rollovers() -> TableCreateStatement {
    Table::create()
        .table("rollovers")
        .col(uuid(TENANT))
        .col(text("purpose"))
        .col(text("phase"))
        .col(int("started_at"))
        .col(int_null("switch_at"))
        .col(int_null("switched_at"))
        .col(int_null("retire_at"))
        .primary_key(&mut primary_key(&[TENANT, "purpose"]))
        .foreign_key(&mut cascade("rollovers_of_tenant", "rollovers", &[TENANT], "tenants", &[TENANT]))
        .take()
}
